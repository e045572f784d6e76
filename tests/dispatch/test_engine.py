"""Sending: urgent first, nothing late, nothing lost, and every end is counted."""

import hashlib
import itertools
from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from portal.channels.sms.lines.registry import make_lines
from portal.channels.sms.provider import ACCEPTED, RETRY
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.core.errors import Conflict, Forbidden
from portal.dispatch import lease, plan, progress, receipts, stop, tallies
from portal.dispatch.bulk import books
from portal.dispatch.models import Batch, Delivery, Dispatch, OutcomePage, Tally
from portal.identity.rights import APPROVER, DRAFTER
from portal.subscribers import store
from portal.warnings import bulletins
from portal.warnings.models import CANCEL
from tests import district
from tests.dispatch.conftest import dispatch_of
from tests.dispatch.offices import ToldLine
from tests.ends import ends
from tests.sms.conftest import carrier, carrier_process, twilio_settings  # noqa: F401  (fixtures)


def counts(bulletin, channel="sms"):
    district.forget()
    return next(p for p in progress.of_bulletin(bulletin.id) if p.dispatch.channel == channel)


def recounted(bulletin):
    """The same from the outcomes themselves."""
    return Counter(one.status for one in ends(Batch.dispatch_id == dispatch_of(bulletin).id))


def test_a_warning_is_sent_once_to_everybody_and_the_page_is_published(workshop, issued):
    district.subscribers(800)
    bulletin = issued()
    workshop.finish()
    found = counts(bulletin)
    assert found.ends == {"accepted": found.planned} == dict(recounted(bulletin))
    assert found.pending == 0
    assert found.dispatch.state == "done"
    assert sum(found.stages.values()) == found.planned
    assert found.silent == 0
    assert workshop.published == 1


def test_red_overtakes_a_blue_that_is_running_within_one_batch(make_app):
    app = make_app(batch_size=20)
    with app.app_context():
        from portal.dispatch.issue import issue
        from tests.dispatch.conftest import Workshop

        district.settle_regions()
        district.subscribers(600)
        workshop, author, boss = Workshop(), district.drafter(), district.approver()

        def make(**changes):
            draft = district.submitted(author, **changes)
            return issue(boss, draft.id, version=draft.version, content_hash=draft.content_hash)

        blue = make(hazard="11B01", tier="blue")
        workshop.plan_all()
        workshop.send_one()
        drill = make(exercise=True)
        red = make()
        workshop.plan_all()
        claimed = lease.claim("sms", "test")
        assert claimed.bulletin_id == red.id
        lease.give_back(claimed)
        workshop.finish()
        for bulletin in (blue, drill, red):
            assert counts(bulletin).ends["accepted"] == counts(bulletin).planned > 0
        workshop.close()
        order = list(db.session.scalars(
            select(Batch.dispatch_id).join(OutcomePage, OutcomePage.batch_id == Batch.id).where(Batch.channel == "sms")
            .order_by(OutcomePage.at)))
        kinds = [k for k, _ in itertools.groupby(order)]
        assert kinds == [dispatch_of(b).id for b in (blue, red, blue, drill)]


def test_a_worker_that_lost_its_lease_writes_nothing_more(workshop, issued):
    district.subscribers(300)
    bulletin = issued()
    workshop.plan_all()
    slow = lease.claim("sms", "slow")
    workshop.due_now()
    quick = lease.claim("sms", "quick")
    assert quick.batch_id == slow.batch_id
    late = [lease.Ended(int(slow.pending[0]), "accepted")]
    with pytest.raises(lease.LeaseLost):
        lease.record(slow, late)
    with pytest.raises(lease.LeaseLost):
        lease.finish(slow, late, left=0, retry_after=None, error="")
    assert not lease.renew(slow)
    assert lease.renew(quick)
    assert recounted(bulletin) == {}


def test_what_was_written_before_a_crash_is_not_sent_again(workshop, issued):
    district.subscribers(300)
    bulletin = issued()
    workshop.plan_all()
    held = lease.claim("sms", "crashing")
    lease.record(held, [lease.Ended(int(i), "accepted") for i in held.pending[:5]])
    workshop.due_now()
    again = lease.claim("sms", "next")
    assert again.batch_id == held.batch_id
    assert set(again.pending.tolist()) == set(held.pending[5:].tolist())
    lease.give_back(again)
    workshop.finish()
    assert counts(bulletin).ends == {"accepted": counts(bulletin).planned}


def test_nothing_is_sent_after_expiry_and_the_rest_is_shown_as_expired(workshop, issued):
    district.subscribers(300)
    bulletin = issued()
    workshop.plan_all()
    workshop.send_one()
    with transaction() as session:
        session.execute(update(Dispatch).values(expires_at=utcnow() - timedelta(seconds=1)))
    assert lease.claim("sms", "test") is None
    assert stop.sweep() == 0
    found = counts(bulletin)
    assert found.dispatch.state == "expired"
    assert found.ends["expired"] == found.planned - found.ends["accepted"] > 0
    assert found.pending == 0


def test_stopping_ends_what_is_unsent_and_needs_an_approver(workshop, issued):
    district.subscribers(300)
    bulletin = issued()
    workshop.plan_all()
    workshop.send_one()
    dispatch_id = dispatch_of(bulletin).id
    with pytest.raises(Forbidden):
        stop.stop(district.office("writer", (DRAFTER, district.DISTRICT, "red")), dispatch_id)
    with pytest.raises(Forbidden):
        stop.stop(district.office("street", (APPROVER, district.PINGSHAN, "red")), dispatch_id)
    boss = district.office("boss", (APPROVER, district.DISTRICT, "red"))
    stop.stop(boss, dispatch_id)
    workshop.finish()
    found = counts(bulletin)
    assert found.ends["stopped"] == found.planned - found.ends["accepted"] > 0
    assert found.dispatch.stopped_by == "boss office"
    with pytest.raises(Conflict):
        stop.stop(boss, dispatch_id)


def test_an_opt_out_counts_up_to_the_moment_of_sending(workshop, issued):
    district.subscribers(300)
    bulletin = issued()
    workshop.plan_all()
    first = db.session.execute(select(Batch).where(Batch.dispatch_id == dispatch_of(bulletin).id)).scalars().first()
    from portal.dispatch.recipients import unpack

    gone = int(unpack(first.recipients)[0])
    store.opt_out(gone, source="test")
    workshop.finish()
    assert counts(bulletin).ends["opted_out"] == 1
    assert [one.status for one in ends(Batch.id == first.id) if one.recipient_id == gone] == ["opted_out"]


@pytest.fixture
def over_http(workshop, carrier, make_settings):  # noqa: F811
    """The workshop with the fake carrier at the end of a line."""
    workshop.over(*make_lines(twilio_settings(carrier.url, twilio_timeout=30)))
    return carrier


def test_a_carrier_that_is_down_loses_and_doubles_nobody(workshop, issued, over_http):
    district.subscribers(300)
    bulletin = issued()
    workshop.plan_all()
    over_http.faults(server_error=1.0)
    workshop.send_one()
    assert counts(bulletin).ends == {}
    assert counts(bulletin).dispatch.last_error
    over_http.faults(server_error=0.0)
    workshop.due_now()
    workshop.finish()
    found = counts(bulletin)
    assert found.ends == {"accepted": found.planned}
    taken = [m["to"] for m in over_http.messages()]
    assert len(taken) == len(set(taken)) == found.planned


def test_the_carriers_opt_outs_and_dead_numbers_are_mirrored(workshop, issued, over_http):
    ids = {n: district.subscriber(f"+861290000000{n}", district.LIULIAN) for n in range(4)}
    over_http.faults(opted_out=["+8612900000001"], invalid=["+8612900000002"])
    bulletin = issued()
    workshop.finish()
    assert counts(bulletin).ends == {"accepted": 2, "opted_out": 1, "invalid": 1}
    assert set(store.phones(ids.values())) == {ids[0], ids[3]}
    again = issued()
    workshop.finish()
    assert counts(again).planned == 2


def test_what_was_left_unsent_is_known_by_audience_when_all_has_come_to_an_end(workshop, issued):
    for n in range(60):
        district.subscriber(f"+86139000010{n:02d}", district.LIULIAN, audiences=(1, 2, 3)[n % 3])
    bulletin = issued()
    workshop.plan_all()
    workshop.over(ToldLine(lambda to, ref: (ACCEPTED, "", "", False) if to.endswith("0") else (RETRY, "30001", "", False)))
    workshop.send_one()
    clear = issued(kind=CANCEL, warning_id=bulletin.warning_id)
    workshop.finish()
    found = progress.by_audience(dispatch_of(bulletin).id)
    assert {name for name, by_key in found.items() if any(by_key.values())} == {"residents", "schools"}
    for by_key in found.values():
        assert by_key.get("planned", 0) == sum(by_key.get(key, 0) for key in tallies.ENDS)
    assert counts(bulletin).ends == {"accepted": 6, "stopped": 54}
    assert counts(clear).ends == {"accepted": 6}


def test_a_fault_of_our_own_does_not_end_a_warning(workshop, issued):
    district.speakers(district.LIULIAN, district.LIULIAN)
    bulletin = issued()
    workshop.plan_all()

    class Broken:
        def deliver(self, job, bulletin, *, report, halted):
            report(lease.Ended(int(job.pending[0]), "accepted"))
            raise RuntimeError("a defect")

    class Good:
        def deliver(self, job, bulletin, *, report, halted):
            for recipient in job.pending.tolist():
                report(lease.Ended(recipient, "accepted"))

    workshop.channels["speakers"] = Broken()
    workshop.send_one("speakers")
    assert counts(bulletin, "speakers").ends == {"accepted": 1}
    assert "internal" in counts(bulletin, "speakers").dispatch.last_error
    workshop.channels["speakers"] = Good()
    workshop.due_now()
    workshop.finish()
    assert counts(bulletin, "speakers").ends == {"accepted": counts(bulletin, "speakers").planned}


def test_numbers_that_cannot_be_opened_end_no_warning(workshop, issued, monkeypatch):
    district.subscribers(100)
    bulletin = issued()
    workshop.plan_all()
    with monkeypatch.context() as patch:
        def broken(*_what):
            raise RuntimeError("stored phone numbers cannot be opened")

        patch.setattr(books, "contacts", broken)
        with pytest.raises(RuntimeError):
            workshop.send_one()
    assert "internal" in counts(bulletin).dispatch.last_error
    workshop.due_now()
    workshop.finish()
    assert counts(bulletin).ends == {"accepted": counts(bulletin).planned}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_receipts_count_the_furthest_stage_in_any_order_and_doubled(workshop, data):
    """Folding any stream of receipts equals taking the furthest of each message."""
    with transaction() as session:
        for table in (Delivery, Tally, OutcomePage, Batch):
            session.execute(table.__table__.delete())
        from portal.dispatch.recipients import pack

        dispatch_id = plan.uuid.uuid4()
        _dispatch(session, dispatch_id)
        batch = Batch(
            dispatch_id=dispatch_id,
            channel="sms",
            lane=0,
            region_code=district.LIULIAN,
            language="zh",
            size=4,
            recipients=pack(range(4)),
            state="done",
            due_at=utcnow(),
        )
        session.add(batch)
        session.flush()
        batch_id = batch.id
    stream = data.draw(
        st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["sent", "delivered", "undelivered"])), max_size=25)
    )
    cut = data.draw(st.integers(0, len(stream)))
    for part in (stream[:cut], stream[cut:]):
        receipts.record_many([(batch_id, who, status, "30003" if status == "undelivered" else "") for who, status in part])
        while receipts.fold():
            pass
    furthest = {}
    for who, status in stream:
        if who not in furthest or receipts.RANK[status] > receipts.RANK[furthest[who]]:
            furthest[who] = status
    tallied = dict(db.session.execute(select(Tally.key, Tally.n).where(Tally.dispatch_id == dispatch_id)).all())
    stages = {k.removeprefix(tallies.STAGE): n for k, n in tallied.items() if k.startswith(tallies.STAGE) and n}
    assert stages == dict(Counter(furthest.values()))
    reasons = {k: n for k, n in tallied.items() if k.startswith(tallies.REASON) and n}
    assert sum(reasons.values()) == sum(s == "undelivered" for s in furthest.values())


def _dispatch(session, dispatch_id):
    from portal.core.db import uuid7
    from portal.warnings.models import Bulletin

    bulletin = Bulletin(
        warning_id=uuid7(),
        warning_number="x",
        position=1,
        kind="alert",
        exercise=False,
        identifier=str(uuid7()),
        sender="s",
        hazard="11B03",
        tier="red",
        region_codes=[],
        audiences=[],
        sent_at=utcnow(),
        onset=utcnow(),
        expires=utcnow(),
        snapshot={},
        draft_hash="",
        cap=b"",
        cap_sha256="",
    )
    session.add(bulletin)
    session.flush()
    session.add(
        Dispatch(
            id=dispatch_id,
            bulletin_id=bulletin.id,
            warning_id=bulletin.warning_id,
            channel="sms",
            exercise=False,
            lane=0,
            state="done",
            created_at=utcnow(),
            expires_at=utcnow(),
        )
    )
    session.flush()


def test_the_bytes_that_were_approved_are_kept_and_others_are_found(workshop, issued):
    bulletin = issued()
    workshop.finish()
    district.forget()
    assert list(bulletins.altered(db.session)) == []
    other = bulletin.cap.replace(b"Extreme", b"Minor")
    with transaction() as session:  # by somebody who also knows of the hash beside the bytes
        row = bulletins.get(bulletin.id)
        row.cap, row.cap_sha256 = other, hashlib.sha256(other).hexdigest()
        session.flush()
    assert [bulletin.identifier in found for found in bulletins.altered(db.session)] == [True]
