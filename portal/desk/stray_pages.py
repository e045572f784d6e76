"""Carriers' reports that name no message of ours: a mistake somewhere, which somebody should see."""

from __future__ import annotations

from flask import Blueprint, render_template, request
from sqlalchemy import select

from portal.core.db import db
from portal.desk import labels
from portal.dispatch import receipts
from portal.dispatch.models import StrayReceipt
from portal.identity.guard import signed_in

PAGE = 50


def add_routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/status/receipts/", "stray_receipts", signed_in()(stray_receipts))


def stray_receipts() -> str:
    """The newest first, a page at a time."""
    before = request.args.get("before", type=int)
    query = select(StrayReceipt).order_by(StrayReceipt.id.desc()).limit(PAGE + 1)
    if before is not None and 0 < before < 2**63:
        query = query.where(StrayReceipt.id < before)
    rows = list(db.session.execute(query).scalars())
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
