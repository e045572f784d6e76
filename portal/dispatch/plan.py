"""Planning: cutting the audience of a dispatch into batches, a slice at a time.

A slice is one transaction: its batches, their count and how far the plan has come stand or fall together, so that a
killed planner goes on where the last slice ended, and the first batch is sent while the last is still being planned.

An alert and an update go to the target: first to those who want to be told now, then, in batches that wait, to those who have
quiet hours, unless it is loud. An update also goes to those outside the new target who were sent what it
replaces; an all-clear goes to exactly those who were sent any earlier bulletin of the warning and to nobody else.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from portal import current_settings
from portal.channels.push import store as devices
from portal.channels.speakers import registry
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.core.i18n import LANGUAGES
from portal.dispatch import events, tallies
from portal.dispatch.lease import complete
from portal.dispatch.models import BATCH_DONE, PLANNING, PUSH, READY, RUNNING, SMS, SPEAKERS, WEB, Batch, Dispatch, Outcome
from portal.dispatch.recipients import pack, unpack
from portal.subscribers import quiet, store
from portal.subscribers.matter import Matter, end_of_quiet, matter_of
from portal.warnings import bulletins, target
from portal.warnings.models import ALERT, CANCEL

#: Batches planned in one transaction. The first slice is a single batch, so that sending begins at once.
SLICE = 20

REACHED = (tallies.ACCEPTED, tallies.UNCERTAIN)


@dataclass(frozen=True)
class Slice:
    """Recipients of one region and language, and where the plan stands after them. Without recipients: a phase ended.
    `later`: those who wait, by when their quiet hours are over. All are written together, since one cursor stands for them."""

    region_code: str
    language: str
    ids: list[int]
    cursor: tuple
    later: Mapping[datetime, list[int]] = field(default_factory=dict)

    def parts(self) -> Iterator[tuple[list[int], datetime | None]]:
        """What becomes a batch each: ids, and until when it waits."""
        if self.ids:
            yield self.ids, None
        for until, ids in sorted(self.later.items()):
            yield ids, until


@dataclass(frozen=True)
class Job:
    """What a plan needs to know of its dispatch and bulletin: none of it changes while it is planned."""

    id: uuid.UUID
    channel: str
    warning_id: uuid.UUID
    earlier: tuple[uuid.UUID, ...]  # the bulletins before it, by their place in the chain, not by any clock
    kind: str
    target: dict
    matter: Matter
    at: datetime  # the moment that quiet hours are asked about, the same for the whole plan


class Waiting(Exception):
    """What is replaced is still being stopped; try again in a moment."""


def plan(dispatch_id: uuid.UUID) -> Iterator[bool]:
    """Plan one dispatch, a slice at each step: True when a slice was written, False when it has to wait for the earlier
    bulletin's workers. Ends when all is planned or the dispatch is ended. May be dropped at any point and begun again.
    """
    dispatch = db.session.get(Dispatch, dispatch_id)
    bulletin = bulletins.get(dispatch.bulletin_id) if dispatch else None
    if dispatch is None or bulletin is None:
        return
    cursor = tuple(json.loads(dispatch.cursor)) if dispatch.cursor else ()
    chain = bulletins.of_warning(db.session, bulletin.warning_id)
    earlier = tuple(b.id for b in chain if b.position < bulletin.position)
    matter = matter_of(bulletin.hazard, bulletin.tier, exercise=bulletin.exercise, at=dispatch.created_at,
                       zone=current_settings().timezone)
    job = Job(dispatch.id, dispatch.channel, dispatch.warning_id, earlier, bulletin.kind, bulletin.snapshot["target"], matter,
              dispatch.created_at)
    slices = _slices(job, cursor)
    size = 1
    while True:
        batch: list[Slice] = []
        waiting = exhausted = False
        while len(batch) < size:
            try:
                batch.append(next(slices))
                if not any(batch[-1].parts()):
                    break  # the next phase looks at what was planned before: write it first
            except StopIteration:
                exhausted = True
                break
            except Waiting:
                waiting = True
                slices = _slices(job, batch[-1].cursor if batch else cursor)
                break
        if not _write(job, batch, cursor, last=exhausted):
            return
        if batch:
            cursor = batch[-1].cursor
            events.work.send("planned")
        if exhausted:
            return
        size = SLICE
        yield not waiting


def _write(job: Job, slices: list[Slice], seen: tuple, *, last: bool) -> bool:
    """Write a slice, provided that the dispatch still is being planned and nobody else has planned further."""
    now = utcnow()
    with transaction() as session:
        row = session.execute(select(Dispatch).where(Dispatch.id == job.id).with_for_update()).scalar_one()
        if row.state != PLANNING or (tuple(json.loads(row.cursor)) if row.cursor else ()) != seen:
            return False
        counts: Counter[tallies.Key] = Counter()
        rows = []
        for place, ids, until in [(part, *one) for part in slices for one in part.parts()]:
            counts[place.region_code, place.language, tallies.PLANNED, 0] += len(ids)
            rows.append(
                {
                    "dispatch_id": row.id,
                    "channel": row.channel,
                    "lane": row.lane,
                    "region_code": place.region_code,
                    "language": place.language,
                    "size": len(ids),
                    "recipients": pack(ids),
                    "state": READY,
                    "due_at": until or now,
                    "quiet_until": until,
                    "fence": 0,
                    "attempts": 0,
                }
            )
        if rows:
            session.execute(insert(Batch), rows)
        if slices:
            row.cursor = json.dumps(slices[-1].cursor)
        tallies.add(session, row.id, counts)
        if last:
            row.planned_at, row.state = now, RUNNING
            session.flush()
            complete(session, row.id, now)
    return True


def _slices(job: Job, cursor: tuple) -> Iterator[Slice]:
    """The slices after `cursor`, which is () or begins with the phase: "target", then "quiet", then "earlier"."""
    phase = cursor[0] if cursor else "target"
    if job.kind != CANCEL or job.channel == WEB:
        if phase == "target":
            yield from _PLANS[job.channel](job, cursor)
        if job.channel == SMS and job.matter.hour is not None and phase in ("target", "quiet"):
            yield from _quiet(job, cursor if phase == "quiet" else ())
    if job.channel != WEB and job.kind != ALERT:
        if phase != "earlier":
            yield Slice("", "", [], ("earlier", 0))
        yield from _earlier(job, cursor[1] if phase == "earlier" else 0)


def _sms(job: Job, cursor: tuple) -> Iterator[Slice]:
    """Community by community and language by language; who belongs to several is taken in the first."""
    mask, size = target.audience_mask(job.target), current_settings().batch_size
    for place, before, language, last in _places(job, cursor):
        while ids := store.page(place, language, mask, matter=job.matter, after_id=last, limit=size, excluded_regions=before):
            last = ids[-1]
            yield Slice(place, language, ids, ("target", place, language, last))


def _quiet(job: Job, cursor: tuple) -> Iterator[Slice]:
    """Those whom it leaves alone at this hour, in batches that wait for the end of their quiet."""
    mask, size = target.audience_mask(job.target), current_settings().batch_size
    for place, before, language, last in _places(job, cursor):
        while rows := quiet.page(place, language, mask, job.matter, after_id=last, limit=size, excluded_regions=before):
            last = rows[-1][0]
            yield Slice(place, language, [], ("quiet", place, language, last), _by_end(job, rows))


def _by_end(job: Job, rows: Iterable[tuple[int, int]]) -> dict[datetime, list[int]]:
    ends: dict[datetime, list[int]] = {}
    for subscriber_id, hour in rows:
        ends.setdefault(end_of_quiet(hour, job.at, current_settings().timezone), []).append(subscriber_id)
    return ends


def _places(job: Job, cursor: tuple) -> Iterator[tuple[str, list[str], str, int]]:
    """Community, those before it, language, and the id after which to go on; from where the cursor stands."""
    places = target.communities(job.target)
    _phase, place_at, language_at, after = cursor or ("", "", LANGUAGES[0], 0)
    for at, place in enumerate(places):
        for language in LANGUAGES:
            if place < place_at or (place == place_at and LANGUAGES.index(language) < LANGUAGES.index(language_at)):
                continue
            yield place, places[:at], language, after if (place, language) == (place_at, language_at) else 0


def _speakers(job: Job, cursor: tuple) -> Iterator[Slice]:
    _phase, place_at, after = cursor or ("target", "", 0)
    for place, area in target.speaker_parts(job.target):
        if place < place_at:
            continue
        last = after if place == place_at else 0
        while ids := registry.page(place, last, current_settings().batch_size, area):
            last = ids[-1]
            yield Slice(place, "", ids, ("target", place, last))


def _web(_job: Job, cursor: tuple) -> Iterator[Slice]:
    """Publishing is one act for everybody."""
    if not cursor:
        yield Slice(current_settings().district, "", [0], ("target", "published"))


def _push(job: Job, cursor: tuple) -> Iterator[Slice]:
    """As text messages go, without quiet hours: whether a device makes a sound at night is set on the device. It counts as a
    resident's, since it says nothing of who holds it."""
    if not target.to_residents(job.target):
        return
    size = current_settings().batch_size
    for place, before, language, last in _places(job, cursor):
        while ids := devices.page(place, language, job.matter.tier, after_id=last, limit=size, excluded_regions=before):
            last = ids[-1]
            yield Slice(place, language, ids, ("target", place, language, last))


_PLANS = {PUSH: _push, SMS: _sms, SPEAKERS: _speakers, WEB: _web}


def _earlier(job: Job, after: int) -> Iterator[Slice]:
    """Those who were sent an earlier bulletin of the warning through this channel, batch by batch, each once.

    Who was planned already is remembered in memory, 8 bytes a recipient.
    """
    taken = _planned(job.id)
    while True:
        batch = db.session.execute(
            select(Batch.id, Batch.state, Batch.region_code, Batch.language)
            .join(Dispatch, Dispatch.id == Batch.dispatch_id)
            .where(
                Dispatch.warning_id == job.warning_id,
                Dispatch.channel == job.channel,
                Dispatch.bulletin_id.in_(job.earlier),
                Batch.id > after,
            )
            .order_by(Batch.id)
            .limit(1)
        ).first()
        if batch is None:
            if _still_planning_or_sending(job):
                raise Waiting
            return
        if batch.state != BATCH_DONE:
            raise Waiting
        after = batch.id
        reached = np.fromiter(
            db.session.execute(
                select(Outcome.recipient_id)
                .where(Outcome.batch_id == batch.id, Outcome.status.in_(REACHED))
                .order_by(Outcome.recipient_id)
            ).scalars(),
            dtype="<i8",
        )
        fresh = reached[~np.isin(reached, taken)]
        if len(fresh):
            taken = np.union1d(taken, fresh)
            ids = fresh.tolist()
            sleeping = quiet.among(ids, job.matter) if job.channel == SMS and job.matter.hour is not None else {}
            yield Slice(batch.region_code, batch.language, [i for i in ids if i not in sleeping], ("earlier", batch.id),
                        _by_end(job, sleeping.items()))


def _planned(dispatch_id: uuid.UUID) -> np.ndarray:
    parts = [
        unpack(packed)
        for packed in db.session.execute(select(Batch.recipients).where(Batch.dispatch_id == dispatch_id)).scalars()
    ]
    return np.unique(np.concatenate(parts)) if parts else np.empty(0, dtype="<i8")


def _still_planning_or_sending(job: Job) -> bool:
    """Whether an earlier dispatch of the chain is not yet at rest, so that its batches may still grow or change."""
    return (
        db.session.execute(
            select(Dispatch.id)
            .where(
                Dispatch.warning_id == job.warning_id,
                Dispatch.channel == job.channel,
                Dispatch.bulletin_id.in_(job.earlier),
                Dispatch.ended_at.is_(None),
            )
            .limit(1)
        ).first()
        is not None
    )


def waiting_dispatches(session: Session) -> list[uuid.UUID]:
    """Dispatches still to be planned, most urgent first."""
    return list(
        session.execute(select(Dispatch.id).where(Dispatch.state == PLANNING).order_by(Dispatch.lane, Dispatch.id)).scalars()
    )
