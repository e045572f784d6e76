"""`anlan` commands as child processes, each with its own instance directory and port, and strangers kept out.

A child cannot speak to anybody but this machine: whoever it tries to reach or to look up is refused and noted, as if
there were no network.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, NullPool, create_engine, text

from portal.config import ROOT
from tests.postgres import free_port
from tests.waiting import LONGEST, until

NO_NETWORK = '''
import sys
def _only_this_machine(event, args):
    if event == "socket.getaddrinfo":
        host = args[0]
    elif event in ("socket.connect", "socket.sendto") and isinstance(args[1], tuple):
        host = args[1][0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host
    if host not in (None, "", "localhost", "::1", "0.0.0.0") and not host.startswith("127."):
        with open({strangers!r}, "a") as file:
            file.write(f"{{event}} {{host}}\\n")
        raise OSError(101, "Network is unreachable")
sys.addaudithook(_only_this_machine)
'''


@functools.cache
def _engine(url: str) -> Engine:
    """Made once: tests look again and again. No connection stays open behind a look."""
    return create_engine(url, poolclass=NullPool)


class Machine:
    """One `anlan` command at a time on one instance directory."""

    def __init__(self, instance: Path, *, port: int = 0, **environment: str) -> None:
        self.instance, self.port = instance, port or free_port()
        instance.mkdir(parents=True, exist_ok=True)
        self.side = instance.parent / f"{instance.name}-beside"
        (self.side / "guard").mkdir(parents=True, exist_ok=True)
        (self.side / "guard" / "sitecustomize.py").write_text(NO_NETWORK.format(strangers=str(self.side / "strangers")))
        dead = f"http://127.0.0.1:{free_port()}"
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("ANLAN_", "PYTEST_"))}
        proxies = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"), dead)
        self.environment = clean | proxies | {
            "no_proxy": "127.0.0.1,localhost", "ANLAN_DEMO": "1", "ANLAN_INSTANCE": str(instance), "PORT": str(self.port),
            "PYTHONPATH": str(self.side / "guard"), "PYTHONUNBUFFERED": "1"} | environment
        self.process: subprocess.Popen | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def database_url(self) -> str:
        return self.environment.get("ANLAN_DATABASE_URL") or f"sqlite:///{self.instance / 'anlan.db'}"

    @property
    def output(self) -> str:
        """What the last command has said so far."""
        return (self.side / "output").read_text()

    @property
    def strangers(self) -> str:
        """Whom its commands tried to reach beyond this machine."""
        file = self.side / "strangers"
        return file.read_text() if file.exists() else ""

    def begin(self, *command: str) -> Machine:
        """Start `anlan COMMAND` in a session of its own."""
        with (self.side / "output").open("wb") as output:
            self.process = subprocess.Popen([sys.executable, "-m", "portal.cli", *(command or ("run",))], cwd=ROOT,
                                            env=self.environment, stdout=output, stderr=subprocess.STDOUT,
                                            stdin=subprocess.DEVNULL, start_new_session=True)
        return self

    def up(self, sign: str = "Ctrl-C") -> float:
        """Seconds from now until it has said that it is ready."""
        begun = time.monotonic()
        until(lambda: sign in self.output or self._ended(), "ready")
        assert not self._ended(), self.output
        return time.monotonic() - begun

    def end(self, how: int = signal.SIGINT) -> int:
        """Ask it to stop; its exit code."""
        assert self.process is not None
        self.process.send_signal(how)
        return self.process.wait(LONGEST)

    def kill(self) -> None:
        """As if the power had gone."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(LONGEST)

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def leftovers(self) -> list[str]:
        """What should not be there after the end: processes of its session, a listening port."""
        assert self.process is not None
        found = []
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, 0)
            found.append("a process")
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", self.port)) == 0:
                found.append("a listening port")
        return found

    def rows(self, query: str, **values: Any) -> list[Any]:
        """A look into its database."""
        with _engine(self.database_url).connect() as connection:
            return list(connection.execute(text(query), values))

    def number(self, query: str, **values: Any) -> int:
        return int(self.rows(query, **values)[0][0])

    def get(self, path: str, language: str = "zh") -> tuple[int, bytes]:
        """Status and body of a public page."""
        request = urllib.request.Request(self.url + path, headers={"Accept-Language": language})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=15) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def _ended(self) -> bool:
        assert self.process is not None
        return self.process.poll() is not None


@contextlib.contextmanager
def running(machine: Machine, *command: str, sign: str = "Ctrl-C") -> Iterator[Machine]:
    """The command, ready; whatever happens, it is not there afterwards."""
    machine.begin(*command)
    try:
        machine.up(sign)
        yield machine
    finally:
        machine.close()
