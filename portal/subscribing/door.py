"""The door: a phone proves itself by a one-time code, new or known alike, and gets a cookie for half a day."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import wraps
from typing import Any

from flask import current_app, g, redirect, request, url_for

from portal.channels.sms import codes
from portal.channels.sms.passes import Pass
from portal.core.db import transaction
from portal.core.i18n import select_language
from portal.core.phones import PhoneBook
from portal.subscribers.models import SubscriberPass

PURPOSE = "subscriber"
PATH = "/subscribe/"
#: Long enough to look something up and come back, short on a phone that is lent; a code opens it again.
PASS = Pass(SubscriberPass, "phone_index", "anlan_subscriber", PATH, lasts=timedelta(hours=12), most=4)


@dataclass(frozen=True)
class Holder:
    """Whose phone this is."""

    index: bytes
    sealed: bytes
    number: str
    key: str  # of the session at work


def ask(phone: str) -> None:
    """Send a code to the phone (E.164). Raises Invalid at `phone` when codes were asked for too often."""
    codes.send_code(phone, PURPOSE, select_language())


def enter(phone: str, code: str) -> str | None:
    """The secret for the cookie, when the code is right."""
    if not codes.check_code(phone, PURPOSE, code):
        return None
    book: PhoneBook = current_app.extensions["phones"]
    with transaction() as session:
        return PASS.begin(session, book.index(phone), phone_sealed=book.seal(phone))


def holder() -> Holder | None:
    """Who holds the phone of this request, or None. Asked of the database once per request."""
    if "subscriber_holder" not in g:
        row, book = PASS.find(), current_app.extensions["phones"]
        g.subscriber_holder = None if row is None else Holder(
            bytes(row.phone_index), bytes(row.phone_sealed), book.open(row.phone_sealed), row.token_hash)
    return g.subscriber_holder


def required(view: Callable[..., Any]) -> Callable[..., Any]:
    """A view for whoever proved a phone: it gets the :class:`Holder` first. Others go to the door."""
    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        here = holder()
        if here is None:
            return redirect(url_for("subscribing.sign_in", region=request.args.get("region", "")[:12] or None))
        return view(here, *args, **kwargs)
    return guarded


def leave() -> None:
    """End the session of this request."""
    PASS.end()
    g.pop("subscriber_holder", None)
