"""A wire to a server that can stop carrying, as a cable that is pulled: nobody is told."""

from __future__ import annotations

import contextlib
import socket
import threading

from sqlalchemy import URL


class Wire:
    """A port that leads to the server of `url`. `freeze`: nothing gets through any more. `cut`: the server notices."""

    def __init__(self, url: URL) -> None:
        self._to = (url.host, url.port)
        self._door = socket.create_server(("127.0.0.1", 0))
        self.url = url.set(port=self._door.getsockname()[1]).render_as_string(hide_password=False)
        self._frozen = threading.Event()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._unheard: list[socket.socket] = []
        threading.Thread(target=self._take, daemon=True).start()

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self._door.close()
        self.cut()
        for near in [*(near for near, _far in self._pairs), *self._unheard]:
            near.close()

    def freeze(self) -> None:
        self._frozen.set()

    def cut(self) -> None:
        for _near, far in self._pairs:
            with contextlib.suppress(OSError):
                far.shutdown(socket.SHUT_RDWR)

    def _take(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._door.accept()
                if self._frozen.is_set():
                    self._unheard.append(near)
                    continue
                far = socket.create_connection(self._to, timeout=10)
                far.settimeout(None)
                self._pairs.append((near, far))
                for here, there in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(here, there), daemon=True).start()

    def _carry(self, here: socket.socket, there: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := here.recv(65536):
                if not self._frozen.is_set():
                    there.sendall(data)
