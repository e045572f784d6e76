"""Publishing: whole or not at all, only what changed, one at a time."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from portal.core.db import db, transaction
from portal.guides import fill as guides
from portal.site import generations
from portal.site import publish as publisher
from portal.site.publish import Published, publish, root_of
from portal.warnings.models import ALERT, CANCEL, CANCELLED, Warning
from tests.site.records import record

REPOSITORY = Path(__file__).resolve().parents[2]


def root(app: Flask) -> Path:
    return root_of(app.extensions["anlan"])


def manifest(app: Flask) -> generations.Manifest:
    found = generations.read_manifest(root(app) / "current")
    assert found is not None
    return found


def inodes(app: Flask) -> dict[str, int]:
    base = root(app) / "current"
    return {str(p.relative_to(base)): p.stat().st_ino for p in base.rglob("*") if p.is_file()}


def whole(directory: Path) -> bool:
    """Whether a generation holds every file of its manifest, each in the size that it should have."""
    manifest = generations.read_manifest(directory)
    return manifest is not None and all(
        (directory / (entry.file + suffix)).stat().st_size == size
        for entry in manifest.entries.values()
        for suffix, size in (("", entry.size), (".gz", entry.gzip), (".br", entry.brotli))
        if size or not suffix
    )


def test_an_empty_district_has_calm_pages(site: Flask) -> None:
    publish(site)
    page = (root(site) / "current/zh/index.html").read_text()
    assert "目前没有生效的预警" in page
    assert "No warning is in force." in (root(site) / "current/en/index.html").read_text()
    assert json.loads((root(site) / "current/feeds/warnings.geojson").read_text())["features"] == []


def test_an_issue_renders_only_what_it_changes(site: Flask) -> None:
    with site.app_context():
        record("20261122-01")
        record("20261121-01", kinds=(ALERT, CANCEL))
    publish(site)
    before = inodes(site)
    with site.app_context():
        record("20261122-02", tier="blue")
    done = publish(site)
    after = inodes(site)
    changed = {
        name.removesuffix(".gz").removesuffix(".br")
        for name, inode in after.items()
        if before.get(name) != inode
    }
    assert changed == {
        "manifest.json",
        "zh/index.html",
        "en/index.html",
        "feeds/index.json",
        "feeds/cap.atom",
        "feeds/warnings-zh.rss",
        "feeds/warnings-en.rss",
        "feeds/warnings.geojson",
        "zh/warnings/20261122-02/index.html",
        "en/warnings/20261122-02/index.html",
        "cap/44031041600000_20261122-02_1.xml",
        "api/v1/warnings.json",
        "api/v1/warnings/20261122-02.json",
    }
    assert done.rendered == len(changed) - 1
    assert done.unchanged > 10


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """One generation holds everything, however slow the machine: a second one would take the first one's pages over."""
    monkeypatch.setattr(publisher, "ROUNDS", (600.0,))
    monkeypatch.setattr(guides, "SECONDS", 600.0)


@pytest.mark.usefixtures("unhurried")
def test_rendering_everything_again_takes_nothing_over(site: Flask) -> None:
    publish(site)
    assert publish(site).unchanged > 0
    assert publish(site, everything=True).unchanged <= 6  # the assets alone are named by their content


def test_the_generation_before_is_kept_and_older_ones_are_removed(site: Flask) -> None:
    names = [publish(site).generation for _ in range(4)]
    assert sorted(p.name for p in root(site).iterdir() if p.name.isdigit()) == names[-2:]
    assert os.readlink(root(site) / "current") == names[-1]


def test_a_damaged_file_is_rendered_again(site: Flask) -> None:
    publish(site)
    page = root(site) / "current/zh/about/index.html"
    size = page.stat().st_size
    page.write_text("cut")
    publish(site)
    assert (root(site) / "current/zh/about/index.html").stat().st_size == size


@pytest.mark.usefixtures("unhurried")
def test_a_damaged_manifest_means_rendering_everything(site: Flask) -> None:
    publish(site)
    (root(site) / "current/manifest.json").write_text("{")
    assert publish(site).unchanged == 0
    assert whole(root(site) / "current")


def test_an_error_at_any_write_leaves_the_last_state_in_force(
    site: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with site.app_context():
        record("20261121-01")  # so that the next ones change the same files: the danger to flee from is no news
    publish(site)
    with site.app_context():
        record("20261122-01")
    real, calls = generations._write, [0]

    def count(path: Path, data: bytes) -> None:
        calls[0] += 1
        real(path, data)

    monkeypatch.setattr(generations, "_write", count)
    publish(site)
    writes, calls[0] = calls[0], 0
    assert writes > 20
    with site.app_context():
        record("20261122-02")
    before = inodes(site)
    for fatal in range(1, writes + 1):

        def fail(path: Path, data: bytes, fatal: int = fatal) -> None:
            calls[0] += 1
            if calls[0] >= fatal:
                path.write_bytes(data[: len(data) // 2])
                raise OSError(28, "No space left on device")
            real(path, data)

        calls[0] = 0
        monkeypatch.setattr(generations, "_write", fail)
        with pytest.raises(OSError, match="No space"):
            publish(site)
        if (out := root(site) / "current/zh/warnings/20261122-02/index.html").exists():
            break  # the warning is out before the rest is written, and stays out
        assert inodes(site) == before
    assert fatal > 20
    assert out.exists()
    assert "20261122-02" in (root(site) / "current/zh/index.html").read_text()
    assert whole(root(site) / "current")
    monkeypatch.setattr(generations, "_write", real)
    publish(site)
    assert (root(site) / "current/zh/warnings/20261122-02/index.html").exists()
    assert not list(root(site).glob(".building-*"))


def test_every_directory_is_on_the_disk_before_a_generation_is_swapped_in(site: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(site)
    before, real = os.readlink(root(site) / "current"), generations._sync
    synced: set[Path] = set()

    def note(directory: Path) -> None:
        if os.readlink(root(site) / "current") == before:
            synced.add(directory)
        real(directory)

    monkeypatch.setattr(generations, "_sync", note)
    done = publish(site)
    made = root(site) / done.generation
    aside = root(site) / f".building-{done.generation}"
    folders = {aside / path.relative_to(made) for path in made.rglob("*") if path.is_dir()} | {aside}
    assert len(folders) > 5
    assert folders <= synced

    def fail(directory: Path) -> None:
        if directory.name == "feeds":
            raise OSError(5, "Input/output error")
        real(directory)

    monkeypatch.setattr(generations, "_sync", fail)
    with pytest.raises(OSError, match="Input/output"):
        publish(site)
    assert os.readlink(root(site) / "current") == done.generation


def test_without_hard_links_every_copied_file_is_on_the_disk_too(site: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(site)
    before, real = os.readlink(root(site) / "current"), generations._sync
    synced: set[Path] = set()

    def note(path: Path) -> None:
        if os.readlink(root(site) / "current") == before:
            synced.add(path)
        real(path)

    def none(source: str, target: str) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(generations, "_sync", note)
    monkeypatch.setattr(os, "link", none)
    done = publish(site)
    made, aside = root(site) / done.generation, root(site) / f".building-{done.generation}"
    assert done.unchanged > 5
    assert {aside / path.relative_to(made) for path in made.rglob("*") if path.is_file()} <= synced


def test_a_warning_is_out_before_anything_of_shelters_or_guides_is_read(site: Flask, unhurried: None, monkeypatch: Any) -> None:
    done = publish(site)
    served = set(manifest(site).entries)
    assert int(publish(site).generation) == int(done.generation) + 1, "where no warning changed, one generation is enough"
    seen: list[tuple[str, bool, bool]] = []

    def look(name: str, module: Any) -> None:
        fill = module.fill

        def filled(*args: Any, **more: Any) -> Any:
            there = manifest(site).entries
            front = (root(site) / "current/en/index.html").read_text()
            out = "/zh/warnings/20261122-01/" in there and "/en/warnings/20261122-01/" in front
            seen.append((name, out, served <= there.keys() and whole(root(site) / "current")))
            return fill(*args, **more)

        monkeypatch.setattr(module, "fill", filled)

    look("shelters", publisher.shelters)
    look("guides", publisher.guides)
    with site.app_context():
        record("20261122-01")
    done = publish(site)
    assert seen == [("shelters", True, True), ("guides", True, True)]
    assert whole(root(site) / done.generation)
    with site.app_context(), transaction() as session:
        session.query(Warning).one().state = CANCELLED
    assert int(publish(site).generation) == int(done.generation) + 2, "an end goes out first too"


CHILD = """
import sys, time
from portal import create_app
from portal.config import Settings
from portal.site.publish import publish
app = create_app(Settings(instance=sys.argv[1], database_url=sys.argv[2], surfaces="site", secret_key="test "
* 10,
                          phone_key="ab" * 32, public_url="http://localhost"))
print("ready", flush=True)
while True:
    publish(app, everything=True)
    time.sleep(float(sys.argv[3]))
"""


def child(app: Flask, pause: float = 0) -> subprocess.Popen[bytes]:
    settings = app.extensions["anlan"]
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(settings.instance), settings.sqlalchemy_url, str(pause)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


def test_a_publisher_killed_at_any_moment_leaves_a_whole_generation(site: Flask) -> None:
    with site.app_context():
        record("20261122-01")
    publish(site)
    seen, dice = set(), random.Random(7)
    for attempt in range(20):
        if attempt >= 4 and len(seen) > 1:
            break
        process = child(site)
        try:
            # Any moment will do; later ones where the machine is busy and the children come to nothing.
            time.sleep(0.05 + dice.random() * (0.4 + 0.2 * attempt))
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait(10)
        assert whole(root(site) / "current")
        seen.add(os.readlink(root(site) / "current"))
    assert len(seen) > 1, "the children published nothing, so nothing was tried"
    done = publish(site)
    assert whole(root(site) / done.generation)
    assert not list(root(site).glob(".building-*"))


def test_publishers_at_the_same_time_take_turns(site: Flask, unhurried: None) -> None:
    with site.app_context():
        record("20261122-01")
    done: list[Published] = []
    threads = [threading.Thread(target=lambda: done.append(publish(site))) for _ in range(4)]
    process = child(site, pause=0.1)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    finally:
        process.kill()
        process.wait(10)
    assert len({one.generation for one in done}) == 4
    assert whole(root(site) / "current")


@pytest.mark.parametrize("table", ["shelter", "shelter_opening", "field_version"])
def test_a_warning_does_not_wait_for_tables_of_shelters_that_somebody_has_locked(
    site: Flask, table: str, caplog: pytest.LogCaptureFixture
) -> None:
    publish(site)
    with site.app_context():
        record("20261122-01")
        server = db.engine.dialect.name == "postgresql"
        with db.engine.execution_options(writes=True).connect() as other:
            if server:  # as a migration does; SQLite's readers never wait
                other.execute(text(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"))
            publish(site)
    assert (root(site) / "current/zh/warnings/20261122-01/index.html").exists()
    assert ("lock timeout" in caplog.text) == server
    assert "statement timeout" not in caplog.text


def test_a_database_that_fails_within_the_guides_ends_no_publishing(site: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(site)
    page = publisher.Publishing.page

    def broken(self: publisher.Publishing, template: str, *args: Any, **context: Any) -> bytes:
        if template == "guides/list.html":
            db.session.execute(text("SELECT nothing FROM nowhere"))
        return page(self, template, *args, **context)

    monkeypatch.setattr(publisher.Publishing, "page", broken)
    with site.app_context():
        record("20261122-01")
    done = publish(site, everything=True)
    assert os.readlink(root(site) / "current") == done.generation
    assert whole(root(site) / "current")
    assert {"/zh/warnings/20261122-01/", "/zh/guides/", "/zh/search/"} <= manifest(site).entries.keys()


def test_a_publisher_that_waits_too_long_says_so(site: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generations, "LOCK_SECONDS", 0)
    with generations.locked(root(site)), pytest.raises(TimeoutError, match="publishing"):
        publish(site)


def test_whoever_waits_comes_before_one_who_lets_go_and_asks_again_at_once(site: Flask) -> None:
    order: list[str] = []

    def second() -> None:
        with generations.locked(root(site)):
            order.append("waited")

    for _time in range(20):
        order.clear()
        with generations.locked(root(site)) as wanted:
            assert not wanted()
            other = threading.Thread(target=second)
            other.start()
            while other.is_alive() and not wanted():
                pass
        with generations.locked(root(site)):
            order.append("again")
        other.join(60)
        assert order == ["waited", "again"]


def test_publishing_works_inside_a_request_and_inside_a_context(site: Flask) -> None:
    with site.app_context():
        record("20261122-01")
        publish()
        assert db.session.is_active
    with site.test_request_context("/en/", headers={"Accept-Language": "en"}):
        publish()
    assert 'lang="zh-CN"' in (root(site) / "current/zh/index.html").read_text()
