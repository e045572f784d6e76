"""One-time codes: six digits by text message, by which somebody proves that a phone is theirs.

Kept as a keyed hash, good for ten minutes and five guesses. Whoever asks for a code learns nothing of whom the portal
knows: a number that may not use the door is counted, limited and answered like any other, only that nothing is sent, and
the sending itself happens after the answer, so that its time tells nothing either.

Who may ask how often is told by what abuse looks like. One phone, whoever asks for it, gets few codes: nobody is flooded. One
network address may have many codes that nobody has used yet, since a school or a shelter is behind one: where people prove
their phones, each right code makes room for another, and where somebody plays with strangers' numbers, nothing does. All
addresses together have a bound at each door, so that the bill has one, and who plays at a door that is open to everybody does
not shut the one of shelters' staff. What was not sent costs nothing and does not count there.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from flask import Flask, current_app, has_request_context
from flask_babel import force_locale
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from portal.channels.sms import aside
from portal.channels.sms.models import OneTimeCode
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.core.errors import Invalid
from portal.core.phones import PhoneBook
from portal.identity.limits import address

DIGITS, GUESSES = 6, 5
LASTS = timedelta(minutes=10)
#: Codes for one phone and door: the pause between two, and the most within a time.
PAUSE = timedelta(seconds=60)
MOST = ((3, timedelta(minutes=10)), (10, timedelta(hours=24)))
#: Codes for one phone through all doors together, and such as nobody used: asked for by one address, and by all.
MOST_OF_PHONE = (20, timedelta(hours=24))
MOST_UNUSED = ((60, timedelta(minutes=10)), (300, timedelta(hours=24)))
MOST_UNUSED_OF_ALL = (3000, timedelta(hours=1))
KEPT = timedelta(hours=24)
#: How long the door tells everybody that messages do not go out, after the last one did not.
TROUBLE = timedelta(minutes=10)
#: For views that send or check codes, per address and process, before anything is looked up: requests, and wrong guesses.
SEND_LIMIT, CHECK_LIMIT = "600 per 10 minutes; 6000 per day", "100 per 10 minutes; 600 per day"
#: In place of a hash: nothing was to be sent, or it could not be sent. No code has such a hash.
SILENT, UNSENT = "-", "unsent"
#: In front of the hash (whose last sign gives way) of a code whose handing over ended without an answer: it may arrive.
DOUBTFUL = "?"
#: Codes that wait to be sent: a school that signs in for an exam at once, and no more than leave while they are good.
WAITING_MOST = 1000

log = logging.getLogger(__name__)
Courier = Callable[[Callable[[], None]], None]


def send_code(phone: str, purpose: str, language: str, *, known: bool = True) -> None:
    """Send a code for the door `purpose` to `phone` (E.164), in the words of `language`. With `known` False all is the
    same, only that nothing is sent. Raises Invalid at `phone` when there were too many. Views limit requests besides, with
    :data:`SEND_LIMIT`."""
    code = f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"
    now, index, source = utcnow(), _book().index(phone), _asked_from()
    _check_unused(source, purpose, now)
    with transaction() as session:
        _in_turn(session, index)
        forget_old(session)
        _check_limits(session, index, purpose, now)
        row = OneTimeCode(id=uuid.uuid4(), phone_index=index, purpose=purpose, code_hash=SILENT, sent_at=now,
                          expires_at=now + LASTS, asked_from=source)
        if known:
            row.code_hash = _hash(row.id, purpose, code)
        session.add(row)
    if known:
        try:
            _courier()(lambda: _deliver(row.id, phone, code, language, row.expires_at))
        except _Full:
            log.error("too many one-time codes wait to be sent; one was dropped")
            _not_sent(row.id, aside.NOT_TAKEN)  # so that the door says that messages do not go out


def check_code(phone: str, purpose: str, code: str) -> bool:
    """Whether this is the newest code that was sent to `phone` for the door. A right one opens once; each wrong one counts,
    and the fifth ends it."""
    typed = "".join(c for c in code if c not in " -\u3000").translate(_WIDE)
    now, index = utcnow(), _book().index(phone)
    with transaction() as session:
        _in_turn(session, index)
        rows = [r for r in _newest(session, index, purpose) if not r.used_at and r.expires_at > now and r.attempts < GUESSES]
        for row in rows:
            row.attempts += 1
        right = [r for r in rows if _matches(r, typed)]
        if right:
            session.execute(update(OneTimeCode).where(
                OneTimeCode.phone_index == index, OneTimeCode.purpose == purpose, OneTimeCode.used_at.is_(None))
                .values(used_at=now).execution_options(synchronize_session=False))
    return bool(right)


def forget_old(session: Session) -> None:
    """What nobody counts any more goes."""
    session.execute(delete(OneTimeCode).where(OneTimeCode.expires_at < utcnow() - KEPT))


def _newest(session: Session, index: bytes, purpose: str) -> list[OneTimeCode]:
    """The newest code that was sent; where it is not sure that it was, the one before as well."""
    query = select(OneTimeCode).where(
        OneTimeCode.phone_index == index, OneTimeCode.purpose == purpose, OneTimeCode.code_hash != UNSENT)
    rows = session.execute(query.order_by(OneTimeCode.sent_at.desc(), OneTimeCode.id.desc()).limit(2)).scalars().all()
    return list(rows[:2] if rows and rows[0].code_hash.startswith(DOUBTFUL) else rows[:1])


def _matches(row: OneTimeCode, typed: str) -> bool:
    right = _hash(row.id, row.purpose, typed)
    return any(hmac.compare_digest(row.code_hash, kept) for kept in (right, _doubtful(right)))


def _doubtful(code_hash: str) -> str:
    return DOUBTFUL + code_hash[:-1]


def trouble(purpose: str) -> datetime | None:
    """When a code for the door last could not be sent, if none was sent since and it is not long ago; for everybody to
    see, since the carrier's trouble says nothing of a number."""
    last = db.session.execute(
        select(OneTimeCode).where(OneTimeCode.purpose == purpose, OneTimeCode.code_hash != SILENT)
        .order_by(OneTimeCode.sent_at.desc(), OneTimeCode.id.desc()).limit(1)
    ).scalar_one_or_none()
    if last is None or not last.code_hash.startswith((UNSENT, DOUBTFUL)) or last.sent_at < utcnow() - TROUBLE:
        return None
    return last.sent_at


_WIDE = str.maketrans("０１２３４５６７８９", "0123456789")


def _book() -> PhoneBook:
    return current_app.extensions["phones"]


def _in_turn(session: Session, index: bytes) -> None:
    """Two requests for one phone are counted one after the other."""
    if session.get_bind().dialect.name == "postgresql":  # SQLite lets writers in one by one anyway
        session.execute(select(func.pg_advisory_xact_lock(int.from_bytes(index[:8], signed=True))))


def _check_limits(session: Session, index: bytes, purpose: str, now: datetime) -> None:
    asked = session.execute(select(OneTimeCode.sent_at, OneTimeCode.purpose).where(
        OneTimeCode.phone_index == index, OneTimeCode.sent_at > now - MOST[-1][1])).all()
    sent = [at for at, door in asked if door == purpose]
    if any(at > now - PAUSE for at in sent):
        raise Invalid.one("phone", _l("A code was asked for less than a minute ago. Wait for it, then ask again."))
    whole, day = MOST_OF_PHONE
    for times, most, time in [(sent, *bound) for bound in MOST] + [([at for at, _door in asked], whole, day)]:
        if sum(at > now - time for at in times) >= most:
            raise Invalid.one("phone", _l("Too many codes were asked for this number. Wait ten minutes; if it goes on, call the"
                                          " duty office."))


def _check_unused(source: bytes | None, purpose: str, now: datetime) -> None:
    """How many codes wait for somebody who proves their phone: of the address that asks, and of all at this door."""
    unused = select(func.count()).select_from(OneTimeCode).where(OneTimeCode.used_at.is_(None))
    most, time = MOST_UNUSED_OF_ALL
    of_all = unused.where(OneTimeCode.expires_at > now + LASTS - time, OneTimeCode.purpose == purpose,
                          OneTimeCode.code_hash != SILENT)
    if db.session.execute(of_all).scalar_one() >= most:
        log.error("more than %s one-time codes were sent at the door %s within the hour and not used: somebody may play with"
                  " strangers' numbers", most, purpose)
        raise Invalid.one("phone", _l("Very many codes are being asked for at the moment, and we send no more for a while. What"
                                      " you have stays as it is. Try again in an hour."))
    for most, time in MOST_UNUSED if source is not None else ():
        mine = unused.where(OneTimeCode.asked_from == source, OneTimeCode.sent_at > now - time)
        if db.session.execute(mine).scalar_one() >= most:
            raise Invalid.one("phone", _l("Many codes were asked for from your network and are not used yet. Try again in a few"
                                          " minutes, or use mobile data instead of this Wi-Fi."))


def _asked_from() -> bytes | None:
    """The address of the request at work, so that it can be counted and not be read; None outside a request."""
    if not has_request_context():
        return None
    return hmac.new(_key("address of one-time codes"), address().encode(), hashlib.sha256).digest()[:16]


def _key(use: str) -> bytes:
    secret = current_app.config["SECRET_KEY"]
    return hashlib.sha256(f"anlan {use}\0".encode() + (secret if isinstance(secret, bytes) else secret.encode())).digest()


def _hash(row_id: uuid.UUID, purpose: str, code: str) -> str:
    return hmac.new(_key("one-time code"), f"{row_id}|{purpose}|{code}".encode(), hashlib.sha256).hexdigest()


def _deliver(row_id: uuid.UUID, phone: str, code: str, language: str, expires_at: datetime) -> None:
    """Hand the code to the carrier, and write down when that failed."""
    with force_locale(language):
        body = aside.signed(_("Your code is %(code)s, good for 10 minutes. Tell it to nobody.", code=code), language)
    try:
        outcome = aside.send(body, {"code": phone}, expires_at=expires_at, seconds=15)["code"]
    except Exception as error:  # whatever the carrier's library throws; its text may hold the number
        log.error("a one-time code could not be sent: %s", type(error).__name__)
        outcome = aside.NOT_TAKEN
    if outcome != aside.TAKEN:
        _not_sent(row_id, outcome)


def _not_sent(row_id: uuid.UUID, outcome: str) -> None:
    """Write down that a code did not go out, or with the outcome UNSURE that it may not have. What is said of one phone alone
    (CLOSED) is no trouble of the carrier's: others are not told that messages do not go out."""
    with transaction() as session:
        row = session.get(OneTimeCode, row_id)
        if row is not None:
            row.code_hash = {aside.UNSURE: _doubtful(row.code_hash), aside.CLOSED: SILENT}.get(outcome, UNSENT)


# -- after the answer ----------------------------------------------------------------------------------------
_making = threading.Lock()


class _Full(Exception):
    """Too many codes wait to be sent."""


def _courier() -> Courier:
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    with _making:
        if "sms_courier" not in app.extensions:
            app.extensions["sms_courier"] = _make_courier(app)
        return app.extensions["sms_courier"]


def _make_courier(app: Flask) -> Courier:
    """Runs what it is given in one of two threads, in the order in which it came. Raises _Full when too many wait."""
    pool, room = ThreadPoolExecutor(2, thread_name_prefix="codes"), threading.BoundedSemaphore(WAITING_MOST)

    def run(work: Callable[[], None]) -> None:
        try:
            with app.app_context():
                work()
        except Exception:
            log.exception("sending a one-time code failed")
        finally:
            room.release()

    def take(work: Callable[[], None]) -> None:
        if not room.acquire(blocking=False):
            raise _Full
        pool.submit(run, work)
    return take
