"""The mind of a horn, without its mouth and ears: what it does with a command, as a machine that does no input or
output of its own. The reference device and the simulated ones both put it to work.

Rules: an order is obeyed once, whatever is repeated, doubled or delivered in another order. Emergencies come before
exercises of any tier, then the higher tier, then the earlier start. A higher one cuts a lower one off: an emergency waits and is
played again from its beginning until its own expiry (half a sentence warns nobody), an exercise ends. A stop that
overtakes what it stops is remembered. Nothing sounds after its expiry.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from portal.channels.speakers import protocol
from portal.channels.speakers.bridge import (
    EXPIRED,
    FAILED,
    FINISHED,
    HEARD,
    PLAYING,
    PREEMPTED,
    REFUSED,
    STOP,
    STOPPED,
    TEST,
    Answer,
    Command,
)
from portal.channels.speakers.memory import Memory, Taken
from portal.channels.speakers.protocol import CLOCK_SKEW, Order, Refused
from portal.config import TIERS

#: Orders that wait at most; a further one is refused (`busy`), or pushes out the lowest when it is higher.
MAX_WAITING = 16
#: Restarts in the middle of one order after which it is given up: it may be what brings the device down.
MAX_CRASHES = 3


@dataclass(frozen=True, slots=True)
class Say:
    """Publish this answer."""

    answer: Answer


@dataclass(frozen=True, slots=True)
class Play:
    """Begin to play; `token` comes back in :meth:`Horn.ended`."""

    token: int
    command: Command


@dataclass(frozen=True, slots=True)
class Silence:
    """Stop what is playing, at once."""


Effect = Say | Play | Silence


def _urgency(command: Command) -> tuple[bool, int]:
    return (not command.exercise and command.action != TEST, -1 if command.action == TEST else TIERS.index(command.tier))


def _class_of(command: Command) -> str:
    return "exercise" if command.exercise else "emergency"


class Horn:
    """One device. Each method returns what is to be done, in that order; `memory` is to be saved before, when dirty."""

    def __init__(self, address: str, key: Ed25519PublicKey, memory: Memory, now: datetime) -> None:
        self.address, self.memory = address, memory
        self.refused = 0
        self.last_command = ""
        self.playing: str | None = None
        self._key = key
        self._token = 0
        self._orders: dict[str, Order] = {}
        self._effects: list[Effect] = []
        self._wake(now)

    @property
    def last_word(self) -> tuple[str, str, str]:
        """The newest order, and what became of it: (id, status, code). It goes with every state, so that an answer which
        nobody could hear, as while a broker was away, is told again."""
        taken = self.memory.taken.get(self.last_command)
        return (self.last_command, taken.status, taken.code) if taken else (self.last_command, "", "")

    def _wake(self, now: datetime) -> None:
        """After a restart: take up again what was not finished."""
        for command_id, taken in self.memory.taken.items():
            if taken.finished:
                continue
            try:
                self._orders[command_id] = protocol.decode(taken.payload.encode(), self._key)
            except Refused:  # the portal's key was changed meanwhile: what the old key ordered is void
                self._close(command_id, FAILED, "key", now)
                continue
            if taken.status == PLAYING:
                taken.crashes += 1
                taken.status, taken.code = HEARD, "restarted"
                self.memory.dirty = True
                if taken.crashes > MAX_CRASHES:
                    self._close(command_id, FAILED, "restarts", now)

    # -- what happens to it ------------------------------------------------------------------------
    def receive(self, payload: bytes, now: datetime) -> list[Effect]:
        """Something arrived on the horn's command topic."""
        now = max(now, self.memory.clock)
        try:
            order = protocol.decode(payload, self._key)
        except Refused as refusal:
            self._refuse("", refusal.code, now)  # its id is not to be believed either
        else:
            self._take(order, payload, now)
        return self._advance(now)

    def ended(self, token: int, code: str, now: datetime) -> list[Effect]:
        """The player has finished what it began under `token`; `code` is empty, or says why it failed."""
        now = max(now, self.memory.clock)
        if self.playing is not None and token == self._token:
            self._close(self.playing, FAILED if code else FINISHED, code, now)
        return self._advance(now)

    def tick(self, now: datetime) -> list[Effect]:
        """Time has passed: start what is due, end what has expired."""
        return self._advance(max(now, self.memory.clock))

    def next_due(self, now: datetime) -> datetime | None:
        """When :meth:`tick` is needed next, should nothing else happen."""
        moments = [order.command.expires_at for order in self._orders.values()]
        moments += [order.command.start_at for order in self._orders.values() if order.command.start_at > now]
        return min(moments, default=None)

    # -- taking orders -----------------------------------------------------------------------------
    def _take(self, order: Order, payload: bytes, now: datetime) -> None:
        command, memory = order.command, self.memory
        if order.address != self.address:
            return self._refuse(command.id, "address", now)
        if command.id in memory.taken:
            return self._repeat(command.id, order.number, now)
        if command.issued_at > now + CLOCK_SKEW:
            return self._refuse(command.id, "clock", now)
        if command.expires_at <= now:
            return self._say(command.id, EXPIRED, "late", now)
        if order.number <= memory.floor:
            return self._refuse(command.id, "old", now)
        memory.clock = max(memory.clock, command.issued_at)
        self.last_command = command.id
        if command.action == STOP:
            return self._obey_stop(order, now)
        if command.id in memory.stopped or self._stopped_before(command):
            self._remember(order, "", now)
            return self._close(command.id, STOPPED, "earlier", now)
        if command.start_at <= now:
            self._apply_stops(order, now)
        if not self._make_room(command, now):
            return self._refuse(command.id, "busy", now)
        self._remember(order, payload.decode(), now)
        self._orders[command.id] = order
        memory.taken[command.id].stops_done = command.start_at <= now
        return None

    def _remember(self, order: Order, payload: str, now: datetime) -> None:
        self.memory.taken[order.command.id] = Taken(order.number, order.command.expires_at, HEARD, "", now, payload)
        self.memory.forget()
        self.memory.dirty = True
        self._say(order.command.id, HEARD, "", now)

    def _repeat(self, command_id: str, number: int, now: datetime) -> None:
        """The portal has not heard us: say again what became of it, and do nothing again."""
        taken = self.memory.taken[command_id]
        if number > taken.number:
            taken.number, self.memory.dirty = number, True
        self._say(command_id, HEARD, "again", now)
        if taken.status != HEARD:
            self._say(command_id, taken.status, taken.code, taken.at)

    def _obey_stop(self, order: Order, now: datetime) -> None:
        command = order.command
        self._remember(order, "", now)
        self._apply_stops(order, now)
        if not command.stops:
            for kind in ("exercise",) if command.exercise else ("exercise", "emergency"):
                since = self.memory.stopped_before.get(kind)
                self.memory.stopped_before[kind] = max(since, command.issued_at) if since else command.issued_at
            for command_id, other in list(self._orders.items()):
                if self._stopped_before(other.command):
                    self._close(command_id, STOPPED, command.id, now)
        self._close(command.id, FINISHED, "", now)

    def _stopped_before(self, command: Command) -> bool:
        since = self.memory.stopped_before.get(_class_of(command))
        return since is not None and command.issued_at <= since

    def _apply_stops(self, order: Order, now: datetime) -> None:
        for command_id in order.command.stops:
            if command_id == order.command.id:
                continue
            self.memory.stopped[command_id] = max(order.number, self.memory.stopped.get(command_id, 0))
            self.memory.dirty = True
            if command_id in self._orders:
                self._close(command_id, STOPPED, order.command.id, now)
        self.memory.forget()

    def _make_room(self, command: Command, now: datetime) -> bool:
        if len(self._orders) <= MAX_WAITING:
            return True
        lowest = min((o.command for i, o in self._orders.items() if i != self.playing),
                     key=lambda c: (_urgency(c), -c.start_at.timestamp()))
        if _urgency(lowest) >= _urgency(command):
            return False
        self._close(lowest.id, FAILED, "busy", now)
        return True

    # -- sounding ----------------------------------------------------------------------------------
    def _advance(self, now: datetime) -> list[Effect]:
        for command_id, order in list(self._orders.items()):
            if order.command.expires_at <= now:
                self._close(command_id, EXPIRED, "", now)
        for command_id, order in list(self._orders.items()):
            taken = self.memory.taken[command_id]
            if command_id in self._orders and not taken.stops_done and order.command.start_at <= now:
                taken.stops_done = True
                self._apply_stops(order, now)
        due = [order for order in self._orders.values() if order.command.start_at <= now]
        if due:
            first = min(due, key=lambda o: ([-int(u) for u in _urgency(o.command)], o.command.start_at, o.number))
            current = self._orders[self.playing].command if self.playing else None
            if current is None or _urgency(first.command) > _urgency(current):
                self._begin(first.command, current, now)
        effects, self._effects = self._effects, []
        return effects

    def _begin(self, command: Command, current: Command | None, now: datetime) -> None:
        if current is not None:
            self._effects.append(Silence())
            self.playing = None
            if current.exercise:
                self._close(current.id, PREEMPTED, command.id, now)
            else:
                self._mark(current.id, PREEMPTED, command.id, now)
        self._token += 1
        self.playing = command.id
        self._mark(command.id, PLAYING, "", now)
        self._effects.append(Play(self._token, command))

    def _close(self, command_id: str, status: str, code: str, now: datetime) -> None:
        """The last word on an order: it will not sound (again)."""
        if self.playing == command_id:
            self.playing = None
            if status not in (FINISHED, FAILED):
                self._effects.append(Silence())
        self._orders.pop(command_id, None)
        self.memory.taken[command_id].payload = ""
        self._mark(command_id, status, code, now)

    def _mark(self, command_id: str, status: str, code: str, now: datetime) -> None:
        taken = self.memory.taken[command_id]
        taken.status, taken.code, taken.at = status, code, now
        self.memory.dirty = True
        self._say(command_id, status, code, now)

    def _refuse(self, command_id: str, code: str, now: datetime) -> None:
        self.refused += 1
        self._say(command_id, REFUSED, code, now)

    def _say(self, command_id: str, status: str, code: str, now: datetime) -> None:
        self._effects.append(Say(Answer(command_id, self.address, status, code, now)))
