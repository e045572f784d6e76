"""Whether a line is used at all: not while it answers nothing but passing errors, or refuses our account."""

from __future__ import annotations

import random

from portal.channels.sms.lines.line import CLOSED, OPEN, TRYING

#: Passing errors in a row, over so many seconds at least: those of connections that broke at the same moment are heard one after
#: the other, before the good answers that came with them. Beyond `LONGEST_RUN` it needs no time.
RUN, SPAN, LONGEST_RUN = 12, 0.1, 100
#: Seconds until the first probe, and until each at last: a carrier that is well again shall not stand idle while people wait.
FIRST_PAUSE, REFUSED_PAUSE, LONGEST_PAUSE = 1.0, 5.0, 10.0
GROWTH = 2.0
JITTER = 0.25  # of the pause, either way: many processes shall not knock at the same moment


class Circuit:
    """All times are seconds of one steady clock. In the state TRYING one hand-over is let through at a time."""

    def __init__(self, chance: random.Random | None = None) -> None:
        self._chance = chance or random.Random()  # noqa: S311 - it spreads, it guards nothing
        self.state = CLOSED
        self.run = 0  # passing errors since the last good answer
        self.until = 0.0  # when the next probe may begin
        self._pause = self._run_began = 0.0
        self._opened_at = -1.0
        self._probing = False

    def room(self, now: float, most: int) -> int:
        """How many of `most` may begin now."""
        if self.state == CLOSED:
            return most
        if self.state == OPEN:
            if now < self.until:
                return 0
            self.state, self._probing = TRYING, False
        return 0 if self._probing else min(1, most)

    def begun(self) -> None:
        """A hand-over begins."""
        if self.state == TRYING:
            self._probing = True

    def well(self, began: float) -> bool:
        """The carrier answered sensibly, be it with a refusal of this one number; whether the circuit closes for it."""
        if began < self._opened_at:
            return False
        news = self.state != CLOSED
        self.state, self.run, self._pause, self._probing = CLOSED, 0, 0.0, False
        return news

    def trouble(self, now: float, began: float) -> bool:
        """A passing error of a hand-over that was begun at `began`; whether the circuit opens for it, which a vain probe does not
        say again. Those that were in flight when it opened say nothing new."""
        if began < self._opened_at or self.state == OPEN:
            return False
        if not self.run:
            self._run_began = now
        self.run += 1
        long = self.run >= RUN and (now - self._run_began >= SPAN or self.run >= LONGEST_RUN)
        if self.state == TRYING or long:
            return self._open(now, FIRST_PAUSE)
        return False

    def refused(self, now: float) -> bool:
        """The account or the sender is refused, which is the same for every recipient; whether that is news."""
        if self.state == OPEN:
            return False
        return self._open(now, REFUSED_PAUSE)

    def _open(self, now: float, first: float) -> bool:
        news = self.state == CLOSED
        self._pause = min(LONGEST_PAUSE, max(first, self._pause * GROWTH))
        self.state, self.run, self._opened_at, self._probing = OPEN, 0, now, False
        self.until = now + self._pause * self._chance.uniform(1 - JITTER, 1 + JITTER)
        return news
