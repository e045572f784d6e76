"""A PostgreSQL server that can be killed and begun again: a commit survives the end of its processes, as where it is in use."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from tests.postgres import _binaries, free_port


class Cluster:
    """One server in a directory of its own. `prefix`: the beginning of its databases' URLs. `address`: where it listens, for
    everybody who comes from there."""

    def __init__(self, connections: int = 120, address: str = "127.0.0.1") -> None:
        self._binaries, self._connections, self.port = _binaries(), connections, free_port()
        self.address = address
        self.prefix = f"postgresql+psycopg://postgres@{address}:{self.port}/"
        self._root = Path(tempfile.mkdtemp(prefix="anlan-faults-pg-"))
        self._as: dict = {}
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(self._root, user.pw_uid, user.pw_gid)
            self._as = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        self._environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": str(self._root), "TZ": "UTC"}
        self._process: subprocess.Popen | None = None
        subprocess.run([self._binaries / "initdb", "-D", self._root / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8",
                        "--no-sync"], check=True, capture_output=True, env=self._environment, cwd=self._root, **self._as)
        with (self._root / "data" / "pg_hba.conf").open("a") as rules:
            rules.write("host all all samenet trust\n")
        self.start()

    def url(self, name: str) -> str:
        """For a plain driver, without SQLAlchemy."""
        return self.prefix.replace("+psycopg", "") + name

    def start(self) -> None:
        """Begin, and wait until it lets somebody in, its recovery included."""
        with (self._root / "log").open("ab") as log:
            # A commit is in the system's hands before it is confirmed; only the machine's own end could lose it.
            self._process = subprocess.Popen(
                [self._binaries / "postgres", "-D", self._root / "data", "-p", str(self.port), "-k", self._root, "-h",
                 self.address, "-c", "fsync=off", "-c", f"max_connections={self._connections}", "-c", "shared_buffers=64MB"],
                stdout=log, stderr=log, env=self._environment, cwd=self._root, **self._as)
        deadline = time.monotonic() + 60
        while subprocess.run([self._binaries / "pg_isready", "-q", "-h", self.address, "-p", str(self.port)],
                             check=False).returncode:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("PostgreSQL did not start: " + (self._root / "log").read_text()[-2000:])
            time.sleep(0.05)

    def stop(self, how: int = signal.SIGINT) -> None:
        """SIGINT: end all sessions in an orderly way. SIGQUIT: as if its processes had died; it recovers at the next start."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self._root, ignore_errors=True)
