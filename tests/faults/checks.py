"""What must hold when everything has come to rest, whatever was killed before: read from the database and from the carrier."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from portal.core.db import db
from portal.dispatch.recipients import unpack
from portal.subscribers import store
from portal.warnings.models import CANCEL, Bulletin
from tests.ends import COLUMNS, spread
from tests.faults.doubles import Copy, copy_of
from tests.faults.house import House

ACCEPTED, UNCERTAIN = "accepted", "uncertain"
#: Seconds by which two processes' clocks, a queue at the carrier and whole seconds of a validity may shift what is compared.
SLACK = 2.0


@dataclass
class Told:
    """One bulletin and what became of it. `numbers`: of each planned recipient; `copies`: of what the carrier took, by number;
    `taken`: the times at which it did."""

    bulletin: Bulletin
    state: str
    planned: dict[int, int]  # recipient → in how many batches
    outcomes: dict[int, list[str]]
    numbers: dict[int, str]
    copies: dict[str, list[Copy]]
    wrong: list[str] = field(default_factory=list)

    @property
    def taken(self) -> dict[str, list[float]]:
        return {number: [one.at for one in copies] for number, copies in self.copies.items()}

    def having(self, *statuses: str) -> set[int]:
        return {i for i, found in self.outcomes.items() if found[0] in statuses}


def read(house: House, bulletin: Bulletin, messages: list[dict[str, Any]]) -> Told:
    rows = house.rows("SELECT b.id, b.recipients FROM batch b JOIN dispatch d ON d.id = b.dispatch_id"
                      " WHERE d.channel = 'sms' AND d.bulletin_id = :b", b=_key(house, bulletin))
    planned = Counter(int(i) for _id, packed in rows for i in unpack(bytes(packed)))
    outcomes: dict[int, list[str]] = defaultdict(list)
    for one in spread(house.rows(
            f"SELECT {COLUMNS} FROM outcome_page JOIN batch b ON b.id = batch_id"
            " JOIN dispatch d ON d.id = b.dispatch_id WHERE d.channel = 'sms' AND d.bulletin_id = :b", b=_key(house, bulletin))):
        outcomes[one.recipient_id].append(one.status)
    with house.app.app_context():
        numbers = store.phones(sorted(planned))
        db.session.rollback()
    bodies = {words["sms"] for words in bulletin.snapshot["words"].values()}
    copies: dict[str, list[Copy]] = defaultdict(list)
    for message in messages:
        if message["body"] in bodies:
            copies[message["to"]].append(copy_of(message))
    state = house.rows("SELECT state FROM dispatch WHERE channel = 'sms' AND bulletin_id = :b", b=_key(house, bulletin))[0][0]
    return Told(bulletin, state, dict(planned), dict(outcomes), numbers, dict(copies))


def _key(house: House, bulletin: Bulletin) -> Any:
    return bulletin.id.hex if house.kind == "sqlite" else bulletin.id


def of_one(house: House, told: Told) -> list[str]:
    """What is wrong with one bulletin; nothing when all is as promised."""
    wrong = []
    if twice := [i for i, n in told.planned.items() if n > 1]:
        wrong.append(f"{len(twice)} were planned twice")
    if twice := [i for i, found in told.outcomes.items() if len(found) > 1]:
        wrong.append(f"{len(twice)} have two outcomes")
    without = set(told.planned) - set(told.outcomes)
    if without and told.state not in ("stopped", "expired"):
        wrong.append(f"{len(without)} were skipped: planned, no outcome, and the dispatch is {told.state}")
    reached = {told.numbers[i] for i in told.having(ACCEPTED)}
    if false := reached - set(told.taken):
        wrong.append(f"{len(false)} count as accepted and the carrier has never seen them")
    known = {told.numbers[i] for i in told.having(ACCEPTED, UNCERTAIN)}
    if lost := set(told.taken) - known:
        wrong.append(f"{len(lost)} were taken by the carrier and count as never sent")
    return wrong + _counts(house, told, without)


def _counts(house: House, told: Told, without: set[int]) -> list[str]:
    """Kept counts are those that a recount gives."""
    progress = house.progress(told.bulletin)
    counted = Counter(found[0] for found in told.outcomes.values())
    if without:
        counted[told.state] += len(without)
    wrong = []
    if progress.planned != len(told.planned):
        wrong.append(f"the desk says planned {progress.planned}, they are {len(told.planned)}")
    if {key: n for key, n in progress.ends.items() if n} != dict(counted):
        wrong.append(f"the desk says {progress.ends}, a recount {dict(counted)}")
    if progress.pending:
        wrong.append(f"{progress.pending} are shown as pending for ever")
    return wrong


def addressed(earlier: list[Told], told: Told) -> list[str]:
    """An all-clear goes to exactly those whose message went out; an update to those as well."""
    wrong = []
    owed = set().union(*(e.having(ACCEPTED, UNCERTAIN) for e in earlier))
    if missing := owed - set(told.planned):
        wrong.append(f"{len(missing)} were warned and left out of what followed")
    if told.bulletin.kind == CANCEL and (strangers := set(told.planned) - owed):
        wrong.append(f"{len(strangers)} were told of the end of what they had never heard of")
    return wrong


def after_the_end(earlier: list[Told], told: Told, at: float, slack: float) -> tuple[list[str], float]:
    """Nothing of what was replaced after what replaced it; and the longest time by which something came after `at`, when that was
    issued."""
    wrong, longest = [], 0.0
    heard = told.taken
    for one in earlier:
        late = [(number, t) for number, times in one.taken.items() for t in times if t > at]
        longest = max([longest, *(t - at for _number, t in late)])
        if crossed := [number for number, t in late if number in heard and t > min(heard[number]) + slack]:
            wrong.append(f"{len(crossed)} were warned after they had been told of the end")
    return wrong, longest


def after_expiry(told: Told, messages: list[dict[str, Any]], slack: float) -> list[str]:
    """Nothing is taken after the end of its bulletin, and the carrier is never told to keep it longer."""
    bodies = {words["sms"] for words in told.bulletin.snapshot["words"].values()}
    ends = told.bulletin.expires.timestamp()
    ours = [m for m in messages if m["body"] in bodies]
    wrong = []
    if late := [m for m in ours if m["at"] > ends + slack]:
        wrong.append(f"{len(late)} were handed over after expiry, the last by {max(m['at'] for m in late) - ends:.1f} s")
    if long := [m for m in ours if m["at"] + m["validity"] > ends + slack]:
        wrong.append(f"{len(long)} may be kept by the carrier beyond expiry")
    return wrong


def processes(house: House) -> list[str]:
    """Nobody ends by himself; nobody who was not struck says anything of an error that he does not name."""
    return [f"the {p.command} ended by itself with {p.code}: {p.said[-800:]}" for p in house.processes
            if not p.running and not p.struck]


def secrets(house: House) -> list[str]:
    """No number stands in what any process said."""
    return [f"the {p.command} wrote a phone number into its log" for p in house.processes if "+86129" in p.said]
