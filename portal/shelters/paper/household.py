"""One household, as its card says it. It lives as long as the request that prints it: it is neither stored nor logged."""

from __future__ import annotations

from dataclasses import dataclass

#: Lines for people on a card; more find no room.
MOST_MEMBERS = 6


@dataclass(frozen=True, slots=True, repr=False)
class Member:
    name: str = ""
    sex: str = ""
    age: str = ""
    help: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Household:
    """What nobody filled in is left as a line to write on. `origin`: name (either language) of the starting place of the
    community that is nearest; `place`: (longitude, latitude) in WGS 84 of the house itself, which goes before it;
    `shelter_id`: where somebody decided that they go."""

    region_code: str
    family: str = ""
    number: str = ""
    head: str = ""
    people: str = ""
    phone: str = ""
    address: str = ""
    members: tuple[Member, ...] = ()
    danger: str = ""
    origin: str = ""
    place: tuple[float, float] | None = None
    shelter_id: int | None = None
    helper: str = ""
    helper_phone: str = ""
    filled: bool = False

    @property
    def blank(self) -> bool:
        return not self.filled
