"""`anlan content`: checks what editors write, of every capability."""

from __future__ import annotations

import sys

import click


@click.group("content")
def content() -> None:
    """What editors write: hazards, guidance, templates, hazard families."""


@content.command("lint")
def lint() -> None:
    """Check every hazard, every text that comes of it, and the shelters' hazard families; exit 1 where anything is wrong."""
    from portal.config import load_settings
    from portal.shelters.registry import family_content
    from portal.warnings import commands as warnings

    settings = load_settings()
    catalogue, found = warnings.lint(settings)
    events = None if catalogue is None else catalogue.hazards
    directory = (settings.content / family_content.FILE).parent
    found += [f"{directory}/{problem}" for problem in family_content.problems(settings.content, events)]
    for line in found:
        click.echo(line)
    click.echo(f"{0 if catalogue is None else len(catalogue)} hazards, {len(found)} problems")
    sys.exit(1 if found else 0)
