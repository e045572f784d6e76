"""A carrier that speaks Twilio's HTTP, as a process of its own: `python -m tests.fakes.carrier --port 0`.

It prints ``port N`` when it listens. Messages are created as at Twilio (basic auth, form, 201 and JSON, error
codes); status callbacks are signed with the auth token. A message's `answer` says what became of the answer to
it: "heard", when the same connection was used again; "unheard", when it was ended instead; "cut" or "not_json",
when it was spoilt; "" while nobody knows. ``POST /_control`` with a JSON object sets faults (see
`carrier_faults`), ``GET /_control`` tells counts, ``GET /_messages`` the messages in order, ``POST /_reset`` forgets all.
Everything that it keeps is bounded.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import hashlib
import hmac
import itertools
import json
import random
import ssl
import time
from collections import Counter, deque
from dataclasses import asdict, fields
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import aiohttp

from tests.fakes import carrier_phones, carrier_wire
from tests.fakes.carrier_faults import Faults

KEPT = 200_000  # messages remembered, and pairs of number and body counted
PENDING_CALLBACKS = 100_000
CALLBACKS_IN_FLIGHT = 32
LONGEST_REQUEST = 65_536
AGAIN = 0.3  # seconds until a callback is tried again, and so much longer each time


class Carrier:
    """State of the process: what came, what is to go wrong."""

    def __init__(self, account: str, token: str) -> None:
        self.account, self.token = account, token.encode()
        self.authorization = "Basic " + base64.b64encode(f"{account}:{token}".encode()).decode()
        self.callbacks: asyncio.Queue[tuple[str, str, dict[str, str]]] = asyncio.Queue(PENDING_CALLBACKS)
        self.http: aiohttp.ClientSession | None = None
        self.serial = itertools.count(1)
        self.resets = 0
        self.reset()

    def reset(self) -> None:
        self.resets += 1  # what is still being delayed belongs to what is forgotten
        while not self.callbacks.empty():
            self.callbacks.get_nowait()
        self.faults = Faults()
        self.chance = random.Random(1)
        self.counts: Counter[str] = Counter()
        self.pairs: Counter[bytes] = Counter()
        self.taken: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self.allowance, self.refilled = 0.0, time.monotonic()

    def set_faults(self, values: dict[str, Any]) -> None:
        known = {f.name for f in fields(Faults)}
        if unknown := set(values) - known:
            raise ValueError(f"unknown fault {sorted(unknown)}")
        self.faults = Faults(**(asdict(self.faults) | values))
        self.chance = random.Random(self.faults.seed)

    def drawn(self, share: float) -> bool:
        return share > 0 and self.chance.random() < share

    def over_rate(self) -> bool:
        if self.faults.rate <= 0:
            return False
        now = time.monotonic()
        most = max(1.0, self.faults.rate / 10)
        self.allowance = min(most, self.allowance + (now - self.refilled) * self.faults.rate)
        self.refilled = now
        if self.allowance < 1:
            return True
        self.allowance -= 1
        return False

    def take(self, form: dict[str, str]) -> dict[str, Any]:
        """Keep the message; the JSON of the answer."""
        sid = f"SM{next(self.serial):032x}"
        self.counts["taken"] += 1
        pair = hashlib.blake2b(f"{form['To']}\0{form['Body']}".encode(), digest_size=8).digest()
        if len(self.pairs) < KEPT or pair in self.pairs:
            self.pairs[pair] += 1
        self.taken.append(
            {
                "sid": sid,
                "to": form["To"],
                "body": form["Body"],
                "at": time.time(),
                "validity": int(form.get("ValidityPeriod", 36000)),
                "callback": form.get("StatusCallback", "").partition("#")[0],
                "callback_options": form.get("StatusCallback", "").partition("#")[2],
                "sender": form.get("MessagingServiceSid") or form.get("From"),
                "answer": "",
            }
        )
        return carrier_wire.created(self.account, form, sid)

    def later(self, form: dict[str, str], sid: str) -> None:
        """Queue the status callbacks of one message."""
        url = form.get("StatusCallback")
        if not url or not self.faults.callbacks:
            return
        last = "undelivered" if form["To"] in self.faults.undelivered else "delivered"
        for status in ("queued", "sent", last):
            values = {
                "AccountSid": self.account,
                "ApiVersion": "2010-04-01",
                "MessageSid": sid,
                "SmsSid": sid,
                "MessageStatus": status,
                "SmsStatus": status,
                "To": form["To"],
            }
            if status == "undelivered":
                values["ErrorCode"] = "30003"
            for _ in range(2 if self.faults.callback_twice else 1):
                try:
                    self.callbacks.put_nowait((url, status, values))
                except asyncio.QueueFull:
                    self.counts["callbacks_dropped"] += 1

    def signature(self, url: str, values: dict[str, str]) -> str:
        text = url + "".join(name + values[name] for name in sorted(values))
        return base64.b64encode(hmac.new(self.token, text.encode(), hashlib.sha1).digest()).decode()

    async def call_back(self) -> None:
        while True:
            await self.post_callback(*await self.callbacks.get())

    async def post_callback(self, url: str, status: str, values: dict[str, str]) -> None:
        """Again, as often as the address's fragment says, where the answer is 5xx or there is none."""
        address, _, options = url.partition("#")
        for attempt in range(1 + int(dict(parse_qsl(options)).get("rc", 0))):
            await asyncio.sleep(AGAIN * attempt)
            if await self.call(address, values) < 500:
                return

    async def call(self, url: str, values: dict[str, str]) -> int:
        assert self.http is not None
        try:
            async with self.http.post(
                url, data=values, headers={"X-Twilio-Signature": self.signature(url, values)}
            ) as answer:
                self.counts[f"callback_{answer.status}"] += 1
                return answer.status
        except (aiohttp.ClientError, TimeoutError):
            self.counts["callback_failed"] += 1
            return 599

    def summary(self) -> dict[str, Any]:
        times = [m["at"] for m in self.taken]
        return {
            "counts": dict(self.counts),
            "taken": self.counts["taken"],
            "distinct": len(self.pairs),
            "doubled": sum(n - 1 for n in self.pairs.values()),
            "callbacks_waiting": self.callbacks.qsize(),
            "first_at": min(times, default=None),
            "last_at": max(times, default=None),
            "faults": asdict(self.faults),
        }


class Connection(asyncio.Protocol):
    """HTTP/1.1 with keep-alive, as much as a client of the API needs."""

    def __init__(self, carrier: Carrier) -> None:
        self.carrier, self.buffer = carrier, b""
        self.silent = self.gone = False
        self.last: dict[str, Any] | None = None  # taken here, and not known whether the answer was heard

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]
        self.port = (transport.get_extra_info("peername") or (None, 0))[1]
        self.carrier.counts["connections"] += 1

    def connection_lost(self, error: Exception | None) -> None:
        self.gone = True
        self.settle("unheard")

    def settle(self, how: str) -> None:
        """What became of the last answer: who asks again on the connection has heard it, who ends it may not have."""
        if self.last is not None:
            self.last["answer"] = self.last["answer"] or how
            self.last = None

    def take(self, form: dict[str, str]) -> dict[str, Any]:
        answer = self.carrier.take(form)
        self.last = self.carrier.taken[-1]
        self.last["port"] = self.port
        if self.gone:
            self.settle("unheard")
        return answer

    def data_received(self, data: bytes) -> None:
        if self.silent:
            return
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            lines = self.buffer[:end].decode("latin-1").split("\r\n")
            headers = {
                name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])
            }
            length = int(headers.get("content-length", "0"))
            if length > LONGEST_REQUEST:
                self.transport.abort()
                return
            if len(self.buffer) < end + 4 + length:
                break
            body, self.buffer = self.buffer[end + 4 : end + 4 + length], self.buffer[end + 4 + length :]
            method, target, _version = lines[0].split(" ", 2)
            self.route(method, target, headers, body)
        if len(self.buffer) > 2 * LONGEST_REQUEST:
            self.transport.abort()

    def route(self, method: str, target: str, headers: dict[str, str], body: bytes) -> None:
        carrier, path = self.carrier, urlsplit(target).path
        if path.startswith("/_"):
            self.control(method, path, parse_qs(urlsplit(target).query), body)
        elif carrier.faults.down_until > time.time():
            carrier.counts["while_down"] += 1
            self.transport.abort()
        elif method == "POST" and path.endswith("/Messages.json"):
            carrier.counts["requests"] += 1
            self.settle("heard")
            if carrier.drawn(carrier.faults.half_open):
                carrier.counts["half_open"] += 1
                self.silent = True
                return
            wait = carrier.faults.delay_ms / 1000
            if carrier.drawn(carrier.faults.slow):
                wait = carrier.faults.slow_seconds
            if wait or carrier.faults.callback_first:
                task = asyncio.ensure_future(self.slowly(wait, path, headers, body))
                task.add_done_callback(lambda done: done.exception())
            else:
                self.message(path, headers, body)
        else:
            self.error(404, 20404, "The requested resource was not found")

    def control(self, method: str, path: str, query: dict[str, list[str]], body: bytes) -> None:
        if path == "/_reset":
            self.carrier.reset()
        elif path == "/_messages":
            after = int(query.get("after", ["0"])[0])
            self.answer(200, list(itertools.islice(self.carrier.taken, after, after + 5000)))
            return
        elif path == "/_write":
            carrier_phones.write(self, json.loads(body))
            return
        elif method == "POST":
            try:
                self.carrier.set_faults(json.loads(body))
            except (ValueError, TypeError) as error:
                self.answer(400, {"message": str(error)})
                return
        self.answer(200, self.carrier.summary())

    async def slowly(self, wait: float, path: str, headers: dict[str, str], body: bytes) -> None:
        resets = self.carrier.resets
        await asyncio.sleep(wait)
        if resets != self.carrier.resets:
            self.transport.abort()
            return
        refusal, form = self.check(path, headers, body)
        if refusal or not self.carrier.faults.callback_first or not form.get("StatusCallback"):
            self.message(path, headers, body)
            return
        answer = self.take(form)
        values = {
            "AccountSid": self.carrier.account,
            "MessageSid": answer["sid"],
            "MessageStatus": "delivered",
            "To": form["To"],
        }
        await self.carrier.post_callback(form["StatusCallback"], "delivered", values)
        self.reply(201, answer)

    def message(self, path: str, headers: dict[str, str], body: bytes) -> None:
        carrier, faults = self.carrier, self.carrier.faults
        if carrier.over_rate() or carrier.drawn(faults.too_many):
            carrier.counts["429"] += 1
            extra = {"Retry-After": str(faults.retry_after)} if faults.retry_after is not None else {}
            self.error(429, 20429, "Too many requests", extra)
            return
        if carrier.drawn(faults.server_error):
            carrier.counts["500"] += 1
            self.error(500, 20500, "An internal server error has occurred")
            return
        if carrier.drawn(faults.reset):
            carrier.counts["reset"] += 1
            self.transport.abort()
            return
        refusal, form = self.check(path, headers, body)
        if refusal:
            carrier.counts[str(refusal[1])] += 1
            self.error(*refusal)
            return
        answer = self.take(form)
        if carrier.drawn(faults.cut):
            carrier.counts["cut"] += 1
            self.settle("cut")
            whole = carrier_wire.response(201, json.dumps(answer).encode(), {})
            self.transport.write(whole[: len(whole) - 40])
            self.transport.close()
        elif carrier.drawn(faults.not_json):
            carrier.counts["not_json"] += 1
            self.settle("not_json")
            self.transport.write(carrier_wire.response(201, b"<html>maintenance</html>", {"Content-Type": "text/html"}))
        else:
            self.reply(201, answer)
        carrier.later(form, answer["sid"])

    def check(
        self, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[tuple[int, int, str] | None, dict[str, str]]:
        """What is wrong with a request as (HTTP status, code, words), and its form."""
        carrier, faults = self.carrier, self.carrier.faults
        if not hmac.compare_digest(headers.get("authorization", ""), carrier.authorization):
            return (401, 20003, "Authenticate"), {}
        if path != f"/2010-04-01/Accounts/{carrier.account}/Messages.json":
            return (404, 20404, "The requested resource was not found"), {}
        form = dict(parse_qsl(body.decode("utf-8")))
        to = form.get("To", "")
        if not to:
            return (400, 21604, "A 'To' phone number is required."), form
        if not form.get("From") and not form.get("MessagingServiceSid"):
            return (400, 21603, "A 'From' phone number is required."), form
        if not form.get("Body"):
            return (400, 21602, "Message body is required."), form
        if len(form["Body"]) > 1600:
            return (400, 21617, "The concatenated message body exceeds the 1600 character limit."), form
        validity = form.get("ValidityPeriod", "36000")
        if not validity.isdigit() or not 1 <= int(validity) <= 36000:
            return (400, 21620, "ValidityPeriod must be between 1 and 36000"), form
        if faults.wrong_sender:
            return (400, 21606, "The From phone number is not a valid, SMS-capable number for your account."), form
        if to in faults.opted_out:
            return (400, 21610, "Attempt to send to unsubscribed recipient"), form
        if to in faults.landline:
            return (400, 21614, f"'To' number: {to}, is not a valid mobile number"), form
        if to in faults.invalid or not to.startswith("+") or not to[1:].isdigit():
            return (400, 21211, f"Invalid 'To' Phone Number: {to}"), form
        return None, form

    def error(self, status: int, code: int, message: str, extra: dict[str, str] | None = None) -> None:
        more = f"https://www.twilio.com/docs/errors/{code}"
        self.reply(status, {"code": code, "message": message, "status": status, "more_info": more}, extra)

    def reply(self, status: int, content: Any, extra: dict[str, str] | None = None) -> None:
        """Answer a message, with the faults of the wire."""
        carrier_wire.reply(self.transport, self.carrier, status, json.dumps(content).encode(), extra or {})

    def answer(self, status: int, content: Any, extra: dict[str, str] | None = None) -> None:
        self.transport.write(carrier_wire.response(status, json.dumps(content).encode(), extra or {}))


async def serve(port: int, account: str, token: str, host: str, tls: ssl.SSLContext | None) -> None:
    carrier = Carrier(account, token)
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(carrier), host, port, backlog=1024, ssl=tls
    )
    print(f"port {server.sockets[0].getsockname()[1]}", flush=True)
    limit = aiohttp.TCPConnector(limit=CALLBACKS_IN_FLIGHT)
    async with aiohttp.ClientSession(
        connector=limit, timeout=aiohttp.ClientTimeout(total=10)
    ) as carrier.http:
        callers = [asyncio.create_task(carrier.call_back()) for _ in range(CALLBACKS_IN_FLIGHT)]
        await asyncio.gather(server.serve_forever(), *callers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--account", default="AC" + "0" * 32)
    parser.add_argument("--token", default="test-token")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--certificate", help="file of a certificate and its key: speak TLS")
    options = parser.parse_args()
    tls = None
    if options.certificate:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(options.certificate)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(options.port, options.account, options.token, options.host, tls))


if __name__ == "__main__":
    main()
