"""Reports: what somebody saw at a shelter, and when. Append-only; the newest observation is the shelter's state.

Times are the observer's: a report that comes late, from a phone that was offline, changes nothing that was seen after it.
Drills are kept apart: they have a state of their own (see :func:`drill_states`) and never touch the shelter.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask_babel import lazy_gettext as _l
from sqlalchemy import or_, select
from sqlalchemy.orm import Session, aliased

from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db
from portal.core.errors import Conflict, Invalid, Problem
from portal.regions import codes
from portal.shelters.field import wish
from portal.shelters.models import CLOSED, STANDBY, STATUSES, Shelter, StatusReport
from portal.shelters.models import OPENING as BEING_OPENED

KEEPER, DESK, OPENING, IMPORT, API = SOURCES = ("keeper", "desk", "opening", "import", "api")
#: States in which nobody is inside yet, or any more: whoever was counted before has gone home, and takes no place next time.
EMPTY = (STANDBY, BEING_OPENED, CLOSED)
#: Sources with a person behind, whose words can contradict each other.
PEOPLE = (KEEPER, DESK)
MOST_PEOPLE = 1_000_000
LONGEST_NOTE = 300
#: A clock may go this much ahead; what lies further in the future is a wrong clock.
AHEAD = timedelta(minutes=5)
#: What was seen longer ago tells nothing any more.
OLDEST = timedelta(hours=48)
LONGEST_VALID = timedelta(hours=72)
#: Reports that contradict each other are shown for so long; afterwards both are history.
CONFLICT_HOURS = 24
MOST_CONFLICTS, MOST_POINTS = 200, 20_000
#: Reports of one shelter among which a contradiction, or a drill's state, is looked for.
LOOKED_AT = 200
_REF = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class State:
    """What is known of a shelter at a time; every part may be unknown."""

    status: str | None = None
    status_at: datetime | None = None
    status_until: datetime | None = None
    occupancy: int | None = None
    occupancy_at: datetime | None = None

    @classmethod
    def of(cls, shelter: Shelter) -> State:
        return cls(shelter.status, shelter.status_at, shelter.status_until, shelter.occupancy, shelter.occupancy_at)


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two reports that say different things, the later one made without knowing the earlier."""

    shelter: Shelter
    report: StatusReport
    against: StatusReport


def report(
    session: Session,
    shelter_id: int,
    *,
    ref: str,
    status: str | None = None,
    occupancy: int | None = None,
    note: str = "",
    observed_at: datetime,
    valid_until: datetime | None = None,
    source: str,
    reporter: str,
    keeper_id: int | None = None,
    seen_id: int | None = None,
    exercise: bool = False,
) -> StatusReport:
    """Take a report, inside the caller's write transaction. `ref` (a UUID made once by whoever reports) makes a replay
    harmless: the report that came first is given back and nothing changes. `seen_id`: the newest report that its maker
    knew. Raises Invalid with what is wrong, by field; Conflict where the ref was used for another shelter."""
    now = utcnow()
    shelter = session.execute(
        select(Shelter).where(Shelter.id == shelter_id).with_for_update().execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if (known := taken(session, shelter_id, ref)) is not None:
        return known  # before all checks: what was taken once is not called too old by a phone that asks again days later
    _check(ref, status, occupancy, note, observed_at, valid_until, source, now)
    if shelter is None or shelter.retired_at:
        raise Invalid.one("", _l("This shelter is no longer in the register."))
    made = StatusReport(
        shelter_id=shelter_id, ref=ref, status=status, occupancy=occupancy, note=note.strip(),
        observed_at=min(observed_at, now), received_at=now, valid_until=valid_until, source=source, reporter=reporter[:80],
        keeper_id=keeper_id, seen_id=seen_id, exercise=exercise, applied=False)
    made.conflict = _contradicted(made, history(shelter_id, LOOKED_AT, exercise=exercise)) is not None
    if exercise:
        made.applied = _newest_of_drill(session, made)
    else:
        made.applied = _apply(shelter, made)
    session.add(made)
    session.flush()
    audit.append(session, audit.Actor(None, made.reporter), "shelter.report", f"shelter:{shelter.code}",
                 {"status": status, "occupancy": occupancy, "source": source, "exercise": exercise,
                  "applied": made.applied, "conflict": made.conflict})
    if made.applied and not exercise:
        wish.ask(session, "status")
    return made


def taken(session: Session, shelter_id: int, ref: str) -> StatusReport | None:
    """The report with this ref, when there is one. Raises Conflict where it is another shelter's."""
    known = session.execute(select(StatusReport).where(StatusReport.ref == ref)).scalar_one_or_none()
    if known is not None and known.shelter_id != shelter_id:
        raise Conflict(_l("This report was already made for another shelter."))
    return known


def _check(ref: str, status: str | None, occupancy: int | None, note: str, observed_at: datetime,
           valid_until: datetime | None, source: str, now: datetime) -> None:
    problems = []
    if not _REF.match(ref):
        problems.append(Problem("ref", _l("The report has no number of its own; load the page again.")))
    if source not in SOURCES:
        raise ValueError(f"unknown source {source!r}")
    if status is not None and status not in STATUSES:
        problems.append(Problem("status", _l("This status does not exist.")))
    if occupancy is not None and not 0 <= occupancy <= MOST_PEOPLE:
        problems.append(Problem("occupancy", _l("The number of people must be between 0 and 1,000,000.")))
    if status is None and occupancy is None and not note.strip():
        problems.append(Problem("", _l("Choose a status, or say how many people are there.")))
    if len(note.strip()) > LONGEST_NOTE:
        problems.append(Problem("note", _l("The note is too long: at most 300 characters.")))
    if observed_at > now + AHEAD:
        problems.append(Problem("observed_at", _l("The time of this report lies in the future: check the clock of the phone.")))
    elif observed_at < now - OLDEST:
        problems.append(Problem("observed_at", _l("This report is more than 48 hours old and was not taken. Report what you"
                                                  " see now.")))
    elif valid_until is not None and not observed_at < valid_until <= observed_at + LONGEST_VALID:
        problems.append(Problem("valid_until", _l("“Valid until” must lie after the report, within 72 hours.")))
    if problems:
        raise Invalid(problems)


def _apply(shelter: Shelter, made: StatusReport) -> bool:
    """Whether it says anything newer than what the shelter shows; then the shelter shows it."""
    applied = False
    if made.status is not None and (shelter.status_at is None or made.observed_at >= shelter.status_at):
        shelter.status, shelter.status_at = made.status, made.observed_at
        shelter.status_source, shelter.status_until = made.source, made.valid_until
        applied = True
    if made.status in EMPTY and (shelter.occupancy_at is None or made.observed_at >= shelter.occupancy_at):
        # With its moment, so that a count from before that comes late does not count either.
        applied = applied or shelter.occupancy is not None
        shelter.occupancy, shelter.occupancy_at = None, made.observed_at
    if made.occupancy is not None and (shelter.occupancy_at is None or made.observed_at >= shelter.occupancy_at):
        shelter.occupancy, shelter.occupancy_at = made.occupancy, made.observed_at
        applied = True
    return applied


def _newest_of_drill(session: Session, made: StatusReport) -> bool:
    later = select(StatusReport.id).where(
        StatusReport.shelter_id == made.shelter_id, StatusReport.exercise, StatusReport.observed_at > made.observed_at,
        StatusReport.status.is_not(None) if made.status else StatusReport.occupancy.is_not(None))
    return session.execute(later.limit(1)).first() is None


def _contradicted(made: StatusReport, earlier: Iterable[StatusReport]) -> StatusReport | None:
    """The newest report of somebody else that says something else, of those that the maker of this one did not know."""
    if made.source not in PEOPLE:
        return None
    oldest = made.received_at - timedelta(hours=CONFLICT_HOURS)
    return next((other for other in earlier if other.source in PEOPLE and other.id > (made.seen_id or 0)
                 and other.received_at > oldest and not _same_maker(made, other) and _differ(made, other)), None)


def _same_maker(one: StatusReport, other: StatusReport) -> bool:
    if one.keeper_id is not None or other.keeper_id is not None:
        return one.keeper_id == other.keeper_id
    return one.reporter == other.reporter


def _differ(one: StatusReport, other: StatusReport) -> bool:
    pairs = ((one.status, other.status), (one.occupancy, other.occupancy))
    return any(None not in pair and pair[0] != pair[1] for pair in pairs)


# -- reading -------------------------------------------------------------------------------------------------
def history(shelter_id: int, limit: int = 50, *, exercise: bool | None = None) -> list[StatusReport]:
    """The reports of a shelter, the latest to come first; of both kinds unless `exercise` says which."""
    query = select(StatusReport).where(StatusReport.shelter_id == shelter_id)
    if exercise is not None:
        query = query.where(StatusReport.exercise == exercise)
    return list(db.session.execute(query.order_by(StatusReport.id.desc()).limit(limit)).scalars())


def occupancy_series(shelter_ids: Collection[int], since: datetime) -> list[tuple[datetime, int, int | None]]:
    """Head counts of a real situation as (observed, shelter, people), oldest first; the newest 20,000 when there are more.
    `people` None: from then on the last count no longer holds."""
    query = select(StatusReport.observed_at, StatusReport.shelter_id, StatusReport.occupancy).where(
        StatusReport.shelter_id.in_(list(shelter_ids)), StatusReport.observed_at >= since,
        or_(StatusReport.occupancy.is_not(None), StatusReport.status.in_(EMPTY)), StatusReport.exercise.is_(False))
    rows = db.session.execute(query.order_by(StatusReport.observed_at.desc(), StatusReport.id.desc()).limit(MOST_POINTS))
    return [(at, shelter_id, people) for at, shelter_id, people in rows][::-1]


def conflicts(region_codes: Sequence[str] | None = None, *, exercise: bool = False,
              shelter_ids: Collection[int] | None = None) -> list[Contradiction]:
    """Contradictions of the last 24 hours that nobody has resolved, newest first, up to 200. A later report by somebody
    who knew of both resolves them."""
    if region_codes is not None and not region_codes:
        return []
    after = aliased(StatusReport)
    resolved = select(after.id).where(
        after.shelter_id == StatusReport.shelter_id, after.exercise == StatusReport.exercise, after.id > StatusReport.id,
        after.source.in_(PEOPLE), after.seen_id >= StatusReport.id).exists()
    query = (
        select(StatusReport, Shelter)
        .join(Shelter, Shelter.id == StatusReport.shelter_id)
        .where(StatusReport.conflict, StatusReport.exercise == exercise, Shelter.retired_at.is_(None), ~resolved,
               StatusReport.received_at > utcnow() - timedelta(hours=CONFLICT_HOURS)))
    if region_codes is not None:
        ranges = [codes.code_range(code) for code in region_codes]
        query = query.where(or_(*(Shelter.region_code.between(low, high) for low, high in ranges)))
    if shelter_ids is not None:
        query = query.where(StatusReport.shelter_id.in_(list(shelter_ids)))
    found = db.session.execute(query.order_by(StatusReport.id.desc()).limit(MOST_CONFLICTS)).all()
    around = _reports_around({made.shelter_id for made, _shelter in found}, exercise)
    shown: dict[int, Contradiction] = {}
    for made, shelter in found:
        if shelter.id in shown:
            continue
        earlier = (r for r in around[shelter.id] if r.id < made.id)
        if against := _contradicted(made, earlier):
            shown[shelter.id] = Contradiction(shelter, made, against)
    return list(shown.values())


def _reports_around(shelter_ids: Collection[int], exercise: bool) -> dict[int, list[StatusReport]]:
    """Of each of these shelters, the newest first, what people reported that a contradiction shown now can be about. One
    question for all: every desk asks again and again."""
    found: dict[int, list[StatusReport]] = defaultdict(list)
    if shelter_ids:
        query = select(StatusReport).where(
            StatusReport.shelter_id.in_(list(shelter_ids)), StatusReport.exercise == exercise, StatusReport.source.in_(PEOPLE),
            StatusReport.received_at > utcnow() - timedelta(hours=2 * CONFLICT_HOURS))
        for one in db.session.execute(query.order_by(StatusReport.id.desc()).limit(MOST_POINTS)).scalars():
            found[one.shelter_id].append(one)
    return found


def drill_states(since: Mapping[int, datetime]) -> dict[int, State]:
    """Of each shelter what its newest drill reports say, not older than the moment that the mapping names for it."""
    found: dict[int, State] = {}
    for shelter_id, begun in since.items():
        rows = [r for r in history(shelter_id, LOOKED_AT, exercise=True) if r.observed_at >= begun]
        rows.sort(key=lambda r: (r.observed_at, r.id), reverse=True)
        said = next((r for r in rows if r.status is not None), None)
        counted = next((r for r in rows if r.occupancy is not None), None)
        found[shelter_id] = State(
            said.status if said else None, said.observed_at if said else None, said.valid_until if said else None,
            counted.occupancy if counted else None, counted.observed_at if counted else None)
    return found
