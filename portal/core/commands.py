"""Commands of the house itself: catalogues, settings, migrations."""

from __future__ import annotations

import sys

import click
from flask import Flask


@click.group()
def messages() -> None:
    """Translation catalogues."""


def _known_rooms(names: tuple[str, ...]) -> None:
    from portal.core.catalogues import rooms

    if unknown := [name for name in names if name not in rooms()]:
        raise click.UsageError(f"no such room: {', '.join(unknown)}; there are {', '.join(rooms())}")


@messages.command("compile")
def messages_compile() -> None:
    """Compile the catalogues that changed."""
    from portal.core.i18n import compile_catalogues

    click.echo(f"{compile_catalogues()} catalogues compiled")


@messages.command("update")
@click.argument("rooms", nargs=-1)
def messages_update(rooms: tuple[str, ...]) -> None:
    """Bring the catalogues of ROOMS (all, where none is named) in step with the code."""
    from portal.core import catalogues

    _known_rooms(rooms)
    changed = catalogues.update(rooms)
    for path in changed:
        click.echo(f"updated {path.relative_to(catalogues.PORTAL.parent)}")
    click.echo(f"{len(changed)} catalogues changed")


@messages.command("check")
@click.argument("rooms", nargs=-1)
def messages_check(rooms: tuple[str, ...]) -> None:
    """List what is untranslated, stale or contradictory; exit 1 where there is anything."""
    from portal.core import catalogues

    _known_rooms(rooms)
    problems = catalogues.check(rooms)
    for problem in problems:
        click.echo(problem)
    click.echo(f"{len(problems)} problems in the catalogues")
    sys.exit(1 if problems else 0)


@click.group()
def db() -> None:
    """The database's tables: migrations."""


def _app() -> Flask:
    from portal import create_app
    from portal.config import load_settings

    return create_app(load_settings())


@db.command("upgrade")
@click.argument("revision", default="head")
def db_upgrade(revision: str) -> None:
    """Bring the database up to REVISION (the newest)."""
    from portal.core import migrate

    migrate.upgrade(_app(), revision)
    click.echo("the database is up to date" if revision == "head" else f"the database is at {revision}")


@db.command("downgrade")
@click.argument("revision")
def db_downgrade(revision: str) -> None:
    """Take the database down to REVISION (`-- -1`: one step; `base`: nothing). Newer tables are lost."""
    from portal.core import migrate

    migrate.downgrade(_app(), revision)
    click.echo(f"the database is at {revision}")


@db.command("check")
def db_check() -> None:
    """Tell whether the database is at the newest revision and has what the models say; exit 1 where not."""
    from portal.core import migrate

    app = _app()
    if not migrate.current_is_head(app):
        click.echo("migrations are waiting: run `anlan db upgrade`")
        sys.exit(1)
    for change in (found := migrate.differences(app)):
        click.echo(change)
    click.echo(f"{len(found)} differences between the tables and the models")
    sys.exit(1 if found else 0)


@db.command("revision")
@click.option("-m", "--message", required=True, help="What the migration is for, in a few words.")
def db_revision(message: str) -> None:
    """Write a migration from the newest revision to the present models."""
    from portal.core import migrate

    try:
        click.echo(f"wrote {migrate.revision(message)}")
    except ValueError as error:
        raise click.ClickException(str(error)) from error


@click.group()
def settings() -> None:
    """The settings."""


@settings.command("doc")
@click.option("--write", is_flag=True, help="Write docs/configuration.md instead of printing it.")
def settings_doc(write: bool) -> None:
    """Print the reference of all settings, as docs/configuration.md has it."""
    from portal.config import ROOT
    from portal.core.reference import configuration

    if write:
        (ROOT / "docs" / "configuration.md").write_text(configuration(), encoding="utf-8")
    else:
        click.echo(configuration(), nl=False)
