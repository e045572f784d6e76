"""The desk's form of a shelter. It works without JavaScript: rows of entrances are added and removed by buttons that send."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from portal import current_settings
from portal.core.clock import utcnow
from portal.core.errors import Conflict, Forbidden, Invalid, Problem
from portal.identity.guard import signed_in
from portal.identity.rights import SHELTERS, require_in
from portal.regions import lookup
from portal.shelters.models import Shelter
from portal.shelters.office import people, shelter_form
from portal.shelters.office.shelter_pages import found, say
from portal.shelters.registry import checks, store

_NEW_ROW = dict.fromkeys(shelter_form.ENTRANCE, "")


def add_routes(blueprint: Blueprint) -> None:
    rule, keeper = blueprint.add_url_rule, signed_in(SHELTERS)
    rule("/shelters/new", "shelter_new", keeper(new), methods=["GET", "POST"])
    rule("/shelters/<int:shelter_id>/edit", "shelter_edit", keeper(edit), methods=["GET", "POST"])


def new() -> Any:
    if request.method == "GET":
        return _form(shelter_form.empty() | {"entrances": [dict(_NEW_ROW)]}, None)
    return _sent(None)


def edit(shelter_id: int) -> Any:
    shelter = found(shelter_id)
    require_in(people.here(), SHELTERS, [shelter.region_code or current_settings().district])
    return _form(shelter_form.of(shelter), shelter) if request.method == "GET" else _sent(shelter)


def _sent(shelter: Shelter | None) -> Any:
    typed, do = shelter_form.from_request(request.form), request.form.get("do", "save")
    version = request.form.get("version", type=int)
    if do == "add-entrance":
        if len(typed["entrances"]) < checks.MAX_ENTRANCES:
            typed["entrances"].append(dict(_NEW_ROW))
        return _form(typed, shelter, version, at=f"entrances.{len(typed['entrances']) - 1}.name_zh")
    if do.startswith("remove-entrance."):
        number = do.rpartition(".")[2]
        if number.isdecimal() and int(number) < len(typed["entrances"]):
            del typed["entrances"][int(number)]
        return _form(typed, shelter, version, at="add-entrance")
    # Rows of which nothing was typed are dropped, so that the rules count the same rows as the form shows.
    values = shelter_form.values(typed, shelter)
    typed["entrances"] = values["entrances"]
    try:
        saved = store.save(people.here(), values, shelter_id=shelter.id if shelter else None, version=version)
    except Invalid as error:
        return _form(typed, shelter, version, problems=error.problems, status=422)
    except Forbidden as error:
        return _form(typed, shelter, version, problems=[Problem("region_code", error.message)], status=403)
    except Conflict as error:
        now = store.get(shelter.id) if shelter else None
        return _form(typed, now, version, problems=[Problem("", error.message)], status=409,
                     differences=shelter_form.differences(typed, now) if now else [])
    flash(_("Saved."))
    for problem in store.warnings(store.values_of(saved)):
        flash(str(problem.message))
    return redirect(url_for("shelter_office.shelter", shelter_id=saved.id))


def _form(typed: shelter_form.Typed, shelter: Shelter | None, version: int | None = None, *, problems: Any = (), at: str = "",
          differences: Any = (), status: int = 200) -> Any:
    box = lookup.box(current_settings().district)
    return render_template(
        "shelters_office/shelter_form.html", typed=typed, shelter=shelter, problems=list(problems), at=at,
        version=version if version is not None else (shelter.version if shelter else ""), labels=shelter_form.LABELS,
        differences=differences, regions=_regions(), box=",".join(f"{v:.5f}" for v in box) if box else "", choices=checks.CHOICES,
        **say(utcnow())), status


def _regions() -> list[Any]:
    """Streets with their communities, of the own duty, for the choice of a community."""
    own = set(lookup.communities_under(people.own_regions(people.here())))
    return [(street, [node for node in street.children if node.code in own]) for street in people.streets()
            if any(node.code in own for node in street.children)]
