"""A line to an SMPP 3.4 carrier: one bind, many submit_sm in flight, opened again by itself when it is lost.

The carrier's window counts units, and a text of several parts is as many units: its later parts wait here until the window lets
them go. It counts as accepted when every part was. A part that the carrier has no room for is brought again a few times by
itself, since its fellows may have been taken; a whole message never is, that is for others to decide.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import random
import time
from collections import deque
from datetime import timedelta
from typing import Any

from smpplib import consts

from portal.channels.sms import segments, smpp_delivered, smpp_errors
from portal.channels.sms.lines import smpp_pdu
from portal.channels.sms.lines.address import Address, Dialler, dialling_error
from portal.channels.sms.lines.governor import Governor
from portal.channels.sms.lines.line import NOT_TAKEN, OPEN, Letter, LineState, OnAnswer
from portal.channels.sms.lines.options import Ears
from portal.channels.sms.lines.smpp_handed import Handed
from portal.channels.sms.lines.smpp_inbox import Done, Inbox
from portal.channels.sms.lines.smpp_options import SmppOptions
from portal.channels.sms.lines.smpp_session import CONNECTION, TIMEOUT, Session
from portal.channels.sms.provider import ACCEPTED, FAILED, RETRY
from portal.config import Settings
from portal.core.clock import utcnow

SWEEP = 0.25  # seconds between two looks for what is overdue
PART_TRIES, PART_PAUSE = 5, 0.5  # seconds between them
FIRST_PAUSE, REFUSED_PAUSE, LONGEST_PAUSE = 0.5, 5.0, 15.0  # seconds until it is tried to bind again
LASTED = 5.0  # seconds after which a bind counts as one that stood
GOOD_BYE, KEEPING = 2.0, 1.0  # seconds for the carrier to say it too, and at least for what it brought last to be kept
ANSWERS_LAST = timedelta(hours=1)
#: Words of ours beside the carrier's: the text's time is over, it has too many parts, there is no bind any more.
EXPIRED, TOO_LONG, LOST = "expired", "too_long", CONNECTION

_REPLY = object()
_log = logging.getLogger(__name__)


class SmppLine:
    """As `line.Line`."""

    by_number = True

    def __init__(self, options: SmppOptions, ears: Ears) -> None:
        if ears.on_receipts is None and ears.on_text is None:
            options = options.model_copy(update={"receipts": False})  # what nobody hears is not asked for
        self.name, self.weight, self.options = options.name, options.weight, options
        self.kind: str = options.kind
        self.effective_weight = options.weight
        self._most = options.max_in_flight
        self.governor = Governor(
            self.name, self.kind, self.weight, most=self._most, rate=options.rate, by_segments=options.unit == "segments")
        self._inbox = Inbox(self.name, options.numbers_in_receipts, ears, self._kept)
        self._waiting: deque[tuple[Handed, int]] = deque()
        self._session: Session | None = None  # that is bound
        self._pending: Session | None = None  # that stands, be it bound or not
        self._over: asyncio.Event | None = None
        self._dialler: Dialler | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._sweeping: asyncio.TimerHandle | None = None
        self._closing = False
        self._failures, self._next_try, self._bound_at = 0, 0.0, 0.0
        self._rest_until = 0.0

    # -- as every line ----------------------------------------------------------------------------

    def open(self, loop: asyncio.AbstractEventLoop, on_answer: OnAnswer, on_room: Any) -> None:
        self._loop, self._on_answer, self._on_room = loop, on_answer, on_room
        self.governor.open(loop, on_room)
        self._inbox.start()
        self._keeper = loop.create_task(self._keep_bound())
        self._sweep()

    def room(self) -> int:
        session = self._session
        if session is None or not session.usable or self._closing:
            return 0
        free = self._most - len(session.in_flight) - len(self._waiting)
        if free <= 0 or (self._waiting and self._resting()):
            return 0
        return min(free, self.governor.room())

    def hand_over(self, letter: Letter, to: str, ref: str, token: Any) -> None:
        form = letter.kept.get(self.name) or self._form(letter)
        if not isinstance(form, smpp_pdu.Form) or time.time() >= form.ends:
            self._loop.call_soon(self._on_answer, token, self, *((RETRY, EXPIRED) if form else (FAILED, TOO_LONG)), "", False)
            return
        self._begin(Handed(form, self._number(to), token, PART_TRIES if len(form.tails) > 1 else 0))

    def state(self) -> LineState:
        self.governor.effective_weight = self.effective_weight
        said = self.governor.state()
        if self._session is not None:
            return said
        return dataclasses.replace(said, circuit=OPEN, pause=max(said.pause, self._next_try - time.monotonic(), 0.0))

    async def close(self, seconds: float) -> None:
        self._closing = True
        end = time.monotonic() + seconds
        while self.governor.in_flight and self._session is not None and time.monotonic() < end:
            await asyncio.sleep(0.02)
        self._inbox.end()
        end = max(end, time.monotonic() + KEEPING)
        while self._inbox.alive and time.monotonic() < end:
            await asyncio.sleep(0.02)
        await asyncio.sleep(0)  # what the inbox kept last is answered
        if self._keeper is not None:
            if self._session is not None and self._over is not None:
                self._session.leave()
                await _within(self._over, GOOD_BYE)
            self._keeper.cancel()
            await asyncio.wait([self._keeper], timeout=GOOD_BYE)
        if self._sweeping is not None:
            self._sweeping.cancel()
        if self._session is not None:
            self._session.drop(LOST)
            await _within(self._over, GOOD_BYE)
        self.governor.close()

    # -- the bind ---------------------------------------------------------------------------------

    async def _keep_bound(self) -> None:
        while not self._closing:
            session, self._over = Session(self.options, self), asyncio.Event()
            try:
                self._dialler = self._dialler or dialler(self._loop, self.options)
                await self._dialler.dial(lambda made=session: made, self.options.answer_seconds)  # type: ignore[misc]
                self._pending = session
                await self._over.wait()
            except OSError as error:
                self._failed(dialling_error(error))
            except Exception as error:  # a name that is none, or a fault of ours: the line must not stand still for it
                session.drop(LOST)
                _log.error("line %s cannot be bound: %s", self.name, type(error).__name__)
                self._failed(CONNECTION)
            except asyncio.CancelledError:
                session.drop(LOST)
                raise
            self._pending = None
            if not self._closing:
                await asyncio.sleep(max(0.0, self._next_try - time.monotonic()))

    def _failed(self, word: str, least: float = FIRST_PAUSE) -> None:
        self._failures += 1
        pause = min(LONGEST_PAUSE, max(least, FIRST_PAUSE * 2.0 ** min(self._failures - 1, 10)))
        # Many shall not knock at the same moment.
        self._next_try = time.monotonic() + pause * random.uniform(0.5, 1)  # noqa: S311
        if self._failures == 1 or word != self.governor.last_error:
            _log.error("no bind on line %s: %s", self.name, word)
        self.governor.last_error = word

    def bound(self, session: Session) -> None:
        self._session, self._bound_at = session, time.monotonic()
        _log.info("line %s is bound", self.name)
        self._on_room()

    def ended(self, session: Session, word: str, refused: int) -> None:
        if self._session is session:
            self._session = None
        waiting, self._waiting = self._waiting, deque()
        for handed, _part in waiting:
            handed.left -= 1
            handed.fail(RETRY if handed.written else NOT_TAKEN, LOST, unsure=bool(handed.written))
            self._finish(handed, smpp_errors.Answer(RETRY, LOST, trouble=True))
        if self._bound_at and time.monotonic() - self._bound_at > LASTED:
            self._failures = 0
        self._bound_at = 0.0
        if not self._closing:
            self._failed(smpp_errors.name_of(refused) if refused else word, REFUSED_PAUSE if refused else FIRST_PAUSE)
        if self._over is not None:
            self._over.set()

    def _sweep(self) -> None:
        self._sweeping = self._loop.call_later(min(SWEEP, self.options.answer_seconds / 4), self._sweep)
        if (session := self._session or self._pending) is not None:
            session.sweep(time.monotonic())
        self._flush()

    # -- messages ---------------------------------------------------------------------------------

    def _form(self, letter: Letter, *, reported: bool = True) -> smpp_pdu.Form | None:
        try:
            letter.kept[self.name] = made = smpp_pdu.form(letter, self.options, reported=reported)
        except ValueError:
            return None
        return made

    def _number(self, to: str) -> bytes:
        return to.removeprefix("+").encode("ascii", "replace")[:20]

    def _begin(self, handed: Handed) -> None:
        self.governor.begin(handed.left)
        for part in range(handed.left):
            self._waiting.append((handed, part))
        self._flush()

    def _flush(self) -> None:
        waiting, session = self._waiting, self._session
        if not waiting or session is None or self._resting():
            return
        while waiting and session.usable and len(session.in_flight) < self._most:
            handed, part = waiting.popleft()
            if self.options.validity == "relative":
                smpp_pdu.renew(handed.form, time.time())
            handed.written += 1
            session.submit(handed.form, part, handed.number, (handed, part))

    def _resting(self) -> bool:
        return time.monotonic() < self._rest_until

    def answered(self, token: tuple[Handed, int], status: int, carrier_id: bytes, seconds: float) -> None:
        handed, part = token
        if status == consts.SMPP_ESME_ROK:
            handed.left -= 1
            handed.taken += 1
            if handed.is_last(part):
                handed.carrier_id = smpp_delivered.number(carrier_id, self.options.numbers_in_answers)
            self._finish(handed)
        else:
            self._refused(handed, part, smpp_errors.classify(status, self.options.meanings))
        if self._waiting:
            self._flush()
        elif handed.left:  # nobody else hears of it that there is room
            self._on_room()

    def unanswered(self, token: tuple[Handed, int], word: str) -> None:
        handed, _part = token
        handed.left -= 1
        handed.fail(RETRY, word, unsure=True)
        self._forget_parts(handed)
        self._finish(handed, smpp_errors.Answer(RETRY, word, trouble=True))

    def room_again(self) -> None:
        self._flush()
        self._on_room()

    def _refused(self, handed: Handed, part: int, answer: smpp_errors.Answer) -> None:
        if (answer.busy or answer.trouble) and handed.tries > 0 and handed.status == ACCEPTED:
            handed.tries -= 1
            handed.written -= 1
            self._waiting.appendleft((handed, part))
            self._rest_until = time.monotonic() + PART_PAUSE
            self.governor.in_flight += 1  # what the governor is told ends none
            self._teach(answer, 0.0)
            return
        handed.left -= 1
        handed.fail(answer.status, answer.code)
        self._forget_parts(handed)
        self._finish(handed, answer)

    def _forget_parts(self, handed: Handed) -> None:
        """Parts that were not written need not be, now that the message has failed."""
        if len(handed.form.tails) > 1:
            kept = deque(entry for entry in self._waiting if entry[0] is not handed)
            handed.left -= len(self._waiting) - len(kept)
            self._waiting = kept

    def _finish(self, handed: Handed, answer: smpp_errors.Answer | None = None) -> None:
        """Tell what became of a message none of whose parts is left; `answer`: the error that was the last to come."""
        if handed.left:
            return
        self._teach(answer, time.monotonic() - handed.began, accepted=handed.status == ACCEPTED)
        status, code, carrier_id, unsure = handed.outcome()
        if handed.token is not _REPLY:
            self._on_answer(handed.token, self, status, code, carrier_id, unsure)
        elif status != ACCEPTED:
            _log.warning("an answer to a phone that wrote was not taken on line %s: %s", self.name, code)

    def _teach(self, answer: smpp_errors.Answer | None, seconds: float, *, accepted: bool = False) -> None:
        if answer is None or not (answer.busy or answer.trouble or answer.ours):
            self.governor.good(seconds, accepted)
        elif answer.busy:
            self.governor.busy(answer.code, seconds)
        elif answer.trouble:
            self.governor.trouble(answer.code, seconds, silent=answer.code == TIMEOUT)
        else:
            self.governor.refused(answer.code)

    # -- what the carrier brings ------------------------------------------------------------------

    def brought(self, session: Session, sequence: int, body: bytes) -> None:
        if not self._inbox.put((session, sequence), body):
            session.answer(sequence, consts.SMPP_ESME_RMSGQFUL)

    def _kept(self, done: list[Done]) -> None:
        try:
            self._loop.call_soon_threadsafe(self._say_all, done)
        except RuntimeError:  # the loop has ended; the carrier brings it again
            _log.info("line %s ended before the carrier was answered", self.name)

    def _say_all(self, done: list[Done]) -> None:
        for (session, sequence), status, reply in done:
            session.answer(sequence, status)
            if reply is not None:
                self._reply(*reply)

    def _reply(self, phone: str, words: str) -> None:
        if self._session is None or self._closing:
            _log.warning("an answer to a phone that wrote could not be sent: line %s is not bound", self.name)
            return
        # Nobody keeps what becomes of an answer, so no receipt is asked for it.
        form = self._form(Letter(words, utcnow() + ANSWERS_LAST, segments.count(words).segments), reported=False)
        if form is not None:
            self._begin(Handed(form, self._number(phone), _REPLY, PART_TRIES))


Options = SmppOptions


def dialler(loop: asyncio.AbstractEventLoop, options: SmppOptions) -> Dialler:
    """Who opens connections to this carrier, over each of its name's addresses in turn."""
    return Dialler(loop, Address("https" if options.tls else "http", options.host, options.port), options.tls_context)


def make(options: SmppOptions, settings: Settings, ears: Ears) -> SmppLine:
    """For the registry."""
    return SmppLine(options, ears)


async def _within(event: asyncio.Event | None, seconds: float) -> None:
    if event is not None:
        try:
            await asyncio.wait_for(event.wait(), seconds)
        except TimeoutError:
            _log.info("a bind did not end in time")
