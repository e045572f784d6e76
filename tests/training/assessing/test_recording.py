"""What assessors say is taken once, never lost, and refused with a reason; those who differ are told, and a third settles."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, transaction, uuid7
from portal.core.errors import Conflict, Forbidden, Invalid
from portal.training.assessing import disputes, recording, results
from portal.training.assessing.rules import DISPUTED, NOT_YET, PASSED
from portal.training.models import Enrolment
from portal.training.practical_models import (
    ABSENT,
    ATTENDED,
    BOOKED,
    CANCELLED,
    WAITING,
    Assessment,
    Booking,
    PracticalSession,
)
from tests.training.assessing import one_school
from tests.training.assessing.conftest import make_session, seat, seen, state_of

filled, one_app, school = one_school.filled, one_school.one_app, one_school.school

pytestmark = pytest.mark.usefixtures("english")
WELL, BADLY = {"safe-scene": True, "call": True}, {"safe-scene": True, "call": False}


def rows() -> list[Assessment]:
    db.session.rollback()
    return list(db.session.execute(select(Assessment).order_by(Assessment.id)).scalars())


def test_what_was_seen_is_judged_by_the_list_kept_and_told_to_the_standing_and_the_trail(held, there, trainer, version):
    (outcome,) = recording.record(trainer, [seen(held, there, version, note="稳")])
    assert (outcome.outcome, outcome.passed, outcome.state.state) == ("taken", True, PASSED)
    (row,) = rows()
    assert (row.steps, row.passed, row.assessor_id, row.slug, row.note) == (WELL, True, trainer.id, "sample", "稳")
    assert results.passed_at(there.id, "sample") == row.seen_at
    assert db.session.get(Enrolment, (there.id, "sample")).practical_at == row.seen_at
    entry = db.session.execute(select(audit.AuditEntry).where(audit.AuditEntry.action == "assessment.record")).scalar_one()
    assert entry.details == {"learner": there.id, "skill": "cpr", "passed": True}


def test_the_phone_does_not_decide_what_is_passed(held, there, trainer, version):
    (outcome,) = recording.record(trainer, [seen(held, there, version, steps={"safe-scene": False, "call": True, "x": True})])
    assert (outcome.passed, outcome.state.state) == (False, NOT_YET)
    assert rows()[0].steps == {"safe-scene": False, "call": True}
    assert results.passed_at(there.id, "sample") is None


def test_sent_twice_it_counts_once_and_the_answer_is_the_same(held, there, trainer, version):
    one = seen(held, there, version)
    assert [recording.record(trainer, [one])[0].outcome for _time in range(3)] == ["taken", "again", "again"]
    assert len(rows()) == 1


def test_of_one_assessor_what_was_seen_last_counts_also_where_it_arrives_first(held, there, trainer, version):
    later, earlier = seen(held, there, version, minute=20), seen(held, there, version, minute=10, steps=BADLY)
    recording.record(trainer, [later])
    recording.record(trainer, [earlier])
    assert results.skills(there.id, "sample")["cpr"].state == PASSED
    assert len(rows()) == 2


def test_many_arrive_together_and_each_stands_for_itself(held, there, trainer, version):
    good, bad = seen(held, there, version), seen(held, there, version, skill="flying")
    outcomes = recording.record(trainer, [good, bad])
    assert [(one.ref, one.outcome) for one in outcomes] == [(good.ref, "taken"), (bad.ref, "refused")]


def refused(account, one) -> str:
    (outcome,) = recording.record(account, [one])
    assert outcome.outcome == "refused"
    return outcome.message


def test_what_cannot_be_is_refused_with_a_reason(held, there, people, trainer, stranger, version):
    assert "does not cover" in refused(stranger, seen(held, there, version))
    assert "does not cover" in refused(trainer, seen(held, there, version, session_id=uuid7()))
    assert "not assessed" in refused(trainer, seen(held, there, version, skill="flying"))
    assert "not assessed" in refused(trainer, seen(held, there, 999))
    assert "Nothing is marked" in refused(trainer, seen(held, there, version, steps={"call": None}))
    assert "Nothing is marked" in refused(trainer, seen(held, there, version, steps={"call": "yes"}))
    assert "before the session" in refused(trainer, seen(held, there, version, minute=-61))
    assert "before the session" in refused(trainer, seen(held, there, version, minute=45))  # in a quarter of an hour
    elsewhere = people(2)
    seat(held, elsewhere, WAITING)
    assert "has no seat" in refused(trainer, seen(held, elsewhere, version))
    assert "has no seat" in refused(trainer, seen(held, people(3), version))
    with transaction() as session:
        session.get(PracticalSession, held.id).state = CANCELLED
    assert "cancelled" in refused(trainer, seen(held, there, version))
    assert rows() == []


def test_a_number_that_another_one_has_used_is_refused_and_changes_nothing(held, there, trainer, second, version):
    one = seen(held, there, version)
    recording.record(trainer, [one])
    assert "same number" in refused(second, one)
    assert len(rows()) == 1


def test_nobody_assesses_himself(held, people, trainer, version):
    learner = people(5, "Trainer  Office")
    seat(held, learner, ATTENDED)
    assert "Nobody assesses oneself" in refused(trainer, seen(held, learner, version))


def test_days_later_only_who_saw_it_then_may_say_otherwise(trainer, second, people, version):
    past = make_session(trainer.id, starts=utcnow() - timedelta(days=5))
    learner = people(1)
    seat(past, learner, ATTENDED)
    recording.record(trainer, [seen(past, learner, version, minute=10, steps=BADLY)])
    assert "two days" in refused(second, seen(past, learner, version, seen_at=utcnow()))
    assert recording.record(trainer, [seen(past, learner, version, seen_at=utcnow())])[0].state.state == PASSED


# -- disputes ------------------------------------------------------------------------------------------------
def test_a_dispute_is_seen_by_all_who_hold_the_duty_there_and_tells_where_they_differ(
        dispute, held, there, trainer, second, third, stranger):
    for account, mine in ((trainer, True), (second, True), (third, False)):
        (found,) = disputes.of_account(account)
        assert (found.learner_id, found.name, found.skill, found.differ, found.mine) == (there.id, "王一", "cpr", ("call",), mine)
        assert [(sheet.assessor, sheet.passed) for sheet in found.sheets] == [("trainer office", True), ("second office", False)]
    assert disputes.of_account(stranger) == []
    assert len(disputes.of_session(trainer, held.id)) == 1


def test_it_ends_when_one_changes_his_own(dispute, held, there, second, version):
    recording.record(second, [seen(held, there, version, minute=20)])
    assert results.skills(there.id, "sample")["cpr"].state == PASSED
    assert disputes.of_account(second) == []


def test_nobody_who_differs_settles_it_nor_anybody_of_another_street(dispute, held, there, trainer, second, stranger):
    sheet = disputes.of_account(trainer)[0].sheets[0]
    for account in (trainer, second):
        with pytest.raises(Conflict):
            disputes.settle(account, held.id, there.id, "cpr", sheet.id, "I am right")
    with pytest.raises(Forbidden):
        disputes.settle(stranger, held.id, there.id, "cpr", sheet.id, "let me")
    assert results.skills(there.id, "sample")["cpr"].state == DISPUTED


def test_nobody_settles_what_is_about_himself(held, people, trainer, second, third, version):
    learner = people(5, third.display_name)
    seat(held, learner, ATTENDED)
    recording.record(trainer, [seen(held, learner, version, minute=10)])
    recording.record(second, [seen(held, learner, version, minute=12, steps=BADLY)])
    good = next(sheet for sheet in disputes.of_account(third)[0].sheets if sheet.passed)
    with pytest.raises(Conflict) as raised:
        disputes.settle(third, held.id, learner.id, "cpr", good.id, "I was good")
    assert "Nobody assesses oneself" in str(raised.value.message)
    assert results.skills(learner.id, "sample")["cpr"].state == DISPUTED


def test_a_sheet_that_was_changed_meanwhile_cannot_be_chosen(dispute, held, there, trainer, third, version):
    old = disputes.of_account(third)[0].sheets[0]
    recording.record(trainer, [seen(held, there, version, minute=15)])
    with pytest.raises(Invalid) as raised:
        disputes.settle(third, held.id, there.id, "cpr", old.id, "as agreed")
    assert raised.value.problems[0].field == "sheet"


def test_a_dispute_about_what_was_passed_on_another_afternoon_is_over(dispute, there, trainer, version):
    again = make_session(trainer.id)
    seat(again, there, ATTENDED)
    recording.record(trainer, [seen(again, there, version, minute=1)])
    assert disputes.of_account(trainer) == []


def test_who_is_assessed_was_there_also_where_nobody_could_be_checked_in_and_the_end_came_first(held, people, trainer, version):
    """A hall without a network: the list was taken before, the scheduler noted them as absent, then the phone had contact."""
    for n, state in enumerate((BOOKED, ABSENT), 1):
        learner = people(n)
        booking = seat(held, learner, state)
        assert recording.record(trainer, [seen(held, learner, version, minute=5)])[0].outcome == "taken"
        assert state_of(booking) == ATTENDED
        assert db.session.get(Booking, booking.id).attended_at == held.starts_at + timedelta(minutes=5)
