"""The whole way over SMPP: issued, accepted, delivered, counted; and a phone that leaves."""

from __future__ import annotations

from collections import Counter

import pytest
from sqlalchemy import func, select

from portal.channels.sms.lines import smpp_line
from portal.channels.sms.lines.options import Ears
from portal.core.db import db
from portal.dispatch import receipts, tallies
from portal.dispatch.brought import ears
from portal.dispatch.models import Batch, Delivery, StrayReceipt, Tally
from tests import district
from tests.dispatch.conftest import dispatch_of, issued, workshop  # noqa: F401  (fixtures)
from tests.dispatch.offices import ToldLine
from tests.ends import ends
from tests.sms.smpp.conftest import options_for
from tests.waiting import until

NUMBERS = [f"+8613800000{n:03}" for n in range(1, 31)]
TARGET = {"regions": [district.LIULIAN], "area": None, "audiences": [], "channels": ["sms"]}


@pytest.fixture
def line(context, smsc, monkeypatch):
    monkeypatch.setattr(smpp_line, "FIRST_PAUSE", 0.05)
    return smpp_line.SmppLine(options_for(smsc), Ears(**ears(context)))


def tally(bulletin, prefix: str) -> dict[str, int]:
    db.session.rollback()
    rows = db.session.execute(select(Tally.key, func.sum(Tally.n)).where(
        Tally.dispatch_id == dispatch_of(bulletin).id).group_by(Tally.key))
    return {key.removeprefix(prefix): int(n) for key, n in rows if key.startswith(prefix) and n}


def outcomes() -> list[tuple[str, str, str]]:
    """Of text messages: status, carrier, the carrier's number."""
    return [(one.status, one.carrier, one.carrier_id) for one in ends(Batch.channel == "sms")]


def fold() -> int:
    while receipts.fold():
        pass
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(Delivery)) or 0


@pytest.mark.parametrize("early", [False, True])
def test_a_warning_is_accepted_delivered_and_counted_by_the_carriers_own_numbers(workshop, issued, line, smsc, early):  # noqa: F811
    for number in NUMBERS:
        district.subscriber(number, district.LIULIAN)
    gone = {number[1:]: "UNDELIV" for number in NUMBERS[:3]}
    smsc.faults(receipt_stat=gone, receipt_err="011", receipt_early=early, receipt_twice=True)
    workshop.over(line)
    bulletin = issued(target=TARGET)
    workshop.finish()
    until(lambda: fold() == len(NUMBERS), "every receipt is folded")

    parts = Counter((m["to"], *(m["udh"] or ())[-2:]) for m in smsc.taken())
    assert {to for to, *_part in parts} == {number[1:] for number in NUMBERS}
    assert set(parts.values()) == {1}
    rows = outcomes()
    assert {(status, carrier) for status, carrier, _id in rows} == {("accepted", "carrier-b")}
    assert {carrier_id for *_rest, carrier_id in rows} == {m["id"] for m in smsc.taken() if m["registered"]}
    assert tally(bulletin, tallies.STAGE) == {"delivered": 27, "undelivered": 3}
    assert tally(bulletin, tallies.REASON) == {"undelivered:UNDELIV.011": 3}
    assert db.session.scalar(select(func.count()).select_from(StrayReceipt)) == 0


def test_what_a_lost_carrier_did_not_take_goes_over_another_and_nobody_is_left_out(workshop, issued, line, smsc):  # noqa: F811
    for number in NUMBERS:
        district.subscriber(number, district.LIULIAN)
    smsc.faults(system_error=1.0)
    other = ToldLine(name="carrier-a")
    workshop.over(line, other)
    issued(target=TARGET)
    workshop.finish()
    assert sorted(other.taken) == NUMBERS
    assert smsc.taken() == []
    assert {(status, carrier) for status, carrier, _id in outcomes()} == {("accepted", "carrier-a")}


def test_a_phone_that_writes_to_the_carrier_leaves_and_is_told_so(workshop, issued, line, smsc):  # noqa: F811
    for number in NUMBERS[:3]:
        district.subscriber(number, district.LIULIAN)
    workshop.over(line)
    smsc.do("write", **{"from": NUMBERS[0], "body": "退订", "coding": 8})
    (answer,) = until(smsc.taken, "the answer has gone to the phone")
    assert answer["to"] == NUMBERS[0][1:]
    assert answer["body"].startswith("【")
    assert "退订" in answer["body"]
    issued(target=TARGET)
    workshop.finish()
    assert sorted({m["to"] for m in smsc.taken()[1:]}) == [number[1:] for number in NUMBERS[1:3]]
