"""Notices: a text to one person about what that person booked or holds.

Whoever has something to say queues it in the transaction of what it is about; the scheduler hands it over. What is promised:

- Queued twice under one `ref`, it goes out once. Nothing goes out after its `not_after`, and nothing is tried more than
  :data:`TRIES` times.
- A row is claimed before it is handed over, so two schedulers do not send it twice. A process that dies in between leaves
  its claim to run out; what it had handed over without writing that down is then sent a second time. To hear twice that a
  session was called off is better than not to hear it. The same holds where a carrier's answer was lost.
- Whoever asked for no more texts gets none, whichever text that answered.
- Number and words are sealed while they wait, and gone when the row has ended.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import Flask, current_app
from sqlalchemy import Select, delete, or_, select, update
from sqlalchemy.orm import Session

from portal import current_settings
from portal.channels.sms import aside
from portal.channels.sms.models import SmsNotice
from portal.channels.sms.provider import ACCEPTED, RETRY, Result
from portal.core import keys
from portal.core.clock import utcnow
from portal.core.db import db, insert_into, transaction
from portal.core.phones import PhoneBook
from portal.core.sealing import OVERHEAD, TextSeal
from portal.subscribers import store as subscribers

QUEUED, SENT, FAILED, DOUBTFUL = "queued", "sent", "failed", "doubtful"
#: Bytes of a body's UTF-8, with the signature: ten segments of Chinese are 670 characters.
LONGEST = 2000 - OVERHEAD
LONGEST_REF = 80
#: The pause after each try; after the last one the row ends.
PAUSES = tuple(timedelta(seconds=s) for s in (30, 120, 600, 1800))
TRIES = len(PAUSES) + 1
#: Rows that are claimed at once, how long a claim holds, and how long one batch and one run may take.
BATCH, LEASE, BATCH_SECONDS, RUN_SECONDS = 100, timedelta(minutes=5), 60.0, 120.0
#: How long it is remembered that something was said, so that it is not said again: longer than anything is queued ahead.
KEPT, PURGED_AT_ONCE = timedelta(days=400), 1000

log = logging.getLogger(__name__)


def queue(session: Session, ref: str, phone_sealed: bytes, body: str, not_after: datetime) -> bool:
    """Queue a text in the caller's transaction; whether it is new. `ref` (at most 80 signs, nothing of a person in it) says
    what it is about; `phone_sealed` as the portal's phone book seals; Chinese words get the sender's signature here. Nothing
    is sent after `not_after`. Raises ValueError for a body or a ref that is too long."""
    body = aside.signed(body, _language(body))
    if not ref or len(ref) > LONGEST_REF or len(body.encode()) > LONGEST:
        raise ValueError("the notice is too long")
    made = session.execute(insert_into(session, SmsNotice).values(
        ref=ref, phone_sealed=phone_sealed, body_sealed=_seal().seal(body, _place(ref)), state=QUEUED, tries=0, due_at=utcnow(),
        not_after=not_after).on_conflict_do_nothing().returning(SmsNotice.id))
    return made.scalar_one_or_none() is not None


def withdraw(session: Session, beginning: str) -> None:
    """What is no longer true is not sent, as far as it is not on its way: whatever waits under a ref that begins like this. It
    may be queued again later. Asks for what waits, which is little, whatever was sent before."""
    waits = select(SmsNotice.id).where(SmsNotice.state == QUEUED, SmsNotice.ref.startswith(beginning, autoescape=True))
    ids = session.execute(waits.order_by(SmsNotice.id).with_for_update()).scalars().all()
    session.execute(delete(SmsNotice).where(SmsNotice.id.in_(ids)))


def send_due(app: Flask) -> int:
    """Hand over what is due, end what is too late, forget what is old; how many the carrier took."""
    taken, until = 0, time.monotonic() + RUN_SECONDS
    with app.app_context():
        _tidy()
        while time.monotonic() < until and (claimed := _claim()):
            told, went_on = _hand_over(claimed)
            taken += told
            if not went_on:
                break
    return taken


# -- what is due ---------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class _Claimed:
    id: int
    number: str
    body: str
    tries: int
    not_after: datetime


def _due(now: datetime) -> Select[int]:
    return select(SmsNotice.id).where(SmsNotice.state == QUEUED, SmsNotice.due_at <= now)


def _claim() -> list[_Claimed]:
    """Some of what is due, so that nobody else takes it while the claim holds."""
    now = utcnow()
    if db.session.execute(_due(now).limit(1)).first() is None:  # looking costs no write
        db.session.commit()
        return []
    with transaction() as session:
        ids = session.execute(_due(now).where(SmsNotice.tries < TRIES, SmsNotice.not_after > now).order_by(SmsNotice.due_at)
                              .limit(BATCH).with_for_update(skip_locked=True)).scalars().all()
        rows = session.execute(select(SmsNotice).where(SmsNotice.id.in_(ids))).scalars().all()
        for row in rows:
            row.tries, row.due_at = row.tries + 1, now + LEASE
    return _without_those_who_left([opened for row in rows if (opened := _open(row)) is not None])


def _without_those_who_left(claimed: Sequence[_Claimed]) -> list[_Claimed]:
    book: PhoneBook = current_app.extensions["phones"]
    indexes = {one.id: book.index(one.number) for one in claimed}
    left = subscribers.stopped(list(indexes.values())) if indexes else set()
    if gone := [one.id for one in claimed if indexes[one.id] in left]:
        _write([], dict.fromkeys(gone, FAILED), {})
    return [one for one in claimed if one.id not in gone]


def _open(row: SmsNotice) -> _Claimed | None:
    book: PhoneBook = current_app.extensions["phones"]
    try:
        return _Claimed(row.id, book.open(row.phone_sealed), _seal().open(row.body_sealed, _place(row.ref)), row.tries,
                        row.not_after)
    except Exception as error:  # sealed under another key: no try will open it
        log.error("a notice cannot be opened: %s", type(error).__name__)
        _write([row.id], {row.id: FAILED}, {})
        return None


def _hand_over(claimed: Sequence[_Claimed]) -> tuple[int, bool]:
    """How many were taken, and whether it is worth going on now."""
    groups: dict[tuple[str, datetime], list[_Claimed]] = {}
    for one in claimed:
        groups.setdefault((one.body, one.not_after), []).append(one)
    taken, until, went_on = 0, time.monotonic() + BATCH_SECONDS, True
    for (body, not_after), group in groups.items():
        results: Mapping[str, Result] = {}
        left = until - time.monotonic()
        if went_on and left > 0:
            try:
                results = aside.hand_over(body, {str(one.id): one.number for one in group}, expires_at=not_after, seconds=left)
            except Exception as error:  # whatever the carrier's library throws; its text may hold a number
                log.error("notices could not be handed over: %s", type(error).__name__)
                results = {str(one.id): Result(str(one.id), RETRY, unsure=True) for one in group}
        taken += sum(result.status == ACCEPTED for result in results.values())
        went_on = went_on and any(result.status != RETRY for result in results.values())
        _answered(group, results)
    return taken, went_on


def _answered(group: Sequence[_Claimed], results: Mapping[str, Result]) -> None:
    """Write down what became of those that had one body."""
    now, states, again = utcnow(), dict[int, str](), dict[int, datetime]()
    unbegun = []
    for one in group:
        result = results.get(str(one.id))
        if result is None:
            unbegun.append(one.id)
        elif result.status == ACCEPTED:
            states[one.id] = SENT
        elif result.status != RETRY:
            states[one.id] = FAILED
        else:
            pause = PAUSES[one.tries - 1] if one.tries <= len(PAUSES) else None
            at = now + max(pause, timedelta(seconds=min(result.retry_after or 0, 3600))) if pause else None
            if at is None or at >= one.not_after:
                states[one.id] = DOUBTFUL if result.unsure else FAILED
            else:
                again[one.id] = at
    _write(unbegun, states, again)


def _write(unbegun: Sequence[int], states: Mapping[int, str], again: Mapping[int, datetime]) -> None:
    now = utcnow()
    with transaction() as session:  # locked, in the order in which they are withdrawn: what is gone by then is left alone
        rows = session.execute(select(SmsNotice).where(SmsNotice.id.in_([*unbegun, *states, *again])).order_by(
            SmsNotice.id).with_for_update()).scalars()
        for row in rows:
            if row.id in states:
                row.state, row.ended_at, row.phone_sealed, row.body_sealed = states[row.id], now, b"", b""
            elif row.id in again:
                row.due_at = again[row.id]
            else:  # it was not tried
                row.due_at, row.tries = now + PAUSES[0], max(0, row.tries - 1)


def _tidy() -> None:
    """End what is too late or was tried too often, and forget what ended long ago."""
    now = utcnow()
    late = or_(SmsNotice.not_after <= now, SmsNotice.tries >= TRIES)
    ended = {"ended_at": now, "phone_sealed": b"", "body_sealed": b""}
    old = select(SmsNotice.id).where(SmsNotice.ended_at < now - KEPT).limit(PURGED_AT_ONCE)
    if db.session.execute(_due(now).where(late).limit(1)).first() is None and db.session.execute(old.limit(1)).first() is None:
        db.session.commit()
        return
    with transaction() as session:
        over = [SmsNotice.state == QUEUED, SmsNotice.due_at <= now]
        # Its last claim ran out: whoever held it never wrote down what the carrier said.
        session.execute(update(SmsNotice).where(*over, SmsNotice.tries >= TRIES).values(state=DOUBTFUL, **ended))
        session.execute(update(SmsNotice).where(*over, SmsNotice.not_after <= now).values(state=FAILED, **ended))
        session.execute(delete(SmsNotice).where(SmsNotice.id.in_(old)))


# -- sealing -------------------------------------------------------------------------------------------------
def _seal() -> TextSeal:
    found = current_app.extensions.get("notice_seal")
    if found is None:
        found = current_app.extensions["notice_seal"] = TextSeal(keys.phone_key(current_settings()), "sms notice")
    return found


def _place(ref: str) -> str:
    return f"sms_notice.{ref}"


def _language(body: str) -> str:
    return "zh" if any("\u4e00" <= c <= "\u9fff" for c in body) else "en"
