"""Who is told first: where the highest tier is in force, then what the target names first, then by code."""

from __future__ import annotations

from datetime import timedelta

import pytest

from portal.core.clock import utcnow
from portal.core.db import db, transaction, uuid7
from portal.regions import lookup
from portal.warnings import order, target
from portal.warnings.models import CANCELLED, IN_FORCE, Warning
from tests import district

AIM = {"regions": [district.KENGZI, district.PINGSHAN], "area": None, "audiences": [], "channels": ["sms"]}


@pytest.fixture
def streets(context) -> tuple[list[str], list[str]]:
    district.settle_regions()
    return lookup.communities_under([district.KENGZI]), lookup.communities_under([district.PINGSHAN])


def warned(tier: str, *codes: str, exercise: bool = False, state: str = IN_FORCE, hours: int = 3) -> None:
    now = utcnow()
    with transaction() as session:
        session.add(Warning(id=uuid7(), number=str(uuid7())[-20:], exercise=exercise, hazard="11B03", tier=tier, state=state,
                            onset=now, expires=now + timedelta(hours=hours), issued_at=now, region_codes=list(codes)))


def test_a_target_keeps_the_order_in_which_its_regions_were_named(streets):
    inside = streets[1][0]
    named = [district.KENGZI, inside, district.PINGSHAN, district.KENGZI]
    kept = target.normalise(AIM | {"regions": named}, complete=True)["regions"]
    assert kept == [district.KENGZI, district.PINGSHAN], "each once, and what lies in another of them is no region of its own"


def test_regions_come_as_the_target_names_them_and_their_communities_by_code(streets):
    kengzi, pingshan = streets
    assert order.by_danger(AIM, utcnow()) == [*kengzi, *pingshan]
    assert order.by_danger(AIM | {"regions": AIM["regions"][::-1]}, utcnow()) == [*pingshan, *kengzi]


def test_communities_of_the_highest_tier_in_force_come_before_all_others(streets):
    kengzi, pingshan = streets
    warned("orange", district.PINGSHAN)
    warned("red", pingshan[2])
    warned("blue", kengzi[-1], pingshan[2])
    found = order.by_danger(AIM, utcnow())
    assert found == [pingshan[2], *[c for c in pingshan if c != pingshan[2]], kengzi[-1], *kengzi[:-1]]


def test_drills_and_what_is_over_endanger_nobody(streets):
    kengzi, pingshan = streets
    warned("red", district.PINGSHAN, exercise=True)
    warned("red", district.PINGSHAN, state=CANCELLED)
    warned("red", district.PINGSHAN, hours=-1)  # expired, and nobody has marked it yet
    assert order.by_danger(AIM, utcnow()) == [*kengzi, *pingshan]


def test_what_only_a_drawn_area_touches_comes_after_the_named_regions(streets):
    kengzi, _pingshan = streets
    west, south, east, north = lookup.box(district.LIULIAN)
    circle = {"type": "Circle", "center": [(west + east) / 2, (south + north) / 2], "radius": 50}
    found = order.by_danger(AIM | {"regions": [district.KENGZI], "area": circle}, utcnow())
    assert found[: len(kengzi)] == kengzi
    assert district.LIULIAN in found[len(kengzi) :]
    db.session.rollback()
