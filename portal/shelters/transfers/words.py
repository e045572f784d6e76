"""What people read for the keys of transfers. The order is that of the pages."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l

from portal.shelters.models import ARRIVED, CONTACTED, ON_THE_WAY, REFUSED, UNREACHABLE, WAITING

#: What somebody needs to leave. Each has an icon of the same name in `_icons.html`.
NEEDS: dict[str, Any] = {
    "wheelchair": _l("Wheelchair user"),
    "bedridden": _l("Bedridden"),
    "slow": _l("Walks with difficulty"),
    "sight": _l("Sees badly or not"),
    "hearing": _l("Hears badly or not"),
    "device": _l("Depends on a medical device"),
    "medicine": _l("Needs medicine regularly"),
    "mind": _l("Needs supervision"),
    "pregnant": _l("Pregnant"),
    "child": _l("Small child"),
    "alone": _l("Lives alone"),
}
#: How somebody gets to the shelter.
MEANS: dict[str, Any] = {
    "foot": _l("On foot, accompanied"),
    "wheelchair": _l("In a wheelchair"),
    "carried": _l("Carried"),
    "car": _l("By car"),
    "bus": _l("By bus"),
    "ambulance": _l("By ambulance"),
}
#: Ways on which the route of a walker helps; the others go by road.
ON_FOOT = ("", "foot", "wheelchair", "carried")
STATES: dict[str, Any] = {
    WAITING: _l("Waiting"),
    CONTACTED: _l("Contacted"),
    ON_THE_WAY: _l("On the way"),
    ARRIVED: _l("Arrived"),
    REFUSED: _l("Refused to leave"),
    UNREACHABLE: _l("Could not be reached"),
}
#: The same as what a button does.
ACTS: dict[str, Any] = {
    WAITING: _l("Back to waiting"),
    CONTACTED: _l("Mark as contacted"),
    ON_THE_WAY: _l("Mark as on the way"),
    ARRIVED: _l("Mark as arrived"),
    REFUSED: _l("Mark as refusing to leave"),
    UNREACHABLE: _l("Mark as could not be reached"),
}
#: Map services, by the keys of `field.maps_links`.
MAPS: dict[str, Any] = {"amap": _l("Amap"), "baidu": _l("Baidu Maps"), "apple": _l("Apple Maps"), "google": _l("Google Maps")}
#: What became of a report of a step, as the trail tells it (the keys are those of `steps`).
OUTCOMES: dict[str, Any] = {
    "applied": _l("counted"), "older": _l("kept; something newer was known"), "over": _l("kept; the round was over")}
