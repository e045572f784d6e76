"""`python -m tools.bench`: the table of dispatch, each figure beside its reference from the same run.

`--only handover,whole` measures some of it; `--quick` with a fiftieth of the people, which shows that it works and says of no
goal whether it is met. The rows go to `--json` as well. Nothing is asserted: machines differ, and a goal that is missed is said.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from portal.config import ROOT
from tools.bench import gateways, handover, latency, recording, whole
from tools.bench.rig import Rig, rig
from tools.bench.rows import Row, machine, table, unmeasured, write_json

PEOPLE, QUICK_PEOPLE, SQLITE_PEOPLE = 1_000_000, 20_000, 100_000


class Bench:
    """What the sections share: a database with people and a gateway that answers at once, made when first asked for."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack, people: int, runs: int, quick: bool) -> None:
        self.folder, self._stack, self.people, self.runs, self.quick = folder, stack, people, runs, quick
        self._rig: Rig | None = None
        self._gateway: gateways.Gateway | None = None

    @property
    def rig(self) -> Rig:
        if self._rig is None:
            begun = time.monotonic()
            self._rig = self._stack.enter_context(rig(self.folder, self.people))
            say(f"  a PostgreSQL with {self.people:,} people: {time.monotonic() - begun:.0f} s")
        return self._rig

    @property
    def gateway(self) -> gateways.Gateway:
        if self._gateway is None:
            self._gateway = self._stack.enter_context(gateways.at_once(self.folder))
        return self._gateway

    def lite(self) -> Rig:
        place = self.folder / "lite"
        place.mkdir()
        made = Rig(place, f"sqlite:///{place / 'anlan.db'}", min(self.people, SQLITE_PEOPLE))
        self._stack.callback(made.close)
        made.prepare()
        return made


def _plan(bench: Bench) -> list[Row]:
    from tools.bench import plan

    return plan.measure(bench.people, bench.rig, bench.runs)


def _callbacks(bench: Bench) -> list[Row]:
    from tools.bench import callbacks

    return callbacks.measure(quick=bench.quick, runs=min(bench.runs, 2))  # ten processes take their time to start


SECTIONS: dict[str, Callable[[Bench], list[Row]]] = {
    "handover": lambda b: handover.measure(b.rig, b.gateway, runs=b.runs, sample=0.1 if b.quick else 1.0),
    "latency": lambda b: latency.measure(b.rig, b.folder),
    "plan": _plan,
    "recording": lambda b: recording.measure(b.rig, b.lite(), runs=b.runs),
    "whole": lambda b: whole.measure(b.rig, b.gateway, share=10, runs=b.runs)[:1],
    "million": lambda b: whole.measure(b.rig, b.gateway, share=100, runs=b.runs),
    "red": lambda b: whole.overtaking(b.rig, b.gateway),
    "callbacks": _callbacks,
    "scaling": lambda b: latency.scaling(b.rig, b.folder),
}


def say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def measure(names: list[str], *, people: int, runs: int, quick: bool) -> Iterator[tuple[str, list[Row], float]]:
    """The rows of each section as they come, and the seconds that it took. One that fails says why and keeps no other back."""
    with tempfile.TemporaryDirectory(prefix="anlan-bench-") as place, contextlib.ExitStack() as stack:
        Path(place).chmod(0o755)  # the database and the gateway run as users of their own
        bench = Bench(Path(place), stack, people, runs, quick)
        for name in names:
            begun = time.monotonic()
            try:
                rows = SECTIONS[name](bench)
            except ImportError as error:
                rows = [unmeasured(name, "", str(error))]
            except Exception as error:
                traceback.print_exc()
                rows = [unmeasured(name, "", f"{type(error).__name__}: {error}"[:200])]
            yield name, rows, time.monotonic() - begun


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--only", default="", help=f"of {', '.join(SECTIONS)}; comma separated")
    parser.add_argument("--quick", action="store_true", help="with few people: shows that it works, says little about speed")
    parser.add_argument("--people", type=int, default=0, help=f"how many there are; usually {PEOPLE:,}")
    parser.add_argument("--runs", type=int, default=0, help="of each figure that is a median; usually 3")
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "bench.json")
    asked = parser.parse_args()
    names = [name for name in asked.only.split(",") if name] or list(SECTIONS)
    if unknown := set(names) - set(SECTIONS):
        parser.error(f"there is no section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # whatever was started is ended
    before, begun, rows = machine(), time.monotonic(), list[Row]()
    say(f"load before: {os.getloadavg()[0]:.2f} on {os.cpu_count()} cores")
    people = asked.people or (QUICK_PEOPLE if asked.quick else PEOPLE)
    runs, took = asked.runs or (1 if asked.quick else 3), dict[str, float]()
    for name, found, seconds in measure(names, people=people, runs=runs, quick=asked.quick):
        rows += [replace(row, met=None) for row in found] if asked.quick else found
        took[name] = seconds
        say(f"  {name}: {seconds:.0f} s")
        write_json(asked.json, rows, took, before)
    print(table(rows))
    missed = sum(row.met is False for row in rows)
    print(f"\n{len(rows)} figures, {missed} goals missed; {time.monotonic() - begun:.0f} s; load after {os.getloadavg()[0]:.2f}")
    print(f"as JSON: {asked.json}")


if __name__ == "__main__":
    main()
