"""Where somebody is to go and how: the shelter that the list names, else the nearest suitable one by the evacuation field."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _

from portal.core.clock import utcnow
from portal.shelters import field
from portal.shelters.models import Shelter, TransferPerson
from portal.shelters.registry import status_rules
from portal.shelters.registry import store as shelters
from portal.shelters.transfers import words


@dataclass(frozen=True, slots=True)
class Goal:
    """`named`: the list says so. `minutes`, `metres`: on foot, None when that is no way on foot or unknown. `steps`: the way in
    words, or what to do when there is none. `why`: what is not known or to be minded, else empty."""

    shelter: Shelter | None = None
    named: bool = False
    takes_people: bool = False
    minutes: int | None = None
    metres: float | None = None
    steps: tuple[str, ...] = ()
    why: str = ""
    plan: bool = False


def layer_of(person: TransferPerson, family: str) -> str:
    """The layer of the field that suits the person."""
    rolling = person.means == "wheelchair" or "wheelchair" in person.needs
    return f"{family}.{'step_free' if rolling else 'walk'}"


def goals(people: Iterable[TransferPerson], family: str, language: str, *, with_steps: bool = False) -> dict[uuid.UUID, Goal]:
    """The goal of each. `with_steps`: tell the way too, which takes longer."""
    listed = list(people)
    view = field.current()
    routes = {p.id: _route(view, p, family) for p in listed}
    wanted = {p.shelter_id for p in listed if p.shelter_id} | {r.shelter_id for r in routes.values() if _leads(r)}
    known = shelters.by_ids(wanted)
    return {p.id: _goal(p, routes[p.id], known, language, with_steps) for p in listed}


def _route(view: Any, person: TransferPerson, family: str) -> Any:
    """A Route, a NoRoute, or None where none can be asked for."""
    if view is None or person.longitude is None or person.latitude is None:
        return None
    layer = layer_of(person, family)
    return view.route(person.longitude, person.latitude, layer) if layer in view.layers else None


def _leads(route: Any) -> bool:
    return route is not None and hasattr(route, "shelter_id")


def _goal(person: TransferPerson, route: Any, known: dict[int, Shelter], language: str, with_steps: bool) -> Goal:
    found = route.shelter_id if _leads(route) else None
    wanted = person.shelter_id or found
    shelter = known.get(wanted) if wanted else None
    takes = shelter is not None and status_rules.usable(shelter, utcnow())
    named = person.shelter_id is not None
    if shelter is None:
        steps = tuple(route.words(language)) if with_steps and route is not None and not _leads(route) else ()
        return Goal(named=named, steps=steps, why=_unknown(person, route))
    if person.means not in words.ON_FOOT:
        return Goal(shelter, named, takes, why=_("By road: the way on foot is not told."))
    if found != shelter.id:
        why = _("No way on foot to this shelter is worked out.")
        return Goal(shelter, named, takes, why=why + _other(known.get(found or 0), language))
    steps = tuple(route.words(language)) if with_steps else ()
    return Goal(shelter, named, takes, route.minutes, route.metres if with_steps else None, steps, "",
                route.field.basis(route.layer) == "plan")


def _other(nearest: Shelter | None, language: str) -> str:
    return " " + _("The nearest suitable one is %(name)s.", name=nearest.name(language)) if nearest else ""


def _unknown(person: TransferPerson, route: Any) -> str:
    if person.shelter_id is not None:
        return _("The shelter that the list names is gone. Choose another one.")
    if person.longitude is None or person.latitude is None:
        return _("No place is recorded, so the nearest shelter is not known. Enter the place, or choose a shelter.")
    if route is None:
        return _("The ways are not worked out yet. Choose a shelter.")
    return _("No safe way on foot is known. Choose a shelter and a vehicle, or have them stay and call 119.")
