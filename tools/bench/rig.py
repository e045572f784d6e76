"""What the runs stand on: a PostgreSQL of their own with its people, `anlan worker` as real processes, bulletins that are issued.

Each commit waits for the disk, as where the portal is in use.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from flask import Flask
from sqlalchemy import select

from portal import create_app
from portal.config import ROOT, Settings
from portal.core import migrate
from portal.core.db import db
from portal.dispatch import plan
from portal.dispatch.issue import issue
from portal.dispatch.models import SMS, Dispatch
from portal.identity.models import Account
from portal.regions import demo as regions
from portal.regions import lookup
from portal.warnings import bulletins
from tests import district, rabbitmq
from tests.postgres import postgres_server
from tests.waiting import until
from tools.bench import population

TICKS = os.sysconf("SC_CLK_TCK")
ACCOUNT, TOKEN, SERVICE = "AC" + "0" * 32, "bench-token", "MG" + "1" * 32
KEYS: dict[str, Any] = {"secret_key": "bench " * 8, "phone_key": "ab" * 32}
#: A name for us that carriers would report to; nobody calls it here.
PUBLIC_URL = "https://warn.example"
LONGEST = 300.0  # seconds for the longest of runs
TYPHOON = "11B01"  # a hazard with all four tiers


@dataclass(frozen=True)
class Sent:
    """One dispatch of text messages, from its rows. `began`: Unix time of the first message at the gateway, where it was looked
    for; `seconds`: from there (else from the issue) until the last outcome was written and counted."""

    id: uuid.UUID
    issued: float
    began: float
    ended: float
    accepted: int
    outcomes: int

    @property
    def seconds(self) -> float:
        return self.ended - self.began

    @property
    def rate(self) -> float:
        return self.accepted / max(1e-9, self.seconds)


def family_cpu(pid: int) -> float:
    """Seconds of processor that a process, its children and those of them that have ended have used."""
    used = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if stat.parent.name == str(pid):
                used += sum(map(int, fields[11:15]))
            elif fields[1] == str(pid):
                used += int(fields[11]) + int(fields[12])
    return used / TICKS


class Process:
    """A worker at work: what it has used so far."""

    def __init__(self, process: subprocess.Popen, output: Path) -> None:
        self.process, self.output, self.pid = process, output, process.pid

    def cpu(self) -> float:
        """Seconds of processor, with its keeper's."""
        return family_cpu(self.pid)

    def memory(self) -> float:
        """MB resident, with its keeper's."""
        pages = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = stat.read_text().rpartition(")")[2].split()
                if str(self.pid) in (stat.parent.name, fields[1]):
                    pages += int(fields[21])
        return pages * resource.getpagesize() / 2**20

    def pause(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def said(self) -> str:
        return self.output.read_text(errors="replace")[-2000:]


class Rig:
    """A database with people, and an application on it that drafts, approves and issues. On SQLite without workers."""

    def __init__(self, folder: Path, url: str, size: int) -> None:
        self.folder, self.url, self.size = folder, url, size
        self.raw_url = url.replace("+psycopg", "")
        self.instance = folder / "instance"
        self.broker_url = ""
        self._broker: rabbitmq.RabbitMQ | None = None
        self._ringing_app: Flask | None = None
        self.app: Flask = self._made()
        self._offices: tuple[uuid.UUID, uuid.UUID] | None = None
        self._serial = 0
        self.communities: list[str] = []

    def _made(self) -> Flask:
        return create_app(Settings(instance=self.instance, database_url=self.url, public_url=PUBLIC_URL, surfaces=("api",),
                                   broker_url=self.broker_url, **KEYS))

    @contextlib.contextmanager
    def ringing(self) -> Iterator[str]:
        """With a broker that wakes the workers when something is issued, where one is installed, as where the portal is in use;
        what wakes them. Started once."""
        if rabbitmq.why_not():
            yield "no broker: workers look by themselves, up to half a second later"
            return
        alone = self.app
        if self._broker is None:
            self._broker = rabbitmq.RabbitMQ().start().wait()
        self.broker_url = self._broker.url
        if self._ringing_app is None:
            self._ringing_app = self._made()
        self.app = self._ringing_app
        try:
            yield "woken by RabbitMQ"
        finally:
            self.app, self.broker_url = alone, ""

    def close(self) -> None:
        """Let go of the database and of the broker."""
        for app in filter(None, (self._ringing_app, self.app)):
            if ringer := app.extensions.get("ringer"):
                ringer.close()
            with app.app_context():
                db.session.rollback()
                db.engine.dispose()
        if self._broker is not None:
            self._broker.close()

    def prepare(self) -> None:
        with self.app.app_context():
            migrate.upgrade(self.app)
            regions.seed()
            self.communities = lookup.communities_under([population.DISTRICT])
            self._offices = (district.drafter().id, district.approver().id)
            db.session.rollback()
        population.fill(self.url, self.size, self.communities, self.app.extensions["phones"])

    def many(self, share: int) -> int:
        """People of a target of `population.SHARES`."""
        return self.size * share // 100

    # -- bulletins -----------------------------------------------------------------------------------------
    def issue(self, share: int, tier: str = "blue", *, drill: bool = False) -> uuid.UUID:
        """Issue a bulletin by text to so many per cent; the id of its dispatch. A drill makes no pages."""
        if self._offices is None:
            raise RuntimeError("prepare first")
        with self.app.app_context():
            author, approver = (db.session.get_one(Account, one) for one in self._offices)
            target = {"regions": list(population.SHARES[share]), "area": None, "audiences": [], "channels": ["sms"]}
            draft = district.submitted(author, hazard=TYPHOON, tier=tier, target=target, exercise=drill)
            bulletin = issue(approver, draft.id, version=draft.version, content_hash=draft.content_hash)
            found = select(Dispatch.id).where(Dispatch.bulletin_id == bulletin.id, Dispatch.channel == SMS)
            dispatch_id = db.session.scalars(found).one()
            db.session.rollback()
        return dispatch_id

    def plan(self, dispatch_id: uuid.UUID) -> None:
        """Plan it whole, here, as the planner of a worker does."""
        with self.app.app_context():
            for went_on in plan.plan(dispatch_id):
                if not went_on:
                    raise RuntimeError("the plan waits for something")
            db.session.rollback()

    def words(self, dispatch_id: uuid.UUID) -> dict[str, str]:
        """The text of each language, as it is sent."""
        with self.app.app_context():
            bulletin = bulletins.get(db.session.get_one(Dispatch, dispatch_id).bulletin_id)
            if bulletin is None:
                raise RuntimeError("a dispatch has a bulletin")
            said = {tongue: words["sms"] for tongue, words in bulletin.snapshot["words"].items()}
            db.session.rollback()
        return said

    # -- the database --------------------------------------------------------------------------------------
    def one(self, sql: str, *values: object) -> Any:
        return self.row(sql, *values)[0]

    def row(self, sql: str, *values: object) -> Any:
        with psycopg.connect(self.raw_url, autocommit=True) as server:
            return _row(server, sql, *values)

    def run(self, sql: str, *values: object) -> None:
        with psycopg.connect(self.raw_url, autocommit=True) as server:
            server.execute(sql, values)

    def cpu(self) -> float:
        """Seconds of processor that the database has used so far."""
        return family_cpu(int(self.one("SELECT pg_read_file('postmaster.pid')").split()[0]))

    def settle(self) -> None:
        """Let the disk come to rest, so that no run pays for what an earlier one wrote."""
        self.run("CHECKPOINT")

    def ended(self, dispatch_id: uuid.UUID, workers: Sequence[Process], began: float = 0.0) -> Sent:
        """Wait until everybody has an outcome."""
        deadline = time.monotonic() + LONGEST
        with psycopg.connect(self.raw_url, autocommit=True) as server:
            while True:
                created, ended, state, error = _row(
                    server, "SELECT created_at, ended_at, state, last_error FROM dispatch WHERE id = %s", dispatch_id)
                if ended is not None:
                    break
                for worker in workers:
                    if worker.process.poll() is not None:
                        raise RuntimeError(f"a worker ended by itself: {worker.said()}")
                if time.monotonic() > deadline:
                    raise TimeoutError(f"a dispatch is {state} after {LONGEST:g} s ({error}): {workers[0].said()}")
                time.sleep(0.05)
            accepted, = _row(server, "SELECT coalesce(sum(n), 0) FROM tally WHERE dispatch_id = %s AND key = 'accepted'",
                             dispatch_id)
            outcomes, = _row(server, "SELECT coalesce(sum(size), 0) FROM outcome_page WHERE batch_id IN"
                                     " (SELECT id FROM batch WHERE dispatch_id = %s)", dispatch_id)
        return Sent(dispatch_id, created.timestamp(), began or created.timestamp(), ended.timestamp(), int(accepted), outcomes)

    # -- workers -------------------------------------------------------------------------------------------
    def environment(self, gateway_url: str, **values: object) -> dict[str, str]:
        """For a process that sends through the gateway. `values`: settings."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("ANLAN_", "PYTEST_"))}
        settings = {
            "instance": self.instance, "database_url": self.url, "public_url": PUBLIC_URL, "sms_provider": "twilio",
            "twilio_account_sid": ACCOUNT, "twilio_auth_token": TOKEN, "twilio_messaging_service_sid": SERVICE,
            "twilio_api_url": gateway_url, "push_services": "", "surfaces": "api",
            "broker_url": self.broker_url, **KEYS} | values
        return clean | {f"ANLAN_{name.upper()}": str(value) for name, value in settings.items()}

    @contextlib.contextmanager
    def workers(self, many: int, gateway_url: str, *, authority: str = "", **values: object) -> Iterator[list[Process]]:
        """So many `anlan worker` processes, ready. `authority`: a file with whom to trust beside the usual ones. What was issued
        before is over: none of it comes between."""
        self.run("UPDATE dispatch SET state = 'stopped', ended_at = now() WHERE ended_at IS NULL")
        environment = self.environment(gateway_url, **values)
        if authority:
            environment["SSL_CERT_FILE"] = authority
        started: list[Process] = []
        try:
            for _ in range(many):
                self._serial += 1
                output = self.folder / f"worker-{self._serial}"
                with output.open("wb") as file:
                    process = subprocess.Popen([sys.executable, "-m", "portal.cli", "worker"], cwd=ROOT, env=environment,
                                               stdout=file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                               start_new_session=True)
                started.append(Process(process, output))
            for worker in started:
                until(lambda w=worker: "Ctrl-C" in w.said() or w.process.poll() is not None, "a worker is ready")  # type: ignore[misc]
                if worker.process.poll() is not None:
                    raise RuntimeError(f"a worker does not start: {worker.said()}")
            _come_to_rest(started)
            yield started
        finally:
            for worker in started:
                worker.go_on()
                worker.process.terminate()
            for worker in started:
                try:
                    worker.process.wait(30)
                except subprocess.TimeoutExpired:
                    worker.process.kill()
                    worker.process.wait()


def _come_to_rest(workers: Sequence[Process]) -> None:
    """Wait until they and their keepers have read what they are made of: their start is over then."""
    before, seen = -1.0, 0.0
    for _ in range(30):
        if abs(seen - before) < 1:
            return
        time.sleep(1)
        before, seen = seen, sum(worker.memory() for worker in workers)


def _row(server: psycopg.Connection, sql: str, *values: object) -> tuple[Any, ...]:
    found = server.execute(sql, values).fetchone()
    if found is None:
        raise LookupError("there is no such row")
    return found


class Watch:
    """Looks at the memory of processes while others work. `seen`: (seconds since it began, MB of each)."""

    def __init__(self, workers: Sequence[Process], every: float = 0.5) -> None:
        self._workers, self._every = workers, every
        self._over = threading.Event()
        self.seen: list[tuple[float, list[float]]] = []
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        begun = time.monotonic()
        while not self._over.is_set():
            with contextlib.suppress(OSError):
                self.seen.append((time.monotonic() - begun, [worker.memory() for worker in self._workers]))
            self._over.wait(self._every)


@contextlib.contextmanager
def rig(folder: Path, size: int) -> Iterator[Rig]:
    """A new PostgreSQL with `size` people, gone afterwards."""
    with postgres_server(durable=True) as prefix:
        with psycopg.connect(f"{prefix.replace('+psycopg', '')}postgres", autocommit=True) as server:
            server.execute("CREATE DATABASE anlan")
        made = Rig(folder, f"{prefix}anlan", size)
        try:
            made.prepare()
            yield made
        finally:
            made.close()
