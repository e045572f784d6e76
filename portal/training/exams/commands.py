"""`anlan exams`: what an operator does about exams."""

from __future__ import annotations

import sys

import click


@click.group()
def exams() -> None:
    """Exams of courses."""


@exams.command("mark")
def mark() -> None:
    """Mark the attempts whose marking failed, after the fault was mended; exit 1 where one still cannot be marked."""
    from portal import create_app
    from portal.config import load_settings
    from portal.training.exams import marking

    with create_app(load_settings()).app_context():
        done, left = marking.mark_again()
    click.echo(f"{done} attempts were marked, {left} still wait (the log says why).")
    sys.exit(1 if left else 0)
