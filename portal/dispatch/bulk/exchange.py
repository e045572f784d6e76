"""A question and its answer in the thread of an event loop, over a socket that other threads wait for.

What a thread of its own would do costs the loop more than the work itself: each time one of them begins or stops to wait, the
interpreter's lock changes hands.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable

_HEAD = struct.Struct("!i")  # as multiprocessing.connection begins what it sends
_PIECE = 65536


class Exchange:
    """Sends `question` and calls `heard` once, in the loop's thread: with the answer, or with None when there is none within so
    many `seconds`. Nothing else may use the socket meanwhile."""

    def __init__(self, loop: asyncio.AbstractEventLoop, here: socket.socket, question: bytes, seconds: float,
                 heard: Callable[[bytes | None], None]) -> None:
        self._loop, self._here, self._heard = loop, here, heard
        self._left = memoryview(_HEAD.pack(len(question)) + question)
        self._got = bytearray()
        self._over = False
        self._began = loop.time()
        loop.add_reader(here, self._read)
        self._late = loop.call_later(seconds, self.end)
        try:
            self._send()
        except BaseException:
            self._over = True  # whoever asks hears it as this
            self._leave()
            raise

    def end(self, answer: bytes | None = None) -> None:
        """Wait no longer."""
        if self._over:
            return
        self._over = True
        self._leave()
        self._heard(answer)

    def lasts(self) -> float:
        """For how many seconds an answer has been waited for."""
        return self._loop.time() - self._began

    def _leave(self) -> None:
        self._late.cancel()
        self._loop.remove_reader(self._here)
        self._loop.remove_writer(self._here)
        self._here.setblocking(True)  # as those want it who wait; the loop has changed it

    def _send(self) -> None:
        try:
            self._left = self._left[self._here.send(self._left, socket.MSG_DONTWAIT) :]
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:
            self._loop.call_soon(self.end)  # not before whoever asks knows that it has asked
            return
        if self._left:
            self._loop.add_writer(self._here, self._send)
        else:
            self._loop.remove_writer(self._here)

    def _read(self) -> None:
        try:
            piece = self._here.recv(_PIECE, socket.MSG_DONTWAIT)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            piece = b""
        self._got += piece
        if not piece:
            self.end()
        elif len(self._got) >= _HEAD.size and len(self._got) >= _HEAD.size + _HEAD.unpack_from(self._got)[0]:
            self.end(bytes(self._got[_HEAD.size :]))
