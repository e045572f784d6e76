"""The demonstration's sessions are assessed once, and show each state."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import timedelta

from sqlalchemy import func, select

from portal.core.clock import utcnow
from portal.core.db import db
from portal.training.assessing import demo, disputes, results
from portal.training.assessing.rules import DISPUTED
from portal.training.practical_models import ATTENDED, BOOKED, Assessment
from tests.training.assessing import one_school
from tests.training.assessing.conftest import make_session, seat, state_of

filled, one_app, school = one_school.filled, one_school.one_app, one_school.school


def test_past_sessions_are_assessed_and_the_one_that_goes_on_has_begun(school, trainer, second, people, monkeypatch):
    monkeypatch.setattr(demo, "COURSE", "sample")
    past, now = make_session(trainer.id, starts=utcnow() - timedelta(days=3), seats=12), make_session(trainer.id, seats=12)
    learners = [people(n) for n in range(1, 9)]
    for learner in learners:
        seat(past, learner, ATTENDED)
    coming = [seat(now, learner) for learner in learners[:3]]
    for _time in range(2):
        demo.seed(lambda _zh, _en: nullcontext())
        count = db.session.execute(select(func.count()).select_from(Assessment)).scalar_one()
        assert count == 8 + 1 + 3 + 1  # everybody there, and one more each for whom two differ
    assert [state_of(one) for one in coming] == [ATTENDED] * 3
    assert results.skills(learners[1].id, "sample")["cpr"].state == DISPUTED
    assert len(disputes.of_account(trainer)) == 2
    late = seat(now, learners[5])
    demo.seed(lambda _zh, _en: nullcontext())
    assert state_of(late) == BOOKED
