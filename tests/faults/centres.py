"""Bad days of a message centre that speaks SMPP: a worker dies while it is spoken to, the centre itself dies and comes back."""

from __future__ import annotations

import contextlib
import json
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from portal.config import ROOT
from portal.warnings.models import CANCEL
from tests.ends import COLUMNS, spread
from tests.faults import checks, days
from tests.faults.days import Day, Scene
from tests.faults.gateways import WAITS
from tests.faults.house import MOST_DOUBLED, Ground
from tests.node import node
from tests.postgres import free_port
from tests.waiting import until

#: Messages that wait for the centre's answer; with the delay, what it takes in a second.
WINDOW, DELAY_MS = 60, 60
#: Messages after which something happens, of the more than a thousand of a street.
SOME = 300


class Centre:
    """The message centre as a process that can be killed and begun again on what it had; asked as the carrier is."""

    def __init__(self, directory: Path) -> None:
        self.port, self._control, self._journal = free_port(), free_port(), directory / "centre"
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            [node(), "tests/fakes/smsc.mjs", "--tied", "--port", str(self.port), "--control", str(self._control),
             "--journal", str(self._journal)], cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        assert self._process.stdout.readline().startswith("port"), "the centre did not start: run make setup-dev"
        self.faults(delay_ms=DELAY_MS)

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()

    def faults(self, **faults: Any) -> None:
        self._ask("/_control", faults)

    def messages(self) -> list[dict[str, Any]]:
        """All that it has ever taken, with what the carrier's say; `id` is its number."""
        found: list[dict[str, Any]] = []
        while some := self._ask(f"/_messages?after={len(found)}"):
            found += some
        return [{"to": f"+{m['to']}", "body": m["body"], "at": m["at"], "id": m["id"],
                 "answer": "heard" if m["said"] else "unheard"} for m in found]

    @property
    def taken(self) -> int:
        return int(self._ask("/_control")["taken"])

    def _ask(self, path: str, content: dict[str, Any] | None = None) -> Any:
        data = None if content is None else json.dumps(content).encode()
        with urllib.request.urlopen(f"http://127.0.0.1:{self._control}{path}", data=data, timeout=10) as answer:
            return json.load(answer)


@contextlib.contextmanager
def _centre(scene: Scene) -> Iterator[Centre]:
    house = scene.house
    centre = Centre(house.instance)
    lines = house.instance / "lines.toml"
    lines.write_text(f'[[line]]\nname = "centre"\nkind = "smpp"\nhost = "127.0.0.1"\nport = {centre.port}\nsystem_id = "anlan"\n'
                     f'password = "secret"\nsource = "12379"\nlong = "payload"\nmax_in_flight = {WINDOW}\nanswer_seconds = 3\n')
    house.environment["ANLAN_SMS_LINES"] = str(lines)
    house.carrier = centre  # type: ignore[assignment]
    try:
        yield centre
    finally:
        centre.kill()


def _some(centre: Centre) -> None:
    until(lambda: centre.taken >= SOME, "something was sent")


def _receipts_are_found(scene: Scene, centre: Centre) -> None:
    """Each by the centre's number alone: of whoever was accepted; those of lost copies are kept, for minutes as ones that may
    still be found, then as strays."""
    house, taken = scene.house, {m["id"] for m in centre.messages()}
    ours = {one.carrier_id for one in spread(house.rows(
        f"SELECT {COLUMNS} FROM outcome_page JOIN batch b ON b.id = batch_id"
        " WHERE b.channel = 'sms' AND status = 'accepted'"))}
    if strange := ours - taken:
        scene.day.wrong.append(f"{len(strange)} have numbers that the centre never gave")

    def kept() -> set[str]:
        return {row[0] for row in house.rows("SELECT carrier_id FROM receipt UNION SELECT carrier_id FROM stray_receipt")}

    try:
        until(lambda: house.progress(scene.told).stages == {"delivered": len(ours)}, "all receipts are found", days.PATIENCE)
        until(lambda: kept() == taken - ours, "the others are kept", 20)
    except AssertionError as error:
        scene.day.wrong.append(f"{error}: {house.progress(scene.told).stages} of {len(ours)}; {len(kept())} are kept of "
                               f"{len(taken - ours)} others")


def worker_dies(scene: Scene) -> None:
    with _centre(scene) as centre:
        scene.issue()
        worker = scene.house.begin("worker")
        _some(centre)
        worker.kill()
        scene.house.begin("worker")
        scene.ends_well(most=MOST_DOUBLED, heard_out=False)
        _receipts_are_found(scene, centre)
        scene.sees("已送达", "送达")


def centre_dies(scene: Scene) -> None:
    """What it had taken and not answered may be doubled; nobody is lost, and it still owes its receipts."""
    with _centre(scene) as centre:
        scene.issue()
        scene.house.begin("worker")
        _some(centre)
        centre.kill()
        scene.sees(WAITS)
        centre.start()
        scene.ends_well(heard_out=False)
        _receipts_are_found(scene, centre)


def both_die(scene: Scene) -> None:
    """And an all-clear comes: whoever may have been warned hears the end of it, and nothing of the warning afterwards."""
    house = scene.house
    with _centre(scene) as centre:
        alert = scene.issue()
        worker = house.begin("worker")
        _some(centre)
        centre.kill()
        worker.kill()
        clear = house.issue(kind=CANCEL, replaces=alert)
        centre.start()
        house.begin("worker")
        until(lambda: house.dispatches_open() == 0, "both are at rest", days.PATIENCE)
        messages = centre.messages()
        warned, cleared = (checks.read(house, bulletin, messages) for bulletin in (alert, clear))
        scene.day.wrong += checks.of_one(house, warned) + checks.of_one(house, cleared) + checks.addressed([warned], cleared)
        scene.day.wrong += checks.processes(house) + checks.secrets(house)
        scene.accounts_for([warned, cleared], MOST_DOUBLED)
        if left := set(warned.taken) - set(cleared.taken):
            scene.day.wrong.append(f"{len(left)} were warned and have not heard of the end")
        first = min(min(times) for times in cleared.taken.values())
        if late := sum(t > first for times in warned.taken.values() for t in times):
            scene.day.wrong.append(f"{late} were warned after the all-clear had begun")
        scene.sees("结果不明")


def every(ground: Ground, kinds: list[str]) -> Iterator[Callable[[], Day]]:
    plain: list[tuple[str, str, Callable[[Scene], None]]] = [
        ("SMPP, worker killed", "few are doubled, receipts are found by number", worker_dies),
        ("SMPP, centre killed", "what it had not answered may be doubled, its receipts are found", centre_dies),
        ("SMPP, both before an all-clear", "whoever may have been warned hears it, nothing comes after", both_die),
    ]
    for name, promise, act in plain:
        for kind in kinds:
            yield lambda n=name, p=promise, a=act, k=kind: days.run(ground, k, n, p, a)
