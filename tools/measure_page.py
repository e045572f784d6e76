"""Measure a warning's page: our server beside nginx, both with the same bytes, the same 100 connections, in turns.

    .venv/bin/python tools/measure_page.py [--rounds 5] [--seconds 4]

Three ways to the same page as brotli: nginx (one worker) with the page as a plain file, which is the reference; `anlan web` on
granian (one process), from memory and in front of the application; and nginx serving the exported directory `current/`, whose
reference is the page as gzip, which is what nginx without its brotli module finds there.

The load comes from wrk on the same machine, in one thread. Requests per second of the processor are told beside those per second
of the clock: on a busy machine they tell more.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from portal import create_app  # noqa: E402
from portal.config import Settings  # noqa: E402
from portal.core.db import db  # noqa: E402
from portal.models import Base  # noqa: E402
from portal.site.publish import publish  # noqa: E402
from tests import district  # noqa: E402
from tests.site.records import record  # noqa: E402

PAGE = "zh/warnings/20261122-01/"
CONNECTIONS = 100
BROWSER = "gzip, deflate, br, zstd"
CONF = """
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000; default_type text/html;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder}; uwsgi_temp_path {folder};
  scgi_temp_path {folder};
  server {{ listen 127.0.0.1:{plain}; root {folder}/plain; }}
  server {{
    listen 127.0.0.1:{exported}; root {current}; gzip_static on;
    open_file_cache max=10000; open_file_cache_valid 1s;
  }}
}}
"""


@dataclass
class Way:
    """One way to the page, and what was seen of it."""

    name: str
    url: str
    pid: int
    reference: Way | None = None
    rates: list[float] = field(default_factory=list)
    tails: list[float] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def processor_seconds(pid: int) -> float:
    """Of a process and all below it, also those that ended."""
    stat = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    own = sum(map(int, stat[11:15])) / os.sysconf("SC_CLK_TCK")
    return own + sum(processor_seconds(int(child)) for child in children)


def load(way: Way, seconds: int) -> None:
    before = processor_seconds(way.pid)
    said = subprocess.run(["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}", "--latency", "-H", f"Accept-Encoding: {BROWSER}",
                           way.url], check=True, capture_output=True, text=True).stdout
    spent = processor_seconds(way.pid) - before
    if "Non-2xx" in said or "Socket errors" in said:
        raise RuntimeError(said)
    count = int(re.search(r"(\d+) requests in", said)[1])  # type: ignore[index]
    number, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", said).groups()  # type: ignore[union-attr]
    way.rates.append(float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1]))  # type: ignore[index]
    way.tails.append(float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit])
    way.costs.append(count / spent if spent else 0)


@contextmanager
def running(command: list[str], url: str, **environment: str) -> Iterator[int]:
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | environment, stdout=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(url, timeout=5).read()  # noqa: S310  (our own servers)
                break
            except OSError:
                if time.monotonic() > until or process.poll() is not None:
                    raise
                time.sleep(0.1)
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def prepared(folder: Path) -> Path:
    """An instance directory with one warning in force; gives the generation that is served."""
    app = create_app(Settings(instance=folder / "instance"))
    with app.app_context():
        Base.metadata.create_all(db.engine)
        district.settle_regions()
        record("20261122-01")
    publish(app)
    return (folder / "instance" / "public" / "current").resolve()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--seconds", type=int, default=4)
    asked = options.parse_args()
    if missing := [name for name in ("nginx", "wrk") if shutil.which(name) is None]:
        sys.exit(f"{' and '.join(missing)} not found. On Debian and Ubuntu: apt-get install nginx-light wrk")
    with tempfile.TemporaryDirectory(prefix="anlan-page-") as name:
        measure(Path(name), asked.rounds, asked.seconds)


def measure(folder: Path, rounds: int, seconds: int) -> None:
    folder.chmod(0o755)  # nginx's worker is another user
    current = prepared(folder)
    for path in (folder / "instance", folder / "instance" / "public"):
        path.chmod(0o755)
    (folder / "plain").mkdir()
    page = current / PAGE / "index.html"
    for suffix in (".br", ".gz"):
        shutil.copy(page.with_name(page.name + suffix), folder / "plain" / f"page{suffix}")
    plain, exported, ours = free_port(), free_port(), free_port()
    (folder / "nginx.conf").write_text(CONF.format(folder=folder, current=current, plain=plain, exported=exported))
    at = "http://127.0.0.1:{}/{}".format
    with (running(["nginx", "-c", str(folder / "nginx.conf")], at(plain, "page.br")) as nginx,
          running([sys.executable, "-m", "portal.cli", "web"], at(ours, PAGE), PORT=str(ours), ANLAN_WEB_SERVER="granian",
                  ANLAN_INSTANCE=str(folder / "instance")) as granian):
        first = Way("nginx, the page as a file (brotli)", at(plain, "page.br"), nginx)
        packed = Way("nginx, the page as a file (gzip)", at(plain, "page.gz"), nginx)
        ways = [first, Way("anlan web on granian (brotli)", at(ours, PAGE), granian, first), packed,
                Way("nginx, the exported directory (gzip)", at(exported, PAGE), nginx, packed)]
        for way in ways:
            load(way, 1)
            way.rates.clear(), way.tails.clear(), way.costs.clear()
        for _round in range(rounds):
            for way in ways:
                load(way, seconds)
    told(ways, page)


def told(ways: list[Way], page: Path) -> None:
    sizes = ", ".join(f"{page.with_name(page.name + suffix).stat().st_size:,} bytes {what}"
                      for suffix, what in (("", "plain"), (".gz", "gzip"), (".br", "brotli")))
    print(f"The warning's page: {sizes}. {CONNECTIONS} connections, medians of {len(ways[0].rates)} rounds in turns. "
          f"Load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores.")
    print(f"{'':<40} {'requests/s':>12} {'':>7} {'p99':>10} {'':>7} {'per processor-s':>16}")
    for way in ways:
        rate, tail, cost = map(statistics.median, (way.rates, way.tails, way.costs))
        against = ["", "", ""]
        if way.reference is not None:  # each round beside its own reference, which had the same noise
            pairs = ((way.rates, way.reference.rates), (way.tails, way.reference.tails), (way.costs, way.reference.costs))
            ratios = [statistics.median(a / b for a, b in zip(mine, its, strict=True)) for mine, its in pairs]
            against = [f"{ratios[0]:.0%}", f"×{ratios[1]:.1f}", f"{ratios[2]:.0%}"]
        print(f"{way.name:<40} {rate:>12,.0f} {against[0]:>7} {tail:>7.1f} ms {against[1]:>7} {cost:>16,.0f} {against[2]:>6}")


if __name__ == "__main__":
    main()
