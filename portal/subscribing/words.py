"""Words for what is kept: what happened, by which way, and the texts that a subscriber gets from this room."""

from __future__ import annotations

from typing import Any

from flask_babel import force_locale
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.regions import lookup
from portal.subscribers.models import INVALID, OPTED_OUT
from portal.subscribers.wishes import CHANGED, ERASED, SUBSCRIBED, Wishes

#: Events of the story of consent.
EVENTS: dict[str, Any] = {
    SUBSCRIBED: _l("subscribed"), CHANGED: _l("wishes changed"), OPTED_OUT: _l("left"), ERASED: _l("data erased"),
    INVALID: _l("the carrier said that there is no such number"), "withdrawn": _l("what was lent was taken back"),
}
#: Ways by which they came; the others are names of carriers.
SOURCES: dict[str, Any] = {
    "web": _l("on this website"), "sms": _l("by text message"), "roster": _l("by a list of the district office"),
    "desk": _l("by the duty office, on request"), "course": _l("by a certificate as first responder"),
    "carrier": _l("told by the carrier"), "demo": _l("filled in for the demonstration"),
}


def event(kind: str) -> Any:
    return EVENTS.get(kind, kind)


def source(key: str) -> Any:
    return SOURCES.get(key, _l("told by the carrier"))


def welcome(wishes: Wishes, address: str) -> str:
    """The text that a new subscriber gets: what for, how to leave, where to look. At most two segments for any district whose
    names are of the usual length."""
    with force_locale(wishes.language):
        names = [node.name(wishes.language) for code in wishes.region_codes if (node := lookup.get(code))]
        if len(names) > 1:
            places = _("%(name)s and %(more)s more", name=names[0], more=len(names) - 1)
        else:
            places = names[0] if names else ""
        return _("You will get public warnings for %(places)s. Orange and red come at any hour. Reply STOP to leave. Change or"
                 " see your data: %(address)s", places=places, address=address)
