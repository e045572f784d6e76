"""Carriers' callbacks: how many a second are durable before they are answered, beside the same server that only parses the form,
and beside a typical application that asks the SDK for the signature and updates a row."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import create_engine, text

from portal.config import ROOT
from portal.models import Base
from tests.postgres import free_port, postgres_server
from tools.bench import caller
from tools.bench.rows import AT_LEAST, Row, compared, middle, spread

ACCOUNT, TOKEN = "AC" + "0" * 32, "bench-token"
PUBLIC_URL = "https://warn.example"
CONNECTIONS = 64
PROCESSES, THREADS = 2, 32
STARTING_SECONDS = 60.0
ENDING_SECONDS = 15.0
FORM_GOAL, ORM_GOAL = 0.5, 4.0


def measure(*, quick: bool = False, runs: int = 3) -> list[Row]:
    """Callbacks a second on both servers and both databases. Each run calls all kinds one after the other."""
    count = 1500 if quick else 10_000
    with tempfile.TemporaryDirectory(prefix="anlan-callbacks-") as folder, postgres_server(durable=True) as prefix:
        place, url = Path(folder), _prepared(prefix, count)
        lite = f"sqlite:///{place / 'anlan.db'}"
        lay_tables(lite)
        rows = []
        for server in ("granian", "waitress"):
            figures = _figures(server, place, url, lite, count if server == "granian" else count // 3, 1 if quick else runs)
            rows += _rows(server, figures)
        return rows


def _figures(server: str, place: Path, url: str, lite: str, count: int, runs: int) -> dict[str, list[float]]:
    kinds = {"portal": url, "portal on SQLite": lite, "form": url, "bare": url, "orm": url}
    figures: dict[str, list[float]] = {kind: [] for kind in kinds}
    made = caller.requests(count, base_url=PUBLIC_URL, account=ACCOUNT, token=TOKEN)
    with contextlib.ExitStack() as stack:
        ports = {kind: stack.enter_context(served(kind.split()[0], server, place, database)) for kind, database in kinds.items()}
        for _ in range(runs):
            for kind, port in ports.items():
                some = made if kind != "orm" else made[: max(64, count // 5)]
                seconds, answers = caller.call(port, some, CONNECTIONS)
                if answers != {"200": len(some)}:
                    raise RuntimeError(f"{server}, {kind}: answers {dict(answers)}")
                figures[kind].append(len(some) / seconds)
                if kind.startswith("portal"):
                    _all_kept(kinds[kind], len(some))
    return figures


def _rows(server: str, figures: dict[str, list[float]]) -> list[Row]:
    figure = {kind: middle(values) for kind, values in figures.items()}
    own, what = figure["portal"], f"callbacks, signature checked and durable, {server}"
    note = f"{CONNECTIONS} connections, {PROCESSES if server == 'granian' else 1} processes of {THREADS} threads; "
    return [
        compared(what, own, "/s", "only parsing the form", figure["form"], AT_LEAST, FORM_GOAL, note + spread(figures["portal"])),
        compared(what, own, "/s", "one ORM update each", figure["orm"], AT_LEAST, ORM_GOAL),
        compared(what, own, "/s", "parsing it without Flask", figure["bare"]),
        compared(f"{what}, SQLite", figure["portal on SQLite"], "/s", "only parsing the form", figure["form"], AT_LEAST,
                 FORM_GOAL, spread(figures["portal on SQLite"])),
    ]


# -- what it stands on -------------------------------------------------------------------------------------
def lay_tables(url: str) -> None:
    engine = create_engine(url)
    Base.metadata.create_all(engine)
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
    engine.dispose()


def _prepared(prefix: str, count: int) -> str:
    """A database with a row for each message, which the ORM updates."""
    server = create_engine(prefix + "postgres", isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text("CREATE DATABASE callbacks"))
    server.dispose()
    url = prefix + "callbacks"
    lay_tables(url)
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO delivery (batch_id, recipient_id, status, code, at)"
                                " SELECT 1 + n / 1000, n, 'sent', '', now() FROM generate_series(1, :n) n"), {"n": count})
    engine.dispose()
    return url


def _all_kept(url: str, count: int) -> None:
    """Each of the callbacks is in the table; then it is emptied."""
    engine = create_engine(url)
    with engine.begin() as connection:
        kept = connection.execute(text("SELECT count(DISTINCT recipient_id) FROM receipt")).scalar_one()
        connection.execute(text("DELETE FROM receipt"))
    engine.dispose()
    if kept != count:
        raise RuntimeError(f"{kept} of {count} callbacks were kept")


@contextlib.contextmanager
def served(kind: str, server: str, place: Path, database: str, processes: int = PROCESSES) -> Iterator[int]:
    """A server of this kind in processes of its own; gives its port."""
    port = free_port()
    environment = os.environ | {
        "ANLAN_INSTANCE": str(place / "instance"), "ANLAN_DATABASE_URL": database, "ANLAN_PUBLIC_URL": PUBLIC_URL,
        "ANLAN_SMS_PROVIDER": "twilio", "ANLAN_TWILIO_ACCOUNT_SID": ACCOUNT, "ANLAN_TWILIO_AUTH_TOKEN": TOKEN,
        "ANLAN_TWILIO_FROM": "+15005550006", "ANLAN_SECRET_KEY": "bench " * 8, "ANLAN_PHONE_KEY": "ab" * 32,
        "ANLAN_WEB_SERVER": server, "ANLAN_WEB_PROCESSES": str(processes), "ANLAN_WEB_THREADS": str(THREADS), "PORT": str(port),
    }
    command = [sys.executable, "-m", "tools.bench.callback_servers", kind, server, str(port), str(processes), str(THREADS)]
    with (place / f"{server}-{kind}-{port}.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        _until_it_listens(process, port, Path(log.name))
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _until_it_listens(process: subprocess.Popen, port: int, log: Path) -> None:
    deadline = time.monotonic() + STARTING_SECONDS
    one = caller.requests(1, base_url=PUBLIC_URL, account=ACCOUNT, token=ACCOUNT)
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as sock:
                sock.settimeout(STARTING_SECONDS)
                sock.sendall(one[0])  # forged, so that nothing is kept
                if sock.recv(100):
                    return
        except OSError:
            pass
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("the server did not start: " + log.read_text()[-2000:])
        time.sleep(0.1)
