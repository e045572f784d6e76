"""What a field is made of and what it is: plain values without a database, so that it can be computed, stored and asked."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from portal.shelters.roads.effects import Effect

WALK, STEP_FREE = PROFILES = ("walk", "step_free")
#: Metres per second. Walking: 1.2, the default of the Highway Capacity Manual (Transportation Research Board, 2000, chapter 18).
#: Step-free: 0.8, the mean of people with a disability on level ground in Boyce, Shields and Silcock (Fire Technology 35, 1999).
SPEEDS = {WALK: 1.2, STEP_FREE: 0.8}
#: How many times as long steps take as level ground (about 0.6 m/s along the ground; Fruin, Pedestrian Planning and Design).
STEPS_FACTOR = 2.0
#: Metres on level ground. Nobody is sent on a walk that takes longer than these.
FARTHEST = 12_000.0
#: `next` of a node: another node, or NO_WAY, or DOOR - d where the door `d` is the next thing.
NO_WAY, DOOR = -1, -2
OPEN, PLAN = "open", "plan"
#: Raised whenever the same facts give another field than before, or it is stored in another way.
FORM = 2
NO_TIME = 65535


@dataclass(frozen=True)
class Door:
    """An entrance. `shelter`: position among the field's shelters; `id` None: the shelter's own point stands for it; `hours`: as
    registered, empty where unknown or always."""

    shelter: int
    id: int | None
    lon: float
    lat: float
    step_free: bool | None
    zh: str = ""
    en: str = ""
    hours: str = ""

    def name(self, language: str) -> str:
        return self.zh if language == "zh" else self.en or self.zh


@dataclass(frozen=True)
class Place:
    """A shelter as the field knows it. `families`: those for which it is known to be suitable. `state`: `open` takes people
    now; `ready` does not, and may be opened; `full` takes nobody more; `out`: unsafe or retired. `room`: free places, None
    where unknown; `inside`: people who are there; `status` and `status_at` as they were when the field was made."""

    id: int
    code: str
    zh: str
    en: str
    lon: float | None
    lat: float | None
    families: tuple[str, ...]
    state: str
    room: int | None
    inside: int = 0
    status: str | None = None
    status_at: str | None = None

    def name(self, language: str) -> str:
        return self.zh if language == "zh" else self.en or self.zh


@dataclass(frozen=True, eq=False)
class Facts:
    """`shares`: family → share of the people expected to go to a shelter. `people`: per node; `community`: per node the
    position in `communities`, or -1."""

    shares: Mapping[str, float]
    places: Sequence[Place]
    doors: Sequence[Door]
    effects: Mapping[str, Sequence[Effect]]
    people: NDArray[np.float64]
    community: NDArray[np.int16]
    communities: Sequence[str] = ()


@dataclass(frozen=True, eq=False)
class Layer:
    """`next`: see NO_WAY; `seconds`: whole seconds on foot to the shelter's door, NO_TIME without a way; `tight`: there is a way,
    and no place could be kept at its end for the people expected from here."""

    basis: str
    next: NDArray[np.int32]
    seconds: NDArray[np.uint16]
    tight: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Field:
    """`layers` by "<family>.<profile>". `ground` of a family: the position of its effects in `cuts` (where nobody walks) and
    `slowed` (edge → factor)."""

    layers: dict[str, Layer]
    places: tuple[Place, ...]
    doors: tuple[Door, ...]
    ground: dict[str, int]
    cuts: tuple[tuple[BaseGeometry, ...], ...]
    slowed: tuple[dict[int, float], ...]
    community: NDArray[np.int16]
    communities: tuple[str, ...]
    summary: dict[str, Any] = field(default_factory=dict)


def to_bytes(made: Field) -> bytes:
    """The field as the database keeps it: arrays once each, compressed quickly."""
    arrays: dict[str, NDArray[Any]] = {"community": made.community}
    numbers: dict[int, int] = {}
    listed = {}
    for key, layer in made.layers.items():
        if id(layer) not in numbers:
            number = numbers[id(layer)] = len(numbers)
            arrays[f"n{number}"], arrays[f"s{number}"] = layer.next, layer.seconds
            arrays[f"t{number}"] = np.packbits(layer.tight)
        listed[key] = [numbers[id(layer)], layer.basis]
    head = {
        "form": FORM, "layers": listed, "places": [asdict(p) for p in made.places], "doors": [asdict(d) for d in made.doors],
        "ground": made.ground, "cuts": [[shapely.to_wkb(g, hex=True) for g in cuts] for cuts in made.cuts],
        "slowed": [[[int(e), f] for e, f in slow.items()] for slow in made.slowed], "communities": made.communities,
        "summary": made.summary}
    arrays["head"] = np.frombuffer(json.dumps(head, ensure_ascii=False).encode(), np.uint8)
    target = io.BytesIO()
    np.savez(target, **arrays)  # type: ignore[arg-type]
    return zlib.compress(target.getvalue(), 1)


def from_bytes(data: bytes) -> Field:
    """The field that :func:`to_bytes` wrote. Raises ValueError when it is none, or of another form."""
    try:
        with np.load(io.BytesIO(zlib.decompress(data)), allow_pickle=False) as stored:
            head = json.loads(stored["head"].tobytes())
            if head["form"] != FORM:
                raise ValueError(f"this is a stored field of form {head['form']}, not {FORM}")
            made: dict[tuple[int, str], Layer] = {}
            for number, basis in head["layers"].values():
                if (number, basis) not in made:
                    following = stored[f"n{number}"]
                    tight = np.unpackbits(stored[f"t{number}"], count=len(following)).astype(bool)
                    made[number, basis] = Layer(basis, following, stored[f"s{number}"], tight)
            community = stored["community"]
    except (zlib.error, zipfile.BadZipFile, EOFError, OSError, KeyError, TypeError) as error:
        raise ValueError(f"this is no stored field: {error}") from error
    return Field(
        layers={key: made[number, basis] for key, (number, basis) in head["layers"].items()},
        places=tuple(Place(**(p | {"families": tuple(p["families"])})) for p in head["places"]),
        doors=tuple(Door(**d) for d in head["doors"]), ground=head["ground"],
        cuts=tuple(tuple(shapely.from_wkb(g) for g in cuts) for cuts in head["cuts"]),
        slowed=tuple(dict(slow) for slow in head["slowed"]), community=community,
        communities=tuple(head["communities"]), summary=head["summary"])
