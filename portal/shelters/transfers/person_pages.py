"""The page of one person: opening it is a look, and so is opening the form that changes it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for

from portal import current_settings
from portal.core.errors import Conflict, Invalid, Problem
from portal.core.i18n import select_language
from portal.identity.guard import signed_in
from portal.identity.rights import TRANSFERS
from portal.regions import lookup
from portal.shelters.models import TransferPerson
from portal.shelters.registry import store as shelters
from portal.shelters.registry.suitability import families
from portal.shelters.transfers import checks, entries, looks, rights, steps, store, words
from portal.shelters.transfers.here import account_here, community, goals_of
from portal.shelters.transfers.retention import KEPT

_LISTS = ("needs", "families")


def add_routes(blueprint: Blueprint) -> None:
    rule, guard = blueprint.add_url_rule, signed_in(TRANSFERS)
    rule("/person/<uuid:person_id>/", "person", guard(show_person))
    rule("/person/<uuid:person_id>/edit", "edit", guard(edit), methods=["GET", "POST"])
    rule("/<code>/new", "new", guard(new), methods=["GET", "POST"])
    rule("/person/<uuid:person_id>/remove", "remove", guard(remove), methods=["POST"])
    rule("/person/<uuid:person_id>/restore", "restore", guard(restore), methods=["POST"])
    rule("/undo", "undo", guard(undo), methods=["POST"])


def show_person(person_id: uuid.UUID, problems: Sequence[Problem] = (), typed: dict[uuid.UUID, str] | None = None,
                status: int = 200) -> Any:
    found = looks.at_person(account_here(), person_id) or abort(404)
    person, secrets = found
    round_ = store.round_over(person.region_code)
    goal = goals_of([person], round_, with_steps=True)[person.id]
    return render_template(
        "transfers/person.html", person=person, secrets=secrets, round=round_, goal=goal, problems=problems, typed=typed or {},
        member=person.id in store.members([person], round_), history=steps.history(person.id), ref=str(uuid.uuid4()),
        conflicts=steps.conflicts([person], round_.id) if round_ else {}, links=_map_links(goal.shelter),
        map_names=words.MAPS, kept=KEPT.days), status


def _map_links(shelter: Any) -> dict[str, str]:
    """Links of map services to the shelter, never to where somebody lives."""
    if shelter is None or shelter.longitude is None or shelter.latitude is None:
        return {}
    from portal.shelters.field import maps_links

    return maps_links.links(shelter.longitude, shelter.latitude, shelter.name(select_language()))


# -- changing the list ---------------------------------------------------------------------------------------
def new(code: str) -> Any:
    account = account_here()
    node = community(account, code)
    if request.method == "GET":
        return _form({"region_code": code, "people": "1"}, node)
    typed = _typed()
    entry, problems = checks.read(typed, _shelter_id)
    if entry is not None:
        try:
            person = entries.add(account, entry)
            return _done("added", person, entries.undo_of_addition(account, person))
        except Invalid as refusal:
            problems = refusal.problems
    return _form(typed, node, problems=problems)


def edit(person_id: uuid.UUID) -> Any:
    account = account_here()
    if request.method == "GET":
        found = looks.at_person(account, person_id) or abort(404)
        person = found[0]
        return _form(_shown(person), lookup.get(person.region_code), person_id=person_id, version=person.version)
    typed, version = _typed(), request.form.get("version", 0, type=int)
    entry, problems = checks.read(typed, _shelter_id)
    conflict: Any = ""
    if entry is not None:
        try:
            person, token = entries.change(account, person_id, version, entry) or abort(404)
            return _done("changed", person, token)
        except Invalid as refusal:
            problems = refusal.problems
        except Conflict as refusal:
            conflict = refusal.message
    node = lookup.get(typed["region_code"])
    return _form(typed, node, person_id=person_id, version=version, problems=problems, conflict=conflict)


def remove(person_id: uuid.UUID) -> Any:
    account = account_here()
    person = entries.remove(account, person_id, request.form.get("version", 0, type=int)) or abort(404)
    return _done("removed", person, entries.undo_of_removal(account, person))


def restore(person_id: uuid.UUID) -> Any:
    person = entries.restore(account_here(), person_id, request.form.get("version", 0, type=int)) or abort(404)
    return redirect(url_for(".person", person_id=person.id))


def undo() -> Any:
    person = entries.undo(account_here(), request.form.get("undo", ""))
    if person.removed_at is not None:
        return redirect(url_for(".people", code=person.region_code))
    return redirect(url_for(".person", person_id=person.id))


def _done(what: str, person: TransferPerson, token: str) -> Any:
    """In the answer itself, since the undo holds what stood there before and is kept nowhere."""
    return render_template("transfers/done.html", what=what, person=person, undo=token, kept=KEPT.days)


def _typed() -> dict[str, str]:
    names = [n for n in checks.NAMES if n not in ("shelter_id", *_LISTS)] + ["shelter"]
    typed = {name: request.form.get(name, "")[:1000] for name in names}
    return typed | {name: ";".join(request.form.getlist(name)[:30]) for name in _LISTS}


def _shown(person: TransferPerson) -> dict[str, str]:
    entry = asdict(entries.of(person))
    shelter = shelters.get(person.shelter_id) if person.shelter_id else None
    shown = {k: "" if v is None else ";".join(v) if isinstance(v, tuple) else str(v) for k, v in entry.items()}
    return shown | {"shelter": shelter.code if shelter else ""}


def _shelter_id(code: str) -> int | None:
    found = shelters.by_code(code)
    return found.id if found is not None and found.retired_at is None else None


def _form(typed: dict[str, str], node: Any, *, person_id: uuid.UUID | None = None, version: int = 0,
          problems: Sequence[Problem] = (), conflict: Any = "") -> tuple[str, int]:
    own = lookup.communities_under(rights.regions(account_here()))
    status = 409 if conflict else 422 if problems else 200
    return render_template(
        "transfers/form.html", typed=typed, node=node, person_id=person_id, version=version, problems=problems, conflict=conflict,
        communities=[lookup.get(c) for c in own], shelters=shelters.listing([current_settings().district])[:500],
        families=families(), chosen={name: typed.get(name, "").split(";") for name in _LISTS}, longest=checks.LONGEST), status
