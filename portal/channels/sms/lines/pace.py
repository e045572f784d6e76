"""How fast hand-overs may begin: a token bucket in messages or segments a second, and what "too many" teaches beside it."""

from __future__ import annotations

#: Seconds of the rate that may be let out at once after a pause: as short as a loop's turn, so that a second never has more.
BURST = 0.05
#: What is learned from the first refusal, when little is known of what the carrier bears, and at least from all: units a second.
FIRST, SLOWEST = 20.0, 1.0
EASED = 0.8  # of the speed that was too much
#: How much of itself the learned rate grows by in a second: so much for each second since the last refusal, to the fastest; and
#: that at once after the first. Near the carrier's limit it feels its way; after a storm of refusals it is soon back.
GROWTH, FASTEST_GROWTH = 0.1, 1.5
NO_LIMIT = 1 << 30


class Pace:
    """`rate`: units a second, 0 for no limit. All times are seconds of one steady clock.

    What is taken may go one hand-over into debt, so that a text of many segments goes out at all; the next waits for it.
    """

    def __init__(self, rate: float = 0.0) -> None:
        self.rate = rate
        self.learned = 0.0  # 0: the carrier has refused nothing
        self._tokens, self._filled = 1.0, 0.0
        self.cost = 1.0  # of the last hand-over
        self._grown = self._refused = 0.0
        self._finding = False

    @property
    def limit(self) -> float:
        """Units a second at present, 0 for no limit."""
        if self.learned and self.rate:
            return min(self.learned, self.rate)
        return self.learned or self.rate

    def room(self, now: float) -> int:
        """How many hand-overs of the last one's cost may begin now."""
        limit = self.limit
        if not limit:
            return NO_LIMIT
        self._fill(now, limit)
        return max(1, int(self._tokens / self.cost)) if self._tokens >= 1 else 0

    def take(self, cost: float) -> None:
        """One hand-over begins."""
        self.cost = cost
        if self.rate or self.learned:
            self._tokens -= cost

    def wait(self, now: float) -> float:
        """Seconds until the next may begin."""
        limit = self.limit
        if not limit:
            return 0.0
        self._fill(now, limit)
        return max(0.0, (1 - self._tokens) / limit)

    def too_many(self, now: float, speed: float) -> None:
        """The carrier refused while it took so many units a second: go on slower than both that and what was allowed, and from
        there faster again."""
        limit = self.limit
        self._tokens = min(self._tokens, 1.0) if limit else 0.0
        self._finding = not self.learned
        if self._finding:
            self.learned = max(FIRST, speed) if not limit else min(limit * EASED, max(FIRST, speed))
        else:
            self.learned = max(SLOWEST, min(limit, 2 * max(speed, SLOWEST)) * EASED)  # it may have been allowed more than it used
        if self.rate:
            self.learned = min(self.learned, self.rate)
        self._grown = self._refused = self._filled = now

    def _fill(self, now: float, limit: float) -> None:
        if now > self._filled:
            self._tokens = min(max(1.0, limit * BURST), self._tokens + (now - self._filled) * limit)
            self._filled = now
        if self.learned and now > self._grown:
            growth = FASTEST_GROWTH if self._finding else min(FASTEST_GROWTH, GROWTH * (now - self._refused))
            self.learned *= 1 + growth * min(1.0, now - self._grown)
            self._grown = now
            if self.learned > NO_LIMIT:
                self.learned = 0.0
