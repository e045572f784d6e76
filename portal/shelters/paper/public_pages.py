"""Paper for everybody: a community's map, plan and blank card as PDF, of the facts as they are now."""

from __future__ import annotations

from flask import Blueprint, Response, abort, g, request
from werkzeug.exceptions import ServiceUnavailable

from portal.core.i18n import LANGUAGES
from portal.regions import lookup
from portal.shelters.paper import documents
from portal.shelters.paper.shelf import Busy, shelf
from portal.shelters.paper.source import family_or_main

#: Seconds for which a reader and a proxy may keep a sheet without asking.
KEPT_SECONDS = 300


def make_blueprint() -> Blueprint:
    blueprint = Blueprint("public_paper", __name__)
    blueprint.add_url_rule("/paper/<code>/<kind>-<language>.pdf", "sheet", sheet)
    return blueprint


def sheet(code: str, kind: str, language: str) -> Response:
    """`family` in the query chooses the group of hazards; without it, the one that this district warns of most."""
    if kind not in documents.KINDS or language not in LANGUAGES:
        abort(404)
    g.language = language
    node = lookup.get(code)
    if node is None or node.level != "community":
        abort(404)
    try:
        family = family_or_main(request.args.get("family"))
    except KeyError:
        abort(404)
    try:
        found = shelf().take(code, kind, language, family)
    except Busy:
        raise ServiceUnavailable(retry_after=5) from None
    answer = Response(found.pdf, mimetype="application/pdf")
    answer.set_etag(found.key)
    answer.headers["Cache-Control"] = f"public, max-age={KEPT_SECONDS}"
    answer.headers["Content-Disposition"] = f'inline; filename="{code}-{kind}-{language}.pdf"'
    answer.make_conditional(request)
    return answer
