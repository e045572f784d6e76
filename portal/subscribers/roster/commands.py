"""`anlan subscribers import`: a list taken in by somebody who owns the machine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from portal.subscribers.models import RosterImport

_NAMED = 200


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--check", is_flag=True, help="Only say what is wrong and what would change.")
@click.option("--skip-bad", is_flag=True, help="Leave bad rows out and take the others in.")
@click.option("--basis", default="", help="Where these people agreed to get texts, as by a form and its date.")
@click.option("--community", default="", help="Code of the community for rows that name none.")
@click.option("--audience", default="residents", show_default=True, help="For rows that name no audience.")
@click.option("--language", default="zh", show_default=True, type=click.Choice(["zh", "en"]), help="For rows that name none.")
def import_(file: Path, check: bool, skip_bad: bool, basis: str, community: str, audience: str, language: str) -> None:
    """Take a list of subscribers in from FILE (CSV, UTF-8 or GBK; phone, community, audiences, language). All of it, or
    nothing. Exit 1 where something is bad."""
    from flask_babel import force_locale

    from portal import create_app
    from portal.config import load_settings
    from portal.core import audit
    from portal.core.errors import Invalid
    from portal.regions import lookup
    from portal.subscribers import audiences
    from portal.subscribers.roster import batches, running, staging, taking
    from portal.subscribers.roster.rows import Said

    if not check and not basis:
        raise click.UsageError("say with --basis where these people agreed to get texts")
    if audience not in audiences.BY_KEY:
        raise click.UsageError(f"there is no audience {audience}: choose from {', '.join(audiences.BY_KEY)}")
    with create_app(load_settings()).app_context(), force_locale("en"):
        node = lookup.get(community) if community else None
        if community and (node is None or node.level != "community"):
            raise click.UsageError("--community: no community has this code")
        try:
            batch = batches.begin(None, name=file.name, basis=batches.basis_of(basis or "check"))
        except Invalid as error:
            raise click.UsageError(f"--basis: {error.problems[0].message}") from error
        with file.open("rb") as source:
            batch = staging.stage(batch.id, source, Said(community or None, audiences.mask_of([audience]), language),
                                  _progress if sys.stderr.isatty() else None)
        _tell(batch)
        if batch.state == batches.READY:
            if check or (batch.bad and not skip_bad) or not batch.new + batch.gained:
                running.drop(batch.id, audit.SYSTEM)
                _why(batch, check)
            else:
                taking.ask(None, batch.id, skip_bad=skip_bad)
                batch = running.patient(lambda: taking.take_in(batch.id))
                _say(f"taken in as list {batch.id}: {batch.new:,} new, {batch.gained:,} gained something")
        wrong = batch.state == batches.REFUSED or (batch.bad and (check or not skip_bad))
    sys.exit(1 if wrong else 0)


def _progress(rows: int, bad: int, percent: int) -> None:
    click.echo(f"\r{percent:3} %, {rows:,} rows read, {bad:,} bad ", nl=percent >= 100, err=True)


def _why(batch: RosterImport, check: bool) -> None:
    if check:
        _say("nothing was changed: this was a check")
    elif batch.new + batch.gained:
        _say("nothing was changed: mend the bad rows, or leave them out with --skip-bad")
    else:
        _say("nothing was changed: there is nothing to take in")


def _tell(batch: RosterImport) -> None:
    from portal.subscribers.roster import batches, reasons

    for fault in batches.faults(batch.id, limit=_NAMED):
        _say(f"bad      line {fault.line}: {reasons.of_row(fault.reason, fault.about)}", err=True)
    if batch.bad > _NAMED:
        _say(f"         … and {batch.bad - _NAMED:,} more bad rows", err=True)
    if batch.state != batches.READY:
        _say(f"the file cannot be taken: {reasons.of_file(batch.reason)}", err=True)
        _say("nothing was changed")
        return
    _say(f"read {batch.rows:,} rows, {batch.bad:,} bad; {batch.people:,} different phones: {batch.new:,} new, "
         f"{batch.gained:,} gain something, {batch.same:,} have all of it, {batch.left:,} left before and are not brought back")


def _say(text: str, *, err: bool = False) -> None:
    click.echo("".join(c if c.isprintable() else "\ufffd" for c in text), err=err)  # a file must not command the terminal
