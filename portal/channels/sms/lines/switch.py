"""Which line the next message goes over: shares by weight, spread evenly, that fall with errors and slowness and drift back."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from portal.channels.sms.lines.line import CLOSED, Line

LOOK = 0.25  # seconds between two looks at how lines do
LEAST = 0.02  # of its weight that a line keeps, so that it is seen when it is well again
DRIFT = 0.1  # of the way to what a line deserves, at each look, upwards; downwards it goes at once
SLOW = 0.5  # seconds until an answer, beyond which a line loses weight
LONG_PAUSE = 5.0  # seconds of a pause that a message which belongs to a line does not wait for


class Switch:
    """Lives in the loop's thread, as the lines do."""

    def __init__(self, lines: Sequence[Line], clock: Callable[[], float] = time.monotonic) -> None:
        if not lines:
            raise ValueError("there is no line")
        self.lines = list(lines)
        self._only = self.lines[0] if len(self.lines) == 1 else None
        self._clock = clock
        self._shares = {line.name: line.weight for line in self.lines}
        self._current = dict.fromkeys(self._shares, 0.0)
        self._up = dict.fromkeys(self._shares, True)
        self._by_name = {line.name: line for line in self.lines}
        self._looked = clock()

    def pick(self, preferred: str) -> Line | None:
        """The line for one message, or None where none has room. `preferred` names the line that carried an earlier message to
        the same person: as long as it is up it is waited for."""
        if self._only is not None:
            return self._only if self._only.room() > 0 else None
        now = self._clock()
        if now - self._looked >= LOOK:
            self._look(now)
        if preferred and (line := self._by_name.get(preferred)) is not None:
            if line.room() > 0:
                return line
            if self._up[preferred]:
                return None
        best: Line | None = None
        total = 0.0
        current = self._current
        for line in self.lines:
            if line.room() <= 0:
                continue
            share = self._shares[line.name]
            total += share
            current[line.name] += share
            if best is None or current[line.name] > current[best.name]:
                best = line
        if best is not None:
            current[best.name] -= total
        return best

    def shares(self) -> dict[str, float]:
        """Each line's part of the whole as it is now; their sum is 1."""
        self._look(self._clock())
        total = sum(self._shares.values())
        return {name: share / total for name, share in self._shares.items()}

    def _look(self, now: float) -> None:
        part = min(1.0, DRIFT * (now - self._looked) / LOOK)
        self._looked = now
        for line in self.lines:
            state = line.state()
            was_up, up = self._up[line.name], state.circuit == CLOSED and state.pause <= LONG_PAUSE
            self._up[line.name] = up
            deserved = line.weight * max(LEAST, _worth(up, state.troubles, state.latency))
            share = self._shares[line.name]
            self._shares[line.name] = deserved if deserved < share else share + (deserved - share) * part
            if up and not was_up:
                self._current[line.name] = 0.0  # it owes nothing for the time in which it was away
            if (governor := getattr(line, "governor", None)) is not None:
                governor.effective_weight = self._shares[line.name]


def _worth(up: bool, troubles: float, latency: float) -> float:
    """Between 0 and 1: how much of its weight a line deserves."""
    if not up:
        return 0.0
    return (1 - troubles) ** 2 * min(1.0, SLOW / latency if latency else 1.0)
