"""Puts the doors for carriers' reports in front of the application, and what all doors for carriers have in common."""

from __future__ import annotations

from typing import cast

from flask import Blueprint, Flask, abort, current_app, request
from flask.blueprints import BlueprintSetupState

from portal.channels.sms.ears import Ear
from portal.channels.sms.provider import Forged, Rejected
from portal.config import Settings
from portal.dispatch.callbacks import LARGEST_CALLBACK, Callbacks, ears
from portal.web import csrf


def make_blueprint() -> Blueprint:
    """See :mod:`portal.dispatch.callbacks`."""
    blueprint = Blueprint("hooks", __name__, url_prefix="/hooks")

    @blueprint.record_once
    def _in_front(state: BlueprintSetupState) -> None:
        app = cast(Flask, state.app)
        app.wsgi_app = Callbacks(app)  # type: ignore[assignment,method-assign]

    return blueprint


def carriers_only(blueprint: Blueprint) -> None:
    """The carrier's signature says who calls: no token is asked for, and who cannot sign is refused."""
    csrf.exempt(blueprint)
    blueprint.register_error_handler(Forged, lambda _error: ("", 403))
    blueprint.register_error_handler(Rejected, lambda _error: ("", 400))


def calling(name: str) -> Ear:
    """Who hears the carrier that this request is for; 404 where it is not ours."""
    request.max_content_length = LARGEST_CALLBACK
    return ears(current_app._get_current_object()).get(name) or abort(404)  # type: ignore[attr-defined]


def as_called(settings: Settings) -> str:
    """The address as the carrier was told it: what a proxy in front made of it does not count."""
    query = request.query_string.decode("latin-1")
    return settings.base_url + request.path + (f"?{query}" if query else "")
