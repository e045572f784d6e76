"""Signs on paper. Each differs by shape, so that a black-and-white copy says as much as the print does."""

from __future__ import annotations

from math import cos, pi, sin

from portal.shelters.paper.sheet import BOLD, INK, LINE, WHITE, Sheet
from portal.web import fonts


def goal(sheet: Sheet, x: float, y: float, number: int, space: str | None, fits: bool | None, size: float = 15) -> None:
    """A shelter: a house when indoors, a disc when outdoors, a diamond when both or unknown. Filled: suitable; white
    with a question mark: nobody knows; white and struck through: not suitable."""
    half = size / 2
    fill, ink = (INK, WHITE) if fits else (WHITE, INK)
    canvas = sheet.canvas
    canvas.saveState()
    canvas.setLineJoin(1)
    if fits is None:
        canvas.setDash([2, 1.4])
    if space == "outdoor":
        canvas.setFillColor(fill)
        canvas.setStrokeColor(INK)
        canvas.setLineWidth(1.2)
        canvas.circle(x, y, half, stroke=1, fill=1)
    else:
        sheet.polygon(_house(x, y, half) if space == "indoor" else _diamond(x, y, half), fill=fill, stroke=INK, line=1.2)
    canvas.restoreState()
    label = str(number) if fits is not None else f"{number}?"
    letters = size * (0.62 if len(label) < 2 else 0.5 if len(label) < 3 else 0.4)
    base = y - letters * 0.36 - (half * 0.14 if space == "indoor" else 0)
    if fits is False:
        sheet.rule(x - half, y - half, x + half, y + half, 1.6, INK)
        drawn = fonts.width(label, BOLD, letters)
        sheet.halo(x - drawn / 2, base, label, letters, BOLD)
    else:
        sheet.text(x, base, label, letters, BOLD, ink, align="centre")


def _house(x: float, y: float, half: float) -> list[tuple[float, float]]:
    return [(x - half * 0.9, y - half * 0.95), (x + half * 0.9, y - half * 0.95), (x + half * 0.9, y + half * 0.2),
            (x, y + half * 1.1), (x - half * 0.9, y + half * 0.2)]


def _diamond(x: float, y: float, half: float) -> list[tuple[float, float]]:
    far = half * 1.18
    return [(x - far, y), (x, y - far), (x + far, y), (x, y + far)]


def danger(sheet: Sheet, x: float, y: float, letter: str, size: float = 14) -> None:
    """A risk point: a triangle with its letter."""
    half = size / 2
    sheet.polygon([(x - half * 1.05, y - half * 0.8), (x + half * 1.05, y - half * 0.8), (x, y + half * 1.05)], fill=WHITE,
                  line=1.3)
    sheet.text(x, y - half * 0.62, letter, size * 0.52, BOLD, INK, align="centre")


def origin(sheet: Sheet, x: float, y: float, size: float = 6.5) -> None:
    """A place from which a way begins: a ring with a point."""
    canvas = sheet.canvas
    canvas.setStrokeColor(INK)
    canvas.setFillColor(WHITE)
    canvas.setLineWidth(1.1)
    canvas.circle(x, y, size / 2, stroke=1, fill=1)
    canvas.setFillColor(INK)
    canvas.circle(x, y, size / 6, stroke=0, fill=1)


def cross_mark(sheet: Sheet, x: float, y: float, size: float = 9) -> None:
    """Where a way is cut: an X on white."""
    half = size / 2
    for width, colour in ((3.6, WHITE), (1.7, INK)):
        for sign in (1, -1):
            sheet.rule(x - half, y - half * sign, x + half, y + half * sign, width, colour)


def arrow(sheet: Sheet, x: float, y: float, angle: float, size: float, fill: object) -> None:
    """An arrow head at a point, `angle` in radians anticlockwise from east."""
    def at(turn: float, far: float) -> tuple[float, float]:
        return x + cos(angle + turn) * far, y + sin(angle + turn) * far
    sheet.polygon([at(0, size * 0.62), at(pi * 0.78, size * 0.62), at(pi, size * 0.22), at(-pi * 0.78, size * 0.62)],
                  fill=fill, stroke=WHITE, line=0.6)  # type: ignore[arg-type]


def yes(sheet: Sheet, x: float, y: float, size: float = 7) -> None:
    """A tick; `x`, `y` is its middle."""
    canvas = sheet.canvas
    canvas.setStrokeColor(INK)
    canvas.setLineWidth(size * 0.19)
    path = canvas.beginPath()
    path.moveTo(x - size * 0.45, y)
    path.lineTo(x - size * 0.1, y - size * 0.36)
    path.lineTo(x + size * 0.5, y + size * 0.42)
    canvas.drawPath(path, stroke=1, fill=0)


def no(sheet: Sheet, x: float, y: float, size: float = 7) -> None:
    half = size * 0.38
    for sign in (1, -1):
        sheet.rule(x - half, y - half * sign, x + half, y + half * sign, size * 0.17, INK)


def unknown(sheet: Sheet, x: float, y: float, size: float = 7) -> None:
    sheet.text(x, y - size * 0.4, "?", size * 1.15, BOLD, INK, align="centre")


def answer(sheet: Sheet, x: float, y: float, said: bool | None, size: float = 7) -> None:
    (unknown if said is None else yes if said else no)(sheet, x, y, size)


def tick_box(sheet: Sheet, x: float, y: float, size: float = 8, *, ticked: bool = False) -> None:
    """An empty box to tick by hand, its lower left corner at (x, y); or one that is ticked."""
    sheet.box(x, y, size, size, stroke=INK, line=0.8)
    if ticked:
        yes(sheet, x + size / 2, y + size / 2, size * 0.8)


def north(sheet: Sheet, x: float, y: float, size: float, label: str) -> None:
    """North arrow whose foot is at (x, y)."""
    sheet.polygon([(x, y + size), (x - size * 0.3, y), (x, y + size * 0.22)], fill=INK, stroke=INK, line=0.7)
    sheet.polygon([(x, y + size), (x + size * 0.3, y), (x, y + size * 0.22)], fill=WHITE, stroke=INK, line=0.7)
    sheet.text(x, y + size + 2.5, label, 9, BOLD, INK, align="centre")


def scale_bar(sheet: Sheet, x: float, y: float, points_per_metre: float, longest: float) -> float:
    """A scale bar with four fields, as long as a round number of metres allows; the points that it takes."""
    metres = max((m for m in (40, 80, 100, 200, 400, 500, 800, 1000, 2000, 4000, 8000) if m * points_per_metre <= longest),
                 default=40)
    long = metres * points_per_metre
    for n in range(4):
        sheet.box(x + long * n / 4, y, long / 4, 4, fill=INK if n % 2 == 0 else WHITE, stroke=INK, line=0.6)
    for share, label in ((0, "0"), (0.5, f"{metres // 2}"), (1, f"{metres} m" if metres < 1000 else f"{metres / 1000:g} km")):
        sheet.text(x + long * share, y + 6.5, label, 7, colour=INK, align="centre" if share else "left")
    return long


def hatch(sheet: Sheet, x: float, y: float, width: float, height: float, *, step: float = 4.0, both: bool = False) -> None:
    """Slanted lines over a rectangle, for what is clipped to a shape; `both` ways for what cuts."""
    canvas = sheet.canvas
    canvas.setStrokeColor(INK)
    canvas.setLineWidth(0.5)
    path = canvas.beginPath()
    at = -height
    while at < width:
        path.moveTo(x + at, y)
        path.lineTo(x + at + height, y + height)
        if both:
            path.moveTo(x + at, y + height)
            path.lineTo(x + at + height, y)
        at += step
    canvas.drawPath(path, stroke=1, fill=0)
    canvas.setStrokeColor(LINE)
