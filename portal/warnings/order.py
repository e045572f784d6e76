"""In which order the communities of a target are told: the most endangered first."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from portal.config import TIERS
from portal.regions import codes
from portal.warnings import bulletins, target


def by_danger(aim: dict[str, Any], now: datetime) -> list[str]:
    """The communities of a normalised target, each once: first those where the highest tier is in force, of those first what
    the target names first, a drawn area after the named regions; then by code. Drills endanger nobody."""
    tiers: dict[str, int] = {}
    for warning in bulletins.live(exercises=False):
        if warning.expires > now:
            for code in warning.region_codes:
                tiers[code] = max(tiers.get(code, -1), TIERS.index(warning.tier))
    named = {code: place for place, code in reversed(list(enumerate(aim["regions"])))}

    def rank(code: str) -> tuple[int, int, str]:
        around = codes.lineage(code)
        return -max(tiers.get(c, -1) for c in around), min(named.get(c, len(named)) for c in around), code

    return sorted(target.communities(aim), key=rank)
