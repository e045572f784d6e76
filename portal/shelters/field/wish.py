"""The wish for a new field: whoever changes what it is made of says so in the same transaction."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import func, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db
from portal.shelters.models import FieldWish

ROW = 1
#: Changes often come together: wait until it has been quiet for so long, but no longer than that.
QUIET, AT_MOST = timedelta(seconds=2), timedelta(seconds=10)


def ask(session: Session, reason: str) -> None:
    """Ask for a new field, within the caller's transaction. `reason`: one word for what changed.

    Takes the trail's place in the queue first: who asks also appends to the trail, before or after, and two transactions that
    lock the same two rows in opposite orders would wait for each other for ever.
    """
    audit.serialise(session)
    ensure(session)
    now = utcnow()
    session.execute(
        update(FieldWish).where(FieldWish.id == ROW)
        .values(wanted=FieldWish.wanted + 1, reason=reason[:120], last_at=now, first_at=func.coalesce(FieldWish.first_at, now))
        .execution_options(synchronize_session=False))


def ensure(session: Session) -> None:
    """Make the single row where there is none; several may try at once."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    session.execute(insert(FieldWish).values(id=ROW, wanted=0, done=0, reason="", lease_by="", error="").on_conflict_do_nothing())


def state() -> FieldWish | None:
    """The row as it is in the database now."""
    return db.session.get(FieldWish, ROW, populate_existing=True)


def is_due(row: FieldWish | None, now: datetime) -> bool:
    """Whether the field is to be computed again at `now`: something changed and it has been quiet since, or something
    began or ended by itself."""
    if row is None:
        return False
    if row.next_at is not None and row.next_at <= now:
        return True
    if row.wanted <= row.done:
        return False
    return row.last_at is None or row.first_at is None or now - row.last_at >= QUIET or now - row.first_at >= AT_MOST
