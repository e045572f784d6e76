"""Receipts become deliveries and counts: in any order, before the outcome that they belong to, doubled, or of nothing of ours."""

from __future__ import annotations

import uuid
from collections import Counter
from datetime import timedelta

import pytest
from flask import current_app
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, insert, select, update

from portal.core.clock import utcnow
from portal.core.db import db, transaction, uuid7
from portal.dispatch import receipts, tallies
from portal.dispatch.models import (
    BATCH_DONE,
    READY,
    Batch,
    Carried,
    Delivery,
    Dispatch,
    OutcomePage,
    Receipt,
    StrayReceipt,
    Tally,
)
from portal.dispatch.recipients import pack
from portal.warnings.models import Bulletin
from tests import district
from tests.ends import ends, put

PEOPLE, MASKS = range(1, 7), {1: 1, 2: 3, 3: 2, 4: 0, 5: 5, 6: 1}


class Bench:
    """One dispatch with one batch of six people, and what was folded."""

    def __init__(self, state: str = READY) -> None:
        district.forget()
        with transaction() as session:
            for table in (Delivery, Tally, OutcomePage, Carried, Receipt, StrayReceipt, Batch):
                session.execute(table.__table__.delete())
            self.dispatch = uuid7()
            _dispatch(session, self.dispatch)
            batch = Batch(dispatch_id=self.dispatch, channel="sms", lane=0, region_code=district.LIULIAN, language="zh",
                          size=len(PEOPLE), recipients=pack(PEOPLE), state=state, due_at=utcnow())
            session.add(batch)
            session.flush()
            self.batch = batch.id

    def say(self, who: int, status: str, code: str = "") -> None:
        receipts.record_many([(self.batch, who, status, code)])

    def record(self, *people: int, status: str = "accepted") -> None:
        """The hand-overs of these people are recorded."""
        with transaction() as session:
            put(session, self.batch, *((i, status, "", f"n{i}", "smpp", MASKS[i]) for i in people))

    def number(self, *people: int) -> None:
        with transaction() as session:
            session.execute(insert(Carried), [
                {"carrier": "smpp", "carrier_id": f"n{i}", "batch_id": self.batch, "recipient_id": i, "at": utcnow()}
                for i in people])

    def close(self) -> None:
        with transaction() as session:
            session.execute(update(Batch).values(state=BATCH_DONE))

    def fold(self) -> int:
        done = 0
        while folded := receipts.fold():
            done += folded
        return done

    def stages(self) -> dict[tuple[str, int], int]:
        """(stage, audiences) → how many."""
        return self._tally(tallies.STAGE)

    def reasons(self) -> dict[tuple[str, int], int]:
        return self._tally(tallies.REASON)

    def _tally(self, prefix: str) -> dict[tuple[str, int], int]:
        rows = db.session.execute(select(Tally.key, Tally.audiences, func.sum(Tally.n)).where(
            Tally.dispatch_id == self.dispatch).group_by(Tally.key, Tally.audiences))
        return {(key.removeprefix(prefix), mask): int(n) for key, mask, n in rows if key.startswith(prefix) and n}

    def count(self, table: type) -> int:
        return db.session.scalar(select(func.count()).select_from(table)) or 0


def _dispatch(session, dispatch_id: uuid.UUID) -> None:
    now = utcnow()
    bulletin = Bulletin(
        warning_id=uuid7(), warning_number="x", position=1, kind="alert", exercise=False, identifier=str(uuid7()), sender="s",
        hazard="11B03", tier="red", region_codes=[], audiences=[], sent_at=now, onset=now, expires=now, snapshot={},
        draft_hash="", cap=b"", cap_sha256="")
    session.add(bulletin)
    session.flush()
    session.add(Dispatch(id=dispatch_id, bulletin_id=bulletin.id, warning_id=bulletin.warning_id, channel="sms", exercise=False,
                         lane=0, state="running", created_at=now, expires_at=now))
    session.flush()


@pytest.fixture
def bench(context) -> Bench:
    return Bench()


said = st.one_of(
    st.tuples(st.just("say"), st.sampled_from(PEOPLE), st.sampled_from(["sent", "delivered", "undelivered", "failed"])),
    st.tuples(st.just("numbered"), st.sampled_from(PEOPLE), st.sampled_from(["sent", "delivered", "undelivered"])),
    st.tuples(st.just("nobody's"), st.sampled_from([99, 100]), st.sampled_from(["sent", "delivered"])),
    st.tuples(st.just("record"), st.sampled_from(PEOPLE), st.just("")),
    st.tuples(st.just("number"), st.sampled_from(PEOPLE), st.just("")),
    st.tuples(st.just("fold"), st.just(0), st.just("")),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=st.lists(said, max_size=20))
def test_every_message_counts_once_with_its_furthest_stage_in_whatever_order_all_was_told(context, story):
    bench, recorded, numbered = Bench(), set(), set()
    furthest: dict[int, str] = {}
    strays = 0
    for what, who, status in story:
        code = "30003" if status in ("undelivered", "failed") else ""
        if what == "say":
            bench.say(who, status, code)
        elif what == "numbered":
            receipts.record_numbered([("smpp", f"n{who}", status, code)])
        elif what == "nobody's":
            bench.say(who, status)
            strays += 1
        elif what == "record" and who not in recorded:
            bench.record(who)
            recorded.add(who)
        elif what == "number" and who not in numbered:
            bench.number(who)
            numbered.add(who)
        elif what == "fold":
            bench.fold()
            assert set(db.session.execute(select(Delivery.recipient_id)).scalars()) <= recorded, "it waits for the outcome"
        if what in ("say", "numbered") and (who not in furthest or receipts.RANK[status] > receipts.RANK[furthest[who]]):
            furthest[who] = status
    bench.record(*(set(PEOPLE) - recorded))
    if missing := set(PEOPLE) - numbered:
        bench.number(*missing)
    bench.close()
    bench.fold()
    found = dict(db.session.execute(select(Delivery.recipient_id, Delivery.status)).all())
    ranks = {who: receipts.RANK[status] for who, status in found.items()}
    assert ranks == {who: receipts.RANK[status] for who, status in furthest.items()}
    assert bench.stages() == dict(Counter((found[who], MASKS[who]) for who in found))
    assert sum(bench.reasons().values()) == sum(status in ("undelivered", "failed") for status in found.values())
    assert bench.count(StrayReceipt) == strays
    assert bench.count(Receipt) == 0


def test_those_that_wait_for_their_outcome_hold_nobody_up(bench, monkeypatch):
    monkeypatch.setattr(receipts, "_PAGE", 3)
    for _ in range(4):
        for who in (1, 2):
            bench.say(who, "sent")
    bench.record(3)
    bench.say(3, "delivered")
    assert bench.fold() == 1
    assert bench.stages() == {("delivered", 2): 1}
    assert receipts.waiting()[0] == 8
    bench.record(1, 2)
    assert bench.fold() == 0, "so many are not looked through again at once"
    current_app.extensions["receipts_round"].again_at = 0.0
    assert bench.fold() == 8
    assert bench.stages() == {("delivered", 2): 1, ("sent", 1): 1, ("sent", 3): 1}
    assert receipts.waiting() == (0, 0.0)


def test_many_are_folded_at_once_and_the_caller_is_told_to_call_again(bench, monkeypatch):
    monkeypatch.setattr(receipts, "_PAGE", 10)
    monkeypatch.setattr(receipts, "FOLD_LIMIT", 20)
    bench.record(*PEOPLE)
    receipts.record_many([(bench.batch, who, "sent", "") for who in PEOPLE for _ in range(6)])
    assert [receipts.fold(), receipts.fold(), receipts.fold()] == [20, 16, 0]
    assert sum(bench.stages().values()) == len(PEOPLE)


def test_what_failed_on_the_way_is_told_apart_from_what_the_carrier_refused(bench):
    bench.record(1, 2)
    bench.say(1, "failed", "30008")
    bench.say(2, "undelivered", "30003")
    bench.fold()
    assert bench.reasons() == {(f"{receipts.FAILED_LATER}:30008", 1): 1, ("undelivered:30003", 3): 1}
    bench.say(1, "delivered")
    bench.fold()
    assert bench.reasons() == {("undelivered:30003", 3): 1}
    assert bench.stages() == {("delivered", 1): 1, ("undelivered", 3): 1}


def test_a_batch_that_ended_without_an_outcome_takes_the_receipts_of_its_own_people_alone(bench):
    bench.close()
    bench.say(1, "delivered")
    bench.say(99, "delivered")
    bench.fold()
    assert bench.stages() == {("delivered", 0): 1}
    assert bench.count(StrayReceipt) == 1


@pytest.mark.parametrize("ended", ["stopped", "expired"])
def test_who_counts_as_never_sent_and_of_whom_the_carrier_reports_counts_as_uncertain(bench, ended):
    """So that an all-clear reaches them too."""
    bench.close()
    with transaction() as session:
        session.execute(update(Dispatch).values(state=ended))
        tallies.add(session, bench.dispatch, Counter({(district.LIULIAN, "zh", ended, 0): len(PEOPLE)}))
    receipts.record_many([(bench.batch, 1, "sent", "", "twilio", "SM1"), (bench.batch, 1, "sent", "", "twilio", "SM1")])
    bench.fold()
    bench.say(1, "delivered")
    bench.say(99, "delivered")
    bench.fold()
    (outcome,) = ends()
    assert (outcome.recipient_id, outcome.status, outcome.carrier, outcome.carrier_id) == (1, "uncertain", "twilio", "SM1")
    counted = {key: n for key, n in db.session.execute(select(Tally.key, Tally.n)) if n and "/" not in key}
    assert counted == {ended: len(PEOPLE) - 1, "uncertain": 1}
    assert bench.stages() == {("delivered", 0): 1}


def test_a_carriers_number_that_nobody_knows_waits_a_while_and_is_then_kept_apart(bench):
    receipts.record_numbered([("smpp", "n77", "undelivered", "30003"), ("smpp", "n1", "delivered", "")])
    assert bench.fold() == 0
    bench.record(1)
    bench.number(1)
    assert bench.fold() == 1
    with transaction() as session:
        session.execute(update(Receipt).values(at=utcnow() - receipts._UNKNOWN_FOR - timedelta(seconds=1)))
    assert bench.fold() == 1
    stray = db.session.execute(select(StrayReceipt)).scalar_one()
    assert (stray.carrier, stray.carrier_id, stray.status, stray.code) == ("smpp", "n77", "undelivered", "30003")
    assert receipts.strays() == 1


def test_another_carriers_same_number_is_another_message(bench):
    bench.record(1)
    bench.number(1)
    receipts.record_numbered([("other", "n1", "delivered", "")])
    assert bench.fold() == 0
    assert bench.stages() == {}


def test_of_what_belongs_nowhere_the_newest_are_kept(bench, monkeypatch):
    monkeypatch.setattr(receipts, "STRAYS_KEPT", 5)
    for n in range(3):
        receipts.record_many([(10**6, 10 * n + m, "sent", "") for m in range(4)])
        bench.fold()
    kept = list(db.session.execute(select(StrayReceipt.recipient_id).order_by(StrayReceipt.id)).scalars())
    assert kept == [13, 20, 21, 22, 23]


@pytest.mark.parametrize("step", ["_write", "_put", "_put_aside", "_delete"])
def test_a_folder_that_is_killed_at_any_step_has_folded_nothing_and_the_next_folds_all_once(bench, monkeypatch, step):
    bench.record(1, 2)
    for who in (1, 2, 99):
        bench.say(who, "delivered")
    real = getattr(receipts, step)

    def killed(*given):
        real(*given)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(receipts, step, killed)
        with pytest.raises(KeyboardInterrupt):
            receipts.fold()
    assert (bench.count(Receipt), bench.count(Delivery), bench.stages()) == (3, 0, {})
    bench.close()
    bench.fold()
    assert bench.stages() == {("delivered", 1): 1, ("delivered", 3): 1}
    assert bench.count(StrayReceipt) == 1


def test_numbers_and_strays_are_forgotten_when_no_receipt_names_them_any_more(bench, monkeypatch):
    monkeypatch.setattr(receipts, "_SWEPT_AT_ONCE", 2)
    bench.number(*PEOPLE)
    receipts.record_many([(10**6, n, "sent", "") for n in range(5)])
    bench.fold()
    with transaction() as session:
        session.execute(update(Carried).where(Carried.recipient_id > 1).values(at=utcnow() - timedelta(days=9)))
        session.execute(update(StrayReceipt).where(StrayReceipt.recipient_id > 1).values(at=utcnow() - timedelta(days=15)))
    receipts.sweep(current_app._get_current_object())
    assert list(db.session.execute(select(Carried.recipient_id)).scalars()) == [1]
    assert sorted(db.session.execute(select(StrayReceipt.recipient_id)).scalars()) == [0, 1]


def test_a_receipt_of_unknown_status_is_left_out_and_the_others_are_kept(bench):
    receipts.record_many([(bench.batch, 1, "x" * 20, ""), (bench.batch, 2, "sent", "a\x00b"), (bench.batch, 3, "sent", "z" * 99)])
    assert list(db.session.execute(select(Receipt.recipient_id, Receipt.code).order_by(Receipt.id)).all()) == [
        (2, "ab"), (3, "z" * 40)]
