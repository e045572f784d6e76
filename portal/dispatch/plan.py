"""Planning: cutting the audience of a dispatch into batches, a slice at a time.

A slice is one transaction: its batches, their count and how far the plan has come stand or fall together, so that a
killed planner goes on where the last slice ended, and the first batch is sent while the last is still being planned.

An alert and an update go to the target. An update also goes to those outside the new target who were sent what it
replaces; an all-clear goes to exactly those who were sent any earlier bulletin of the warning and to nobody else.

Nobody is planned twice, also when people change where they belong meanwhile: whom the dispatch's batches name is known, one
byte a recipient, and read from the batches where a plan is taken up again.
"""

from __future__ import annotations

import json
import time
import uuid
from collections import Counter
from collections.abc import Generator, Iterator
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from portal import current_settings
from portal.core.arrays import ById
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.dispatch import events, tallies
from portal.dispatch.ending import complete
from portal.dispatch.models import PLANNING, READY, RUNNING, WEB, Batch, Dispatch
from portal.dispatch.planning.aimed import aimed
from portal.dispatch.planning.pieces import Job, Part, Phase, Piece, Waiting
from portal.dispatch.planning.told import Told
from portal.dispatch.recipients import pack, unpack
from portal.subscribers.matter import matter_of
from portal.warnings import bulletins, order
from portal.warnings.models import ALERT, CANCEL, Bulletin

#: People whom one slice asks about. The first slice is a single batch's worth, so that sending begins at once.
SLICE = 20_000
#: Seconds after which a plan on which another planner was faster is taken up again.
STANDSTILL = 2.0


def plan(dispatch_id: uuid.UUID) -> Iterator[bool]:
    """Plan one dispatch, a slice at each step: True when a slice was written, False when it has to wait, for the earlier
    bulletin's workers or because another planner is at it. Ends when all is planned or the dispatch is ended. May be dropped at
    any point and begun again.
    """
    while (yield from _slices(dispatch_id)):
        yield from _while_another_goes_on(dispatch_id)


def _slices(dispatch_id: uuid.UUID) -> Generator[bool, None, bool]:
    """The slices from where the plan stands; whether the last of them came too late, since another planner was faster."""
    dispatch = db.session.get(Dispatch, dispatch_id, populate_existing=True)
    bulletin = bulletins.get(dispatch.bulletin_id) if dispatch else None
    if dispatch is None or bulletin is None or dispatch.state != PLANNING:
        return False
    seen = dispatch.cursor
    name, after = _stand(seen)
    job = _job(dispatch, bulletin)
    taken = _planned(job.id) if seen else ById("?")
    phases = _phases(job, bulletin.kind, taken)
    limit = SLICE if seen else min(SLICE, current_settings().batch_size)
    at = next((n for n, phase in enumerate(phases) if phase.name == name), 0)
    while True:
        try:
            piece = phases[at].read(after, limit)
        except Waiting:
            yield False
            db.session.rollback()  # what was read so far may be old
            continue
        last = piece.after is None and at + 1 == len(phases)
        if piece.after is None and not last:
            at, after = at + 1, ()
        else:
            after = piece.after or after
        cursor = json.dumps([phases[at].name, *after])
        if not _write(job, piece, seen, cursor, last=last):
            return True
        seen, limit = cursor, SLICE
        if last:
            return False
        yield True


def _while_another_goes_on(dispatch_id: uuid.UUID) -> Iterator[bool]:
    """Wait, a look at each step, until the plan has ended or its planner has stood still for so long that it may be dead. To run
    a race for every slice would cost each of them as much as planning alone."""
    seen, since = "", time.monotonic()
    while True:
        db.session.rollback()  # what was read so far may be old
        cursor = db.session.scalar(select(Dispatch.cursor).where(Dispatch.id == dispatch_id, Dispatch.state == PLANNING))
        if cursor is None:
            return
        if cursor != seen:
            seen, since = cursor, time.monotonic()
        elif time.monotonic() - since >= STANDSTILL:
            return
        yield False


def waiting_dispatches(session: Session) -> list[uuid.UUID]:
    """Dispatches still to be planned, most urgent first; of those first what has no batch yet, so that no channel's first
    message waits for another channel's last."""
    waiting = select(Dispatch.id).where(Dispatch.state == PLANNING)
    return list(session.execute(waiting.order_by(Dispatch.lane, Dispatch.cursor != "", Dispatch.id)).scalars())


def _job(dispatch: Dispatch, bulletin: Bulletin) -> Job:
    chain = bulletins.of_warning(db.session, bulletin.warning_id)
    aim, zone = bulletin.snapshot["target"], current_settings().timezone
    places = dispatch.places.split()
    if not places and dispatch.channel != WEB and bulletin.kind != CANCEL:
        places = order.by_danger(aim, utcnow())
    return Job(
        id=dispatch.id,
        channel=dispatch.channel,
        lane=dispatch.lane,
        warning_id=dispatch.warning_id,
        earlier=tuple(b.id for b in chain if b.position < bulletin.position),
        target=aim,
        places=tuple(places),
        matter=matter_of(bulletin.hazard, bulletin.tier, exercise=bulletin.exercise, at=dispatch.created_at, zone=zone),
        carriers=current_settings().sms_lines is not None,
        at=dispatch.created_at,
        zone=zone,
    )


def _phases(job: Job, kind: str, taken: ById) -> list[Phase]:
    phases: list[Phase] = []
    if kind != CANCEL or job.channel == WEB:
        phases.append(aimed(job, taken, current_settings().district))
    if kind != ALERT and job.channel != WEB:
        phases.append(Told(job, taken))
    return phases


def _stand(cursor: str) -> tuple[str, tuple[Any, ...]]:
    """The phase and where in it a plan stands. What an older version wrote names a community: the phase begins again, and finds
    whom it has already."""
    name, *after = json.loads(cursor) if cursor else [""]
    return ("", ()) if any(isinstance(value, str) for value in after) else (name, tuple(after))


def _planned(dispatch_id: uuid.UUID) -> ById:
    """Whom the dispatch's batches name."""
    taken = ById("?")
    rows = select(Batch.recipients).where(Batch.dispatch_id == dispatch_id).execution_options(yield_per=100)
    for packed in db.session.scalars(rows):
        taken.set(unpack(packed), values=True)
    return taken


def _write(job: Job, piece: Piece, seen: str, cursor: str, *, last: bool) -> bool:
    """Write a slice, provided that the dispatch still is being planned and nobody else has planned further."""
    now, size = utcnow(), current_settings().batch_size
    rows = [
        {
            "dispatch_id": job.id,
            "channel": job.channel,
            "lane": job.lane,
            "region_code": part.region_code,
            "language": part.language,
            "size": min(size, len(part.ids) - begin),
            "recipients": pack(part.ids[begin : begin + size]),
            "state": READY,
            "due_at": part.until or now,
            "quiet_until": part.until,
            "fence": 0,
            "attempts": 0,
            "carrier": part.carrier,
            "unsure": b"",
        }
        for part in piece.parts
        for begin in range(0, len(part.ids), size)
    ]
    with transaction() as session:
        row = session.execute(select(Dispatch).where(Dispatch.id == job.id).with_for_update()).scalar_one()
        if row.state != PLANNING or row.cursor != seen:
            return False
        if rows:
            session.execute(insert(Batch), rows)
            tallies.add(session, job.id, _counts(piece.parts))
        row.cursor, row.places, row.moved_at = cursor, " ".join(job.places), now
        if last:
            row.planned_at, row.state = now, RUNNING
            session.flush()
            complete(session, job.id, now)
    events.work.send(events.Work("planned", job.lane, len(rows), job.channel))
    return True


def _counts(parts: list[Part]) -> Counter[tallies.Key]:
    counts: Counter[tallies.Key] = Counter()
    for part in parts:
        for mask, n in part.audiences.items():
            counts[part.region_code, part.language, tallies.PLANNED, mask] += n
    return counts
