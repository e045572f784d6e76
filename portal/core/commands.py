"""Commands of the house itself: catalogues, settings, migrations."""

from __future__ import annotations

import sys

import click


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
