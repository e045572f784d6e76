"""What happens, told to the log as events: of dispatches by who keeps the time, of lines and leases by who sends.

Events are found by looking, every few seconds: one that comes and goes between two looks is not told.
"""

from __future__ import annotations

import time
import uuid
from collections import OrderedDict, deque
from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from portal.core import logs
from portal.dispatch import progress, tallies
from portal.dispatch.models import Dispatch
from portal.dispatch.watch.metrics import Times, tier_of
from portal.dispatch.watch.said import OfficeState

log = logs.events("portal.dispatch.watch")

#: How far back a dispatch may have been issued of which nothing was seen yet.
BACK = timedelta(seconds=60)
#: How long a restart of the keeper counts as one of late, and how many are remembered.
LATELY, MOST_RESTARTS = timedelta(minutes=10), 999
#: Most dispatches that are remembered, and read at once.
MOST = 500


class Dispatches:
    """Follows the dispatches from when it begins: what was there before is not told again."""

    def __init__(self, times: Times, began: datetime) -> None:
        self._times, self._began = times, began
        self._told: OrderedDict[uuid.UUID, set[str]] = OrderedDict()
        self._open: set[uuid.UUID] = set()

    def follow(self, session: Session, open_now: Iterable[Dispatch], now: datetime) -> None:
        """Tell what became of them since the last look."""
        found = {d.id: d for d in open_now}
        since = max(self._began, now - BACK)
        floor = uuid.UUID(int=int(since.timestamp() * 1000) << 80)  # identifiers sort by the time they were made
        rows = select(Dispatch).where(or_(Dispatch.id.in_(self._open - found.keys()), Dispatch.id > floor)).limit(MOST)
        found |= {d.id: d for d in session.execute(rows.execution_options(populate_existing=True)).scalars()}
        for dispatch in sorted(found.values(), key=lambda d: d.id):
            self._tell(dispatch)
        self._open = {d.id for d in found.values() if d.ended_at is None}
        while len(self._told) > MOST:
            self._told.popitem(last=False)

    def _tell(self, dispatch: Dispatch) -> None:
        told = self._told.setdefault(dispatch.id, set())
        for event, at in (("issued", dispatch.created_at), ("planned", dispatch.planned_at), ("first", dispatch.first_at),
                          ("ended", dispatch.ended_at)):
            if at is None or event in told:
                continue
            told.add(event)
            if at < self._began:
                continue
            seconds = round((at - dispatch.created_at).total_seconds(), 3)
            log.info(f"dispatch.{event}", **_of(dispatch), **({} if event == "issued" else {"seconds": seconds}),
                     **(_counts(dispatch) if event == "ended" else {}))
            if event == "first":
                self._times.first(dispatch.channel, dispatch.lane, seconds)
            if event == "ended" and dispatch.last_at:
                self._times.last(dispatch.channel, dispatch.lane, (dispatch.last_at - dispatch.created_at).total_seconds())


class Sending:
    """Follows what this process sends by."""

    def __init__(self) -> None:
        self._circuits: dict[str, str] = {}
        self._lost = 0
        self._restarts = 0
        self._restarted: deque[float] = deque(maxlen=MOST_RESTARTS)  # when each was seen

    def follow(self, office: OfficeState) -> None:
        for line in office.lines:
            before = self._circuits.get(line.name, line.circuit)
            if before != line.circuit:
                log.warning("line.circuit", line=line.name, was=before, now=line.circuit, error=line.last_error,
                            pause=round(line.pause, 1))
            self._circuits[line.name] = line.circuit
        if office.lost_leases > self._lost:
            log.warning("lease.lost", count=office.lost_leases - self._lost)
        self._lost = office.lost_leases
        if new := office.keeper_restarts - self._restarts:
            log.warning("keeper.restarted", count=new)
            self._restarted.extend([time.monotonic()] * min(new, MOST_RESTARTS))
        self._restarts = office.keeper_restarts

    @property
    def keeper_lately(self) -> int:
        """How often the keeper was begun anew within LATELY."""
        since = time.monotonic() - LATELY.total_seconds()
        while self._restarted and self._restarted[0] < since:
            self._restarted.popleft()
        return len(self._restarted)


def _of(dispatch: Dispatch) -> dict[str, object]:
    return {"dispatch": str(dispatch.id), "bulletin": str(dispatch.bulletin_id), "channel": dispatch.channel,
            "tier": tier_of(dispatch.lane), "exercise": dispatch.exercise}


def _counts(dispatch: Dispatch) -> dict[str, object]:
    found = next((p for p in progress.of_bulletin(dispatch.bulletin_id) if p.dispatch.id == dispatch.id), None)
    if found is None:
        return {}
    last = {"last": round((dispatch.last_at - dispatch.created_at).total_seconds(), 3)} if dispatch.last_at else {}
    return {"state": dispatch.state, **last, "planned": found.planned,
            **{end: found.ends.get(end, 0) for end in tallies.ENDS if found.ends.get(end)}}
