"""The wire form of what the portal and its horns say to each other over MQTT.

A command is JSON in one canonical form (sorted keys, no spaces, UTF-8) for one addressed device, signed with Ed25519
(RFC 8032). Bytes that are not exactly what the portal would write are refused before anything else is looked at, so
no byte of a command can be changed on the way. The portal alone holds the private key; a device that is stolen and
opened gives away nothing that could command another.

`number` grows with every publication of this portal (microseconds of its clock), also when the same command is sent
again: the id says "the same order", the number says "newer than what you forgot". Answers and states are not
signed: the broker's accounts and TLS vouch for them, and they order nobody to do anything.
"""

from __future__ import annotations

import json
import re
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from portal.channels.speakers.bridge import ANSWERS, START, STOP, TEST, Answer, Command, State

VERSION = 1
#: A device's clock may be this far behind the portal's before a command counts as coming from the future.
CLOCK_SKEW = timedelta(minutes=5)
MAX_BYTES = 64 * 1024
MAX_TEXT = 4000
MAX_STOPS = 500
MAX_REPEATS = 20
#: Longest time from issue to expiry that a device believes: longer than any warning, so a slip of the pen is refused.
MAX_LIFE = timedelta(days=60)

_CONTEXT = b"anlan horn command 1\0"  # a signature made for another purpose is never a command
_ADDRESS = re.compile(r"[A-Za-z0-9_.\-]{1,64}\Z", re.ASCII)
_TIERS = ("white", "blue", "yellow", "orange", "red")
_CLASSES = {"exercise": True, "emergency": False}


class Refused(Exception):
    """A payload that is not the portal's command; `code` is size, form, or signature."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


@dataclass(frozen=True, slots=True)
class Order:
    """A command as one device gets it."""

    command: Command
    number: int
    address: str


class Numbers:
    """Strictly growing numbers: microseconds of the clock, or one more than the last. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def next(self) -> int:
        with self._lock:
            self._last = max(self._last + 1, time.time_ns() // 1000)
            return self._last


def number_at(moment: datetime) -> int:
    """The number that a publication at `moment` has."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def is_address(text: str) -> bool:
    """Whether `text` can address a device: 1 to 64 letters, digits, `_`, `.`, `-` (it becomes part of a topic)."""
    return bool(_ADDRESS.match(text))


def topic_of(prefix: str, address: str, kind: str) -> str:
    """The topic of a device; `kind` is command, answer or state; `+` addresses all."""
    return f"{prefix}/speaker/{address}/{kind}"


def address_in(prefix: str, topic: str) -> tuple[str, str] | None:
    """(address, kind) in a topic; None when it is not one of a device."""
    head = f"{prefix}/speaker/"
    parts = topic[len(head):].split("/") if topic.startswith(head) else []
    return (parts[0], parts[1]) if len(parts) == 2 and is_address(parts[0]) else None


def _canonical(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _moment(text: Any) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return moment.astimezone(UTC)


def encode(command: Command, number: int, address: str, key: Ed25519PrivateKey) -> bytes:
    """The signed bytes of `command` for the device at `address`. Raises ValueError for what no device would take."""
    body = {
        "v": VERSION, "id": command.id, "number": number, "address": address, "action": command.action,
        "class": "exercise" if command.exercise else "emergency", "tier": command.tier, "event": command.event_code,
        "language": command.language, "text": command.text, "repeats": command.repeats, "volume": command.volume,
        "tone": command.tone, "stops": list(command.stops), "issued_at": _time(command.issued_at),
        "start_at": _time(command.start_at), "expires_at": _time(command.expires_at),
    }
    _order(body)
    payload = _canonical({"command": body, "signature": key.sign(_CONTEXT + _canonical(body)).hex()})
    if len(payload) > MAX_BYTES:
        raise ValueError("the command is too long for a horn")
    return payload


def decode(payload: bytes, key: Ed25519PublicKey) -> Order:
    """The order in `payload`. Raises Refused when it is not exactly what the holder of the private key wrote."""
    if len(payload) > MAX_BYTES:
        raise Refused("size")
    try:
        envelope = json.loads(payload)
        body, signature = envelope["command"], bytes.fromhex(envelope["signature"])
        exact = _canonical({"command": body, "signature": signature.hex()}) == payload
        signed = _CONTEXT + _canonical(body)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise Refused("form") from error
    if not exact:
        raise Refused("form")
    try:
        key.verify(signature, signed)
    except InvalidSignature as error:
        raise Refused("signature") from error
    try:
        return _order(body)
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise Refused("form") from error


def _need(true: bool, what: str) -> None:
    if not true:
        raise ValueError(f"a horn cannot take this {what}")


def _whole(value: Any, low: int, high: int, what: str) -> int:
    _need(type(value) is int and low <= value <= high, what)
    return value


def _text(value: Any, low: int, high: int, what: str) -> str:
    _need(isinstance(value, str) and low <= len(value) <= high, what)
    return value


def _word(value: Any, longest: int) -> str:
    """What a device says freely, fit for a table and a page: a broken device must not stop the words of the others."""
    return "".join(c for c in _text(value, 0, MAX_BYTES, "word") if c.isprintable())[:longest]


def _order(body: dict[str, Any]) -> Order:
    """Read `body` with every bound checked; what a device obeys has passed here, and so has what the portal sends."""
    _need(body["v"] == VERSION, "version")
    _need(body["action"] in (START, STOP, TEST), "action")
    _need(body["tier"] in _TIERS, "tier")
    _need(body["class"] in _CLASSES, "class")
    _need(is_address(body["address"]), "address")
    stops = body["stops"]
    _need(isinstance(stops, list) and len(stops) <= MAX_STOPS, "list of stops")
    command = Command(
        id=_text(body["id"], 1, 100, "id"), action=body["action"], exercise=_CLASSES[body["class"]], tier=body["tier"],
        event_code=_text(body["event"], 0, 20, "event code"), language=_text(body["language"], 2, 16, "language"),
        text=_text(body["text"], 0, MAX_TEXT, "text"), issued_at=_moment(body["issued_at"]),
        start_at=_moment(body["start_at"]), expires_at=_moment(body["expires_at"]),
        repeats=_whole(body["repeats"], 1, MAX_REPEATS, "number of repeats"),
        volume=_whole(body["volume"], 0, 100, "volume"), tone=_text(body["tone"], 0, 20, "tone"),
        stops=tuple(_text(stop, 1, 100, "stop") for stop in stops))
    _need(command.expires_at - command.issued_at <= MAX_LIFE, "lifetime (60 days is the longest)")
    return Order(command, _whole(body["number"], 1, 2**63 - 1, "number"), body["address"])


def encode_answer(answer: Answer) -> bytes:
    return _canonical({"id": answer.command_id, "status": answer.status, "code": answer.code,
                       "at": _time(answer.device_at) if answer.device_at else None})


def decode_answer(payload: bytes, address: str) -> Answer:
    """What the device at `address` said. Raises ValueError when it cannot be read."""
    try:
        said = json.loads(payload[:MAX_BYTES])
        _need(said["status"] in ANSWERS, "status")
        return Answer(command_id=_word(said["id"], 100), address=address, status=said["status"], code=_word(said["code"], 40),
                      device_at=_moment(said["at"]) if said["at"] else None)
    except (TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError("not an answer") from error


def encode_state(state: State) -> bytes:
    return _canonical({"state": state.state, "at": _time(state.at) if state.at else None, "firmware": state.firmware,
                       "volume": state.volume, "battery": state.battery, "last": state.last_command,
                       "last_status": state.last_status, "last_code": state.last_code,
                       "refused": state.refused})


def decode_state(payload: bytes, address: str) -> State:
    """What the device at `address` said of itself. Raises ValueError when it cannot be read."""
    try:
        said = json.loads(payload[:MAX_BYTES])
        _need(said["state"] in ("online", "offline", "playing", "fault"), "state")
        return State(address, said["state"], at=_moment(said["at"]) if said["at"] else None,
                     firmware=_word(said["firmware"], 40),
                     volume=None if said["volume"] is None else _whole(said["volume"], 0, 100, "volume"),
                     battery=None if said["battery"] is None else _whole(said["battery"], 0, 100, "battery"),
                     last_command=_word(said["last"], 100), last_status=_word(said.get("last_status", ""), 12),
                     last_code=_word(said.get("last_code", ""), 40), refused=_whole(said["refused"], 0, 2**62, "count"))
    except (TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError("not a state") from error


def public_hex(key: Ed25519PrivateKey | Ed25519PublicKey) -> str:
    """The public key as 64 hexadecimal digits: what a device is given."""
    public = key.public_key() if isinstance(key, Ed25519PrivateKey) else key
    return public.public_bytes(Encoding.Raw, PublicFormat.Raw).hex()


def read_public_key(given: str) -> Ed25519PublicKey:
    """A public key given as 64 hexadecimal digits, or as a file that holds them or PEM. Raises ValueError, OSError."""
    text = given.strip() if re.fullmatch(r"[0-9A-Fa-f]{64}", given.strip()) else Path(given).read_text().strip()
    if text.startswith("-----BEGIN"):
        key = load_pem_public_key(text.encode())
        if not isinstance(key, Ed25519PublicKey):
            raise ValueError("the file holds a key of another kind; Ed25519 is needed")
        return key
    try:
        return Ed25519PublicKey.from_public_bytes(bytes.fromhex(text))
    except ValueError as error:
        raise ValueError("a public key is 64 hexadecimal digits or a PEM file") from error
