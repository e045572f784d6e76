"""A push service of its own process: `python -m tests.fakes.push_service --port 0`. It prints ``port N`` when it listens.

As a browser does, it makes subscriptions (``POST /_new`` with {"count": n} gives a list); as a push service, it takes messages at
their addresses: it verifies the sender's word (RFC 8292) by PyJWT and reads the message (RFC 8291) by http_ece, neither of which
the portal uses. ``POST /_behave`` {"id" or "*": behaviour} sets what an address answers: a status as "410", "429/7" (with
Retry-After), "hang", "cut" (the connection is closed in the middle of the answer), "reset" (before it), "slow/0.3", or "" for
201. ``GET /_messages`` tells what was taken. A sender that does anything wrong gets the status that real services give, and the
reason is under ``wrong``.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import secrets
import time
from collections import Counter, deque
from typing import Any

import http_ece
import jwt
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

KEPT = 100_000
LONGEST = 4096
RAW = (serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def b64(body: bytes) -> str:
    return base64.urlsafe_b64encode(body).rstrip(b"=").decode()


def from_b64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Service:
    def __init__(self) -> None:
        self.origin = ""
        self.browsers: dict[str, tuple[ec.EllipticCurvePrivateKey, bytes]] = {}
        self.behaviour: dict[str, str] = {}
        self.taken: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self.counts: Counter[str] = Counter()
        self.wrong: deque[str] = deque(maxlen=100)
        self.in_flight = self.most_in_flight = 0

    async def new(self, request: web.Request) -> web.Response:
        made = []
        for _ in range((await request.json()).get("count", 1)):
            name, key, auth = secrets.token_urlsafe(24), ec.generate_private_key(ec.SECP256R1()), secrets.token_bytes(16)
            self.browsers[name] = key, auth
            made.append({"endpoint": f"{self.origin}/p/{name}",
                         "keys": {"p256dh": b64(key.public_key().public_bytes(*RAW)), "auth": b64(auth)}})
        return web.json_response(made)

    async def behave(self, request: web.Request) -> web.Response:
        self.behaviour.update(await request.json())
        return web.json_response({})

    async def messages(self, _request: web.Request) -> web.Response:
        return web.json_response({"taken": list(self.taken), "counts": self.counts, "wrong": list(self.wrong),
                                  "most_in_flight": self.most_in_flight})

    async def push(self, request: web.Request) -> web.StreamResponse:
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            return await self._push(request, request.match_info["name"])
        finally:
            self.in_flight -= 1

    async def _push(self, request: web.Request, name: str) -> web.StreamResponse:
        body = await request.read()
        behaviour = self.behaviour.get(name, self.behaviour.get("*", ""))
        kind, _, detail = behaviour.partition("/")
        self.counts[kind or "201"] += 1
        if kind == "hang":
            await asyncio.sleep(3600)
        if kind == "slow":
            await asyncio.sleep(float(detail))
        if kind == "reset":
            request.transport.abort()  # type: ignore[union-attr]
            await asyncio.sleep(3600)
        if kind == "cut":
            answer = web.StreamResponse(status=201, headers={"Content-Length": "100"})
            await answer.prepare(request)
            await answer.write(b"half")
            request.transport.close()  # type: ignore[union-attr]
            return answer
        if kind.isdigit():
            return web.Response(status=int(kind), headers={"Retry-After": detail} if detail else {})
        status, why = self._faults(request, name, body)
        if status != 201:
            self.wrong.append(why)
        return web.Response(status=status, text=why)

    def _faults(self, request: web.Request, name: str, body: bytes) -> tuple[int, str]:
        """The status that a real service gives, and the reason; what is right is kept."""
        if name not in self.browsers:
            return 404, "no such subscription"
        if len(body) > LONGEST:
            return 413, "larger than 4096"
        headers = request.headers
        if headers.get("Content-Encoding") != "aes128gcm" or not headers.get("TTL", "").isdigit():
            return 400, "no aes128gcm, or no TTL"
        topic = headers.get("Topic", "")
        if len(topic) > 32 or not all(c.isalnum() or c in "-_" for c in topic) or not topic.isascii():
            return 400, f"Topic {topic!r}"
        if headers.get("Urgency") not in ("very-low", "low", "normal", "high"):
            return 400, "Urgency"
        try:
            claims, sender = self._sender(headers.get("Authorization", ""))
            key, auth = self.browsers[name]
            text = http_ece.decrypt(body, private_key=key, auth_secret=auth, version="aes128gcm")
        except Exception as error:
            return 403, f"{type(error).__name__}: {error}"
        self.taken.append({"id": name, "payload": json.loads(text), "bytes": len(body), "ttl": int(headers["TTL"]),
                           "topic": topic, "urgency": headers["Urgency"], "sub": claims["sub"], "sender": sender})
        return 201, ""

    def _sender(self, header: str) -> tuple[dict[str, Any], str]:
        scheme, _, rest = header.partition(" ")
        parts = dict(part.strip().split("=", 1) for part in rest.split(","))
        if scheme.lower() != "vapid":
            raise ValueError("not vapid")
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), from_b64(parts["k"]))
        claims = jwt.decode(parts["t"], public, algorithms=["ES256"], audience=self.origin,  # type: ignore[arg-type]
                            options={"require": ["exp", "aud", "sub"]})
        if claims["exp"] > time.time() + 24 * 3600:
            raise ValueError("exp is more than a day ahead")
        if not claims["sub"].startswith(("mailto:", "https:")):
            raise ValueError("sub")
        return claims, parts["k"]


async def _main(port: int) -> None:
    service = Service()
    app = web.Application()
    app.add_routes([web.post("/_new", service.new), web.post("/_behave", service.behave),
                    web.get("/_messages", service.messages), web.post("/p/{name}", service.push)])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    actual = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
    service.origin = f"http://127.0.0.1:{actual}"
    print(f"port {actual}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    asyncio.run(_main(parser.parse_args().port))
