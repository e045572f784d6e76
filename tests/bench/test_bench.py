"""What `make bench` says is of runs that told everybody once, and of references that did the same work. Nothing here is timed."""

from __future__ import annotations

import json
import os
import urllib.request
from collections import Counter

import psycopg
import pytest

from tests.sms.conftest import TOKEN, carrier, carrier_process  # noqa: F401  (fixtures)
from tools.bench import clients, gateways, handover, population, recording, whole
from tools.bench.__main__ import SECTIONS
from tools.bench.rig import Rig
from tools.bench.rows import AT_LEAST, AT_MOST, compared, machine, table, unmeasured, write_json

PEOPLE, SHARE = 1000, 10
TOLD = PEOPLE * SHARE // 100


@pytest.fixture(scope="module")
def rig(postgres, tmp_path_factory):
    name = "bench_counts"
    with psycopg.connect(f"{postgres.replace('+psycopg', '')}postgres", autocommit=True) as server:
        server.execute(f"DROP DATABASE IF EXISTS {name}")
        server.execute(f"CREATE DATABASE {name}")
    made = Rig(tmp_path_factory.mktemp("bench"), f"{postgres}{name}", PEOPLE)
    try:
        made.prepare()
        yield made
    finally:
        made.close()


class AsGateway:
    """The tests' carrier, which keeps what it is told, in the place of a gateway."""

    def __init__(self, process):
        self.process, self.url, self.kind, self.pid = process, process.url, "carrier", 0

    def taken(self):
        return self.process.summary()["taken"]

    def reset(self):
        self.process.reset()
        self.process.faults(callbacks=False)

    def said(self):
        """(number, text, sender) of each message, and the shape of its callback."""
        kept = self.process.messages()
        assert {m["callback"].rpartition("/hooks/sms/twilio/")[0] for m in kept} == {"https://warn.example"}
        return Counter((m["to"], m["body"], m["sender"]) for m in kept)


def test_a_worker_tells_everybody_once_and_the_bare_clients_post_the_same(rig, carrier):  # noqa: F811
    gateway = AsGateway(carrier)
    with rig.workers(1, gateway.url, twilio_auth_token=TOKEN, max_in_flight=50) as workers:
        timed = handover.hand_over(rig, gateway, workers, SHARE)
        assert workers[0].memory() > 1
        assert rig.cpu() > 0
    assert timed.sent.accepted == timed.sent.outcomes == gateway.taken() == TOLD
    said = gateway.said()
    assert len(said) == TOLD
    words = rig.words(timed.sent.id)
    assert {body for _to, body, _sender in said} == set(words.values())
    for way in ("line", "pycurl"):
        gateway.reset()
        done = clients.run(rig, way, SHARE, words, gateway.url, twilio_auth_token=TOKEN)
        assert done.sent == TOLD
        assert gateway.said() == said, way
    whole.bare_plan(rig, SHARE)
    whole.bare_fold(rig, timed.sent.id)
    assert rig.one("SELECT sum(size) FROM bare_batch") == TOLD
    assert rig.one("SELECT sum(n) FROM bare_tally WHERE status = 'accepted'") == TOLD


def test_what_is_recorded_is_what_the_bare_appending_appends(rig, tmp_path):
    _seconds, rows = recording.record(rig, SHARE)
    assert len({(batch, recipient) for batch, recipient, *_ in rows}) == TOLD
    batches = sorted({row[0] for row in rows})
    kept = rig.one("SELECT sum(size) FROM outcome_page WHERE batch_id = ANY(%s) AND status = 'accepted'", batches)
    assert kept == TOLD
    assert rig.one("SELECT count(*) FROM batch WHERE id = ANY(%s) AND state <> 'done'", batches) == 0
    for key in (False, True):
        recording.bare_copy(rig.raw_url, rows, key)
        assert rig.one("SELECT count(*) FROM bare_outcome") == TOLD
        recording.bare_executemany(tmp_path, rows, key)


def test_shares_of_the_people_are_exact_and_their_numbers_are_sealed(rig):
    for share, codes in population.SHARES.items():
        prefixes = [f"{whole._prefix(code)}%" for code in codes]
        found = rig.one("SELECT count(DISTINCT s.id) FROM subscriber s JOIN subscriber_region r ON r.subscriber_id = s.id"
                        " WHERE s.status = 'active' AND r.region_code LIKE ANY(%s)", prefixes)
        assert found == PEOPLE * share // 100, share
    assert rig.one("SELECT count(*) FROM subscriber WHERE status <> 'active'") == PEOPLE * population.GONE // 100
    sealed, index = rig.row("SELECT phone_sealed, phone_index FROM subscriber WHERE id = 77")
    book = rig.app.extensions["phones"]
    assert book.open(bytes(sealed)) == population.number(77)
    assert book.index(population.number(77)) == bytes(index)
    assert len({population.number(i) for i in range(1, 5000)}) == 4999


@pytest.mark.parametrize("make", [gateways.at_once, gateways.slow])
def test_gateways_count_each_message(make, tmp_path):
    tmp_path.chmod(0o755)
    with make(tmp_path) as gateway:
        for n in range(1, 4):
            with urllib.request.urlopen(f"{gateway.url}/2010-04-01/Accounts/x/Messages.json", data=b"To=%2B1") as answer:
                assert answer.status == 201
                assert json.load(answer)["sid"].startswith("SM")
            assert gateway.taken() == n
        gateway.reset()
        assert gateway.taken() == 0
        assert os.sched_getscheduler(gateway.pid) == os.SCHED_BATCH  # as another machine, it puts nobody aside on this one
        assert os.sched_getscheduler(0) == os.SCHED_OTHER


def test_the_rate_between_two_moments_leaves_out_what_lies_outside():
    marks = [0.0, 10.0, 11.0, 12.0, 13.0, 40.0]
    assert gateways.rate_between({"marks": marks, "every": 100}, 2 / 6, 5 / 6, 600) == 100
    assert gateways.rate_between({"marks": [], "every": 100}, 0.1, 0.9, 50) == 0


def test_a_goal_is_met_at_its_bound_and_said_in_the_table_and_in_json(tmp_path):
    rows = [
        compared("hand-over", 70, "/s", "bare", 100, AT_LEAST, 0.7),
        compared("hand-over", 69, "/s", "bare", 100, AT_LEAST, 0.7, "what it was"),
        compared("plan", 1.5, "s", "bare", 1.0, AT_MOST, 1.5),
        compared("计划", 1.6, "s", "bare", 1.0, AT_MOST, 1.5),
        unmeasured("callbacks", "≥ 4 ×", "no server"),
    ]
    assert [row.met for row in rows] == [True, False, True, False, None]
    lines = table(rows).splitlines()
    assert [line.split()[-1] for line in lines if line.startswith(("hand", "plan", "计划"))] == ["met", "missed", "met", "missed"]
    assert "    what it was" in lines
    assert any("not measured" in line for line in lines)
    write_json(tmp_path / "deep" / "bench.json", rows, {"handover": 12.34}, machine())
    said = json.loads((tmp_path / "deep" / "bench.json").read_text("utf-8"))
    assert [row["met"] for row in said["rows"]] == [True, False, True, False, None]
    assert said["seconds"] == {"handover": 12.3}
    assert said["missed"] == ["hand-over", "计划"]


def test_every_row_of_the_table_has_its_section():
    assert {"handover", "latency", "plan", "recording", "whole", "million", "red", "callbacks", "scaling"} == set(SECTIONS)
