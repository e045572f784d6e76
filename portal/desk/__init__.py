"""The operators' pages. Each file holds the pages of one thing; all share one blueprint."""

from __future__ import annotations

from flask import Blueprint


def make_blueprint() -> Blueprint:
    blueprint = Blueprint("desk", __name__, url_prefix="/desk", template_folder="templates", static_folder="static",
                          static_url_path="/static")
    from portal.desk import compose, horn_pages, live, review, status_pages, stray_pages, trail, warning_pages

    for pages in (live, warning_pages, horn_pages, compose, review, trail, status_pages, stray_pages):
        pages.add_routes(blueprint)
    return blueprint
