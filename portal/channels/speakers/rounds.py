"""Who has not answered yet: one round is one call of a command to its devices."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from portal.channels.speakers.bridge import REFUSED, Answer, Device


class Round:
    """The devices of one call that have not answered. All of it is guarded by the lock of its :class:`Rounds`."""

    def __init__(self, changed: threading.Condition, devices: Sequence[Device]) -> None:
        self._changed = changed
        self.waiting: dict[str, Device] = {device.address: device for device in devices}
        self.refusals: dict[str, str] = {}
        self.published: set[str] = set()
        self._answered: list[tuple[Device, Answer]] = []
        self._sent: deque[float] = deque()
        self._heard = 0

    def take(self, answer: Answer) -> None:
        """Under the lock: the first answer of a device that waits settles it, a refusal only explains its silence
        (somebody may have replayed another device's command to it)."""
        if answer.address not in self.waiting:
            return
        if answer.status == REFUSED:
            self.refusals[answer.address] = answer.code
            return
        self._answered.append((self.waiting.pop(answer.address), answer))
        self._heard += 1

    def settle(self) -> list[tuple[Device, Answer]]:
        """The devices that have answered since the last call."""
        with self._changed:
            answered, self._answered = self._answered, []
            return answered

    def close(self) -> tuple[list[tuple[Device, Answer]], list[Device]]:
        """What has not been settled yet, and who stayed silent; nothing is taken afterwards."""
        with self._changed:
            answered, silent = self._answered, list(self.waiting.values())
            self._answered, self.waiting = [], {}
            return answered, silent

    def remaining(self) -> list[Device]:
        with self._changed:
            return list(self.waiting.values())

    def any_of(self, devices: Sequence[Device]) -> bool:
        with self._changed:
            return any(device.address in self.waiting for device in devices)

    def sent(self, at: float) -> None:
        self._sent.append(at)

    def outstanding(self, since: float) -> int:
        """How many publications after `since` may still be on their way."""
        while self._sent and self._sent[0] < since:
            self._sent.popleft()
        with self._changed:
            heard, self._heard = self._heard, 0
        for _ in range(min(heard, len(self._sent))):
            self._sent.popleft()
        return len(self._sent)

    def wait(self, seconds: float) -> None:
        """Until something changes, at most so long."""
        with self._changed:
            if not self._answered:
                self._changed.wait(seconds)


class Rounds:
    """The rounds of all calls in progress, found by the id of their command."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._open: dict[str, list[Round]] = {}

    @contextmanager
    def open(self, command_id: str, devices: Sequence[Device]) -> Iterator[Round]:
        round_ = Round(self._changed, devices)
        with self._changed:
            self._open.setdefault(command_id, []).append(round_)
        try:
            yield round_
        finally:
            with self._changed:
                self._open[command_id].remove(round_)
                if not self._open[command_id]:
                    del self._open[command_id]

    def heard(self, answer: Answer) -> None:
        """An answer came. One without a command (its signature was bad) concerns every round of its device."""
        with self._changed:
            rounds = (self._open.get(answer.command_id, ()) if answer.command_id
                      else [r for rounds in self._open.values() for r in rounds])
            for round_ in rounds:
                round_.take(answer)
            self._changed.notify_all()

    def wake(self) -> None:
        with self._changed:
            self._changed.notify_all()
