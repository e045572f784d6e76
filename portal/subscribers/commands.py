"""`anlan subscribers …`: what an administrator does with subscribers from the command line."""

from __future__ import annotations

import click

from portal.subscribers.roster.commands import import_


@click.group("subscribers")
def subscribers() -> None:
    """Subscribers of text messages."""


subscribers.add_command(import_)


@subscribers.command("seed")
@click.option(
    "--count",
    default=20_000,
    show_default=True,
    type=click.IntRange(1, 1_000_000),
    help="How many subscribers the demonstration has.",
)
def seed(count: int) -> None:
    """Take in the demonstration's subscribers, in numbers that no carrier assigns."""
    from portal import create_app, current_settings
    from portal.config import load_settings
    from portal.subscribers import demo

    with create_app(load_settings()).app_context():
        try:
            added = demo.seed(current_settings().district, count)
        except ValueError as error:
            raise click.ClickException(f"{error}; import the regions first") from error
    click.echo(f"{added.new} subscribers taken in, {added.known} were there, {added.left} had left")
