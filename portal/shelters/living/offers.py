"""What the desk offers about a warning's shelters: to open them, to see what was decided, to close them afterwards."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from portal.core.clock import utcnow
from portal.core.db import db
from portal.identity import rights
from portal.identity.models import Account
from portal.regions import codes
from portal.shelters.living import keepers, opening, texts
from portal.shelters.living.opening import CLOSED_AGAIN, DECLINED, OPENED, Call
from portal.shelters.models import Keeper, Opening, Shelter
from portal.shelters.registry import store
from portal.warnings import bulletins
from portal.warnings.models import CANCEL, IN_FORCE, Bulletin, Warning


@dataclass(frozen=True)
class Offer:
    """What the warning's own page says. `state`: call (shelters are called for, nothing decided), opened, declined, closing
    (over, and shelters still open for it) or closed. `bulletin`: the newest that says what happens."""

    state: str
    bulletin: Bulletin
    last: Opening | None
    open_now: list[Shelter]


def of(warning: Warning) -> Offer | None:
    """The offer for a warning; None when it neither calls for shelters nor was anything decided."""
    bulletin = newest(warning)
    if bulletin is None:
        return None
    decided = opening.of_warning(warning.id)
    last, still = (decided[-1] if decided else None), opening.open_now_for(warning.id)
    over = warning.state != IN_FORCE or warning.expires <= utcnow()
    if last is None:
        return Offer("call", bulletin, None, []) if not over and opening.family_for(bulletin) else None
    if still:
        return Offer("closing" if over else "opened", bulletin, last, still)
    return Offer({DECLINED: "declined", CLOSED_AGAIN: "closed", OPENED: "closed"}[last.decision], bulletin, last, [])


def newest(warning: Warning) -> Bulletin | None:
    """The newest bulletin of a warning that says what happens; an all-clear does not."""
    chain = bulletins.of_warning(db.session, warning.id)
    return next((b for b in reversed(chain) if b.kind != CANCEL), None)


@dataclass(frozen=True)
class Sum:
    """Places of some shelters together; `unknown` of them say nothing of their places by day."""

    shelters: int
    day: int
    night: int
    unknown: int

    @classmethod
    def of(cls, shelters: Iterable[Shelter]) -> Sum:
        found = list(shelters)
        return cls(len(found), sum(s.capacity_day or 0 for s in found), sum(s.capacity_night or 0 for s in found),
                   sum(s.capacity_day is None for s in found))


@dataclass(frozen=True)
class Decision:
    """One decision with what keepers were told of it. `silent`: the keepers that were not reached."""

    opening: Opening
    shelters: list[Shelter]
    told: texts.Told | None
    silent: list[Keeper]


def decisions(warning: Warning) -> list[Decision]:
    """What was decided about a warning's shelters, newest first."""
    found = []
    for one in reversed(opening.of_warning(warning.id)):
        shelters = sorted(store.by_ids(one.shelter_ids).values(), key=lambda s: (s.region_code or "", s.code))
        told = texts.told(one) if one.decision == OPENED else None
        kept = keepers.of_shelters(one.shelter_ids, texts.MOST) if told and told.failed else []
        found.append(Decision(one, shelters, told, [k for k in kept if told and k.id in told.failed]))
    return found


def page(account: Account, warning: Warning) -> dict[str, Any] | None:
    """All that the page of opening shows; None where the warning has no bulletin that says what happens. Lists hold what
    the account's duty covers, `beyond` counts what they leave out of it, and `outside` the rest."""
    bulletin = newest(warning)
    if bulletin is None:
        return None
    call = opening.called_for(bulletin)
    decided = decisions(warning)
    over = warning.state != IN_FORCE or warning.expires <= utcnow()
    still = opening.open_now_for(warning.id)
    held = opening.held_elsewhere(warning.id, [s.id for s in still], exercise=warning.exercise)
    mine, outside, beyond = _mine(account, call) if call else (None, 0, 0)
    return {
        "bulletin": bulletin, "warning": warning, "call": mine, "decisions": decided, "over": over, "still": still,
        "held": [s for s in still if s.id in held], "seen": decided[0].opening.id if decided else "",
        "may": _has_duty(account, bulletin.region_codes),
        "outside": outside, "beyond": beyond,
        "proposed_sum": Sum.of(mine.proposed if mine else []), "standing_sum": Sum.of(call.standing if call else []),
        "closable": [s for s in still if s.id not in held and opening.may_open(account, s)],
    }


def _has_duty(account: Account, region_codes: Iterable[str]) -> bool:
    """Whether the account keeps shelters in some part of these regions."""
    duties = rights.regions_for(account, rights.SHELTERS)
    return any(codes.contains(duty, code) or codes.contains(code, duty) for code in region_codes for duty in duties)


def _mine(account: Account, call: Call) -> tuple[Call, int, int]:
    """The call with what the account may open of it, as far as one step can; how many lie outside the duty, and how many of
    its own are left out."""
    own = [[s for s in shelters if opening.may_open(account, s)] for shelters in (call.proposed, call.unknown)]
    listed = [shelters[:opening.MOST_SHELTERS] for shelters in own]
    outside = len(call.proposed) + len(call.unknown) - sum(map(len, own))
    return replace(call, proposed=listed[0], unknown=listed[1]), outside, sum(map(len, own)) - sum(map(len, listed))
