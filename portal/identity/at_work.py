"""What every command of this room does around its work."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from portal.core.errors import Conflict, Forbidden, Invalid


def at_work(command: Callable[..., Any]) -> Callable[..., Any]:
    """Run the command within the application, in English, and say a refusal in words with exit 1."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> Any:
        from flask_babel import force_locale

        from portal import create_app
        from portal.config import load_settings

        with create_app(load_settings()).app_context(), force_locale("en"):
            try:
                return command(*args, **kwargs)
            except Invalid as refusal:
                for problem in refusal.problems:
                    click.echo(
                        f"{problem.field}: {problem.message}" if problem.field else str(problem.message),
                        err=True,
                    )
            except (Conflict, Forbidden) as refusal:
                click.echo(str(refusal.message), err=True)
            sys.exit(1)

    return run
