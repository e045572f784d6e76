"""What a keeper of a shelter sees on its page, and what becomes of the forms that the page sends."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.core.errors import Invalid, Problem
from portal.shelters import models
from portal.shelters.living import opening, reports
from portal.shelters.living.door import Holder
from portal.shelters.living.reports import Contradiction, State
from portal.shelters.models import Keeper, Opening, Shelter, StatusReport

SHOWN = 12
#: The steps that make sense next, the likeliest first; all other statuses stand below them.
NEXT: dict[str | None, tuple[str, ...]] = {
    None: (models.OPENING, models.OPEN),
    models.STANDBY: (models.OPENING, models.OPEN),
    models.OPENING: (models.OPEN, models.STANDBY),
    models.OPEN: (models.NEARLY_FULL, models.FULL, models.CLOSING),
    models.NEARLY_FULL: (models.FULL, models.OPEN, models.CLOSING),
    models.FULL: (models.NEARLY_FULL, models.OPEN, models.CLOSING),
    models.CLOSING: (models.CLOSED, models.OPEN),
    models.CLOSED: (models.STANDBY, models.OPENING),
    models.UNSAFE: (models.CLOSED, models.STANDBY),
}
#: Hours for which a keeper can say that a report holds.
VALID_HOURS = (3, 6, 12, 24, 48)
MOST_STEPS = 1000
_FAR = timedelta(days=30)


class AskAgain(Invalid):
    """More people than places: possible, so it is asked once more and not refused."""


@dataclass(frozen=True)
class Post:
    """One shelter as its keeper sees it. `seen_id`: the newest report shown; `undoable`: the keeper's own last report."""

    keeper: Keeper
    shelter: Shelter
    drill: Opening | None
    state: State
    history: list[StatusReport]
    conflicts: list[Contradiction]
    undoable: StatusReport | None

    @property
    def seen_id(self) -> int:
        return self.history[0].id if self.history else 0

    @property
    def next(self) -> tuple[str, ...]:
        return NEXT[self.state.status]

    @property
    def others(self) -> tuple[str, ...]:
        return tuple(s for s in models.STATUSES if s not in self.next)

    @property
    def places(self) -> int | None:
        return places(self.shelter)

    @property
    def is_stale(self) -> bool:
        until = self.state.status_until
        return bool(until and until < utcnow())


def places(shelter: Shelter) -> int | None:
    """The most that the shelter is known to hold, by day or by night."""
    return max((c for c in (shelter.capacity_day, shelter.capacity_night) if c is not None), default=None)


def of(keeper: Keeper, shelter: Shelter) -> Post:
    """The page of one shelter, drill or real as it is now."""
    drill = opening.drills_of([shelter.id]).get(shelter.id)
    state = reports.drill_states({shelter.id: drill.decided_at})[shelter.id] if drill else State.of(shelter)
    past = reports.history(shelter.id, SHOWN + 1, exercise=drill is not None)
    if drill:
        past = [r for r in past if r.observed_at >= drill.decided_at]
    found = reports.conflicts(exercise=drill is not None, shelter_ids=[shelter.id])
    return Post(keeper, shelter, drill, state, past[:SHOWN], found, _undoable(keeper, past))


def take(holder: Holder, shelter_id: int, sent: Mapping[str, str]) -> StatusReport:
    """Take what a keeper's form says. Fields: `ref`, `status`, `occupancy`, `step` (added to the number), `note`, `valid`
    (hours), `observed_at` (ISO 8601; empty: now), `seen_id`, `exercise` (1: the page said that it is a drill), `over` (1:
    more than there are places, and that is right). Raises Invalid by field, AskAgain, Conflict."""
    found = holder.find(shelter_id)
    if found is None:
        raise Invalid.one("", _l("You no longer keep this shelter."))
    keeper, shelter = found
    observed_at = _moment(sent.get("observed_at", ""))
    occupancy = _people(sent.get("occupancy", ""), sent.get("step", ""))
    exercise = _exercise(shelter, observed_at, sent.get("exercise") == "1")
    most = places(shelter)
    if occupancy is not None and most is not None and occupancy > most and sent.get("over") != "1":
        raise AskAgain.one("over", _("%(people)d people are more than the %(places)d places. Is that right?",
                                     people=occupancy, places=most))
    hours = sent.get("valid", "")
    valid = timedelta(hours=int(hours)) if hours.isascii() and hours.isdigit() and int(hours) in VALID_HOURS else None
    with transaction() as session:
        return reports.report(
            session, shelter_id, ref=sent.get("ref", ""), status=sent.get("status") or None, occupancy=occupancy,
            note=sent.get("note", "")[:1000], observed_at=observed_at, valid_until=observed_at + valid if valid else None,
            source=reports.KEEPER, reporter=keeper.post, keeper_id=keeper.id, seen_id=_number(sent.get("seen_id", "")),
            exercise=exercise)


def undo(holder: Holder, shelter_id: int, report_id: int, ref: str) -> StatusReport:
    """Report again what was the case before the keeper's own last report. Raises Invalid when it is not the last any more."""
    found = holder.find(shelter_id)
    if found is None:
        raise Invalid.one("", _l("You no longer keep this shelter."))
    if (done := reports.taken(db.session, shelter_id, ref)) is not None:
        return done  # pressed twice
    here = of(*found)
    if here.undoable is None or here.undoable.id != report_id:
        raise Invalid.one("", _l("This can no longer be undone: something newer was reported. Report what is right."))
    before = _before(here.undoable, here.history)
    with transaction() as session:
        return reports.report(
            session, shelter_id, ref=ref, status=before.status, occupancy=before.occupancy, note=_("Undone"),
            observed_at=utcnow(), source=reports.KEEPER, reporter=found[0].post, keeper_id=found[0].id, seen_id=report_id,
            exercise=here.drill is not None)


def new_ref() -> str:
    return str(uuid.uuid4())


def _undoable(keeper: Keeper, past: list[StatusReport]) -> StatusReport | None:
    last = past[0] if past else None
    if last is None or last.keeper_id != keeper.id or not last.applied:
        return None
    before = _before(last, past)
    complete = (last.status is None or before.status) and (last.occupancy is None or before.occupancy is not None)
    return last if complete and (before.status or before.occupancy is not None) else None


def _before(last: StatusReport, past: list[StatusReport]) -> State:
    """What was said before the last report, of what it said."""
    earlier = sorted((r for r in past if r.id != last.id and r.applied), key=lambda r: (r.observed_at, r.id), reverse=True)
    status = next((r.status for r in earlier if r.status), None) if last.status else None
    people = None
    if last.occupancy is not None or last.status in reports.EMPTY:  # it set the count, or took it away
        people = next((r.occupancy for r in earlier if r.occupancy is not None or r.status in reports.EMPTY), None)
    return State(status=status, occupancy=people)


def _exercise(shelter: Shelter, observed_at: datetime, said: bool) -> bool:
    """Whether it is a drill's report: what the page said when it was made must be so. A drill's report that comes late
    stays one, and one from a page that did not know of the drill is not taken for real."""
    drill = opening.drills_of([shelter.id]).get(shelter.id)
    if said and not (drill or opening.had_drill(shelter.id, observed_at)):
        raise Invalid.one("", _l("There is no drill at this shelter. Load the page again and report what is real."))
    if not said and drill and observed_at >= drill.decided_at:
        raise Invalid.one("", _l("A drill has begun here since you loaded the page. Load it again, then report."))
    return said


def _moment(text: str) -> datetime:
    if not text.strip():
        return utcnow()
    try:
        moment = datetime.fromisoformat(text.strip()[:40])
    except ValueError:
        moment = datetime.min  # noqa: DTZ901  (no zone either, so refused below)
    if moment.tzinfo is None:
        raise Invalid([Problem("observed_at", _l("The time of this report cannot be read."))])
    now = utcnow()  # what lies further off is refused all the same, and nothing can be reckoned with the year 1 or 9999
    return min(max(moment, now - _FAR), now + _FAR).astimezone(UTC)


def _people(text: str, step: str) -> int | None:
    text = text.strip().replace(",", "").replace("，", "")
    if not text and not step:
        return None
    people, added = _number(text or "0"), _number(step or "0")
    if people is None or added is None or abs(added) > MOST_STEPS:
        raise Invalid.one("occupancy", _l("Write the number of people in digits."))
    return max(0, people + added)


def _number(text: str) -> int | None:
    text = text.strip().translate(_WIDE)
    digits = text.removeprefix("-").removeprefix("+")
    return int(text) if digits.isascii() and digits.isdigit() and len(digits) <= 12 else None


_WIDE: Any = str.maketrans("０１２３４５６７８９＋－", "0123456789+-")
