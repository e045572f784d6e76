"""The pump: takes messages from the most urgent parcel, hands them over to lines, and hears what became of them.

It lives in the thread of one event loop. For each message it does as little as can be done, since this is done a million times.
"""

from __future__ import annotations

import asyncio
import logging
import time
from bisect import insort
from collections import deque
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from itertools import islice

from portal.channels.sms.lines.line import NOT_TAKEN, OPEN, Line
from portal.channels.sms.lines.switch import LONG_PAUSE, Switch
from portal.channels.sms.provider import ACCEPTED, OPTED_OUT, RETRY
from portal.core.clock import utcnow
from portal.dispatch.bulk.parcel import Parcel, Token
from portal.dispatch.outcomes import Row

TICK = 0.25  # seconds between looks at what is over: leases, warnings, the patience with lines that are down
LATE = 2 * TICK  # seconds since the last look after which nothing is begun before the next
PATIENCE = 3.0  # seconds for which a parcel waits for a line where none is up
SMOOTH = 0.3  # of a new rate in the smoothed one, at each tick
AHEAD_SECONDS = 0.5  # of sending that wait in this process
FEWEST_AHEAD, MOST_GUESSED = 100, 10_000
MOMENT = 0.02  # seconds, of which a rate can be told at the least
LOW = 0.5  # of what is to wait, below which more is fetched: several batches in one transaction
PAGE_SECONDS = 0.04  # of ends that are written together
MOST_NEXT = 2000
#: Seconds of silence about what is in the air, far beyond the patience of every line, after which its answers are lost.
SILENCE = 300.0

log = logging.getLogger(__name__)


class Pump:
    """`most`: messages in flight, or answered and not yet written. `inbox`: where the writer finds the parcels of which something
    came; `ring` wakes the writer, `hungry` the feeder."""

    def __init__(self, switch: Switch, *, most: int, page: int, inbox: deque[Parcel], ring: Callable[[], None],
                 hungry: Callable[[], None], clock: Callable[[], float] = time.monotonic) -> None:
        # Its own: the loop's stands still within a turn of the loop.
        self._clock = clock
        self._switch, self._most, self._page = switch, most, page
        self._least_page = page
        self._inbox, self._ring, self._hungry = inbox, ring, hungry
        self._ready: list[Parcel] = []  # with messages that wait, the most urgent first
        self.parcels: dict[int, Parcel] = {}
        self.waiting = self.in_flight = self.unsettled = 0
        self.taken = 0  # parcels, since the start
        self.accepted = self.failed = self.retried = 0
        self.rate = 0.0
        self.ahead = FEWEST_AHEAD
        self._untold = 0  # ends since the writer was last woken
        self._asked = self._stopping = self._pumping = self._soon = False
        self._seen, self._moved_at, self._looked_at = 0, 0.0, 0.0

    def open(self, loop: asyncio.AbstractEventLoop, lines: Sequence[Line]) -> None:
        self._loop, self._lines = loop, lines
        self._moved_at = self._looked_at = self._clock()
        for line in lines:
            line.open(loop, self.answered, self.pump)
        loop.call_later(TICK, self._tick)

    # -- work that comes and goes ----------------------------------------------------------------------------
    def add(self, parcel: Parcel, others: Sequence[Row]) -> None:
        """Take up a parcel, and the ends of those in it who are told nothing; in the loop's thread, as all of this."""
        self.parcels[parcel.lease.batch_id] = parcel
        self.taken += 1
        self._asked = False
        if others:
            self.unsettled += len(others)
            parcel.left -= len(others)
            parcel.ends += others
            self._list(parcel)
        if not self._ready:
            self._moved_at = self._clock()
        if self._stopping:
            parcel.back = True
            parcel.queue.clear()
        if _over(parcel, self._clock(), utcnow()):
            parcel.queue.clear()
        if parcel.queue:
            self.waiting += len(parcel.queue)
            insort(self._ready, parcel, key=lambda one: one.order)
            self.pump()
        else:
            self._end(parcel)

    def halt(self, batch_ids: Sequence[int], error: str = "") -> None:
        """Begin nothing more of these batches."""
        for batch_id in batch_ids:
            if (parcel := self.parcels.get(batch_id)) is not None:
                self._halt(parcel, error)

    def stop(self) -> None:
        """Begin nothing more at all; what is in flight is heard out."""
        self._stopping = True
        for parcel in list(self.parcels.values()):
            parcel.back = True
            self._halt(parcel)

    def written(self, n: int) -> None:
        """So many ends, of messages or of parcels, are in the database."""
        self.unsettled -= n
        self.pump()

    def renewed(self, batch_ids: Collection[int], until: float) -> None:
        """These leases hold until then, on the monotonic clock."""
        for batch_id in batch_ids:
            parcel = self.parcels.get(batch_id)
            if parcel is not None and parcel.held_until > 0:
                parcel.held_until = until

    def drop(self, leaving: Collection[tuple[int, int]]) -> None:
        """These (batch, recipient) want no more texts, as far as theirs is not on its way."""
        for batch_id, recipient in leaving:
            if (parcel := self.parcels.get(batch_id)) is None:
                continue
            token = next((one for one in parcel.queue if one[1] == recipient), None)
            if token is not None:
                parcel.queue.remove(token)
                self.waiting -= 1
                self.unsettled += 1
                parcel.left -= 1
                self._tell(parcel, (recipient, OPTED_OUT, "", "", "", token[2]))
                if not parcel.queue:
                    self._ready.remove(parcel)
                    if not parcel.in_flight:
                        self._end(parcel)

    def next_up(self, seconds: float) -> list[tuple[int, int]]:
        """(batch, recipient) of the messages that go out within so many seconds. None where it is fast: what leaves within a
        moment of its opening needs no second look."""
        n, found = int(self.rate * seconds) + FEWEST_AHEAD, list[tuple[int, int]]()
        if n > MOST_NEXT:
            return found
        for parcel in self._ready:
            found += [(parcel.lease.batch_id, token[1]) for token in islice(parcel.queue, n - len(found))]
            if len(found) >= n:
                break
        return found

    @property
    def lane(self) -> int | None:
        """The most urgent lane of which something waits here."""
        first = next(iter(self._ready), None)  # asked from another thread, too
        return None if first is None else first.lease.lane

    @property
    def unfinished(self) -> int:
        """Parcels of which something waits here."""
        return len(self._ready)

    # -- messages ----------------------------------------------------------------------------------------------
    def pump(self) -> None:
        """Hand over as much as lines and bounds allow."""
        if self._pumping:  # a line that answers while it is asked
            return
        if self._clock() - self._looked_at > LATE:  # it stood still: what it holds may be another's, the next look says
            return
        self._pumping = True
        try:
            self._hand_over()
        finally:
            self._pumping = False
        if self.waiting < self.ahead * LOW and not self._asked and not self._stopping:
            if not self.waiting:  # the lines are faster than we knew
                latest = (self.accepted + self.failed - self._seen) / max(MOMENT, self._clock() - self._looked_at)
                guessed = max(2 * self.ahead, int(latest * AHEAD_SECONDS))
                self.ahead = max(self.ahead, min(MOST_GUESSED, guessed))
            self._asked = True
            self._hungry()

    def _hand_over(self) -> None:
        ready, pick, most = self._ready, self._switch.pick, self._most
        while ready and self.unsettled < most:
            parcel = ready[0]
            line = pick(parcel.lease.carrier)
            if line is None:
                other = self._another()
                if other is None:
                    break
                parcel, line = other
            queue, letter, hand_over = parcel.queue, parcel.letter, line.hand_over
            n = min(line.room(), most - self.unsettled, len(queue))
            if n <= 0:  # it took back what it said: the next tick asks again
                break
            if len(self._lines) > 1:
                n = 1  # the split is message by message
            self.unsettled += n
            self.in_flight += n
            self.waiting -= n
            parcel.in_flight += n
            for _ in range(n):
                token = queue.popleft()
                try:
                    hand_over(letter, token[3], token[4], token)
                except Exception:
                    log.exception("line %s fails in our own code", line.name)
                    self._loop.call_later(0, self.answered, token, line, RETRY, "internal", "", True)
            if not queue:
                ready.remove(parcel)

    def _another(self) -> tuple[Parcel, Line] | None:
        """A less urgent parcel that need not wait for the line for which the first one waits."""
        first = self._ready[0].lease.carrier
        if len(self._lines) > 1:
            for parcel in self._ready[1:]:
                if parcel.lease.carrier != first and (line := self._switch.pick(parcel.lease.carrier)) is not None:
                    return parcel, line
        return None

    def answered(self, token: Token, line: Line, status: str, code: str, carrier_id: str, unsure: bool) -> None:
        """Hear of one hand-over, see `line.OnAnswer`."""
        parcel = token[0]
        if parcel.parting is not None:  # it was given up
            return
        parcel.in_flight -= 1
        self.in_flight -= 1
        if status == ACCEPTED:
            self.accepted += 1
            parcel.left -= 1
            parcel.ends.append((token[1], status, code, carrier_id, line.name, token[2]))  # as `_tell`, a million times
            if not parcel.listed:
                self._list(parcel)
            self._untold += 1
            if self._untold >= self._page:
                self._wake()
        else:
            self._other(token, line, status, code, carrier_id, unsure)
        if not parcel.in_flight and not parcel.queue:
            self._end(parcel)
        if not self._soon:  # many answers come in one turn of the loop, and make room together
            self._soon = True
            self._loop.call_soon(self._pump_soon)

    def _pump_soon(self) -> None:
        self._soon = False
        self.pump()

    def _other(self, token: Token, line: Line, status: str, code: str, carrier_id: str, unsure: bool) -> None:
        parcel = token[0]
        if status == NOT_TAKEN:
            self.unsettled -= 1
            parcel.error = code
            self.retried += 1
            if parcel.held_until > 0 and not self._stopping:  # else nothing more of it is begun
                if not parcel.queue:
                    insort(self._ready, parcel, key=lambda one: one.order)
                parcel.queue.appendleft(token)
                self.waiting += 1
        elif status == RETRY:
            self.unsettled -= 1
            self.retried += 1
            parcel.error = code
            if unsure:
                parcel.unsure.add(token[1])
        else:
            self.failed += 1
            parcel.left -= 1
            self._tell(parcel, (token[1], status, code, carrier_id, line.name, token[2]))

    # -- ends --------------------------------------------------------------------------------------------------
    def _tell(self, parcel: Parcel, row: Row) -> None:
        parcel.ends.append(row)
        if not parcel.listed:
            self._list(parcel)
        self._untold += 1
        if self._untold >= self._page:
            self._wake()

    def _list(self, parcel: Parcel) -> None:
        if not parcel.listed:
            parcel.listed = True
            self._inbox.append(parcel)

    def _wake(self) -> None:
        self._untold = 0
        self._ring()

    def _halt(self, parcel: Parcel, error: str = "") -> None:
        parcel.error = error or parcel.error
        parcel.held_until = 0.0  # what comes back is not tried again
        self.waiting -= len(parcel.queue)
        parcel.queue.clear()
        if parcel in self._ready:
            self._ready.remove(parcel)
        if not parcel.in_flight:
            self._end(parcel)

    def _end(self, parcel: Parcel) -> None:
        if parcel.parting is None:
            parcel.parting = parcel.part()
            if self.parcels.get(parcel.lease.batch_id) is parcel:
                del self.parcels[parcel.lease.batch_id]
            self.unsettled += 1  # that it has ended is to be written, too
            self._list(parcel)
            if not self._ready:  # else more comes soon, to be written with it
                self._wake()

    def _tick(self) -> None:
        self._loop.call_later(TICK, self._tick)
        now = self._looked_at = self._clock()
        done = self.accepted + self.failed
        latest = (done - self._seen) / TICK
        self.rate += SMOOTH * (latest - self.rate)
        self.ahead = max(FEWEST_AHEAD, int(max(self.rate, latest) * AHEAD_SECONDS))
        # Few large transactions while much comes; half of what is not in the air, so that the lines work on while one is written.
        room = max(self._most - self.in_flight, self._most // 2)
        self._page = min(room // 2, max(self._least_page, int(self.rate * PAGE_SECONDS))) or 1
        if done > self._seen or self.in_flight or not self._ready:
            self._moved_at = now
        self._seen = done
        self._end_what_is_over(now)
        if self._ready and now - self._moved_at > PATIENCE and all(_down(line) for line in self._lines):
            for parcel in list(self._ready):
                self._halt(parcel, _last_error(self._lines))
        if self._inbox:
            self._wake()
        self._asked = False
        self.pump()

    def _end_what_is_over(self, now: float) -> None:
        moment = utcnow()
        for parcel in list(self.parcels.values()):
            if _over(parcel, now, moment):
                self._halt(parcel)
            elif parcel.queue:
                if (seconds := (parcel.letter.expires_at - moment).total_seconds()) < TICK:
                    self._loop.call_later(seconds, self._expire, parcel)
            elif parcel.in_flight != parcel.awaited:
                parcel.awaited, parcel.heard_at = parcel.in_flight, now
            elif now - parcel.heard_at > SILENCE:
                self._give_up(parcel)

    def _expire(self, parcel: Parcel) -> None:
        if parcel.queue:
            self._halt(parcel)

    def _give_up(self, parcel: Parcel) -> None:
        """A line has lost what it had in hand: those may have been reached, and are tried again."""
        log.error("%d messages of batch %d were never answered", parcel.in_flight, parcel.lease.batch_id)
        self.in_flight -= parcel.in_flight
        self.unsettled -= parcel.in_flight
        parcel.in_flight, parcel.error = 0, "silent"
        parcel.unsure.update(parcel.lease.pending.tolist())
        self._end(parcel)


def _over(parcel: Parcel, now: float, moment: datetime) -> bool:
    """Whether its time has come: the lease may be another's, or the warning has expired."""
    return bool(parcel.queue) and (now >= parcel.held_until or moment >= parcel.letter.expires_at)


def _down(line: Line) -> bool:
    state = line.state()
    return state.circuit == OPEN or state.pause > LONG_PAUSE


def _last_error(lines: Sequence[Line]) -> str:
    return next((state.last_error for state in (line.state() for line in lines) if state.last_error), "no line")
