"""Loudspeakers of the demonstration district: spread over the communities by population, inside their boundaries.

The same regions give the same horns every time; they are marked as demonstration data.
"""

from __future__ import annotations

import random

import shapely
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry
from sqlalchemy import func, insert, select

from portal.channels.speakers.models import Speaker
from portal.core.db import db, transaction
from portal.regions import lookup

#: Of the simulated horns: some are never there, some are there and broken, so that the desk has something true to show.
OFFLINE, FAILING = 3, 2
_SEED = 20_261_122
_TRIES = 1000


def seed(count: int, district: str) -> int:
    """Fill an empty registry with `count` horns; how many were added (none where there are some already).

    Raises ValueError where the district has no communities with a boundary.
    """
    if count == 0 or db.session.execute(select(func.count()).select_from(Speaker)).scalar_one():
        return 0
    nodes = [node for code in lookup.communities_under([district]) if (node := lookup.get(code)) and node.box]
    if not nodes:
        raise ValueError(f"no communities with a boundary in {district}: import the regions first")
    shares = share_out(count, [node.population or 0 for node in nodes])
    rows = []
    for node, share in zip(nodes, shares, strict=True):
        outline = lookup.outline([node.code])
        if outline is None:
            raise ValueError(f"region {node.code} has no boundary")
        for number, (lon, lat) in enumerate(_places(shape(outline), share, node.code), 1):
            rows.append({
                "address": f"{node.code}-{number:02d}", "bridge": "mqtt", "region_code": node.code, "language": "zh",
                "name_zh": f"{node.name_zh.removesuffix('居委会')} {number} 号喇叭",
                "name_en": f"{_short(node.name_en)} horn {number}",
                "groups": [], "longitude": lon, "latitude": lat, "enabled": True, "demonstration": True})
    with transaction() as session:
        session.execute(insert(Speaker), rows)
    return len(rows)


def share_out(count: int, weights: list[int]) -> list[int]:
    """`count` things in proportion to `weights`, by largest remainder; evenly where no weight is known."""
    if not any(weights):
        weights = [1] * len(weights)
    total = sum(weights)
    shares = [count * weight // total for weight in weights]
    order = sorted(range(len(weights)), key=lambda i: (-(count * weights[i] % total), i))
    for i in order[: count - sum(shares)]:
        shares[i] += 1
    return shares


def faults(addresses: list[str]) -> tuple[set[str], set[str]]:
    """(offline, failing): which of the simulated horns misbehave, spread over the list."""
    wanted = min(OFFLINE + FAILING, len(addresses) // 4)
    picked = random.Random(_SEED).sample(sorted(addresses), wanted)  # noqa: S311 - not a secret, only the same each time
    return set(picked[:OFFLINE]), set(picked[OFFLINE:])


def _short(name_en: str) -> str:
    return name_en.removesuffix(" Community").removesuffix(" community")


def _places(outline: BaseGeometry, count: int, code: str) -> list[tuple[float, float]]:
    chance = random.Random(f"{_SEED}:{code}")  # noqa: S311 - not a secret, only the same each time
    west, south, east, north = outline.bounds
    shapely.prepare(outline)
    places: list[tuple[float, float]] = []
    for _ in range(_TRIES * max(count, 1)):
        if len(places) == count:
            return places
        lon, lat = round(chance.uniform(west, east), 6), round(chance.uniform(south, north), 6)
        if shapely.contains_xy(outline, lon, lat):
            places.append((lon, lat))
    raise ValueError(f"no room for {count} horns inside the boundary of {code}")
