"""The embedded web server's bounds, on a real socket."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import waitress

from portal.config import Settings
from portal.run import LARGEST_BODY, LARGEST_HEADER, server_options


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A server with the product's options, but for the time that an idle connection may stay."""

    def told(environ: dict[str, Any], start: Any) -> list[bytes]:
        body = str(len(environ["wsgi.input"].read())).encode()
        start("200 OK", [("Content-Length", str(len(body)))])
        return [body]

    options = server_options(Settings()) | {"channel_timeout": 1, "cleanup_interval": 1}
    server = waitress.create_server(told, host="127.0.0.1", port=0, **options)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield server.effective_port
    server.close()


def _answer(port: int, sent: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(sent)
        return connection.recv(100)


def test_a_body_that_would_fill_the_disk_is_refused_before_it_comes(port: int) -> None:
    head = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {LARGEST_BODY + 1}\r\n\r\n"
    assert _answer(port, head.encode()).startswith(b"HTTP/1.1 413")


def test_headers_are_bounded(port: int) -> None:
    assert b" 431 " in _answer(port, b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * (LARGEST_HEADER + 10) + b"\r\n\r\n")


@pytest.mark.parametrize("begun", [b"", b"GET / HTTP/1.1\r\nHost:", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\na"])
def test_who_begins_and_does_not_go_on_is_hung_up_on(port: int, begun: bytes) -> None:
    assert _answer(port, begun) == b""


def test_more_than_a_hundred_browsers_may_keep_their_connections(port: int) -> None:
    idle = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(150)]
    try:
        assert _answer(port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").startswith(b"HTTP/1.1 200")
    finally:
        for connection in idle:
            connection.close()
