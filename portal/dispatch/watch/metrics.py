"""What Prometheus reads. Names, units and labels are listed in docs/watching.md; no label ever holds a number or a name.

A scrape asks nobody: it shows what this process and its watch know at that moment, so that it answers also when the database
does not.
"""

from __future__ import annotations

import logging
import socketserver
import threading
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, Histogram, PlatformCollector, ProcessCollector, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from portal.channels.sms.lines.line import CLOSED, OPEN, TRYING
from portal.config import TIERS
from portal.dispatch.issue import EXERCISE_LANES
from portal.dispatch.models import CHANNELS
from portal.dispatch.watch import outlook
from portal.dispatch.watch.facts import Facts
from portal.dispatch.watch.rules import KINDS
from portal.dispatch.watch.said import NONE, RUN, SCHEDULER, UP, WEB, WORKER, OfficeState

log = logging.getLogger(__name__)

#: Seconds; a small drill is over in one, a million messages at a carrier's pace take hours.
BUCKETS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400)
#: Seconds that somebody who scrapes may be silent.
PATIENCE = 10


def tier_of(lane: int) -> str:
    """“red” of lane 0, and so on; of drills too."""
    return TIERS[::-1][lane % EXERCISE_LANES]


def labels_of(lane: int) -> list[str]:
    """The values of the labels tier and exercise."""
    return [tier_of(lane), "yes" if lane >= EXERCISE_LANES else "no"]


class Known:
    """What the collector reads; its watch fills it."""

    facts: Facts | None = None  # only with who keeps the time: of the whole, one tells
    alarms: Iterable[str] = ()  # kinds that stand
    looked_at: datetime | None = None
    database_up = True
    broker = NONE
    leading = False
    heartbeat_at: datetime | None = None
    office: Callable[[], OfficeState | None] = staticmethod(lambda: None)


class Times:
    """How long dispatches took from issue to the first and to the last acceptance."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("channel", "tier", "exercise")
        self._first = Histogram("anlan_dispatch_first_seconds", "From issue to the first message that the channel took.", labels,
                                buckets=BUCKETS, registry=registry)
        self._last = Histogram("anlan_dispatch_last_seconds", "From issue to the last message that the channel took.", labels,
                               buckets=BUCKETS, registry=registry)

    def first(self, channel: str, lane: int, seconds: float) -> None:
        self._first.labels(channel, *labels_of(lane)).observe(max(0.0, seconds))

    def last(self, channel: str, lane: int, seconds: float) -> None:
        self._last.labels(channel, *labels_of(lane)).observe(max(0.0, seconds))


class Portal(Collector):
    """The figures of this process, and those of the whole where it leads."""

    def __init__(self, known: Known) -> None:
        self._known = known

    def collect(self) -> Iterator[Metric]:
        known = self._known
        yield _gauge("anlan_leading", "1 in the process that keeps the time for all.", known.leading)
        yield _gauge("anlan_database_up", "Whether the last look at the database was answered.", known.database_up)
        if known.looked_at:
            yield _gauge("anlan_looked_timestamp_seconds", "When the database was last looked at.", known.looked_at.timestamp())
        if known.broker != NONE:
            yield _gauge("anlan_broker_up", "Whether this process has a connection to the message broker.", known.broker == UP)
        if known.heartbeat_at:
            yield _gauge("anlan_heartbeat_timestamp_seconds", "When the heartbeat address last answered.",
                         known.heartbeat_at.timestamp())
        if (office := _asked(known.office)) is not None:
            yield from _office(office)
        if known.facts is not None and known.leading:
            yield from _whole(known.facts, known.alarms)


def _asked(office: Callable[[], OfficeState | None]) -> OfficeState | None:
    try:
        return office()
    except Exception:
        log.warning("the office does not say how it stands")
        return None


def _office(office: OfficeState) -> Iterator[Metric]:
    messages = CounterMetricFamily("anlan_messages", "Text messages whose hand-over came to an end.", labels=["result"])
    messages.add_metric(["accepted"], office.accepted)
    messages.add_metric(["failed"], office.failed)
    yield messages
    for name, words, count in (
        ("anlan_message_retries", "Hand-overs that have to be tried again.", office.retried),
        ("anlan_leases_lost", "Batches that another process took over while this one held them.", office.lost_leases),
        ("anlan_keeper_restarts", "How often the process that asks the database for this one had ended and was begun anew.",
         office.keeper_restarts),
    ):
        yield CounterMetricFamily(name, words, value=count)
    yield _gauge("anlan_messages_waiting", "Messages that this process holds ready to be handed over.", office.waiting)
    yield _gauge("anlan_messages_in_flight", "Messages handed over whose answer is awaited.", office.in_flight)
    yield _gauge("anlan_messages_unwritten", "Answers not yet in the database; a kill would double them.", office.unwritten)
    yield _gauge("anlan_lease_age_seconds", "Age of the oldest lease that this process holds.", office.lease_age)
    held = GaugeMetricFamily("anlan_parcels", "Batches in this process's hands.", labels=["tier", "exercise"])
    for lane, count in sorted(office.lanes.items()):
        held.add_metric(labels_of(lane), count)
    yield held
    yield from _lines(office)


def _lines(office: OfficeState) -> Iterator[Metric]:
    lines = list(office.lines)
    circuit = GaugeMetricFamily("anlan_line_circuit", "1 for the state in which a line's circuit is.",
                                labels=["line", "kind", "state"])
    for line in lines:
        for state in (CLOSED, TRYING, OPEN):
            circuit.add_metric([line.name, line.kind, state], float(line.circuit == state))
    yield circuit
    for name, words, value in (
        ("anlan_line_in_flight", "Hand-overs in flight on a line.", lambda line: line.in_flight),
        ("anlan_line_window", "Most hand-overs that may be in flight on a line at present.", lambda line: line.window),
        ("anlan_line_accepted_per_second", "Messages a second that a line took over the last seconds.", lambda line: line.rate),
        ("anlan_line_latency_seconds", "Time until a line answers, smoothed.", lambda line: line.latency),
        ("anlan_line_trouble_ratio", "Share of passing errors among a line's last answers.", lambda line: line.troubles),
        ("anlan_line_weight", "A line's share of the split at present.", lambda line: line.weight),
        ("anlan_line_pause_seconds", "Time until a line may begin again.", lambda line: line.pause),
    ):
        family = GaugeMetricFamily(name, words, labels=["line", "kind"])
        for line in lines:
            family.add_metric([line.name, line.kind], value(line))
        yield family


def _whole(facts: Facts, alarms: Iterable[str]) -> Iterator[Metric]:
    batches = GaugeMetricFamily("anlan_batches", "Batches that are not done.", labels=["channel", "tier", "exercise", "state"])
    recipients = GaugeMetricFamily("anlan_batch_recipients", "Recipients of batches that are not done.",
                                   labels=["channel", "tier", "exercise"])
    delay = GaugeMetricFamily("anlan_batch_wait_seconds", "How long the longest-waiting batch has been due.",
                              labels=["channel", "tier", "exercise"])
    for lane in facts.lanes:
        at = [lane.channel, *labels_of(lane.lane)]
        for state, count in (("due", lane.due), ("held", lane.held), ("later", lane.later)):
            batches.add_metric([*at, state], count)
        recipients.add_metric(at, lane.recipients)
        delay.add_metric(at, max(0.0, (facts.at - lane.since).total_seconds()) if lane.since else 0.0)
    yield from (batches, recipients, delay)
    dispatches = GaugeMetricFamily("anlan_dispatches_open", "Dispatches that have not ended.", labels=["channel", "exercise"])
    counts = {(channel, exercise): 0 for channel in CHANNELS for exercise in ("no", "yes")}
    for progress in facts.open:
        key = progress.dispatch.channel, "yes" if progress.dispatch.exercise else "no"
        counts[key] += 1
    for labels, count in counts.items():
        dispatches.add_metric(list(labels), count)
    yield dispatches
    yield _gauge("anlan_receipts_waiting", "Receipts not yet folded in; counted up to 100,000.", facts.receipts)
    yield _gauge("anlan_receipts_stray", "Kept receipts of messages that are none of ours.", facts.strays)
    processes = GaugeMetricFamily("anlan_processes", "Processes that have just reported of themselves.", labels=["kind"])
    here = [p.kind for p in outlook.here(facts.processes, facts.at)]
    for kind in (WORKER, SCHEDULER, RUN, WEB):
        processes.add_metric([kind], here.count(kind))
    yield processes
    standing = GaugeMetricFamily("anlan_alarms", "Alarms that stand.", labels=["kind"])
    kinds = list(alarms)
    for kind in KINDS:
        standing.add_metric([kind], kinds.count(kind))
    yield standing


def _gauge(name: str, words: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, words, value=float(value))


class _Handler(WSGIRequestHandler):
    timeout = PATIENCE

    def log_message(self, *_: object) -> None:
        """A scrape is nothing to tell of."""


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 16


class Exposition:
    """Answers scrapes at an address. A port that cannot be had is told, and the process does its work without."""

    def __init__(self, host: str, port: int, registry: CollectorRegistry) -> None:
        self._server: WSGIServer | None = None
        try:
            self._server = make_server(host, port, make_wsgi_app(registry), _Server, _Handler)
        except OSError as error:
            log.critical("no metrics: port %d on %s cannot be used (%s)", port, host, error.strerror)
        else:
            threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True).start()

    @property
    def port(self) -> int | None:
        return self._server.server_port if self._server else None

    def close(self) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()


def make_registry(known: Known) -> CollectorRegistry:
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    registry.register(Portal(known))
    return registry
