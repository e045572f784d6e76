"""A real RabbitMQ for the tests: own ports, own directory, own processes; can be killed and started again on what it had.

Erlang's port mapper is a process of the test's own as well, since the usual one stays behind when the server is gone.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from tests.mosquitto import _certify
from tests.postgres import free_port

SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
STARTING = 60.0  # seconds
USER, PASSWORD = "anlan", "anlan-test"

_CONFIGURATION = """\
listeners.tcp.1 = {address}:{port}
listeners.ssl.1 = {address}:{secure}
ssl_options.cacertfile = {root}/cert.pem
ssl_options.certfile = {root}/cert.pem
ssl_options.keyfile = {root}/key.pem
ssl_options.verify = verify_none
default_user = {user}
default_pass = {password}
loopback_users = none
log.console = false
log.file.level = warning
vm_memory_high_watermark.absolute = 512MB
disk_free_limit.absolute = 1MB
collect_statistics_interval = 60000
"""


def why_not() -> str:
    """Why no RabbitMQ can be run here; empty where one can."""
    if not SERVER.exists():
        return "RabbitMQ is not installed; on Debian: apt-get install rabbitmq-server"
    return "" if shutil.which("epmd") else "Erlang's epmd is not installed"


class RabbitMQ:
    """`start`, `kill` and `start` again; `close` at the end. `url` stays the same, as does `secure_url`, whose certificate is
    `trust`."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        if reason := why_not():
            raise RuntimeError(reason)
        self.address, self.port, self.secure_port = address, free_port(), free_port()
        self._root = Path(tempfile.mkdtemp(prefix="anlan-rabbitmq-"))
        (self._root / "rabbitmq.conf").write_text(
            _CONFIGURATION.format(address=address, port=self.port, user=USER, password=PASSWORD, secure=self.secure_port,
                                  root=self._root))
        _certify(self._root, address)
        (self._root / "plugins").write_text("[].\n")
        names = free_port()
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self._root),  # of Erlang's cookie
            "LC_ALL": "C.UTF-8",
            "ERL_EPMD_PORT": str(names),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"anlan-{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_CONFIG_FILE": str(self._root / "rabbitmq"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._root / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(self._root / "data"),
            "RABBITMQ_LOG_BASE": str(self._root / "log"),
            "RABBITMQ_PID_FILE": str(self._root / "pid"),
            # One thread: it carries some rings a second, and must not take the processor from what is tested.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +SDio 1 +A 1 +sbwt none +sbwtdcpu none +sbwtdio none",
        }
        self._names = subprocess.Popen(["epmd", "-port", str(names), "-address", "127.0.0.1"], env=self._environment,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._process: subprocess.Popen | None = None

    @property
    def url(self) -> str:
        return f"amqp://{USER}:{PASSWORD}@{self.address}:{self.port}//"

    @property
    def secure_url(self) -> str:
        return f"amqps://{USER}:{PASSWORD}@{self.address}:{self.secure_port}//"

    @property
    def trust(self) -> Path:
        return self._root / "cert.pem"

    def start(self) -> RabbitMQ:
        """Begin; `wait` for it where it must be there."""
        with (self._root / "output").open("ab") as log:
            self._process = subprocess.Popen([SERVER], env=self._environment, cwd=self._root, stdout=log, stderr=log,
                                             start_new_session=True)
        return self

    def wait(self) -> RabbitMQ:
        """Return once it listens."""
        deadline = time.monotonic() + STARTING
        while True:
            with socket.socket() as sock:
                if sock.connect_ex((self.address, self.port)) == 0:
                    return self
            if self._process is None or self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("RabbitMQ did not start: " + (self._root / "output").read_text()[-2000:])
            time.sleep(0.1)

    def kill(self) -> None:
        """As if the machine had lost its power."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # it leads a session of its own: a shell, and Erlang's machine in it
            process.wait(10)

    def stop(self) -> None:
        """As `systemctl stop`: it is asked to end, and does so within some seconds or is killed."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(20)
        self.kill()

    def connections(self) -> int:
        """How many are open to its door, as the system knows: its own tools take seconds to ask."""
        door, established = f":{self.port:04X}", "01"
        lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        return sum(words[1].endswith(door) and words[3] == established for words in lines)

    def close(self) -> None:
        self.kill()
        self._names.kill()
        self._names.wait(10)
        shutil.rmtree(self._root, ignore_errors=True)
