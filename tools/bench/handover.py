"""Handing over with outcomes durable, beside clients that keep nothing: the worker's rows of the table.

The plan is made while the worker is stopped (SIGSTOP), and it is a drill, which makes no pages: only leasing, opening numbers,
posting, reading and writing are measured, from the first message at the gateway until the last outcome is written and counted.
"""

from __future__ import annotations

from dataclasses import dataclass

from tools.bench import clients, gateways
from tools.bench.gateways import Gateway
from tools.bench.rig import Process, Rig, Sent, family_cpu
from tools.bench.rows import AT_LEAST, AT_MOST, Row, compared, middle, notes, spread

IN_FLIGHT = 400
SDK_SAMPLE, ORM_SAMPLE = 3000, 1500
WHAT = "hand-over, outcomes durable, one worker process"


@dataclass(frozen=True)
class Timed:
    sent: Sent
    cpu: float  # seconds of all workers
    beside: str  # what the database and the gateway used


class Used:
    """Seconds of processor of all that take part, from now on."""

    def __init__(self, rig: Rig, gateway: Gateway, workers: list[Process]) -> None:
        self._rig, self._gateway, self._workers = rig, gateway, workers
        self._before = self._now()

    def _now(self) -> tuple[float, float, float]:
        gateway = family_cpu(self._gateway.pid) if self._gateway.pid else 0.0
        return sum(worker.cpu() for worker in self._workers), self._rig.cpu(), gateway

    def since(self) -> tuple[float, float, float]:
        """Workers, database, gateway."""
        workers, database, gateway = (now - before for now, before in zip(self._now(), self._before, strict=True))
        return workers, database, gateway


def each(used: tuple[float, float, float], many: int) -> str:
    """What each message cost, in words."""
    workers, database, gateway = (seconds / max(1, many) * 1e6 for seconds in used)
    return f"processor time a message: workers {workers:.0f}, database {database:.0f}, gateway {gateway:.0f} µs"


def hand_over(rig: Rig, gateway: Gateway, workers: list[Process], share: int) -> Timed:
    """One dispatch that was planned before, from its first message on."""
    for worker in workers:
        worker.pause()
    dispatch = rig.issue(share, drill=True)
    rig.plan(dispatch)
    rig.settle()
    gateway.reset()
    used = Used(rig, gateway, workers)
    for worker in workers:
        worker.go_on()
    began = gateways.wait_for_first(gateway, 60)
    sent = rig.ended(dispatch, workers, began)
    spent = used.since()
    check(rig, gateway, sent, share)
    return Timed(sent, spent[0], each(spent, sent.accepted))


def check(rig: Rig, gateway: Gateway, sent: Sent, share: int) -> None:
    """Everybody once: a figure of a run that lost or doubled somebody is none."""
    want = rig.many(share)
    if not (sent.accepted == sent.outcomes == gateway.taken() == want):
        raise RuntimeError(f"{want} people, {sent.accepted} accepted, {sent.outcomes} outcomes, {gateway.taken()} at the gateway")


def measure(rig: Rig, gateway: Gateway, *, share: int = 10, runs: int = 3, sample: float = 1.0) -> list[Row]:
    """`sample`: share of the messages that the SDK is measured by."""
    words = rig.words(rig.issue(share, drill=True))
    whole, bare, curl = list[Timed](), list[clients.Done](), list[clients.Done]()
    with rig.workers(1, gateway.url, max_in_flight=IN_FLIGHT) as workers:
        for _ in range(runs):
            bare.append(clients.run(rig, "line", share, words, gateway.url, max_in_flight=IN_FLIGHT))
            whole.append(hand_over(rig, gateway, workers, share))
            curl.append(clients.run(rig, "pycurl", share, words, gateway.url))
    sdk = clients.run(rig, "sdk", share, words, gateway.url, most=max(100, int(SDK_SAMPLE * sample)))
    orm = clients.run(rig, "sdk-orm", share, words, gateway.url, most=max(100, int(ORM_SAMPLE * sample)))
    rate = middle([timed.sent.rate for timed in whole])
    loop, libcurl = middle([d.sent / d.seconds for d in bare]), middle([d.sent / d.seconds for d in curl])
    work = middle([timed.cpu / timed.sent.accepted * 1e6 for timed in whole])
    least = middle([d.cpu / d.sent * 1e6 for d in bare])
    said = notes(f"gateway: {gateway.kind}", f"{rig.many(share):,} messages", spread([timed.sent.rate for timed in whole]))
    return [
        compared(WHAT, rate, "/s", "bare client loop, no database", loop, AT_LEAST, 0.7, said),
        compared(WHAT, rate, "/s", "bare pycurl multi, 100 in flight", libcurl, AT_LEAST, 0.8),
        compared(WHAT, rate, "/s", "Twilio SDK in 32 threads", sdk.sent / sdk.seconds, AT_LEAST, 15, f"{sdk.sent:,} messages"),
        compared(WHAT, rate, "/s", "the same, one ORM row a message", orm.sent / orm.seconds, AT_LEAST, 50,
                 f"{orm.sent:,} messages"),
        compared("processor time per message", work, "µs", "bare client loop", least, AT_MOST, 1.5,
                 whole[-1].beside),
    ]
