"""The ground on which the invented district is drawn: its regions in metres, its rivers, where people live."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from shapely.geometry import LineString, shape
from shapely.geometry.base import BaseGeometry

CONTENT = Path(__file__).resolve().parents[2] / "content"
LON0, LAT0 = 114.35, 22.705
METRES_NORTH = 110_740.0
METRES_EAST = 111_320.0 * math.cos(math.radians(LAT0))
#: Metres of land that one inhabitant's share of the built-up area comes to.
PEOPLE_PER_KM2 = 6_600.0


def metres(lon: float, lat: float) -> tuple[float, float]:
    return (lon - LON0) * METRES_EAST, (lat - LAT0) * METRES_NORTH


def degrees(x: float, y: float) -> tuple[float, float]:
    return round(x / METRES_EAST + LON0, 7), round(y / METRES_NORTH + LAT0, 7)


@dataclass(frozen=True)
class Community:
    """A community with its outline in metres and the middle of its built-up area."""

    code: str
    zh: str
    en: str
    pinyin: str
    people: int
    outline: BaseGeometry
    heart: tuple[float, float]

    @property
    def short_zh(self) -> str:
        return self.zh.removeprefix("深圳坪山").removesuffix("虚拟社区").removesuffix("社区")

    @property
    def short_en(self) -> str:
        short = self.en.removesuffix(" Community").removesuffix(" Virtual")
        return short.removeprefix("Shenzhen Pingshan Comprehensive ")

    @property
    def built_km2(self) -> float:
        area = self.outline.area / 1e6
        return min(0.85 * area, max(0.45, self.people / PEOPLE_PER_KM2))


@dataclass(frozen=True)
class River:
    zh: str
    en: str
    line: LineString


def _smooth(points: list[tuple[float, float]], wiggle: float) -> LineString:
    """A river through the points (degrees): corners cut twice, and a little sideways."""
    line = np.array([metres(*p) for p in points])
    for _ in range(3):
        ahead = 0.75 * line[:-1] + 0.25 * line[1:]
        behind = 0.25 * line[:-1] + 0.75 * line[1:]
        line = np.vstack([line[:1], np.stack([ahead, behind], axis=1).reshape(-1, 2), line[-1:]])
    path = LineString(line)
    steps = np.arange(0.0, path.length, 60.0)
    out = []
    for at in steps:
        p, q = path.interpolate(at), path.interpolate(at + 1.0)
        side = wiggle * math.sin(at / 310.0) + 0.5 * wiggle * math.sin(at / 127.0)
        out.append((p.x - (q.y - p.y) * side, p.y + (q.x - p.x) * side))
    return LineString(out)


def rivers() -> list[River]:
    main = [(114.2745, 22.668), (114.292, 22.682), (114.309, 22.691), (114.334, 22.6925), (114.352, 22.697), (114.362, 22.710),
            (114.379, 22.7195), (114.390, 22.733), (114.407, 22.744), (114.404, 22.759), (114.411, 22.777)]
    south = [(114.3835, 22.664), (114.3785, 22.680), (114.3765, 22.697), (114.3655, 22.7135)]
    north = [(114.334, 22.7375), (114.350, 22.743), (114.366, 22.7445), (114.381, 22.737), (114.3925, 22.7355)]
    return [River("澜水河", "Lanshui River", _smooth(main, 35)), River("石泉溪", "Shiquan Stream", _smooth(south, 25)),
            River("榕湾溪", "Rongwan Stream", _smooth(north, 25))]


def regions() -> tuple[BaseGeometry, list[Community]]:
    """(outline of the district, its communities), in metres."""
    with (CONTENT / "regions" / "440310.csv").open(encoding="utf-8-sig") as file:
        rows = {row["code"]: row for row in csv.DictReader(file)}
    shapes: dict[str, BaseGeometry] = {}
    for feature in json.loads((CONTENT / "regions" / "440310.geojson").read_text("utf-8"))["features"]:
        shapes[feature["properties"]["code"]] = shapely.transform(shape(feature["geometry"]), _to_metres, interleaved=False)
    communities = []
    for code in sorted(rows):
        if not code.endswith("000"):
            row, outline = rows[code], shapes[code]
            inner = outline.centroid if outline.contains(outline.centroid) else outline.representative_point()
            heart = (inner.x, inner.y)
            sound = row["pinyin"].removesuffix(" she qu").removesuffix(" xu ni").removeprefix("shen zhen ping shan ")
            communities.append(Community(code, row["name_zh"], row["name_en"], sound, int(row["population"]), outline, heart))
    return shapes["440310000000"], communities


def _to_metres(x: Any, y: Any) -> tuple[Any, Any]:
    return (np.asarray(x) - LON0) * METRES_EAST, (np.asarray(y) - LAT0) * METRES_NORTH
