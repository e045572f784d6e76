"""The register of processes: each writes how it stands every few seconds, and who ends in an orderly way leaves."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from portal.core.clock import utcnow
from portal.core.db import insert_into, transaction
from portal.dispatch.models import Worker
from portal.dispatch.watch import said
from portal.dispatch.watch.said import Process

#: Seconds between two reports of a process.
EVERY = 2.0
#: A process that was silent so long is shown as gone; after the second time nothing is shown of it any more.
GONE, FORGOTTEN = timedelta(seconds=15), timedelta(hours=24)
#: Most processes that are read and shown.
MOST = 200


def report(name: str, kind: str, started_at: datetime, state: dict[str, Any]) -> None:
    """Write how this process stands."""
    with transaction() as session:
        insert = insert_into(session, Worker).values(
            name=name[:80], kind=kind, started_at=started_at, seen_at=utcnow(), state=state)
        session.execute(insert.on_conflict_do_update(
            index_elements=["name"],
            set_={column: insert.excluded[column] for column in ("kind", "started_at", "seen_at", "state")}))


def leave(name: str) -> None:
    """This process ends in an orderly way: nobody need miss it."""
    with transaction() as session:
        session.execute(delete(Worker).where(Worker.name == name[:80]))


def sweep(now: datetime) -> int:
    """Forget who was silent for a day; how many that were."""
    with transaction() as session:
        return session.execute(delete(Worker).where(Worker.seen_at < now - FORGOTTEN)).rowcount  # type: ignore[attr-defined]


def listing(session: Session) -> list[Process]:
    """Who has reported in the last day, by kind and name."""
    rows = session.execute(
        select(Worker.name, Worker.kind, Worker.started_at, Worker.seen_at, Worker.state)
        .order_by(Worker.seen_at.desc())
        .limit(MOST))
    return sorted((said.process(*row) for row in rows), key=lambda p: (p.kind, p.name))


def is_near(at: datetime | None, now: datetime, within: timedelta) -> bool:
    """Whether `at` is within so much of now, before or after it: a clock that was set back makes a dead process's last report one
    of the future, and that is no sign of life."""
    return at is not None and abs(now - at) <= within
