"""Lists at work beside the pages: a thread reads, takes in or takes back, and the page only looks how far it is.

The file itself lies in a nameless temporary file, which is gone with the process: no number is kept in the open.
"""

from __future__ import annotations

import logging
import tempfile
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import IO, BinaryIO

from flask import Flask
from sqlalchemy import delete, exists, select
from sqlalchemy.exc import DBAPIError

from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.core.errors import Conflict
from portal.subscribers.models import RosterFault, RosterGain, RosterImport, RosterRow
from portal.subscribers.roster import batches, staging, taking, undoing
from portal.subscribers.roster.rows import Said

log = logging.getLogger(__name__)
_BLOCK = 1024 * 1024
#: What was wrong with a list is looked up for so long.
_FAULTS_KEPT = timedelta(days=30)
#: Rows that others hold in another order: PostgreSQL ends one of the two, which begins again.
_TRIES = 3


def keep(stream: IO[bytes], most: int) -> BinaryIO | None:
    """The uploaded bytes as a nameless file of our own; None when there are more than `most`."""
    kept: BinaryIO = tempfile.TemporaryFile(prefix="anlan-")  # noqa: SIM115  (whoever reads it closes it)
    size = 0
    while block := stream.read(_BLOCK):
        size += len(block)
        if size > most:
            kept.close()
            return None
        kept.write(block)
    return kept


def read(app: Flask, batch_id: str, file: BinaryIO, said: Said) -> None:
    def work() -> None:
        with file:
            staging.stage(batch_id, file, said)
    _start(app, batch_id, work)


def take_in(app: Flask, batch_id: str) -> None:
    _start(app, batch_id, lambda: patient(lambda: taking.take_in(batch_id)))


def take_back(app: Flask, batch_id: str) -> None:
    _start(app, batch_id, lambda: patient(lambda: undoing.take_back(batch_id)))


def patient(work: Callable[[], RosterImport]) -> RosterImport:
    """Do it, again where others held the same rows in another order."""
    for _attempt in range(_TRIES - 1):
        try:
            return work()
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", "") != "40P01":
                raise
    return work()


def _start(app: Flask, batch_id: str, work: Callable[[], object]) -> None:
    def run() -> None:
        with app.app_context():
            try:
                work()
            except Conflict:
                log.info("list %s: somebody else was quicker", batch_id)
            except Exception:
                log.exception("list %s: not finished", batch_id)
                db.session.rollback()
                give_up(batch_id)

    thread = threading.Thread(target=run, name=f"roster {batch_id[-6:]}", daemon=True)
    threads(app).append(thread)
    thread.start()


def threads(app: Flask) -> list[threading.Thread]:
    """Those at work in this process."""
    known: list[threading.Thread] = app.extensions.setdefault("rosters", [])
    known[:] = [one for one in known if one.is_alive()]
    return known


def drop(batch_id: str, actor: audit.Actor) -> None:
    """Throw a list away that nobody took in. Raises Conflict when it is too late."""
    with transaction() as session:
        batch = batches.lock_after_trail(session, batch_id)
        if batch is None or batch.state not in (batches.READING, batches.READY):
            raise Conflict(taking.GONE)
        batch.state, batch.ended_at = batches.DROPPED, utcnow()
        audit.append(session, actor, "subscribers.drop", batches.subject(batch_id), {"rows": batch.rows})
    staging.clear(batch_id)


def give_up(batch_id: str) -> bool:
    """Whoever worked on the list was ended: nothing of it is done. Whether that was so."""
    back = {batches.UNDOING: batches.DONE}  # it came in, and stays in
    with transaction() as session:
        audit.serialise(session)
        batch = session.execute(select(RosterImport).where(RosterImport.id == batch_id).with_for_update(skip_locked=True)
                                .execution_options(populate_existing=True)).scalar_one_or_none()
        if batch is None or batch.state not in batches.MOVING:
            return False  # done meanwhile, or somebody is at it
        was, batch.state = batch.state, back.get(batch.state, batches.CUT_OFF)
        batch.ended_at, batch.told = utcnow(), True
        audit.append(session, audit.SYSTEM, "subscribers.cut_off", batches.subject(batch_id), {"was": was, "rows": batch.rows})
    if was != batches.UNDOING:
        staging.clear(batch_id)
    return True


def sweep(app: Flask) -> None:
    """Whoever is silent was ended; a list that nobody takes in goes; what was told stays short."""
    now = utcnow()
    with app.app_context():
        one, beat = select(RosterImport.id).limit(100), RosterImport.beat_at
        silent = one.where(RosterImport.state.in_(batches.MOVING), beat < now - batches.SILENCE)
        waiting = one.where(RosterImport.state == batches.READY, beat < now - batches.WAITS)
        for batch_id in db.session.execute(silent).scalars().all():
            give_up(batch_id)
        for batch_id in db.session.execute(waiting).scalars().all():
            drop(batch_id, audit.SYSTEM)
        for batch_id in taking.unfinished():
            taking.tell(batch_id)
        # Whoever ended a list may have been killed before all that had waited of it was deleted.
        ended = one.where(RosterImport.ended_at.is_not(None), exists().where(RosterRow.import_id == RosterImport.id))
        for batch_id in db.session.execute(ended).scalars().all():
            staging.clear(batch_id)
        old = select(RosterImport.id).where(RosterImport.started_at < now - _FAULTS_KEPT)
        with transaction() as session:
            for table in (RosterFault, RosterGain):
                session.execute(delete(table).where(table.import_id.in_(old)).execution_options(synchronize_session=False))
