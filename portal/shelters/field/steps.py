"""A way as people are told it: along which street, how far, where to turn.

The phone's script (site/static/field.js) does the same with the same numbers; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import atan2, ceil, cos, degrees, floor, radians
from typing import Any

from portal.shelters.roads.graph import distance

#: Metres. Shorter pieces tell no direction; shorter ways without a name are not spoken of; shorter ends neither.
TELLS_DIRECTION, SPOKEN, SPOKEN_END = 1.5, 30.0, 15.0
#: Degrees. Less is straight on; an unnamed way is spoken of again when it bends more, and a named one.
STRAIGHT, UNNAMED_BEND, NAMED_BEND = 40.0, 45.0, 70.0
Point = tuple[float, float]


@dataclass(frozen=True)
class Way:
    """What a piece runs along; `kind` is a key of the phrases' `ways`. Empty names: it has none."""

    zh: str
    en: str
    kind: str

    @property
    def named(self) -> bool:
        return bool(self.zh or self.en)

    def same(self, other: Way) -> bool:
        """Whether people would call both the same: a street keeps its name over its bridge and its crossings, not on steps."""
        if (self.zh, self.en) != (other.zh, other.en) or (self.kind == "steps") != (other.kind == "steps"):
            return False
        return self.named or self.kind == other.kind

    def name(self, language: str, phrases: dict[str, Any]) -> str:
        own = (self.zh or self.en) if language == "zh" else (self.en or self.zh)
        return own or str(phrases["ways"][self.kind])


@dataclass(frozen=True)
class Step:
    """One sentence: `kind` is a key of the phrases; `compass` 0 (north) to 7, clockwise."""

    kind: str
    metres: float = 0.0
    way: Way | None = None
    compass: int = 0


@dataclass(frozen=True)
class _Stretch:
    way: Way
    metres: float
    slow: float
    first: float
    last: float


def steps(points: Sequence[Point], ways: Sequence[Way], slow: Sequence[bool]) -> list[Step]:
    """The sentences of a way. `points`: where one stands, the nodes, the door; `ways` and `slow`: of the pieces between nodes,
    so one less than there are nodes."""
    told: list[Step] = []
    to_first = distance(*points[0], *points[1])
    if to_first >= SPOKEN_END:
        told.append(Step("begin", to_first, None, compass(bearing(points[0], points[1]))))
    before: _Stretch | None = None
    for stretch in _joined(_stretches(points[1:-1], ways, slow)):
        told.append(Step(_kind(before, stretch), stretch.metres, stretch.way, compass(stretch.first)))
        if stretch.slow > 0:
            told.append(Step("slow", stretch.slow))
        before = stretch
    to_door = distance(*points[-2], *points[-1])
    if to_door >= SPOKEN_END:
        told.append(Step("end", to_door))
    return told


def _stretches(points: Sequence[Point], ways: Sequence[Way], slow: Sequence[bool]) -> list[_Stretch]:
    """Pieces along the same way without a bend, as one."""
    found: list[_Stretch] = []
    for number, way in enumerate(ways):
        here, there = points[number], points[number + 1]
        far = distance(*here, *there)
        towards = bearing(here, there) if far >= TELLS_DIRECTION or not found else found[-1].last
        piece = _Stretch(way, far, far if slow[number] else 0.0, towards, towards)
        if found and _goes_on(found[-1], piece):
            found[-1] = _longer(found[-1], piece, piece.last)
        else:
            found.append(piece)
    return found


def _joined(stretches: Sequence[_Stretch]) -> list[_Stretch]:
    """Without short ways that have no name, which are crossings and corners mostly."""
    found: list[_Stretch] = []
    for piece in stretches:
        if found and not piece.way.named and piece.way.kind != "steps" and piece.metres < SPOKEN:
            found[-1] = _longer(found[-1], piece, found[-1].last)
        elif found and _goes_on(found[-1], piece):
            found[-1] = _longer(found[-1], piece, piece.last)
        else:
            found.append(piece)
    return found


def _longer(stretch: _Stretch, piece: _Stretch, last: float) -> _Stretch:
    return replace(stretch, metres=stretch.metres + piece.metres, slow=stretch.slow + piece.slow, last=last)


def _goes_on(before: _Stretch, piece: _Stretch) -> bool:
    bend = NAMED_BEND if piece.way.named else UNNAMED_BEND
    return before.way.same(piece.way) and abs(turn(before.last, piece.first)) < bend


def _kind(before: _Stretch | None, stretch: _Stretch) -> str:
    on_steps = stretch.way.kind == "steps"
    if before is None:
        return "steps_go" if on_steps else "go"
    angle = turn(before.last, stretch.first)
    side = "straight" if abs(angle) < STRAIGHT else "right" if angle > 0 else "left"
    if on_steps:
        return f"steps_{side}"
    return f"same_{side}" if before.way.same(stretch.way) and side != "straight" and stretch.way.named else side


def bearing(here: Point, there: Point) -> float:
    """Degrees clockwise from north."""
    east = (there[0] - here[0]) * cos(radians((here[1] + there[1]) / 2))
    return (degrees(atan2(east, there[1] - here[1])) + 360) % 360


def turn(before: float, after: float) -> float:
    """Degrees from one bearing to another, to the right positive."""
    return (after - before + 540) % 360 - 180


def compass(towards: float) -> int:
    return floor((towards + 22.5) / 45) % 8


def far(metres: float, phrases: dict[str, Any]) -> str:
    """A distance as people say it: tens of metres to a hundred, fifties to a kilometre, then tenths of one."""
    grain = 10 if metres < 95 else 50
    whole = max(10, floor(metres / grain + 0.5) * grain)
    if whole < 1000:
        return str(phrases["metres"]).replace("{n}", str(whole))
    tenths = floor(metres / 100 + 0.5)
    return str(phrases["kilometres"]).replace("{n}", f"{tenths // 10}.{tenths % 10}")


def minutes(seconds: float) -> int:
    return max(1, ceil(seconds / 60))


def filled(template: str, **values: str) -> str:
    for key, value in values.items():
        template = template.replace("{" + key + "}", value)
    return template
