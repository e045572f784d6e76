"""The fault suite: `make faults`, seeded (`SEED=…`), about twenty minutes.

Dispatches to 5,000 recipients on SQLite and on PostgreSQL are struck at 200 moments and more: workers, their keepers, schedulers
and web servers are killed, databases and the broker die and restart, in and between all steps. Then come the bad days of the
gateway, of a message centre, of what they report, of the machine and of people. What was promised is looked up afterwards in the
database and at the carrier; a table says what held, with the distribution of what was sent twice, and `faults.json` keeps all of
it. It ends with 1 where anything did not hold.

  --only WORD     only what has this in its name (dispatches as `sqlite-3`, all on one database as `sqlite-`)
  --points N      moments to strike at (200)       --json FILE    where the numbers go (build/faults.json)
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from portal.config import ROOT
from portal.core import i18n
from tests.faults import acts, centres, gateways, machines, points, reports
from tests.faults.days import Day
from tests.faults.drills import Report, drill
from tests.faults.house import MOST_DOUBLED, POSTGRESQL, SQLITE, Ground, ground
from tests.rabbitmq import why_not

RECIPIENTS = 5000
POINTS = 200
MOST_IN_ONE = 8  # moments in one dispatch
MOST_DRILLS = 80  # in case dispatches end before they are struck


def main() -> int:
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # whoever ends it ends all that it began
    seed = os.environ.get("SEED", "1")
    begun = time.monotonic()
    i18n.compile_catalogues()
    print(f"SEED={seed}; {RECIPIENTS:,} recipients; a killed process may send {MOST_DOUBLED} twice\n", flush=True)
    with (tempfile.TemporaryDirectory(prefix="anlan-faults-") as directory,
          ground(Path(directory), RECIPIENTS, broker=True) as place):
        drills = list(_drills(place, seed, options.points, options.only))
        days = [_told(day()) for day in _days(place, options.only)]
    seconds = time.monotonic() - begun
    _summary(drills, days, seconds)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps({
        "seed": seed, "recipients": RECIPIENTS, "most_doubled": MOST_DOUBLED, "seconds": round(seconds), "load": os.getloadavg(),
        "drills": [one.row() for one in drills], "days": [one.row() for one in days]}, indent=1, ensure_ascii=False))
    return 1 if any(one.wrong for one in [*drills, *days]) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--points", type=int, default=POINTS)
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "faults.json")
    return parser.parse_args()


def _drills(place: Ground, seed: str, points: int, only: list[str]) -> Iterator[Report]:
    """By turns on each database until so many moments were struck, and each kind of them once at least."""
    struck, played = 0, list[Report]()
    for number in range(MOST_DRILLS):
        for kind in (SQLITE, POSTGRESQL):
            if struck >= points or (only and not any(word in (f"{kind}-{number}", f"{kind}-") for word in only)):
                continue
            played.append(drill(place, kind, seed, number, MOST_IN_ONE))
            struck += len(played[-1].blows)
            yield _said(played[-1])
    missing = set(_never(played)) if not only and points >= POINTS else set()
    for n, (kind, point) in enumerate(_known({SQLITE, POSTGRESQL})):
        number = MOST_DRILLS + 1 + 2 * n  # odd: with the broker
        if (kind, point) in missing or f"{kind}-{number}" in only:
            yield _said(drill(place, kind, seed, number, 1, only=[point]))


def _said(report: Report) -> Report:
    ends = ", ".join(f"{n:,} {end}" for end, n in report.ends.items())
    doubled = sum(blow.doubled for blow in report.blows)
    print(f"  {report.name:<14} {report.story:<10} {len(report.blows):>2} blows  {doubled:>4} doubled  {ends}"
          f"  ({report.seconds:.0f} s)", flush=True)
    _complain(report.wrong)
    return report


def _days(place: Ground, only: list[str]) -> Iterator[Callable[[], Day]]:
    for room in (gateways, centres, reports, machines, acts):
        for act in room.every(place, [SQLITE, POSTGRESQL]):
            name = act.__defaults__[0] if act.__defaults__ else ""
            if not only or any(word in str(name) for word in only):
                yield act


def _told(day: Day) -> Day:
    print(f"  {day.name:<34} {day.database:<11} {day.doubled:>5} doubled  ({day.seconds:.0f} s)  {day.seen}", flush=True)
    _complain(day.wrong)
    return day


def _complain(wrong: list[str]) -> None:
    for words in wrong:
        print(f"      ✗ {words}", flush=True)


def _summary(drills: list[Report], days: list[Day], seconds: float) -> None:
    kinds: dict[str, list[int]] = defaultdict(list)
    allowed = {blow.what: blow.most for one in drills for blow in one.blows}
    for blow in (blow for one in drills for blow in one.blows):
        kinds[blow.what].append(blow.doubled)
    every = [n for some in kinds.values() for n in some]
    if every:
        print(f"\n{'struck':<40}{'times':>6}{'median':>8}{'most':>6}{'allowed':>9}   doubled each")
        for what, found in sorted(kinds.items()):
            print(f"  {what:<38}{len(found):>6}{statistics.median(found):>8.0f}{max(found):>6}{allowed[what]:>9}")
        print(f"  {'all':<38}{len(every):>6}{statistics.median(every):>8.0f}{max(every):>6}")
        if len(every) >= POINTS and (never := _never(drills)):
            print(f"  never struck in this run: {', '.join(f'{point} on {kind}' for kind, point in never)}")
        print("\ndistribution of doubles after one blow")
        bounds = [0, 25, 50, 100, 150, MOST_DOUBLED]
        for low, high in zip([-1, *bounds], [*bounds, 10**9], strict=False):
            n = sum(low < found <= high for found in every)
            words = "none" if high == 0 else f"{low + 1} to {high}" if high < 10**9 else f"more than {low}"
            print(f"  {words:<16}{n:>5}  {'#' * (60 * n // len(every))}")
        late = [one.late for one in drills if one.late]
        print(f"\nafter an all-clear's issue the last message of what it ended came after {max(late, default=0):.1f} s at most")
    _account([*drills, *days])
    ended = sum(n for one in drills for end, n in one.ends.items())
    wrong = [one for one in [*drills, *days] if one.wrong]
    print(f"\n{len(every)} blows in {len(drills)} dispatches, {ended:,} recipients with an end, {len(days)} bad days,"
          f" {len(wrong)} not as promised; {seconds / 60:.1f} minutes")
    for one in wrong:
        print(f"  ✗ {one.name} on {one.database}: {one.wrong[0][:160]}")


def _never(drills: list[Report]) -> list[tuple[str, str]]:
    """Kinds of moments that apply and did not come: the database, and the name of the function."""
    met = {(one.database, point) for one in drills for point in one.points}
    return [one for one in _known({one.database for one in drills}) if one not in met]


def _known(kinds: set[str]) -> list[tuple[str, str]]:
    """All kinds of moments that can be played on these databases here, always in the same order."""
    known = {(kind, act.__name__) for kind in kinds for act in points.WEIGHTS
             if kind == POSTGRESQL or act not in points.OF_KEEPERS}
    if not why_not() and POSTGRESQL in kinds:
        known |= {(POSTGRESQL, act.__name__) for act in points.OF_BROKERS}
    return sorted(known)


def _account(played: Sequence[Report | Day]) -> None:
    """Doubles by cause, as the carrier's own knowledge of its answers tells them."""
    allowed: Counter[str] = Counter()
    for one in played:
        allowed.update(one.allowed)
    print("\nsent twice, and why it is allowed")
    for cause, n in allowed.most_common():
        print(f"  {cause:<52}{n:>7,}")
    print(f"  {'unexplained, of which there must be none':<52}{sum(one.unexplained for one in played):>7,}")


if __name__ == "__main__":
    sys.exit(main())
