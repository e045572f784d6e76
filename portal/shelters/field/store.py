"""Versions of the field in the database; the newest is kept in memory per process."""

from __future__ import annotations

import logging
import threading
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from portal.core.clock import utcnow
from portal.core.db import db
from portal.shelters.field import made
from portal.shelters.field.view import FieldView
from portal.shelters.models import FieldVersion
from portal.shelters.roads import store as roads

log = logging.getLogger(__name__)
#: Versions whose data is kept; of older ones only what is told of them.
KEPT = 3
#: Versions that are remembered at all: at the most, one every ten seconds through three hours.
REMEMBERED = 1000
#: Database → its newest version, and the view of it: None where it cannot be read, which is tried once.
_cache: dict[str, tuple[int, datetime, FieldView | None]] = {}
_guard = threading.Lock()


def newest() -> FieldVersion | None:
    """What is told of the newest version, without its data."""
    return db.session.scalar(select(FieldVersion).order_by(FieldVersion.version.desc()).limit(1))


def newest_key() -> tuple[str, datetime] | None:
    """The key of the newest version and when it was made: a small question, asked again and again."""
    row = db.session.execute(
        select(FieldVersion.key, FieldVersion.made_at).order_by(FieldVersion.version.desc()).limit(1)).first()
    return None if row is None else (row.key, row.made_at)


def recent(limit: int = 20) -> list[FieldVersion]:
    """The newest versions, the newest first."""
    return list(db.session.scalars(select(FieldVersion).order_by(FieldVersion.version.desc()).limit(limit)))


def current() -> FieldView | None:
    """See :func:`portal.shelters.field.current`."""
    row = db.session.execute(
        select(FieldVersion.version, FieldVersion.made_at, FieldVersion.graph_id, FieldVersion.key)
        .order_by(FieldVersion.version.desc()).limit(1)).first()
    if row is None:
        return None
    database = str(db.engine.url)
    with _guard:
        kept = _cache.get(database)
        if kept is None or kept[:2] != (row.version, row.made_at):
            try:
                view = _load(row.version)
            except ValueError:
                log.exception("version %s of the field cannot be read", row.version)
                view = None
            else:
                if view is None:  # its graph is not there, or it is just being replaced: look again next time
                    return None
            kept = _cache[database] = (row.version, row.made_at, view)
        return kept[2]


def _load(version: int) -> FieldView | None:
    """Raises ValueError where what is stored cannot be read."""
    row = db.session.get(FieldVersion, version)
    graph = roads.load(row.graph_id) if row else None
    if row is None or graph is None or row.data is None:
        return None
    return FieldView(row.version, row.made_at, graph, made.from_bytes(row.data))


def add(session: Session, field: made.Field, *, graph_id: int, key: str, reason: str, seconds: float,
        data: bytes) -> FieldVersion:
    """A new version, within the caller's transaction; the data of old ones goes."""
    row = FieldVersion(made_at=utcnow(), graph_id=graph_id, key=key, reason=reason[:120], seconds=seconds, summary=field.summary,
                       data=data)
    session.add(row)
    session.flush()
    session.execute(update(FieldVersion).where(FieldVersion.version <= row.version - KEPT, FieldVersion.data.is_not(None))
                    .values(data=None).execution_options(synchronize_session=False))
    session.execute(delete(FieldVersion).where(FieldVersion.version <= row.version - REMEMBERED)
                    .execution_options(synchronize_session=False))
    return row
