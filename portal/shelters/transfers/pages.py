from __future__ import annotations

from flask import Blueprint


def make_blueprint() -> Blueprint:
    return Blueprint("shelter_transfers", __name__, template_folder="templates", static_folder="static")
