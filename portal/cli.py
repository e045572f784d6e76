"""The `anlan` command. Each capability brings its own commands; this file only gathers them."""

from __future__ import annotations

import sys

import click
from pydantic import ValidationError

from portal.channels.speakers import commands as speakers
from portal.config import Settings
from portal.core import commands as core
from portal.identity import commands as identity
from portal.regions import commands as regions
from portal.subscribers import commands as subscribers


def load_settings() -> Settings:
    """The settings from the environment, or a list of what is wrong with them and exit 2."""
    try:
        return Settings()
    except ValidationError as error:
        click.echo("The configuration cannot be used:", err=True)
        for problem in error.errors():
            name = "_".join(str(part) for part in problem["loc"]).upper()
            name = f"ANLAN_{name.removeprefix('ANLAN_')}" if name else "settings"
            click.echo(f"  {name}: {problem['msg']}", err=True)
        sys.exit(2)


@click.group()
def main() -> None:
    """Anlan 安澜: warnings, courses and shelters for a district."""


main.add_command(core.messages)
main.add_command(core.db)
main.add_command(core.settings)
main.add_command(core.db)
main.add_command(identity.admin)
main.add_command(regions.regions)
main.add_command(speakers.speaker)
main.add_command(speakers.speakers)
main.add_command(subscribers.subscribers)


if __name__ == "__main__":
    main()
