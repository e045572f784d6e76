"""Publishing, changing and calling off: within the own region, not over somebody else's change, and those who booked are told."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from sqlalchemy import select

from portal.channels.sms import notices
from portal.channels.sms.models import SmsNotice
from portal.channels.sms.provider import ACCEPTED, Result
from portal.core.audit import AuditEntry
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.core.errors import Conflict, Forbidden, Invalid
from portal.desk.deeds import ACTS
from portal.training.practical_models import ATTENDED, BOOKED, CANCELLED, WAITING, Booking, PracticalSession
from portal.training.practicals import booking, messages, sessions, store
from tests import district
from tests.training.practicals.conftest import plan

FAR = "440310005001"  # a community of another street


@pytest.fixture
def school(school_on_sqlite):
    return school_on_sqlite


class Carrier:
    """Takes all, and remembers it by the end of the number."""

    def __init__(self):
        self.bodies = {}

    def send(self, body, messages, *, on_result, **_rest):
        for message in messages:
            self.bodies.setdefault(message.to[-4:], []).append(body)
            on_result(Result(message.ref, ACCEPTED))


def told():
    db.session.rollback()  # what was read before is of an older moment
    refs = db.session.execute(select(SmsNotice.ref).order_by(SmsNotice.id)).scalars()
    return sorted((int(ref.split(".")[2]), ref.split(".")[3]) for ref in refs)


def over(practical):
    with transaction() as session:
        row = session.get(PracticalSession, practical.id)
        row.starts_at, row.ends_at = utcnow() - timedelta(hours=4), utcnow() - timedelta(hours=1)


def test_a_new_time_or_place_is_told_to_all_who_booked_or_wait(school, publish, learners, trainer):
    practical, people = publish(seats=1), learners(2)
    for who in people:
        booking.book(who, practical.id)
    kept = plan(trainer, starts_at=practical.starts_at, seats=1)
    sessions.edit(trainer, practical.id, 1, plan(trainer, starts_at=practical.starts_at, seats=1, note="带水"))
    assert told() == [], "a note is nobody's text message"
    again = sessions.edit(trainer, practical.id, 2, plan(trainer, starts_at=kept.starts_at, seats=1, place="体育馆"))
    assert told() == [(people[0].id, "changed"), (people[1].id, "changed")]
    sessions.edit(trainer, practical.id, again.version, plan(trainer, starts_at=kept.starts_at + timedelta(hours=1), seats=1))
    assert told() == [(people[0].id, "changed"), (people[1].id, "changed")], "of two that wait the later one is true"
    school.extensions["sms_aside"] = carrier = Carrier()
    notices.send_due(school)
    assert "名额为您保留" in carrier.bodies[people[0].tail][0]
    assert "您候补的《示例课程》" in carrier.bodies[people[1].tail][0]


def test_calling_off_needs_a_reason_and_tells_everybody(school, publish, learners, trainer):
    practical, people = publish(seats=1), learners(3)
    for who in people:
        booking.book(who, practical.id)
    booking.leave(people[2], practical.id)
    with pytest.raises(Invalid) as refused:
        sessions.cancel(trainer, practical.id, 1, "  ")
    assert refused.value.problems[0].field == "reason"
    assert sessions.cancel(trainer, practical.id, 1, "场地停电") == 2
    school.extensions["sms_aside"] = carrier = Carrier()
    notices.send_due(school)
    assert set(carrier.bodies) == {people[0].tail, people[1].tail}
    assert "已取消，原因：场地停电。" in carrier.bodies[people[0].tail][0]
    for act in (lambda: sessions.cancel(trainer, practical.id, 2, "again"), lambda: booking.book(people[2], practical.id),
                lambda: sessions.edit(trainer, practical.id, 2, plan(trainer))):
        with pytest.raises(Conflict, match="已取消"):
            act()


def test_each_text_says_what_where_and_when_in_the_own_language_and_leads_on(publish):
    practical = publish(place="Hall 7")
    kinds = [(messages.CHANGED, BOOKED), (messages.CHANGED, WAITING), (messages.MOVED_UP, BOOKED), (messages.SOON, BOOKED),
             (messages.CALLED_OFF, BOOKED)]
    said = {(kind, state, language): messages.body(practical, kind, state, language, "停电")
            for kind, state in kinds for language in ("zh", "en")}
    assert len(set(said.values())) == len(said)
    for (kind, _state, language), whole in said.items():
        words = whole.replace("http://localhost/learn/sessions/", "")
        assert "Hall 7" in words
        assert ("示例课程" if language == "zh" else "A sample course") in words
        assert whole.endswith("/learn/sessions/" + ("" if kind == messages.CALLED_OFF else f"{practical.id}/"))
        assert ("seat" in words or "session" in words) == (language == "en")


def test_the_longest_words_still_fit_into_a_text_message(publish, learners, trainer):
    practical, people = publish(place="𠮷" * 200), [*learners(1), *learners(1, name="Li", language="en")]
    for who in people:
        booking.book(who, practical.id)
    assert sessions.cancel(trainer, practical.id, 1, "𠮷" * sessions.LONGEST_REASON) == 2
    assert len(told()) == 2


def test_it_can_be_called_off_late_but_not_when_people_are_there_or_it_is_over(publish, learners, trainer):
    practical, (who,) = publish(), learners()
    booking.book(who, practical.id)
    with transaction() as session:
        session.get(PracticalSession, practical.id).starts_at = utcnow() - timedelta(minutes=5)
        session.execute(select(Booking)).scalar_one().state = ATTENDED
    with pytest.raises(Conflict, match="签到"):
        sessions.cancel(trainer, practical.id, 1, "x")
    with transaction() as session:
        session.execute(select(Booking)).scalar_one().state = "booked"
    assert sessions.cancel(trainer, practical.id, 1, "x") == 1
    past = publish()
    over(past)
    for act in (lambda: sessions.cancel(trainer, past.id, 1, "x"), lambda: sessions.edit(trainer, past.id, 1, plan(trainer))):
        with pytest.raises(Conflict, match="已结束"):
            act()


def test_nobody_overwrites_what_another_trainer_changed(publish, trainer):
    practical = publish()
    sessions.edit(trainer, practical.id, 1, plan(trainer, seats=9, starts_at=practical.starts_at))
    with pytest.raises(Conflict, match="其他人"):
        sessions.edit(trainer, practical.id, 1, plan(trainer, seats=5))
    with pytest.raises(Conflict, match="其他人"):
        sessions.cancel(trainer, practical.id, 1, "x")
    unchanged = sessions.edit(trainer, practical.id, 2, plan(trainer, seats=9, starts_at=practical.starts_at))
    assert unchanged.version == 2, "nothing changed"


def test_the_duty_bounds_where_sessions_are_held(publish, trainer, stranger, viewer):
    practical = publish()
    for account in (stranger, viewer):
        assert not store.may_hold(account, practical)
        with pytest.raises(Forbidden):
            sessions.publish(account, plan(trainer))
        with pytest.raises(Forbidden):
            sessions.edit(account, practical.id, 1, plan(trainer))
        with pytest.raises(Forbidden):
            sessions.cancel(account, practical.id, 1, "x")
    own = sessions.publish(stranger, plan(stranger, region_code=FAR))
    with pytest.raises(Forbidden):  # nor can it be moved into what is another's
        sessions.edit(stranger, own.id, 1, plan(trainer))
    assert store.may_hold(trainer, own)


WRONG = [
    ("skills", {"skills": ()}), ("skills", {"skills": ("swim",)}), ("slug", {"slug": "none"}), ("place", {"place": ""}),
    ("region_code", {"region_code": district.PINGSHAN}), ("region_code", {"region_code": "x"}),
    ("region_code", {"region_code": ""}),
    ("point", {"lon": 114.3}), ("point", {"lon": 22.7, "lat": 114.3}), ("point", {"lon": 0.0, "lat": 0.0}),
    ("day", {"starts_at": timedelta(hours=-1)}), ("day", {"starts_at": timedelta(days=500)}),
    ("ends", {"ends_at": timedelta()}), ("ends", {"ends_at": timedelta(days=4)}), ("seats", {"seats": 0}),
    ("seats", {"seats": 501}), ("trainer_id", {"trainer_id": uuid.uuid4()}), ("note", {"note": "x" * 1001})]


def test_what_is_wrong_is_said_at_its_field(trainer):
    for field, changes in WRONG:
        moments = {name: utcnow() + value for name, value in changes.items() if isinstance(value, timedelta)}
        with pytest.raises(Invalid) as refused:
            sessions.publish(trainer, plan(trainer, **changes | moments))
        assert field in [problem.field for problem in refused.value.problems], (field, changes)


def test_the_trail_holds_what_happened_and_no_name(publish, learners, trainer):
    practical, (who,) = publish(), learners()
    booking.book(who, practical.id)
    booking.leave(who, practical.id)
    sessions.cancel(trainer, practical.id, 1, "x")
    db.session.rollback()
    rows = db.session.execute(select(AuditEntry).where(AuditEntry.subject == f"session:{practical.id}")).scalars().all()
    assert [one.action for one in rows] == ["practical.publish", "practical.book", "practical.leave", "practical.cancel"]
    assert {one.action for one in rows} <= set(ACTS), "the trail has words for it"
    assert "张伟" not in str([one.details for one in rows])
    assert db.session.get(PracticalSession, practical.id).state == CANCELLED
