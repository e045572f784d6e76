"""The sandbox: a carrier that sends nothing and remembers what every phone would have received.

It behaves like one: it honours the expiry, answers each message once, and tells afterwards how each ended, with a
few phones in a thousand that could not be reached, always the same ones.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from flask import current_app
from sqlalchemy import delete, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from portal.channels.sms import segments
from portal.channels.sms.models import SandboxMessage, SandboxText
from portal.channels.sms.provider import (
    ACCEPTED,
    DELIVERED,
    UNDELIVERED,
    Message,
    Receipt,
    Result,
)
from portal.config import Settings
from portal.core.clock import utcnow
from portal.core.db import transaction

UNREACHABLE_PER_MILLE = 4
UNREACHABLE_CODE = "30003"  # Twilio's word for "unreachable handset", so that the desk explains it alike
KEPT = 500_000  # messages; older ones are forgotten
#: How the ref of a message begins that a phone wrote, and did not get.
WRITTEN = "from/"
TAIL = 4


class SandboxProvider:
    """Safe to call from several threads, each inside an application context and outside a write transaction."""

    name = "sandbox"

    def __init__(self, chunk: int) -> None:
        """`chunk`: messages that are recorded, and answered, at once."""
        self._chunk = chunk

    def send(
        self,
        body: str,
        messages: Sequence[Message],
        *,
        expires_at: datetime,
        callback_url: Callable[[str], str] | None,
        on_result: Callable[[Result], None],
        halted: Callable[[], bool],
    ) -> None:
        """As `provider.Provider.send`; a request is a chunk of messages."""
        sent = 0
        while sent < len(messages) and utcnow() < expires_at and not halted():
            chunk = messages[sent : sent + self._chunk]
            self.record(body, chunk, expires_at)
            for message in chunk:
                on_result(Result(message.ref, ACCEPTED, "", f"sandbox:{message.ref}"[:64]))
            sent += len(chunk)

    def close(self) -> None:
        """Nothing is held."""

    def record(self, body: str, chunk: Sequence[Message], expires_at: datetime) -> None:
        """Keep what these phones would have received, in one transaction."""
        self._record(body, chunk, expires_at, {m.ref for m in chunk if _unreachable(m.to)})

    def _record(
        self, body: str, chunk: Sequence[Message], expires_at: datetime, unreachable: set[str]
    ) -> None:
        phones = current_app.extensions["phones"]
        now = utcnow()
        rows = [
            {
                "ref": m.ref,
                "phone_sealed": phones.seal(m.to),
                "phone_index": phones.index(m.to),
                "tail": m.to[-TAIL:],
                "delivered": m.ref not in unreachable,
                "at": now,
                "expires_at": expires_at,
            }
            for m in chunk
        ]
        with transaction() as session:
            text_id = _text_id(session, body, now)
            session.execute(insert(SandboxMessage), [row | {"text_id": text_id} for row in rows])
            newest = session.scalar(select(func.max(SandboxMessage.id))) or 0
            session.execute(delete(SandboxMessage).where(SandboxMessage.id <= newest - KEPT))


def wrote(number: str, body: str) -> str:
    """Remember that the phone with this number (E.164) wrote; the number of its text."""
    ref, now = f"{WRITTEN}{uuid.uuid4()}", utcnow()
    SandboxProvider(1)._record(body, [Message(ref, number)], now, set())
    return ref


def make(settings: Settings) -> SandboxProvider:
    return SandboxProvider(settings.flush_size)


def _text_id(session: Session, body: str, now: datetime) -> int:
    digest = hashlib.sha256(body.encode()).digest()
    found = session.scalar(select(SandboxText.id).where(SandboxText.digest == digest))
    if found is not None:
        return found
    size = segments.count(body)
    values = {
        "digest": digest,
        "body": body,
        "language": _language(body),
        "encoding": size.encoding,
        "segments": size.segments,
        "first_at": now,
    }
    session.execute(_insert_once(session), values)
    return session.scalars(select(SandboxText.id).where(SandboxText.digest == digest)).one()


def _insert_once(session: Session) -> Any:
    # Another sender may bring the same text at the same moment; both databases know ON CONFLICT, in two dialects.
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    return dialect.insert(SandboxText).on_conflict_do_nothing()


def _language(body: str) -> str:
    """A provider is told no language; Han characters tell it well enough for a filter."""
    return "zh" if any("\u4e00" <= c <= "\u9fff" for c in body) else "en"


def _unreachable(number: str) -> bool:
    return int.from_bytes(hashlib.sha256(number.encode()).digest()[:4]) % 1000 < UNREACHABLE_PER_MILLE


def receipt(message: Message) -> Receipt:
    """What the sandbox says of a message that it took."""
    status, code = (UNDELIVERED, UNREACHABLE_CODE) if _unreachable(message.to) else (DELIVERED, "")
    return Receipt(message.ref, status, code, f"sandbox:{message.ref}"[:64])
