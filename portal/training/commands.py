"""`anlan content sync`: loads the courses from their files."""

from __future__ import annotations

import sys

import click

#: Faults of one course that are printed; lint prints all.
MOST_FAULTS = 5


@click.command("sync")
@click.option("--faulty", is_flag=True, help="Also load courses of which `anlan content lint` says something.")
def sync(faulty: bool) -> None:
    """Load each course whose files changed as a new version; attempts in progress keep theirs. Exit 1 where a course could not
    be loaded because of what is wrong with it."""
    from flask_babel import force_locale

    from portal import create_app
    from portal.config import load_settings
    from portal.doctor import language
    from portal.training import courses_store

    refused = 0
    with create_app(load_settings()).app_context(), force_locale(language()):
        for one in courses_store.sync(faulty=faulty):
            words = "loaded as version" if one.new else "is current: version" if one.version_id else "is not loaded"
            told = f"{one.slug} {words} {one.version_id or ''}".rstrip()
            click.echo(f"{told}, {len(one.faults)} faults" if one.faults else told)
            for fault in one.faults[:MOST_FAULTS]:
                click.echo(f"  {fault}")
            refused += bool(one.faults) and not one.new and not faulty
    if refused:
        click.echo("Courses with faults stay as they were: mend them (anlan content lint), or load them with --faulty.")
    sys.exit(1 if refused else 0)
