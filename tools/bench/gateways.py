"""The gateways that are posted to, each a process of its own: one that answers at once and one that takes its time.

What answers at once is nginx with one worker, which says yes to everything, takes each message with one call of the system, does
not look at it, and draws no random numbers: those of its answers are numbers of the connection and of the request, no longer
than a carrier's; where nginx is not installed, our own gateway without a delay, and then it may be what limits (`Gateway.kind`
says which it is).

Each stands for a machine of the carrier's: what it costs this one is not the portal's. So it waits for its turn of the processor
(SCHED_BATCH) instead of putting aside whoever has just written to it, be that a worker or a bare client.
"""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from portal.config import ROOT
from tests.postgres import free_port
from tests.waiting import until

_NGINX = """
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log crit;
events {{ worker_connections 8192; multi_accept on; }}
http {{
  access_log off;
  server_tokens off;
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
  client_header_buffer_size 4k;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  default_type application/json;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location = /_state {{ stub_status; }}
    location / {{ return 201 '{{"account_sid": "AC00000000000000000000000000000000", "api_version": "2010-04-01", "date_created":
 "Sun, 22 Nov 2026 00:00:00 +0000", "date_sent": null, "direction": "outbound-api", "error_code": null, "error_message": null,
 "num_media": "0", "num_segments": "1", "price": null, "price_unit": null,
 "sid": "SM{zeros}z${{connection}}z${{connection_requests}}", "status": "queued"}}'; }}
  }}
}}
"""


@dataclass
class Gateway:
    """A gateway at work. `kind`: nginx or ours; `safe_url`: the same over TLS; `authority`: the file by which that is trusted."""

    kind: str
    url: str
    safe_url: str = ""
    authority: str = ""
    pid: int = 0
    _looks: int = 0
    _base: int = 0

    def taken(self) -> int:
        """Messages so far, since it was last reset."""
        if self.kind != "nginx":
            return self.state()["taken"]
        said = _get(f"{self.url}/_state").decode()
        self._looks += 1
        found = re.search(r"^\s*\d+\s+\d+\s+(\d+)", said, re.MULTILINE)
        if found is None:
            raise RuntimeError("nginx tells no state")
        return int(found[1]) - self._looks - self._base

    def reset(self) -> None:
        if self.kind == "nginx":
            self._base += self.taken()
        else:
            _get(f"{self.url}/_reset")

    def state(self) -> dict[str, Any]:
        """Of ours only: see `slow_gateway`."""
        return json.loads(_get(f"{self.url}/_state"))


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310  (our own address)
        return answer.read()


@contextlib.contextmanager
def at_once(folder: Path) -> Iterator[Gateway]:
    """What answers as fast as a machine can."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        with slow(folder, delay=0) as ours:
            yield ours
        return
    place = folder / "nginx"
    place.mkdir(parents=True, exist_ok=True)
    place.chmod(0o755)
    port = free_port()
    text = _NGINX.format(folder=place, port=port, zeros="0" * 20)
    (place / "nginx.conf").write_text(text.replace(":\n ", ": ").replace(",\n ", ", "))
    with (place / "output").open("wb") as output, waiting_for_turns():
        process = subprocess.Popen([program, "-e", place / "nginx.log", "-p", place, "-c", place / "nginx.conf"], stdout=output,
                                   stderr=output)
    gateway = Gateway("nginx", f"http://127.0.0.1:{port}", pid=process.pid)
    try:
        until(lambda: _answers(gateway.url) or process.poll() is not None, "nginx listens")
        if process.poll() is not None:
            raise RuntimeError("nginx does not start: " + (place / "output").read_text() + (place / "nginx.log").read_text())
        gateway._looks = 0
        gateway._base = 0
        gateway._base = gateway.taken()
        yield gateway
    finally:
        _end(process)


def _answers(url: str) -> bool:
    try:
        _get(f"{url}/_state")
    except OSError:
        return False
    return True


@contextlib.contextmanager
def slow(folder: Path, *, delay: float = 0.05, rate: float = 0, safe: bool = False) -> Iterator[Gateway]:
    """Our own gateway, which answers after `delay` seconds, `rate` messages a second of each client (0: all)."""
    command = [sys.executable, "-m", "tools.bench.slow_gateway", "--delay", str(delay), "--rate", str(rate)]
    authority = ""
    if safe:
        authority, key = certificate(folder)
        command += ["--certificate", authority, "--key", key]
    with waiting_for_turns():
        process = subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE)
    try:
        port = _said(process)
        safe_url = f"https://127.0.0.1:{_said(process)}" if safe else ""
        yield Gateway("ours", f"http://127.0.0.1:{port}", safe_url, authority, process.pid)
    finally:
        _end(process)


@contextlib.contextmanager
def waiting_for_turns() -> Iterator[None]:
    """Processes that are begun within put nobody aside when they wake, where the system knows of it."""
    if not hasattr(os, "SCHED_BATCH"):
        yield
        return
    before = os.sched_getscheduler(0)
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    try:
        yield
    finally:
        os.sched_setscheduler(0, before, os.sched_param(0))


def _said(process: subprocess.Popen) -> str:
    """The second word of its next line."""
    return process.stdout.readline().split()[1] if process.stdout else ""


def _end(process: subprocess.Popen) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def certificate(folder: Path) -> tuple[str, str]:
    """A certificate for this machine that vouches for itself, and its key; their files."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / "gateway.pem", folder / "gateway.key"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                           serialization.NoEncryption()))
    paths[1].chmod(0o600)
    return str(paths[0]), str(paths[1])


def rate_between(state: dict[str, Any], low: float, high: float, whole: int) -> float:
    """Answers a second of `slow_gateway`, from the share `low` to the share `high` of `whole` messages."""
    marks, every = state["marks"], state["every"]
    first = max(0, round(low * whole / every) - 1)
    last = min(len(marks), round(high * whole / every)) - 1
    if last <= first:
        return 0.0
    return (last - first) * every / max(1e-9, marks[last] - marks[first])


def wait_for_first(gateway: Gateway, seconds: float) -> float:
    """The moment (Unix time) at which the first message was seen, to about a hundredth of a second."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if gateway.taken():
            return time.time()
        time.sleep(0.01)
    raise TimeoutError(f"no message came within {seconds:g} s")
