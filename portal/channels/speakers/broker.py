"""The broker of the demonstration: amqtt in a thread of its own, on loopback only, for anybody on this machine.

In production the broker is mosquitto or another with accounts and TLS (`ANLAN_MQTT_URL`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading

START_SECONDS = 15.0
STOP_SECONDS = 10.0
GOODBYE_SECONDS = 3.0
HOST = "127.0.0.1"


class EmbeddedBroker:
    """`start()` gives the URL; `port` 0 takes a free one."""

    def __init__(self, port: int = 0) -> None:
        self._port = port
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: asyncio.Event | None = None
        self._ready = threading.Event()
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> str:
        """The broker's URL once it listens. Raises RuntimeError when it does not within START_SECONDS."""
        # Its own log tells of every packet and of every client that leaves.
        for name in ("amqtt", "transitions"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._port = self._port or _free_port()
        self._thread = threading.Thread(target=self._run, name="mqtt-broker", daemon=True)
        self._thread.start()
        if not self._ready.wait(START_SECONDS):
            self.stop()
            raise RuntimeError("the embedded MQTT broker did not start in time")
        if self._error is not None:
            raise RuntimeError(f"the embedded MQTT broker cannot listen on {HOST}:{self._port}: {self._error}")
        return f"mqtt://{HOST}:{self._port}"

    def stop(self) -> None:
        """Disconnect everybody and end the thread."""
        if self._loop is not None and self._end is not None and self._thread is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end.set)
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        loop = asyncio.new_event_loop()
        try:
            loop.run_until_complete(self._serve())
        except Exception as error:
            self._error = error
            if self._ready.is_set():
                logging.getLogger(__name__).exception("the embedded MQTT broker has failed")
            self._ready.set()
        finally:
            loop.run_until_complete(_let_go())
            loop.close()

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        broker = _broker_class()({"listeners": {"default": {"type": "tcp", "bind": f"{HOST}:{self._port}", "max_connections": 0}},
                         "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}})
        await broker.start()
        self._ready.set()
        await self._end.wait()
        with contextlib.suppress(TimeoutError):  # with clients that are just leaving, amqtt sometimes waits for ever
            await asyncio.wait_for(broker.shutdown(), GOODBYE_SECONDS)


async def _let_go() -> None:
    """Cancel what is left on the loop, and wait for it a moment."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left, timeout=GOODBYE_SECONDS)


def _broker_class() -> type:
    # amqtt takes half a second to import, and only the demonstration needs it.
    from amqtt.broker import Broker

    class ManyHornsBroker(Broker):
        """amqtt, mended where it matters with hundreds of clients."""

        async def _publish_retained_messages_for_subscription(self, subscription, session):
            # amqtt gives each newcomer what is retained for everybody's subscriptions: every state of every horn to
            # every other horn. Only its own are its business.
            if any(own is session for own, _ in self._subscriptions.get(subscription[0], ())):
                await super()._publish_retained_messages_for_subscription(subscription, session)

    return ManyHornsBroker


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        return sock.getsockname()[1]
