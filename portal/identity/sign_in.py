"""Signing in and out, and changing one's own password, with the count that locks an account.

An attempt is counted *before* its password is looked at, by one statement that also locks the account when
the count is full. So any number of guesses sent at the same moment get no more tries than the same guesses
sent one after another; a success sets the count back. The costly look at the password holds no transaction.

What a stranger is told never differs: an unknown name, a wrong password, a locked, a deactivated and a
demonstration account answer with the same words after the same work. A locked account that told so, even only
to the right password, would tell a guesser which guess was right. The words therefore always name the lock as
one of the possible reasons and who can open it; the administrator's list shows which accounts are locked.
"""

from __future__ import annotations

import unicodedata
import uuid
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import case, false, literal, or_, select, update

from portal import current_settings
from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import UtcDateTime, db, transaction
from portal.core.errors import Invalid
from portal.identity import passwords, sessions
from portal.identity.messages import NOT_SIGNED_IN, SAME_PASSWORD, WRONG_PASSWORD
from portal.identity.models import Account, DeskSession


@dataclass(frozen=True)
class _Attempt:
    """A counted attempt: whose it is, and whether it is the one that locked the account."""

    account_id: uuid.UUID
    stored: str | None
    locks: bool


def canonical(username: str) -> str:
    """The one spelling of a user name: compatibility characters unified, lower case, no space around."""
    return unicodedata.normalize("NFKC", username).strip().casefold()


def sign_in(username: str, password: str, address: str) -> tuple[Account, DeskSession]:
    """Check the password and open a session row. Raises Invalid, always with the same words.

    The caller gives the browser its cookie (:func:`portal.identity.sessions.begin`).
    """
    name = canonical(username)[:64]
    attempt = _count(name)
    right = passwords.matches(password, attempt.stored if attempt else None)
    if attempt is None or not right:
        _note_failure(name, attempt, address)
        raise Invalid.one("password", NOT_SIGNED_IN)
    better = passwords.hashed(password) if attempt.stored and passwords.outdated(attempt.stored) else None
    with transaction() as session:
        account = session.get(Account, attempt.account_id, with_for_update=True, populate_existing=True)
        if account is not None and account.active and account.password == attempt.stored:
            account.failed_attempts, account.locked_until, account.last_sign_in_at = 0, None, utcnow()
            account.password = better or account.password
            row = sessions.open_row(session, account)
            audit.append(
                session, account.actor, "identity.sign_in", f"account:{account.id}", {"address": address}
            )
            return account, row
    # Deactivated, or given another password, while the old one was being looked at.
    raise Invalid.one("password", NOT_SIGNED_IN)


def sign_out(account: Account) -> None:
    """End this browser's session, on the server too."""
    with transaction() as session:
        audit.append(session, account.actor, "identity.sign_out", f"account:{account.id}")
    sessions.end()


def change_password(account: Account, old: str, new: str, address: str) -> DeskSession:
    """Give oneself a new password: every session of the account ends, and a row for a fresh one is returned.

    Guesses at the old password count like attempts to sign in. Raises Invalid at `old_password` or
    `password`.
    """
    if problems := passwords.weaknesses(new, account.username, account.display_name):
        raise Invalid(problems)
    attempt = _count(account.username)
    if attempt is None or not passwords.matches(old, attempt.stored):
        _note_failure(account.username, attempt, address)
        raise Invalid.one("old_password", WRONG_PASSWORD)
    if passwords.normal(old) == passwords.normal(new):
        _uncount(attempt)
        raise Invalid.one("password", SAME_PASSWORD)
    stored = passwords.hashed(new)
    with transaction() as session:
        fresh = session.get(Account, account.id, with_for_update=True, populate_existing=True)
        if fresh is None or not fresh.active or fresh.password != attempt.stored:
            raise Invalid.one("old_password", WRONG_PASSWORD)
        fresh.password, fresh.must_change_password = stored, False
        fresh.failed_attempts, fresh.locked_until = 0, None
        sessions.end_all(session, fresh)
        session.flush()
        row = sessions.open_row(session, fresh)
        audit.append(
            session, fresh.actor, "identity.password_change", f"account:{fresh.id}", {"address": address}
        )
    return row


def confirm(account: Account, password: str, address: str) -> None:
    """Ask for one's own password once more, before something for which an open browser is not enough. Guesses count like attempts
    to sign in. Raises Invalid at `password`."""
    attempt = _count(account.username)
    if attempt is None or not passwords.matches(password, attempt.stored):
        _note_failure(account.username, attempt, address)
        raise Invalid.one("password", WRONG_PASSWORD)
    _uncount(attempt)


def _count(name: str) -> _Attempt | None:
    """Count an attempt, in one statement. None when there may be none: unknown, locked, deactivated."""
    settings, now = current_settings(), utcnow()
    number = case((Account.locked_until.is_not(None), 1), else_=Account.failed_attempts + 1)
    until = literal(now + timedelta(minutes=settings.lockout_minutes), UtcDateTime())
    statement = (
        update(Account)
        .where(
            Account.username == name,
            Account.active,
            or_(Account.locked_until.is_(None), Account.locked_until <= now),
        )
        .values(
            failed_attempts=number,
            locked_until=case(
                (number >= settings.lockout_attempts, until), else_=literal(None, UtcDateTime())
            ),
        )
        .returning(Account.id, Account.password, Account.locked_until)
        .execution_options(synchronize_session=False)
    )
    if not settings.demo:
        statement = statement.where(Account.demonstration == false())
    with transaction() as session:
        row = session.execute(statement).one_or_none()
    return None if row is None else _Attempt(row.id, row.password, row.locked_until is not None)


def _uncount(attempt: _Attempt) -> None:
    """The password was right after all: the count goes back to nothing."""
    with transaction() as session:
        session.execute(
            update(Account)
            .where(Account.id == attempt.account_id)
            .values(failed_attempts=0, locked_until=None)
            .execution_options(synchronize_session=False)
        )


def _note_failure(name: str, attempt: _Attempt | None, address: str) -> None:
    """Write the failure down. What was typed is not: people type passwords into the wrong field."""
    with transaction() as session:
        account_id = (
            attempt.account_id
            if attempt
            else session.scalar(select(Account.id).where(Account.username == name))
        )
        subject = f"account:{account_id or 'unknown'}"
        reason = "password" if attempt else "refused" if account_id else "unknown"
        audit.append(
            session, audit.SYSTEM, "identity.sign_in_failed", subject, {"reason": reason, "address": address}
        )
        if attempt is not None and attempt.locks:
            audit.append(
                session,
                audit.SYSTEM,
                "identity.lock",
                subject,
                {"minutes": current_settings().lockout_minutes, "address": address},
            )


def locked(account: Account) -> bool:
    """Whether the account is locked at this moment."""
    return account.locked_until is not None and account.locked_until > utcnow()


def any_account() -> bool:
    """Whether there is an account at all, so that the first page can say how to make one."""
    statement = select(Account.id).where(Account.active).limit(1)
    if not current_settings().demo:
        statement = statement.where(Account.demonstration == false())
    return db.session.scalar(statement) is not None
