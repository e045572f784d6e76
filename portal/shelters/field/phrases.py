"""The words of a route. The phone gets them with its file, so that it speaks as the portal does."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from flask_babel import force_locale, lazy_pgettext
from flask_babel import lazy_gettext as _l

_PHRASES: dict[str, Any] = {
    "metres": _l("{n} m"),
    "kilometres": _l("{n} km"),
    "total": _l("To {shelter}: about {far}, {minutes} minutes on foot."),
    "plan": _l("This is a plan: no shelter for this hazard is reported open. Ask whether it is open before you leave."),
    "tight": _l("More people may come than there are places within reach. If it is full when you arrive, its staff tell you where"
                " to go."),
    "step_free": _l("No steps are known on this way. Kerbs and slopes are not recorded everywhere."),
    "begin": _l("Go {compass} to the nearest way, about {far}."),
    "go": _l("Go {compass} along {street}, about {far}."),
    "left": _l("Turn left into {street}, about {far}."),
    "right": _l("Turn right into {street}, about {far}."),
    "straight": _l("Go straight on along {street}, about {far}."),
    "same_left": _l("Turn left, staying on {street}, about {far}."),
    "same_right": _l("Turn right, staying on {street}, about {far}."),
    "steps_go": _l("Take the steps to the {compass}, about {far}."),
    "steps_left": _l("Turn left and take the steps, about {far}."),
    "steps_right": _l("Turn right and take the steps, about {far}."),
    "steps_straight": _l("Go straight on and take the steps, about {far}."),
    "slow": _l("Take care: about {far} of this stretch may be wet or hard to pass. Turn back where water is above your knees."),
    "end": _l("Leave the way towards the entrance, about {far}."),
    "arrive": _l("Arrive at {shelter}, entrance {door}."),
    "arrive_plain": _l("Arrive at {shelter}."),
    "hours": _l("This entrance is registered as open {hours}. If it is closed, look for another or call the shelter."),
    "no_safe_route": _l("No safe route: stay where you are, go up to a higher floor, call 119."),
    "outside": _l("This place is more than {far} from every way that we know."),
    "obstruction": _l("This place lies where the ways are closed now."),
    "no_way": _l("Every way from here to a suitable shelter is cut or longer than can be walked."),
    "no_room": _l("All suitable shelters are full. The nearest is {shelter}."),
    "no_room_plain": _l("All suitable shelters are full."),
    "no_shelter": _l("No shelter is known to be suitable for this hazard."),
    "junction": _l("{one} and {other}"),
    "near": _l("Near {street}"),
    "middle": _l("Middle of the community"),
    "no_step_free": _l("No suitable shelter is known to be step-free. Ask the community for help to leave."),
}
_COMPASS: list[Any] = [
    lazy_pgettext("compass", "north"), lazy_pgettext("compass", "north-east"), lazy_pgettext("compass", "east"),
    lazy_pgettext("compass", "south-east"), lazy_pgettext("compass", "south"), lazy_pgettext("compass", "south-west"),
    lazy_pgettext("compass", "west"), lazy_pgettext("compass", "north-west")]
#: How a way without a name is called.
_WAYS: dict[str, Any] = {
    "road": _l("an unnamed road"), "footway": _l("the footpath"), "path": _l("the path"), "steps": _l("the steps"),
    "pedestrian": _l("the pedestrian street"), "crossing": _l("the crossing"), "corridor": _l("the passage"),
    "service": _l("the service road"), "track": _l("the track"), "bridge": _l("the footbridge"), "tunnel": _l("the underpass"),
}


@lru_cache(maxsize=8)
def phrases(language: str) -> dict[str, Any]:
    """Templates by key, `compass` (eight, from north clockwise) and `ways` (by kind) in a language. Needs an application."""
    with force_locale(language):
        return {key: str(text) for key, text in _PHRASES.items()} | {
            "compass": [str(text) for text in _COMPASS], "ways": {key: str(text) for key, text in _WAYS.items()}}
