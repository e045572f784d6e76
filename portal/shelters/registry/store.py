"""The shelters: questions to the registry, and changes to it by people with the duty. NULL is unknown throughout."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy import ColumnElement, case, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal import current_settings
from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.core.errors import Conflict, Invalid, Problem
from portal.identity.models import Account
from portal.identity.rights import SHELTERS, require_in
from portal.regions import lookup
from portal.regions.codes import code_range
from portal.shelters.models import Entrance, Shelter
from portal.shelters.registry import checks
from portal.shelters.registry.place import metres_between

#: Rows of one search or list that a page can bear.
MAX_FOUND = 200
_CHUNK = 500
#: A shelter of which nothing is known.
BLANK: dict[str, Any] = (
    dict.fromkeys(checks.FIELDS) | dict.fromkeys(checks.TEXTS, "") | {"suitability": {}, "entrances": [], "demonstration": False})
ENTRANCE_FIELDS = ("name_zh", "name_en", "longitude", "latitude", "step_free", "hours")
#: What the trail names without its value: telephone numbers never, outlines and entrances for their size.
_UNTOLD = ("contact_phone", "boundary", "entrances")


@dataclass(frozen=True, slots=True)
class Capacity:
    """What the shelters of one community hold, as far as it is known: places by day and night, those by day that are
    indoors, effective area in m²; the number of shelters, and of those whose places by day nobody knows."""

    day: int
    night: int
    indoor: int
    area_m2: float
    shelters: int
    unknown: int = 0


# -- questions ---------------------------------------------------------------------------------------------
def get(shelter_id: int) -> Shelter | None:
    return db.session.get(Shelter, shelter_id)


def by_code(code: str) -> Shelter | None:
    return db.session.execute(select(Shelter).where(Shelter.code == code)).scalar_one_or_none()


def by_ids(ids: Iterable[int]) -> dict[int, Shelter]:
    """Shelters by id; those that do not exist are left out."""
    wanted = sorted(set(ids))
    found: dict[int, Shelter] = {}
    for at in range(0, len(wanted), _CHUNK):
        rows = db.session.execute(select(Shelter).where(Shelter.id.in_(wanted[at:at + _CHUNK]))).scalars()
        found |= {shelter.id: shelter for shelter in rows}
    return found


def within(region_codes: Sequence[str]) -> ColumnElement[bool]:
    """The condition of a shelter in these regions, communities below them included. No regions: none."""
    ranges = [Shelter.region_code.between(*code_range(code)) for code in region_codes]
    return or_(*ranges) if ranges else Shelter.id.is_(None)


def listing(region_codes: Sequence[str] | None = None, *, retired: bool = False) -> list[Shelter]:
    """Shelters in these regions (None: all, also those of which no community is known), by region and code; with
    `retired`, those that were retired too."""
    query = select(Shelter).order_by(Shelter.region_code, Shelter.code)
    if region_codes is not None:
        query = query.where(within(region_codes))
    if not retired:
        query = query.where(Shelter.retired_at.is_(None))
    return list(db.session.execute(query).scalars())


def search(text: str, region_codes: Sequence[str] | None = None) -> list[Shelter]:
    """At most `MAX_FOUND` shelters with `text` in their code, names, pinyin (spaces or not) or address, by code."""
    wanted = " ".join(text.split())[:80]
    if not wanted:
        return []
    columns = (Shelter.code, Shelter.name_zh, Shelter.name_en, Shelter.pinyin, Shelter.address_zh, Shelter.address_en)
    close = func.replace(Shelter.pinyin, " ", "").icontains(wanted.replace(" ", ""), autoescape=True)
    query = select(Shelter).where(Shelter.retired_at.is_(None),
                                  or_(close, *(column.icontains(wanted, autoescape=True) for column in columns)))
    if region_codes is not None:
        query = query.where(within(region_codes))
    return list(db.session.execute(query.order_by(Shelter.code).limit(MAX_FOUND)).scalars())


def near(lon: float, lat: float, limit: int) -> list[Shelter]:
    """The shelters with a known place that are nearest in a straight line, nearest first; not the retired ones."""
    rows = db.session.execute(
        select(Shelter.id, Shelter.longitude, Shelter.latitude)
        .where(Shelter.retired_at.is_(None), Shelter.longitude.is_not(None), Shelter.latitude.is_not(None)))
    metres = ((metres_between((lon, lat), (float(x or 0), float(y or 0))), i) for i, x, y in rows)
    nearest = heapq.nsmallest(max(0, min(limit, MAX_FOUND)), metres)
    found = by_ids(i for _metres, i in nearest)
    return [found[i] for _metres, i in nearest if i in found]


def capacity_by_community(region_codes: Sequence[str]) -> dict[str, Capacity]:
    """What the shelters in these regions hold, by community; communities without a shelter are left out."""
    indoor = case((Shelter.space == "indoor", Shelter.capacity_day), else_=0)
    rows = db.session.execute(
        select(Shelter.region_code, func.sum(Shelter.capacity_day), func.sum(Shelter.capacity_night), func.sum(indoor),
               func.sum(Shelter.area_m2), func.count(Shelter.id), func.count(Shelter.capacity_day))
        .where(within(region_codes), Shelter.retired_at.is_(None)).group_by(Shelter.region_code))
    return {code: Capacity(int(day or 0), int(night or 0), int(inside or 0), float(area or 0), count, count - known)
            for code, day, night, inside, area, count, known in rows}


# -- changes -----------------------------------------------------------------------------------------------
def values_of(shelter: Shelter) -> dict[str, Any]:
    """All fields of a shelter in the form in which `save` and the exports take them."""
    values = {name: getattr(shelter, name) for name in checks.FIELDS if name != "entrances"}
    values["entrances"] = [{name: getattr(e, name) for name in ENTRANCE_FIELDS} for e in shelter.entrances]
    return values


def warnings(values: Mapping[str, Any]) -> list[Problem]:
    """What is odd about values that could be saved (as for `save`), for a form to say before or after saving."""
    checked = checks.check(values)
    return checked.warnings + checks.odd(checks.merge(BLANK, checked.values))


def save(account: Account | None, values: Mapping[str, Any], *, shelter_id: int | None, version: int | None) -> Shelter:
    """Make a shelter (`shelter_id` None) or change the fields that are given; those that are absent stay as they are.

    `values`: names of `checks.FIELDS` → what people typed or JSON values; an empty or unknown one becomes unknown. A
    community that nobody named is found by the place. `account` None is the system itself. Raises Invalid (at each
    field; entrances as `entrances.0.hours`), Conflict when another change came first, Forbidden outside the duty.
    """
    given = dict(values)
    rules = checks.Rules()
    try:
        with transaction() as session:
            shelter = None if shelter_id is None else _for_change(session, shelter_id, version)
            before = BLANK if shelter is None else values_of(shelter)
            if shelter is not None:
                _allow(account, before["region_code"])
            after = _checked(given, before, rules)
            _allow(account, after["region_code"])
            _free_code(session, after["code"], shelter_id)
            changed = [name for name in checks.FIELDS if before[name] != after[name]]
            if shelter is not None and not changed:
                return shelter
            now = utcnow()
            if shelter is None:
                shelter = Shelter(created_at=now, version=0)
                session.add(shelter)
            put(shelter, after, changed)
            shelter.version, shelter.changed_at = (shelter.version or 0) + 1, now
            session.flush()
            _told(session, account, "shelter.change" if shelter_id else "shelter.create", shelter, before, after, changed)
            wish(session, f"shelter {shelter.code}")
    except IntegrityError as error:
        raise Conflict(_l("Somebody else has just saved a shelter with this code.")) from error
    return shelter


def retire(account: Account | None, shelter_id: int, version: int | None) -> Shelter:
    """Take a shelter out of use for good; its history stays. Raises as `save`."""
    return _end(account, shelter_id, version, ended=True)


def restore(account: Account | None, shelter_id: int, version: int | None) -> Shelter:
    """Bring a retired shelter back. Raises as `save`."""
    return _end(account, shelter_id, version, ended=False)


def put(shelter: Shelter, values: Mapping[str, Any], names: Iterable[str]) -> None:
    """Write fields in their one form onto a shelter."""
    for name in names:
        if name == "entrances":
            shelter.entrances = [Entrance(position=n, **row) for n, row in enumerate(values[name])]
        else:
            setattr(shelter, name, values[name])


def wish(session: Session, reason: str) -> None:
    """Ask for a new evacuation field, within the transaction that changed what it is made of."""
    from portal.shelters.field import wish as field_wish

    field_wish.ask(session, reason)


def find_community(values: Mapping[str, Any]) -> str | None:
    """The community in which a shelter's point lies, where nobody named it."""
    if values["region_code"] is not None or values["longitude"] is None:
        return values["region_code"]
    return lookup.at_point(values["longitude"], values["latitude"])


def _for_change(session: Session, shelter_id: int, version: int | None) -> Shelter:
    shelter = session.execute(select(Shelter).where(Shelter.id == shelter_id).with_for_update(of=Shelter)).scalar_one_or_none()
    if shelter is None:
        raise Conflict(_l("This shelter is not there any more."))
    if shelter.version != version:
        raise Conflict(_l("Somebody else has changed this shelter since you opened it. Look at it again, then change it."))
    return shelter


def _checked(given: Mapping[str, Any], before: Mapping[str, Any], rules: checks.Rules) -> dict[str, Any]:
    """The whole shelter as it will be. A half that was not given (longitude without latitude) is taken from before."""
    whole = dict(given)
    if before["code"] is None:
        whole = {"code": "", "name_zh": ""} | whole
    for one, other in (("longitude", "latitude"), ("latitude", "longitude")):
        if one in whole and other not in whole:
            whole[other] = before[other]
    checked = checks.check(whole, rules)
    if checked.problems:
        raise Invalid(checked.problems)
    after = checks.merge(before, checked.values)
    after["region_code"] = find_community(after)
    return after


def _allow(account: Account | None, region: str | None) -> None:
    """A shelter of which no community is known belongs to the whole district."""
    if account is not None:
        require_in(account, SHELTERS, [region or current_settings().district])


def _free_code(session: Session, code: str, shelter_id: int | None) -> None:
    taken = session.execute(select(Shelter.id).where(func.lower(Shelter.code) == code.lower())).scalars().first()
    if taken is not None and taken != shelter_id:
        raise Invalid.one("code", _l("Another shelter has this code."))


def _end(account: Account | None, shelter_id: int, version: int | None, *, ended: bool) -> Shelter:
    with transaction() as session:
        shelter = _for_change(session, shelter_id, version)
        _allow(account, shelter.region_code)
        if (shelter.retired_at is not None) == ended:
            raise Conflict(_l("This shelter is retired already.") if ended else _l("This shelter is in use already."))
        now = utcnow()
        shelter.retired_at = now if ended else None
        shelter.version, shelter.changed_at = shelter.version + 1, now
        audit.append(session, account.actor if account else audit.SYSTEM, "shelter.retire" if ended else "shelter.restore",
                     f"shelter:{shelter.code}", {"region": shelter.region_code, "version": shelter.version})
        wish(session, f"shelter {shelter.code}")
    return shelter


def _told(session: Session, account: Account | None, action: str, shelter: Shelter, before: Mapping[str, Any],
          after: Mapping[str, Any], changed: list[str]) -> None:
    details: dict[str, Any] = {"region": shelter.region_code, "version": shelter.version, "fields": changed}
    if action == "shelter.change":
        details["before"], details["after"] = ({n: side[n] for n in changed if n not in _UNTOLD} for side in (before, after))
    audit.append(session, account.actor if account else audit.SYSTEM, action, f"shelter:{shelter.code}", details)
