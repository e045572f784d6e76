"""Who writes from a simple phone is told, in the language of their text; who leaves is not told any more, not even by what is
planned already."""

from __future__ import annotations

from sqlalchemy import select

from portal.channels.sms import inbound
from portal.channels.sms.models import SandboxMessage, SandboxText
from portal.channels.sms.provider import Inbound
from portal.core.db import db
from portal.dispatch.models import Batch
from portal.dispatch.recipients import unpack
from tests import district
from tests.dispatch.conftest import dispatch_of
from tests.ends import ends

NUMBERS = [f"+8612900000{n:03d}" for n in range(1, 8)]


def test_a_stop_holds_for_batches_that_are_already_planned(workshop, issued):
    ids = {number: district.subscriber(number, district.LIULIAN) for number in NUMBERS}
    bulletin = issued(target={"regions": [district.LIULIAN], "area": None, "audiences": [], "channels": ["sms"]})
    workshop.plan_all()
    packed = db.session.execute(select(Batch.recipients).where(Batch.dispatch_id == dispatch_of(bulletin).id)).scalars()
    assert sorted(i for batch in packed for i in unpack(batch)) == sorted(ids.values()), "all of them wait in a batch"
    leaving = {"+8612900000002": "ＴＤ", "+8612900000003": "退訂", "+8612900000005": "Stop"}
    for number, body in leaving.items():
        assert inbound.receive("sandbox", Inbound(f"left {number}", number, body))
    workshop.finish()
    outcomes = {one.recipient_id: one.status for one in ends()}
    assert {number for number, i in ids.items() if outcomes[i] == "opted_out"} == set(leaving)
    told = db.session.execute(select(SandboxMessage.tail)).scalars().all()
    assert sorted(told) == sorted(number[-4:] for number in NUMBERS if number not in leaving), "their phones stay silent"


def test_a_simple_phone_is_told_of_warnings_until_it_writes_that_it_leaves(workshop, issued):
    for number, body in (("+8612900000011", "訂閱六聯"), ("+8612900000022", "SUB Liulian")):
        assert inbound.receive("sandbox", Inbound(f"in {number}", number, body))
    issued(target={"regions": [district.LIULIAN], "area": None, "audiences": [], "channels": ["sms"]})
    workshop.finish()
    assert sorted(texts()) == [("0011", "zh"), ("0022", "en")]
    assert inbound.receive("sandbox", Inbound("out", "+8612900000011", "退訂"))
    issued(target={"regions": [district.LIULIAN], "area": None, "audiences": [], "channels": ["sms"]})
    workshop.finish()
    assert sorted(texts()) == [("0011", "zh"), ("0022", "en"), ("0022", "en")]


def texts() -> list[tuple[str, str]]:
    """The end of each number that got a text, and the text's language."""
    query = select(SandboxMessage.tail, SandboxText.language).join(SandboxText, SandboxText.id == SandboxMessage.text_id)
    return [tuple(row) for row in db.session.execute(query)]
