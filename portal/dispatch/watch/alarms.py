"""Alarms as rows: one from when something was noticed to stand still until it moves again, whoever noticed it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from portal.core.db import db, transaction
from portal.dispatch.models import Alarm
from portal.dispatch.watch.rules import Finding

#: Of all that PostgreSQL's advisory locks are taken for, this one: two processes must not raise the same alarm.
_ONE_AT_A_TIME = 0x616C61726D
#: Most alarms that stand at a time; beyond that one more says nothing.
MOST = 50
#: Past alarms that pages show.
SHOWN = 10


def standing(session: Session) -> list[Alarm]:
    """Those that have not ended, oldest first."""
    return list(session.execute(select(Alarm).where(Alarm.cleared_at.is_(None)).order_by(Alarm.id).limit(MOST)).scalars())


def past(session: Session, limit: int = SHOWN) -> list[Alarm]:
    """Those that ended, newest first."""
    return list(session.execute(
        select(Alarm).where(Alarm.cleared_at.is_not(None)).order_by(Alarm.cleared_at.desc()).limit(limit)).scalars())


def settle(found: Iterable[Finding], sure: Collection[Finding], now: datetime) -> tuple[list[Alarm], list[Alarm]]:
    """Raise what is `sure` and does not stand yet; clear what stands and was not `found`. Gives what this very call raised, and
    cleared: of several processes that see the same, one does it."""
    stays, wanted = {(f.kind, f.subject) for f in found}, {(f.kind, f.subject) for f in sure}
    stand = {(a.kind, a.subject): a for a in standing(db.session)}
    over = stand.keys() - stays
    db.session.rollback()
    if not over and wanted <= stand.keys():
        return [], []
    with transaction() as session:
        if session.get_bind().dialect.name == "postgresql":
            session.execute(select(func.pg_advisory_xact_lock(_ONE_AT_A_TIME)))
        stand = {(a.kind, a.subject): a for a in standing(session)}
        new = sorted(wanted - stand.keys())[: max(0, MOST - len(stand))]
        raised = [Alarm(kind=kind, subject=subject, raised_at=now) for kind, subject in new]
        session.add_all(raised)
        cleared = [stand[key] for key in sorted(over & stand.keys())]
        for alarm in cleared:
            alarm.cleared_at = now
        session.flush()
        for alarm in (*raised, *cleared):
            session.expunge(alarm)  # they are read after the transaction, by whoever tells of them
    return raised, cleared


def told(alarm_id: int, now: datetime) -> None:
    """Whoever should hear of it by `alarm_url` has heard."""
    with transaction() as session:
        session.execute(update(Alarm).where(Alarm.id == alarm_id, Alarm.told_at.is_(None)).values(told_at=now))


def untold(session: Session, now: datetime, after: timedelta) -> list[Alarm]:
    """Those that nobody could be told of for longer than `after`, or since before the clock was set back."""
    return [a for a in standing(session) if a.told_at is None and abs(now - a.raised_at) > after]
