"""`anlan doctor`: looks at a configuration as a whole and says what is missing and how to mend it.

Each check looks at one thing and yields findings. It changes nothing but the scratch files with which it
tries whether a directory can be written, and asks nobody but the database and the brokers unless it is told `--online`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import click
from flask import Flask
from flask_babel import force_locale
from flask_babel import gettext as _

from portal.config import Settings
from portal.doctor.carriers import binds, lines
from portal.doctor.choices import exposure, public_address, secrets, two_people
from portal.doctor.data import administrator, content, database, migrations, regions
from portal.doctor.evacuation import field, hazard_families, shelter_pages, shelters
from portal.doctor.findings import FAIL, MARKS, WARN, Finding
from portal.doctor.machine import catalogues, clock, instance_directory, speech, static_files
from portal.doctor.machines import connections, leading, waking
from portal.doctor.outside import broker, carrier
from portal.doctor.pages import public_pages
from portal.doctor.training import certificates, course_pages, courses, exams

Check = Callable[[Settings], Iterator[Finding]]

CHECKS: tuple[Check, ...] = (
    clock, instance_directory, database, migrations, connections, leading, waking, content, regions, administrator, secrets,
    two_people, exposure, public_address, lines, broker, speech, static_files, catalogues, public_pages, hazard_families,
    shelters, field, shelter_pages, courses, course_pages, exams, certificates,
)
ONLINE: tuple[Check, ...] = (carrier, binds)


def examine(app: Flask, online: bool = False) -> Iterator[Finding]:
    """All findings about an application's configuration, in the language of the context."""
    settings: Settings = app.extensions["anlan"]
    for check in (*CHECKS, *(ONLINE if online else ())):
        yield from check(settings)


def language() -> str:
    """The operator's language, as the terminal's environment says it; English where it says no other."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(name):
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"


@click.command()
@click.option("--online", is_flag=True, help="Also ask carriers whether they know the account.")
def doctor(online: bool) -> None:
    """Check the configuration and say in words what is missing. Exit 1 where something must be mended."""
    from portal import create_app
    from portal.config import load_settings

    settings = load_settings()
    try:
        app = create_app(settings)
    except (ValueError, OSError) as error:
        raise click.ClickException(f"the application cannot start: {error}") from error
    levels = []
    with app.app_context(), force_locale(language()):
        for finding in examine(app, online):
            levels.append(finding.level)
            click.echo(f"{MARKS[finding.level]} {finding.message}")
            if finding.mend:
                click.echo(f"    → {finding.mend}")
        failed, warned = levels.count(FAIL), levels.count(WARN)
        click.echo(_("To mend: %(failed)s. To think about: %(warned)s.", failed=failed, warned=warned))
    if failed:
        raise SystemExit(1)
