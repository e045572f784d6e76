"""Numbers that leave the portal: for the duty of subscribers alone, with a purpose and the own password, written into the trail
before the first of them goes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, current_app, render_template, request
from flask_babel import gettext as _
from sqlalchemy import Select, func, select

from portal import current_settings
from portal.core import audit
from portal.core.clock import local
from portal.core.db import db, transaction
from portal.core.errors import Invalid, Problem
from portal.core.i18n import LANGUAGES, select_language
from portal.core.phones import PhoneBook
from portal.identity import sign_in
from portal.identity.guard import signed_in
from portal.identity.limits import SIGN_IN_LIMIT, address, limiter
from portal.identity.models import Account
from portal.identity.rights import SUBSCRIBERS, regions_for
from portal.regions import lookup
from portal.subscribers import audiences
from portal.subscribers.models import ACTIVE, INVALID, OPTED_OUT, Subscriber, SubscriberRegion
from portal.subscribers.office.figures import within
from portal.subscribers.office.import_pages import download, line
from portal.subscribers.office.pages import account_here
from portal.subscribers.roster import columns

_CHUNK = 1000
LONGEST_PURPOSE = 200
_HEADS = {"zh": (*columns.HEADS["zh"], "状态", "来源", "开始日期"), "en": (*columns.HEADS["en"], "status", "source", "since")}


@dataclass(frozen=True, slots=True)
class Choice:
    """Whose numbers: of one region, perhaps of one audience or one language, in one status."""

    region: str
    audience: str
    language: str
    status: str


def add_routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/export/", "export", signed_in(SUBSCRIBERS)(export), methods=["GET", "POST"])


@limiter.limit(SIGN_IN_LIMIT, methods=["POST"])
def export() -> Any:
    account = account_here()
    if request.method == "GET":
        return _page(account)
    problems: list[Problem] = []
    choice = _choice(account, problems)
    purpose = " ".join(request.form.get("purpose", "").split())
    if not purpose or len(purpose) > LONGEST_PURPOSE or not purpose.isprintable() or sum(c.isdigit() for c in purpose) > 12:
        problems.append(Problem("purpose", _("Say in at most %(n)s characters what the numbers are for.", n=LONGEST_PURPOSE)))
    if request.form.get("sure") != "1":
        problems.append(Problem("sure", _("Say that you answer for the file.")))
    if not problems:
        try:
            sign_in.confirm(account, request.form.get("password", "")[:1000], address())
        except Invalid as refusal:
            problems += refusal.problems
    if problems:
        return _page(account, problems, 422)
    many = db.session.scalar(select(func.count()).select_from(_query(choice).subquery())) or 0
    with transaction() as session:
        audit.append(session, account.actor, "subscribers.export", f"region:{choice.region}", {
            "people": many, "purpose": purpose, "status": choice.status, "audience": choice.audience,
            "language": choice.language})
    return download(_lines(choice, select_language()), "subscribers.csv")


def _choice(account: Account, problems: list[Problem]) -> Choice:
    region, audience, language, status = (request.form.get(n, "") for n in ("region", "audience", "language", "status"))
    if region not in _regions(account):
        problems.append(Problem("region", _("Choose a region of your duty.")))
    for name, value, known in (("audience", audience, audiences.BY_KEY), ("language", language, LANGUAGES)):
        if value and value not in known:
            problems.append(Problem(name, _("Choose from the list.")))
    if status not in (ACTIVE, OPTED_OUT, INVALID):
        problems.append(Problem("status", _("Choose from the list.")))
    return Choice(region, audience, language, status)


def _regions(account: Account) -> dict[str, Any]:
    """Code → the region and how deep it lies, of all within the duty."""
    found: dict[str, Any] = {}
    for top in regions_for(account, SUBSCRIBERS):
        root = lookup.tree(top)
        stack = [(root, 0)] if root else []
        while stack:
            node, depth = stack.pop()
            found[node.code] = (node, depth)
            stack += [(child, depth + 1) for child in reversed(node.children)]
    return found


def _query(choice: Choice, *, in_order: bool = False) -> Select[int, bytes, str, int, str, str, Any]:
    query = select(Subscriber.id, Subscriber.phone_sealed, Subscriber.language, Subscriber.audiences, Subscriber.status,
                   Subscriber.source, Subscriber.created_at).where(
        Subscriber.status == choice.status, func.length(Subscriber.phone_sealed) > 0)
    if choice.region != current_settings().district:
        if in_order:
            # As an aggregate, so that it is looked up for each person on the way: as a set, PostgreSQL would make it anew for
            # each page.
            first = select(func.min(SubscriberRegion.region_code)).where(
                SubscriberRegion.subscriber_id == Subscriber.id, within([choice.region]))
            query = query.where(first.scalar_subquery().is_not(None))
        else:
            query = query.where(Subscriber.id.in_(select(SubscriberRegion.subscriber_id).where(within([choice.region]))))
    if choice.audience:
        query = query.where(Subscriber.audiences.bitwise_and(audiences.mask_of([choice.audience])) != 0)
    return query.where(Subscriber.language == choice.language) if choice.language else query


def _lines(choice: Choice, language: str) -> Iterator[bytes]:
    book: PhoneBook = current_app.extensions["phones"]
    zone, last = current_settings().timezone, 0
    yield line(_HEADS[language])
    query = _query(choice, in_order=True).order_by(Subscriber.id).limit(_CHUNK)
    while True:
        rows = db.session.execute(query.where(Subscriber.id > last)).all()
        regions: dict[int, list[str]] = {}
        for one, code in db.session.execute(select(SubscriberRegion.subscriber_id, SubscriberRegion.region_code).where(
                SubscriberRegion.subscriber_id.in_([row.id for row in rows]), within([choice.region])).order_by(
                SubscriberRegion.region_code)):
            regions.setdefault(one, []).append(code)
        db.session.rollback()  # a slow reader keeps no transaction open
        yield b"".join(line((
            _written(book.open(row.phone_sealed)), ";".join(regions.get(row.id, [])),
            ";".join(one.key for one in audiences.AUDIENCES if row.audiences >> one.bit & 1), row.language, row.status,
            row.source, f"{local(row.created_at, zone):%Y-%m-%d}")) for row in rows)
        if len(rows) < _CHUNK:
            return
        last = rows[-1].id


def _written(number: str) -> str:
    """As one dials it from here: without the sign that spreadsheets take for a sum."""
    return number.removeprefix("+86") if number.startswith("+86") else f"00{number[1:]}"


def _page(account: Account, problems: Any = (), status: int = 200) -> Any:
    return render_template("subscriber_office/export.html", problems=problems, typed=request.form, regions=_regions(account),
                           groups=audiences.AUDIENCES), status
