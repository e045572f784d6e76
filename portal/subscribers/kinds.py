"""Kinds of danger that a subscriber may leave out, by the first signs of the event code of GB/T 35965. They are the bits of one
number, so that SQL picks with a mask."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from flask_babel import lazy_gettext as _l


@dataclass(frozen=True)
class Kind:
    key: str
    bit: int  # never reused: it is stored
    prefix: str  # of the event code
    label: object


KINDS = (
    Kind("weather", 0, "11B", _l("Weather: typhoon, rainstorm, heat, cold, fog")),
    Kind("water", 1, "11A", _l("Floods and waterlogging")),
    Kind("ground", 2, "11D", _l("Landslides and sinking ground")),
    Kind("quake", 3, "11C", _l("Earthquakes")),
    Kind("sea", 4, "11E", _l("The sea: surges, waves, red tide")),
    Kind("pests", 5, "11F", _l("Pests and plant diseases")),
    Kind("forest", 6, "11G", _l("Forest fires")),
    Kind("accidents", 7, "12", _l("Accidents: fire, chemicals, traffic, power and water")),
    Kind("health", 8, "13", _l("Public health")),
    Kind("security", 9, "14", _l("Public security")),
)
BY_KEY = {kind.key: kind for kind in KINDS}


def mask_of(keys: Iterable[str]) -> int:
    """The bits of the named kinds. Raises KeyError for an unknown one."""
    mask = 0
    for key in keys:
        mask |= 1 << BY_KEY[key].bit
    return mask


def keys_of(mask: int) -> list[str]:
    """The names of the bits."""
    return [kind.key for kind in KINDS if mask >> kind.bit & 1]


def bit_of(hazard: str) -> int:
    """The mask of the kind that an event code belongs to; 0 for one that nobody can leave out."""
    return next((1 << kind.bit for kind in KINDS if hazard.startswith(kind.prefix)), 0)
