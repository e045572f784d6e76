"""The `anlan` command. Each capability brings its own commands; this file only gathers them."""

from __future__ import annotations

import sys

import click
from pydantic import ValidationError

from portal.config import Settings


def load_settings() -> Settings:
    """The settings from the environment, or a list of what is wrong with them and exit 2."""
    try:
        return Settings()
    except ValidationError as error:
        click.echo("The configuration cannot be used:", err=True)
        for problem in error.errors():
            name = "ANLAN_" + "_".join(str(p) for p in problem["loc"]).upper() if problem["loc"] else "settings"
            click.echo(f"  {name}: {problem['msg']}", err=True)
        sys.exit(2)


@click.group()
def main() -> None:
    """Anlan 安澜: warnings, courses and shelters for a district."""


@main.group()
def messages() -> None:
    """Translation catalogues."""


@messages.command("compile")
def messages_compile() -> None:
    """Compile the catalogues that changed."""
    from portal.core.i18n import compile_catalogues

    click.echo(f"{compile_catalogues()} catalogues compiled")


if __name__ == "__main__":
    main()
