"""Who was there: by the code that changes, by hand, and who was not."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from flask_babel import force_locale
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.core.errors import Conflict, Forbidden, Invalid
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
from tests.training.assessing.conftest import make_session, seat, seen, state_of

pytestmark = pytest.mark.usefixtures("english")


def codes(held: PracticalSession, **ago: float) -> str:
    return rotating.code(held, utcnow() - timedelta(**ago))


def refusal(raised: pytest.ExceptionInfo[Invalid]) -> tuple[str, str]:
    (problem,) = raised.value.problems
    return problem.field, str(problem.message)


def test_a_code_is_valid_for_the_half_minute_in_which_it_is_shown_and_the_next(school, held):
    start = utcnow().replace(second=0, microsecond=0)
    shown = rotating.code(held, start)
    assert [rotating.is_valid(held, shown, start + timedelta(seconds=s)) for s in (-1, 0, 29, 30, 59, 60, 3600)] == [
        False, True, True, True, True, False, False]


def test_a_code_may_be_typed_in_small_letters_with_spaces(school, held):
    shown = codes(held)
    assert rotating.is_valid(held, f" {shown[:3].lower()}-{shown[3:].lower()} ", utcnow())
    assert not rotating.is_valid(held, shown[:5], utcnow())
    assert not rotating.is_valid(held, "", utcnow())


def test_two_sessions_have_different_codes_and_no_sign_that_is_mistaken(school, trainer):
    held = [make_session(trainer.id) for _ in range(20)]
    shown = {codes(one) for one in held}
    assert len(shown) == 20
    assert not set("".join(shown)) & set("01ILO")


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=12))
def test_nothing_that_somebody_may_type_is_an_error(school, held, text):
    assert rotating.is_valid(held, text, held.starts_at) in (True, False)


def test_who_has_a_seat_is_there_after_showing_the_code_and_twice_changes_nothing(held, people):
    learner = people(1)
    booking = seat(held, learner)
    assert attendance.check_in(learner, codes(held)).id == held.id
    first = db.session.get(Booking, booking.id).attended_at
    assert (state_of(booking), booking.attended_by) == (ATTENDED, "code")
    attendance.check_in(learner, codes(held, seconds=30))
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


@pytest.mark.parametrize("state", [None, WAITING, LEFT, ABSENT])
def test_without_a_seat_the_code_opens_nothing_and_says_so(held, people, state):
    learner = people(1)
    booking = seat(held, learner, state) if state else None
    with pytest.raises(Invalid) as raised:
        attendance.check_in(learner, codes(held))
    assert "no seat" in refusal(raised)[1]
    assert booking is None or state_of(booking) == state


@pytest.mark.parametrize(("starts", "works"), [(-59, True), (-61, False), (0, True), (179, True), (181, False)])
def test_the_code_works_from_an_hour_before_the_session_until_its_end(trainer, people, starts, works):
    held = make_session(trainer.id, starts=utcnow() - timedelta(minutes=starts))
    learner = people(1)
    booking = seat(held, learner)
    if works:
        attendance.check_in(learner, codes(held))
    else:
        with pytest.raises(Invalid):
            attendance.check_in(learner, codes(held))
    assert state_of(booking) == (ATTENDED if works else BOOKED)


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
