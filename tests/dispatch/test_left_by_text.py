"""Who writes that they leave is not told any more, not even by what is planned already."""

from __future__ import annotations

from sqlalchemy import select

from portal.channels.sms import inbound
from portal.channels.sms.models import SandboxMessage
from portal.channels.sms.provider import Inbound
from portal.core.db import db
from portal.dispatch.models import Batch, Outcome
from portal.dispatch.recipients import unpack
from tests import district
from tests.dispatch.conftest import dispatch_of

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
    outcomes = dict(db.session.execute(select(Outcome.recipient_id, Outcome.status)).all())
    assert {number for number, i in ids.items() if outcomes[i] == "opted_out"} == set(leaving)
    told = db.session.execute(select(SandboxMessage.tail)).scalars().all()
    assert sorted(told) == sorted(number[-4:] for number in NUMBERS if number not in leaving), "their phones stay silent"
