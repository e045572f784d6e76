"""The graph in use: the newest that was imported, kept in memory per process."""

from __future__ import annotations

import hashlib
import threading
from datetime import datetime

from sqlalchemy import delete, func, select

from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.core.errors import Invalid
from portal.shelters.field import wish
from portal.shelters.models import RoadGraph
from portal.shelters.roads.graph import Graph, from_bytes, to_bytes

#: Former graphs that are kept, for what was computed from them.
KEPT = 2
_cache: dict[tuple[str, int, datetime, str], Graph] = {}
_guard = threading.Lock()


def newest() -> RoadGraph | None:
    """What is known of the graph in use, without its data."""
    return db.session.scalar(select(RoadGraph).order_by(RoadGraph.id.desc()).limit(1))


def current() -> Graph | None:
    """The graph in use; None before the first import."""
    row = db.session.execute(
        select(RoadGraph.id, RoadGraph.made_at, RoadGraph.sha256).order_by(RoadGraph.id.desc()).limit(1)).first()
    return None if row is None else _load(row.id, row.made_at, row.sha256)


def load(graph_id: int) -> Graph | None:
    """A graph by its id; None when it was removed."""
    row = db.session.execute(select(RoadGraph.id, RoadGraph.made_at, RoadGraph.sha256).where(RoadGraph.id == graph_id)).first()
    return None if row is None else _load(row.id, row.made_at, row.sha256)


def _load(graph_id: int, made_at: datetime, sha256: str) -> Graph | None:
    key = (str(db.engine.url), graph_id, made_at, sha256)
    with _guard:
        if key in _cache:
            return _cache[key]
        data = db.session.scalar(select(RoadGraph.data).where(RoadGraph.id == graph_id))
        if data is None:
            return None
        graph = from_bytes(data)
        while len(_cache) >= KEPT:
            _cache.pop(next(iter(_cache)))
        _cache[key] = graph
        return graph


def save(graph: Graph, *, source: str, licence: str = "", sha256: str = "", demonstration: bool = False,
         actor: audit.Actor = audit.SYSTEM) -> RoadGraph:
    """Put `graph` in use; all of it or nothing. Former ones but the newest few go. Raises Invalid for an empty one."""
    from flask_babel import lazy_gettext as _l

    if not graph.edges:
        raise Invalid.one("file", _l("The file holds no way on which people walk. Nothing was changed."))
    data = to_bytes(graph)
    row = RoadGraph(made_at=utcnow(), source=source[:200], licence=licence[:80], demonstration=demonstration, nodes=graph.nodes,
                    sha256=sha256 or hashlib.sha256(data).hexdigest(), edges=graph.edges, summary=graph.summary, data=data)
    with transaction() as session:
        session.add(row)
        session.flush()
        old = select(RoadGraph.id).order_by(RoadGraph.id.desc()).offset(KEPT)
        session.execute(delete(RoadGraph).where(RoadGraph.id.in_(list(session.scalars(old)))))
        audit.append(session, actor, "roads.import", f"roads:{row.id}", {
            "source": row.source, "nodes": row.nodes, "edges": row.edges, "sha256": row.sha256})
        wish.ask(session, "roads")
    return row


def count() -> int:
    return db.session.scalar(select(func.count()).select_from(RoadGraph)) or 0
