"""The map itself: a community's ground, streets, ways, signs and names inside a frame."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from math import atan2, cos, hypot, pi, radians, sin

from flask_babel import gettext as _
from reportlab.lib.colors import HexColor

from portal.shelters.paper import symbols, typeset
from portal.shelters.paper.facts import Block, Facts, Point
from portal.shelters.paper.labels import Flat, Rect, Room, along, around
from portal.shelters.paper.sheet import ACCENT, BOLD, INK, REGULAR, SOFT, WHITE, Sheet
from portal.web import fonts

_OUTSIDE, _STREET, _EDGE = HexColor("#e9edf0"), HexColor("#ffffff"), HexColor("#9aa6b1")
#: Metres in a degree of latitude, near enough for a sheet of paper.
_DEGREE = 110_900.0
_MOST_NAMES = 70
_ARROWS = 46.0
_WIDEST_NAME = 190.0


class Ground:
    """Draws the map of `facts` into a frame (x, y, width, height) of a sheet."""

    def __init__(self, sheet: Sheet, facts: Facts, x: float, y: float, width: float, height: float) -> None:
        self.sheet, self.facts, self.canvas = sheet, facts, sheet.canvas
        self.frame: Rect = (x, y, x + width, y + height)
        self._fit(width, height)
        self.room = Room((x + 2, y + 2, x + width - 2, y + height - 2))
        self._goals: dict[int, Flat] = {}

    def draw(self) -> None:
        x, y, east, north = self.frame
        canvas = self.canvas
        canvas.saveState()
        path = canvas.beginPath()
        path.rect(x, y, east - x, north - y)
        canvas.clipPath(path, stroke=0, fill=0)
        canvas.setLineJoin(1)
        canvas.setLineCap(1)
        self._land()
        self._streets()
        self._boundary()
        self._blocks()
        self._ways()
        self._corner()
        self._signs()
        self._names()
        canvas.restoreState()
        self.sheet.box(x, y, east - x, north - y, stroke=INK, line=1)

    # -- where ---------------------------------------------------------------------------------------------
    def _fit(self, width: float, height: float) -> None:
        facts = self.facts
        points = [p for ring in facts.rings for p in ring] + [p for way in facts.ways for p in way.line]
        points += [g.place for g in facts.goals if g.place]
        points = points or [(0.0, 0.0)]
        west, east = min(p[0] for p in points), max(p[0] for p in points)
        south, north = min(p[1] for p in points), max(p[1] for p in points)
        self._middle = ((west + east) / 2, (south + north) / 2)
        self._kx = _DEGREE * 1.0034 * cos(radians(self._middle[1]))
        wide, high = max((east - west) * self._kx, 200.0), max((north - south) * _DEGREE, 200.0)
        #: Points of paper per metre of ground.
        self.scale = min((width - 34) / wide, (height - 34) / high)

    def flat(self, point: Point) -> Flat:
        x, y, east, north = self.frame
        return ((x + east) / 2 + (point[0] - self._middle[0]) * self._kx * self.scale,
                (y + north) / 2 + (point[1] - self._middle[1]) * _DEGREE * self.scale)

    def _line(self, points: Sequence[Point]) -> list[Flat]:
        return [self.flat(p) for p in points]

    def _path(self, lines: Sequence[Sequence[Point]], *, close: bool = False) -> object:
        path = self.canvas.beginPath()
        for line in lines:
            flat = self._line(line)
            path.moveTo(*flat[0])
            for point in flat[1:]:
                path.lineTo(*point)
            if close:
                path.close()
        return path

    def _stroke(self, lines: Sequence[Sequence[Point]], width: float, colour: object, dash: Sequence[float] = (),
                cap: int = 1) -> None:
        if not lines:
            return
        canvas = self.canvas
        canvas.setStrokeColor(colour)
        canvas.setLineWidth(width)
        canvas.setDash(list(dash))
        canvas.setLineCap(cap)
        canvas.drawPath(self._path(lines), stroke=1, fill=0)
        canvas.setDash([])

    # -- ground --------------------------------------------------------------------------------------------
    def _land(self) -> None:
        x, y, east, north = self.frame
        self.sheet.box(x, y, east - x, north - y, fill=_OUTSIDE, stroke=None)
        if self.facts.rings:
            self.canvas.setFillColor(WHITE)
            self.canvas.drawPath(self._path(self.facts.rings, close=True), stroke=0, fill=1)
        self._stroke([ring for n in self.facts.neighbours for ring in n.rings], 0.7, _EDGE, (1, 2.5))

    def _streets(self) -> None:
        of = {style: [line for s in self.facts.streets if s.style == style for line in s.lines]
              for style in ("walk", "steps", "road")}
        self._stroke(of["walk"], 0.8, _EDGE, (3, 2.2), cap=0)
        self._stroke(of["road"], 4.4, _EDGE)
        self._stroke(of["road"], 3.1, _STREET)
        self._stroke(of["steps"], 3.4, SOFT, (0.8, 1.2), cap=0)

    def _boundary(self) -> None:
        rings = [[*ring, ring[0]] for ring in self.facts.rings]
        self._stroke(rings, 2.0, INK, (9, 2.5, 1.5, 2.5), cap=0)

    def _blocks(self) -> None:
        for block in self.facts.blocks:
            for line, closed in _shapes(block):
                if closed:
                    self._area(line, block)
                else:
                    self._strip(line, block)

    def _area(self, ring: Sequence[Point], block: Block) -> None:
        canvas = self.canvas
        canvas.saveState()
        canvas.clipPath(self._path([ring], close=True), stroke=0, fill=0)
        flat = self._line(ring)
        west, south = min(p[0] for p in flat), min(p[1] for p in flat)
        east, north = max(p[0] for p in flat), max(p[1] for p in flat)
        symbols.hatch(self.sheet, west, south, east - west, north - south, both=block.effect == "cuts")
        canvas.restoreState()
        self._stroke([[*ring, ring[0]]], 0.9, INK)
        self._mark(((west + east) / 2, (south + north) / 2), block)

    def _strip(self, line: Sequence[Point], block: Block) -> None:
        if len(line) > 1:
            self._stroke([line], 6.0, INK, cap=0)
            self._stroke([line], 4.4, WHITE, cap=0)
            self._stroke([line], 4.4, INK, (1.4, 2.2), cap=0)
            flat = self._line(line)
            middle = len(flat) // 2
            self._mark(((flat[middle - 1][0] + flat[middle][0]) / 2, (flat[middle - 1][1] + flat[middle][1]) / 2), block)
            return
        x, y = self.flat(line[0])
        radius = max(4.5, block.radius * self.scale)
        canvas = self.canvas
        canvas.saveState()
        path = canvas.beginPath()
        path.circle(x, y, radius)
        canvas.clipPath(path, stroke=0, fill=0)
        symbols.hatch(self.sheet, x - radius, y - radius, 2 * radius, 2 * radius, step=2.6, both=block.effect == "cuts")
        canvas.restoreState()
        canvas.setStrokeColor(INK)
        canvas.setLineWidth(0.9)
        canvas.circle(x, y, radius, stroke=1, fill=0)
        self._mark((x, y), block)

    def _mark(self, at: Flat, block: Block) -> None:
        self.room.take((at[0] - 6, at[1] - 6, at[0] + 6, at[1] + 6))
        if block.effect == "cuts":
            symbols.cross_mark(self.sheet, *at, size=7)

    # -- ways ----------------------------------------------------------------------------------------------
    def _ways(self) -> None:
        lines = [way.line for way in self.facts.ways if len(way.line) > 1]
        self._stroke(lines, 5.4, WHITE)
        self._stroke(lines, 2.9, ACCENT)
        taken = Room(self.frame)
        for line in lines:
            self._arrows(self._line(line), taken)

    def _arrows(self, line: Sequence[Flat], taken: Room) -> None:
        """Heads in the direction of walking; where several ways run together, one is enough."""
        since = _ARROWS * 0.6
        for (x1, y1), (x2, y2) in itertools.pairwise(line):
            long = hypot(x2 - x1, y2 - y1)
            while long and since + long >= _ARROWS:
                share = (_ARROWS - since) / long
                x1, y1 = x1 + (x2 - x1) * share, y1 + (y2 - y1) * share
                long, since = long * (1 - share), 0.0
                if taken.take_if_free([(x1 - 12, y1 - 12, x1 + 12, y1 + 12)]):
                    symbols.arrow(self.sheet, x1, y1, atan2(y2 - y1, x2 - x1), 9.5, ACCENT)
            since += long

    # -- signs and names -----------------------------------------------------------------------------------
    def _corner(self) -> None:
        """North arrow and scale, in the lower left corner, on white."""
        x, y, _east, _north = self.frame
        box = (x + 5, y + 5, x + 168, y + 42)
        self.sheet.box(box[0], box[1], box[2] - box[0], box[3] - box[1], fill=WHITE, stroke=INK, line=0.6)
        symbols.north(self.sheet, x + 18, y + 9, 19, _("N"))
        symbols.scale_bar(self.sheet, x + 36, y + 14, self.scale, 116)
        self.room.take(box)

    def _signs(self) -> None:
        for way in self.facts.ways:
            x, y = self.flat(way.place)
            symbols.origin(self.sheet, x, y)
            self.room.take((x - 5, y - 5, x + 5, y + 5))
        for goal in self.facts.goals:
            if goal.place:
                self._goals[goal.number] = self._beside_others(self.flat(goal.place), 10)
        for danger in self.facts.dangers:
            if danger.place:
                symbols.danger(self.sheet, *self._beside_others(self.flat(danger.place), 7.5), danger.letter)
        for goal in reversed(self.facts.goals):
            if goal.place:
                x, y = self._goals[goal.number]
                symbols.goal(self.sheet, x, y, goal.number, goal.space, goal.fits(self.facts.family), 17)

    def _beside_others(self, at: Flat, half: float) -> Flat:
        """Where a sign stands: at its place, or beside it with a line to it where another sign is in the way."""
        for away in (0.0, 15.0, 22.0, 30.0):
            for turn in range(8 if away else 1):
                x, y = at[0] + cos(turn * pi / 4) * away, at[1] + sin(turn * pi / 4) * away
                if self.room.take_if_free([(x - half, y - half, x + half, y + half * 1.1)]):
                    if away:
                        self.sheet.rule(*at, x, y, 1.0, INK)
                        self.sheet.box(at[0] - 1.5, at[1] - 1.5, 3, 3, fill=INK, stroke=None)
                    return x, y
        self.room.take((at[0] - half, at[1] - half, at[0] + half, at[1] + half))
        return at

    def _names(self) -> None:
        language = self.sheet.language
        for goal in self.facts.goals:
            if goal.place:
                self._beside(self._goals[goal.number], goal.name[language], 7.5, BOLD, 12)
        for way in self.facts.ways:
            self._beside(self.flat(way.place), way.origin[language], 7, REGULAR, 7)
        self._own_name(language)
        self._street_names(language)
        for neighbour in self.facts.neighbours:
            self._neighbour(neighbour.name[language], neighbour.rings)

    def _beside(self, at: Flat, text: str, size: float, font: str, away: float) -> None:
        text = self.sheet.clean(text)
        text = typeset.shorten(text, font, size, _WIDEST_NAME)
        wide = fonts.width(text, font, size)
        for farther in (0.0, 8.0, 16.0):
            for left, base, takes in around(*at, away + farther, wide, size):
                if self.room.take_if_free([takes]):
                    self.sheet.halo(left, base, text, size, font)
                    return

    def _own_name(self, language: str) -> None:
        """The community's name, large and pale, where there is room: so that the map says what it is when cut off."""
        rings = self.facts.rings
        if not rings:
            return
        ring = max(rings, key=len)
        flat = self._line(ring)
        x, y = sum(p[0] for p in flat) / len(flat), sum(p[1] for p in flat) / len(flat)
        text = self.facts.name[language]
        wide = fonts.width(text, BOLD, 13)
        for dy in (0, 26, -26, 52, -52, 80, -80):
            takes = (x - wide / 2, y + dy - 4, x + wide / 2, y + dy + 13)
            if self.room.take_if_free([takes]):
                self.sheet.halo(x - wide / 2, y + dy, text, 13, BOLD, SOFT)
                return

    def _street_names(self, language: str) -> None:
        longest: dict[str, tuple[float, list[list[Flat]]]] = {}
        for street in self.facts.streets:
            if not (name := street.name[language] or street.name.zh):
                continue
            total, lines = longest.get(name, (0.0, []))
            for line in street.lines:
                flat = self._line(line)
                lines.append(flat)
                total += sum(hypot(b[0] - a[0], b[1] - a[1]) for a, b in itertools.pairwise(flat))
            longest[name] = (total, lines)
        ordered = sorted(longest.items(), key=lambda item: (-item[1][0], item[0]))
        for name, (_total, lines) in ordered[:_MOST_NAMES]:
            self._street_name(name, lines)

    def _street_name(self, name: str, lines: list[list[Flat]]) -> None:
        size = 6.6
        text = self.sheet.clean(name)
        wide = fonts.width(text, REGULAR, size)
        for line in sorted(lines, key=len, reverse=True)[:6]:
            for x, y, angle, takes in along(line, wide + 4, size):
                if self.room.take_if_free(takes):
                    canvas = self.canvas
                    canvas.saveState()
                    canvas.translate(x, y)
                    canvas.rotate(angle)
                    self.sheet.halo(-wide / 2, -size * 0.36, text, size)
                    canvas.restoreState()
                    return

    def _neighbour(self, name: str, rings: Sequence[Sequence[Point]]) -> None:
        """A neighbour's name where its ground is in sight."""
        west, south, east, north = self.frame
        wide = fonts.width(name, REGULAR, 8)
        inside = [p for ring in rings for p in self._line(ring) if west < p[0] < east and south < p[1] < north]
        if not inside:
            return
        x, y = sum(p[0] for p in inside) / len(inside), sum(p[1] for p in inside) / len(inside)
        centre = self._line([_middle(rings)])[0]
        for share in (0.25, 0.4, 0.55, 0.12):
            at = (x + (centre[0] - x) * share, y + (centre[1] - y) * share)
            takes = (at[0] - wide / 2, at[1] - 3, at[0] + wide / 2, at[1] + 8)
            if self.room.take_if_free([takes]):
                self.sheet.text(at[0] - wide / 2, at[1], name, 8, colour=SOFT)
                return


def _middle(rings: Sequence[Sequence[Point]]) -> Point:
    points = [p for ring in rings for p in ring]
    return sum(p[0] for p in points) / len(points), sum(p[1] for p in points) / len(points)


def _shapes(block: Block) -> list[tuple[list[Point], bool]]:
    """What an obstruction is made of: lines and points, and rings (True)."""
    kind, coordinates = block.geometry["type"], block.geometry["coordinates"]
    pairs = {"Point": lambda c: [([(c[0], c[1])], False)], "LineString": lambda c: [([(p[0], p[1]) for p in c], False)],
             "Polygon": lambda c: [([(p[0], p[1]) for p in c[0]], True)]}
    if kind in pairs:
        return pairs[kind](coordinates)
    if kind.startswith("Multi") and kind[5:] in pairs:
        return [shape for part in coordinates for shape in pairs[kind[5:]](part)]
    return []
