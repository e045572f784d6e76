"""What every page shares: layout, static files, security headers, error pages."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, Response, current_app, g, redirect, render_template, request, session, url_for
from flask_babel import get_locale
from flask_babel import gettext as _
from flask_wtf.csrf import CSRFError, CSRFProtect
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from werkzeug.exceptions import HTTPException

from portal.config import TIERS
from portal.core.clock import utcnow
from portal.core.errors import Conflict, Forbidden
from portal.core.i18n import LANGUAGES
from portal.web import show
from portal.web.asked import Request, local_path, refuse_nul

csrf = CSRFProtect()
STATIC = Path(__file__).parent / "static"

CONTENT_SECURITY = ("default-src 'self'; img-src 'self' data:; style-src 'self'; script-src 'self'; object-src 'none'; "
                    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'")


@cache
def _version(filename: str, mtime: float) -> str:
    return hashlib.sha256((STATIC / filename).read_bytes()).hexdigest()[:10]


def asset(filename: str) -> str:
    """URL of a static file that changes with its content, so that it may be cached for a year."""
    return url_for("web.static", filename=filename, v=_version(filename, (STATIC / filename).stat().st_mtime))


def _language() -> str:
    locale = get_locale()
    return locale.language if locale and locale.language in LANGUAGES else LANGUAGES[0]


def _headers(response: Response) -> Response:
    headers = response.headers
    headers.setdefault("Content-Security-Policy", CONTENT_SECURITY)
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "same-origin")
    headers.setdefault("X-Frame-Options", "DENY")
    headers.setdefault("Permissions-Policy", "camera=(), microphone=(), geolocation=(self)")
    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    if request.is_secure:
        headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    if request.endpoint == "web.static" and "v" in request.args:
        headers["Cache-Control"] = "public, max-age=31536000, immutable"
    elif "Cache-Control" not in headers:
        headers["Cache-Control"] = "no-store"
    return response


def _error(status: int, title: Any, message: Any, headers: dict[str, str] | None = None) -> tuple[str, int, dict[str, str]]:
    """The page that says what went wrong. It asks the database nothing, which may be what went wrong."""
    g.surface = ""
    surfaces = current_app.extensions["anlan"].surfaces
    at_desk = "desk" in surfaces and ("site" not in surfaces or request.path.startswith("/desk/"))
    return render_template("error.html", status=status, title=title, message=message, at_desk=at_desk), status, headers or {}


def init_app(app: Flask) -> None:
    blueprint = Blueprint("web", __name__, static_folder="static", static_url_path="/static", template_folder="templates")

    @blueprint.post("/language")
    def language() -> Any:
        chosen = request.form.get("language", "")
        if chosen in LANGUAGES:
            session["language"] = chosen
        return redirect(local_path(request.form.get("next"), "/"))

    app.register_blueprint(blueprint)
    app.request_class = Request
    app.before_request(refuse_nul)
    csrf.init_app(app)
    app.after_request(_headers)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(when=show.when, clock=show.clock, number=show.number, ago=show.ago)
    app.context_processor(lambda: {
        "asset": asset, "language": _language(), "settings": app.extensions["anlan"], "now": utcnow(),
        "tiers": TIERS, "tier_label": show.tier_label, "surface": g.get("surface", "")})

    @app.errorhandler(CSRFError)
    def _csrf(_error_: CSRFError) -> Any:
        return _error(400, _("This form has grown old"),
                      _("For your safety a form works for a limited time. Go back, reload the page and send it again;"
                        " nothing was changed."))

    @app.errorhandler(Forbidden)
    def _forbidden(error: Forbidden) -> Any:
        return _error(403, _("Not within your duty"), error.message)

    @app.errorhandler(Conflict)
    def _conflict(error: Conflict) -> Any:
        return _error(409, _("Somebody was quicker"), error.message)

    @app.errorhandler(HTTPException)
    def _http(error: HTTPException) -> Any:
        words = {404: (_("This page does not exist"), _("The address may be mistyped, or the page may have been withdrawn.")),
                 403: (_("Not within your duty"), _("Your account may not open this page.")),
                 413: (_("That is too much at once"), _("What you sent is larger than this form takes. Shorten it"
                                                             " and send it again.")),
                 429: (_("Too many attempts"), _("Wait a few minutes and try again."))}
        if error.code is None or error.code < 400:
            return error
        otherwise = (_("That did not work"), _("The request could not be understood. Go back and try again."))
        title, message = words.get(error.code, otherwise)
        told = {name: value for name, value in error.get_headers() if name in ("Allow", "Retry-After")}
        return _error(error.code, title, message, told)

    @app.errorhandler(OperationalError)
    @app.errorhandler(InterfaceError)
    @app.errorhandler(PoolTimeoutError)
    @app.errorhandler(TimeoutError)
    def _no_database(error: Exception) -> Any:
        app.logger.error("no database: %s %r: %s", request.method, request.path, type(error).__name__, exc_info=error)
        return _error(503, _("The system cannot be reached at the moment"),
                      _("The database does not answer. What you just sent may not have been saved: look before you send it"
                        " again. Warnings that were issued stand. Try again in a minute; if it lasts, call whoever runs"
                        " this server, and warn through another channel."), {"Retry-After": "30"})

    @app.errorhandler(Exception)
    def _broken(error: Exception) -> Any:
        app.logger.exception("request failed: %s %r", request.method, request.path)
        return _error(500, _("Something went wrong here"),
                      _("It has been written down. What was issued before stands; try again, or use another channel."))
