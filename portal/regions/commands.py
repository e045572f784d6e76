"""`anlan regions`: bring in a district's regions."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from portal.regions.report import MAX_NAMED, Report


@click.group()
def regions() -> None:
    """The tree of regions and their boundaries."""


@regions.command("import")
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--check", is_flag=True, help="Only say what is wrong and what would change.")
@click.option("--skip-bad", is_flag=True, help="Leave bad rows out and import the others.")
def import_(files: tuple[Path, ...], check: bool, skip_bad: bool) -> None:
    """Import regions from FILES: tables (.csv: code,name_zh,name_en,pinyin,population,demonstration) and
    boundaries (.geojson: features with the property `code`). All of it, or nothing. Exit 1 where something is
    bad."""
    from portal import create_app
    from portal.config import load_settings
    from portal.core.errors import Conflict
    from portal.regions.importer import import_files

    with create_app(load_settings()).app_context():
        try:
            report = import_files(files, check=check, skip_bad=skip_bad)
        except Conflict as conflict:
            raise click.ClickException(str(conflict.message)) from conflict
    _tell(report, check)
    sys.exit(1 if report.fatal or (report.bad and (check or not skip_bad)) else 0)


def _tell(report: Report, check: bool) -> None:
    for finding in report.faults:
        click.echo(f"bad      {finding}", err=True)
    for finding in report.warnings:
        click.echo(f"warning  {finding}", err=True)
    for name, count in (("bad rows", report.bad), ("warnings", report.warned)):
        if count > MAX_NAMED:
            click.echo(f"         … and {count - MAX_NAMED:,} more {name}", err=True)
    click.echo(
        f"read {report.read:,} rows and features: {report.bad:,} bad, {report.warned:,} with a warning"
    )
    if report.fatal:
        click.echo("nothing was changed, because a file could not be read to its end")
        return
    click.echo(
        f"regions: {report.created:,} new, {report.updated:,} changed, {report.unchanged:,} as they were; "
        f"boundaries: {report.boundaries:,} set, {report.boundaries_unchanged:,} as they were"
    )
    if check:
        click.echo("nothing was changed: this was a check")
    elif not report.written:
        click.echo("nothing was changed: mend the bad rows, or leave them out with --skip-bad")
