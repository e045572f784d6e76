"""What processes agree on at the broker: names of tasks, queues, and how long anything there may take.

Each lane has a quorum queue, from which one of the workers takes a ring. A stop is for all of them: it goes to a fanout, from
which each worker has a queue of its own. Nothing piles up: rings lapse, and queues drop their oldest.
"""

from __future__ import annotations

import os
import socket
import ssl
import uuid

from celery import Celery
from kombu import Exchange, Queue
from kombu.common import Broadcast

#: Lanes of real warnings, and of drills behind them.
LANES = 10
DUE, PLAN, STOP = "anlan.due", "anlan.plan", "anlan.stop"

CONNECT_SECONDS = 3.0
ANSWER_SECONDS = 3.0  # until the broker must have confirmed a ring
HEARTBEAT_SECONDS = 10
#: After a minute everybody has long looked by himself.
RING_SECONDS = 60
MOST_RINGS = 1000  # in one queue
#: A worker's own queue goes when nobody has read it for so long.
ABANDONED_SECONDS = 300

#: "server_hostname": the one that is asked for, which kombu puts in.
_TLS = {"cert_reqs": ssl.CERT_REQUIRED, "server_hostname": None, "tls_minimum_version": ssl.TLSVersion.TLSv1_2}

rings = Exchange("anlan.rings", type="direct", durable=True)
stops = Exchange("anlan.stops", type="fanout", durable=True)


def lane_queue(lane: int) -> Queue:
    return Queue(
        name_of(lane), rings, routing_key=name_of(lane), durable=True,
        queue_arguments={"x-queue-type": "quorum", "x-max-length": MOST_RINGS, "x-overflow": "drop-head",
                         "x-message-ttl": RING_SECONDS * 1000})


def name_of(lane: int) -> str:
    """The queue of a lane; what is less urgent than the last waits there."""
    return f"anlan.lane.{min(max(lane, 0), LANES - 1)}"


def stops_of_this_process() -> Queue:
    """A queue in which this process hears of stops."""
    # Durable, and gone by itself when unread: queues that are neither durable nor one connection's own are on their way out of
    # RabbitMQ, and one connection's own would be refused to a worker that comes back before the broker has missed it.
    return Broadcast(
        "anlan.stops", queue=f"anlan.stops.{socket.gethostname()[:40]}.{os.getpid()}.{uuid.uuid4().hex[:8]}", exchange=stops,
        durable=True, auto_delete=False, expires=ABANDONED_SECONDS, message_ttl=RING_SECONDS, max_length=MOST_RINGS)


def make_celery(url: str, *, listening: bool) -> Celery:
    """An application that sends rings, or also listens for them."""
    celery = Celery("anlan", broker=url, set_as_current=False)
    queues = [lane_queue(lane) for lane in range(LANES)]
    celery.conf.update(
        task_queues=[*queues, stops_of_this_process()] if listening else queues,
        task_default_queue=name_of(0),
        task_create_missing_queues=False,
        task_ignore_result=True,
        task_serializer="json",
        accept_content=["json"],
        task_send_sent_event=False,
        broker_connection_timeout=CONNECT_SECONDS,
        broker_connection_retry_on_startup=True,
        broker_heartbeat=HEARTBEAT_SECONDS if listening else 0,
        # Over TLS it must be who it says: without a word Celery looks at the certificate's chain and not at the name.
        broker_use_ssl=dict(_TLS) if url.startswith("amqps:") else False,
        broker_transport_options={"confirm_publish": True, "read_timeout": ANSWER_SECONDS, "write_timeout": ANSWER_SECONDS},
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_prefetch_multiplier=4,
    )
    return celery
