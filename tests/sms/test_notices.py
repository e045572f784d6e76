"""Notices to single people: each goes out once, none too late, none is lost with a process that dies."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from flask import current_app
from sqlalchemy import func, select

from portal.channels.sms import notices
from portal.channels.sms.models import SmsNotice
from portal.channels.sms.provider import ACCEPTED, FAILED, INVALID, OPTED_OUT, RETRY, Result
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.scheduler import OWN_THREADS, make_scheduler
from tests import waiting

NUMBER = "+8612900000041"


class Carrier:
    """Says of each message what `says` tells: a status, or an exception that is raised."""

    def __init__(self):
        self.says, self.unsure, self.taken = ACCEPTED, False, []
        self.lock = threading.Lock()

    def send(self, body, messages, *, expires_at, callback_url, on_result, halted):
        if isinstance(self.says, BaseException):
            raise self.says
        for message in messages:
            if self.says == ACCEPTED:
                with self.lock:
                    self.taken.append((message.to, body))
            on_result(Result(message.ref, self.says, unsure=self.unsure))


@pytest.fixture
def carrier(context):
    context.extensions["sms_aside"] = Carrier()
    return context.extensions["sms_aside"]


def say(ref="a.1", body="Your place is kept.", number=NUMBER, lasts=timedelta(hours=6)):
    with transaction() as session:
        return notices.queue(session, ref, current_app.extensions["phones"].seal(number), body, utcnow() + lasts)


def row(ref="a.1"):
    db.session.rollback()
    db.session.expire_all()
    return db.session.execute(select(SmsNotice).where(SmsNotice.ref == ref)).scalar_one()


def later(**change):
    """The rows as if time had passed."""
    with transaction() as session:
        for one in session.execute(select(SmsNotice)).scalars():
            for name, by in change.items():
                setattr(one, name, getattr(one, name) - by)


def test_queued_twice_is_sent_once_and_nothing_of_it_stays(context, carrier):
    assert (say(), say(body="Something else")) == (True, False)
    kept = row()
    assert b"place" not in kept.body_sealed
    assert NUMBER.encode() not in kept.phone_sealed
    assert (notices.send_due(context), notices.send_due(context)) == (1, 0)
    assert carrier.taken == [(NUMBER, "Your place is kept.")]
    assert (row().state, row().phone_sealed, row().body_sealed) == (notices.SENT, b"", b"")
    assert not say()
    assert notices.send_due(context) == 0


def test_chinese_words_bear_the_senders_name(context, carrier):
    say(body="您的名额已保留。")
    notices.send_due(context)
    assert carrier.taken == [(NUMBER, "【坪山应急】您的名额已保留。")]


def test_a_passing_error_is_tried_again_with_longer_pauses_and_an_end(context, carrier):
    carrier.says = RETRY
    say(lasts=timedelta(days=9))
    pauses = []
    for _try in range(notices.TRIES):
        before = utcnow()
        assert notices.send_due(context) == 0
        pauses.append(row().due_at - before)
        later(due_at=timedelta(hours=1))
    assert row().state == notices.FAILED
    assert pauses[:-1] == sorted(pauses[:-1])
    assert pauses[0] < timedelta(minutes=2) < pauses[-2]
    carrier.says = ACCEPTED
    assert notices.send_due(context) == 0


def test_nothing_is_sent_after_its_time(context, carrier):
    say(lasts=timedelta(hours=1))
    later(not_after=timedelta(hours=2))
    assert notices.send_due(context) == 0
    assert (row().state, carrier.taken) == (notices.FAILED, [])


@pytest.mark.parametrize(("says", "unsure", "state"), [(INVALID, False, "failed"), (FAILED, False, "failed"),
                                                      (RETRY, True, "doubtful"), (RuntimeError("+86"), True, "doubtful")])
def test_what_the_carrier_says_is_told_apart(context, carrier, says, unsure, state, caplog):
    carrier.says, carrier.unsure = says, unsure
    say(lasts=timedelta(seconds=20))  # too short for another try
    notices.send_due(context)
    assert row().state == state
    assert "+86" not in caplog.text


def test_who_stops_in_answer_to_a_notice_gets_no_more_of_them(context, carrier):
    carrier.says = OPTED_OUT
    say("a.1")
    notices.send_due(context)
    assert row("a.1").state == "failed"
    carrier.says = ACCEPTED
    say("a.2")
    say("a.3", number="+8612900000042")
    notices.send_due(context)
    assert (row("a.2").state, row("a.3").state) == ("failed", "sent")
    assert [number for number, _body in carrier.taken] == ["+8612900000042"]


def test_a_process_that_dies_in_the_middle_leaves_a_claim_that_runs_out(context, carrier):
    class Died(BaseException):
        """As a kill: nothing is written any more."""

    say()
    carrier.says = Died()
    with pytest.raises(Died):
        notices.send_due(context)
    carrier.says = ACCEPTED
    assert notices.send_due(context) == 0, "somebody may still be at it"
    later(due_at=notices.LEASE)
    assert notices.send_due(context) == 1
    say(ref="a.2")
    with transaction() as session:  # killed at the last try: it is over, and it may have arrived
        session.execute(select(SmsNotice).where(SmsNotice.ref == "a.2")).scalar_one().tries = notices.TRIES
    assert notices.send_due(context) == 0
    assert row("a.2").state == notices.DOUBTFUL


def test_two_schedulers_send_nothing_twice(make_app):
    apps, carrier = [make_app(), make_app()], Carrier()
    with apps[0].app_context():
        for n in range(60):
            say(ref=f"n.{n}", body=f"To {n % 3}", number=f"+86129000001{n:02}")
    for app in apps:
        app.extensions["sms_aside"] = carrier
    threads = [threading.Thread(target=notices.send_due, args=(app,)) for app in apps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(carrier.taken) == len(set(carrier.taken)) == 60


def test_what_was_withdrawn_is_not_sent_and_can_be_said_later(context, carrier):
    for ref in ("a.1", "a.10", "a.2", "a_1"):
        say(ref)
    with transaction() as session:
        notices.withdraw(session, "a.1")
        notices.withdraw(session, "a_")  # no sign stands for another
    assert notices.send_due(context) == 1
    assert say("a.1")


def test_what_is_withdrawn_while_the_carrier_has_it_costs_the_others_nothing(make_app, database_url):
    """Somebody calls a session off just when its reminders are on their way: the answers for all others are written down."""
    app, has_it, answers = make_app(), threading.Event(), threading.Event()

    class Slow(Carrier):
        def send(self, body, messages, **more):
            has_it.set()
            assert answers.wait(60)
            super().send(body, messages, **more)

    app.extensions["sms_aside"] = Slow()
    taken = []
    sender = threading.Thread(target=lambda: taken.append(notices.send_due(app)))
    with app.app_context():
        for ref in ("a.1", "a.2", "b.1"):
            say(ref)
        sender.start()
        assert has_it.wait(60)
        with transaction() as session:
            notices.withdraw(session, "a.")
            answers.set()
            waiting.until_somebody_waits_for_a_lock(database_url)
        sender.join(60)
        assert taken == [3]
        assert row("b.1").state == notices.SENT
        assert db.session.execute(select(func.count()).select_from(SmsNotice)).scalar_one() == 1


def test_old_rows_go_and_long_texts_are_refused(context, carrier):
    say()
    notices.send_due(context)
    later(ended_at=notices.KEPT + timedelta(days=1))
    notices.send_due(context)
    assert db.session.execute(select(func.count()).select_from(SmsNotice)).scalar_one() == 0
    with transaction() as session, pytest.raises(ValueError, match="too long"):
        notices.queue(session, "x", b"", "长" * 700, utcnow())


def test_the_scheduler_sends_by_itself_in_a_thread_of_its_own(context, carrier):
    say()
    job = make_scheduler(context, lambda: None).get_job("notices")
    job.func()
    assert row().state == notices.SENT
    assert job.executor == "notices"


def test_every_job_has_threads_that_run_it(context):
    jobs = make_scheduler(context, lambda: None).get_jobs()
    assert {job.executor for job in jobs} <= {"default", *OWN_THREADS}, "the others would never run"
