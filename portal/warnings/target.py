"""The target of a warning: regions and a drawn area, times audiences, through channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _

from portal import current_settings
from portal.channels.push import store as devices
from portal.channels.speakers import registry
from portal.config import TIERS
from portal.core.errors import Invalid, Problem
from portal.regions import area as drawn
from portal.regions import codes, lookup
from portal.subscribers import audiences, store
from portal.subscribers.matter import Matter

#: Channels that a draft may leave out. The public page and the feed always carry a real bulletin.
OPTIONAL_CHANNELS = ("sms", "speakers", "push")


@dataclass(frozen=True)
class Reach:
    """Whom a target would reach: registered people, subscribers by language, horns, devices with notifications; in which
    communities. `quiet`: those subscribers who have quiet hours at this moment and are told when these are over."""

    people: int
    subscribers: dict[str, int]
    horns: int
    communities: list[str]
    quiet: int = 0
    devices: int = 0


def normalise(target: dict[str, Any], *, complete: bool) -> dict[str, Any]:
    """A target in its one form: known regions, topmost only, in the order in which they were named; a checked area; known
    audiences and channels. Raises Invalid. `complete`: whether it must reach somebody."""
    problems: list[Problem] = []
    given = target.get("regions") or []
    regions = [code for code in given if isinstance(code, str) and codes.is_code(code) and lookup.get(code)]
    if unknown := [str(code)[:20] for code in given if code not in regions]:
        problems.append(
            Problem("target.regions", _("Unknown region: %(codes)s. Choose it from the tree.", codes=", ".join(unknown[:5])))
        )
    shape = None
    try:
        shape = drawn.check_area(target["area"]) if target.get("area") else None
    except Invalid as error:
        problems += [Problem("target.area", problem.message) for problem in error.problems]
    keys = list(dict.fromkeys(target.get("audiences") or []))
    if unknown := [str(key)[:20] for key in keys if key not in audiences.BY_KEY]:
        problems.append(Problem("target.audiences", _("Unknown audience: %(keys)s.", keys=", ".join(unknown[:5]))))
    channels = target.get("channels", list(OPTIONAL_CHANNELS))
    if unknown := [str(name)[:20] for name in channels if name not in OPTIONAL_CHANNELS]:
        problems.append(Problem("target.channels", _("Unknown channel: %(keys)s.", keys=", ".join(unknown[:5]))))
    if not problems and complete and not regions and not shape:
        problems.append(Problem("target.regions", _("No region is chosen: choose at least one, or draw an area on the map.")))
    if problems:
        raise Invalid(problems)
    topmost = set(lookup.topmost(regions))
    return {
        "regions": [code for code in dict.fromkeys(regions) if code in topmost],
        "area": shape,
        "audiences": [a.key for a in audiences.AUDIENCES if a.key in keys],
        "channels": [name for name in OPTIONAL_CHANNELS if name in channels],
    }


def region_codes(target: dict[str, Any]) -> list[str]:
    """The topmost regions that a normalised target touches: the chosen ones, and each community that the drawn area
    touches. These are what an officer's duty must cover."""
    touched = lookup.touched_by(target["area"]) if target["area"] else []
    return lookup.topmost([*target["regions"], *touched])


def communities(target: dict[str, Any]) -> list[str]:
    """The communities in which subscribers are addressed, each once, sorted."""
    return lookup.communities_under(region_codes(target))


def speaker_areas(target: dict[str, Any], places: Sequence[str]) -> list[dict[str, Any] | None]:
    """For each of the target's communities where in it horns sound: everywhere, or, where only the drawn area touches it, inside
    the area alone."""
    whole = set(lookup.communities_under(target["regions"]))
    return [None if code in whole else target["area"] for code in places]


def audience_mask(target: dict[str, Any]) -> int:
    """Bits of the audiences; 0 means everyone."""
    return audiences.mask_of(target["audiences"])


def to_residents(target: dict[str, Any]) -> bool:
    """Whether residents are among those addressed. Devices with notifications count as theirs: nobody knows who holds one."""
    return audience_mask(target) in (0, audience_mask(target) | audiences.mask_of(["residents"]))


def reach(target: dict[str, Any], matter: Matter | None = None) -> Reach:
    """Count, without listing, whom a normalised target reaches; with a `matter`, of the subscribers those who want to be told."""
    places = communities(target)
    horns = 0
    if "speakers" in target["channels"]:
        whole = lookup.communities_under(target["regions"])
        horns = registry.count_in(whole)
        if target["area"]:
            horns += sum(n for code, n in registry.in_area(target["area"]).items() if code not in set(whole))
    subscribers: dict[str, int] = {}
    quiet = 0
    if "sms" in target["channels"]:
        mask = audience_mask(target)
        subscribers, quiet = store.count_told(places, mask, matter) if matter else (store.count_in(places, mask), 0)
    told = 0
    if "push" in target["channels"] and current_settings().push_services and to_residents(target):
        told = devices.count_in(places, matter.tier if matter else len(TIERS) - 1)
    return Reach(lookup.population_of(places), subscribers, horns, places, quiet, told)
