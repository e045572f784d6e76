"""An invented transfer list: who needs help to leave, by initials only, in the columns of `anlan transfers import`."""

from __future__ import annotations

import random
from typing import Any

from tools.demonstration import ground
from tools.demonstration.lattice import components
from tools.demonstration.roads import MARK, SEED, Town
from tools.demonstration.shelters import share

PEOPLE = 210
LETTERS = "CDFGHJLMPQSTWXYZ"
#: What somebody needs, how they go, and how often that is so (percent).
CASES = (
    (("slow", "alone"), "foot", 26), (("wheelchair",), "wheelchair", 16), (("bedridden", "device"), "ambulance", 7),
    (("bedridden",), "carried", 7), (("sight",), "foot", 8), (("hearing", "alone"), "foot", 8), (("pregnant",), "car", 9),
    (("child",), "foot", 10), (("medicine", "slow"), "bus", 5), ((), "", 4),
)
#: Posts that help, none of them a person.
HELPERS = ("楼栋网格员岗", "社区转移组一组", "社区转移组二组", "志愿者服务岗", "家属")
FAMILIES = (("", 60), ("water", 18), ("wind", 8), ("slope", 8), ("water;wind", 6))


def rows(town: Town) -> list[dict[str, Any]]:
    chance = random.Random(SEED + 5)  # noqa: S311 - only the same each time
    parts = components(town.net)
    counts = share(PEOPLE - 4 * len(town.communities), [c.people for c in town.communities])
    made = []
    for index, community in enumerate(town.communities):
        homes = [n for n in town.net.spot.values() if town.net.community[n] == index and town.net.built[n] and not parts[n]]
        made += [_person(town, community, number, chance.choice(homes), chance) for number in range(1, counts[index] + 5)]
    return made


def _person(town: Town, community: ground.Community, number: int, home: int, chance: random.Random) -> dict[str, Any]:
    needs, means, _share = chance.choices(CASES, [c[2] for c in CASES])[0]
    x, y = town.net.xy[home]
    lon, lat = ground.degrees(x + chance.uniform(-35, 35), y + chance.uniform(-35, 35))
    first, second = chance.choice(LETTERS), chance.choice(LETTERS)
    return {
        "code": f"YS-{community.code[6:]}-{number:03d}", "region_code": community.code, "initials": f"{first}. {second}.",
        "people": 2 if "child" in needs else chance.choice((1, 1, 1, 2)), "longitude": round(lon, 5), "latitude": round(lat, 5),
        "needs": ";".join(needs), "families": chance.choices([f[0] for f in FAMILIES], [f[1] for f in FAMILIES])[0],
        "means": means, "helper": chance.choice(HELPERS) if chance.random() < 0.88 else "",
        "note": MARK if number == 1 else ""}
