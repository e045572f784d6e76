"""`anlan transfers …`: lists of people who need help to leave, from the command line of somebody who owns the machine."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from portal.shelters.transfers.importer import Report

_BLOCK = 64 * 1024


@click.group()
def transfers() -> None:
    """People who need help to leave."""


@transfers.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--check", is_flag=True, help="Only say what is wrong and what would change.")
@click.option("--skip-bad", is_flag=True, help="Leave bad rows out and import the others.")
def import_(file: Path, check: bool, skip_bad: bool) -> None:
    """Import a transfer list from FILE (CSV, UTF-8 or GB 18030; code, region_code, initials or name, …). All of it, or
    nothing. Exit 1 where something is bad."""
    from flask_babel import force_locale

    from portal import create_app
    from portal.config import load_settings
    from portal.shelters.transfers.importer import import_rows

    with create_app(load_settings()).app_context(), force_locale("en"):
        report = import_rows(lambda: _blocks(file), check=check, skip_bad=skip_bad)
        _tell(report, check)
    sys.exit(1 if report.fatal or (report.bad and (check or not skip_bad)) else 0)


def _blocks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as source:
        while block := source.read(_BLOCK):
            yield block


def _tell(report: Report, check: bool) -> None:
    for fault in report.faults:
        where = f"line {fault.line}" if fault.line else "row"
        why = "; ".join(f"{p.field}: {p.message}" if p.field else str(p.message) for p in fault.problems)
        _say(f"bad      {where} {fault.code}: {why}", err=True)
    if report.bad > len(report.faults):
        _say(f"         … and {report.bad - len(report.faults):,} more bad rows", err=True)
    if report.fatal:
        where = f" beyond line {report.fatal_line}" if report.fatal_line else ""
        _say(f"the file cannot be read{where}: {report.fatal}", err=True)
        _say("nothing was changed")
        return
    _say(f"read {report.read:,} rows: {report.added:,} new, {report.changed:,} changed, {report.unchanged:,} as they were, "
         f"{report.removed:,} left out because they were removed by hand, {report.bad:,} bad")
    if check:
        _say("nothing was changed: this was a check")
    elif not report.written:
        _say("nothing was changed: mend the bad rows, or leave them out with --skip-bad")


def _say(text: str, *, err: bool = False) -> None:
    click.echo("".join(c if c.isprintable() else "\ufffd" for c in text), err=err)  # a file must not command the terminal
