"""The whole way over two carriers: shared out, remembered, and told of the end by whoever told of the beginning."""

from __future__ import annotations

from collections import Counter

import pytest

from portal.channels.sms.lines.line import NOT_TAKEN, OPEN
from portal.dispatch.models import Batch
from portal.warnings.models import CANCEL
from tests import district
from tests.dispatch.conftest import dispatch_of
from tests.dispatch.offices import ToldLine
from tests.ends import ends

AIM = {"regions": [district.PINGSHAN], "area": None, "audiences": [], "channels": ["sms"]}


def carried(bulletin) -> dict[int, str]:
    """Who was told, and over which line."""
    rows = ends(Batch.dispatch_id == dispatch_of(bulletin).id)
    assert {one.status for one in rows} == {"accepted"}
    assert len(rows) == len({one.recipient_id for one in rows})
    return {one.recipient_id: one.carrier for one in rows}


def test_an_all_clear_goes_the_way_of_its_warning(workshop, issued):
    district.subscribers(300)
    east, west = ToldLine(name="east"), ToldLine(name="west")
    workshop.over(east, west)
    alert = issued(target=AIM)
    workshop.finish()
    told = carried(alert)
    shares = Counter(told.values())
    assert min(shares["east"], shares["west"]) > 0.4 * len(told)
    assert (len(east.taken), len(west.taken)) == (shares["east"], shares["west"])
    cancel = issued(kind=CANCEL, warning_id=alert.warning_id, target=AIM)
    workshop.finish()
    assert carried(cancel) == told


def test_an_all_clear_goes_over_another_line_where_that_of_its_warning_is_down(workshop, issued):
    district.subscribers(200)
    east, west = ToldLine(name="east"), ToldLine(name="west")
    workshop.over(east, west)
    alert = issued(target=AIM)
    workshop.finish()
    told = carried(alert)
    assert set(told.values()) == {"east", "west"}
    west.circuit = OPEN
    cancel = issued(kind=CANCEL, warning_id=alert.warning_id, target=AIM)
    workshop.finish()
    assert carried(cancel) == dict.fromkeys(told, "east")


@pytest.mark.parametrize("share", [2, 1])
def test_what_one_line_does_not_take_goes_over_the_other_at_once_and_counts_once(workshop, issued, share):
    district.subscribers(200)
    refused = []

    def says(to: str, ref: str):
        refused.append(ref)
        if len(refused) % share == 0:
            return NOT_TAKEN, "20429", "", False
        return "accepted", "", f"N{ref}", False

    good, busy = ToldLine(name="good"), ToldLine(says, name="busy")
    workshop.over(good, busy)
    alert = issued(target=AIM)
    workshop.finish()
    told = carried(alert)
    assert len(set(good.taken) | set(busy.taken)) == len(told) > 50
    assert len(good.taken) + len(busy.taken) > len(told), "some were offered to both"
    assert "good" in told.values()
