"""A search without JavaScript: the question in the address, answered from the same files that phones search."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, abort, current_app, request

from portal import current_settings
from portal.core.clock import utcnow
from portal.core.i18n import LANGUAGES
from portal.guides.search import words
from portal.guides.search.published import Indexes
from portal.guides.search.results import results
from portal.site import assets
from portal.site.generations import CURRENT
from portal.site.publish import root_of
from portal.site.render import Renderer

#: Seconds for which a reader may keep an answer.
KEPT_SECONDS = 60


def add(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/<language>/search/", "search", search)


def search(language: str) -> Response:
    if language not in LANGUAGES:
        abort(404)
    query = " ".join(request.args.get("q", "")[: 4 * words.LONGEST].split())[: words.LONGEST]
    index = _indexes().get(language)
    groups = results(index, query, language) if index and query else [] if query else None
    context: dict[str, Any] = {"query": query, "groups": groups, "unready": index is None,
                               "total": sum(len(group.results) + group.more for group in groups or ())}
    body = Renderer(current_settings(), utcnow(), assets.paths()).page(
        "guides/search.html", language, f"/{language}/search/", **context)
    answer = Response(body, mimetype="text/html")
    answer.headers["Cache-Control"] = f"public, max-age={KEPT_SECONDS}"
    answer.headers["X-Robots-Tag"] = "noindex"
    return answer


def _indexes() -> Indexes:
    """One for the application, so that the index is made once."""
    found = current_app.extensions.get("search_indexes")
    if found is None:
        found = current_app.extensions.setdefault("search_indexes", Indexes(root_of(current_settings()) / CURRENT))
    return found  # type: ignore[no-any-return]
