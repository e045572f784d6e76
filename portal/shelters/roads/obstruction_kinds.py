"""The kinds of obstructions, and what each does to ways where nobody says otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask_babel import lazy_gettext as _l

from portal.shelters.models import CUTS, SLOWS


@dataclass(frozen=True)
class Kind:
    """`radius`: metres around a point or a line; `factor`: how many times as long a slowed way takes; `families`: the
    hazard families for which it counts, empty for all."""

    label: Any
    effect: str
    radius: float
    factor: float = 1.0
    families: tuple[str, ...] = ()


KINDS: dict[str, Kind] = {
    "waterlogging": Kind(_l("Waterlogging point"), CUTS, 30.0, families=("water",)),
    "road_closed": Kind(_l("Closed road"), CUTS, 12.0),
    "bridge_closed": Kind(_l("Closed bridge"), CUTS, 15.0),
    "landslide": Kind(_l("Landslide or rockfall"), CUTS, 40.0),
    "fire": Kind(_l("Fire or smoke"), CUTS, 100.0),
    "construction": Kind(_l("Construction site"), SLOWS, 15.0, 2.0),
    "crowd": Kind(_l("Crowd"), SLOWS, 50.0, 3.0),
    "other": Kind(_l("Other obstruction"), CUTS, 20.0),
}
EFFECT_LABELS: dict[str, Any] = {CUTS: _l("cuts the way"), SLOWS: _l("slows the way")}
SOURCE_LABELS: dict[str, Any] = {"desk": _l("the desk"), "api": _l("another system"), "import": _l("an imported file")}
#: Where an obstruction stands in its life.
STATE_LABELS: dict[str, Any] = {
    "now": _l("in force"), "coming": _l("not yet begun"), "expired": _l("ended by itself"), "ended": _l("ended"),
}
