"""`anlan admin`: the first administrator, and help when nobody can sign in any more."""

from __future__ import annotations

import sys

import click
from sqlalchemy import select

from portal.core.errors import Conflict
from portal.identity.at_work import at_work
from portal.identity.models import Account
from portal.identity.token_commands import token


@click.group()
def admin() -> None:
    """Accounts of administrators, and tokens of other systems."""


admin.add_command(token)


@admin.command()
@click.argument("username")
@click.option("--region", help="Code of the region to administer; the whole district if not given.")
@click.option("--display", help="Name of the office, as colleagues know it; the user name if not given.")
@click.option(
    "--password-stdin", is_flag=True, help="Read the password from the first line of the standard input."
)
@click.option(
    "--generate",
    is_flag=True,
    help="Make a password up and print it once; it is changed at the first sign-in.",
)
@at_work
def create(
    username: str, region: str | None, display: str | None, password_stdin: bool, generate: bool
) -> None:
    """Make an administrator called USERNAME. Asks for the password twice, unless told otherwise."""
    from portal import current_settings
    from portal.identity import accounts, passwords
    from portal.identity.rights import ADMINISTRATOR

    if password_stdin and generate:
        raise click.UsageError("--password-stdin and --generate exclude each other")
    if generate:
        password = passwords.generate()
    elif password_stdin:
        password = sys.stdin.readline(1000).rstrip("\r\n")
    else:
        password = click.prompt(
            f"Password (at least {passwords.SHORTEST} characters)",
            hide_input=True,
            confirmation_prompt="Once more",
        )
    grant = accounts.Grant(ADMINISTRATOR, region or current_settings().district, "red")
    account = accounts.create(
        None, username, display or username, password, [grant], must_change_password=generate
    )
    click.echo(f"Administrator {account.username} made for region {grant.region_code}.")
    if generate:
        click.echo(f"Temporary password, shown this once: {password}")


@admin.command("list")
@at_work
def list_() -> None:
    """Every account with its state and duties, one a line."""
    from portal.core.db import db
    from portal.identity.sign_in import locked

    found = db.session.scalars(select(Account).order_by(Account.username)).all()
    if not found:
        click.echo("There is no account yet. Make the first one: anlan admin create USERNAME")
    for account in found:
        state = "deactivated" if not account.active else "locked" if locked(account) else "active"
        notes = [
            note
            for note, holds in (
                ("demonstration", account.demonstration),
                ("password not chosen yet", account.must_change_password),
            )
            if holds
        ]
        duties = (
            ", ".join(f"{d.role}:{d.region_code}:{d.highest_tier}" for d in account.duties) or "no duties"
        )
        click.echo(
            "\t".join(
                [
                    account.username,
                    account.display_name,
                    " ".join([state, *(f"({n})" for n in notes)]),
                    duties,
                ]
            )
        )


@admin.command()
@click.argument("username")
@at_work
def unlock(username: str) -> None:
    """Open the lock of USERNAME before its time."""
    from portal.core.db import db
    from portal.identity import accounts
    from portal.identity.sign_in import canonical

    account_id = db.session.scalar(select(Account.id).where(Account.username == canonical(username)))
    if account_id is None:
        raise Conflict(f"There is no account {username}; `anlan admin list` shows all.")
    accounts.unlock(None, account_id)
    click.echo(f"{canonical(username)} is unlocked.")
