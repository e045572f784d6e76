"""The desk's page that brings obstructions in from a GeoJSON file: look first, then confirm."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from portal.core.errors import Conflict, Invalid, Problem
from portal.identity.guard import signed_in
from portal.identity.rights import SHELTERS
from portal.shelters.office import people, uploads
from portal.shelters.roads import obstruction_import as rules
from portal.shelters.roads import obstructions


def add_routes(blueprint: Blueprint) -> None:
    view = signed_in(SHELTERS)(uploads.takes_files(page))
    blueprint.add_url_rule("/obstructions/import", "obstruction_import", view, methods=["GET", "POST"])


def page() -> Any:
    """`do=look` shows what a file would change, `do=import` changes it. Nothing is changed by looking."""
    if request.method == "GET":
        return _page()
    account = people.here()
    kind = request.form.get("kind", "")
    usual = {"kind": kind} if kind in obstructions.KINDS else {}
    skip_bad = request.form.get("skip_bad") == "1"
    try:
        if request.form.get("do") != "import":
            content, name = uploads.received()
            with uploads.on_disk(content) as path:
                plan = rules.check(account, path, usual)
            return _page(plan=plan, kind=kind, name=name, kept=uploads.sealed(account, content))
        kept = request.form.get("kept", "")
        with uploads.on_disk(uploads.opened(account, kept)) as path:
            plan = rules.apply(account, path, usual, skip_bad=skip_bad)
    except Invalid as error:
        return _page(kind=kind, problems=error.problems, status=422)
    except Conflict as error:
        return _page(kind=kind, problems=[Problem("file", error.message)], status=409)
    if not plan.written:
        return _page(plan=plan, kind=kind, name=request.form.get("name", "")[:80], kept=kept, unticked=True, status=422)
    flash(_("Imported: %(new)d new, %(changed)d changed, %(bad)d left out.", new=plan.count(rules.NEW),
            changed=plan.count(rules.CHANGED), bad=len(plan.bad)))
    return redirect(url_for("shelter_office.obstructions"))


def _page(plan: rules.Plan | None = None, kind: str = "", name: str = "", kept: str = "", problems: Any = (),
          unticked: bool = False, status: int = 200) -> Any:
    return render_template("shelters_office/obstruction_import.html", plan=plan, kind=kind, name=name, kept=kept,
                           problems=list(problems), unticked=unticked, kinds=obstructions.KINDS, rules=rules,
                           largest=uploads.LARGEST_FILE // 2**20), status
