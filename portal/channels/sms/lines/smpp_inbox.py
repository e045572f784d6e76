"""What an SMPP carrier brings, kept by a thread of its own: the carrier hears that we have it when it is durable, not before, and
brings again what we could not keep."""

from __future__ import annotations

import hashlib
import logging
import threading
import uuid
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from smpplib import consts

from portal.channels.sms import smpp_delivered
from portal.channels.sms.lines.options import Ears, OnReceipts, OnText
from portal.channels.sms.provider import Inbound, Receipt
from portal.channels.sms.smpp_delivered import Numbers, Unreadable, Written

#: Where something came from, the status to answer it with, and phone and words to be sent there or None.
Done = tuple[Any, int, tuple[str, str] | None]
#: Told in the inbox's thread.
OnDone = Callable[[list[Done]], None]

MOST_WAITING = 10_000
AT_ONCE = 500
_REMEMBERED = 1000

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Item:
    origin: Any
    body: bytes


class Inbox:
    """Bounded: what does not fit is refused at once, and comes again."""

    def __init__(self, line: str, numbers: Numbers, ears: Ears, on_done: OnDone) -> None:
        self._line, self._numbers, self._ears, self._on_done = line, numbers, ears, on_done
        self._items: deque[_Item] = deque()
        self._turn = threading.Condition()
        self._ending = False
        self._unanswered: OrderedDict[bytes, str] = OrderedDict()
        self._thread = threading.Thread(target=self._work, name=f"smpp-{line}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def put(self, origin: Any, body: bytes) -> bool:
        """Whether there is room for it."""
        with self._turn:
            if self._ending or len(self._items) >= MOST_WAITING:
                return False
            self._items.append(_Item(origin, body))
            if len(self._items) == 1:  # else the thread has work, or was told
                self._turn.notify()
            return True

    def end(self) -> None:
        """Take nothing more, and keep what is there; it has ended when it is not `alive` any more."""
        with self._turn:
            self._ending = True
            self._turn.notify()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def _work(self) -> None:
        while True:
            with self._turn:
                self._turn.wait_for(lambda: self._items or self._ending)
                if not self._items:
                    return
                items = [self._items.popleft() for _ in range(min(AT_ONCE, len(self._items)))]
            try:
                self._keep(items)
            except Exception:  # what was not answered comes again
                log.exception("what the carrier of line %s brought could not be read", self._line)

    def _keep(self, items: list[_Item]) -> None:
        receipts: list[tuple[_Item, Receipt]] = []
        texts: list[tuple[_Item, Written]] = []
        others: list[Done] = []
        for item in items:
            try:
                said = smpp_delivered.read(item.body, self._numbers)
            except Unreadable:
                log.warning("the carrier of line %s brought what cannot be read", self._line)
                said = None  # it would not be more readable the next time
            if isinstance(said, Receipt) and self._ears.on_receipts:
                receipts.append((item, said))
            elif isinstance(said, Written) and self._ears.on_text and said.part == 1:
                texts.append((item, said))
            else:  # nothing new, not wanted, or the rest of a text whose beginning was acted on
                others.append((item.origin, consts.SMPP_ESME_ROK, None))
        if others:
            self._on_done(others)
        if receipts and self._ears.on_receipts:
            self._keep_receipts(receipts, self._ears.on_receipts)
        for item, text in texts:
            if self._ears.on_text:
                self._act(item, text, self._ears.on_text)

    def _keep_receipts(self, receipts: list[tuple[_Item, Receipt]], on_receipts: OnReceipts) -> None:
        status = consts.SMPP_ESME_ROK
        try:
            on_receipts(self._line, [receipt for _item, receipt in receipts])
        except Exception as error:
            log.error("receipts of line %s could not be kept: %s", self._line, type(error).__name__)
            status = consts.SMPP_ESME_RX_T_APPN
        self._on_done([(item.origin, status, None) for item, _receipt in receipts])

    def _act(self, item: _Item, text: Written, on_text: OnText) -> None:
        digest = hashlib.sha256(item.body).digest()
        message_id = self._unanswered.setdefault(digest, uuid.uuid4().hex)
        while len(self._unanswered) > _REMEMBERED:
            self._unanswered.popitem(last=False)
        try:
            words = on_text(self._line, Inbound(message_id, text.phone, text.body))
        except Exception as error:
            log.error("a text to line %s could not be acted on: %s", self._line, type(error).__name__)
            self._on_done([(item.origin, consts.SMPP_ESME_RX_T_APPN, None)])
            return
        self._unanswered.pop(digest, None)
        self._on_done([(item.origin, consts.SMPP_ESME_ROK, (text.phone, words) if words else None)])
