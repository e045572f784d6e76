"""Invented dangers of the invented town: where water stands in the streets, and the risk points of each community."""

from __future__ import annotations

import math
import random
from datetime import date
from typing import Any

from shapely.geometry import Point

from tools.demonstration import ground
from tools.demonstration.roads import MARK, SEED, Town

WATERLOGGING = 40
SPREAD = 420.0  # metres between two waterlogging points
CLEAR = 110.0  # metres from a shelter's door: a shelter that floods would not be one
LOW = 620.0  # metres from the water within which streets lie low
STREETS = ("大道", "路", "街", "巷")


def waterlogging(town: Town, shelters: list[dict[str, Any]]) -> dict[str, Any]:
    """GeoJSON of the known points: most cut the way when it rains hard, the shallow ones slow it; no end."""
    chance = random.Random(SEED + 3)  # noqa: S311 - only the same each time
    doors = [ground.metres(d["longitude"], d["latitude"]) for s in shelters for d in s["entrances"]]
    streets = town.streets()
    chosen: list[int] = []
    low = [n for n in sorted(streets) if streets[n][0][0].endswith(STREETS)]
    for n in sorted(low, key=lambda n: _height(town, n) + chance.uniform(0, 260)):
        at = town.net.xy[n]
        if len(chosen) == WATERLOGGING or _height(town, n) > LOW:
            break
        if all(math.dist(at, d) > CLEAR for d in doors) and all(math.dist(at, town.net.xy[c]) > SPREAD for c in chosen):
            chosen.append(n)
    if len(chosen) < WATERLOGGING:
        raise ValueError(f"only {len(chosen)} low places found")
    chosen.sort(key=lambda n: (town.communities[town.net.community[n]].code, n))
    features = [_point(town, number, n, streets[n], chance) for number, n in enumerate(chosen, 1)]
    return {"type": "FeatureCollection", "name": MARK, "features": features}


def _height(town: Town, n: int) -> float:
    """How low a place lies, as metres from the nearest water."""
    return float(min(r.line.distance(Point(town.net.xy[n])) for r in town.rivers))


def _point(town: Town, number: int, n: int, at: list[tuple[str, str]], chance: random.Random) -> dict[str, Any]:
    crossing = [name for name in at if name[0].endswith(STREETS)]
    zh, en = crossing[0][0], crossing[0][1]
    zh, en = (f"{zh}与{crossing[1][0]}路口积水点", f"Waterlogging at {en} and {crossing[1][1]}") if len(crossing) > 1 else (
        f"{zh}低洼路段积水点", f"Waterlogging on {en}")
    depth = chance.choice((15, 20, 25, 30, 40, 50, 60))
    lon, lat = ground.degrees(*town.net.xy[n])
    properties: dict[str, Any] = {
        "kind": "waterlogging", "name_zh": zh, "name_en": en, "families": ["water"],
        "note": f"{MARK}；曾积水约 {depth} 厘米 once about {depth} cm deep"}
    if depth < 25:
        properties |= {"effect": "slows", "factor": 3, "radius": 30}
    else:
        properties |= {"effect": "cuts", "radius": 25 if depth < 50 else 40}
    place = {"type": "Point", "coordinates": [round(lon, 6), round(lat, 6)]}
    return {"type": "Feature", "id": f"PS-J{number:02d}", "geometry": place, "properties": properties}


#: Kind of a risk point → its names, who is in its reach, a note.
RISKS: dict[str, tuple[str, str, tuple[int, int], str, str]] = {
    "slope": ("北侧边坡", "Slope north of", (12, 160), "雨季每日巡查", "Looked at daily in the rainy season"),
    "waterlogging": ("低洼路段", "Low stretch of", (20, 300), "暴雨时封路", "Closed in heavy rain"),
    "river": ("旁河岸", "River bank at", (15, 220), "水位以桥墩标尺为准", "The gauge on the pier tells the level"),
    "underground": ("下沉通道", "Underpass of", (5, 80), "积水 25 厘米即封闭", "Closed at 25 cm of water"),
    "building": ("旁旧砖房", "Old brick houses at", (8, 60), "台风前腾空", "Emptied before a typhoon"),
    "shed": ("旁工地板房", "Site huts at", (20, 180), "台风蓝色预警起转移", "Left from a blue typhoon warning on"),
    "fire": ("连片出租屋", "Crowded lodgings along", (60, 400), "通道不得停放电动车", "No e-bikes in the passages"),
    "hazmat": ("旁加油站", "Filling station at", (30, 150), "", ""),
}


def risk_points(town: Town, index: int, chance: random.Random) -> list[dict[str, Any]]:
    """Two to four risk points of a community, each at one of its streets, in the form of communities.yaml."""
    community, streets = town.communities[index], town.streets()
    own = [n for n in sorted(streets) if town.net.community[n] == index and streets[n][0][0].endswith(("大道", "路", "街"))]
    kinds = ["river" if min(_height(town, n) for n in own) < 60 else "slope",
             "slope" if community.heart[1] < -2_000 else chance.choice(("waterlogging", "underground")),
             chance.choice(("building", "shed", "fire"))]
    if chance.random() < 0.4:
        kinds.append("hazmat")
    found: list[dict[str, Any]] = []
    taken: set[int] = set()
    for number, kind in enumerate(dict.fromkeys(kinds), 1):
        near_water = kind in ("river", "waterlogging")
        free = [n for n in own if n not in taken and streets[n][0] not in {streets[t][0] for t in taken}]
        n = min(free, key=lambda n: _height(town, n)) if near_water else chance.choice(free)
        taken.add(n)
        found.append(_risk(town, f"{community.code[6:9]}{community.code[9:]}-R{number:02d}", kind, n, streets[n][0], chance))
    return found


def _risk(town: Town, code: str, kind: str, n: int, street: tuple[str, str], chance: random.Random) -> dict[str, Any]:
    zh, en, (least, most), note_zh, note_en = RISKS[kind]
    lon, lat = ground.degrees(*town.net.xy[n])
    risk: dict[str, Any] = {"code": f"PS-{code}", "kind": kind, "name": {"zh": street[0] + zh, "en": f"{en} {street[1]}"},
                            "lon": round(lon, 6), "lat": round(lat, 6)}
    if chance.random() < 0.85:
        risk["people"] = chance.randint(least, most)
    if note_zh:
        risk["note"] = {"zh": note_zh, "en": note_en}
    if chance.random() < 0.9:
        risk["checked"] = date(2026, chance.randint(6, 11), chance.randint(1, 24))
    return risk
