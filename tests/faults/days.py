"""What the bad days of a gateway and of a machine have in common: a name, a promise, what the operator sees, what is wrong."""

from __future__ import annotations

import contextlib
import socket
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from portal.warnings.models import Bulletin
from tests import district
from tests.faults import checks, doubles
from tests.faults.house import Ground, House
from tests.waiting import until
from tests.whole.operator import Operator

STREET = {"regions": [district.PINGSHAN], "area": None, "audiences": [], "channels": ["sms"]}
PATIENCE = 90.0


@dataclass
class Day:
    """How one went. `seen`: the words that the operator read on the page while it was going on; `doubled`: who was sent to again,
    of whom `allowed` by their cause and `unexplained` by none."""

    name: str
    database: str
    promise: str
    seen: str = ""
    doubled: int = 0
    allowed: dict[str, int] = field(default_factory=dict)
    unexplained: int = 0
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)

    def row(self) -> dict[str, Any]:
        return asdict(self)


class Scene:
    """One house on one bad day: a worker, an operator at the desk, one bulletin to a street."""

    def __init__(self, house: House, day: Day) -> None:
        self.house, self.day = house, day
        self.bulletin: Bulletin | None = None
        self._operator: Operator | None = None

    def issue(self, **content: Any) -> Bulletin:
        self.bulletin = self.house.issue(**({"target": STREET} | content))
        return self.bulletin

    @property
    def told(self) -> Bulletin:
        assert self.bulletin is not None, "nothing was issued"
        return self.bulletin

    def page(self) -> str:
        """The page of the warning and that of the sending, as the desk shows them at this moment."""
        if not self.house.alive("web"):
            self.house.begin("web").ready()
            until(self.answers, "the desk answers")
        if self._operator is None:
            self._operator = Operator(f"http://127.0.0.1:{self.house.port}", "approver")
        said = []
        for path in (f"/desk/warnings/{self.told.warning_number}/", "/desk/status/"):
            self._operator.read(path)
            if self._operator.status != 200 and (wrong := f"{path} is answered {self._operator.status}") not in self.day.wrong:
                self.day.wrong.append(wrong)
            said.append(self._operator.text)
        return "\n".join(said)

    def answers(self) -> bool:
        """Whether the web server listens."""
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", self.house.port)) == 0

    def sees(self, *words: str) -> None:
        """The operator reads one of `words` at the desk before it is over."""
        found = ""

        def there() -> str:
            nonlocal found
            page = self.page()
            found = next((word for word in words if word in page), "")
            return found

        try:
            until(there, f"the desk says {' or '.join(words)}", 40)
        except AssertionError as error:
            progress = self.house.progress(self.told)
            self.day.wrong.append(f"the desk does not say {' or '.join(words)}; it knows {progress.dispatch.last_error!r}, "
                                  f"{progress.ends}, {progress.pending} pending ({str(error)[:300]})")
        self.day.seen = "; ".join(part for part in (self.day.seen, found) if part)

    def ends_well(self, *, most: int = 0, state: str = "done", heard_out: bool = True) -> None:
        """It comes to rest in `state`, everybody has an end, and nobody was sent to twice but who had a lost answer, and `most`
        beside. `heard_out`: whether no receipt waits any more for what it may belong to."""
        house = self.house
        until(lambda: house.dispatches_open() == 0 and (not heard_out or house.quiet_receipts()), "it comes to rest", PATIENCE)
        messages = self.house.carrier.messages()
        told = checks.read(self.house, self.told, messages)
        self.day.wrong += checks.of_one(self.house, told) + checks.processes(self.house) + checks.secrets(self.house)
        if told.state != state:
            self.day.wrong.append(f"it came to rest as {told.state}")
        self.accounts_for([told], most)

    def accounts_for(self, all_told: list[checks.Told], most: int = 0) -> None:
        """Whoever was sent to again had a lost answer; `most` may be so because of what a blow left unwritten."""
        account = doubles.of_a_day([told.copies for told in all_told], most=most)
        self.day.allowed, self.day.unexplained = dict(account.allowed), account.unexplained
        self.day.doubled = account.unexplained + sum(account.allowed.values())
        self.day.wrong += account.wrong


def run(ground: Ground, kind: str, name: str, promise: str, act: Callable[[Scene], None], **environment: str) -> Day:
    """Play one day; what goes wrong is in it, nothing is raised."""
    day = Day(name, kind, promise)
    begun = time.monotonic()
    house = ground.house(kind, f"{kind}_{name}_{int(begun)}".replace(" ", "_"), **environment)
    try:
        act(Scene(house, day))
    except Exception:
        day.wrong.append("broke off: " + traceback.format_exc(limit=4)[-1500:])
        day.wrong += [f"{p.command}: {p.said[-800:]}" for p in house.processes if "Traceback" in p.said][-2:]
    finally:
        with contextlib.suppress(OSError):
            day.wrong += house.close()
    day.seconds = round(time.monotonic() - begun, 1)
    return day
