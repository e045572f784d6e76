"""Audiences: who within the regions. A subscriber's audiences are the bits of one number, so that SQL picks with a mask."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from flask_babel import lazy_gettext as _l


@dataclass(frozen=True)
class Audience:
    key: str
    bit: int  # never reused: it is stored
    label: object


AUDIENCES = (
    Audience("residents", 0, _l("Residents")),
    Audience("schools", 1, _l("Schools and kindergartens")),
    Audience("construction", 2, _l("Construction sites")),
    Audience("enterprises", 3, _l("Enterprises")),
    Audience("responsible", 4, _l("Responsible persons")),
    Audience("responders", 5, _l("First responders")),
    Audience("carers", 6, _l("Carers of elderly or disabled people")),
    Audience("medical", 7, _l("Hospitals and care homes")),
)
BY_KEY = {audience.key: audience for audience in AUDIENCES}


def mask_of(keys: Iterable[str]) -> int:
    """The bits of the named audiences. Raises KeyError for an unknown one."""
    mask = 0
    for key in keys:
        mask |= 1 << BY_KEY[key].bit
    return mask


def keys_of(mask: int) -> list[str]:
    """The audiences whose bits are set, in their order."""
    return [audience.key for audience in AUDIENCES if mask >> audience.bit & 1]
