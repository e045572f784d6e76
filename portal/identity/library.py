"""Flask-Security, set up for what the desk needs of it: hashing with argon2 and the session's owner.

Its own pages stay away: they know neither the count of failed attempts that holds against parallel guesses,
nor the audit trail, nor our two languages. What it hooks into *every* request is taken out again, because
it would look into the session and so mark each public page as different for each visitor, which no cache
can keep.
"""

from __future__ import annotations

from flask import Flask
from flask_login.utils import _user_context_processor
from flask_security import FSQLALiteUserDatastore, RoleMixin, Security

from portal.config import Settings
from portal.core.db import db
from portal.identity.models import Account

#: Parameters of argon2 other than the library's own: 64 MiB, three passes, four lanes (RFC 9106).
HASHING: dict[str, int] = {}


class NoRoles(RoleMixin):
    """The library wants a model of roles. Rights come from duties, so there is none to store."""


def init_app(app: Flask) -> None:
    settings: Settings = app.extensions["anlan"]
    app.config.update(
        SESSION_COOKIE_NAME="anlan",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.base_url.startswith("https:"),
        # A form can be sent as long as the session lives; the token dies with it and has no clock of its own.
        WTF_CSRF_TIME_LIMIT=None,
        SESSION_PROTECTION=None,
        SECURITY_PASSWORD_HASH="argon2",  # noqa: S106  (a scheme's name)
        SECURITY_PASSWORD_SCHEMES=["argon2"],
        # argon2 salts by itself; a second secret in front would lock everybody out when the key is changed.
        SECURITY_PASSWORD_SINGLE_HASH=True,
        SECURITY_PASSWORD_HASH_PASSLIB_OPTIONS=HASHING,
        SECURITY_USER_IDENTITY_ATTRIBUTES=[
            {"username": {"mapper": lambda text: text, "case_insensitive": False}}
        ],
        SECURITY_JOIN_USER_ROLES=False,
        SECURITY_CLI_USERS_NAME=False,
        SECURITY_CLI_ROLES_NAME=False,
    )
    security = Security()
    security.init_app(app, FSQLALiteUserDatastore(db, Account, NoRoles), register_blueprint=False)
    security.login_manager.request_loader(lambda _request: None)  # no tokens in addresses or headers
    _quieten(app, security)


def _quieten(app: Flask, security: Security) -> None:
    app.after_request_funcs[None].remove(
        security.login_manager._update_remember_cookie
    )  # nobody is remembered
    app.template_context_processors[None].remove(_user_context_processor)
    app.before_request_funcs[None].remove(security.principal._on_before_request)
