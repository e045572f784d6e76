"""A real mosquitto for the tests: own port, own process, can be killed and started again on the same port."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from tests.postgres import free_port


class Mosquitto:
    """`start`, `kill` and `start` again; `close` at the end. `url` stays the same."""

    def __init__(self, *, user: str = "", password: str = "") -> None:
        self._program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
        if self._program is None:
            raise RuntimeError("mosquitto is not installed; on Debian: apt-get install mosquitto")
        self._root = Path(tempfile.mkdtemp(prefix="anlan-mosquitto-"))
        self.port = free_port()
        self._process: subprocess.Popen | None = None
        lines = [f"listener {self.port} 127.0.0.1", f"allow_anonymous {'false' if user else 'true'}", "persistence false"]
        if os.geteuid() == 0:
            lines.append("user root")  # it would otherwise give up its rights to files of ours
        if user:
            (self._root / "passwords").touch(mode=0o600)
            subprocess.run(["mosquitto_passwd", "-b", self._root / "passwords", user, password], check=True, capture_output=True)
            lines.append(f"password_file {self._root / 'passwords'}")
        (self._root / "conf").write_text("\n".join(lines) + "\n")

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> Mosquitto:
        log = (self._root / "log").open("ab")
        self._process = subprocess.Popen([self._program, "-c", str(self._root / "conf")], stdout=log, stderr=log)
        deadline = time.monotonic() + 15
        while True:
            with socket.socket() as sock:
                if sock.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("mosquitto did not start: " + (self._root / "log").read_text()[-2000:])
            time.sleep(0.02)

    def kill(self) -> None:
        """As if the machine had lost its power."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self._root, ignore_errors=True)
