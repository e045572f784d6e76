"""What Prometheus reads is what the manual lists; a scrape is answered whatever is broken beside it."""

from __future__ import annotations

import re
import socket
import urllib.request
from datetime import timedelta

from prometheus_client.parser import text_string_to_metric_families

from portal.channels.sms.lines.line import OPEN
from portal.config import ROOT
from portal.core.clock import utcnow
from portal.dispatch.models import Dispatch
from portal.dispatch.progress import Progress
from portal.dispatch.watch import metrics, said
from portal.dispatch.watch.facts import Facts, Lane
from tests.watch.conftest import line, office


def full() -> metrics.Known:
    """All that can be told."""
    now, known = utcnow(), metrics.Known()
    known.leading, known.looked_at, known.heartbeat_at, known.broker = True, now, now, said.UP
    known.office = lambda: office(lines=[line(), line("west", circuit=OPEN)])
    known.alarms = ["sending", "sending"]
    processes = [said.Process(name, said.WORKER, now, now - timedelta(minutes=dead)) for name, dead in (("a", 0), ("b", 9))]
    known.facts = Facts(
        at=now, open=[Progress(Dispatch(channel="sms", exercise=False))], lanes=[Lane("sms", 0, 3, 1, 2, 6000, now)],
        processes=processes, receipts=7, strays=2)
    return known


def scraped(known: metrics.Known) -> dict[str, list]:
    """Name of each sample → labels and values."""
    registry = metrics.make_registry(known)
    times = metrics.Times(registry)
    times.first("sms", 0, 0.2)
    times.last("sms", 5, 40)
    served = metrics.Exposition("127.0.0.1", 0, registry)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{served.port}/metrics", timeout=10) as answer:
            text = answer.read().decode()
    finally:
        served.close()
    found: dict[str, list] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def test_the_manual_lists_every_metric_with_its_labels_and_no_other():
    manual = (ROOT / "docs" / "watching.md").read_text(encoding="utf-8")
    listed = {}
    for row in re.findall(r"^\| (`anlan_.*?) \|", manual, re.MULTILINE):
        for name, labels in re.findall(r"`(anlan_\w+)(?:\{([\w,]+)\})?`", row):
            listed[name] = set(labels.split(",")) - {""}
    told = {}
    for name, samples in scraped(full()).items():
        if name.startswith("anlan_") and not name.endswith(("_created", "_count", "_sum")):
            told[name.removesuffix("_bucket")] = set(samples[0][0]) - {"le"}
    assert told == listed


def test_lanes_alarms_and_circuits_are_told_by_name():
    found = scraped(full())
    assert ({"channel": "sms", "tier": "red", "exercise": "no", "state": "due"}, 3) in found["anlan_batches"]
    assert ({"kind": "sending"}, 2) in found["anlan_alarms"]
    assert ({"kind": "worker"}, 0) in found["anlan_alarms"]
    assert ({"kind": "worker"}, 1) in found["anlan_processes"]
    assert ({"line": "west", "kind": "twilio", "state": "open"}, 1) in found["anlan_line_circuit"]
    assert ({"line": "east", "kind": "twilio", "state": "open"}, 0) in found["anlan_line_circuit"]
    assert ({"channel": "sms", "tier": "red", "exercise": "yes"}, 40) in found["anlan_dispatch_last_seconds_sum"]


def test_of_the_whole_only_who_leads_tells():
    known = full()
    known.leading = False
    found = scraped(known)
    assert "anlan_batches" not in found
    assert found["anlan_leading"] == [({}, 0)]
    assert "anlan_messages_total" in found


def test_an_office_that_does_not_answer_takes_nothing_else_away():
    known = full()
    known.office = _hangs
    found = scraped(known)
    assert "anlan_messages_total" not in found
    assert "anlan_database_up" in found


def _hangs() -> None:
    raise TimeoutError


def test_a_port_that_is_taken_is_told_and_ends_nothing(caplog):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        served = metrics.Exposition("127.0.0.1", taken.getsockname()[1], metrics.make_registry(full()))
        assert served.port is None
        served.close()
    assert "cannot be used" in caplog.text
