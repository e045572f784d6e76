"""What both ends of an MQTT link share: reading the broker's URL, and a client that is set up the same way.

MQTT 3.1.1, because the demonstration's embedded broker speaks no other.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

CONNECT_SECONDS = 5.0
KEEPALIVE_SECONDS = 20
_PORTS = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is and as whom to sign in; the password is never shown."""

    host: str
    port: int
    tls: bool
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str) -> Broker:
        """Read `mqtt://user:password@host:1883` or `mqtts://…`. Raises ValueError (without the password)."""
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname:
            raise ValueError("a broker is given as mqtt://host:1883 or mqtts://user:password@host:8883")
        return cls(parts.hostname, parts.port or _PORTS[parts.scheme], parts.scheme == "mqtts",
                   unquote(parts.username) if parts.username else None,
                   unquote(parts.password) if parts.password else None)

    def __str__(self) -> str:
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}"


def make_client(broker: Broker, client_id: str, *, clean: bool, reconnect: bool, in_flight: int) -> paho.Client:
    """A client that is not connected yet; `clean`: the broker forgets it when it goes."""
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=clean,
                         protocol=paho.MQTTv311, reconnect_on_failure=reconnect)
    client.connect_timeout = CONNECT_SECONDS
    client.max_inflight_messages_set(in_flight)
    if broker.user is not None:
        client.username_pw_set(broker.user, broker.password)
    if broker.tls:
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        client.tls_set_context(context)
    return client
