"""What `anlan content lint` says of the hazards."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from portal.config import Settings
from portal.warnings import hazards, templates


def lint(settings: Settings) -> tuple[hazards.Catalogue | None, list[str]]:
    """(the hazards, what is wrong with them and every text that comes of them, a line each); None where they cannot be read."""
    directory = settings.content / "hazards"
    try:
        catalogue = hazards.load(settings.content)
    except hazards.ContentError as error:
        return None, [f"{directory}/{problem}" for problem in error.problems]
    return catalogue, [f"{directory}/{line}" for line in _texts(catalogue, settings)]


def _texts(catalogue: hazards.Catalogue, settings: Settings) -> Iterator[str]:
    beginning = datetime(
        2026, 11, 22, 23, 55, tzinfo=ZoneInfo(settings.timezone)
    )  # a long time in both languages
    facts = templates.Facts(
        areas=[("坪山街道", "Pingshan Subdistrict"), ("龙田街道", "Longtian Subdistrict")],
        onset=beginning,
        expires=beginning + timedelta(hours=settings.max_duration_hours),
        authority=hazards.Phrase(settings.authority_zh, settings.authority_en),
        signature=settings.sms_signature,
    )
    for hazard in catalogue.for_compose():
        for keys, wrong in templates.check(hazard, facts):
            yield f"{hazard.file}: {hazard.code} {keys}: {wrong}"
