"""The moments at which something dies. Some are pinned, by a slow carrier or a lock that the test holds; the others are drawn."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.faults.doubles import Blow
from tests.faults.house import LEASE_SECONDS, MOST_DOUBLED, POSTGRESQL, House, Process
from tests.rabbitmq import RabbitMQ
from tests.waiting import until


@dataclass
class Stage:
    """Where points act. `blows`: what they have done; `delay_ms`: how long the carrier takes."""

    house: House
    chance: random.Random
    delay_ms: int
    blows: list[Blow] = field(default_factory=list)

    def worker(self) -> Process:
        """One that is alive, begun where there is none."""
        alive = self.house.alive()
        return alive[-1] if alive else self.house.begin("worker")

    def strike(self, process: Process, what: str, linger: float = 0.1, most: int = MOST_DOUBLED) -> None:
        """`linger`: seconds that the carrier takes for what is on its way; `most`: see the blow's."""
        ports = process.ports()
        process.kill()
        time.sleep(linger + self.delay_ms / 1000)
        self.blows.append(Blow(what, time.time(), most=most, ports=ports))

    def over(self) -> bool:
        return self.house.dispatches_open() == 0

    def wait(self, longest: float) -> None:
        """A drawn while."""
        time.sleep(self.chance.uniform(0, longest))

    def comes_to_a_stop(self) -> None:
        """Until the carrier hears no more; what holds them up is held by the test."""
        seen, since = -1, time.monotonic()
        while time.monotonic() - since < 0.4:
            if (now := self.house.carrier.taken) != seen:
                seen, since = now, time.monotonic()
            time.sleep(0.05)


def at_any_moment(stage: Stage) -> None:
    worker = stage.worker()
    stage.wait(0.8)
    stage.strike(worker, "worker, at any moment")


def while_it_starts(stage: Stage) -> None:
    for other in stage.house.alive():
        stage.strike(other, "worker, at any moment")
    worker = stage.house.begin("worker")
    stage.wait(0.5)
    stage.strike(worker, "worker, while it starts")


def while_sending(stage: Stage) -> None:
    worker, goal = stage.worker(), stage.house.carrier.taken + stage.chance.randint(1, 900)
    until(lambda: stage.house.carrier.taken >= goal or stage.over(), "something is sent")
    stage.strike(worker, "worker, while sending")


def all_in_flight(stage: Stage) -> None:
    """The carrier has them and says so only when nobody hears it any more."""
    worker = stage.worker()
    stage.house.carrier.faults(delay_ms=1200)

    def many() -> bool:
        summary = stage.house.carrier.summary()
        return summary["counts"].get("requests", 0) - summary["taken"] >= 20

    until(lambda: many() or stage.over(), "many are in flight")
    stage.strike(worker, "worker, all in flight", 1.3)
    stage.house.carrier.faults(delay_ms=stage.delay_ms)


def _held(table: str, what: str, *, waits: bool = True) -> Callable[[Stage], None]:
    def point(stage: Stage) -> None:
        worker = stage.worker().ready()
        with stage.house.held(table):
            if waits and stage.house.kind == POSTGRESQL:
                until(lambda: stage.house.somebody_waits() or stage.over(), "somebody waits")
                stage.wait(0.2)
            else:
                stage.comes_to_a_stop()
            stage.strike(worker, what)

    point.__name__ = f"holding_{table}"
    return point


answered_and_unwritten = _held("outcome_page", "worker, answered and not yet written")
while_planning_or_claiming = _held("batch", "worker, while it plans or claims")
while_counting = _held("tally", "worker, while it counts")


def while_folding(stage: Stage) -> None:
    """Reports come to the web, and the worker folds them in."""
    if not stage.house.alive("web"):
        stage.house.begin("web").ready()
    stage.house.carrier.faults(callbacks=True)
    _folding(stage)


_folding = _held("delivery", "worker, while it folds reports")


def at_the_first_slice(stage: Stage) -> None:
    """Between the slices of a plan, or soon after: as soon as there is a batch."""
    worker = stage.worker()
    until(lambda: stage.house.number("SELECT count(*) FROM batch WHERE channel = 'sms'") > 0 or stage.over(), "a batch is there")
    stage.wait(0.05)
    stage.strike(worker, "worker, between two slices")


def frozen_and_back(stage: Stage) -> None:
    """Its leases lapse, another takes them, and it goes on as if nothing had been."""
    worker = stage.worker().ready()
    stage.wait(0.5)
    stage.blows.append(Blow("worker, frozen and back", time.time(), comes_back=True))
    worker.signal(signal.SIGSTOP)
    heir = stage.house.begin("worker").ready()
    time.sleep(LEASE_SECONDS + stage.chance.uniform(0.3, 1.0))
    stage.blows.append(Blow("worker, frozen and back", time.time(), comes_back=True))
    worker.signal(signal.SIGCONT)
    stage.wait(0.6)
    stage.strike(stage.chance.choice([worker, heir]), "worker, one of two")


def one_of_two(stage: Stage) -> None:
    while len(stage.house.alive()) < 2:
        stage.house.begin("worker")
    stage.wait(0.7)
    stage.strike(stage.chance.choice(stage.house.alive()), "worker, one of two")


def while_it_ends(stage: Stage) -> None:
    """Asked to end, and not given the time."""
    worker = stage.worker().ready()
    stage.wait(0.4)
    worker.signal(signal.SIGTERM)
    stage.wait(0.15)
    stage.strike(worker, "worker, while it ends")


def database_dies(stage: Stage) -> None:
    _database(stage, signal.SIGQUIT, "database dies")


def database_restarts(stage: Stage) -> None:
    _database(stage, signal.SIGINT, "database restarts")


def _database(stage: Stage, how: int, what: str) -> None:
    """On SQLite, which has no process: nobody can write for a while."""
    stage.worker().ready()
    stage.wait(0.6)
    if stage.house.kind == POSTGRESQL:
        stage.house.ground.cluster.stop(how)
        stage.wait(1.0)
        stage.house.ground.cluster.start()
    else:
        with stage.house.held("any"):
            stage.wait(1.5)
    # What is sent while nothing can be written counts for it as well.
    stage.blows.append(Blow(what if stage.house.kind == POSTGRESQL else "database is busy", time.time()))


def broker_dies(stage: Stage) -> None:
    """It only rings, so that nothing may depend on it."""
    broker = _heard_broker(stage)
    broker.kill()
    stage.wait(0.5)
    broker.start()
    stage.blows.append(Blow("broker dies", time.time(), most=0))


def broker_restarts(stage: Stage) -> None:
    """As for a new release of it: it is asked to end."""
    broker = _heard_broker(stage)
    broker.stop()
    stage.wait(0.3)
    broker.start()
    stage.blows.append(Blow("broker restarts", time.time(), most=0))


def _heard_broker(stage: Stage) -> RabbitMQ:
    """The broker, when it is up and a worker hears it; the carrier is slow until then."""
    broker = stage.house.broker
    assert broker is not None
    stage.worker().ready()
    stage.house.carrier.faults(delay_ms=500)
    until(lambda: broker.connections() or stage.over(), "a worker hears the broker")
    stage.house.carrier.faults(delay_ms=stage.delay_ms)
    stage.wait(0.3)
    return broker


def keeper_dies(stage: Stage) -> None:
    """The process that asks the database for a worker. It holds nothing: the worker begins another."""
    keeper = _keeper(stage)
    stage.wait(0.8)
    _strike_keeper(stage, keeper, "keeper, at any moment")


def keeper_dies_in_a_write(stage: Stage) -> None:
    """What it was asked to write is written all the same, when the lock that the test holds is gone; and is asked again."""
    keeper = _keeper(stage)
    with stage.house.held("outcome_page"):
        until(lambda: stage.house.somebody_waits() or stage.over(), "somebody waits")
        stage.wait(0.2)
        _strike_keeper(stage, keeper, "keeper, in the midst of a write")
        stage.wait(0.5)


def keeper_stands_still(stage: Stage) -> None:
    """For a moment, or past the leases that it should have held for longer; then it goes on with what it was at."""
    keeper = _keeper(stage)
    stage.wait(0.5)
    stage.blows.append(Blow("keeper, still for a while", time.time(), comes_back=True))
    _signal(keeper, signal.SIGSTOP)
    time.sleep(stage.chance.choice([0.3, LEASE_SECONDS + 0.5]))
    stage.blows.append(Blow("keeper, still for a while", time.time(), comes_back=True))
    _signal(keeper, signal.SIGCONT)
    stage.wait(0.3)


def _keeper(stage: Stage) -> int:
    worker = stage.worker().ready()
    return until(lambda: worker.keeper(), "the worker has its keeper")


def _strike_keeper(stage: Stage, keeper: int, what: str) -> None:
    _signal(keeper, signal.SIGKILL)
    time.sleep(0.1 + stage.delay_ms / 1000)
    stage.blows.append(Blow(what, time.time()))


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # its worker was struck, and it has ended
        os.kill(pid, number)


def worker_and_database(stage: Stage) -> None:
    """Both at once, as when a machine goes down."""
    worker = stage.worker().ready()
    stage.wait(0.6)
    if stage.house.kind == POSTGRESQL:
        stage.house.ground.cluster.stop(signal.SIGQUIT)
    stage.strike(worker, "worker and database at once")
    if stage.house.kind == POSTGRESQL:
        stage.house.ground.cluster.start()


def scheduler(stage: Stage) -> None:
    stage.worker()
    alive = stage.house.alive("scheduler")
    process = alive[0] if alive else stage.house.begin("scheduler")
    stage.wait(0.8)
    stage.strike(process, "scheduler", most=0)
    stage.house.begin("scheduler")


def web(stage: Stage) -> None:
    """While the carrier reports to it."""
    stage.worker()
    alive = stage.house.alive("web")
    process = alive[0] if alive else stage.house.begin("web").ready()
    stage.wait(0.8)
    stage.strike(process, "web", most=0)
    stage.house.begin("web")


#: How often each is drawn, of so many in all.
WEIGHTS: dict[Callable[[Stage], None], int] = {
    at_any_moment: 3, while_it_starts: 1, while_sending: 4, all_in_flight: 3, answered_and_unwritten: 3,
    while_planning_or_claiming: 2, while_counting: 2, while_folding: 2, at_the_first_slice: 1, frozen_and_back: 1, one_of_two: 2,
    while_it_ends: 2,
    database_dies: 2, database_restarts: 1, worker_and_database: 1, scheduler: 2, web: 2,
    keeper_dies: 3, keeper_dies_in_a_write: 2, keeper_stands_still: 2,
}
#: On PostgreSQL alone.
OF_KEEPERS = {keeper_dies, keeper_dies_in_a_write, keeper_stands_still}
#: Where a broker is: one of them, as the first or second of a dispatch.
OF_BROKERS = (broker_dies, broker_restarts)
#: Places of the pack between the moments of one dispatch: the first and the second of a dozen dispatches are each kind once.
STRIDE = 11


def drawn(seed: str, kind: str, number: int, most: int, *, woken: bool, only: list[str] | None = None
          ) -> list[Callable[[Stage], None]]:
    """The moments of one dispatch: cards of a pack in which each kind lies as often as it weighs. A dispatch may be over before
    its last ones, so that the pack begins with one card of each kind, and those come first. `only`: these, in their order."""
    if only is not None:
        named = {act.__name__: act for act in (*WEIGHTS, *OF_BROKERS)}
        return [named[only[place % len(only)]] for place in range(most)]
    chance = random.Random(f"{seed}/{kind}/pack")
    kinds = [act for act in WEIGHTS if kind == POSTGRESQL or act not in OF_KEEPERS]
    more = [act for act in kinds for _ in range(WEIGHTS[act] - 1)]
    chance.shuffle(kinds)
    chance.shuffle(more)
    pack = kinds + more
    cards = [pack[(number + place * STRIDE) % len(pack)] for place in range(most)]
    if woken:
        turn = number // 2
        cards.insert(turn // 2 % 2, OF_BROKERS[turn % 2])
    return cards[:most]
