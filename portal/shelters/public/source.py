"""All that the pages of shelters are made of, read once for one publishing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from portal.regions import lookup
from portal.regions.codes import contains
from portal.regions.snapshot import Node
from portal.shelters import field as fields
from portal.shelters.models import Obstruction
from portal.shelters.public.view import Place, see, slug_of
from portal.shelters.registry import store
from portal.shelters.registry.suitability import Family, families, family_of
from portal.shelters.roads import obstructions
from portal.warnings import archive
from portal.warnings.models import Warning


@dataclass
class Source:
    """What is known at `now` of the region `district`."""

    now: datetime
    district: str
    families: Mapping[str, Family] = field(default_factory=families)

    @cached_property
    def places(self) -> list[Place]:
        """Every shelter that is not retired, by id; only the first of two whose addresses would be the same."""
        found: dict[str, Place] = {}
        for shelter in store.listing():
            if (slug := slug_of(shelter.code)) not in self.families:
                found.setdefault(slug, see(shelter, self.families, self.now))
        return list(found.values())

    @cached_property
    def facts(self) -> str:
        """Names all that is shown of all shelters."""
        text = json.dumps([place.facts for place in self.places], ensure_ascii=False, default=str)
        return hashlib.sha256(text.encode()).hexdigest()

    @cached_property
    def by_id(self) -> dict[int, Place]:
        return {place.shelter.id: place for place in self.places}

    @cached_property
    def communities(self) -> list[Node]:
        nodes = lookup.current().nodes
        return [nodes[code] for code in lookup.communities_under([self.district])]

    @cached_property
    def view(self) -> Any:
        """The newest evacuation field; None where there is none."""
        return fields.current()

    @cached_property
    def obstructions(self) -> list[Obstruction]:
        return obstructions.in_force(self.now)

    def obstructions_of(self, code: str) -> list[Obstruction]:
        return [row for row in self.obstructions if obstructions.touches(row, [code])]

    @cached_property
    def warnings(self) -> list[Warning]:
        """Real warnings in force, the most severe first."""
        return archive.in_force(self.now)

    @staticmethod
    def needed(warnings: Sequence[Warning]) -> set[str]:
        """The families from whose danger one flees while these are in force."""
        return {family.key for w in warnings if (family := family_of(w.hazard)) is not None}

    def warnings_of(self, code: str) -> list[Warning]:
        return [w for w in self.warnings if any(contains(region, code) for region in w.region_codes)]
