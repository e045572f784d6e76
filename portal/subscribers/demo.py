"""Subscribers of the demonstration: made up, always the same, in numbers that nobody can have.

Their numbers are `portal.core.phones.DEMONSTRATION_PREFIX` and eight digits; the reason is told there. They pass
the portal's own check (possible, E.164) and no carrier's (not valid), so even a portal that is set to a real
carrier by mistake is refused each of them before anything is sent.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from portal.core.phones import DEMONSTRATION_PREFIX
from portal.regions import lookup
from portal.subscribers.audiences import AUDIENCES, mask_of
from portal.subscribers.store import Added, NewSubscriber, add_many

ENGLISH_SHARE = 0.12
SECOND_COMMUNITY_SHARE = 0.05  # home in one, school or work in another
#: Share of subscribers in each audience beyond the residents, which all but a few are.
SHARES = {
    "schools": 0.04,
    "construction": 0.03,
    "enterprises": 0.06,
    "responsible": 0.01,
    "responders": 0.008,
    "carers": 0.05,
    "medical": 0.01,
}
RESIDENTS_SHARE = 0.97
_SPREAD = 61_803_399  # odd and no multiple of 5: steps through all eight-digit numbers before one comes again


def seed(district: str, count: int = 20_000) -> Added:
    """Take in `count` subscribers, spread over the district's communities by their population.

    Repeatable: a second run finds them there. Raises ValueError when the district has no community with people.
    """
    return add_many(people(district, count))


def people(district: str, count: int) -> Iterator[NewSubscriber]:
    """The subscribers of a district, the same at each call."""
    communities = lookup.communities_under([district])
    weights = [max(0, node.population or 0) if (node := lookup.get(code)) else 0 for code in communities]
    if not any(weights):
        raise ValueError(f"region {district} has no communities with a population")
    chance = random.Random(f"{district} subscribers")  # noqa: S311  (for show, not for secrets)
    for serial in range(count):
        home = chance.choices(communities, weights)[0]
        regions = {home}
        if chance.random() < SECOND_COMMUNITY_SHARE:
            regions.add(chance.choice(communities))
        yield NewSubscriber(
            number(serial),
            "en" if chance.random() < ENGLISH_SHARE else "zh",
            _audiences(chance),
            tuple(sorted(regions)),
            "demo",
        )


def number(serial: int) -> str:
    """The number of the demonstration's subscriber `serial`; no two of the first hundred million are the same."""
    return f"{DEMONSTRATION_PREFIX}{(serial + 1) * _SPREAD % 100_000_000:08d}"


def _audiences(chance: random.Random) -> int:
    names = [a.key for a in AUDIENCES if a.key in SHARES and chance.random() < SHARES[a.key]]
    if not names or chance.random() < RESIDENTS_SHARE:
        names.append("residents")
    return mask_of(names)
