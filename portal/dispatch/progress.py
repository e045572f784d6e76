"""What the desk shows of a dispatch: counts, reasons, stages, reach by region; all from kept counts."""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, select

from portal.channels.speakers import registry
from portal.core.clock import utcnow
from portal.core.db import db
from portal.dispatch import outcomes, tallies
from portal.dispatch.models import CHANNELS, EXPIRED, PLANNING, READY, RUNNING, STOPPED, Batch, Delivery, Dispatch, Tally
from portal.dispatch.recipients import unpack
from portal.subscribers import audiences


@dataclass
class Progress:
    """One dispatch in numbers of recipients. `ends`: see `tallies.ENDS`; `stages`: the furthest that receipts told of the
    accepted ones; `reasons`: (kind, code) of what failed; `silent`: accepted, and nothing was heard since; `overdue`: those of
    them, and `overdue_sent` those who were only sent on, of whom something should have been heard by now; `quiet`: those of
    the pending who wait for the end of their quiet hours, the last of them until `quiet_until`."""

    dispatch: Dispatch
    planned: int = 0
    quiet: int = 0
    quiet_until: datetime | None = None
    ends: dict[str, int] = field(default_factory=dict)
    stages: dict[str, int] = field(default_factory=dict)
    overdue: int = 0
    overdue_sent: int = 0
    reasons: dict[tuple[str, str], int] = field(default_factory=dict)

    @property
    def ended(self) -> int:
        return sum(self.ends.values())

    @property
    def pending(self) -> int:
        return max(0, self.planned - self.ended)

    @property
    def accepted(self) -> int:
        return self.ends.get(tallies.ACCEPTED, 0)

    @property
    def silent(self) -> int:
        return max(0, self.accepted - sum(self.stages.values()))

    @property
    def seconds_to_first(self) -> float | None:
        return (self.dispatch.first_at - self.dispatch.created_at).total_seconds() if self.dispatch.first_at else None

    @property
    def seconds_to_last(self) -> float | None:
        return (self.dispatch.last_at - self.dispatch.created_at).total_seconds() if self.dispatch.last_at else None

    @property
    def seconds_left(self) -> float | None:
        """At the present rate; None while nothing can be said."""
        first, last = self.dispatch.first_at, self.dispatch.last_at
        moving = self.pending - self.quiet
        if moving <= 0 or not first or not last or last <= first or not self.accepted:
            return None
        return moving * (last - first).total_seconds() / self.accepted


@dataclass(frozen=True)
class Horn:
    """One loudspeaker in a dispatch. `status`: pending, how the hand-over ended, or the furthest that the horn has told."""

    speaker: object
    status: str
    code: str
    at: datetime | None


def of_bulletin(bulletin_id: uuid.UUID) -> list[Progress]:
    """Progress of each channel of a bulletin."""
    found = [
        Progress(d)
        for d in db.session.execute(
            select(Dispatch)
            .where(Dispatch.bulletin_id == bulletin_id)
            .execution_options(populate_existing=True)
        ).scalars()
    ]
    return _filled(found)


def of_warning(warning_id: uuid.UUID) -> dict[uuid.UUID, list[Progress]]:
    """Bulletin id → progress of its channels, for every bulletin of a warning."""
    found = _filled(
        [
            Progress(d)
            for d in db.session.execute(
                select(Dispatch)
                .where(Dispatch.warning_id == warning_id)
                    .execution_options(populate_existing=True)
            ).scalars()
        ]
    )
    grouped: dict[uuid.UUID, list[Progress]] = defaultdict(list)
    for progress in found:
        grouped[progress.dispatch.bulletin_id].append(progress)
    return dict(grouped)


def of_open() -> list[Progress]:
    """Progress of every dispatch that has not ended, the most urgent and then the oldest first."""
    found = _filled(
        [
            Progress(d)
            for d in db.session.execute(
                select(Dispatch)
                .where(Dispatch.state.in_((PLANNING, RUNNING)))
                .execution_options(populate_existing=True)
            ).scalars()
        ]
    )
    return sorted(found, key=lambda p: (p.dispatch.lane, p.dispatch.created_at, p.dispatch.id))


def _filled(found: list[Progress]) -> list[Progress]:
    found.sort(key=lambda p: CHANNELS.index(p.dispatch.channel))
    by_id = {p.dispatch.id: p for p in found}
    for dispatch_id, key, n in db.session.execute(
        select(Tally.dispatch_id, Tally.key, func.sum(Tally.n))
        .where(Tally.dispatch_id.in_(by_id))
        .group_by(Tally.dispatch_id, Tally.key)
    ):
        _put(by_id[dispatch_id], key, int(n))
    waiting = (
        select(Batch.dispatch_id, func.sum(Batch.size), func.max(Batch.quiet_until))
        .where(Batch.dispatch_id.in_(by_id), Batch.state == READY, Batch.fence == 0, Batch.quiet_until > utcnow())
        .group_by(Batch.dispatch_id)
    )
    for dispatch_id, n, until in db.session.execute(waiting):
        by_id[dispatch_id].quiet, by_id[dispatch_id].quiet_until = int(n), until
    return found


def _put(progress: Progress, key: str, n: int) -> None:
    if key == tallies.PLANNED:
        progress.planned = n
    elif key in tallies.ENDS:
        progress.ends[key] = n
    elif key == tallies.SILENT[None]:
        progress.overdue = max(0, n)
    elif key == tallies.SILENT["sent"]:
        progress.overdue_sent = max(0, n)
    elif key.startswith(tallies.STAGE) and n:
        progress.stages[key.removeprefix(tallies.STAGE)] = n
    elif key.startswith(tallies.REASON) and n > 0:
        kind, _, code = key.removeprefix(tallies.REASON).partition(":")
        progress.reasons[kind, code] = n


def by_region(dispatch_id: uuid.UUID) -> dict[str, dict[str, int]]:
    """Region code → count by key (`planned`, an end, `stage/…`), over all languages."""
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for region, key, n in db.session.execute(
        select(Tally.region_code, Tally.key, func.sum(Tally.n))
        .where(Tally.dispatch_id == dispatch_id)
        .group_by(Tally.region_code, Tally.key)
        .order_by(Tally.region_code)
    ):
        if not key.startswith(tallies.REASON):
            found[region][key] = int(n)
    return dict(found)


def by_language(dispatch_id: uuid.UUID) -> dict[str, dict[str, int]]:
    """Language → count by key."""
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for language, key, n in db.session.execute(
        select(Tally.language, Tally.key, func.sum(Tally.n))
        .where(Tally.dispatch_id == dispatch_id)
        .group_by(Tally.language, Tally.key)
    ):
        if not key.startswith(tallies.REASON):
            found[language][key] = int(n)
    return dict(found)


def by_audience(dispatch_id: uuid.UUID) -> dict[str, dict[str, int]]:
    """Audience → count by key. Somebody of two audiences counts in both, so that these add up to more than all. Under the empty
    key: of whom none is known, as of loudspeakers."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for mask, key, n in db.session.execute(
        select(Tally.audiences, Tally.key, func.sum(Tally.n))
        .where(Tally.dispatch_id == dispatch_id)
        .group_by(Tally.audiences, Tally.key)
    ):
        if not key.startswith(tallies.REASON):
            for audience in audiences.keys_of(mask) or ("",):
                found[audience][key] += int(n)
    return {audience: dict(counts) for audience, counts in found.items()}


def horns(dispatch_id: uuid.UUID) -> list[Horn]:
    """Every loudspeaker of a dispatch with what is known of it, those that gave no sign first."""
    batches = db.session.execute(select(Batch.id, Batch.recipients).where(Batch.dispatch_id == dispatch_id)).all()
    batch_ids = [b.id for b in batches]
    ends = {i: page for page in outcomes.pages(db.session, batch_ids) for i in page.recipients.tolist()}
    deliveries = {
        d.recipient_id: d for d in db.session.execute(select(Delivery).where(Delivery.batch_id.in_(batch_ids))).scalars()
    }
    ids = [int(i) for b in batches for i in unpack(b.recipients)]
    speakers = {s.id: s for s in registry.load(ids)}
    dispatch = db.session.get_one(Dispatch, dispatch_id)
    unsent = dispatch.state if dispatch.ended_at and dispatch.state in (STOPPED, EXPIRED) else "pending"
    found = []
    for i in ids:
        known = deliveries.get(i) or ends.get(i)
        found.append(
            Horn(speakers.get(i), known.status if known else unsent, known.code if known else "", known.at if known else None)
        )
    order = (
        "failed",
        "refused",
        "expired",
        "pending",
        "preempted",
        "stopped",
        "uncertain",
        "accepted",
        "heard",
        "playing",
        "finished",
    )
    return sorted(found, key=lambda h: order.index(h.status) if h.status in order else 0)
