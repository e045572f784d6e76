"""Sessions at the desk: how they begin, go on and end.

The cookie carries the account's `fs_uniquifier` (Flask-Security rotates it to end every session at once)
and the number of a row in `desk_session`, which knows when the session began and was last used. A session
ends when it is `session_hours` old, when nothing was asked for `session_idle_minutes`, when it signs out,
or when its account is deactivated, or its password or duties change.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from flask import g, has_request_context, session
from flask_security import current_user, login_user
from sqlalchemy import delete
from sqlalchemy.orm import Session

from portal import current_settings
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.identity.models import Account, DeskSession

#: A request is written down as activity at most this often, so that reading pages costs no write each.
SEEN_EVERY = timedelta(seconds=30)
_KEY = "desk_session"


def open_row(db_session: Session, account: Account) -> DeskSession:
    """A new session's row, inside the caller's transaction. Rows too old to count are cleared on the way."""
    now = utcnow()
    db_session.execute(delete(DeskSession).where(DeskSession.started_at < now - _lifetime()))
    row = DeskSession(id=uuid.uuid4(), account_id=account.id, started_at=now, seen_at=now)
    db_session.add(row)
    return row


def begin(account: Account, row: DeskSession) -> None:
    """Hand the browser its cookie. What its session held before is dropped, but for the language, so that
    nothing that was planted there before signing in goes on afterwards."""
    language = session.get("language")
    session.clear()
    g.pop("csrf_token", None)
    login_user(account, remember=False, authn_via=["password"])
    session[_KEY] = row.id.hex
    if language:
        session["language"] = language
    g.desk_account = account
    g.desk_row = row


def end() -> None:
    """Forget the session on both sides."""
    row_id = _row_id()
    if row_id is not None:
        with transaction() as db_session:
            db_session.execute(delete(DeskSession).where(DeskSession.id == row_id))
    forget()


def forget() -> None:
    """Empty the browser's session, but for the language."""
    language = session.get("language")
    session.clear()
    g.pop("csrf_token", None)
    g.pop("_login_user", None)
    g.desk_account = g.desk_row = None
    if language:
        session["language"] = language


def end_all(db_session: Session, account: Account) -> None:
    """End every session of the account, inside the caller's transaction."""
    account.fs_uniquifier = uuid.uuid4().hex
    db_session.execute(delete(DeskSession).where(DeskSession.account_id == account.id))


def account_here() -> Account | None:
    """The account whose living session this request carries. Asked of the database once per request."""
    if not has_request_context():
        return None
    if "desk_account" not in g:
        g.desk_account, g.desk_row = _find()
    return g.desk_account


def touch() -> None:
    """Write down that the person is at work. Opens a transaction of its own, so it comes before the
    view's."""
    row: DeskSession | None = g.get("desk_row")
    now = utcnow()
    if row is None or now - row.seen_at < SEEN_EVERY:
        return
    with transaction() as db_session:
        fresh = db_session.get(DeskSession, row.id)
        if fresh is not None and fresh.seen_at < now:
            fresh.seen_at = now


def alive(row: DeskSession, now: datetime) -> bool:
    """Whether the session is neither too old nor idle for too long."""
    idle = timedelta(minutes=current_settings().session_idle_minutes)
    return now - row.started_at < _lifetime() and now - row.seen_at < idle


def _lifetime() -> timedelta:
    return timedelta(hours=current_settings().session_hours)


def _row_id() -> uuid.UUID | None:
    try:
        return uuid.UUID(hex=session.get(_KEY, ""))
    except (ValueError, AttributeError, TypeError):
        return None


def _find() -> tuple[Account | None, DeskSession | None]:
    row_id = _row_id()
    if row_id is None or not current_user.is_authenticated:
        return None, None
    account: Account = current_user._get_current_object()
    row = db.session.get(DeskSession, row_id)
    if row is None or row.account_id != account.id or not alive(row, utcnow()):
        return None, None
    if account.demonstration and not current_settings().demo:
        return None, None
    return account, row
