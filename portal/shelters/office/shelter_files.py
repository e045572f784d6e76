"""The desk's page that brings shelters in from a file: look first, then confirm exactly what was looked at."""

from __future__ import annotations

import io
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from portal.core.errors import Conflict, Invalid, Problem
from portal.identity.guard import signed_in
from portal.identity.rights import SHELTERS
from portal.shelters.office import people, uploads
from portal.shelters.office.shelter_form import LABELS
from portal.shelters.registry import exchange
from portal.shelters.registry.exchange import Report

#: Findings and changes that one page names; the report counts the others.
NAMED = 100


def add_routes(blueprint: Blueprint) -> None:
    view = signed_in(SHELTERS)(uploads.takes_files(page))
    blueprint.add_url_rule("/shelters/import", "shelter_import", view, methods=["GET", "POST"])


def page() -> Any:
    """`do=look` shows what a file would change, `do=again` the same with other choices, `do=import` changes it."""
    if request.method == "GET":
        return _page()
    account, form = people.here(), request.form
    asked: dict[str, Any] = {
        "format": form.get("format", ""), "source": form.get("source", "")[:200], "licence": form.get("licence", "")[:80],
        "swap": form.get("swap") == "1", "skip_bad": form.get("skip_bad") == "1"}
    kind = asked["format"] if asked["format"] in exchange.FORMATS else None
    how: dict[str, Any] = {"swap_coordinates": asked["swap"], "source": asked["source"], "licence": asked["licence"]}
    try:
        if form.get("do") == "look":
            content, name = uploads.received()
        else:
            content, name = uploads.opened(account, form.get("kept", "")), form.get("name", "")[:80]
        if form.get("do") != "import":
            report = exchange.check(io.BytesIO(content), kind, account=account, **how)
            return _page(report, asked, name, uploads.sealed(account, content))
        report = exchange.apply(account, io.BytesIO(content), kind, skip_bad=asked["skip_bad"], name=name,
                                expected=form.get("fingerprint") or "none", **how)
    except Invalid as error:
        return _page(asked=asked, problems=error.problems, status=422)
    except Conflict as error:
        return _page(asked=asked, problems=[Problem("file", error.message)], status=409)
    if not report.written:
        return _page(report, asked, name, form.get("kept", ""), unticked=True, status=422)
    flash(_("Imported: %(new)d new, %(changed)d changed, %(bad)d rows left out.", new=report.new, changed=report.changed,
            bad=report.bad))
    return redirect(url_for("shelter_office.shelters"))


def _page(report: Report | None = None, asked: dict[str, Any] | None = None, name: str = "", kept: str = "", problems: Any = (),
          unticked: bool = False, status: int = 200) -> Any:
    return render_template(
        "shelters_office/shelter_import.html", report=report, asked=asked or {}, name=name, kept=kept, problems=list(problems),
        unticked=unticked, named=NAMED, labels=LABELS, largest=uploads.LARGEST_FILE // 2**20), status
