"""What this room keeps of one phone, for whoever holds it: codes that were asked for, texts that it sent to us."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from portal.channels.sms.models import InboundText, OneTimeCode
from portal.core.db import db

MOST = 1000


class Asked(NamedTuple):
    at: datetime
    door: str
    used_at: datetime | None


class Written(NamedTuple):
    at: datetime
    command: str
    answer: str


def codes_of(phone_index: bytes) -> list[Asked]:
    """The codes of the last day, the newest first."""
    rows = db.session.execute(select(OneTimeCode.sent_at, OneTimeCode.purpose, OneTimeCode.used_at)
                              .where(OneTimeCode.phone_index == phone_index).order_by(OneTimeCode.sent_at.desc()).limit(MOST))
    return [Asked(*row) for row in rows]


def texts_of(phone_index: bytes) -> list[Written]:
    """The texts of the last days, the newest first: what each was taken for, and what it was answered."""
    rows = db.session.execute(select(InboundText.at, InboundText.command, InboundText.answer)
                              .where(InboundText.phone_index == phone_index).order_by(InboundText.at.desc()).limit(MOST))
    return [Written(*row) for row in rows]


def forget_answers(session: Session, phone_index: bytes) -> None:
    """The words of answers go; that there was a text is known until it is swept, or one that comes twice is obeyed twice."""
    session.execute(update(InboundText).where(InboundText.phone_index == phone_index).values(answer="")
                    .execution_options(synchronize_session=False))
