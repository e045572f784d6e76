"""Texts from phones: each is acted on once and answered once, however often the carrier tells of it, and never without end.

What a text asks for and the row that says that it was done are one transaction: a carrier that calls twice, or again after we
died, finds the answer that was given. Nothing of what was written is kept, only what it was taken for.

Answers cost money, so they are counted: :attr:`Settings.sms_answers_per_phone` for one phone in 24 hours, of which the last one
says that it is the last, and :attr:`Settings.sms_answers_per_day` for all. What comes beyond is dropped; only leaving is always
done, without an answer.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from flask import Flask
from flask_babel import force_locale
from flask_babel import gettext as _
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from portal import current_settings
from portal.channels.sms import aside, kept, notices
from portal.channels.sms.models import InboundText
from portal.channels.sms.provider import Inbound
from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, insert_into, transaction
from portal.subscribers import texts, wishes

#: How long it is remembered what was answered, and the time in which answers are counted.
KEPT, DAY = timedelta(days=30), timedelta(hours=24)
_SWEPT_AT_ONCE = 5000
#: What a text was taken for, beside the keys of commands. SILENT got no answer: the carrier gave one, or too many were given.
UNKNOWN, SILENT = "unknown", "silent"
LEAVE, ERASE = "leave", "erase"

log = logging.getLogger(__name__)


def receive(provider: str, text: Inbound) -> str:
    """The words for the phone; none where it is to get no answer."""
    if (said := _said(provider, text.message_id)) is not None:
        return said
    asked = texts.ask(text.phone, text.body)
    key = asked.command.key if asked.command else UNKNOWN
    left = _left(asked.phone_index, utcnow())
    if left == 0 and key != LEAVE:
        return ""
    words, silent = "", text.answered or left == 0
    if not silent and not (asked.command and asked.command.changes):  # what only reads holds no lock
        words = texts.answer(asked)
    with transaction() as session:
        if asked.command and asked.command.trail:
            audit.serialise(session)
        if not _claim(session, provider, text.message_id, asked.phone_index, SILENT if silent else key):
            return _answer_of(session, provider, text.message_id) or ""
        if asked.command and asked.command.changes:
            words = texts.answer(asked, session)
        if key == ERASE:
            _forget(session, asked.phone_index)
        words = "" if silent else aside.signed(words + _last(asked.language) if left == 1 else words, asked.language)
        session.get_one(InboundText, (provider, text.message_id)).answer = words
    return words


def sweep(app: Flask) -> int:
    """Forget what was answered long ago; how many texts."""
    with app.app_context(), transaction() as session:
        old = select(InboundText.provider, InboundText.message_id).where(InboundText.at < utcnow() - KEPT).limit(_SWEPT_AT_ONCE)
        rows = session.execute(old).all()
        for name in {provider for provider, _id in rows}:
            ids = [message_id for provider, message_id in rows if provider == name]
            for start in range(0, len(ids), 500):
                session.execute(delete(InboundText).where(
                    InboundText.provider == name, InboundText.message_id.in_(ids[start:start + 500])))
        return len(rows)


def _said(provider: str, message_id: str) -> str | None:
    answer = _answer_of(db.session, provider, message_id)
    db.session.commit()
    return answer


def _answer_of(session: Session, provider: str, message_id: str) -> str | None:
    return session.execute(select(InboundText.answer).where(
        InboundText.provider == provider, InboundText.message_id == message_id)).scalar_one_or_none()


def _claim(session: Session, provider: str, message_id: str, phone_index: bytes, command: str) -> bool:
    """Whether it is ours to act on this text: nobody did, and whoever tries at this moment waits for us."""
    made = session.execute(insert_into(session, InboundText).values(
        provider=provider, message_id=message_id, phone_index=phone_index, command=command, answer="", at=utcnow())
        .on_conflict_do_nothing().returning(InboundText.message_id))
    return made.scalar_one_or_none() is not None


def _left(phone_index: bytes, now: datetime) -> int:
    """How many answers this phone may still get; 1: the next one is the last."""
    settings, since = current_settings(), now - DAY
    given = InboundText.at > since, InboundText.command != SILENT  # an answer that was erased was given all the same
    own = db.session.scalar(select(func.count()).where(InboundText.phone_index == phone_index, *given)) or 0
    everybody = db.session.scalar(select(func.count()).select_from(InboundText).where(*given)) or 0
    db.session.commit()
    if everybody >= settings.sms_answers_per_day:
        log.error("phones that write get no answers any more today: %d were given", everybody)
        return 0
    return max(0, settings.sms_answers_per_phone - own)


def _forget(session: Session, phone_index: bytes) -> None:
    """Who was erased is not named in earlier answers, and no welcome is on its way."""
    kept.forget_answers(session, phone_index)
    if (row := wishes.find(phone_index)) is not None:
        notices.withdraw(session, f"welcome.{row.id}.")


def _last(language: str) -> str:
    with force_locale(language):
        return _(" This is the last answer within 24 hours. Leaving always works: STOP. In danger call 119, 110 or 120.")
