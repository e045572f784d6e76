"""The copy of everything that is kept of a phone: JSON for programs, CSV for people with a table at hand."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import phonenumbers

from portal.channels.sms import kept as sms
from portal.core.clock import utcnow
from portal.dispatch import to_one
from portal.regions import lookup
from portal.subscribers import own, wishes
from portal.subscribers.own import Kept
from portal.subscribing.door import Holder
from portal.warnings import bulletins

#: Events of the story in a copy: who changes their mind daily for years has them all.
MOST_EVENTS = 5000


def of(holder: Holder, kept: Kept | None) -> dict[str, Any]:
    """All of it, as JSON values."""
    story = own.story(kept.row.id, MOST_EVENTS) if kept else []
    said = wishes.told(kept.wishes) if kept else None
    regions = list(kept.wishes.region_codes + kept.lent_regions) if kept else []
    return {
        "made_at": utcnow().isoformat(),
        "phone": phonenumbers.format_number(phonenumbers.parse(holder.number), phonenumbers.PhoneNumberFormat.INTERNATIONAL),
        "status": kept.row.status if kept else None,
        "source": kept.row.source if kept else None,
        "since": kept.row.created_at.isoformat() if kept else None,
        "changed_at": kept.row.changed_at.isoformat() if kept else None,
        "wishes": said,
        "audiences_set_by_others": [one.key for one in kept.duties] if kept else [],
        "regions_lent": list(kept.lent_regions) if kept else [],
        "names_of_regions": lookup.names(regions),
        "history": [{"at": one.at.isoformat(), "kind": one.kind, "source": one.source, "chosen": one.detail} for one in story],
        "browsers": [{"since": one.started_at.isoformat(), "until": one.expires_at.isoformat()}
                     for one in own.browsers(holder.index)],
        "texts_to_this_phone": _texts(kept) if kept else [],
        "codes_asked_for": [{"at": one.at.isoformat(), "door": one.door, "used_at": one.used_at and one.used_at.isoformat()}
                            for one in sms.codes_of(holder.index)],
        "texts_from_this_phone": [{"at": one.at.isoformat(), "taken_for": one.command, "answer": one.answer}
                                  for one in sms.texts_of(holder.index)],
    }


def _texts(kept: Kept) -> list[dict[str, Any]]:
    """Warnings that were sent to the phone, of the newest dispatches."""
    told = []
    for sent in to_one.texts_to(kept.row.id):
        bulletin = bulletins.get(sent.bulletin_id)
        if bulletin is not None:
            told.append({"at": sent.at.isoformat(), "warning": bulletin.warning_number, "tier": bulletin.tier,
                         "hazard": bulletin.hazard, "drill": bulletin.exercise, "status": sent.status, "later": sent.later})
    return told


def as_json(everything: dict[str, Any]) -> bytes:
    return json.dumps(everything, ensure_ascii=False, indent=1).encode()


def as_csv(everything: dict[str, Any]) -> bytes:
    """Two columns, a row for each value, with the mark by which spreadsheets know UTF-8."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(("what", "value"))
    writer.writerows((name, _harmless(value)) for name, value in _rows(everything))
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def _rows(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _rows(inner, f"{name}.{key}" if name else key)
    elif isinstance(value, list) and any(isinstance(inner, dict) for inner in value):
        for place, inner in enumerate(value, 1):
            yield from _rows(inner, f"{name}.{place}")
    elif isinstance(value, list):
        yield name, "; ".join(map(str, value))
    else:
        yield name, "" if value is None else value


def _harmless(value: Any) -> Any:
    """Nothing that a spreadsheet would take for a formula."""
    return f"'{value}" if str(value)[:1] in ("=", "+", "-", "@", "\t", "\r") else value
