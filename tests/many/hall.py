"""Where machines stand: the servers on their network, and processes that are begun on them."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kombu import Connection

from portal.config import Settings
from portal.dispatch.many import broker
from tests import rabbitmq
from tests.faults.cluster import Cluster
from tests.faults.nursery import Nursery
from tests.many.machines import Machine
from tests.sms.conftest import ACCOUNT, SERVICE, TOKEN
from tests.waiting import until

#: What one process may send twice when it is killed or cut off.
MOST_DOUBLED = 60
LEASE_SECONDS = 3


@dataclass
class Hall:
    """Where the machines stand: the servers, and what begins processes on machines."""

    address: str
    machines: Sequence[Machine]
    broker: rabbitmq.RabbitMQ
    nursery: Nursery
    directory: Path
    database: Cluster | None = None
    processes: list[Process] = field(default_factory=list)

    def settings(self, **more: object) -> Settings:
        assert self.database is not None
        return Settings(**({
            "instance": self.directory / "instance", "database_url": self.database.prefix + "many", "secret_key": "many " * 10,
            "phone_key": "ab" * 32, "public_url": "http://localhost"} | more))

    def begin(self, command: str, machine: Machine, carrier_port: int, *, patched: dict[str, float] | None = None) -> Process:
        """`patched`: see the nursery's."""
        assert self.database is not None
        database, port = machine.door(self.database.port)
        broker_host, broker_port = machine.door(self.broker.port)
        texts, texts_port = machine.door(carrier_port)
        environment = {
            "PATH": os.environ["PATH"], "HOME": str(self.directory), "LC_ALL": "C.UTF-8",
            "ANLAN_DATABASE_URL": f"postgresql+psycopg://postgres@{database}:{port}/many",
            "ANLAN_BROKER_URL": f"amqp://{rabbitmq.USER}:{rabbitmq.PASSWORD}@{broker_host}:{broker_port}//",
            "ANLAN_INSTANCE": str(self.directory / "instance"), "ANLAN_SECRET_KEY": "many " * 10, "ANLAN_PHONE_KEY": "ab" * 32,
            "ANLAN_SMS_PROVIDER": "twilio", "ANLAN_TWILIO_ACCOUNT_SID": ACCOUNT, "ANLAN_TWILIO_AUTH_TOKEN": TOKEN,
            "ANLAN_TWILIO_MESSAGING_SERVICE_SID": SERVICE, "ANLAN_TWILIO_API_URL": f"http://{texts}:{texts_port}",
            "ANLAN_TWILIO_TIMEOUT": "3", "ANLAN_BATCH_SIZE": "150", "ANLAN_FLUSH_SIZE": "40",
            "ANLAN_MAX_IN_FLIGHT": "8", "ANLAN_MOST_DOUBLED": str(MOST_DOUBLED), "ANLAN_LEASE_SECONDS": str(LEASE_SECONDS),
            "ANLAN_RETRY_SECONDS": "0.5", "ANLAN_PUSH_SERVICES": "", "OPENBLAS_NUM_THREADS": "1",
        }
        process = Process(self, command, environment, machine, patched or {})
        self.processes.append(process)
        return process

    def listeners(self) -> int:
        """How many workers hear the broker."""
        asked = Connection(self.broker.url, connect_timeout=3, transport_options={"read_timeout": 3})
        with contextlib.suppress(OSError, *asked.connection_errors, *asked.channel_errors), asked:
            return broker.lane_queue(0)(asked.default_channel).queue_declare(passive=True).consumer_count
        return 0  # there is no broker, or nobody has yet made the queue


class Process:
    """An `anlan` command on a machine."""

    def __init__(self, hall: Hall, command: str, environment: dict[str, str], machine: Machine,
                 patched: dict[str, float]) -> None:
        self.output = hall.directory / f"{len(hall.processes)}-{command}.log"
        self._nursery = hall.nursery
        self.pid = hall.nursery.start([command], environment, self.output, machine.namespace, patched)

    @property
    def running(self) -> bool:
        return self._nursery.ended(self.pid) is None

    @property
    def said(self) -> str:
        return self.output.read_text(errors="replace") if self.output.exists() else ""

    def works(self) -> bool:
        assert self.running, self.said[-3000:]
        return "is running" in self.said

    def signal(self, number: int) -> None:
        if self.running:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        until(lambda: not self.running, "the process is gone", 20)
