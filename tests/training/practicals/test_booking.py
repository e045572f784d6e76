"""Seats: never more people than seats, whoever waits longest moves up and is told, and what stands in the way is said."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import select

from portal.channels.sms import notices
from portal.channels.sms.models import SmsNotice
from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.core.errors import Conflict, Invalid
from portal.training import standing
from portal.training.learners import own
from portal.training.models import Learner
from portal.training.practical_models import ATTENDED, BOOKED, LEFT, WAITING, Assessment, Booking, PracticalSession
from portal.training.practicals import booking, sessions, store
from tests import district
from tests.training.practicals.conftest import new_learner, plan, states
from tests.waiting import until_somebody_waits_for_a_lock

FAR = "440310005001"  # a community of another street


def queued(kind):
    """Learners who are told so, in the order in which it was queued."""
    db.session.rollback()
    refs = db.session.execute(select(SmsNotice.ref).order_by(SmsNotice.id)).scalars()
    return [int(ref.split(".")[2]) for ref in refs if ref.split(".")[3] == kind]


def move(practical, **by):
    """The session as if it had been planned for another time."""
    with transaction() as session:
        row = session.get(PracticalSession, practical.id)
        row.starts_at, row.ends_at = row.starts_at - timedelta(**by), row.ends_at - timedelta(**by)


def test_the_third_of_two_seats_waits_and_moves_up_when_one_leaves(publish, learners):
    practical, (one, two, three, four) = publish(), learners(4)
    assert [booking.book(who, practical.id) for who in (one, two, three, four)] == [BOOKED, BOOKED, WAITING, WAITING]
    assert booking.place(booking.of(four.id, practical.id)) == 2
    assert booking.book(three, practical.id) == WAITING, "twice changes nothing"
    assert booking.leave(one, practical.id)
    assert states(practical.id) == {one.id: LEFT, two.id: BOOKED, three.id: BOOKED, four.id: WAITING}
    assert queued("up") == [three.id]
    assert booking.place(booking.of(four.id, practical.id)) == 1
    assert booking.book(one, practical.id) == WAITING, "who left and comes again stands at the end"
    assert booking.place(booking.of(one.id, practical.id)) == 2
    assert not booking.leave(learners()[0], practical.id)


def test_what_is_said_of_a_seat_is_in_the_learners_language(publish, school):
    practical = publish(seats=1)
    first, second = new_learner(school), new_learner(school, "Li", language="en")
    for who in (first, second):
        booking.book(who, practical.id)
    booking.leave(first, practical.id)
    sent = []
    school.extensions["sms_aside"] = type("Carrier", (), {"send": lambda _self, body, messages, **_rest: sent.append(body)})()
    notices.send_due(school)
    assert "A seat became free and is yours: practical session “A sample course”" in sent[0]
    assert f"http://localhost/learn/sessions/{practical.id}/" in sent[0]


@pytest.mark.parametrize("seats", [3])
def test_many_who_want_the_last_seats_at_once_get_no_more_than_there_are(school, publish, learners, seats):
    practical, everybody = publish(seats=seats).id, learners(10)
    ids, told, troubles = [who.id for who in everybody[1:]], [], []
    booking.book(everybody[0], practical)

    def want(learner_id):
        try:
            with school.app_context():
                told.append(booking.book(db.session.get(Learner, learner_id), practical))
        except Exception as error:
            troubles.append(error)

    with transaction() as session:  # all stand at the door before it opens
        booking.locked(session, practical)
        audit.serialise(session)
        threads = [threading.Thread(target=want, args=(learner_id,)) for learner_id in ids]
        for thread in threads:
            thread.start()
        until_somebody_waits_for_a_lock(school.config["SQLALCHEMY_ENGINES"]["default"]["url"])
    for thread in threads:
        thread.join()
    assert not troubles
    found = list(states(practical).values())
    assert (found.count(BOOKED), found.count(WAITING)) == (seats, 10 - seats)
    assert (told.count(BOOKED), told.count(WAITING)) == (seats - 1, 10 - seats)


def test_leaving_and_booking_at_once_leaves_no_seat_empty_while_somebody_waits(school, publish, learners):
    practical, everybody = publish().id, learners(4)
    for who in everybody[:3]:
        booking.book(who, practical)
    one, two, three, four = (who.id for who in everybody)

    def act(what, learner_id):
        with school.app_context():
            what(db.session.get(Learner, learner_id), practical)

    threads = [threading.Thread(target=act, args=pair) for pair in
               ((booking.leave, one), (booking.leave, two), (booking.book, four), (booking.leave, three))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert states(practical) == {one: LEFT, two: LEFT, three: LEFT, four: BOOKED}


def test_theory_comes_first_and_a_name(publish, school):
    practical, late, nameless = publish(), new_learner(school, theory=False), new_learner(school, "")
    with pytest.raises(Conflict, match="理论"):
        booking.book(late, practical.id)
    with pytest.raises(Invalid) as refused:
        booking.book(nameless, practical.id)
    assert refused.value.problems[0].field == "name"
    assert booking.book(nameless, practical.id, name="欧阳𠮷") == BOOKED
    assert own.name(db.session.get(type(nameless), nameless.id, populate_existing=True)) == "欧阳𠮷"
    assert set(states(practical.id)) == {nameless.id}


def test_own_sessions_do_not_clash_and_are_few(publish, learners):
    (who,), first = learners(), publish()
    booking.book(who, first.id)
    with pytest.raises(Conflict, match="该时段"):
        booking.book(who, publish(starts_at=first.starts_at + timedelta(hours=2)).id)
    right_after = publish(starts_at=first.ends_at)
    assert booking.book(who, right_after.id) == BOOKED
    with pytest.raises(Conflict, match="上限"):
        booking.book(who, publish(starts_at=first.starts_at + timedelta(days=2)).id)
    booking.leave(who, first.id)
    assert booking.book(who, publish(starts_at=first.starts_at + timedelta(days=2)).id) == BOOKED


def test_who_passed_all_that_is_assessed_needs_no_seat(publish, learners, trainer):
    (who,), practical = learners(), publish()
    with transaction() as session:
        session.add(Assessment(ref="r", session_id=practical.id, learner_id=who.id, slug="sample", skill="cpr", version_id=1,
                               assessor_id=trainer.id, steps={}, passed=True, seen_at=utcnow(), received_at=utcnow()))
    assert standing.gates(who.id, "sample").practical
    with pytest.raises(Conflict, match="全部通过"):
        booking.book(who, practical.id)


def test_once_a_session_has_begun_nobody_comes_or_goes(publish, learners):
    practical, (one, two, three) = publish(seats=1), learners(3)
    for who in (one, two):
        booking.book(who, practical.id)
    move(practical, days=3, minutes=1)
    for act, who in ((booking.leave, one), (booking.leave, two), (booking.book, three)):
        with pytest.raises(Conflict, match="已开始"):
            act(who, practical.id)
    assert states(practical.id) == {one.id: BOOKED, two.id: WAITING}


@pytest.mark.parametrize("state", [BOOKED, ATTENDED])
def test_who_is_erased_leaves_the_seat_to_the_next(publish, learners, state):
    practical, (one, two) = publish(seats=1), learners(2)
    for who in (one, two):
        booking.book(who, practical.id)
    with transaction():
        booking.of(one.id, practical.id).state = state  # checked in, an hour before it begins
    own.erase(one)
    assert states(practical.id) == {two.id: BOOKED}
    assert queued("up") == [two.id]


def test_more_seats_at_a_session_that_has_begun_are_given_by_the_trainer_and_not_by_the_queue(publish, learners, trainer):
    practical, (one, two) = publish(seats=1), learners(2)
    for who in (one, two):
        booking.book(who, practical.id)
    move(practical, days=3, minutes=1)
    begun = store.get(practical.id)
    sessions.edit(trainer, practical.id, 1, plan(trainer, seats=2, starts_at=begun.starts_at, ends_at=begun.ends_at))
    assert states(practical.id) == {one.id: BOOKED, two.id: WAITING}
    assert queued("up") == []


def test_who_gives_the_seat_back_hears_no_more_of_it(publish, learners):
    practical, (one, two, three) = publish(seats=1), learners(3)
    for who in (one, two, three):
        booking.book(who, practical.id)
    booking.leave(one, practical.id)
    assert queued("up") == [two.id]
    booking.leave(two, practical.id)  # before the text was sent
    assert queued("up") == [three.id]


def test_a_queue_has_an_end_and_says_so(publish, learners, monkeypatch):
    monkeypatch.setattr(booking, "LONGEST_QUEUE", 1)
    practical, (one, two, three) = publish(seats=1), learners(3)
    assert [booking.book(who, practical.id) for who in (one, two)] == [BOOKED, WAITING]
    with pytest.raises(Conflict, match="候补"):
        booking.book(three, practical.id)
    assert three.id not in states(practical.id)


def test_more_seats_are_given_to_those_who_wait(publish, learners, trainer):
    practical, people = publish(seats=1), learners(4)
    for who in people:
        booking.book(who, practical.id)
    wider = sessions.edit(trainer, practical.id, 1, plan(trainer, seats=3, starts_at=practical.starts_at))
    assert list(states(practical.id).values()).count(BOOKED) == 3
    assert queued("up") == [people[1].id, people[2].id]
    with pytest.raises(Invalid, match="3"):
        sessions.edit(trainer, practical.id, wider.version, plan(trainer, seats=2, starts_at=practical.starts_at))


def test_a_list_knows_who_comes_in_which_order(publish, learners):
    practical, people = publish(), learners(4)
    for who in people:
        booking.book(who, practical.id)
    assert [(one.state, one.place) for one in store.people(practical.id)] == [
        (BOOKED, 0), (BOOKED, 0), (WAITING, 1), (WAITING, 2)]
    assert store.people(practical.id)[0].name == "张伟"
    assert "张伟" not in repr(store.people(practical.id))
    assert store.counts([practical.id]) == {practical.id: store.Counts(2, 2)}
    assert db.session.query(Booking).count() == 4


def test_lists_go_on_where_they_stopped_and_past_ones_are_apart(publish, trainer, stranger):
    starts = utcnow().replace(second=0, microsecond=0) + timedelta(days=3)
    rows = [publish(starts_at=starts + timedelta(days=n // 2)) for n in range(5)]
    far = sessions.publish(stranger, plan(stranger, region_code=FAR, starts_at=starts + timedelta(days=9)))
    gone = publish()
    with transaction() as session:
        row = session.get(PracticalSession, gone.id)
        row.starts_at, row.ends_at = utcnow() - timedelta(hours=4), utcnow() - timedelta(hours=1)
    found, after, now = [], "", utcnow()
    while True:
        page = store.listing(now, after=after, limit=2)
        found += [one.id for one in page.rows]
        if not (after := page.after):
            break
    assert found == [*(one.id for one in sorted(rows, key=lambda one: (one.starts_at, one.id))), far.id]
    assert [one.id for one in store.listing(now, past=True).rows] == [gone.id]
    assert [one.id for one in store.listing(now, region_code=district.KENGZI).rows] == [far.id]
    assert store.listing(now, slug="other").rows == []
    assert len(store.listing(now, after="nonsense").rows) == 6
    near = store.open_to("sample", FAR, now, 3)
    assert [one.id for one in near] == [far.id, *found[:2]]
