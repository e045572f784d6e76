"""The `anlan` command. Each capability brings its own commands; this file only gathers them."""

from __future__ import annotations

import sys

import click

from portal import content, doctor
from portal.channels.speakers import commands as speakers
from portal.config import load_settings
from portal.core import commands as core
from portal.identity import commands as identity
from portal.regions import commands as regions
from portal.shelters.communities import commands as communities
from portal.shelters.registry import commands as shelters
from portal.shelters.roads import commands as roads
from portal.shelters.roads import obstruction_commands as obstructions
from portal.shelters.transfers import commands as transfers
from portal.site import commands as site
from portal.subscribers import commands as subscribers
from portal.training.certificates import commands as certificates
from portal.training.exams import commands as exams
from portal.training.groups import commands as training


@click.group()
def main() -> None:
    """Anlan 安澜: warnings, courses and shelters for a district."""


main.add_command(core.messages)
main.add_command(core.db)
main.add_command(core.settings)
main.add_command(doctor.doctor)
main.add_command(identity.admin)
main.add_command(regions.regions)
main.add_command(communities.communities)
main.add_command(obstructions.obstructions)
main.add_command(roads.roads)
main.add_command(shelters.shelters)
main.add_command(site.site)
main.add_command(speakers.speaker)
main.add_command(speakers.speakers)
main.add_command(subscribers.subscribers)
main.add_command(transfers.transfers)
main.add_command(content.content)
main.add_command(certificates.credentials)
main.add_command(exams.exams)
main.add_command(training.training)


@main.command()
def run() -> None:
    """Web, clock and sending in one process; with ANLAN_DEMO=1 the demonstration district."""
    from portal.run import run_all

    run_all(load_settings())


@main.command()
def web() -> None:
    """Answer requests only; `worker` and `scheduler` do the rest."""
    from portal.run import run_web

    run_web(load_settings())


@main.command()
def worker() -> None:
    """Plan and send what is issued. Any number of workers share one database."""
    from portal.run import run_worker

    run_worker(load_settings())


@main.command()
def scheduler() -> None:
    """What happens by the clock: expiry, fresh public pages."""
    from portal.run import run_scheduler

    run_scheduler(load_settings())


@main.group()
def audit() -> None:
    """The audit trail."""


@audit.command("verify")
def audit_verify() -> None:
    """Find a changed, removed or inserted entry, and bulletins other than those approved; exit 1 when there is one."""
    from itertools import chain

    from portal import create_app
    from portal.core import audit as trail
    from portal.core.db import db
    from portal.warnings.bulletins import altered

    wrong = 0
    with create_app(load_settings()).app_context():
        for problem in chain(trail.verify(db.session), altered(db.session)):
            click.echo(problem)
            wrong += 1
        head = db.session.get(trail.AuditHead, 1)
        click.echo(f"{head.seq if head else 0} entries, {wrong} problems")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
