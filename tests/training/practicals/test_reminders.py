"""Who has a seat is reminded a day and two hours before, once each; who learnt of it later than that is not."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from portal.channels.sms import notices
from portal.channels.sms.models import SmsNotice
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.scheduler import make_scheduler
from portal.training.practical_models import WAITING, Booking
from portal.training.practicals import booking, reminders, sessions
from tests.training.practicals.conftest import plan

HOUR = timedelta(hours=1)


@pytest.fixture
def clock(monkeypatch):
    """`clock(hours)`: it is that much later."""
    ahead = [timedelta(0)]
    for module in (reminders, booking, sessions):
        monkeypatch.setattr(module, "utcnow", lambda: utcnow() + ahead[0])

    def forward(hours):
        ahead[0] += hours * HOUR
    return forward


def told():
    db.session.rollback()  # what was read before is of an older moment
    refs = db.session.execute(select(SmsNotice.ref).order_by(SmsNotice.id)).scalars()
    return [(int(ref.split(".")[2]), ref.split(".")[3]) for ref in refs]


def test_each_reminder_is_queued_once_for_those_with_a_seat(school, publish, learners, clock):
    practical, (one, two, three) = publish(), learners(3)  # in 72 hours
    assert [booking.book(who, practical.id) for who in (one, two, three)][-1] == WAITING
    clock(47)
    assert reminders.queue_due(school) == 0
    clock(2)
    assert (reminders.queue_due(school), reminders.queue_due(school)) == (2, 0)
    assert told() == [(one.id, "soon"), (two.id, "soon")]
    clock(20)
    assert reminders.queue_due(school) == 0
    clock(2)
    assert (reminders.queue_due(school), reminders.queue_due(school)) == (2, 0)
    assert len(told()) == 4
    clock(4)
    assert reminders.queue_due(school) == 0


def test_after_a_stop_of_the_portal_one_reminder_is_sent_and_not_two(school, publish, learners, clock):
    practical = publish()
    booking.book(learners()[0], practical.id)
    clock(71)
    assert (reminders.queue_due(school), reminders.queue_due(school)) == (1, 0)
    waits = db.session.execute(select(SmsNotice.not_after)).scalar_one()
    assert waits == practical.starts_at


def test_who_books_on_the_day_is_not_reminded_of_the_day_before(school, publish, learners, clock):
    practical = publish()
    clock(50)
    booking.book(learners()[0], practical.id)
    assert reminders.queue_due(school) == 0
    clock(21)
    assert reminders.queue_due(school) == 1


def test_a_session_that_moved_is_reminded_of_at_its_new_time(school, publish, learners, trainer, clock):
    practical = publish()
    booking.book(learners()[0], practical.id)
    clock(50)
    assert reminders.queue_due(school) == 1
    sessions.edit(trainer, practical.id, 1, plan(trainer, starts_at=practical.starts_at + 48 * HOUR))
    assert [kind for _who, kind in told()] == ["changed"], "what is no longer true is not sent"
    assert reminders.queue_due(school) == 0
    clock(47)
    assert reminders.queue_due(school) == 1


def test_who_has_just_heard_the_new_time_is_not_reminded_of_it_at_once(school, publish, learners, trainer, clock):
    practical = publish()
    booking.book(learners()[0], practical.id)
    clock(1)
    sessions.edit(trainer, practical.id, 1, plan(trainer, starts_at=practical.starts_at - 60 * HOUR))  # in eleven hours
    assert (reminders.queue_due(school), [kind for _who, kind in told()]) == (0, ["changed"])
    clock(10)
    assert reminders.queue_due(school) == 1


def test_a_session_that_was_called_off_is_not_reminded_of(school, publish, learners, trainer, clock):
    practical = publish()
    booking.book(learners()[0], practical.id)
    sessions.cancel(trainer, practical.id, 1, "教官生病")
    clock(60)
    assert reminders.queue_due(school) == 0


def test_the_scheduler_reminds_by_itself(school, publish, learners):
    practical = publish()
    booking.book(learners()[0], practical.id)
    with transaction() as session:
        row = session.merge(practical)
        row.starts_at, row.ends_at = row.starts_at - 50 * HOUR, row.ends_at - 50 * HOUR
        session.execute(select(Booking)).scalar_one().changed_at -= 60 * HOUR
    scheduler = make_scheduler(school, lambda: None)
    scheduler.get_job("reminders").func()
    sent = []
    school.extensions["sms_aside"] = type("Carrier", (), {"send": lambda _self, body, messages, **_rest: sent.append(body)})()
    scheduler.get_job("notices").func()
    assert sent[0].startswith("【坪山应急】温馨提示：《示例课程》实操培训将于")
    assert notices.TRIES > 1


def test_without_hours_nobody_is_reminded(make_app, content):
    app = make_app(content=content, practical_reminder_hours=())
    assert reminders.queue_due(app) == 0
