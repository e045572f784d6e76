"""Reading the sandbox: what lies on its phones, newest first, by number, region and language."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidTag
from flask import current_app
from flask_babel import lazy_gettext as _l
from sqlalchemy import case, exists, func, select

from portal.channels.sms.models import SandboxMessage, SandboxText
from portal.channels.sms.sandbox import TAIL, WRITTEN
from portal.core.db import db
from portal.core.errors import Invalid
from portal.core.phones import PhoneBook, is_demonstration, mask, parse
from portal.subscribers import store

PAGE = 12
TEXTS_SHOWN = 4
_RECEIVED = ~SandboxMessage.ref.startswith(WRITTEN)


@dataclass(frozen=True, slots=True)
class Shown:
    """One message on one phone. `number` is whole for a demonstration number and masked for any other."""

    id: int
    number: str
    regions: tuple[str, ...]
    body: str
    language: str
    segments: int
    delivered: bool
    at: datetime
    expires_at: datetime
    written: bool = False  # by the phone, to us


@dataclass(frozen=True, slots=True)
class Counts:
    """Of the messages to phones that are kept: all, those on phones that could not be reached, and the phones."""

    messages: int
    unreached: int
    phones: int


@dataclass(frozen=True, slots=True)
class Filter:
    """Which messages. Empty fields do not choose. `digits`: the last four of a number, or all of it."""

    digits: str = ""
    region: str = ""
    language: str = ""

    def __bool__(self) -> bool:
        return bool(self.digits or self.region or self.language)


def counts(chosen: Filter) -> Counts:
    """How many messages there are. Raises Invalid where the digits cannot be searched for."""
    unreached = func.coalesce(func.sum(case((SandboxMessage.delivered, 0), else_=1)), 0)
    columns = func.count(), unreached, func.count(SandboxMessage.phone_index.distinct())
    query = select(*columns).select_from(SandboxMessage).where(_RECEIVED)
    return Counts(*db.session.execute(_chosen(query, chosen)).one())


def texts() -> list[tuple[SandboxText, int]]:
    """The newest texts, each with the number of messages that carry it."""
    sent_at_all = exists().where(SandboxMessage.text_id == SandboxText.id, _RECEIVED)
    newest = db.session.scalars(select(SandboxText).where(sent_at_all).order_by(SandboxText.id.desc()).limit(TEXTS_SHOWN)).all()
    sent: dict[int, int] = {}
    for text_id, n in db.session.execute(
        select(SandboxMessage.text_id, func.count())
        .where(SandboxMessage.text_id.in_([t.id for t in newest]), _RECEIVED)
        .group_by(SandboxMessage.text_id)
    ):
        sent[text_id] = n
    return [(text, sent.get(text.id, 0)) for text in newest]


def page(chosen: Filter, before: int | None = None) -> tuple[list[Shown], int | None]:
    """The newest messages (older than `before`), and where the next page begins, None on the last."""
    query = select(SandboxMessage, SandboxText).join(SandboxText, SandboxText.id == SandboxMessage.text_id)
    if before is not None:
        query = query.where(SandboxMessage.id < before)
    rows = db.session.execute(_chosen(query, chosen).order_by(SandboxMessage.id.desc()).limit(PAGE + 1)).all()
    shown = rows[:PAGE]
    known = store.known([message.phone_index for message, _text in shown])
    return [_shown(m, t, known) for m, t in shown], shown[-1][0].id if len(rows) > PAGE else None


def _chosen(query: Any, chosen: Filter) -> Any:
    if chosen.digits:
        query = query.where(_by_digits(chosen.digits))
    if chosen.region:
        query = query.where(store.in_region(SandboxMessage.phone_index, chosen.region))
    if chosen.language:
        of_language = select(SandboxText.id).where(SandboxText.language == chosen.language)
        query = query.where(SandboxMessage.text_id.in_(of_language))
    return query


def own_number(text: str) -> str:
    """The number (E.164) of a demonstration phone that is written from. Raises Invalid at ``number`` for any other: nobody at
    the desk writes in the name of somebody who has that number."""
    try:
        number = parse(text.strip())
    except ValueError:
        number = ""
    if not is_demonstration(number):
        raise Invalid.one("number", _l("Only numbers of the demonstration can write: 129 and eight more digits."))
    return number


def _by_digits(text: str) -> Any:
    digits = text.strip().replace(" ", "").replace("-", "")
    if digits.isascii() and digits.isdigit() and len(digits) == TAIL:
        return SandboxMessage.tail == digits
    try:
        number = parse(digits)
    except ValueError as error:
        raise Invalid.one("digits", _l("Type the last four digits of the number, or all of it.")) from error
    book: PhoneBook = current_app.extensions["phones"]
    return SandboxMessage.phone_index == book.index(number)


def _shown(message: SandboxMessage, text: SandboxText, known: dict[bytes, tuple[str, list[str]]]) -> Shown:
    _language, regions = known.get(bytes(message.phone_index), ("", []))
    return Shown(
        message.id,
        _number(message),
        tuple(regions),
        text.body,
        text.language,
        text.segments,
        message.delivered,
        message.at,
        message.expires_at,
        message.ref.startswith(WRITTEN),
    )


def _number(message: SandboxMessage) -> str:
    book: PhoneBook = current_app.extensions["phones"]
    try:
        number = book.open(message.phone_sealed)
    except InvalidTag:  # sealed under a key that was lost since: the page still tells what it can
        return "****" + message.tail
    return number if is_demonstration(number) else mask(number)
