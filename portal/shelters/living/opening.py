"""Opening shelters when a bulletin calls for it, and closing them when the danger is over.

Which bulletins call for it is content: the hazard's tier says `shelters_open`, and its family says which shelters help. A
decision is one row of `Opening`; what it does to the shelters goes in as reports, like everything else that is said of them.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from flask_babel import lazy_gettext as _l
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.core.errors import Conflict, Forbidden, Invalid
from portal.identity import rights
from portal.identity.models import Account
from portal.regions import codes, lookup
from portal.shelters.living import reports
from portal.shelters.models import CLOSED, CLOSING, FULL, NEARLY_FULL, OPEN, STANDBY, UNSAFE, Opening, Shelter
from portal.shelters.models import OPENING as BEING_OPENED
from portal.shelters.registry import store
from portal.shelters.registry.suitability import Family, family_of, suits
from portal.warnings import bulletins, hazards
from portal.warnings.models import CANCEL, IN_FORCE, Bulletin

OPENED, DECLINED, CLOSED_AGAIN = "opened", "declined", "closed"
LONGEST_REASON = 300
#: Shelters in one decision, and of one kind on the page.
MOST_SHELTERS = 500
#: A drill that nobody closed stops swallowing reports after this.
DRILL_LASTS = timedelta(hours=72)
#: Statuses from which opening is a step; the others are open already, or are not to be touched.
CLOSED_STATUSES = (None, STANDBY, CLOSED, CLOSING)


@dataclass(frozen=True)
class Call:
    """What a bulletin asks of shelters. `proposed`: suitable and not open; `unknown`: nobody has said whether they are
    suitable; `standing`: suitable and open already; `unsafe` are not to be opened; `busy`: in real use, which a drill leaves
    alone. Each list in the order of regions."""

    bulletin: Bulletin
    family: Family
    proposed: list[Shelter] = field(default_factory=list)
    unknown: list[Shelter] = field(default_factory=list)
    standing: list[Shelter] = field(default_factory=list)
    unsafe: list[Shelter] = field(default_factory=list)
    busy: list[Shelter] = field(default_factory=list)

    @property
    def population(self) -> int:
        """People who live where the bulletin warns."""
        return lookup.population_of(self.bulletin.region_codes)


def family_for(bulletin: Bulletin) -> Family | None:
    """The family whose shelters the bulletin calls for by its hazard and tier; None when it calls for none."""
    if bulletin.kind == CANCEL:
        return None
    hazard = hazards.catalogue().get(bulletin.hazard)
    if hazard is None or not hazard.has(bulletin.tier) or not hazard.signal(bulletin.tier).shelters_open:
        return None
    return family_of(bulletin.hazard)


def called_for(bulletin: Bulletin) -> Call | None:
    """The shelters of the bulletin's regions, sorted by what is to be done with them; None when it calls for none."""
    family = family_for(bulletin)
    if family is None:
        return None
    call = Call(bulletin, family)
    drilled = set(still_open(of_warning(bulletin.warning_id))) if bulletin.exercise else set()
    for shelter in store.listing(bulletin.region_codes):
        if (verdict := suits(shelter, family)) is not False:
            _place_of(shelter, call, verdict, drilled).append(shelter)
    return call


def _place_of(shelter: Shelter, call: Call, verdict: bool | None, drilled: Collection[int]) -> list[Shelter]:
    """The list of the call in which a shelter that may be suitable belongs."""
    if shelter.status == UNSAFE:
        return call.unsafe
    if call.bulletin.exercise and shelter.id not in drilled and _not_for_drills(shelter):
        return call.busy
    if verdict is None:
        return call.unknown
    is_open = shelter.id in drilled if call.bulletin.exercise else in_use(shelter)
    return call.standing if is_open else call.proposed


def in_use(shelter: Shelter) -> bool:
    """Whether people are, or are soon to be, in it, by its newest real state."""
    return shelter.status not in CLOSED_STATUSES


def _not_for_drills(shelter: Shelter) -> bool:
    return in_use(shelter) or shelter.status == CLOSING  # people are on their way home


def open_shelters(account: Account, bulletin: Bulletin, shelter_ids: Collection[int], *,
                  seen: uuid.UUID | None = None) -> Opening:
    """Open these shelters for the bulletin's warning, in one step. Sending the same twice gives the first decision back.
    `seen` is the newest decision about the warning that the account had on screen; None: there was none.

    Raises Invalid when nothing can be opened, Forbidden outside the duty, Conflict when somebody else decided meanwhile.
    """
    wanted = sorted(set(shelter_ids))
    if not wanted:
        raise Invalid.one("shelters", _l("Choose at least one shelter."))
    if len(wanted) > MOST_SHELTERS:
        raise Invalid.one("shelters", _l("At most 500 shelters can be opened in one step."))
    with transaction() as session:
        earlier = _decisions_in_turn(session, bulletin.warning_id)
        if last := _same(earlier, account, OPENED, wanted, seen):
            return last
        _check_seen(earlier, seen)
        _check_stands(session, bulletin)
        found = _chosen(session, account, wanted, exercise=bulletin.exercise)
        made = _decide(session, account, bulletin, OPENED, [s.id for s in found])
        _report(session, account, made, found, BEING_OPENED)
    return made


def decline(account: Account, bulletin: Bulletin, reason: str, *, seen: uuid.UUID | None = None) -> Opening:
    """Say why no shelter is opened for the bulletin. Raises Invalid without a reason, Conflict, Forbidden."""
    reason = reason.strip()
    if not reason or len(reason) > LONGEST_REASON:
        raise Invalid.one("reason", _l("Say in a sentence why, in at most 300 characters: it is kept in the audit trail."))
    with transaction() as session:
        earlier = _decisions_in_turn(session, bulletin.warning_id)
        if (last := _same(earlier, account, DECLINED, [], seen)) and last.reason == reason:
            return last
        _check_seen(earlier, seen)
        _check_stands(session, bulletin)
        rights.require_in(account, rights.SHELTERS, bulletin.region_codes)
        return _decide(session, account, bulletin, DECLINED, [], reason)


def close_for(account: Account, warning_id: uuid.UUID, *, seen: uuid.UUID | None = None) -> Opening:
    """Begin to close what was opened for a warning and is still open for it: those within the duty that no other warning
    in force holds open. Raises Invalid when there is nothing to close, Conflict when somebody decided meanwhile."""
    with transaction() as session:
        earlier = _decisions_in_turn(session, warning_id)
        if earlier and earlier[-1].decision == CLOSED_AGAIN and earlier[-1].decided_by == account.display_name and (
                seen != earlier[-1].id):
            return earlier[-1]
        _check_seen(earlier, seen)
        opened = still_open(earlier)
        held = held_elsewhere(warning_id, opened, exercise=earlier[-1].exercise) if earlier else set()
        found = [s for s in _locked(session, opened) if s.id not in held and may_open(account, s)]
        if not found:
            raise Invalid.one("", _l("There is nothing left to close for this warning."))
        bulletin = bulletins.get(earlier[-1].bulletin_id)
        if bulletin is None:
            raise Invalid.one("", _l("The bulletin of this opening is no longer there."))
        made = _decide(session, account, bulletin, CLOSED_AGAIN, [s.id for s in found])
        _report(session, account, made, [s for s in found if made.exercise or s.status not in (CLOSED, STANDBY, UNSAFE)],
                CLOSING)
    return made


# -- reading -------------------------------------------------------------------------------------------------
def of_warning(warning_id: uuid.UUID) -> list[Opening]:
    """What was decided about a warning, first to last."""
    return _decisions(db.session, warning_id)


def open_now_for(warning_id: uuid.UUID) -> list[Shelter]:
    """The shelters that were opened for the warning and not closed again by a decision, by region and code."""
    return _by_ids(db.session, still_open(of_warning(warning_id)))


def get(opening_id: uuid.UUID) -> Opening | None:
    return db.session.get(Opening, opening_id)


def may_open(account: Account, shelter: Shelter) -> bool:
    """Whether the shelter lies within a shelters duty of the account. One of no region belongs to whoever has a district."""
    if shelter.region_code:
        return rights.may_in(account, rights.SHELTERS, [shelter.region_code])
    return any(codes.level_of(c) in codes.LEVELS[:3] for c in rights.regions_for(account, rights.SHELTERS))


def held_elsewhere(warning_id: uuid.UUID, shelter_ids: Collection[int], *, exercise: bool) -> set[int]:
    """Those of the shelters that another warning in force, of the same kind, holds open."""
    now, held = utcnow(), set()
    for other in bulletins.live():
        if other.id != warning_id and other.exercise == exercise and other.expires > now:
            held |= set(still_open(of_warning(other.id))) & set(shelter_ids)
    return held


def drills_of(shelter_ids: Collection[int]) -> dict[int, Opening]:
    """Of each shelter that takes part in a drill now the decision that opened it: the drill is in force, nobody closed it,
    and no real warning in force has the shelter open."""
    now, found = utcnow(), {}
    wanted = set(shelter_ids)
    live = [w for w in bulletins.live() if w.state == IN_FORCE and w.expires > now]
    real = {i for w in live if not w.exercise for i in still_open(of_warning(w.id))}
    for drill in (w for w in live if w.exercise):
        decisions = of_warning(drill.id)
        for shelter_id in set(still_open(decisions)) & wanted - real:
            found[shelter_id] = next(o for o in decisions if o.decision == OPENED and shelter_id in o.shelter_ids)
    return found


def had_drill(shelter_id: int, observed_at: datetime) -> bool:
    """Whether a drill had opened the shelter when this was seen, up to three days before."""
    query = select(Opening).where(Opening.exercise, Opening.decision == OPENED, Opening.decided_at <= observed_at,
                                  Opening.decided_at > observed_at - DRILL_LASTS)
    return any(shelter_id in o.shelter_ids for o in db.session.execute(query).scalars())


def still_open(decisions: Iterable[Opening]) -> list[int]:
    """The shelters that these decisions, first to last, leave open."""
    found: dict[int, None] = {}
    for decision in decisions:
        for shelter_id in decision.shelter_ids:
            if decision.decision == OPENED:
                found[shelter_id] = None
            else:
                found.pop(shelter_id, None)
    return list(found)


# -- parts ---------------------------------------------------------------------------------------------------
def _decisions_in_turn(session: Session, warning_id: uuid.UUID) -> list[Opening]:
    """As :func:`_decisions`, for deciding: of two operators the second waits here, and then sees what the first decided."""
    if session.get_bind().dialect.name == "postgresql":  # SQLite lets writers in one by one anyway
        session.execute(select(func.pg_advisory_xact_lock(int.from_bytes(warning_id.bytes[8:], signed=True))))
    return _decisions(session, warning_id)


def _decisions(session: Session, warning_id: uuid.UUID) -> list[Opening]:
    query = select(Opening).where(Opening.warning_id == warning_id).order_by(Opening.decided_at, Opening.id)
    return list(session.execute(query).scalars())


def _same(earlier: Sequence[Opening], account: Account, decision: str, ids: list[int],
          seen: uuid.UUID | None) -> Opening | None:
    """The newest decision, when it is what the account now sends a second time."""
    last = earlier[-1] if earlier else None
    if last and last.id != seen and (last.decision, last.decided_by) == (decision, account.display_name) and (
            sorted(last.shelter_ids) == ids):
        return last
    return None


def _check_seen(earlier: Sequence[Opening], seen: uuid.UUID | None) -> None:
    last = earlier[-1].id if earlier else None
    if last != seen:
        raise Conflict(_l("Somebody else decided about these shelters while you were looking: %(who)s. Look at what stands"
                          " now; nothing of yours was done.", who=earlier[-1].decided_by if earlier else "?"))


def _check_stands(session: Session, bulletin: Bulletin) -> None:
    warning = bulletins.warning(bulletin.warning_id)
    if warning is None or warning.state != IN_FORCE or warning.expires <= utcnow():
        raise Conflict(_l("This warning is over; no shelter can be opened for it any more."))


def _chosen(session: Session, account: Account, wanted: list[int], *, exercise: bool) -> list[Shelter]:
    found = _locked(session, wanted)
    if len(found) != len(wanted) or any(s.retired_at for s in found):
        raise Conflict(_l("One of these shelters is no longer in the register. Load the page again."))
    if any(s.status == UNSAFE for s in found):
        raise Conflict(_l("One of these shelters was reported unsafe meanwhile. Load the page again."))
    if exercise and any(_not_for_drills(s) for s in found):
        raise Conflict(_l("One of these shelters is in real use; a drill leaves it alone. Load the page again."))
    if outside := [s for s in found if not may_open(account, s)]:
        raise Forbidden(_l("Your duty does not cover these shelters: %(names)s", names="、".join(s.name_zh for s in outside[:5])))
    return found


def _locked(session: Session, ids: Collection[int]) -> list[Shelter]:
    """As :func:`_by_ids`; nobody else changes them until the transaction ends. Always in one order, so that no two wait
    for each other."""
    query = select(Shelter.id).where(Shelter.id.in_(list(ids))).order_by(Shelter.id).with_for_update()
    session.execute(query).all()
    return _by_ids(session, ids)


def _by_ids(session: Session, ids: Collection[int]) -> list[Shelter]:
    query = select(Shelter).where(Shelter.id.in_(list(ids))).order_by(Shelter.region_code, Shelter.code)
    return list(session.execute(query).scalars())


def _decide(session: Session, account: Account, bulletin: Bulletin, decision: str, ids: list[int],
            reason: str = "") -> Opening:
    made = Opening(
        warning_id=bulletin.warning_id, warning_number=bulletin.warning_number, bulletin_id=bulletin.id,
        exercise=bulletin.exercise, decision=decision, shelter_ids=ids, reason=reason, decided_by=account.display_name,
        decided_at=utcnow())
    session.add(made)
    session.flush()
    audit.append(session, audit.Actor(str(account.id), account.display_name), f"opening.{decision}", f"opening:{made.id}",
                 {"number": bulletin.warning_number, "bulletin": str(bulletin.id), "exercise": bulletin.exercise,
                  "shelters": len(ids), "reason": reason})
    return made


def _report(session: Session, account: Account, decision: Opening, found: Iterable[Shelter], status: str) -> None:
    for shelter in found:
        if not decision.exercise and status == BEING_OPENED and shelter.status in (OPEN, NEARLY_FULL, FULL):
            continue  # its keepers were quicker
        ref = uuid.uuid5(decision.id, str(shelter.id))
        reports.report(session, shelter.id, ref=str(ref), status=status, observed_at=decision.decided_at,
                       source=reports.OPENING, reporter=account.display_name, exercise=decision.exercise)
