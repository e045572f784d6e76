"""What a horn must not forget over a restart: which orders it has taken, which were stopped, how far the numbers came.

Bounded: the oldest finished orders are forgotten first, and `floor` then rises to their number, so that whatever is
forgotten is refused as old should it come again. A memory that is missing or cannot be read begins with a floor at
the present: captured commands from before are refused, and the portal's next publication has a higher number.
"""

from __future__ import annotations

import json
import logging
import os
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from portal.channels.speakers.protocol import CLOCK_SKEW, number_at

MAX_REMEMBERED = 500
log = logging.getLogger(__name__)


@dataclass
class Taken:
    """One order that the horn has taken. `payload` is kept until it is finished, so that a power cut does not
    silence it; `crashes` counts the restarts that found it playing."""

    number: int
    expires_at: datetime
    status: str
    code: str
    at: datetime
    payload: str = ""
    crashes: int = 0
    stops_done: bool = False

    @property
    def finished(self) -> bool:
        return not self.payload


@dataclass
class Memory:
    """`clock` is the latest moment at which the portal is known to have spoken: the horn's own clock, where it has no
    battery, may not fall behind it. `stopped_before` is per class: emergency, exercise."""

    floor: int = 0
    clock: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    taken: dict[str, Taken] = field(default_factory=dict)
    stopped: dict[str, int] = field(default_factory=dict)
    stopped_before: dict[str, datetime] = field(default_factory=dict)
    dirty: bool = False

    def forget(self) -> None:
        """Keep within the bound; what is forgotten lies under the floor."""
        for kept, number_of in ((self.taken, lambda t: t.number), (self.stopped, lambda n: n)):
            if len(kept) <= MAX_REMEMBERED:
                continue
            old = sorted((number_of(v), k) for k, v in kept.items() if not isinstance(v, Taken) or v.finished)
            for number, key in old[: len(kept) - MAX_REMEMBERED]:
                del kept[key]
                self.floor = max(self.floor, number)

    def to_json(self) -> str:
        data = asdict(self)
        del data["dirty"]
        return json.dumps(data, ensure_ascii=False, default=lambda moment: moment.isoformat())

    @classmethod
    def from_json(cls, text: str) -> Memory:
        """Raises ValueError when `text` is not a memory."""
        try:
            data = json.loads(text)
            moment = datetime.fromisoformat
            taken = {key: Taken(**(entry | {"expires_at": moment(entry["expires_at"]), "at": moment(entry["at"])}))
                     for key, entry in data["taken"].items()}
            return cls(floor=int(data["floor"]), clock=moment(data["clock"]), taken=taken,
                       stopped={key: int(number) for key, number in data["stopped"].items()},
                       stopped_before={key: moment(at) for key, at in data["stopped_before"].items()})
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError("not a horn's memory") from error


class MemoryFile:
    """The memory in a small file, written whole and flushed to the disk before the horn answers."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self, now: datetime) -> Memory:
        try:
            return Memory.from_json(self.path.read_text())
        except FileNotFoundError:
            log.info("no state file yet: what was sent before now is refused")
        except (OSError, ValueError) as error:
            log.warning("the state file cannot be read (%s): what was sent before now is refused", error)
        return Memory(floor=number_at(now - CLOCK_SKEW), dirty=True)

    def save(self, memory: Memory) -> None:
        """Raises OSError when the disk refuses."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        scratch = self.path.with_name(self.path.name + ".new")
        with scratch.open("w") as file:
            file.write(memory.to_json())
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(self.path)
        memory.dirty = False
