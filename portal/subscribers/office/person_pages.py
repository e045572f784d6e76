"""One phone at the desk: looked up by its number, shown masked, ended or erased when its owner asks for it.

The number travels in the form alone, never in an address; each look stands in the trail.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, current_app, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from portal import current_settings
from portal.config import TIERS
from portal.core import audit, phones
from portal.core.db import db, impatient, transaction
from portal.core.errors import Invalid
from portal.core.phones import PhoneBook
from portal.identity.guard import signed_in
from portal.identity.limits import limiter
from portal.identity.models import Account
from portal.identity.rights import SUBSCRIBERS, may_in
from portal.subscribers import wishes
from portal.subscribers.models import ConsentEvent, Subscriber, SubscriberRegion
from portal.subscribers.office import pages
from portal.subscribers.office.pages import account_here

#: Of one account: who helps people at a counter has room, whoever tries numbers, or ends all of them, has not.
LOOKS = "30 per minute; 300 per hour"
#: How a request came, which is written down.
WAYS = {"phone": _l("by telephone"), "counter": _l("in person"), "letter": _l("in writing"),
        "hotline": _l("by the hotline 12345")}
_MOST_EVENTS = 100
#: Seconds to wait, with the trail in hand, for a list that comes in and holds the same row; and what PostgreSQL says then.
_PATIENCE, _LOCKED = 0.5, "55P03"


def add_routes(blueprint: Blueprint) -> None:
    rule, guard = blueprint.add_url_rule, signed_in(SUBSCRIBERS)
    rule("/find", "find", guard(find), methods=["POST"])
    rule("/<int:subscriber_id>/", "person", guard(person))
    rule("/<int:subscriber_id>/stop", "stop", guard(stop), methods=["POST"])
    rule("/<int:subscriber_id>/erase", "erase", guard(erase), methods=["POST"])


def _who() -> str:
    return f"subscribers {account_here().id}"


@limiter.limit(LOOKS, key_func=_who)
def find() -> Any:
    account, typed = account_here(), request.form.get("phone", "")[:40]
    try:
        number = phones.parse(typed)
    except ValueError:
        return pages.show(Invalid.one("phone", _("This is no telephone number. Type all its digits.")).problems, typed), 422
    book: PhoneBook = current_app.extensions["phones"]
    found = wishes.find(book.index(number))
    mine = found is not None and bool(found.phone_sealed) and _sees(account, found.id)
    with transaction() as session:
        audit.append(session, account.actor, "subscriber.find",
                     f"subscriber:{found.id}" if found is not None and mine else "subscriber:none", {})
    if found is None or not mine:
        told = _("No subscriber in your regions has this number.")
        return pages.show(Invalid.one("phone", told).problems, typed), 404
    return redirect(url_for(".person", subscriber_id=found.id), code=303)


@limiter.limit(LOOKS, key_func=_who)
def person(subscriber_id: int) -> Any:
    return _page(_here(subscriber_id))


@limiter.limit(LOOKS, key_func=_who)
def stop(subscriber_id: int) -> Any:
    return _act(subscriber_id, "subscriber.stop", _("From now on this phone gets no more texts. No list brings it back."))


@limiter.limit(LOOKS, key_func=_who)
def erase(subscriber_id: int) -> Any:
    return _act(subscriber_id, "subscriber.erased", _("Everything that was kept of this phone is deleted."))


def _act(subscriber_id: int, action: str, told: str) -> Any:
    account, one, way = account_here(), _here(subscriber_id), request.form.get("way", "")
    if way not in WAYS:
        return _page(one, Invalid.one("way", _("Say how the owner of the phone asked for it.")).problems, 422)
    try:
        with transaction() as session:
            audit.append(session, account.actor, action, f"subscriber:{subscriber_id}", {"way": way})
            index = one.phone_index
            with impatient(_PATIENCE):
                if action == "subscriber.stop":
                    wishes.leave(index, "desk", session=session)
                else:
                    wishes.erase(index, "desk", session=session)
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", "") != _LOCKED:
            raise
        told = _("A list that holds this phone is being taken in at this moment. Nothing was changed: try again in a minute.")
        return _page(_here(subscriber_id), Invalid.one("way", told).problems, 409)
    flash(told)
    return redirect(url_for(".overview") if action == "subscriber.erased" else url_for(".person", subscriber_id=subscriber_id),
                    code=303)


def _here(subscriber_id: int) -> Subscriber:
    """The subscriber; 404 for who is none, was erased, or lies beyond the duty."""
    if subscriber_id >= 2**63:
        abort(404)
    one = db.session.get(Subscriber, subscriber_id)
    if one is None or not one.phone_sealed or not _sees(account_here(), one.id):
        abort(404)
    return one


def _sees(account: Account, subscriber_id: int) -> bool:
    """Whether one of the communities lies within the duty; who has none belongs to the district."""
    regions = db.session.execute(select(SubscriberRegion.region_code).where(
        SubscriberRegion.subscriber_id == subscriber_id)).scalars().all()
    return any(may_in(account, SUBSCRIBERS, [code]) for code in regions or [current_settings().district])


def _page(one: Subscriber, problems: Any = (), status: int = 200) -> Any:
    account = account_here()
    book: PhoneBook = current_app.extensions["phones"]
    number = phones.mask(book.open(one.phone_sealed))
    if request.method == "GET":
        with transaction() as session:
            audit.append(session, account.actor, "subscriber.look", f"subscriber:{one.id}", {})
    regions = db.session.execute(select(SubscriberRegion.region_code).where(SubscriberRegion.subscriber_id == one.id).order_by(
        SubscriberRegion.region_code)).scalars().all()
    story = db.session.execute(select(ConsentEvent).where(ConsentEvent.subscriber_id == one.id).order_by(
        ConsentEvent.id.desc()).limit(_MOST_EVENTS)).scalars().all()
    return render_template("subscriber_office/person.html", one=one, number=number, regions=regions, story=story, ways=WAYS,
                           lowest=TIERS[one.lowest_tier], problems=problems), status
