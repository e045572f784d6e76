"""What a database must keep, on both: nothing twice, no seat twice, sums of many, and a dispute that ends."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from flask_babel import force_locale
from sqlalchemy import event, select, text

from portal.core.clock import utcnow
from portal.core.db import db
from portal.core.errors import Conflict, Invalid
from portal.training import courses_store
from portal.training.assessing import attendance, disputes, recording, results, rotating
from portal.training.assessing.rules import DISPUTED, PASSED, UNSEEN
from portal.training.models import Enrolment
from portal.training.practical_models import ABSENT, ATTENDED, BOOKED, WAITING, Assessment, Booking
from tests.training.assessing.conftest import make_session, seat, seen, state_of

pytestmark = pytest.mark.usefixtures("english")
WELL, BADLY = {"safe-scene": True, "call": True}, {"safe-scene": True, "call": False}


def rows() -> list[Assessment]:
    db.session.rollback()
    return list(db.session.execute(select(Assessment).order_by(Assessment.id)).scalars())


def test_somebody_checks_in_and_is_there(held, people):
    learner = people(1)
    booking = seat(held, learner)
    attendance.check_in(learner, rotating.code(held, utcnow()))
    assert state_of(booking) == ATTENDED


def test_after_the_end_who_had_a_seat_and_was_not_there_is_absent(school, trainer, people):
    past = make_session(trainer.id, starts=utcnow() - timedelta(hours=4))
    going_on = make_session(trainer.id)
    learners = [people(n) for n in range(1, 5)]
    before = [seat(past, learners[0]), seat(past, learners[1], ATTENDED), seat(past, learners[2], WAITING),
              seat(going_on, learners[3])]
    assert attendance.sweep(school) == 1
    assert [state_of(one) for one in before] == [ABSENT, ATTENDED, WAITING, BOOKED]
    assert attendance.sweep(school) == 0


def test_two_trainers_who_take_in_somebody_at_once_give_the_last_seat_to_one(school, trainer, second, people, passed):
    held = make_session(trainer.id, seats=1)
    passed.update(people(n).id for n in (1, 2))
    answers = []

    def take_in(account_id, number) -> None:
        with school.app_context(), force_locale("en"):
            try:
                answers.append(attendance.take_in(db.session.get(type(trainer), account_id), held.id, number))
            except Conflict as conflict:
                answers.append(str(conflict.message))
    threads = [threading.Thread(target=take_in, args=(account.id, f"+861290000000{n}"))
               for n, account in enumerate((trainer, second), 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(str(one)[:5] for one in answers)[1:] == ["All s"]
    db.session.rollback()
    assert db.session.query(Booking).filter_by(session_id=held.id, state=ATTENDED).count() == 1


def test_sent_by_two_threads_at_once_it_counts_once(school, held, there, trainer, version):
    one, found, account_id = seen(held, there, version), [], trainer.id

    def send() -> None:
        with school.app_context():
            account = db.session.get(type(trainer), account_id)
            found.append(recording.record(account, [one])[0].outcome)
    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(found) == ["again", "again", "again", "taken"]
    assert len(rows()) == 1


def test_two_assessors_who_send_at_once_are_both_kept_and_leave_a_dispute(school, held, there, trainer, second, version):
    sent = {trainer.id: seen(held, there, version, steps=WELL), second.id: seen(held, there, version, steps=BADLY)}

    def send(account_id) -> None:
        with school.app_context():
            recording.record(db.session.get(type(trainer), account_id), [sent[account_id]])
    threads = [threading.Thread(target=send, args=(account_id,)) for account_id in sent]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert {row.ref for row in rows()} == {one.ref for one in sent.values()}
    assert results.skills(there.id, "sample")["cpr"].state == DISPUTED
    assert db.session.get(Enrolment, (there.id, "sample")).practical_at is None


def test_how_many_learners_stand_is_asked_at_once(held, there, people, trainer, version):
    nobody = people(2)
    recording.record(trainer, [seen(held, there, version)])
    found = dict(results.states_of("sample", [nobody.id, there.id]))
    assert [found[one.id]["cpr"].state for one in (nobody, there)] == [UNSEEN, PASSED]
    assert set(results.passed_at_of(courses_store.current("sample")[1], [nobody.id, there.id])) == {there.id}
    assert results.skills(there.id, "no-such-course") == {}
    assert results.passed_at(there.id, "no-such-course") is None


def test_many_disputes_are_asked_for_at_once(dispute, held, people, trainer, second, third, version):
    def asked() -> tuple[int, int]:
        statements, account = [], db.session.get(type(third), third.id)
        disputes.of_account(account)  # what is read of the account once is not counted

        def note(_connection, _cursor, statement, *_rest):
            statements.append(statement)
        event.listen(db.engine, "before_cursor_execute", note)
        found = disputes.of_account(account)
        event.remove(db.engine, "before_cursor_execute", note)
        return len(found), len(statements)
    one = asked()
    learner = people(2, "李二")
    seat(held, learner, ATTENDED)
    recording.record(trainer, [seen(held, learner, version, minute=11, steps=BADLY)])
    recording.record(second, [seen(held, learner, version, minute=13)])
    assert (one[0], asked()) == (1, (2, one[1]))
    assert [(found.name, [sheet.passed for sheet in found.sheets]) for found in disputes.of_account(third)] == [
        ("李二", [False, True]), ("王一", [True, False])]


def test_a_third_settles_it_with_a_reason_and_it_stays_settled(dispute, held, there, trainer, second, third, version):
    (found,) = disputes.of_account(third)
    assert disputes.count(third) == 1
    good = next(sheet for sheet in found.sheets if sheet.passed)
    with pytest.raises(Invalid) as raised:
        disputes.settle(third, held.id, there.id, "cpr", good.id, " ")
    assert raised.value.problems[0].field == "reason"
    disputes.settle(third, held.id, there.id, "cpr", good.id, "looked at the recording of the manikin")
    state = results.skills(there.id, "sample")["cpr"]
    assert (state.state, third.id in state.assessors) == (PASSED, True)
    assert disputes.of_account(trainer) == []
    assert disputes.count(trainer) == 0
    # The last writer decides nothing.
    (late,) = recording.record(second, [seen(held, there, version, minute=25, steps=BADLY)])
    assert (late.outcome, late.passed, late.state.state) == ("taken", False, PASSED)
    with pytest.raises(Conflict):
        disputes.settle(third, held.id, there.id, "cpr", good.id, "once more")


def test_open_disputes_are_found_by_an_index_that_holds_no_others(held, trainer):
    plan = select(Assessment.session_id).where(Assessment.disputed_at.is_not(None))
    if db.engine.dialect.name == "sqlite":
        rows = db.session.execute(text("EXPLAIN QUERY PLAN " + str(plan.compile(db.engine)))).all()
    else:
        db.session.execute(text("SET LOCAL enable_seqscan = off"))
        rows = db.session.execute(text("EXPLAIN " + str(plan.compile(db.engine)))).all()
    assert "ix_practical_assessment_disputed" in str(rows)


def test_a_note_that_no_database_can_hold_is_kept_without_what_it_cannot(held, there, trainer, version):
    (outcome,) = recording.record(trainer, [seen(held, there, version, note="a\0b \ud800 好" + "x" * 600)])
    assert outcome.outcome == "taken"
    assert rows()[0].note.startswith("ab ? 好")
    assert recording.record(trainer, [seen(held, there, version, skill="c\0pr")])[0].outcome == "refused"
