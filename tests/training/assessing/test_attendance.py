"""Who was there: by the code that changes, by hand, and who was not."""

from __future__ import annotations

from datetime import timedelta

import pytest

from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.core.errors import Conflict, Forbidden, Invalid
from portal.scheduler import make_scheduler
from portal.training.assessing import attendance, recording, rotating
from portal.training.practical_models import (
    ABSENT,
    ATTENDED,
    BOOKED,
    CANCELLED,
    LEFT,
    WAITING,
    Booking,
    PracticalSession,
)
from tests.training.assessing import one_school
from tests.training.assessing.conftest import make_session, seat, seen, state_of

filled, one_app, school = one_school.filled, one_school.one_app, one_school.school

pytestmark = pytest.mark.usefixtures("english")


def codes(held: PracticalSession, **ago: float) -> str:
    return rotating.code(held, utcnow() - timedelta(**ago))


def refusal(raised: pytest.ExceptionInfo[Invalid]) -> tuple[str, str]:
    (problem,) = raised.value.problems
    return problem.field, str(problem.message)


def test_two_sessions_have_different_codes_and_no_sign_that_is_mistaken(school, trainer):
    held = [make_session(trainer.id) for _ in range(20)]
    shown = {codes(one) for one in held}
    assert len(shown) == 20
    assert not set("".join(shown)) & set("01ILO")


def test_who_has_a_seat_is_there_after_showing_the_code_and_twice_changes_nothing(held, people, monkeypatch):
    now = utcnow()  # a code of half a minute ago is too old as soon as the half minute ends
    monkeypatch.setattr(attendance, "utcnow", lambda: now)
    learner = people(1)
    booking = seat(held, learner)
    assert attendance.check_in(learner, rotating.code(held, now)).id == held.id
    first = db.session.get(Booking, booking.id).attended_at
    assert (state_of(booking), booking.attended_by) == (ATTENDED, "code")
    attendance.check_in(learner, rotating.code(held, now - timedelta(seconds=30)))
    db.session.rollback()
    assert db.session.get(Booking, booking.id, populate_existing=True).attended_at == first


def test_a_photo_of_the_code_is_useless_after_a_minute(held, people):
    learner = people(1)
    booking = seat(held, learner)
    with pytest.raises(Invalid) as raised:
        attendance.check_in(learner, codes(held, seconds=61))
    assert refusal(raised)[0] == "code"
    assert state_of(booking) == BOOKED


def test_who_had_to_sign_in_first_is_judged_by_the_moment_at_which_the_code_was_shown(held, people):
    learner = people(1)
    booking = seat(held, learner)
    shown_at = utcnow() - timedelta(minutes=5)
    attendance.check_in(learner, rotating.code(held, shown_at), shown_at)
    assert state_of(booking) == ATTENDED
    other = people(2)
    seat(held, other)
    long_ago = utcnow() - timedelta(minutes=11)
    with pytest.raises(Invalid):
        attendance.check_in(other, rotating.code(held, long_ago), long_ago)


def test_without_a_seat_the_code_opens_nothing_and_says_so(held, people):
    for n, state in enumerate([None, WAITING, LEFT, ABSENT]):
        learner = people(n)
        booking = seat(held, learner, state) if state else None
        with pytest.raises(Invalid) as raised:
            attendance.check_in(learner, codes(held))
        assert "no seat" in refusal(raised)[1]
        assert booking is None or state_of(booking) == state


def test_the_code_works_from_an_hour_before_the_session_until_its_end(trainer, people):
    for starts, works in [(-58, True), (-62, False), (0, True), (178, True), (182, False)]:
        held = make_session(trainer.id, starts=utcnow() - timedelta(minutes=starts))
        learner = people(200 + starts)
        booking = seat(held, learner)
        if works:
            attendance.check_in(learner, codes(held))
        else:
            with pytest.raises(Invalid):
                attendance.check_in(learner, codes(held))
        assert state_of(booking) == (ATTENDED if works else BOOKED), starts


def test_the_code_of_a_cancelled_session_opens_nothing(held, people):
    learner = people(1)
    seat(held, learner)
    with transaction() as session:
        session.get(PracticalSession, held.id).state = CANCELLED
    with pytest.raises(Invalid):
        attendance.check_in(learner, codes(held))


def test_a_trainer_marks_by_hand_takes_it_back_and_the_trail_has_no_name(held, people, trainer):
    learner = people(1, "王一")
    booking = seat(held, learner)
    for state in (ATTENDED, BOOKED, ABSENT, ATTENDED):
        attendance.mark(trainer, held.id, learner.id, state)
        assert state_of(booking) == state
    entries = db.session.query(audit.AuditEntry).filter(audit.AuditEntry.action == "attendance.hand").all()
    assert [one.details["state"] for one in entries] == [ATTENDED, BOOKED, ABSENT, ATTENDED]
    assert "王一" not in str([one.details for one in entries])


def test_a_trainer_of_another_street_marks_nobody(held, people, stranger):
    learner = people(1)
    seat(held, learner)
    with pytest.raises(Forbidden):
        attendance.mark(stranger, held.id, learner.id, ATTENDED)
    with pytest.raises(Forbidden):
        attendance.take_in(stranger, held.id, "+8612900000001")


def test_who_comes_without_a_seat_is_taken_in_while_seats_are_free_and_theory_is_passed(held, people, trainer, passed):
    one, two, three = people(1), people(2), people(3)
    seat(held, one)
    with pytest.raises(Conflict) as raised:
        attendance.take_in(trainer, held.id, "+8612900000002")
    assert "theory" in str(raised.value.message)
    passed.update({two.id, three.id})
    assert attendance.take_in(trainer, held.id, "+8612900000002") == two.id
    with pytest.raises(Conflict) as raised:
        attendance.take_in(trainer, held.id, "+8612900000003")
    assert "All seats are taken" in str(raised.value.message)
    attendance.mark(trainer, held.id, one.id, ABSENT)  # who did not come gives the seat
    assert attendance.take_in(trainer, held.id, "+8612900000003") == three.id
    with pytest.raises(Conflict):
        attendance.mark(trainer, held.id, one.id, ATTENDED)
    with pytest.raises(Invalid):
        attendance.take_in(trainer, held.id, "+8612900000009")


def test_who_waits_gets_a_seat_by_hand_as_others_do(held, people, trainer, passed):
    learner = people(1)
    booking = seat(held, learner, WAITING)
    with pytest.raises(Conflict):
        attendance.mark(trainer, held.id, learner.id, ATTENDED)
    passed.add(learner.id)
    attendance.mark(trainer, held.id, learner.id, ATTENDED)
    assert state_of(booking) == ATTENDED


def test_who_was_assessed_was_there(held, there, trainer, version):
    assert recording.record(trainer, [seen(held, there, version)])[0].outcome == "taken"
    with pytest.raises(Conflict):
        attendance.mark(trainer, held.id, there.id, ABSENT)


def test_who_was_taken_in_by_mistake_has_no_seat_when_that_is_taken_back(held, people, trainer, passed):
    learner, waits = people(1), people(2)
    passed.add(learner.id)
    attendance.take_in(trainer, held.id, "+8612900000001")
    attendance.mark(trainer, held.id, learner.id, BOOKED)
    booking = db.session.query(Booking).filter_by(learner_id=learner.id).one()
    assert state_of(booking) == LEFT
    waiting = seat(held, waits, WAITING)
    for state in (BOOKED, ABSENT):
        with pytest.raises(LookupError):
            attendance.mark(trainer, held.id, waits.id, state)
    assert state_of(waiting) == WAITING


@pytest.mark.parametrize("before", [WAITING, LEFT])
@pytest.mark.parametrize("by_phone", [True, False])
def test_a_slip_of_the_finger_gives_nobody_a_seat_who_waited_or_gave_it_back(held, people, trainer, passed, before, by_phone):
    learner = people(1)
    passed.add(learner.id)
    booking = seat(held, learner, before)
    if by_phone:
        attendance.take_in(trainer, held.id, "+8612900000001")
    else:
        attendance.mark(trainer, held.id, learner.id, ATTENDED)
    assert state_of(booking) == ATTENDED
    attendance.mark(trainer, held.id, learner.id, BOOKED)
    assert state_of(booking) == LEFT
    assert attendance.free_seats(held) == held.seats


def test_the_scheduler_looks_who_did_not_come(school):
    assert "absent" in {job.id for job in make_scheduler(school, lambda: None).get_jobs()}
