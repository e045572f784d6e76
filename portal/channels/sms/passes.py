"""What a phone carries once it proved itself by a one-time code: a cookie with a random secret.

The database holds the secret's hash, whose it is, and until when; each door has a table of its own for that.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask import Response, request
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from portal.core.clock import utcnow
from portal.core.db import db, transaction

_LONGEST = 100


@dataclass(frozen=True)
class Pass:
    """The cookie of one door. `table` has the columns `token_hash` (its key), `started_at`, `expires_at` and `owner`, which
    says whose a session is; somebody has at most `most` sessions, and the oldest end when more begin."""

    table: Any
    owner: str
    cookie: str
    path: str
    lasts: timedelta
    most: int

    def begin(self, session: Session, owner: Any, **more: Any) -> str:
        """Begin a session in the caller's transaction, with what `more` the table keeps; the secret for the cookie."""
        now, secret, table = utcnow(), secrets.token_urlsafe(32), self.table
        session.execute(delete(table).where(table.expires_at <= now))
        mine = select(table.token_hash).where(getattr(table, self.owner) == owner)
        old = session.execute(mine.order_by(table.started_at.desc()).offset(self.most - 1)).scalars().all()
        session.execute(delete(table).where(table.token_hash.in_(old)))
        session.add(table(token_hash=_hashed(secret), started_at=now, expires_at=now + self.lasts, **{self.owner: owner}, **more))
        return secret

    def key(self) -> str:
        """The key in the table that this request's cookie would have; empty without one."""
        secret = request.cookies.get(self.cookie, "")
        return _hashed(secret) if secret and len(secret) <= _LONGEST else ""

    def find(self) -> Any:
        """The session of this request: a row of the table, or None."""
        key = self.key()
        row = db.session.get(self.table, key) if key else None
        return row if row is not None and row.expires_at > utcnow() else None

    def end(self) -> None:
        """End the session of this request."""
        with transaction() as session:
            secret = request.cookies.get(self.cookie, "")
            session.execute(delete(self.table).where(self.table.token_hash == _hashed(secret)))

    def hand_over(self, response: Response, secret: str) -> Response:
        """Set the cookie; with an empty secret, take it back."""
        if secret:
            response.set_cookie(self.cookie, secret, max_age=int(self.lasts.total_seconds()), path=self.path, httponly=True,
                                samesite="Lax", secure=request.is_secure)
        else:
            response.delete_cookie(self.cookie, path=self.path, httponly=True, samesite="Lax", secure=request.is_secure)
        return response


def _hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
