"""Whoever holds a certificate that ends soon is told once, and nobody who wants no texts."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from portal.channels.sms import notices, phones
from portal.channels.sms.models import SmsNotice
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.identity.rights import TRAINER
from portal.subscribers import store as subscribers
from portal.training.certificate_models import Certificate
from portal.training.certificates import issue, reminders, store
from portal.training.learners import own
from portal.training.models import Learner
from tests.district import DISTRICT, office
from tests.training.certificates.people import certified, pass_exam


def ends_in(days, person):
    with transaction() as session:
        row = session.execute(select(Certificate).where(Certificate.learner_id == person)).scalars().first()
        row.valid_until = utcnow() + timedelta(days=days)


@pytest.fixture
def due(school):
    person = certified()
    ends_in(59, person)
    return person


def queued():
    db.session.rollback()
    return db.session.execute(select(SmsNotice)).scalars().all()


def test_a_reminder_is_queued_once_and_says_what_ends_and_where_to_go(school, due):
    certified(2)  # two years left
    assert reminders.queue_due(school) == 1
    assert reminders.queue_due(school) == 0
    [row] = queued()
    assert row.not_after == min(db.session.execute(select(Certificate.valid_until)).scalars())
    school.extensions["sms_courier"] = lambda work: work()
    assert notices.send_due(school) == 1
    db.session.rollback()
    shown, _older = phones.page(phones.Filter(digits="0001"))
    assert "示例课程" in shown[0].body
    assert "https://warn.example/learn/certificates/" in shown[0].body


def test_who_asked_for_no_texts_gets_none(school, due):
    index = db.session.get(Learner, due).phone_index
    number = school.extensions["phones"].open(db.session.get(Learner, due).phone_sealed)
    subscribers.add_many([subscribers.NewSubscriber(number, "zh", 1, ("440310001001",), "web")])
    subscribers.opt_out(index, "sms")
    assert reminders.queue_due(school) == 0
    assert queued() == []


def test_who_has_renewed_already_is_not_reminded_of_the_old_one(school, due):
    pass_exam(due)
    assert len(db.session.execute(select(Certificate)).scalars().all()) == 2
    assert reminders.queue_due(school) == 0


def test_whose_renewal_was_taken_back_is_not_told_to_renew(school, due):
    pass_exam(due)
    issue.revoke(office("trainer", (TRAINER, DISTRICT, "white")), store.of_learner(due)[0].row.serial, "冒名顶替考试")
    assert reminders.queue_due(school) == 0
    assert queued() == []


def test_who_leaves_is_told_nothing_more(school, due):
    assert reminders.queue_due(school) == 1
    own.erase(db.session.get(Learner, due))
    assert queued() == []
