"""One dispatch to everybody, struck again and again, and what it had come to when it was at rest."""

from __future__ import annotations

import random
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from portal.warnings.models import CANCEL, UPDATE, Bulletin
from tests import district
from tests.faults import checks, doubles, points
from tests.faults.checks import SLACK
from tests.faults.doubles import Blow
from tests.faults.house import POSTGRESQL, Ground, House
from tests.faults.points import Stage
from tests.waiting import until

PLAIN, CANCELLED, UPDATED, EXPIRES = "plain", "cancelled", "updated", "expires"
STORIES = {PLAIN: 5, CANCELLED: 3, UPDATED: 1, EXPIRES: 2}
#: Seconds until everything is at rest, on a machine that has much else to do.
PATIENCE = 120.0


@dataclass
class Report:
    """What one drill came to. `points`: the moments that were played; `allowed`, `unexplained`: see `doubles.Account`; `late`:
    seconds after an all-clear's issue until the last message of what it ended, by those who lived through it."""

    name: str
    database: str
    story: str
    seed: str
    recipients: int = 0
    ends: dict[str, int] = field(default_factory=dict)
    blows: list[Blow] = field(default_factory=list)
    allowed: dict[str, int] = field(default_factory=dict)
    unexplained: int = 0
    points: list[str] = field(default_factory=list)
    late: float = 0.0
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)

    def row(self) -> dict[str, Any]:
        return asdict(self) | {"blows": [asdict(blow) | {"ports": sorted(blow.ports)} for blow in self.blows]}


def drill(ground: Ground, kind: str, seed: str, number: int, most: int, *, story: str = "",
          only: list[str] | None = None) -> Report:
    """One dispatch on a database of `kind`, struck `most` times at most. The same `seed` and `number` draw the same again."""
    chance = random.Random(f"{seed}/{kind}/{number}")
    drawn = chance.choices(list(STORIES), list(STORIES.values()))[0]
    report = Report(f"{kind}-{number}", kind, story or drawn, f"{seed}/{kind}/{number}")
    woken = kind == POSTGRESQL and ground.broker is not None and number % 2 == 1
    environment = {"ANLAN_BROKER_URL": ground.broker.url} if woken and ground.broker else {}
    house = ground.house(kind, f"{kind}_{number}_{seed}", **environment)
    begun = time.monotonic()
    try:
        if woken and ground.broker:
            ground.broker.wait()
        _run(house, report, chance, points.drawn(seed, kind, number, most, woken=woken, only=only))
    except Exception:  # the next one is run all the same
        report.wrong.append("broke off: " + traceback.format_exc(limit=4)[-1500:])
        report.wrong += [f"{p.command}: {p.said[-600:]}" for p in house.processes if "Traceback" in p.said][-2:]
    finally:
        report.wrong += house.close()
    report.seconds = round(time.monotonic() - begun, 1)
    return report


def _run(house: House, report: Report, chance: random.Random, cards: list[Callable[[Stage], None]]) -> None:
    stage = Stage(house, chance, chance.choice([15, 40, 80]))
    # What a carrier reports is half of what happens: in every fourth dispatch, since it takes longest.
    house.carrier.faults(delay_ms=stage.delay_ms, callbacks=chance.random() < 0.25)
    alert = house.issue(seconds=6 * 3600 if report.story != EXPIRES else 8.0)
    told, turn = [alert], chance.randint(1, max(1, len(cards) - 1))
    issued_at = 0.0
    for n, point in enumerate(cards):
        if stage.over() and (n > turn or report.story in (PLAIN, EXPIRES)):
            break
        if n == turn and report.story in (CANCELLED, UPDATED):
            if chance.random() < 0.75:  # else before anybody was told
                stage.worker()
                until(lambda: house.carrier.taken or stage.over(), "somebody was told")
            told.append(_replacing(house, alert, report.story))
            issued_at = time.time()
        report.points.append(point.__name__)
        point(stage)
    report.blows = stage.blows
    _rest(house, stage)
    _judge(house, report, stage, told, issued_at)


def _replacing(house: House, alert: Bulletin, story: str) -> Bulletin:
    if story == CANCELLED:
        return house.issue(kind=CANCEL, replaces=alert)
    target = {"regions": [district.PINGSHAN], "area": None, "audiences": [], "channels": ["sms"]}
    return house.issue(kind=UPDATE, replaces=alert, target=target)


def _rest(house: House, stage: Stage) -> None:
    """Somebody works on, and after a while nothing moves any more."""
    stage.worker()
    until(lambda: stage.over() and house.quiet_receipts(), "everything is at rest", PATIENCE)


def _judge(house: House, report: Report, stage: Stage, bulletins: list[Bulletin], issued_at: float) -> None:
    messages = house.carrier.messages()
    told = [checks.read(house, bulletin, messages) for bulletin in bulletins]
    slack = SLACK + 1.2 + stage.delay_ms / 1000
    for one in told:
        report.wrong += checks.of_one(house, one) + checks.after_expiry(one, messages, slack)
    for at in range(1, len(told)):
        report.wrong += checks.addressed(told[:at], told[at])
        if told[at].bulletin.kind == CANCEL:
            wrong, report.late = checks.after_the_end(told[:at], told[at], issued_at, slack)
            report.wrong += wrong
    if report.story in (PLAIN, CANCELLED) and told[0].state not in ("done", "stopped"):
        report.wrong.append(f"it came to rest as {told[0].state}")
    account = doubles.of_blows([one.copies for one in told], report.blows)
    report.allowed, report.unexplained = dict(account.allowed), account.unexplained
    report.wrong += account.wrong + checks.processes(house) + checks.secrets(house)
    report.recipients = len(told[0].planned)
    for one in told:
        for key, n in house.progress(one.bulletin).ends.items():
            report.ends[key] = report.ends.get(key, 0) + n
    report.late = round(report.late, 2)
