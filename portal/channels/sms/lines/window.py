"""How many hand-overs are in flight: few at first, more while the carrier bears it, fewer when it does not."""

from __future__ import annotations

START = 16
STEP, SHARE = 8, 0.1  # added for each full window of answers once it has been too many: so many, or so much of itself if more
EASED = 0.7  # what is left of the window after a refusal or a silence
SLOWED = 0.85  # and when answers take much longer than they did
RISING = 3.0  # times the best latency of the last minute, and beyond that by:
RISING_BY = 0.25  # seconds; less may be our own loop
ACCEPTS = 1.25  # times the best latency, at each reduction for slowness
CALM = 0.5  # seconds between two reductions
PERIOD, PERIODS = 10.0, 6  # the best latency is looked for in so many periods of so many seconds


class Window:
    """Additive increase, multiplicative decrease; doubles with each round of answers until the first trouble. A `steady` one is
    as large as it may be from the beginning, and stays so."""

    def __init__(self, most: int, *, steady: bool = False) -> None:
        self._most, self._steady = float(most), steady
        self._size = float(most if steady else min(START, most))
        self._doubling = True
        self._eased_at = -CALM
        self._best: list[float] = []  # of each period
        self._period_ends = 0.0
        self.latency = 0.0  # seconds, smoothed

    @property
    def size(self) -> int:
        return max(1, int(self._size))

    def learn(self, now: float, answers: int, mean: float, full: bool) -> None:
        """`answers` came since the last call, after `mean` seconds each; `full`: more would have begun than the window let."""
        if not answers:
            return
        self._measure(now, mean)
        if self.latency > self._best_latency() * RISING + RISING_BY and self._size > START:
            if self._ease(now, SLOWED):
                # Where fewer in flight are no faster, the slowness is not our doing: then it soon counts as normal.
                self._best = [best * ACCEPTS for best in self._best]
        elif full:
            self._size = min(self._most, self._size + answers * (1.0 if self._doubling else max(SHARE, STEP / self._size)))

    def too_many(self, now: float, began: float) -> None:
        """A hand-over that was begun at `began` was refused for now, or not answered. Those that were begun before the window
        was made smaller say nothing new."""
        if began >= self._eased_at:
            self._ease(now, EASED)

    def _ease(self, now: float, factor: float) -> bool:
        if now - self._eased_at < CALM or self._steady:
            return False
        self._size = max(1.0, self._size * factor)
        self._doubling = False
        self._eased_at = now
        return True

    def _measure(self, now: float, mean: float) -> None:
        self.latency += (mean - self.latency) * (0.3 if self.latency else 1.0)
        if now >= self._period_ends:
            self._period_ends = now + PERIOD
            self._best = [*self._best[1 - PERIODS :], mean]
        else:
            self._best[-1] = min(self._best[-1], mean)

    def _best_latency(self) -> float:
        return min(self._best)
