"""Accounts, duties, signing in, and the sessions that end."""

from __future__ import annotations

from flask import Flask


def init_app(app: Flask) -> None:
    """Set up password hashing, sessions and the sign-in limit. The pages come with the desk's surface."""
    from portal.identity.library import init_app as init_library
    from portal.identity.limits import limiter

    init_library(app)
    limiter.init_app(app)
