"""The desk's pages of communities: what each knows of itself and what is missing; and changing it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from portal import current_settings
from portal.core.clock import local
from portal.core.errors import Conflict, Invalid, Problem
from portal.identity.guard import current_account, signed_in
from portal.identity.models import Account
from portal.identity.rights import SHELTERS, may_in
from portal.regions import lookup
from portal.regions.codes import parent_of
from portal.regions.lookup import Node
from portal.shelters.communities import editing, store, telephones, words
from portal.shelters.communities.store import Known
from portal.shelters.paper import documents
from portal.shelters.paper import rights as print_rights
from portal.shelters.registry import store as registry

#: Empty rows under those that are there.
SPARE_POSTS = 2
_ROW = re.compile(r"(posts|risks)\.(\d{1,3})\.(\w{1,20})\Z")


def make_blueprint() -> Blueprint:
    blueprint = Blueprint("shelter_communities", __name__, url_prefix="/desk/communities", template_folder="templates",
                          static_folder="static")
    rule = blueprint.add_url_rule
    rule("/", "overview", signed_in()(overview))
    rule("/<code>/", "community", signed_in()(community))
    rule("/<code>/<any(posts, risks, ten):part>", "save", signed_in(SHELTERS)(save), methods=["POST"])
    return blueprint


def _account() -> Account:
    return current_account() or abort(401)


# -- all of them ---------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Line:
    """One community in the list."""

    node: Node
    known: Known
    shelters: int

    @property
    def lacks(self) -> bool:
        return not self.known.posts or bool(self.known.missing)


def overview() -> str:
    district = current_settings().district
    chosen, show = request.args.get("street", ""), request.args.get("show", "")
    streets = lookup.children(district)
    codes = lookup.communities_under([chosen if chosen in {s.code for s in streets} else district])
    known, capacity = store.known(codes), registry.capacity_by_community(codes)
    nodes = lookup.current().nodes
    lines = [Line(nodes[code], known[code], capacity[code].shelters if code in capacity else 0) for code in codes]
    return render_template(
        "shelters_communities/overview.html", streets=streets, chosen=chosen, show=show, total=len(lines),
        lines=[line for line in lines if line.lacks] if show == "lacking" else lines,
        without_posts=sum(1 for line in lines if not line.known.posts),
        missing=sum(len(line.known.missing) for line in lines), unknown=sum(len(line.known.unknown) for line in lines))


# -- one of them ---------------------------------------------------------------------------------------------
def _node(code: str) -> Node:
    node = lookup.get(code)
    if node is None or node.level != "community":
        abort(404)
    return node


def community(code: str) -> Any:
    return _show(_node(code))


def save(code: str, part: str) -> Any:
    node, account = _node(code), _account()
    typed, seen = _typed(part), request.form.get("seen", "")
    try:
        if part == "posts":
            editing.save_posts(account, code, typed, seen)
        elif part == "risks":
            editing.save_risks(account, code, typed, seen)
        else:
            editing.save_ten(account, code, _ten_typed(), seen)
    except Invalid as refusal:
        return _show(node, part, typed, refusal.problems, 422)
    except Conflict as refusal:
        return _show(node, part, typed, [Problem("", refusal.message)], 409, stale=True)
    flash(_("Saved."))
    return redirect(url_for("shelter_communities.community", code=code, _anchor=part))


def _typed(part: str) -> list[dict[str, str]]:
    """The rows of the form in the order in which they are to stand: by the number that was typed, else as they came."""
    found: dict[int, dict[str, str]] = {}
    for name, value in request.form.items():
        if (match := _ROW.match(name)) and match[1] == part:
            found.setdefault(int(match[2]), {})[match[3]] = value[:600]
    rows = [found[n] for n in sorted(found)]
    return sorted(rows, key=_order) if part == "posts" else rows


def _order(row: Mapping[str, str]) -> float:
    try:
        return float(row.get("order", ""))
    except ValueError:
        return 1000.0


def _ten_typed() -> dict[str, dict[str, str]]:
    return {item: {name: request.form.get(f"ten.{item}.{name}", "")[:600] for name in ("answer", "note_zh", "note_en", "checked")}
            for item in words.TEN}


def _show(node: Node, part: str = "", typed: Sequence[Mapping[str, str]] = (), problems: Sequence[Problem] = (),
          status: int = 200, *, stale: bool = False) -> tuple[str, int]:
    """The page; of the part that was refused, what was typed instead of what is stored. After a conflict the form knows the
    present state, so that saving again is a decision."""
    known = store.known([node.code])[node.code]
    account = _account()
    ten = _ten_typed() if part == "ten" else {have.item: _have_row(have) for have in known.ten}
    posts = list(typed) if part == "posts" else [_post_row(p) for p in known.posts]
    if len(posts) < editing.MOST_POSTS and part != "posts":
        posts += [{}] * SPARE_POSTS
    risks = list(typed) if part == "risks" else [*(_risk_row(r) for r in known.risks), {}]
    stamps = {name: store.stamp(node.code, [name]) for name in store.PARTS}
    if part and not stale:
        stamps[part] = request.form.get("seen", "")[:40]
    return render_template(
        "shelters_communities/community.html", node=node, street=lookup.get(parent_of(node.code) or ""), known=known, posts=posts,
        risks=risks, ten=ten, may_edit=may_in(account, SHELTERS, [node.code]), problems=list(problems), refused=part,
        stale=stale, seen=stamps, kinds=words.RISKS, answers=words.ANSWERS, day=_day, tel=telephones.tel,
        shelters=registry.listing([node.code]), paper=documents.KINDS.items(),
        may_print=print_rights.may_print(account, [node.code])), status


def _day(moment: Any) -> str:
    return f"{local(moment, current_settings().timezone):%Y-%m-%d}" if moment else ""


def _post_row(post: Any) -> dict[str, str]:
    return {"post_zh": post.post_zh, "post_en": post.post_en, "task_zh": post.task_zh, "task_en": post.task_en,
            "phone": post.phone, "mobile": "1" if telephones.is_mobile(post.phone) else ""}


def _risk_row(risk: Any) -> dict[str, str]:
    return {"code": risk.code, "kind": risk.kind, "name_zh": risk.name_zh, "name_en": risk.name_en,
            "longitude": _number(risk.longitude), "latitude": _number(risk.latitude), "people": _number(risk.people),
            "note_zh": risk.note_zh, "note_en": risk.note_en, "checked": _day(risk.checked_at)}


def _have_row(have: Any) -> dict[str, str]:
    return {"answer": have.answer, "note_zh": have.note_zh, "note_en": have.note_en, "checked": _day(have.checked_at)}


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:g}" if isinstance(value, int) else f"{value:.6f}".rstrip("0").rstrip(".")
