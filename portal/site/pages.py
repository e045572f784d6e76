"""Puts the rendered pages in front of an application that serves the residents' site."""

from __future__ import annotations

from typing import cast

from flask import Blueprint, Flask, g, request
from flask.blueprints import BlueprintSetupState

from portal.core.i18n import LANGUAGES
from portal.site import search
from portal.site.publish import publish, root_of
from portal.site.serve import PublicFiles


def make_blueprint() -> Blueprint:
    blueprint = Blueprint("site", __name__)

    @blueprint.record_once
    def _in_front(state: BlueprintSetupState) -> None:
        app = cast(Flask, state.app)
        files = PublicFiles(app.wsgi_app, root_of(app.extensions["anlan"]), first=lambda: publish(app))
        app.wsgi_app = files  # type: ignore[assignment,method-assign]

    @blueprint.before_app_request
    def _language_of_the_path() -> None:
        """What is not found below /en/ is told in English."""
        if (first := request.path.split("/", 2)[1]) in LANGUAGES:
            g.language = first

    search.add(blueprint)
    return blueprint
