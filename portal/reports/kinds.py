"""What can be reported, in the order in which it is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask_babel import lazy_gettext as _l


@dataclass(frozen=True)
class Kind:
    """`obstruction` and `hazard`: what it most likely becomes at the desk (a key of the obstructions' kinds, a code of the
    hazards); empty where it becomes none."""

    label: Any
    example: Any
    obstruction: str = ""
    hazard: str = ""


KINDS: dict[str, Kind] = {
    "water": Kind(_l("Water standing or rising"), _l("a flooded road, underpass, basement; a blocked drain"), "waterlogging",
                  "11A02"),
    "slope": Kind(_l("Slope, rocks, earth"), _l("cracks, falling stones, a wall that leans"), "landslide", "11D01"),
    "river": Kind(_l("River, reservoir, dyke"), _l("water over the bank, a leak, people at the water"), "", "11A01"),
    "road": Kind(_l("Road or bridge"), _l("a hole, a collapse, a missing manhole cover"), "road_closed"),
    "tree": Kind(_l("Fallen or falling"), _l("trees, signs, scaffolding, façade tiles, windows"), "road_closed"),
    "building": Kind(_l("Building in danger"), _l("new cracks, leaning, a roof that gives way"), "other"),
    "fire": Kind(_l("Fire hazard"), _l("a blocked escape route, batteries charged indoors, no water in the hydrant"), "fire"),
    "power": Kind(_l("Electricity, gas"), _l("a hanging cable, a smell of gas, a box under water"), "other"),
    "works": Kind(_l("Construction or factory"), _l("an unsecured pit, a crane, chemicals"), "construction"),
    "shelter": Kind(_l("Shelter or escape route"), _l("locked, blocked, a wrong sign"), "other"),
    "other": Kind(_l("Something else"), _l("whatever may hurt somebody"), "other"),
}
