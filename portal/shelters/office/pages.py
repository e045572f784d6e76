"""The desk's pages of shelters and obstructions. Each file holds the pages of one thing; all share one blueprint."""

from __future__ import annotations

from flask import Blueprint


def make_blueprint() -> Blueprint:
    blueprint = Blueprint("shelter_office", __name__, url_prefix="/desk", template_folder="templates", static_folder="static",
                          static_url_path="/shelters/static")
    from portal.shelters.office import (
        dashboard,
        maps,
        obstruction_files,
        obstruction_pages,
        shelter_edit,
        shelter_files,
        shelter_pages,
    )

    for pages in (dashboard, shelter_pages, shelter_edit, shelter_files, maps, obstruction_pages, obstruction_files):
        pages.add_routes(blueprint)
    return blueprint
