"""One more attempt, given by a trainer to who has used all."""

from __future__ import annotations

import pytest

from portal.core import audit
from portal.core.db import db
from portal.core.errors import Conflict, Invalid
from portal.training import courses_store
from portal.training.exams import attempts, rules
from portal.training.groups import one
from tests.training.exams.conftest import clock, learner  # noqa: F401  (fixtures)


def stands(learner_id):
    db.session.rollback()
    return attempts.standing(courses_store.current("sample")[1].exam, attempts.past(learner_id, "sample"))


def fail(learner_id, clock):  # noqa: F811
    attempt, secret = attempts.start(learner_id, "sample")
    attempts.submit(learner_id, attempt.id, secret)
    clock.forward(hours=25)


def test_who_used_all_attempts_gets_one_more_for_a_reason_and_nobody_else_does(trainer, learner, clock):  # noqa: F811
    fail(learner, clock)
    with pytest.raises(Conflict):
        one.give_one_more(trainer, learner, "sample", "ill on that day")
    fail(learner, clock)
    fail(learner, clock)
    assert stands(learner).hindrance == rules.USED_UP
    with pytest.raises(Invalid):
        one.give_one_more(trainer, learner, "sample", " ")
    with pytest.raises(Conflict):
        one.give_one_more(trainer, learner, "unknown", "ill on that day")
    one.give_one_more(trainer, learner, "sample", "ill on that day")
    assert (stands(learner).hindrance, stands(learner).left) == ("", 1)
    with pytest.raises(Conflict):
        one.give_one_more(trainer, learner, "sample", "ill on that day")
    fail(learner, clock)
    assert stands(learner).hindrance == rules.USED_UP
    assert [attempt.number for attempt in attempts.past(learner, "sample")] == [4, 3, 2, 1]
    told = db.session.query(audit.AuditEntry).filter_by(action="exam.more").one()
    assert (told.actor, told.details["reason"], told.details["learner"]) == ("trainer", "ill on that day", learner)


def test_the_waiting_time_stays(trainer, learner, clock):  # noqa: F811
    for _each in range(3):
        fail(learner, clock)
    clock.forward(hours=-24)
    one.give_one_more(trainer, learner, "sample", "ill on that day")
    assert stands(learner).hindrance == rules.WAIT
