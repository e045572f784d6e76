"""The blueprint of what the desk's pages of training share. It has no pages of its own."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, g

from portal.training.office import navigation


def make_blueprint() -> Blueprint:
    blueprint = Blueprint("training_office", __name__, url_prefix="/desk", template_folder="templates", static_folder="static",
                          static_url_path="/training/static")
    blueprint.app_context_processor(_everywhere)
    return blueprint


def _everywhere() -> dict[str, Any]:
    """The layout of every page of the desk has the item; pages of training have the items below it."""
    return {"training_items": navigation.items} if g.get("surface") == "desk" else {}
