"""How long a red warning for the whole district takes, with a bare loop of the same work measured beside each figure.

`make measure` prints a table. Each way starts `anlan run` on a new instance in a temporary directory, approves a draft
for all 20,000 sandbox phones and 195 simulated horns at the desk, and reads from the database when it was issued and
when the first and the last were taken. Nothing is asserted: machines differ.
"""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from paho.mqtt import client as paho

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from portal.channels.sms.provider import Message
from portal.channels.sms.twilio import TwilioProvider
from portal.channels.speakers.broker import EmbeddedBroker
from portal.channels.speakers.link import Broker
from portal.config import ROOT, Settings
from portal.subscribers.demo import number
from tests.whole.filing import submit
from tests.whole.machine import Machine, running, until
from tests.whole.operator import Operator

DISTRICT = "440310000000"
PHONES = 20_000
CHUNK, THREADS = 250, 2  # the defaults of `flush_size` and `sms_threads`
TWILIO = {"sms_provider": "twilio", "twilio_account_sid": "AC" + "0" * 32, "twilio_auth_token": "test-token",
          "twilio_messaging_service_sid": "MG" + "1" * 32}
MANY_SECONDS = 180.0


# -- the portal --------------------------------------------------------------------------------------------
class Run:
    """Seconds from the issue until the first and the last of each channel were taken, and how many."""

    def __init__(self, machine: Machine) -> None:
        approver = Operator(machine.url, "approver")
        draft = submit(machine, [DISTRICT])
        approver.approve(draft, "红色")
        until(lambda: machine.number("SELECT count(*) FROM dispatch WHERE channel = 'sms' AND state = 'done'") == 1,
              "all texts are out", MANY_SECONDS)
        offline = machine.number("SELECT count(*) FROM speaker WHERE state = 'offline'")
        horns = machine.number("SELECT count(*) FROM speaker") - offline
        until(lambda: machine.number("SELECT coalesce(sum(t.n), 0) FROM tally t JOIN dispatch d ON d.id = t.dispatch_id"
                                     " WHERE d.channel = 'speakers' AND t.key IN ('accepted', 'failed')") >= horns,
              "the horns have answered", MANY_SECONDS)
        self.taken: dict[str, int] = {}
        self.first: dict[str, float] = {}
        self.last: dict[str, float] = {}
        for channel, created, first, last in machine.rows("SELECT channel, created_at, first_at, last_at FROM dispatch"):
            begun = _moment(created)
            self.first[channel], self.last[channel] = (_moment(first) - begun).total_seconds(), (
                _moment(last) - begun).total_seconds()
            self.taken[channel] = machine.number("SELECT coalesce(sum(t.n), 0) FROM tally t JOIN dispatch d ON d.id ="
                                                 " t.dispatch_id WHERE d.channel = :c AND t.key = 'accepted'", c=channel)


def _moment(value: str) -> datetime:
    return datetime.fromisoformat(str(value)).replace(tzinfo=UTC)


# -- the references ----------------------------------------------------------------------------------------
def bare_insert(machine: Machine, directory: Path) -> tuple[float, float]:
    """The rows of the sandbox put into an empty SQLite of the same settings, a chunk in a transaction."""
    source = sqlite3.connect(machine.instance / "anlan.db")
    schema = [row[0] for row in source.execute("SELECT sql FROM sqlite_master WHERE tbl_name = 'sandbox_message' AND sql <> ''")]
    rows = source.execute("SELECT * FROM sandbox_message").fetchall()
    source.close()
    target = sqlite3.connect(directory / "bare.db", isolation_level=None)
    target.execute("PRAGMA journal_mode=WAL")
    target.execute("PRAGMA synchronous=FULL")
    for statement in schema:
        target.execute(statement)
    marks = ",".join("?" * len(rows[0]))
    begun, first = time.monotonic(), 0.0
    for at in range(0, len(rows), CHUNK):
        target.execute("BEGIN IMMEDIATE")
        target.executemany(f"INSERT INTO sandbox_message VALUES ({marks})", rows[at : at + CHUNK])  # noqa: S608
        target.execute("COMMIT")
        first = first or time.monotonic() - begun
    target.close()
    return first, time.monotonic() - begun


def bare_http(url: str, body: str) -> tuple[float, float]:
    """The provider alone, without a database, in as many threads as the portal has."""
    provider = TwilioProvider(Settings(twilio_api_url=url, **TWILIO))
    times: list[float] = []
    begun = time.monotonic()

    def send(part: list[Message]) -> None:
        provider.send(body, part, expires_at=datetime.now(UTC) + timedelta(hours=6), callback_url=None,
                      on_result=lambda _result: times.append(time.monotonic() - begun), halted=lambda: False)

    messages = [Message(f"1/{n}", number(n)) for n in range(PHONES)]
    threads = [threading.Thread(target=send, args=(messages[n::THREADS],)) for n in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    provider.close()
    return times[0], times[-1]


def bare_mqtt(count: int) -> tuple[float, float]:
    """So many commands and answers between two clients through the same broker."""
    broker = EmbeddedBroker()
    address = Broker.parse(broker.start())
    done, times, begun = threading.Event(), [], 0.0
    horn = paho.Client(paho.CallbackAPIVersion.VERSION2)
    desk = paho.Client(paho.CallbackAPIVersion.VERSION2)
    ready = threading.Semaphore(0)

    def answered(*_: object) -> None:
        times.append(time.monotonic() - begun)
        if len(times) == count:
            done.set()

    horn.on_message = lambda client, _data, message: client.publish("bare/answer", message.payload, qos=1)
    desk.on_message = answered
    for client, topic in ((horn, "bare/command/#"), (desk, "bare/answer")):
        client.on_subscribe = lambda *_: ready.release()
        client.connect(address.host, address.port)
        client.loop_start()
        client.subscribe(topic, 1)
    for _ in (horn, desk):
        if not ready.acquire(timeout=30):
            raise RuntimeError("the broker does not answer")
    begun = time.monotonic()
    for n in range(count):
        desk.publish(f"bare/command/{n}", b"x" * 1000, qos=1)
    done.wait(120)
    for client in (horn, desk):
        client.disconnect()
        client.loop_stop()
    broker.stop()
    return times[0], times[-1]


def bare_pages(machine: Machine, directory: Path) -> tuple[float, float]:
    """The files of the generation in force, written again."""
    begun = time.monotonic()
    shutil.copytree((machine.instance / "public" / "current").resolve(), directory / "pages")
    return time.monotonic() - begun, time.monotonic() - begun


# -- the table ---------------------------------------------------------------------------------------------
@contextmanager
def carrier() -> Iterator[str]:
    """The fake carrier as a process of its own; its address."""
    process = subprocess.Popen([sys.executable, "-m", "tests.fakes.carrier", "--port", "0"], cwd=ROOT, text=True,
                               stdout=subprocess.PIPE)
    try:
        said = process.stdout.readline() if process.stdout else ""
        yield f"http://127.0.0.1:{said.split()[1]}"
    finally:
        process.terminate()
        process.wait(10)


def line(what: str, count: int, first: float, last: float) -> None:
    rate = f"{count / last:>9,.0f}/s" if count > 1 and last else ""
    print(f"{what:<58} {count:>7,} {first:>9.2f} s {last:>9.2f} s {rate}", flush=True)


def in_the_sandbox(directory: Path) -> None:
    with running(Machine(directory / "sandbox")) as machine:
        run = Run(machine)
        line("texts in the sandbox", run.taken["sms"], run.first["sms"], run.last["sms"])
        line("    the same rows in bare SQLite", run.taken["sms"], *bare_insert(machine, directory))
        line("horns, until they said that they heard", run.taken["speakers"], run.first["speakers"], run.last["speakers"])
        line("    as many commands and answers between two clients", run.taken["speakers"], *bare_mqtt(run.taken["speakers"]))
        line("public pages and feeds", 1, run.first["web"], run.last["web"])
        line("    the same files copied", 1, *bare_pages(machine, directory))
        machine.end()


def through_the_carrier(directory: Path, *, receipts: bool) -> None:
    with carrier() as url:
        values = {f"ANLAN_{name.upper()}": value for name, value in TWILIO.items()} | {"ANLAN_TWILIO_API_URL": url}
        machine = Machine(directory / f"carrier{receipts:d}", **values)
        if receipts:
            machine.environment["ANLAN_PUBLIC_URL"] = machine.url
        with running(machine):
            run = Run(machine)
            line(f"texts over HTTP, {'with' if receipts else 'without'} receipts", run.taken["sms"], run.first["sms"],
                 run.last["sms"])
            machine.end()
        if not receipts:
            line("    the provider alone, without a database", PHONES, *bare_http(url, "暴雨红色预警：" + "请避险。" * 20))


def main() -> None:
    print(f"{'':<58} {'count':>7} {'first':>11} {'last':>11}")
    ways: list[Callable[[Path], None]] = [
        in_the_sandbox, lambda d: through_the_carrier(d, receipts=False), lambda d: through_the_carrier(d, receipts=True)]
    for way in ways:
        with tempfile.TemporaryDirectory(prefix="anlan-measure-") as directory:
            way(Path(directory))


if __name__ == "__main__":
    main()
