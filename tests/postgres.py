"""A real PostgreSQL server for the tests: own directory, own port, own processes, gone afterwards.

`initdb` and `postgres` refuse to run as root, so as root they run as the system's `postgres` user.
"""

from __future__ import annotations

import contextlib
import glob
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path


def free_port() -> int:
    """Below those that outgoing connections are given: what listens there may end and begin again, and finds it free."""
    chance = random.SystemRandom()
    for _ in range(1000):
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.bind(("127.0.0.1", chance.randrange(12_000, 32_000)))
            return sock.getsockname()[1]
    raise RuntimeError("no port is free between 12,000 and 32,000")


def _binaries() -> Path:
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda p: int(p.split("/")[4])) or [
        p for p in [shutil.which("initdb")] if p
    ]
    if not found:
        raise RuntimeError("PostgreSQL's server is not installed; on Debian: apt-get install postgresql")
    return Path(found[-1]).parent


@contextlib.contextmanager
def postgres_server(*, durable: bool = False) -> Iterator[str]:
    """Yields the URL prefix `postgresql+psycopg://postgres@127.0.0.1:PORT/`. `durable`: each commit waits for the disk, as where
    it is in use; tests do without."""
    hasty = () if durable else ("-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")
    binaries = _binaries()
    as_user: dict = {}
    root = Path(tempfile.mkdtemp(prefix="anlan-pg-"))
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(root, user.pw_uid, user.pw_gid)
        as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": str(root), "TZ": "UTC"}
    process = None
    try:
        subprocess.run(
            [binaries / "initdb", "-D", root / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"],
            check=True,
            capture_output=True,
            env=environment,
            cwd=root,
            **as_user,
        )
        port = free_port()
        log = (root / "log").open("wb")
        process = subprocess.Popen(
            [
                binaries / "postgres",
                "-D",
                root / "data",
                "-p",
                str(port),
                "-k",
                str(root),
                "-h",
                "127.0.0.1",
                *hasty,
                "-c",
                "max_connections=200",
                "-c",
                f"shared_buffers={1024 if durable else 128}MB",
            ],
            stdout=log,
            stderr=log,
            env=environment,
            cwd=root,
            **as_user,
        )
        deadline = time.monotonic() + 30
        while subprocess.run([binaries / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)], check=False).returncode:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("PostgreSQL did not start: " + (root / "log").read_text()[-2000:])
            time.sleep(0.05)
        yield f"postgresql+psycopg://postgres@127.0.0.1:{port}/"
    finally:
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(root, ignore_errors=True)
