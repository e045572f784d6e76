"""Notifications through browsers' push services (RFC 8030): one event loop in a thread of its own, bounded in every direction.

An endpoint that hangs holds one place for a few seconds; a service that hangs holds half of the places, and after some troubles
in a row none: what is meant for it is given back at once, and one request now and then asks whether it lives again.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import datetime
from queue import Empty, SimpleQueue

import aiohttp
import certifi

from portal.channels.push import services
from portal.channels.push.encryption import encrypt
from portal.channels.push.health import LONGEST_PAUSE, Service
from portal.channels.push.provider import ACCEPTED, FAILED, GONE, RETRY, Note, Result
from portal.channels.push.vapid import Vapid, contact
from portal.channels.retry_after import retry_after
from portal.config import Settings
from portal.core import keys
from portal.core.clock import utcnow

#: Seconds that the last ones of a batch are waited for when nothing else of it is left; more where answers take longer.
GRACE = 1.0
STEP = 0.05  # seconds between two looks at `halted`
LONGEST_TTL = 28 * 24 * 3600  # what push services keep a message for at most
LONGEST_RETRY_AFTER = 600.0  # seconds; who names an hour is asked again sooner
READ = 1024  # bytes of an answer that are read, so that the connection may be used again
#: How often an endpoint may leave us waiting, while others of its service answer, until it is given up.
STRIKES = 3
STRIKES_KEPT = 10_000
#: Hosts of which something is known.
HOSTS_KEPT = 1000


class WebPush:
    """Safe to call from several threads: they share the loop, the connections and what is known of each service."""

    def __init__(self, settings: Settings) -> None:
        self._services, self._timeout = settings.push_services, settings.push_timeout
        self._vapid = Vapid(keys.push_key(settings), contact(settings))
        self._places = settings.push_in_flight
        self._share = max(1, self._places // 2)  # of one service
        self._slots: dict[str, asyncio.Semaphore] = {}
        self._known: dict[str, Service] = {}
        self._strikes: OrderedDict[int, int] = OrderedDict()
        self._starting = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._http: aiohttp.ClientSession  # these two are made in the loop
        self._total: asyncio.Semaphore

    def send(self, payload: bytes, notes: Sequence[Note], *, expires_at: datetime, urgent: bool, topic: str,
             on_result: Callable[[Result], None], halted: Callable[[], bool]) -> None:
        """As `provider.Provider.send`."""
        call = _Call(payload, expires_at, {"Urgency": "high" if urgent else "normal", "Topic": topic})
        work = self._submit(call, notes)
        try:
            while not work.done() or not call.results.empty():
                try:
                    result = call.results.get(timeout=STEP)
                except Empty:
                    pass
                else:
                    call.heard += 1
                    on_result(result)
                call.stopped = call.stopped or halted()
        finally:
            call.stopped = True
        work.result()

    def close(self) -> None:
        if (loop := self._loop) is None or self._thread is None:
            return
        asyncio.run_coroutine_threadsafe(self._end(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        self._thread.join(10)
        loop.close()
        self._loop = None

    # -- in the loop's thread ------------------------------------------------------------------------------
    async def _run(self, call: _Call, notes: Sequence[Note]) -> None:
        waiting: dict[str, deque[tuple[Note, services.Address]]] = {}
        for note in notes:
            try:
                address = services.check(note.url, self._services)
            except services.Refused:  # the settings have changed since it came in
                call.put(Result(note.ref, FAILED, "service"))
            else:
                waiting.setdefault(address.origin, deque()).append((note, address))
        workers: list[asyncio.Future[None]] = []
        for queue in waiting.values():
            service = self._service(queue[0][1])
            workers += [asyncio.ensure_future(self._work(call, service, queue)) for _ in range(min(len(queue), self._share))]
        await self._wait(call, workers, waiting)

    def _service(self, address: services.Address) -> Service:
        if address.origin not in self._known and len(self._known) >= HOSTS_KEPT:
            self._known.clear()
        slots = self._slots.setdefault(address.service, asyncio.Semaphore(self._share))
        return self._known.setdefault(address.origin, Service(slots))

    async def _wait(self, call: _Call, workers: list[asyncio.Future[None]], waiting: dict[str, deque]) -> None:
        left: set[asyncio.Future[None]] = set(workers)
        while left:
            all_begun = call.stopped or not any(waiting.values())
            done, left = await asyncio.wait(left, timeout=STEP if not all_begun else call.grace(self._timeout),
                                            return_when=asyncio.FIRST_COMPLETED)
            for worker in done:
                worker.result()
            if all_begun and not done:  # nothing ended for a while: those that are left are waited for no longer
                for worker in left:
                    worker.cancel()
                await asyncio.gather(*left, return_exceptions=True)
                return

    async def _work(self, call: _Call, service: Service, queue: deque[tuple[Note, services.Address]]) -> None:
        while queue and not call.stopped and utcnow() < call.expires_at:
            while call.unheard > self._places and not call.stopped:  # what is not written yet would be sent again after a kill
                await asyncio.sleep(STEP)
            if (pause := service.pause()) > 0:
                if pause > LONGEST_PAUSE:
                    while queue:
                        call.put(Result(queue.popleft()[0].ref, RETRY, service.why, pause))
                    return
                await asyncio.sleep(min(pause, STEP))
                continue
            async with service.turn(), self._total:
                if queue and not call.stopped and service.pause() <= 0:
                    await self._one(call, service, *queue.popleft())

    async def _one(self, call: _Call, service: Service, note: Note, address: services.Address) -> None:
        begun = asyncio.get_running_loop().time()
        try:
            body = encrypt(call.payload, note.keys)
        except ValueError:
            call.put(Result(note.ref, FAILED, "key"))
            return
        headers = {"Content-Encoding": "aes128gcm", "Content-Type": "application/octet-stream", "TTL": str(call.ttl()),
                   "Authorization": self._vapid.authorization(address.origin), **call.headers}
        try:
            async with self._http.post(address.url, data=body, headers=headers, allow_redirects=False) as answer:
                status, told = answer.status, answer.headers
                after = retry_after(told.get("Retry-After", ""), told.get("Date", ""), LONGEST_RETRY_AFTER)
                await answer.content.read(READ)
        except (TimeoutError, asyncio.CancelledError) as error:
            call.put(self._hung(call, service, note.ref))
            if isinstance(error, asyncio.CancelledError):
                raise
        except (aiohttp.ClientError, OSError, ValueError) as error:
            unsure = not isinstance(error, aiohttp.ClientConnectorError | aiohttp.InvalidURL)
            service.trouble("connection")
            call.put(Result(note.ref, RETRY, "connection", unsure=unsure))
        else:
            call.learn(service, asyncio.get_running_loop().time() - begun)
            self._strikes.pop(note.ref, None)
            call.put(_answered(service, note.ref, status, after))

    def _hung(self, call: _Call, service: Service, ref: int) -> Result:
        """One that hangs while others of its service answer is given up in the end; where all hang, none is to blame."""
        service.trouble("timeout")
        if service in call.answering:
            self._strikes[ref] = self._strikes.pop(ref, 0) + 1
            while len(self._strikes) > STRIKES_KEPT:
                self._strikes.popitem(last=False)
            if self._strikes[ref] >= STRIKES:
                return Result(ref, FAILED, "timeout")
        return Result(ref, RETRY, "timeout", unsure=True)

    # -- the loop ------------------------------------------------------------------------------------------
    def _submit(self, call: _Call, notes: Sequence[Note]) -> Future[None]:
        with self._starting:
            if self._loop is None:
                loop, ready = asyncio.new_event_loop(), threading.Event()
                self._thread = threading.Thread(target=self._live, args=(loop, ready), name="webpush", daemon=True)
                self._thread.start()
                ready.wait()
                self._loop = loop
            return asyncio.run_coroutine_threadsafe(self._run(call, notes), self._loop)

    def _live(self, loop: asyncio.AbstractEventLoop, ready: threading.Event) -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(self._begin())
        ready.set()
        loop.run_forever()

    async def _begin(self) -> None:
        trust = ssl.create_default_context()
        trust.load_verify_locations(certifi.where())
        connector = aiohttp.TCPConnector(limit=self._places, ssl=trust, ttl_dns_cache=60,
                                         resolver=services.OpenNetwork(services.own_hosts(self._services)))
        self._total = asyncio.Semaphore(self._places)
        self._http = aiohttp.ClientSession(
            connector=connector, trust_env=True, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=self._timeout), headers={"User-Agent": "anlan"})

    async def _end(self) -> None:
        await self._http.close()


class _Call:
    """One call of `send`. `put` and `heard` count from two threads, each from one of them only."""

    def __init__(self, payload: bytes, expires_at: datetime, headers: dict[str, str]) -> None:
        self.payload, self.expires_at, self.headers = payload, expires_at, headers
        self.results: SimpleQueue[Result] = SimpleQueue()
        self.stopped = False
        self.heard = self._told = 0
        self.slowest = 0.0  # seconds of the slowest answer so far
        self.answering: set[Service] = set()

    def put(self, result: Result) -> None:
        self._told += 1
        self.results.put(result)

    @property
    def unheard(self) -> int:
        return self._told - self.heard

    def learn(self, service: Service, seconds: float) -> None:
        self.answering.add(service)
        self.slowest = max(self.slowest, seconds)

    def grace(self, timeout: float) -> float:
        return min(timeout, max(GRACE, 4 * self.slowest)) if self.slowest else timeout + STEP

    def ttl(self) -> int:
        return max(1, min(LONGEST_TTL, int((self.expires_at - utcnow()).total_seconds())))


def _answered(service: Service, ref: int, status: int, after: float | None) -> Result:
    code = str(status)
    if status == 429 or (status == 503 and after is not None):
        service.busy(after)
        return Result(ref, RETRY, code, after)
    if status >= 500 or status == 408:
        service.trouble(code)
        return Result(ref, RETRY, code)
    service.fine()
    if 200 <= status < 300:
        return Result(ref, ACCEPTED)
    return Result(ref, GONE if status in (404, 410) else FAILED, code)
