"""`anlan training …`: lists of people in and out, and a recount, for somebody who owns the machine."""

from __future__ import annotations

import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

if TYPE_CHECKING:
    from portal.training.groups.roster import Report


@click.group()
def training() -> None:
    """Learners of courses."""


@training.group()
def roster() -> None:
    """Lists of the people of a cohort."""


@roster.command("cohorts")
def cohorts() -> None:
    """The cohorts that have not ended: id, members, name."""
    from portal import create_app
    from portal.config import load_settings
    from portal.core.db import db
    from portal.training.group_models import Cohort
    from portal.training.groups.cohorts import members_of

    with create_app(load_settings()).app_context():
        for row in db.session.query(Cohort).filter(Cohort.ended_at.is_(None)).order_by(Cohort.id):
            click.echo(f"{row.id}  {members_of(row.id):>6}  {row.name}")


@roster.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--cohort", "cohort_id", type=click.UUID, required=True, help="Its id, as `cohorts` lists it.")
@click.option("--check", is_flag=True, help="Only say what is wrong and what would change.")
def import_(file: Path, cohort_id: uuid.UUID, check: bool) -> None:
    """Take the people of FILE (CSV, UTF-8 or GBK; phone, name, number, community) into a cohort: all of them, or nobody where a
    row is wrong. Exit 1 then."""
    from flask_babel import force_locale

    from portal import create_app
    from portal.config import load_settings
    from portal.core.db import db
    from portal.core.errors import Conflict
    from portal.training.group_models import Cohort
    from portal.training.groups import roster as rosters
    from portal.training.groups import roster_file, tables

    with create_app(load_settings()).app_context(), force_locale("en"):
        cohort = db.session.get(Cohort, cohort_id)
        if cohort is None:
            raise click.ClickException("there is no such cohort; `anlan training roster cohorts` lists them")
        try:
            with file.open("rb") as source:
                read = roster_file.read(source.read(tables.MOST_BYTES + 1))
            report = rosters.check(cohort, read) if check else rosters.take_in(None, cohort_id, read)
        except tables.Unreadable as error:
            where = f"line {error.line}: " if error.line else ""
            raise click.ClickException(f"{where}{error.message} Nothing was taken in.") from error
        except Conflict as error:
            raise click.ClickException(str(error.message)) from error
        _tell(report)
    sys.exit(1 if report.faults.count else 0)


@roster.command("export")
@click.option("--cohort", "cohort_id", type=click.UUID, required=True, help="Its id, as `cohorts` lists it.")
@click.argument("file", type=click.File("wb"), default="-")
def export(cohort_id: uuid.UUID, file: BinaryIO) -> None:
    """Write the people of a cohort, with their phones, to FILE (CSV as `import` reads it), or to the terminal."""
    from portal import create_app
    from portal.config import load_settings
    from portal.core import audit
    from portal.core.db import db, transaction
    from portal.training.group_models import Cohort
    from portal.training.groups import roster_file, roster_out, tables
    from portal.training.groups.cohorts import members_of

    with create_app(load_settings()).app_context():
        if db.session.get(Cohort, cohort_id) is None:
            raise click.ClickException("there is no such cohort; `anlan training roster cohorts` lists them")
        with transaction() as session:
            audit.append(session, audit.SYSTEM, "roster.export", f"cohort:{cohort_id}", {"people": members_of(cohort_id)})
        for piece in tables.written(roster_file.HEADS["zh"], roster_out.rows(cohort_id)):
            file.write(piece)


@training.command("recount")
def recount() -> None:
    """Count anew how every learner stands in every course. Never needed while all goes well; harmless."""
    from portal import create_app
    from portal.config import load_settings
    from portal.core.db import transaction
    from portal.training import standing

    with create_app(load_settings()).app_context():
        counted = 0
        for slug, ids in standing.everybody():
            with transaction() as session:
                counted += len(standing.recount(session, ids, slug))
    click.echo(f"{counted} rows counted anew")


def _tell(report: Report) -> None:
    for fault in report.faults.in_order():
        click.echo(f"line {fault.line}: " + "; ".join(
            f"{one.field}: {one.message}" if one.field else str(one.message) for one in fault.problems), err=True)
    if report.faults.left_out:
        click.echo(f"… and {report.faults.left_out} more wrong rows", err=True)
    if report.kept:
        click.echo(f"{len(report.kept)} known learners keep names that differ from the list", err=True)
    if report.ignored:
        click.echo("columns of which nothing is kept: " + ", ".join(report.ignored), err=True)
    done = "nobody was taken in" if report.faults.count else "taken in" if report.at else "checked; nobody is taken in yet"
    click.echo(f"{report.rows} rows: {report.new} new learners, {report.joined} known learners join, {report.members} were"
               f" members, {report.faults.count} wrong; {done}")
