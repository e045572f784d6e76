"""A wire to a server that can stop carrying, as a cable that is pulled: nobody is told."""

from __future__ import annotations

import contextlib
import socket
import threading


class Wire:
    """A port at `address` that leads to a server. `freeze` and `thaw`: nothing gets through meanwhile, and nothing is lost, as
    under TCP. `cut`: the server notices."""

    def __init__(self, host: str, port: int, address: str = "127.0.0.1") -> None:
        self._to = (host, port)
        self._door = socket.create_server((address, 0), backlog=512)
        self.port: int = self._door.getsockname()[1]
        self._open = threading.Event()
        self._open.set()
        self._ends: list[socket.socket] = []
        self._far: list[socket.socket] = []
        threading.Thread(target=self._take, daemon=True).start()

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def freeze(self) -> None:
        self._open.clear()

    def thaw(self) -> None:
        self._open.set()

    def cut(self) -> None:
        for far in self._far:
            with contextlib.suppress(OSError):
                far.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._door.close()
        self.cut()
        self.thaw()
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _take(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._door.accept()
                self._ends.append(near)
                threading.Thread(target=self._connect, args=(near,), daemon=True).start()

    def _connect(self, near: socket.socket) -> None:
        self._open.wait()
        try:
            far = socket.create_connection(self._to, timeout=10)
        except OSError:
            near.close()
            return
        far.settimeout(None)
        self._far.append(far)
        back = threading.Thread(target=self._carry, args=(far, near), daemon=True)
        back.start()
        self._carry(near, far)
        back.join()
        for end in (near, far):
            end.close()

    def _carry(self, here: socket.socket, there: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := here.recv(65536):
                self._open.wait()
                there.sendall(data)
        with contextlib.suppress(OSError):
            there.shutdown(socket.SHUT_RDWR)
