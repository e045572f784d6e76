"""Whether a carrier lets us bind: asked by whoever checks the settings. Nothing is sent."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from portal.channels.sms import smpp_errors
from portal.channels.sms.lines.address import dialling_error
from portal.channels.sms.lines.smpp_line import dialler
from portal.channels.sms.lines.smpp_options import SmppOptions
from portal.channels.sms.lines.smpp_session import LEFT, Session

GOOD_BYE = 2.0  # seconds
LOOK = 0.1


def probe(options: SmppOptions) -> str:
    """Bind for sending only, and leave; an empty text, or why it could not be. Takes a little longer than the carrier's
    `answer_seconds` at most."""
    return asyncio.run(_probe(options.model_copy(update={"receipts": False})))


async def _probe(options: SmppOptions) -> str:
    asked = _Asked()
    session = Session(options, asked)
    try:
        await dialler(asyncio.get_running_loop(), options).dial(lambda: session, options.answer_seconds)
    except OSError as error:
        return dialling_error(error)
    try:
        async with asyncio.timeout(options.answer_seconds + GOOD_BYE):
            while not asked.over.is_set():
                session.sweep(time.monotonic())
                await asyncio.sleep(LOOK)
    except TimeoutError:
        session.drop(LEFT)
    return "" if asked.is_bound else asked.word


class _Asked:
    """Hears of one session, and leaves as soon as it is bound."""

    def __init__(self) -> None:
        self.over = asyncio.Event()
        self.is_bound, self.word = False, "timeout"

    def bound(self, session: Session) -> None:
        self.is_bound = True
        session.leave()

    def ended(self, session: Session, word: str, refused: int) -> None:
        self.word = smpp_errors.name_of(refused) if refused else word
        self.over.set()

    def answered(self, token: Any, status: int, carrier_id: bytes, seconds: float) -> None:
        """Nothing is asked."""

    def unanswered(self, token: Any, word: str) -> None:
        """Nothing is asked."""

    def brought(self, session: Session, sequence: int, body: bytes) -> None:
        """It is brought again to those who bind for it."""

    def room_again(self) -> None:
        """Nothing waits for room."""
