"""A community's list with everything opened, for paper or a spreadsheet: only with a reason, which goes into the trail."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response, render_template, request

from portal import current_settings
from portal.core.clock import local, utcnow
from portal.core.errors import Invalid, Problem
from portal.identity.guard import signed_in
from portal.identity.rights import TRANSFERS
from portal.shelters.models import TransferPerson
from portal.shelters.registry import store as shelters
from portal.shelters.transfers import looks, store
from portal.shelters.transfers.here import account_here, community, goals_of
from portal.shelters.transfers.importer import COLUMNS
from portal.shelters.transfers.vault import Secrets

#: Signs with which a spreadsheet begins a formula; an apostrophe before them makes a text of them, and the importer drops it.
FORMULA = ("=", "+", "-", "@")


def add_routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/<code>/print", "paper", signed_in(TRANSFERS)(paper), methods=["GET", "POST"])


def paper(code: str) -> Any:
    account = account_here()
    node = community(account, code)
    reason, problems = request.form.get("reason", ""), list[Problem]()
    if request.method == "POST":
        as_file = request.form.get("do") == "csv"
        try:
            listed = looks.to_print(account, code, store.people_query([code]), reason, looks.EXPORT if as_file else looks.PRINT)
            return _file(code, listed) if as_file else _sheet(node, listed, reason)
        except Invalid as refusal:
            problems = refusal.problems
    return render_template("transfers/paper.html", node=node, reason=reason, problems=problems,
                           total=store.count(store.people_query([code])), most=store.MOST_LISTED), 422 if problems else 200


def _sheet(node: Any, listed: Sequence[tuple[TransferPerson, Secrets]], reason: str) -> str:
    round_ = store.round_over(node.code)
    people = [p for p, _secrets in listed]
    return render_template(
        "transfers/sheet.html", node=node, listed=listed, round=round_, reason=looks.reason_of(reason), moment=utcnow(),
        goals=goals_of(people, round_, with_steps=True), members=store.members(people, round_),
        left_out=max(0, store.count(store.people_query([node.code])) - len(listed)))


def _file(code: str, listed: Sequence[tuple[TransferPerson, Secrets]]) -> Response:
    """In the columns that the importer reads, UTF-8 with a byte order mark for spreadsheets."""
    known = shelters.by_ids(p.shelter_id for p, _secrets in listed if p.shelter_id)
    body = io.StringIO()
    writer = csv.writer(body, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for person, secrets in listed:
        values = {
            "needs": ";".join(person.needs), "families": ";".join(person.families), "phone": _dialled(secrets.phone),
            "helper_phone": _dialled(secrets.helper_phone), "name": secrets.name, "address": secrets.address,
            "shelter": known[person.shelter_id].code if person.shelter_id in known else ""}
        writer.writerow([_cell(values[c] if c in values else getattr(person, c)) for c in COLUMNS])
    day = local(utcnow(), current_settings().timezone)
    return Response("\ufeff" + body.getvalue(), mimetype="text/csv", headers={
        "Content-Disposition": f'attachment; filename="transfers-{code}-{day:%Y%m%d-%H%M}.csv"', "Cache-Control": "no-store"})


def _dialled(number: str) -> str:
    """International form without the plus, with which a spreadsheet would calculate."""
    return number.replace("+", "00", 1)


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
