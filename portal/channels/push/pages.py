"""Where a browser says that it wants notifications, and which: `/push/…`, JSON both ways.

There is no sign-in: who names a subscription's address at its push service is that browser, since nobody else knows it. It is
therefore never part of an address of ours, where logs would keep it, and no cookie counts, so that other sites' pages can do
nothing here that they could not do without a browser.
"""

from __future__ import annotations

import json
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from flask import Blueprint, Response, g, request
from flask_babel import gettext as _
from werkzeug.exceptions import HTTPException

from portal import current_settings
from portal.channels.push import services, store, vapid
from portal.channels.push.encryption import Keys
from portal.config import TIERS
from portal.core import keys as secrets
from portal.core.errors import Invalid, Problem
from portal.core.i18n import LANGUAGES
from portal.identity.limits import address, limiter
from portal.web import csrf

LARGEST_BODY = 8 * 1024
#: Requests of one client address, counted per process: a school or a mobile network is one address with very many phones.
READS, CHANGES = "600 per minute", "120 per minute"
#: New devices at this process in all, so that no flood of them fills the database.
ALL = "3000 per minute"


def make_blueprint() -> Blueprint:
    blueprint = Blueprint("push", __name__, url_prefix="/push")
    csrf.exempt(blueprint)  # no cookie counts here, see above
    changes = limiter.limit(CHANGES, scope="push")
    blueprint.add_url_rule("/key", "key", limiter.limit(READS)(key))
    blueprint.add_url_rule("/device", "put", limiter.limit(ALL, key_func=_everybody)(changes(put)), methods=["POST"])
    blueprint.add_url_rule("/mine", "mine", changes(mine), methods=["POST"])
    blueprint.add_url_rule("/renew", "renew", changes(renew), methods=["POST"])
    blueprint.add_url_rule("/off", "off", changes(off), methods=["POST"])
    blueprint.before_request(_language)
    blueprint.register_error_handler(Invalid, _invalid)
    blueprint.register_error_handler(HTTPException, _refused)
    return blueprint


def _everybody() -> str:
    """One key for all clients. A name of its own: the limits of a second application in this process are then the same ones, and
    nothing counts twice."""
    return "push"


def key() -> Response:
    """The key that a browser binds its subscription to; none where notifications are turned off."""
    settings = current_settings()
    known = vapid.public_key(secrets.push_key(settings)) if settings.push_services else None
    return _answer({"key": known, "regions": store.MOST_REGIONS})


def put() -> Response:
    """Take a device in or change what it wants: `{subscription, regions, tier, language}`."""
    asked = _body()
    problems: list[Problem] = []
    subscription, wanted = _subscription(asked, "subscription", problems), _wanted(asked, problems)
    if problems or subscription is None or wanted is None:
        raise Invalid(problems)
    try:
        new = store.put(subscription, wanted, address())
    except store.TooMany:
        return _problem(429, _(
            "Very many devices behind your network address asked for notifications today, so that this one could not be added."
            " Try again tomorrow or from another network, or subscribe by text message."))
    return _answer(_told(wanted), 201 if new else 200)


def mine() -> Response:
    """What the device `{endpoint}` wants."""
    wanted = store.of(_endpoint(_body(), "endpoint"))
    return _answer({"known": False}) if wanted is None else _answer(_told(wanted))


def renew() -> Response:
    """`{old, subscription}`: the push service gave the browser another address."""
    asked = _body()
    problems: list[Problem] = []
    subscription = _subscription(asked, "subscription", problems)
    if problems or subscription is None:
        raise Invalid(problems)
    return _answer({"known": store.renew(_endpoint(asked, "old"), subscription)})


def off() -> Response:
    """`{endpoint}`: no more notifications, at once. The same answer whether or not it is known."""
    store.drop(_endpoint(_body(), "endpoint"))
    return _answer({"known": False})


def _told(wanted: store.Wanted) -> dict[str, Any]:
    return {"known": True, "regions": list(wanted.region_codes), "tier": TIERS[wanted.lowest_tier], "language": wanted.language}


def _body() -> dict[str, Any]:
    request.max_content_length = LARGEST_BODY
    try:
        asked = json.loads(request.get_data().decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Invalid.one("", _("The body is not JSON in UTF-8.")) from error
    if not isinstance(asked, dict):
        raise Invalid.one("", _("The body must be a JSON object."))
    return asked


def _endpoint(asked: dict[str, Any], field: str) -> str:
    url = asked.get(field)
    if not isinstance(url, str) or not 0 < len(url) <= services.LONGEST:
        raise Invalid.one(field, _("This is not the address of a subscription."))
    return url


def _subscription(asked: dict[str, Any], field: str, problems: list[Problem]) -> store.Subscription | None:
    given = asked.get(field)
    if not isinstance(given, dict) or not isinstance(given.get("keys"), dict):
        problems.append(Problem(field, _("The browser's subscription is missing.")))
        return None
    try:
        where = services.check(given.get("endpoint"), current_settings().push_services)
    except services.Refused:
        problems.append(Problem(f"{field}.endpoint", _(
            "Your browser's push service is not among those that this portal speaks to. Try another browser, or subscribe by text"
            " message.")))
        return None
    try:
        found = Keys(*(secrets.from_base64url(str(given["keys"].get(name))) for name in ("p256dh", "auth")))
        found.check()
    except (ValueError, UnsupportedAlgorithm):
        problems.append(Problem(f"{field}.keys", _("The keys of the browser's subscription cannot be read.")))
        return None
    return store.Subscription(where, found)


def _wanted(asked: dict[str, Any], problems: list[Problem]) -> store.Wanted | None:
    before = len(problems)
    regions, tier, language = asked.get("regions"), asked.get("tier"), asked.get("language")
    if not isinstance(regions, list) or not regions or not all(store.is_place(code) for code in regions[:store.MOST_REGIONS + 1]):
        problems.append(Problem("regions", _("Choose at least one community from the list.")))
    elif len(regions) > store.MOST_REGIONS:
        problems.append(Problem("regions", _("Choose at most %(most)s communities.", most=store.MOST_REGIONS)))
    if tier not in TIERS:
        problems.append(Problem("tier", _("Choose from which tier on you want to be told.")))
    if language not in LANGUAGES:
        problems.append(Problem("language", _("Choose Chinese or English.")))
    if len(problems) > before or not isinstance(regions, list) or not isinstance(language, str):
        return None
    return store.Wanted(tuple(dict.fromkeys(regions)), TIERS.index(str(tier)), language)


def _language() -> None:
    """Scripts ask in the language of the page that they are on."""
    if (asked := request.args.get("lang")) in LANGUAGES:
        g.language = asked


def _answer(value: dict[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(value, ensure_ascii=False) + "\n", status=status, mimetype="application/json")


def _problem(status: int, title: str, errors: list[dict[str, str]] | None = None) -> Response:
    """As RFC 9457 has it."""
    answer = _answer({"type": "about:blank", "title": title, "status": status} | ({"errors": errors} if errors else {}), status)
    answer.mimetype = "application/problem+json"
    return answer


def _invalid(error: Invalid) -> Response:
    return _problem(422, _("The input cannot be taken; nothing was changed."),
                    [{"field": p.field, "message": str(p.message)} for p in error.problems[:20]])


def _refused(error: HTTPException) -> Response:
    words = {405: _("This cannot be done here."), 413: _("The body is too large."),
             429: _("Too many requests: wait a minute and try again.")}
    code = error.code or 500
    answer = _problem(code, words.get(code, _("The request could not be understood.")))
    for name, value in error.get_headers():
        if name in ("Allow", "Retry-After"):
            answer.headers[name] = value
    return answer
