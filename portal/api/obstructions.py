from __future__ import annotations

from flask import Blueprint


def make_blueprint() -> Blueprint:
    return Blueprint("api_obstructions", __name__, url_prefix="/api/v1")
