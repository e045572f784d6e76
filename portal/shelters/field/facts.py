"""Gathers what a field is made of from the other rooms, at one moment."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from portal.core.db import db
from portal.regions import lookup
from portal.shelters.field.made import FORM, Door, Facts, Place
from portal.shelters.models import FULL, UNSAFE, Shelter
from portal.shelters.registry import freshness, hours, status_rules
from portal.shelters.registry.suitability import families, suits
from portal.shelters.roads import obstructions
from portal.shelters.roads.graph import Graph

#: Graph → the regions' mark, the community of each node, and their codes; gone with the graph.
_grounds: WeakKeyDictionary[Graph, tuple[Any, NDArray[np.int16], tuple[str, ...]]] = WeakKeyDictionary()


def gather(graph: Graph, now: datetime) -> tuple[Facts, datetime | None]:
    """The facts at `now`, and when they change by themselves next."""
    shelters = list(db.session.scalars(select(Shelter).where(Shelter.retired_at.is_(None)).order_by(Shelter.id)))
    known = families()
    places: list[Place] = []
    doors: list[Door] = []
    for shelter in shelters:
        doors += _doors(shelter, len(places))
        places.append(_place(shelter, now, [f.key for f in known.values() if suits(shelter, f) is True]))
    community, codes = _communities(graph)
    facts = Facts({key: f.expected for key, f in known.items()}, places, doors,
                  {key: obstructions.effects_for(key, now) for key in known}, _people(community, codes), community, codes)
    changes = [obstructions.next_change(now), *(_changes_at(shelter, now) for shelter in shelters)]
    return facts, min((at for at in changes if at is not None and at > now), default=None)


def _place(shelter: Shelter, now: datetime, suitable: Sequence[str]) -> Place:
    state = _state(shelter, now)
    inside = 0 if state != "open" or freshness.is_stale(shelter, now) else shelter.occupancy or 0
    return Place(
        shelter.id, shelter.code, shelter.name_zh, shelter.name_en, shelter.longitude, shelter.latitude, tuple(suitable), state,
        _room(shelter, now, state), inside, shelter.status, shelter.status_at.isoformat() if shelter.status_at else None)


def _state(shelter: Shelter, now: datetime) -> str:
    """A stale `full` is no longer believed to be full, nor to be open; what is unsafe stays so until somebody says otherwise."""
    if shelter.status == UNSAFE:
        return "out"
    if shelter.status == FULL and not freshness.is_stale(shelter, now):
        return "full"
    if status_rules.usable(shelter, now):
        return "full" if freshness.free_places(shelter, now) == 0 else "open"
    return "ready"


def _room(shelter: Shelter, now: datetime, state: str) -> int | None:
    """Free places: the fewer of day and night, because nobody knows how long people must stay. Without a head count that holds,
    all of its places; None where nobody told how many these are."""
    rooms = []
    for night in (False, True):
        free = freshness.free_places(shelter, now, night=night) if state == "open" else None
        places = freshness.capacity(shelter, night=night) if free is None else free
        # Where nobody may stay over night, its places count for the day only: they are no shelter less for that.
        if places is not None and not (night and shelter.night is False):
            rooms.append(places)
    return min(rooms, default=None)


def _doors(shelter: Shelter, number: int) -> list[Door]:
    """Its entrances; where none is known, its own point."""
    if shelter.entrances:
        return [Door(number, e.id, e.longitude, e.latitude, shelter.step_free if e.step_free is None else e.step_free,
                     e.name_zh, e.name_en, "" if e.hours == hours.ALWAYS else e.hours) for e in shelter.entrances]
    if shelter.longitude is None or shelter.latitude is None:
        return []
    return [Door(number, None, shelter.longitude, shelter.latitude, shelter.step_free)]


def _changes_at(shelter: Shelter, now: datetime) -> datetime | None:
    """When its state is stale, and later forgotten, by itself."""
    stale = freshness.goes_stale_at(shelter)
    if stale is None:
        return None
    return stale if stale > now else stale + status_rules.FORGOTTEN_AFTER


def _communities(graph: Graph) -> tuple[NDArray[np.int16], tuple[str, ...]]:
    """The community of each node as a position in a list of codes, -1 outside of all. Kept, because it takes longer than all
    else, until the graph or the regions change."""
    token = lookup.current().token
    kept = _grounds.get(graph)
    if kept is None or kept[0] != token:
        found = lookup.at_points(list(zip(graph.lon.tolist(), graph.lat.tolist(), strict=True)))
        codes = tuple(sorted({code for code in found if code}))
        at = {code: n for n, code in enumerate(codes)}
        kept = _grounds[graph] = (token, np.array([at[code] if code else -1 for code in found], np.int16), codes)
    return kept[1:]


def _people(community: NDArray[np.int16], codes: Sequence[str]) -> NDArray[np.float64]:
    """A community's people, the same number at each of its nodes."""
    if not codes:
        return np.zeros(len(community))
    population = np.array([float(lookup.population_of([code])) for code in codes])
    nodes = np.bincount(community[community >= 0], minlength=len(codes))
    each = population / np.maximum(nodes, 1)
    return np.where(community >= 0, each[community], 0.0)


def key_of(facts: Facts, graph_id: int) -> str:
    """A name for these facts, with the form of what is made of them in front: the same facts have the same, others another."""
    told = {
        "graph": graph_id, "shares": dict(facts.shares), "places": [asdict(p) for p in facts.places],
        "doors": [asdict(d) for d in facts.doors], "communities": list(facts.communities),
        "effects": {family: sorted(json.dumps(asdict(e), sort_keys=True) for e in given)
                    for family, given in facts.effects.items()}}
    digest = hashlib.sha256(json.dumps(told, sort_keys=True, ensure_ascii=False).encode())
    for array in (facts.people, facts.community):
        digest.update(array.tobytes())
    return f"{FORM}-{digest.hexdigest()[:56]}"


def form_of(key: str) -> int:
    """The form of the field that has this key; 0 for one that was made before keys told it."""
    form, dash, _digest = key.partition("-")
    return int(form) if dash and form.isdecimal() else 0
