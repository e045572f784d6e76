"""`anlan admin token`: keys with which other systems act for an account."""

from __future__ import annotations

import uuid

import click

from portal.identity.at_work import at_work


@click.group()
def token() -> None:
    """Tokens with which other systems act for an account."""


@token.command()
@click.argument("username")
@click.option("--name", required=True, help="What the other system is called.")
@click.option("--role", default="shelters", show_default=True, help="The duty of the account that the token may use.")
@click.option("--region", help="Code of the region where it may; the whole district if not given.")
@click.option("--days", default=366, show_default=True, help="For how many days it works.")
@at_work
def create(username: str, name: str, role: str, region: str | None, days: int) -> None:
    """Make a token for the account USERNAME and print it, this once."""
    from portal import current_settings
    from portal.identity import tokens

    row, plain = tokens.create(username, name, role, region or current_settings().district, days)
    click.echo(f"Token {row.id} for {row.role} in {row.region_code}, until {row.expires_at:%Y-%m-%d}.")
    click.echo(f"Shown this once: {plain}")


@token.command("list")
@at_work
def list_() -> None:
    """Every token with its state, one a line; never the token itself."""
    from portal.core.clock import utcnow
    from portal.identity import tokens

    found, now = tokens.listing(), utcnow()
    if not found:
        click.echo("There is no token yet. Make one: anlan admin token create USERNAME --name SYSTEM")
    for row, username in found:
        used = f"used {row.used_at:%Y-%m-%d %H}:00 UTC" if row.used_at else "never used"
        click.echo("\t".join([str(row.id), username, row.name, f"{row.role}:{row.region_code}",
                              f"{tokens.state_of(row, now)} until {row.expires_at:%Y-%m-%d}", used]))


@token.command()
@click.argument("token_id", type=click.UUID)
@at_work
def revoke(token_id: uuid.UUID) -> None:
    """Make the token TOKEN_ID (as `list` shows it) useless from now on."""
    from portal.identity import tokens

    row = tokens.revoke(token_id)
    click.echo(f"Revoked: {row.name}.")
