"""Bad moments: what is uncertain is treated as sent, locks are never crossed, one bad word stops nothing."""

import threading
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import event, select, update
from sqlalchemy.exc import OperationalError

from portal.channels.sms.lines.registry import make_lines
from portal.channels.speakers.bridge import Answer
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.core.errors import Conflict
from portal.dispatch import deliver, issue, lease, outcomes, plan, progress, receipts, stop
from portal.dispatch.answers import AnswerBox
from portal.dispatch.bulk import books, writer
from portal.dispatch.lease import Ended
from portal.dispatch.models import SPEAKERS, Batch, Delivery, Dispatch, Tally
from portal.dispatch.recipients import unpack
from portal.subscribers.contacts import Contacts, contacts
from portal.warnings.models import CANCEL
from tests import district
from tests.dispatch.conftest import dispatch_of
from tests.dispatch.offices import ToldLine
from tests.sms.conftest import carrier, carrier_process, twilio_settings  # noqa: F401  (fixtures)


def counts(bulletin, channel="sms"):
    district.forget()
    return next(p for p in progress.of_bulletin(bulletin.id) if p.dispatch.channel == channel)


def planned(bulletin, channel="sms"):
    rows = db.session.execute(select(Batch.recipients).where(Batch.dispatch_id == dispatch_of(bulletin, channel).id)).scalars()
    return sorted(int(i) for packed in rows for i in unpack(packed))


class Taken:
    """A channel that takes everything."""

    def deliver(self, lease, bulletin, *, report, halted):
        for recipient in lease.pending.tolist():
            report(Ended(recipient, "accepted"))


def in_thread(app, act):
    """Run `act` beside the test; gives a function that waits for it and hands out what it raised."""
    failed = []

    def run():
        try:
            with app.app_context():
                act()
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()

    def joined():
        thread.join(30)
        assert not thread.is_alive()
        return failed

    return joined


def test_whose_answer_was_lost_at_the_carrier_hears_the_all_clear(workshop, issued, carrier):  # noqa: F811
    """A request that timed out may have been taken: nobody is warned and then left without the all-clear."""
    for n in range(3):
        district.subscriber(f"+861290000000{n}", district.LIULIAN)
    workshop.over(*make_lines(twilio_settings(carrier.url, twilio_timeout=0.3)))
    alert = issued()
    workshop.plan_all()
    carrier.faults(delay_ms=900)
    workshop.send_one()
    assert counts(alert).ends == {}
    carrier.faults(delay_ms=0)
    clear = issued(kind=CANCEL, warning_id=alert.warning_id)
    workshop.finish()
    assert counts(alert).ends == {"uncertain": 3}
    assert planned(clear) == planned(alert)


def test_who_was_never_handed_over_is_stopped_and_hears_nothing(workshop, issued, carrier):  # noqa: F811
    for n in range(3):
        district.subscriber(f"+861290000000{n}", district.LIULIAN)
    workshop.over(*make_lines(twilio_settings(carrier.url, twilio_timeout=30)))
    alert = issued()
    workshop.plan_all()
    carrier.faults(too_many=1.0, retry_after=600)
    workshop.send_one()
    clear = issued(kind=CANCEL, warning_id=alert.warning_id)
    workshop.finish()
    assert counts(alert).ends == {"stopped": 3}
    assert planned(clear) == []


def test_who_was_in_flight_at_a_worker_that_died_stays_uncertain_in_the_next_workers_hands(workshop, issued):
    district.subscribers(400)
    alert = issued()
    workshop.plan_all()
    dead = lease.claim("sms", "dead")
    workshop.due_now()
    heir = lease.claim("sms", "heir")
    assert heir.batch_id == dead.batch_id
    clear = issued(kind=CANCEL, warning_id=alert.warning_id)
    lease.finish(heir, [], left=len(heir.pending), retry_after=None, error="")
    workshop.finish()
    assert counts(alert).ends["uncertain"] == len(dead.pending)
    assert planned(clear) == sorted(dead.pending.tolist())


def test_messages_go_out_in_the_batchs_order_so_that_the_first_are_the_uncertain_ones(workshop, issued, monkeypatch):
    district.subscribers(400)
    issued()
    workshop.plan_all()

    def backwards(*what):
        found = contacts(*what)
        return Contacts(found.ids[::-1], found.numbers[::-1], found.audiences[::-1])

    monkeypatch.setattr(books, "contacts", backwards)
    line = ToldLine()
    workshop.over(line)
    first = db.session.execute(select(Batch).where(Batch.channel == "sms").order_by(Batch.id)).scalars().first()
    workshop.send_one()
    assert [int(ref.rpartition("/")[2]) for ref in line.refs] == unpack(first.recipients).tolist()


def test_the_all_clear_finds_the_warning_although_the_clock_was_set_back(workshop, issued, monkeypatch):
    district.subscribers(300)
    alert = issued()
    workshop.finish()
    with monkeypatch.context() as patch:
        patch.setattr(issue, "utcnow", lambda: utcnow() - timedelta(minutes=2))
        clear = issued(kind=CANCEL, warning_id=alert.warning_id)
    workshop.finish()
    assert planned(clear) == planned(alert) != []


def test_what_was_planned_before_the_clock_was_set_back_is_sent_at_once(workshop, issued, monkeypatch):
    district.subscribers(300)
    alert = issued()
    workshop.plan_all()
    monkeypatch.setattr(lease, "utcnow", lambda: utcnow() - timedelta(hours=1))
    held = lease.claim("sms", "test")
    assert held is not None
    assert held.bulletin_id == alert.id


def test_stopping_while_a_worker_writes_its_outcomes_blocks_neither(workshop, issued, context, monkeypatch):
    district.subscribers(300)
    alert = issued()
    workshop.plan_all()
    held = lease.claim("sms", "busy")
    with transaction() as session:
        session.execute(update(Dispatch).where(Dispatch.id == dispatch_of(alert).id).values(state="stopped"))
    holding, settled, append = threading.Event(), threading.Event(), outcomes.append

    def slowly(*rows):
        holding.set()
        settled.wait(1.5)  # the other one has locked what it wants by now
        append(*rows)

    monkeypatch.setattr(outcomes, "append", slowly)
    joined = in_thread(context, lambda: lease.record(held, [lease.Ended(int(held.pending[0]), "accepted")]))
    assert holding.wait(20)
    assert stop.settle(dispatch_of(alert).id, utcnow()) is False
    settled.set()
    assert joined() == []
    monkeypatch.undo()
    lease.finish(held, [], left=len(held.pending) - 1, retry_after=None, error="")
    workshop.finish()
    assert counts(alert).pending == 0
    assert counts(alert).ends["accepted"] == 1


def test_a_stop_and_an_all_clear_at_the_same_moment_do_not_block_each_other(workshop, issued, context, monkeypatch):
    district.subscribers(100)
    alert = issued()
    boss, dispatch_id = district.approver("other"), dispatch_of(alert).id
    author, second = district.drafter("a2"), district.approver("b2")
    draft = district.submitted(author, kind=CANCEL, warning_id=alert.warning_id)
    reached, halt = threading.Event(), issue.halt_earlier

    def slow(session, bulletin):
        reached.set()
        threading.Event().wait(1.0)
        halt(session, bulletin)

    monkeypatch.setattr(issue, "halt_earlier", slow)
    ids = second.id

    def give():
        from portal.identity.models import Account

        issue.issue(db.session.get(Account, ids), draft.id, version=draft.version, content_hash=draft.content_hash)

    joined = in_thread(context, give)
    assert reached.wait(20)
    with pytest.raises(Conflict):
        stop.stop(boss, dispatch_id)
    assert joined() == []
    assert dispatch_of(alert).state == "stopped"


def test_two_folders_at_once_count_a_message_once(workshop, issued, context, monkeypatch):
    district.subscribers(100)
    alert = issued()
    workshop.plan_all()
    held = lease.claim("sms", "test")
    who = int(held.pending[0])
    lease.record(held, [lease.Ended(who, "accepted")])
    receipts.record_many([(held.batch_id, who, "sent", "")])
    reached, write = threading.Event(), receipts._write

    def slow(*given):
        if not reached.is_set():
            reached.set()
            threading.Event().wait(0.7)
        write(*given)

    monkeypatch.setattr(receipts, "_write", slow)
    joined = in_thread(context, receipts.fold)
    assert reached.wait(20)
    receipts.record_many([(held.batch_id, who, "delivered", "")])
    receipts.fold()
    assert joined() == []
    while receipts.fold():
        pass
    assert counts(alert).stages == {"delivered": 1}
    assert db.session.get(Delivery, (held.batch_id, who)).status == "delivered"


@pytest.mark.parametrize("broken", ["record_many", "going_on"])
def test_a_database_that_fails_for_a_moment_loses_and_doubles_nobody(workshop, issued, carrier, monkeypatch, broken):  # noqa: F811
    for n in range(60):
        district.subscriber(f"+8612900000{n:03d}", district.LIULIAN)
    workshop.over(*make_lines(twilio_settings(carrier.url, twilio_timeout=30)))
    carrier.faults(delay_ms=30)
    alert = issued()
    workshop.plan_all()
    real, failures = getattr(lease, broken), iter([True, True])

    def failing(*given, **more):
        if next(failures, None):
            raise OperationalError("x", {}, Exception("the database has gone away"))
        return real(*given, **more)

    monkeypatch.setattr(lease, broken, failing)
    for pause in ("PULSE", "AGAIN"):
        monkeypatch.setattr(writer, pause, 0.01)
    for _ in range(4):
        workshop.due_now()
        workshop.finish()
    assert counts(alert).ends == {"accepted": 60}
    assert Counter(Counter(m["to"] for m in carrier.messages()).values()) == {1: 60}


def test_results_are_written_although_the_database_is_away_when_the_batch_ends(workshop, issued, monkeypatch):
    district.speakers(district.LIULIAN)
    workshop.channels["speakers"] = Taken()
    alert = issued()
    workshop.plan_all()
    real, failures = lease.finish, iter([True, True])

    def failing(*given, **more):
        if next(failures, None):
            raise OperationalError("x", {}, Exception("the database has gone away"))
        return real(*given, **more)

    monkeypatch.setattr(deliver.leases, "finish", failing)
    monkeypatch.setattr(deliver, "AGAIN", 0.01, raising=False)
    assert workshop.send_one("speakers")
    assert counts(alert, SPEAKERS).ends == {"accepted": 1}


@pytest.mark.parametrize("answer", [("x" * 20, ""), ("heard", "a\x00b")], ids=["unknown status", "NUL"])
def test_one_horns_nonsense_does_not_hold_up_the_others_answers(workshop, issued, answer):
    first, second = district.speakers(district.LIULIAN, district.LIULIAN)
    alert = issued()
    workshop.plan_all()
    box = AnswerBox()
    box.put(Answer(str(alert.id), "horn-0", *answer))
    box.put(Answer(str(alert.id), "horn-1", "heard"))
    assert box.write() == 2
    while receipts.fold():
        pass
    batch = db.session.execute(select(Batch.id).where(Batch.dispatch_id == dispatch_of(alert, SPEAKERS).id)).scalar_one()
    assert db.session.get(Delivery, (batch, second)).status == "heard"
    assert first != second


def test_nothing_of_the_database_is_held_while_a_channel_works(workshop, issued):
    district.subscribers(100)
    district.speakers(district.LIULIAN)
    issued()
    workshop.plan_all()
    open_at = []

    class Bridge:
        name = "mqtt"

        def command(self, command, devices, *, on_result, halted):
            open_at.append(("speakers", db.session.in_transaction()))

    class Web:
        def deliver(self, lease, bulletin, *, report, halted):
            open_at.append(("web", db.session.in_transaction()))

    from portal.dispatch.channels import SpeakerChannel

    workshop.channels = {"web": Web(), "speakers": SpeakerChannel({"mqtt": Bridge()})}
    for channel in workshop.channels:
        assert workshop.send_one(channel)
    assert open_at == [("web", False), ("speakers", False)]


def test_tallies_add_up_after_any_of_it(workshop, issued):
    district.subscribers(300)
    alert = issued()
    workshop.plan_all()
    workshop.send_one()
    clear = issued(kind=CANCEL, warning_id=alert.warning_id)
    workshop.finish()
    for bulletin in (alert, clear):
        found = counts(bulletin)
        assert found.ended == found.planned
        assert plan.waiting_dispatches(db.session) == []
    assert min(db.session.execute(select(Tally.n)).scalars()) >= 0


def test_folding_looks_deliveries_up_by_their_key(workshop, issued):
    """Not by reading the table: it has a row for every message that was ever sent."""
    district.subscribers(100)
    issued()
    workshop.plan_all()
    held, asked = lease.claim("sms", "test"), []
    receipts.record_many([(held.batch_id, int(i), "delivered", "") for i in held.pending])

    def note(_connection, _cursor, statement, parameters, _context, _many):
        if "JOIN delivery" in statement:
            asked.append((statement, parameters))

    event.listen(db.engine, "before_cursor_execute", note)
    receipts.fold()
    event.remove(db.engine, "before_cursor_execute", note)
    assert asked
    if db.engine.dialect.name == "sqlite":
        plans = [row[-1] for s, p in asked for row in db.session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {s}", p)]
        assert {step.split()[0] for step in plans if "delivery" in step} == {"SEARCH"}
