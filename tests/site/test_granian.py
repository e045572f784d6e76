"""`anlan web` on granian: the same answers as everywhere, its bounds, and an end in order."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from portal import create_app, granian_web
from portal.config import Settings
from portal.run import LARGEST_HEADER
from portal.site.publish import publish
from tests.site.records import record
from tests.waiting import until

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = "/zh/warnings/20261122-01/"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def app(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Flask:
    folder = tmp_path_factory.mktemp("granian")
    (folder / "instance").mkdir()
    shutil.copy(sqlite_template, folder / "instance" / "anlan.db")
    app = create_app(Settings(instance=folder / "instance", port=free_port(), web_server="granian"))
    with app.app_context():
        record("20261122-01")
    publish(app)
    return app


@pytest.fixture(scope="module")
def served(app: Flask) -> Iterator[subprocess.Popen[bytes]]:
    settings = app.extensions["anlan"]
    environment = os.environ | {"ANLAN_INSTANCE": str(settings.instance), "PORT": str(settings.port),
                                "ANLAN_WEB_SERVER": "granian", "ANLAN_TRUSTED_PROXIES": "1"}
    process = subprocess.Popen([sys.executable, "-m", "portal.cli", "web"], cwd=REPOSITORY, env=environment)

    def up() -> bool:
        assert process.poll() is None
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", settings.port)) == 0

    try:
        until(up, "granian answers")
        yield process
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, "it ends in order when it is told to"
    finally:
        process.kill()
        process.wait(30)


def ask(app: Flask, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", app.extensions["anlan"].port, timeout=60)
    try:
        connection.request(method, path, body or None, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


@pytest.mark.usefixtures("served")
def test_it_answers_as_the_application_does(app: Flask) -> None:
    client = app.test_client()
    for path, headers in ((PAGE, {"Accept-Encoding": "br"}), (PAGE, {}), ("/api/v1/warnings", {"Accept-Encoding": "gzip"}),
                          ("/nothing", {}), ("/", {"Accept-Language": "en"}), ("/api/v1/nothing", {"Accept-Language": "en"})):
        theirs, ours = ask(app, "GET", path, **headers), client.get(path, headers=headers)
        assert (theirs[0], theirs[2]) == (ours.status_code, ours.data), path
        for name in ("etag", "cache-control", "content-type", "content-encoding", "content-security-policy", "location"):
            assert theirs[1].get(name) == ours.headers.get(name), (path, name)
    status, headers, body = ask(app, "GET", PAGE, If_None_Match=ask(app, "HEAD", PAGE)[1]["etag"])
    assert (status, body) == (304, b"")
    assert "content-length" not in headers or headers["content-length"] != "0"
    assert "strict-transport-security" in ask(app, "GET", PAGE, X_Forwarded_Proto="https")[1], "it hears its proxy"


@pytest.mark.usefixtures("served")
def test_what_is_too_large_is_refused_in_words_and_it_goes_on(app: Flask) -> None:
    form = {"Content_Type": "application/x-www-form-urlencoded", "Accept_Language": "en"}
    status, _headers, body = ask(app, "POST", "/language", bytes(3 * 1024 * 1024), **form)
    assert (status, "That is too much at once" in body.decode()) == (413, True)
    with socket.create_connection(("127.0.0.1", app.extensions["anlan"].port), timeout=60) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * (2 * LARGEST_HEADER) + b"\r\n\r\n")
        assert connection.recv(100)[:12] in (b"HTTP/1.1 431", b"HTTP/1.1 400", b"")
    assert ask(app, "GET", PAGE)[0] == 200


@pytest.mark.usefixtures("served")
def test_a_port_that_is_taken_is_told_in_words(app: Flask, capsys: pytest.CaptureFixture[str]) -> None:
    settings = app.extensions["anlan"]
    with pytest.raises(SystemExit) as ended:
        granian_web.serve(settings)
    assert ended.value.code == 1
    assert f"Port {settings.port} cannot be used" in capsys.readouterr().err
    assert ask(app, "GET", PAGE)[0] == 200
