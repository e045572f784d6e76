"""`anlan shelters`: bring shelters in from a file, and write them out."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from portal.shelters.registry.exchange.report import NEW, Finding, Report

_FORMATS = ("csv", "geojson", "jp")


@click.group()
def shelters() -> None:
    """The register of shelters."""


@shelters.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--format", "format_", type=click.Choice(_FORMATS), help="csv: our own columns; geojson; jp: Japan's lists. "
              "Without it, the file itself tells.")
@click.option("--check", is_flag=True, help="Only say what is wrong and what would change.")
@click.option("--skip-bad", is_flag=True, help="Leave bad rows out and import the others.")
@click.option("--swap-coordinates", is_flag=True, help="Turn latitude and longitude where only that makes them right.")
@click.option("--anywhere", is_flag=True, help="Take places that lie far from the district.")
@click.option("--source", default="", help="Source of the rows that name none.")
@click.option("--licence", default="", help="Licence of the rows that name none.")
def import_(file: Path, format_: str | None, check: bool, skip_bad: bool, swap_coordinates: bool, anywhere: bool,
            source: str, licence: str) -> None:
    """Add and change (by code) the shelters of FILE. All of it, or nothing; shelters that it does not name stay.

    Exit 1 where something is bad. docs/shelters-data.md describes the columns.
    """
    from portal.core.errors import Conflict
    from portal.shelters.registry import exchange

    options: dict[str, Any] = {"swap_coordinates": swap_coordinates, "anywhere": anywhere, "source": source, "licence": licence}
    with _app(), file.open("rb") as stream:
        try:
            if check:
                report = exchange.check(stream, format_, **options)
            else:
                report = exchange.apply(None, stream, format_, skip_bad=skip_bad, name=file.name, **options)
        except Conflict as conflict:
            raise click.ClickException(str(conflict.message)) from conflict
        _tell(report, file.name, check=check, skip_bad=skip_bad)
    sys.exit(1 if report.fatal or (report.bad and (check or not skip_bad)) else 0)


@shelters.command("export")
@click.argument("file", type=click.Path(dir_okay=False, writable=True, path_type=Path))
@click.option("--format", "format_", type=click.Choice(_FORMATS), help="Without it, the file's name tells: .csv, .geojson.")
@click.option("--region", "regions", multiple=True, metavar="CODE", help="Only shelters in this region; may be given again.")
@click.option("--retired", is_flag=True, help="Retired shelters too.")
def export_(file: Path, format_: str | None, regions: tuple[str, ...], retired: bool) -> None:
    """Write the shelters to FILE: csv with our own columns, geojson, or jp for Japan's list."""
    from portal.regions import codes
    from portal.shelters.registry import exchange

    if bad := [code for code in regions if not codes.is_code(code)]:
        raise click.BadParameter(f"{bad[0]!r} is not a 12-digit region code", param_hint="--region")
    format_ = format_ or ("geojson" if file.suffix.lower() in (".geojson", ".json") else "csv")
    part = file.with_name(file.name + ".part")
    try:
        with _app(), part.open("wb") as target:
            for piece in exchange.export(format_, list(regions) or None, retired=retired):
                target.write(piece)
        part.replace(file)  # a file of this name is always whole
    finally:
        part.unlink(missing_ok=True)
    click.echo(f"{file}: {format_}")


@contextmanager
def _app() -> Iterator[None]:
    """The application, speaking the terminal's language: Chinese where its locale is, else English."""
    from flask_babel import force_locale

    from portal import create_app
    from portal.config import load_settings

    spoken = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    with create_app(load_settings()).app_context(), force_locale("zh" if spoken.startswith("zh") else "en"):
        yield


def _tell(report: Report, name: str, *, check: bool, skip_bad: bool) -> None:
    for kind, findings in (("bad", report.faults), ("warning", report.warnings)):
        for finding in findings:
            click.echo(f"{kind:8} {_where(report, name, finding)}", err=True)
    if report.warned > len(report.warnings):
        click.echo(f"         … and {report.warned - len(report.warnings):,} more warnings", err=True)
    for note in report.notes:
        click.echo(f"note     {_printable(note)}", err=True)
    if check:
        for change in report.changes:
            fields = "" if change.kind == NEW else f": {', '.join(change.fields)}"
            click.echo(f"{change.kind:8} {change.code} {change.name}{fields}")
        if report.total > len(report.changes):
            click.echo(f"         … and {report.total - len(report.changes):,} more")
    click.echo(f"read {report.read:,} rows: {report.bad:,} bad, {report.warned:,} warnings")
    if report.swapped:
        click.echo(f"in {report.swapped:,} rows latitude and longitude are swapped: --swap-coordinates turns them")
    if report.unswapped:
        click.echo(f"in {report.unswapped:,} rows latitude and longitude were turned")
    if report.fatal:
        click.echo("nothing was changed, because the file could not be read to its end")
        return
    click.echo(f"shelters: {report.new:,} new, {report.changed:,} changed, {report.unchanged:,} as they were, "
               f"{report.retired:,} retired and left alone; {report.absent:,} that the file does not name stay as they are")
    if check:
        click.echo("nothing was changed: this was a check")
    elif not report.written:
        click.echo("nothing was changed: mend the bad rows, or leave them out with --skip-bad")


def _where(report: Report, name: str, finding: Finding) -> str:
    word = "feature" if report.format == "geojson" else "line"
    place = f"{name}: {word} {finding.row}" if finding.row else name
    told = ": ".join(str(part) for part in (place, finding.code, finding.column, finding.reason) if part)
    return _printable(told)


def _printable(told: object) -> str:
    """Without what could command a terminal."""
    return "".join(c if c.isprintable() else "�" for c in str(told))
