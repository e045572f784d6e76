"""A community for paper: the demonstration's regions, an invented town of straight streets, four shelters, four ways."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from portal.regions import lookup
from portal.shelters.paper.facts import Block, Facts, Goal, Way
from portal.shelters.paper.source import Source
from portal.shelters.registry import suitability
from portal.warnings.hazards import Phrase
from tests.district import LIULIAN
from tests.shelters.grid import STEP_LAT, STEP_LON, grid

WORDS = {"zh": ("到六联小学体育馆：约780米，步行10分钟。", "向北沿景达二街走约300米。", "到达六联小学体育馆，1号门。"),
         "en": ("To Liulian Primary School: about 780 m, 10 minutes on foot.", "Go north along Jingda Street 2, about 300 m.",
                "Arrive at Liulian Primary School, entrance Gate 1.")}
NO_WAY = {"zh": ("没有安全路线：请留在原地。",), "en": ("No safe route: stay where you are.",)}


def sample(code: str = LIULIAN, family: str = "water", **changes: Any) -> Facts:
    """Facts of a community of the demonstration; needs its regions. Keyword arguments replace fields."""
    west, south, east, north = lookup.box(code)
    source = Source([code], family)
    source.graph = grid(int((east - west) / STEP_LON) + 4, int((north - south) / STEP_LAT) + 4, west - STEP_LON, south - STEP_LAT)
    dx, dy = (east - west) / 2, (north - south) / 2
    x, y = west + dx, south + dy
    yes = dict.fromkeys(suitability.families(), True)
    goals = (_goal(1, "六联小学体育馆", "Liulian Primary School", "indoor", x - 0.4 * dx, y + 0.2 * dy, yes),
             _goal(2, "六联社区文化中心", "Liulian Culture Centre", "indoor", x + 0.4 * dx, y - 0.3 * dy, yes | {"quake": None}),
             _goal(3, "六联公园", "Liulian Park", "outdoor", x + 0.3 * dx, y + 0.5 * dy, yes | {"water": False}),
             _goal(4, "景达工业区食堂", "Jingda Works Canteen", None, x - 0.6 * dx, y - 0.4 * dy, dict.fromkeys(yes)))
    ways = (_way("聚溪花园", "Juxi Garden", (x, y - 0.1 * dy), goals[0]),
            _way("禾丰新村", "Hefeng Village", (x, y - 0.7 * dy), goals[1]),
            _way("景达工业区", "Jingda Works", (x - 0.7 * dx, y), goals[0]),
            Way(Phrase("老围", "Laowei"), (x + 0.5 * dx, y - 0.6 * dy), None, words=NO_WAY))
    blocks = (Block("waterlogging", Phrase("桥底", "Below the bridge"), {"type": "Point", "coordinates": [x, y + 0.1 * dy]}, 60,
                    "cuts", None),
              Block("construction", Phrase("施工", "Works"), _square(x - 0.2 * dx, y + 0.4 * dy, 0.1 * dx), 0, "slows", None),
              Block("road_closed", Phrase("封路", "Closed"),
                    {"type": "LineString", "coordinates": [[x + 0.4 * dx, y], [x + 0.6 * dx, y]]}, 12, "cuts", None))
    made = datetime(2026, 11, 25, 9, 40, tzinfo=UTC)
    values: dict[str, Any] = {"goals": goals, "ways": ways, "blocks": blocks, "basis": "plan", "as_of": made}
    return replace(source.facts(code), **(values | changes))


def _goal(number: int, zh: str, en: str, space: str | None, x: float, y: float, suits: dict[str, bool | None]) -> Goal:
    address = Phrase(f"测试路{number}号", f"{number} Test Road")
    return Goal(number, number, f"S{number}", Phrase(zh, en), address, space, (x, y), None if number == 4 else 100 * number,
                number == 1 or None, True, f"129 0001 110{number}", Phrase("管理员", "Keeper"), suits)


def _way(zh: str, en: str, start: tuple[float, float], goal: Goal) -> Way:
    assert goal.place
    line = (start, (start[0], goal.place[1]), goal.place)
    return Way(Phrase(zh, en), start, goal.number, 560, 780, goal.number == 2, line, WORDS)


def _square(x: float, y: float, half: float) -> dict[str, Any]:
    ring = [[x - half, y - half], [x + half, y - half], [x + half, y + half], [x - half, y + half], [x - half, y - half]]
    return {"type": "Polygon", "coordinates": [ring]}
