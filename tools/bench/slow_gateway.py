"""A gateway that answers each message a while after it came: `python -m tools.bench.slow_gateway --delay 0.05`.

It speaks as much of Twilio's HTTP as a client of the API needs and says yes to everything, on uvloop, so that it is not what
limits the one who is measured. It prints ``port N`` when it listens. ``GET /_state`` tells what came, ``GET /_reset`` the same
and forgets it. `--certificate` and `--key`: over TLS. `--rate`: messages a second for each client (the user of the basic
authentication), above which 429 is answered.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import ssl
import time
from collections import defaultdict, deque
from typing import Any

import uvloop

MARK = 250  # the time of each so many-th answer is kept
MOST_MARKS = 40_000
ANSWER = (
    b'{"account_sid": "AC00000000000000000000000000000000", "api_version": "2010-04-01", "date_created": "Sun, 22 Nov 2026 '
    b'00:00:00 +0000", "date_sent": null, "direction": "outbound-api", "error_code": null, "error_message": null, "num_media": '
    b'"0", "num_segments": "1", "price": null, "price_unit": null, "sid": "SM%032x", "status": "queued"}'
)
_TAKEN = b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
_HEAD = _TAKEN % len(ANSWER % 0)
_BUSY_BODY = b'{"code": 20429, "message": "Too many requests", "status": 429}'
_BUSY = b"HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
    len(_BUSY_BODY), _BUSY_BODY)


class Gateway:
    """What came, and what is still to be answered."""

    def __init__(self, loop: asyncio.AbstractEventLoop, delay: float, rate: float) -> None:
        self.loop, self.delay, self.rate = loop, delay, rate
        self.serial = itertools.count(1)
        self.due: deque[tuple[float, asyncio.Transport]] = deque()
        self.ticking = False
        self.connections = self.serving = 0
        self.reset()

    def reset(self) -> None:
        self.taken = self.busy = self.peak = 0
        self.first = self.last = 0.0
        self.marks: list[float] = []
        self.area = 0.0  # messages in flight, summed over the seconds
        self.changed = self.loop.time()
        self.buckets: dict[bytes, list[float]] = defaultdict(lambda: [0.0, self.loop.time()])

    def state(self) -> dict[str, Any]:
        return {"taken": self.taken, "busy": self.busy, "first_at": self.first, "last_at": self.last, "peak": self.peak,
                "area": self.area, "in_flight": len(self.due), "connections": self.connections, "every": MARK,
                "marks": self.marks}

    def come(self, transport: asyncio.Transport, head: bytes) -> None:
        if self.rate and not self.allowed(head):
            self.busy += 1
            transport.write(_BUSY)
            return
        if not self.first:
            self.first = time.time()
        if not self.delay:
            self.answer(transport)
            return
        now = self.loop.time()
        self.area += len(self.due) * (now - self.changed)
        self.changed = now
        self.due.append((now + self.delay, transport))
        if len(self.due) > self.peak:
            self.peak = len(self.due)
        if not self.ticking:
            self.ticking = True
            self.loop.call_at(now + self.delay, self.tick)

    def tick(self) -> None:
        now = self.loop.time()
        self.area += len(self.due) * (now - self.changed)
        self.changed = now
        due = self.due
        while due and due[0][0] <= now + 0.0005:
            self.answer(due.popleft()[1])
        if due:
            self.loop.call_at(due[0][0], self.tick)
        else:
            self.ticking = False

    def answer(self, transport: asyncio.Transport) -> None:
        self.taken += 1
        if self.taken % MARK == 0 and len(self.marks) < MOST_MARKS:
            self.marks.append(time.time())
        self.last = time.time()
        transport.write(_HEAD + ANSWER % next(self.serial))

    def allowed(self, head: bytes) -> bool:
        """A bucket of a tenth of a second for each client."""
        at = head.find(b"uthorization: ")
        bucket = self.buckets[head[at : head.find(b"\r\n", at)] if at >= 0 else b""]
        now = self.loop.time()
        bucket[0] = min(max(1.0, self.rate / 10), bucket[0] + (now - bucket[1]) * self.rate)
        bucket[1] = now
        if bucket[0] < 1:
            return False
        bucket[0] -= 1
        return True


class Connection(asyncio.Protocol):
    def __init__(self, gateway: Gateway) -> None:
        self.gateway, self.buffer = gateway, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]
        self.gateway.connections += 1

    def connection_lost(self, _error: Exception | None) -> None:
        self.gateway.connections -= 1

    def data_received(self, data: bytes) -> None:
        data = self.buffer + data if self.buffer else data
        while (end := data.find(b"\r\n\r\n")) >= 0:
            if data.startswith(b"GET /_"):
                self.control(data.startswith(b"GET /_reset"))
                data = data[end + 4 :]
                continue
            at = data.find(b"ontent-Length: ", 0, end)
            if at < 0:
                at = data.find(b"ontent-length: ", 0, end)
            whole = end + 4 + (int(data[at + 15 : data.find(b"\r\n", at)]) if at >= 0 else 0)
            if len(data) < whole:
                break
            self.gateway.come(self.transport, data)
            data = data[whole:]
        self.buffer = data

    def control(self, forget: bool) -> None:
        said = json.dumps(self.gateway.state()).encode()
        if forget:
            self.gateway.reset()
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
            len(said), said))


async def _serve(asked: argparse.Namespace) -> None:
    loop = asyncio.get_running_loop()
    gateway = Gateway(loop, asked.delay, asked.rate)
    server = await loop.create_server(lambda: Connection(gateway), "127.0.0.1", asked.port, backlog=4096)
    print(f"port {server.sockets[0].getsockname()[1]}", flush=True)
    if asked.certificate:
        trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trust.load_cert_chain(asked.certificate, asked.key)
        safe = await loop.create_server(lambda: Connection(gateway), "127.0.0.1", 0, backlog=4096, ssl=trust)
        print(f"tls {safe.sockets[0].getsockname()[1]}", flush=True)
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay", type=float, default=0.05)
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("--certificate", default="")
    parser.add_argument("--key", default="")
    uvloop.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
