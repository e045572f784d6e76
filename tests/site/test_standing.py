"""What stands when all else is down: the directory at a full or read-only disk, and behind any web server."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask_babel import force_locale

from portal.core.clock import utcnow
from portal.doctor import pages as doctor
from portal.doctor.findings import FAIL, OK
from portal.site import generations, standing
from portal.site.publish import publish, root_of
from portal.warnings.models import ALERT, CANCEL
from tests.site.records import record
from tests.waiting import until

DEPLOYMENT = Path(__file__).resolve().parents[2] / "docs" / "deployment.md"


@pytest.fixture
def database_url(sqlite_template: Path, tmp_path: Path) -> str:
    """What is published is the same from both databases; here it is about where it goes."""
    shutil.copy(sqlite_template, tmp_path / "anlan.db")
    return f"sqlite:///{tmp_path / 'anlan.db'}"


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A disk of its own for the published pages; skips where this may not mount one."""
    folder.mkdir(parents=True)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "none", folder], capture_output=True).returncode:
        pytest.skip("a disk of one's own needs the right to mount")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def said(app: Flask, language: str) -> tuple[str, str]:
    """What the doctor says of the pages: level, and words."""
    with app.app_context(), force_locale(language):
        (finding,) = doctor.public_pages(app.extensions["anlan"])
        return finding.level, f"{finding.message} {finding.mend}"


def test_a_full_or_read_only_disk_leaves_the_last_true_state_and_is_told(site: Flask) -> None:
    settings, client = site.extensions["anlan"], site.test_client()
    root = root_of(settings)
    with small_disk(root):
        with site.app_context():
            record("20261121-01")
        publish(site)
        before, name = client.get("/zh/").data, os.readlink(root / "current")
        assert said(site, "en")[0] == OK
        with site.app_context():
            record("20261122-01")
        filler = root / "filler"
        with pytest.raises(OSError, match="No space"):
            fill(filler)
        with pytest.raises(OSError, match="No space"):
            publish(site)
        assert (client.get("/zh/").data, os.readlink(root / "current")) == (before, name)
        level, words = said(site, "en")
        assert level == FAIL
        assert "is full: free some space" in words
        assert "已满" in said(site, "zh")[1]
        filler.unlink()
        subprocess.run(["mount", "-o", "remount,ro", root], check=True)
        with pytest.raises(OSError, match="Read-only"):
            publish(site)
        assert client.get("/zh/").data == before
        assert "can only be read" in said(site, "en")[1]
        subprocess.run(["mount", "-o", "remount,rw", root], check=True)
        publish(site)
        assert "20261122-01" in client.get("/zh/").text, "nothing was lost"
        assert said(site, "en")[0] == OK


def test_pages_that_nobody_renews_are_told_with_their_age(site: Flask) -> None:
    settings = site.extensions["anlan"]
    assert standing.look(settings, utcnow()) == standing.Standing(None, "")
    publish(site)
    now = utcnow()
    assert standing.look(settings, now).trouble == ""
    assert standing.look(settings, now + standing.OLD + timedelta(seconds=5)).trouble == standing.STUCK
    with site.app_context(), force_locale("en"):
        assert "residents read what stood at" in standing.words(standing.Standing(now, standing.STUCK), settings)[0]


def snippet(name: str) -> str:
    """The configuration that the documentation gives for a server."""
    return re.search(rf"```{name}\n(.*?)```", DEPLOYMENT.read_text(encoding="utf-8"), re.S)[1]  # type: ignore[index]


#: Not on the way of everybody's commands.
NGINX = shutil.which("nginx") or "/usr/sbin/nginx"


@contextmanager
def nginx(folder: Path, root: Path) -> Iterator[str]:
    """nginx, with what the documentation says of it; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    own = snippet("nginx").replace("listen 443 ssl;", f"listen 127.0.0.1:{port};")
    own = own.replace("/opt/anlan/instance/public/current", str(root))
    own = re.sub(r"(?m)^\s*ssl_\w+ .*\n", "", own)
    temp = "".join(f"{what}_temp_path {folder}/{what};" for what in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(
        f"daemon off; user root; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;\n"
        f"events {{}}\nhttp {{ access_log off; {temp}\n{own}\n}}\n")
    process = subprocess.Popen([NGINX, "-e", f"{folder}/error.log", "-c", str(folder / "nginx.conf")])
    try:
        def up() -> bool:
            assert process.poll() is None, (folder / "error.log").read_text()
            with socket.socket() as one:
                return one.connect_ex(("127.0.0.1", port)) == 0

        until(up, "nginx answers")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def test_every_published_path_is_a_file_of_its_own_with_exactly_those_bytes(site: Flask) -> None:
    with site.app_context():
        record("20261121-01", kinds=(ALERT, CANCEL))
    publish(site)
    current = root_of(site.extensions["anlan"]) / "current"
    manifest = generations.read_manifest(current)
    assert manifest is not None
    for path, entry in manifest.entries.items():
        assert entry.file == path.lstrip("/") + ("index.html" if path.endswith("/") else ""), "any server finds it under its path"
        assert hashlib.sha256((current / entry.file).read_bytes()).hexdigest()[:24] == entry.etag, path
    for start in ("/zh/", "/en/archive/", "/cap/", "/feeds/cap.atom", "/feeds/warnings.geojson", "/api/v1/warnings.json",
                  "/sw.js"):
        assert any(path.startswith(start) for path in manifest.entries), start


def test_another_web_server_serves_the_directory_with_the_same_bytes_and_types(site: Flask, tmp_path: Path) -> None:
    with site.app_context():
        record("20261121-01")
    publish(site)
    current = root_of(site.extensions["anlan"]) / "current"
    manifest, client = generations.read_manifest(current), site.test_client()
    assert manifest is not None
    shorts = ["/api/v1/warnings", "/api/v1/guides", "/api/v1/warnings/20261121-01"]
    with nginx(tmp_path, current) as address:
        for path in [*manifest.entries, *shorts]:
            with urllib.request.urlopen(address + path) as theirs:
                ours = client.get(path)
                if ours.status_code == 302:
                    continue  # a door: the portal leads to the reader's language
                assert theirs.read() == ours.data, path
                assert theirs.headers["Content-Type"].replace(" ", "").lower() == ours.content_type.replace(" ", "").lower(), path
                for name in ("Content-Security-Policy", "X-Content-Type-Options", "Access-Control-Allow-Origin"):
                    assert theirs.headers[name] == ours.headers.get(name), (path, name)
