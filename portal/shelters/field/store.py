"""Versions of the field in the database; the newest is kept in memory per process."""

from __future__ import annotations

import logging
import threading

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
_cache: dict[str, FieldView] = {}
_guard = threading.Lock()


def newest() -> FieldVersion | None:
    """What is told of the newest version, without its data."""
    return db.session.scalar(select(FieldVersion).order_by(FieldVersion.version.desc()).limit(1))


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
        if kept is not None and (kept.version, kept.made_at) == (row.version, row.made_at):
            return kept
        view = _load(row.version)
        if view is not None:
            _cache[database] = view
        return view


def _load(version: int) -> FieldView | None:
    row = db.session.get(FieldVersion, version)
    graph = roads.load(row.graph_id) if row else None
    if row is None or graph is None or row.data is None:
        return None
    try:
        return FieldView(row.version, row.made_at, graph, made.from_bytes(row.data))
    except ValueError:
        log.exception("version %s of the field cannot be read", version)
        return None


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
