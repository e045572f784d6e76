"""Room for words on a map: a word is put where nothing else stands, or not at all."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from math import atan2, cos, degrees, hypot, pi, sin

Rect = tuple[float, float, float, float]
Flat = tuple[float, float]


class Room:
    """What is taken of a frame, in a grid that makes asking quick."""

    def __init__(self, frame: Rect, cell: float = 24.0) -> None:
        self.frame, self._cell = frame, cell
        self._taken: dict[tuple[int, int], list[Rect]] = {}

    def free(self, rect: Rect) -> bool:
        west, south, east, north = self.frame
        if rect[0] < west or rect[1] < south or rect[2] > east or rect[3] > north:
            return False
        return not any(_meet(rect, other) for key in self._keys(rect) for other in self._taken.get(key, ()))

    def take(self, rect: Rect) -> None:
        for key in self._keys(rect):
            self._taken.setdefault(key, []).append(rect)

    def take_if_free(self, rects: Sequence[Rect]) -> bool:
        if not all(self.free(rect) for rect in rects):
            return False
        for rect in rects:
            self.take(rect)
        return True

    def _keys(self, rect: Rect) -> list[tuple[int, int]]:
        c = self._cell
        return [(i, j) for i in range(int(rect[0] // c), int(rect[2] // c) + 1)
                for j in range(int(rect[1] // c), int(rect[3] // c) + 1)]


def _meet(a: Rect, b: Rect) -> bool:
    return a[0] < b[2] and a[2] > b[0] and a[1] < b[3] and a[3] > b[1]


def around(x: float, y: float, away: float, width: float, height: float) -> list[tuple[float, float, Rect]]:
    """Places for a word beside a sign, the best first: (left, baseline, what it takes)."""
    places = [(x + away, y - height * 0.35), (x - away - width, y - height * 0.35), (x - width / 2, y + away),
              (x - width / 2, y - away - height * 0.8), (x + away * 0.7, y + away * 0.7),
              (x - away * 0.7 - width, y + away * 0.7), (x + away * 0.7, y - away - height * 0.4),
              (x - away * 0.7 - width, y - away - height * 0.4)]
    return [(left, base, (left - 1, base - height * 0.25, left + width + 1, base + height * 0.9)) for left, base in places]


def along(line: Sequence[Flat], width: float, height: float) -> list[tuple[float, float, float, list[Rect]]]:
    """Places for a word along a line where it is straight enough: (middle x, middle y, angle in degrees, what it takes)."""
    reach = [0.0]
    for (x1, y1), (x2, y2) in itertools.pairwise(line):
        reach.append(reach[-1] + hypot(x2 - x1, y2 - y1))
    if reach[-1] < width * 1.15:
        return []
    found = []
    for share in (0.5, 0.34, 0.66, 0.2, 0.8):
        middle = reach[-1] * share
        if middle < width * 0.55 or middle > reach[-1] - width * 0.55:
            continue
        begin, end = _at(line, reach, middle - width / 2), _at(line, reach, middle + width / 2)
        centre = _at(line, reach, middle)
        chord = hypot(end[0] - begin[0], end[1] - begin[1])
        off = hypot(centre[0] - (begin[0] + end[0]) / 2, centre[1] - (begin[1] + end[1]) / 2)
        if chord < width * 0.96 or off > height * 0.45:
            continue
        angle = atan2(end[1] - begin[1], end[0] - begin[0])
        if not -pi / 2 < angle <= pi / 2:
            angle += pi if angle <= 0 else -pi
        found.append((centre[0], centre[1], degrees(angle), _boxes(centre, angle, width, height)))
    return found


def _at(line: Sequence[Flat], reach: Sequence[float], far: float) -> Flat:
    for n in range(1, len(line)):
        if reach[n] >= far:
            share = (far - reach[n - 1]) / ((reach[n] - reach[n - 1]) or 1)
            (x1, y1), (x2, y2) = line[n - 1], line[n]
            return x1 + (x2 - x1) * share, y1 + (y2 - y1) * share
    return line[-1]


def _boxes(centre: Flat, angle: float, width: float, height: float) -> list[Rect]:
    """A slanted word as a row of small boxes."""
    count = max(1, round(width / height))
    half = height * 0.62
    found = []
    for n in range(count):
        far = (n + 0.5) / count * width - width / 2
        x, y = centre[0] + cos(angle) * far, centre[1] + sin(angle) * far
        found.append((x - half, y - half, x + half, y + half))
    return found
