"""What browsers load for it. The forms it works on are whole without: the list of choices under a picture, the lists of places
of an ordering. A page knows where each choice of a picture lies, as it knows its words, and of none whether it is right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from flask import Blueprint

from portal.training.content.values import Area


def make_blueprint() -> Blueprint:
    return Blueprint("touch", __name__, template_folder="templates", static_folder="static",
                     static_url_path="/learn/touch-static")


def rectangles(areas: Sequence[Area], places: Iterable[int]) -> tuple[tuple[float, float, float, float], ...]:
    """(left, top, width, height) in per cent of the picture, of the choice at each place."""
    return tuple((float(one.x), float(one.y), float(one.w), float(one.h)) for one in (areas[n] for n in places))
