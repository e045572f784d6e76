"""A portal made of processes that may be killed: a database with subscribers, a carrier, and the `anlan` commands begun here."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
from flask import Flask
from sqlalchemy import NullPool, create_engine, select, text

from portal import create_app
from portal.config import ROOT, Settings
from portal.core.clock import utcnow
from portal.core.db import db
from portal.dispatch.issue import issue
from portal.dispatch.progress import Progress, of_bulletin
from portal.identity import demo as people
from portal.identity.models import Account
from portal.models import Base
from portal.warnings.models import ALERT, Bulletin
from tests import district
from tests.faults.cluster import Cluster
from tests.faults.nursery import Nursery
from tests.postgres import free_port
from tests.rabbitmq import RabbitMQ, why_not
from tests.sms.conftest import ACCOUNT, SERVICE, TOKEN, CarrierProcess
from tests.waiting import until

SQLITE, POSTGRESQL = "sqlite", "postgresql"
#: What a killed process may send twice, as these houses set it.
MOST_DOUBLED = 200
LEASE_SECONDS = 2
TARGET = {"regions": [district.DISTRICT], "area": None, "audiences": [], "channels": ["sms"]}
_SECRET, _PHONE_KEY = "faults " * 8, "ab" * 32


def _settings(instance: Path, url: str, **more: Any) -> Settings:
    return Settings(**({"instance": instance, "database_url": url, "secret_key": _SECRET, "phone_key": _PHONE_KEY, "demo": True,
                        "public_url": "http://localhost"} | more))


class Carrier(CarrierProcess):
    """The fake carrier as a process of its own, which can be ended and begun again on the same port."""

    def __init__(self) -> None:
        super().__init__(free_port())
        self.port = int(self.url.rpartition(":")[2])
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen([sys.executable, "-m", "tests.fakes.carrier", "--port", str(self.port)], cwd=ROOT,
                                         text=True, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self._process.stdout.readline()

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        self._process.send_signal(signal.SIGCONT)
        self._process.kill()
        self._process.wait(10)

    def messages(self) -> list[dict[str, Any]]:
        """All of them: it hands out so many thousand at a time."""
        found: list[dict[str, Any]] = []
        while some := self._ask(f"/_messages?after={len(found)}"):
            found += some
        return found

    @property
    def taken(self) -> int:
        return int(self.summary()["taken"])


@dataclass
class Ground:
    """What all houses of a run stand on: the processes that fork and carry, a server, and filled databases to copy."""

    directory: Path
    nursery: Nursery
    carrier: Carrier
    cluster: Cluster
    people: int
    broker: RabbitMQ | None = None

    def house(self, kind: str, name: str, **environment: str) -> House:
        """A new one, its database filled and nobody in it."""
        instance = self.directory / name
        instance.mkdir(mode=0o700)
        if kind == SQLITE:
            shutil.copy(self.directory / "filled.db", instance / "anlan.db")
            url = f"sqlite:///{instance / 'anlan.db'}"
        else:
            database = "".join(c if c.isalnum() else "_" for c in name.lower())
            with psycopg.connect(self.cluster.url("postgres"), autocommit=True) as server:
                server.execute(f"CREATE DATABASE {database} TEMPLATE filled")  # type: ignore[arg-type]
            url = self.cluster.prefix + database
        self.carrier.reset()
        return House(self, kind, instance, url, environment)


@contextlib.contextmanager
def ground(directory: Path, count: int, *, broker: bool = False) -> Iterator[Ground]:
    """`count`: subscribers of each house. `broker`: whether some houses have their workers woken by one, if it is installed."""
    with contextlib.ExitStack() as parts:
        made = Ground(directory, Nursery(), Carrier(), Cluster(), count)
        for close in (made.nursery.close, made.carrier.kill, made.cluster.close):
            parts.callback(close)
        if broker and not why_not():
            made.broker = RabbitMQ()
            parts.callback(made.broker.close)
            made.broker.start()
        with psycopg.connect(made.cluster.url("postgres"), autocommit=True) as server:
            server.execute("CREATE DATABASE filled")
        for url in (f"sqlite:///{directory / 'filled.db'}", made.cluster.prefix + "filled"):
            app = create_app(_settings(directory / "filling", url))
            with app.app_context():
                Base.metadata.create_all(db.engine)
                district.settle_regions()
                people.seed()
                district.subscribers(count)
                if url.startswith("sqlite"):  # one file, without what stands beside it
                    db.session.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
                db.session.close()
                db.engine.dispose()
        yield made


def _account(name: str) -> Account:
    return db.session.execute(select(Account).where(Account.username == name)).scalar_one()


class House:
    """`environment` overrides what its processes are told."""

    def __init__(self, ground: Ground, kind: str, instance: Path, url: str, environment: dict[str, str]) -> None:
        self.ground, self.kind, self.instance, self.url = ground, kind, instance, url
        self.carrier, self.port = ground.carrier, free_port()
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("ANLAN_", "PYTEST_"))}
        self.environment = clean | {
            "ANLAN_DATABASE_URL": url, "ANLAN_INSTANCE": str(instance), "ANLAN_SECRET_KEY": _SECRET, "ANLAN_DEMO": "1",
            "ANLAN_PHONE_KEY": _PHONE_KEY, "PORT": str(self.port), "ANLAN_PUBLIC_URL": f"http://127.0.0.1:{self.port}",
            "ANLAN_SMS_PROVIDER": "twilio", "ANLAN_TWILIO_ACCOUNT_SID": ACCOUNT, "ANLAN_TWILIO_AUTH_TOKEN": TOKEN,
            "ANLAN_TWILIO_MESSAGING_SERVICE_SID": SERVICE, "ANLAN_TWILIO_API_URL": self.carrier.url,
            "ANLAN_TWILIO_TIMEOUT": "10", "ANLAN_SMS_THREADS": "1", "ANLAN_BATCH_SIZE": "400", "ANLAN_FLUSH_SIZE": "100",
            "ANLAN_MAX_IN_FLIGHT": "100", "ANLAN_MOST_DOUBLED": str(MOST_DOUBLED), "ANLAN_PUSH_SERVICES": "",
            "ANLAN_LEASE_SECONDS": str(LEASE_SECONDS), "ANLAN_RETRY_SECONDS": "0.3", "ANLAN_SIMULATED_SPEAKERS": "0",
        } | environment
        self.broker = ground.broker if "ANLAN_BROKER_URL" in environment else None
        self.processes: list[Process] = []
        self._engine = create_engine(url, poolclass=NullPool)
        self._app: Flask | None = None

    # -- its processes --
    def begin(self, command: str, preload: dict[str, str] | None = None) -> Process:
        """`preload`: more for its environment, which only a process that is not forked heeds."""
        self.processes.append(Process(self, command, preload))
        return self.processes[-1]

    def alive(self, command: str = "worker") -> list[Process]:
        return [p for p in self.processes if p.command == command and p.running]

    def close(self) -> list[str]:
        """End all that was begun here; what is wrong where anything outlives who began it."""
        for process in self.processes:
            process.kill()
        wrong = []
        try:
            until(lambda: not self.left_behind(), "what the processes began ends with them", 30)
        except AssertionError as error:
            wrong.append(str(error))
            for pid in self.left_behind():
                os.kill(pid, signal.SIGKILL)
        self._engine.dispose()
        if self._app is not None:
            with self._app.app_context():
                db.engine.dispose()
        return wrong

    def left_behind(self) -> list[int]:
        """Processes of sessions whose leader is gone: keepers that do not know it yet."""
        gone = {process.pid for process in self.processes if not process.running}
        return [pid for pid, _parent, session in processes() if session in gone]

    # -- its operators --
    @property
    def app(self) -> Flask:
        if self._app is None:
            self._app = create_app(_settings(self.instance, self.url))
        return self._app

    def issue(self, *, kind: str = ALERT, seconds: float = 6 * 3600, replaces: Bulletin | None = None,
              **content: Any) -> Bulletin:
        """What two officers do at the desk."""
        with self.app.app_context():
            drafter, approver = _account("drafter"), _account("approver")
            draft = district.submitted(drafter, kind=kind, warning_id=replaces.warning_id if replaces else None,
                                       **({"target": TARGET, "expires": utcnow() + timedelta(seconds=seconds)} | content))
            bulletin = issue(approver, draft.id, version=draft.version, content_hash=draft.content_hash)
            db.session.expunge(bulletin)
            db.session.rollback()
            return bulletin

    def submit(self, **content: Any) -> str:
        """A draft that waits for approval; its path at the desk."""
        with self.app.app_context():
            draft = district.submitted(_account("drafter"), **content)
            db.session.rollback()
            return f"/desk/drafts/{draft.id}/"

    def progress(self, bulletin: Bulletin) -> Progress:
        """As the desk shows it."""
        with self.app.app_context():
            found = next(p for p in of_bulletin(bulletin.id) if p.dispatch.channel == "sms")
            db.session.expunge_all()
            db.session.rollback()
            return found

    def moves_to(self, url: str) -> None:
        """Its database stands elsewhere from now on."""
        self._engine.dispose()
        self.url = self.environment["ANLAN_DATABASE_URL"] = url
        self._engine = create_engine(url, poolclass=NullPool)

    # -- looks into its database --
    def rows(self, query: str, **values: Any) -> list[Any]:
        with self._engine.connect() as connection:
            return list(connection.execute(text(query), values))

    def number(self, query: str, **values: Any) -> int:
        return int(self.rows(query, **values)[0][0] or 0)

    def dispatches_open(self) -> int:
        return self.number("SELECT count(*) FROM dispatch WHERE channel = 'sms' AND ended_at IS NULL")

    def quiet_receipts(self) -> bool:
        return self.number("SELECT count(*) FROM receipt") == 0

    @contextlib.contextmanager
    def held(self, table: str) -> Iterator[None]:
        """Nobody writes to a table meanwhile, on SQLite to none."""
        if self.kind == SQLITE:
            connection = sqlite3.connect(self.instance / "anlan.db", isolation_level=None, timeout=30)
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield
            finally:
                with contextlib.suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                connection.close()
            return
        with psycopg.connect(self.ground.cluster.url(self.url.rpartition("/")[2])) as connection:
            connection.execute(f"LOCK TABLE {table} IN SHARE MODE")  # type: ignore[arg-type]
            yield
            connection.rollback()

    def may_write(self) -> bool:
        """Whether nobody holds the write lock of SQLite."""
        connection = sqlite3.connect(self.instance / "anlan.db", isolation_level=None, timeout=0)
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        except sqlite3.OperationalError:
            return False
        finally:
            connection.close()
        return True

    def somebody_waits(self) -> bool:
        """Whether a process waits for what `held` holds; of SQLite nobody can tell."""
        return self.kind == SQLITE or self.number("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                                                  " AND datname = current_database()") > 0


def processes() -> Iterator[tuple[int, int, int]]:
    """Of all on this machine, but of those that are dead and not yet buried: pid, parent, session."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            state, parent, _group, session = path.read_text().rpartition(")")[2].split()[:4]
            if state != "Z":
                yield int(path.parent.name), int(parent), int(session)


def _is_keeper(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return b"portal.dispatch.bulk.keeper" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


class Process:
    """One `anlan` command of a house."""

    def __init__(self, house: House, command: str, preload: dict[str, str] | None) -> None:
        self.house, self.command = house, command
        self.output = house.instance / f"{len(house.processes)}-{command}.log"
        self.output.touch()
        self.struck = False  # somebody has asked for its end, or was its end
        self._popen: subprocess.Popen | None = None
        if preload:
            with self.output.open("ab") as output:
                self._popen = subprocess.Popen([sys.executable, "-m", "portal.cli", command], cwd=ROOT, stdout=output,
                                               stderr=subprocess.STDOUT, env=house.environment | preload, start_new_session=True)
            self.pid = self._popen.pid
        else:
            self.pid = house.ground.nursery.start([command], house.environment, self.output)
        self.begun_at = time.time()

    @property
    def code(self) -> int | None:
        return self._popen.poll() if self._popen else self.house.ground.nursery.ended(self.pid)

    @property
    def running(self) -> bool:
        return self.code is None

    @property
    def said(self) -> str:
        return self.output.read_text(errors="replace")

    def signal(self, number: int) -> None:
        if self.running:
            os.kill(self.pid, number)

    def keeper(self) -> int:
        """The process that asks the database for a worker; 0 while there is none."""
        return next((pid for pid, parent, _session in processes() if parent == self.pid and _is_keeper(pid)), 0)

    def ports(self) -> frozenset[int]:
        """Where the connections begin that it has at this moment."""
        place, ours, rows = Path(f"/proc/{self.pid}"), set[str](), list[list[str]]()
        with contextlib.suppress(OSError):  # it has just ended
            for file in (place / "fd").iterdir():
                with contextlib.suppress(OSError):  # closed meanwhile
                    ours.add(os.readlink(file))
            rows = [line.split() for line in (place / "net" / "tcp").read_text().splitlines()[1:]]
        return frozenset(int(row[1].rpartition(":")[2], 16) for row in rows if f"socket:[{row[9]}]" in ours)

    def kill(self) -> None:
        """`kill -9`. What it began itself hears that it is gone, and ends."""
        self.struck = True
        self.signal(signal.SIGKILL)
        until(lambda: not self.running, f"the {self.command} is gone", 20)

    def end(self) -> int:
        """As `systemctl stop`; its exit code."""
        self.struck = True
        self.signal(signal.SIGTERM)
        until(lambda: not self.running, f"the {self.command} ends", 60)
        return self.code or 0

    def ready(self) -> Process:
        """Wait until it has said that it works."""
        until(lambda: not self.running or any(word in self.said for word in ("is running", "  web")), f"{self.command} is up", 60)
        assert self.running, self.said[-3000:]
        return self

