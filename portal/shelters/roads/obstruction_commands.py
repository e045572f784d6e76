"""`anlan obstructions`: bring obstructions in from a file."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from portal.shelters.roads.obstruction_kinds import KINDS


@click.group()
def obstructions() -> None:
    """What cuts or slows the ways."""


@obstructions.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--check", is_flag=True, help="Only say what is wrong and what would change.")
@click.option("--skip-bad", is_flag=True, help="Leave bad features out and import the others.")
@click.option("--kind", type=click.Choice(list(KINDS)), help="The kind of features that name none.")
def import_(file: Path, check: bool, skip_bad: bool, kind: str | None) -> None:
    """Import obstructions from FILE, a GeoJSON FeatureCollection (properties: see docs/api.md). All of it, or nothing. Exit 1
    where something is bad."""
    from flask_babel import force_locale

    from portal import create_app
    from portal.config import load_settings
    from portal.core.errors import Conflict
    from portal.shelters.roads import obstruction_import as rules

    usual = {"kind": kind} if kind else {}
    with create_app(load_settings()).app_context(), force_locale("en"):
        try:
            plan = rules.check(None, file, usual) if check else rules.apply(None, file, usual, skip_bad=skip_bad)
        except Conflict as conflict:
            raise click.ClickException(str(conflict.message)) from conflict
        for line in rules.told(plan.bad):
            click.echo(f"bad      {line}", err=True)
        if len(plan.bad) > rules.MAX_NAMED:
            click.echo(f"         … and {len(plan.bad) - rules.MAX_NAMED:,} more", err=True)
        if plan.fatal:
            click.echo(f"bad      {plan.fatal}", err=True)
        click.echo(f"read {len(plan.items):,} features: {plan.count(rules.NEW):,} new, {plan.count(rules.CHANGED):,} changed, "
                   f"{plan.count(rules.SAME):,} as they were, {plan.count(rules.ENDED):,} ended here and left so, "
                   f"{len(plan.bad):,} bad")
        if check:
            click.echo("nothing was changed: this was a check")
        elif not plan.written:
            click.echo("nothing was changed: mend what is bad, or leave it out with --skip-bad")
    sys.exit(1 if plan.fatal or (plan.bad and (check or not skip_bad)) else 0)
