"""Seventy-two invented shelters at the streets of the invented town: 45 indoor and 27 outdoor.

The counts of places are those of the district's own plan (9,740 indoor, 400,000 outdoor); which place holds how many is made up.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import Any

from shapely.geometry import Point, Polygon, mapping

from tools.demonstration import ground
from tools.demonstration.lattice import components
from tools.demonstration.names import SYLLABLES
from tools.demonstration.roads import MARK, SEED, Town

INDOOR, INDOOR_PLACES = 45, 9_740
OUTDOOR_PLACES = 400_000
CHECKED = "2026-10-{:02d}T09:30:00+08:00"
OUTDOOR_M2 = 1.5  # effective square metres for each person
APART = 260.0  # metres between two shelters
WET = 170.0  # metres from the water within which ground floors may flood


@dataclass(frozen=True)
class Kind:
    """What a building is: its names, its weight when places are shared out, who keeps it, and what is known of it."""

    zh: str
    en: str
    pinyin: str
    weight: float
    level: str
    duration: str
    keeper_zh: str
    keeper_en: str
    facts: dict[str, bool | None]


_SCHOOL = {"night": True, "water": True, "power": True, "medical": None, "pets": False}
KINDS = {
    "centre": Kind("文化活动中心", "Cultural Centre", "wen hua huo dong zhong xin", 1.3, "village", "short", "社区避难场所管理岗",
                   "Shelter post of the community", {"night": True, "water": True, "power": True, "medical": True, "pets": True}),
    "primary": Kind("小学体育馆", "Primary School Gymnasium", "xiao xue ti yu guan", 2.0, "town", "short", "学校总务值班室",
                    "School duty office", _SCHOOL),
    "middle": Kind("中学体育馆", "Middle School Gymnasium", "zhong xue ti yu guan", 2.8, "town", "short", "学校总务值班室",
                   "School duty office", _SCHOOL | {"medical": True}),
    "hall": Kind("体育馆", "Sports Hall", "ti yu guan", 4.5, "county", "long", "场馆值班经理室", "Duty manager of the hall",
                 {"night": True, "water": True, "power": True, "medical": True, "pets": False}),
    "elders": Kind("长者服务站", "Elders' Service Station", "zhang zhe fu wu zhan", 0.6, "village", "emergency", "服务站值班岗",
                   "Duty post of the station", {"night": None, "water": True, "power": True, "medical": None, "pets": None}),
}
#: The second and further indoor shelters of communities, in turn.
FURTHER = ("primary", "middle", "elders", "primary", "hall", "elders", "primary", "middle", "hall", "elders")
_OPEN_GROUNDS = {"公园": ("gong yuan", "park"), "广场": ("guang chang", "square"), "体育场": ("ti yu chang", "sports")}


def rows(town: Town) -> list[dict[str, Any]]:
    """The shelters as the registry's fields (see portal/shelters/registry/checks.py): indoor first."""
    chance = random.Random(SEED + 2)  # noqa: S311 - only the same each time
    taken: list[tuple[float, float]] = [(g.outline.centroid.x, g.outline.centroid.y) for g in town.grounds]
    made = _indoor(town, chance, taken)
    return made + _outdoor(town, chance)


def share(total: int, weights: list[float], step: int = 1) -> list[int]:
    """`total` in proportion to the weights, in steps, by largest remainder; `total` must be a multiple of `step`."""
    whole = [total / step * w / sum(weights) for w in weights]
    parts = [int(w) for w in whole]
    for i in sorted(range(len(whole)), key=lambda i: parts[i] - whole[i])[: total // step - sum(parts)]:
        parts[i] += 1
    return [part * step for part in parts]


# -- indoor --------------------------------------------------------------------------------------------------
def _indoor(town: Town, chance: random.Random, taken: list[tuple[float, float]]) -> list[dict[str, Any]]:
    order = sorted(range(len(town.communities)), key=lambda c: -town.communities[c].people)
    further = [order[i] for i in range(INDOOR - len(order))]
    wanted = [(c, "centre") for c in range(len(order))] + [(c, FURTHER[i % len(FURTHER)]) for i, c in enumerate(further)]
    sizes = _sizes(town, wanted, chance)
    # Where a community has two, the smaller may be unfit for water; one that is dry it has in any case.
    small = {n for n, (c, _kind) in enumerate(wanted) if any(d == c and sizes[m] > sizes[n] for m, (d, _k) in enumerate(wanted))}
    parts = components(town.net)
    streets = town.streets()
    made = []
    for number, ((index, kind), places) in enumerate(zip(wanted, sizes, strict=True)):
        node = _corner(town, index, number not in small, streets, parts, taken, chance)
        taken.append(town.net.xy[node])
        made.append(_building(town, number + 1, index, KINDS[kind], places, node, streets[node], number in small, chance))
    return made


def _sizes(town: Town, wanted: list[tuple[int, str]], chance: random.Random) -> list[int]:
    """Places in proportion to the people around, and within a community by kind."""
    weight = [KINDS[kind].weight * chance.uniform(0.8, 1.25) for _, kind in wanted]
    whole = {c: sum(w for w, (d, _k) in zip(weight, wanted, strict=True) if d == c) for c, _kind in wanted}
    people = [town.communities[c].people + 4_000 for c, _kind in wanted]
    return share(INDOOR_PLACES, [p * w / whole[c] for p, w, (c, _k) in zip(people, weight, wanted, strict=True)], 5)


def _corner(town: Town, index: int, dry: bool, streets: dict[int, list[tuple[str, str]]], parts: Any,
            taken: list[tuple[float, float]], chance: random.Random) -> int:
    """A street corner of the community, near its heart, away from other shelters."""
    net, community = town.net, town.communities[index]
    best = None
    for apart in (APART, APART / 2, 60.0):
        for n in net.spot.values():
            if net.community[n] != index or parts[n] or not streets.get(n) or not community.outline.contains(Point(net.xy[n])):
                continue
            if any(math.dist(net.xy[n], t) < apart for t in taken):
                continue
            rank = math.dist(net.xy[n], community.heart) + chance.uniform(0, 900)
            if dry and _water(town, net.xy[n]) < 1.4 * WET:
                rank += 2000
            if best is None or rank < best[0]:
                best = rank, n
        if best:
            return best[1]
    raise ValueError(f"no corner left in {community.zh}")


def _building(town: Town, number: int, index: int, kind: Kind, places: int, node: int, at: list[tuple[str, str]],
              small: bool, chance: random.Random) -> dict[str, Any]:
    community, (x, y) = town.communities[index], town.net.xy[node]
    base_zh, base_en = town.names.base()
    sound = " ".join(SYLLABLES[c] for c in base_zh)
    turn, far = chance.uniform(0, 2 * math.pi), chance.uniform(22, 34)
    middle = x + far * math.cos(turn), y + far * math.sin(turn)
    front = x + 0.3 * (middle[0] - x), y + 0.3 * (middle[1] - y)
    flat = chance.random()
    doors = [_door("正门", "Main entrance", front, flat < 0.87 if flat < 0.95 else None, "24h" if kind.level != "county" else "")]
    if chance.random() < 0.55 or kind.level == "county":
        side = middle[0] - 24 * math.sin(turn), middle[1] + 24 * math.cos(turn)
        doors.append(_door("侧门", "Side entrance", side, chance.choice((False, None, True)), chance.choice(("", "08:00-22:00"))))
    each = chance.choice((2.0, 2.0, 2.5, 3.0))
    night = kind.facts["night"]
    house = chance.randint(3, 199)
    return {
        "code": f"PS-N{number:03d}", "name_zh": f"{community.short_zh}{base_zh}{kind.zh}",
        "name_en": f"{community.short_en} {base_en} {kind.en}", "pinyin": f"{community.pinyin} {sound} {kind.pinyin}",
        "level": kind.level, "duration": kind.duration, "space": "indoor",
        "function": "comprehensive" if kind.weight > 1 else chance.choice(("single", None)), "region_code": community.code,
        "address_zh": f"{at[0][0]}{house}号", "address_en": f"{house} {at[0][1]}",
        **_place(middle), "boundary": _rectangle(middle, turn, places * each) if chance.random() < 0.4 else None,
        "entrances": doors, "suitability": _indoor_suits(town, middle, small, chance),
        "area_m2": round(places * each) if chance.random() < 0.93 else None, "m2_per_person": each,
        "capacity_day": places, "capacity_night": (places * 2 // 3 if night else None),
        "step_free": next((True for d in doors if d["step_free"]), doors[0]["step_free"]),
        **{name: (value if chance.random() < 0.9 else None) for name, value in kind.facts.items()},
        "access_zh": f"从{at[0][0]}进入" + (f"，近{at[1][0]}路口" if len(at) > 1 else ""),
        "access_en": f"Enter from {at[0][1]}" + (f", near {at[1][1]}" if len(at) > 1 else ""),
        "contact_zh": kind.keeper_zh, "contact_en": kind.keeper_en, "contact_phone": f"129 0002 {number:04d}",
        **_provenance(number, chance),
    }


def _indoor_suits(town: Town, at: tuple[float, float], small: bool, chance: random.Random) -> dict[str, bool | None]:
    dry = _water(town, at) > WET or not small
    unsure = small and chance.random() < 0.3
    slope: bool | None = None if at[1] < -2_600 and small and chance.random() < 0.6 else True
    return {"typhoon": True, "flood": None if unsure else dry, "waterlogging": dry, "storm_surge": True if dry else None,
            "landslide": slope, "earthquake": chance.choice((None, None, False, None)), "fire": None, "heat": True,
            "cold": True if not unsure else None, "hazmat": chance.choice((None, None, False))}


def _water(town: Town, at: tuple[float, float]) -> float:
    return float(min(r.line.distance(Point(at)) for r in town.rivers))


# -- outdoor -------------------------------------------------------------------------------------------------
def _outdoor(town: Town, chance: random.Random) -> list[dict[str, Any]]:
    weight = [g.outline.area ** 0.7 * math.sqrt(town.communities[g.community].people + 2_000) for g in town.grounds]
    sizes = share(OUTDOOR_PLACES, weight, 100)
    streets = town.streets()
    return [_open_ground(town, number, places, streets, chance) for number, places in enumerate(sizes, 1)]


def _open_ground(town: Town, number: int, places: int, streets: dict[int, list[tuple[str, str]]],
                 chance: random.Random) -> dict[str, Any]:
    open_ground = town.grounds[number - 1]
    community = town.communities[open_ground.community]
    middle = open_ground.outline.representative_point()
    gates = [_door(*_side(middle, town.net.xy[g]), town.net.xy[g], (True, True, None, False)[(i + number) % 4], "24h")
             for i, g in enumerate(open_ground.gates[:: 1 if open_ground.kind == "公园" else 2])]
    corner = next(n for n in sorted(streets, key=lambda n: math.dist(town.net.xy[n], town.net.xy[open_ground.gates[0]]))
                  if not streets[n][0][0].endswith("步道"))
    street = streets[corner][0]
    sound, kind = _OPEN_GROUNDS[open_ground.kind]
    base = open_ground.zh.removesuffix(open_ground.kind)
    hills = middle.y < -2_600
    return {
        "code": f"PS-W{number:03d}", "name_zh": open_ground.zh, "name_en": open_ground.en,
        "pinyin": " ".join(SYLLABLES[c] for c in base) + " " + sound,
        "level": {"park": "town", "square": "village", "sports": "county"}[kind],
        "duration": {"park": "short", "square": "emergency", "sports": "short"}[kind], "space": "outdoor",
        "function": "comprehensive" if kind != "square" else "single", "region_code": community.code,
        "address_zh": f"{street[0]}旁", "address_en": f"Beside {street[1]}",
        **_place((middle.x, middle.y)), "boundary": _outline(open_ground.outline), "entrances": gates,
        "suitability": {**dict.fromkeys(("typhoon", "flood", "waterlogging", "storm_surge", "heat", "cold"), False),
                        "landslide": None if hills and chance.random() < 0.4 else True, "earthquake": True, "fire": True,
                        "hazmat": True if chance.random() < 0.7 else None},
        "area_m2": round(places * OUTDOOR_M2), "m2_per_person": OUTDOOR_M2, "capacity_day": places,
        "capacity_night": places * 4 // 5 if kind == "park" else None,
        "step_free": True if any(g["step_free"] for g in gates) else None, "pets": True if kind == "park" else None,
        "water": chance.choice((True, True, None)), "power": chance.choice((True, None, False)),
        "medical": True if kind == "sports" else chance.choice((None, False)), "night": {"park": True}.get(kind),
        "access_zh": "各门昼夜可进入" if kind == "park" else "",
        "access_en": "Open day and night at each gate" if kind == "park" else "",
        "contact_zh": "园区值班室" if kind == "park" else "场地管理岗", "contact_en": "Duty office of the ground",
        "contact_phone": f"129 0003 {number:04d}", **_provenance(100 + number, chance),
    }


# -- pieces --------------------------------------------------------------------------------------------------
def _place(at: tuple[float, ...]) -> dict[str, float]:
    lon, lat = ground.degrees(at[0], at[1])
    return {"longitude": round(lon, 6), "latitude": round(lat, 6)}


def _door(zh: str, en: str, at: tuple[float, float], step_free: bool | None, hours: str) -> dict[str, Any]:
    return {"name_zh": zh, "name_en": en, **_place(at), "step_free": step_free, "hours": hours}


def _side(middle: Point, gate: tuple[float, float]) -> tuple[str, str]:
    """The name of a gate by where it lies."""
    bearing = math.degrees(math.atan2(gate[0] - middle.x, gate[1] - middle.y)) % 360
    return (("北门", "North gate"), ("东门", "East gate"), ("南门", "South gate"), ("西门", "West gate"))[round(bearing / 90) % 4]


def _outline(outline: Polygon) -> dict[str, Any]:
    return dict(mapping(Polygon([tuple(_place(at).values()) for at in outline.exterior.coords])))


def _rectangle(middle: tuple[float, float], turn: float, area: float) -> dict[str, Any]:
    a, b = math.sqrt(area * 1.5) / 2, math.sqrt(area / 1.5) / 2
    c, s = math.cos(turn), math.sin(turn)
    corners = ((-b, -a), (b, -a), (b, a), (-b, a))
    return _outline(Polygon([(middle[0] + u * c - v * s, middle[1] + u * s + v * c) for u, v in corners]))


def _provenance(number: int, chance: random.Random) -> dict[str, Any]:
    return {"source": MARK, "source_date": "2026-09-01", "licence": "CC0-1.0", "demonstration": True,
            "checked_at": CHECKED.format(1 + number % 28) if chance.random() < 0.85 else None}
