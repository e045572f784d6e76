"""Carriers' reports that name no message of ours: a mistake somewhere, which somebody should see."""

from __future__ import annotations

from flask import Blueprint, render_template, request

from portal.desk import labels
from portal.dispatch import receipts
from portal.identity.guard import signed_in

PAGE = 50


def add_routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/status/receipts/", "stray_receipts", signed_in()(stray_receipts))


def stray_receipts() -> str:
    """The newest first, a page at a time."""
    before = request.args.get("before", type=int)
    if before is not None and not 0 < before < 2**63:
        before = None
    rows = receipts.newest_strays(PAGE + 1, before)
    return render_template(
        "desk/stray_receipts.html",
        rows=rows[:PAGE],
        more=len(rows) > PAGE,
        before=before,
        count=receipts.strays(),
        kept=receipts.STRAYS_KEPT,
        days=receipts.STRAYS_DAYS,
        stage_labels=labels.STAGES,
    )
