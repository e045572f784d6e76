"""The demonstration's subscribers who chose for themselves: numbers that can be typed at /subscribe/, each with a story. Their
codes are on the desk's page of sandbox phones. See `portal.core.phones` on why nobody can have these numbers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from flask import current_app

from portal import current_settings
from portal.core.db import transaction
from portal.core.phones import DEMONSTRATION_PREFIX, PhoneBook
from portal.regions import lookup
from portal.subscribers import own, wishes

Step = Callable[[str, str], AbstractContextManager[None]]

#: A father with a child at school, who first wanted less; somebody who reads English; somebody who left by text.
PARENT, VISITOR, LEFT = (f"{DEMONSTRATION_PREFIX}{serial:08d}" for serial in (101, 102, 103))


def seed(step: Step) -> None:
    """Bring in whoever is missing; what somebody chose afterwards stays."""
    communities = lookup.communities_under([current_settings().district])
    if len(communities) < 3 or all(own.kept(_index(number)) for number in (PARENT, VISITOR, LEFT)):
        return
    home, school, other = communities[0], communities[1], communities[-1]
    with step("三名自行订阅的居民", "three residents who subscribed by themselves"):
        _chooses(PARENT, "sms", region_codes=[home])
        _chooses(PARENT, "web", region_codes=[home, school], audiences=["residents", "schools"], lowest_tier="blue",
                 muted_kinds=["pests"])
        _chooses(VISITOR, "web", region_codes=[other], language="en", lowest_tier="yellow")
        _chooses(LEFT, "web", region_codes=[home])
        wishes.leave(_index(LEFT), "sms")


def _chooses(number: str, source: str, **values: Any) -> None:
    with transaction() as session:
        wishes.choose(session, _index(number), _book().seal(number), wishes.check(values), source)


def _index(number: str) -> bytes:
    return _book().index(number)


def _book() -> PhoneBook:
    return current_app.extensions["phones"]
