"""A whole dispatch, with everything that can go wrong at a carrier and every log level on: no telephone number in the log, in the
metrics, on the status page or in what processes write of themselves."""

from __future__ import annotations

import io
import json
import logging
import re
import urllib.request

import pytest
from sqlalchemy import select

from portal.core import logs
from portal.core.db import db
from portal.dispatch import issue
from portal.dispatch.models import Dispatch, Worker
from portal.dispatch.watch import metrics, said
from portal.services import Clock, Sender
from portal.watching import watch
from tests import district
from tests.sms.conftest import ACCOUNT, SERVICE, TOKEN, carrier, carrier_process  # noqa: F401  (fixtures)
from tests.waiting import until

NUMBERS = [f"+86139{n:08d}" for n in range(17_310_001, 17_310_041)]
OPTED_OUT, INVALID = NUMBERS[:2], NUMBERS[2:4]


@pytest.fixture
def heard():
    """Everything that any logger says while the test runs: as it was said, and as it leaves the process."""
    raw, json_log = io.StringIO(), io.StringIO()
    root = logging.getLogger()
    before = root.handlers[:], root.level, {name: logging.getLogger(name).level for name in ("portal", *logs._NOISY)}
    logs.set_up("json", detailed=True, stream=json_log)
    plain = logging.StreamHandler(raw)
    plain.setFormatter(logging.Formatter("%(name)s %(message)s %(args)s"))
    root.addHandler(plain)
    root.setLevel(logging.DEBUG)
    for name in before[2]:
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield raw, json_log
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    for name, level in before[2].items():
        logging.getLogger(name).setLevel(level)


def test_a_whole_dispatch_leaves_no_number_in_logs_metrics_or_registers(make_app, carrier, heard):  # noqa: F811
    app = make_app(
        sms_provider="twilio", twilio_account_sid=ACCOUNT, twilio_auth_token=TOKEN, twilio_messaging_service_sid=SERVICE,
        twilio_api_url=carrier.url, push_services=(), surfaces="desk", retry_seconds=0.1, alarm_seconds=5)
    carrier.faults(server_error=0.06, cut=0.06, not_json=0.06, callbacks=False, opted_out=OPTED_OUT,
                   invalid=INVALID)
    with app.app_context():
        district.settle_regions()
        for number in NUMBERS:
            district.subscriber(number, district.LIULIAN)
        boss = district.approver()
        draft = district.submitted(district.drafter(), exercise=True, target={  # a drill needs no pages, which would take long
            "regions": [district.LIULIAN], "area": None, "audiences": [], "channels": ["sms"]})
        clock = Clock(app)  # not started: nothing but its being there tells who keeps the time
        sender = Sender(app)
        seen = watch(app, said.RUN, sender=sender, clock=clock)
        scrapes = metrics.Exposition("127.0.0.1", 0, seen._registry)
        sender.start()
        seen.start()
        try:
            seen.look()
            issue.issue(boss, draft.id, version=draft.version, content_hash=draft.content_hash)
            until(_all_ended, "all have an outcome")
            seen.look()
            seen.report()
            scraped = _scrape(scrapes.port)
            state = json.dumps(db.session.execute(select(Worker.state)).scalars().all(), default=str)
        finally:
            seen.stop()
            sender.stop()
            scrapes.close()

    raw, left = heard[0].getvalue(), heard[1].getvalue()
    for where, text in (("said", raw), ("logged", left), ("metrics", scraped), ("register", state)):
        told = [number for number in NUMBERS if number[1:] in text or number[4:] in text or f"%2B{number[1:]}" in text]
        assert not told, f"{where}: {len(told)} numbers, first in …{_around(text, told[0])}…"
    assert TOKEN not in raw + left + scraped + state

    events = {e["event"] for e in map(json.loads, left.splitlines()) if e["logger"] == "portal.dispatch.watch"}
    assert {"process.started", "process.ended", *(f"dispatch.{e}" for e in ("issued", "planned", "first", "ended"))} <= events
    assert _value(scraped, r'anlan_messages_total\{result="accepted"\}') == len(NUMBERS) - len(OPTED_OUT) - len(INVALID)
    assert _value(scraped, "anlan_message_retries_total") > 0
    assert _value(scraped, r'anlan_dispatch_first_seconds_count\{channel="sms",exercise="yes",tier="red"\}') == 1
    assert _value(scraped, r'anlan_dispatch_last_seconds_count\{channel="sms",exercise="yes",tier="red"\}') == 1
    assert _value(scraped, r'anlan_line_circuit\{[^}]*state="closed"[^}]*\}') in (0, 1)


def _all_ended() -> bool:
    db.session.rollback()
    return not db.session.execute(select(Dispatch.id).where(Dispatch.ended_at.is_(None))).first()


def _scrape(port: int | None) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        return answer.read().decode()


def _value(text: str, name: str) -> float:
    found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
    assert found, f"no {name}"
    return float(found[1])


def _around(text: str, number: str) -> str:
    at = max(text.find(number[4:]), 0)
    return text[max(0, at - 200):at + 60]
