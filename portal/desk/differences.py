"""What changed in a draft since it was sent back: for the approver who asked for it and the author who mends it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import SequenceMatcher
from typing import Any

from flask_babel import gettext as _

from portal.core.i18n import LANGUAGES, select_language
from portal.desk import forms
from portal.desk.labels import CHANNELS
from portal.regions import lookup
from portal.subscribers.audiences import BY_KEY
from portal.warnings import hazards, words
from portal.warnings.models import Draft
from portal.warnings.target import OPTIONAL_CHANNELS
from portal.web.show import tier_label, when

#: Texts with more pieces than this are shown whole, before and after: comparing takes the square of the time.
LONGEST = 1500
#: A word of Latin letters is one piece, a Chinese character too.
_PIECE = re.compile(r"[A-Za-z0-9'’]+|\s+|.", re.DOTALL)
Parts = list[tuple[bool, str]]


@dataclass(frozen=True)
class Change:
    """One field that differs. `before` and `after`: the text in pieces, each with whether it is one that changed."""

    label: str
    before: Parts
    after: Parts
    language: str = ""


def since(seen: Mapping[str, Any], draft: Draft) -> list[Change]:
    """What differs between the content that was sent back and the draft as it is, in the order of the compose page."""
    old, new = _facts(seen), _facts({
        "exercise": draft.exercise, "hazard": draft.hazard, "tier": draft.tier, "target": draft.target,
        "region_codes": draft.region_codes, "onset": draft.onset.isoformat() if draft.onset else None,
        "expires": draft.expires.isoformat()})
    found = [Change(label, [(True, old[label])], [(True, new[label])]) for label in new if old[label] != new[label]]
    for language in LANGUAGES:
        for name in words.FIELDS:
            before, after = (texts.get(language, {}).get(name, "") for texts in (seen["words"], draft.words))
            if before != after:
                label = _("%(field)s (%(language)s)", field=words.FIELD_LABELS[name], language=words.LANGUAGE_LABELS[language])
                found.append(Change(label, *_pieces(before, after), language))
    return found


def _facts(content: Mapping[str, Any]) -> dict[str, str]:
    """What is chosen rather than written, by its label, as people read it."""
    language, aim = select_language(), content["target"]
    names = lookup.names(content["region_codes"])
    channels = aim.get("channels", OPTIONAL_CHANNELS)
    return {
        _("Real or drill"): _("Drill") if content["exercise"] else _("Real warning"),
        _("Hazard"): hazards.catalogue().name(content["hazard"], language),
        _("Tier"): str(tier_label(content["tier"])),
        _("Regions"): _listed([names.get(code, {}).get(language, code) for code in content["region_codes"]])
        or _("no region chosen yet"),
        _("Drawn area as points"): forms.area_text(aim["area"]) or _("none"),
        _("Audiences"): _listed([str(BY_KEY[key].label) for key in aim["audiences"]]) or _("everyone"),
        _("Through what"): _listed([str(CHANNELS[channel]) for channel in channels]) or _("none"),
        _("Begins"): when(datetime.fromisoformat(content["onset"])) if content["onset"] else _("at once when issued"),
        _("Ends"): when(datetime.fromisoformat(content["expires"])),
    }


def _listed(names: Sequence[str]) -> str:
    return _(", ").join(names)


def _pieces(before: str, after: str) -> tuple[Parts, Parts]:
    old, new = _PIECE.findall(before), _PIECE.findall(after)
    if max(len(old), len(new)) > LONGEST:
        return [(True, before)], [(True, after)]
    left: Parts = []
    right: Parts = []
    for tag, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        left += [(tag != "equal", "".join(old[a:b]))] if b > a else []
        right += [(tag != "equal", "".join(new[c:d]))] if d > c else []
    return left, right
