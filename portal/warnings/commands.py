"""Commands of the warnings' content."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import click


@click.group("content")
def content() -> None:
    """What editors write: hazards, guidance, templates."""


@content.command("lint")
def lint() -> None:
    """Check every hazard and every text that comes of it; exit 1 where anything is wrong."""
    from portal.config import load_settings
    from portal.warnings import hazards, templates

    settings = load_settings()
    directory = settings.content / "hazards"
    try:
        catalogue = hazards.load(settings.content)
    except hazards.ContentError as error:
        for problem in error.problems:
            click.echo(f"{directory}/{problem}")
        click.echo(f"{len(error.problems)} problems in {directory}")
        sys.exit(1)
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
    found = 0
    for hazard in catalogue.for_compose():
        for keys, wrong in templates.check(hazard, facts):
            click.echo(f"{directory}/{hazard.file}: {hazard.code} {keys}: {wrong}")
            found += 1
    click.echo(f"{len(catalogue)} hazards, {found} problems")
    sys.exit(1 if found else 0)
