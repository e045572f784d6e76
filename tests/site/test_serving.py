"""Serving: from memory, in front of the application and without it."""

from __future__ import annotations

import gzip
import json
import shutil
import threading
from pathlib import Path

import brotli
import pytest
from flask import Flask
from lxml import etree
from shapely.geometry import shape

from portal.core.clock import utcnow
from portal.core.db import db
from portal.site import serve
from portal.site.generations import Entry
from portal.site.publish import publish, root_of
from portal.site.serve import CACHE_BYTES, PublicFiles, preferred_language
from portal.warnings import archive
from portal.warnings.models import ALERT, CANCEL, UPDATE
from tests.site.records import AREAS, RING, WORDS, record

ATOM = {"a": "http://www.w3.org/2005/Atom"}


@pytest.fixture
def published(site: Flask) -> Flask:
    with site.app_context():
        record("20261122-01", kinds=(ALERT, UPDATE))
        record("20261121-01", kinds=(ALERT, CANCEL))
    publish(site)
    return site


def test_a_page_is_served_with_what_a_cache_needs(published: Flask) -> None:
    answer = published.test_client().get("/zh/warnings/20261122-01/")
    assert answer.content_type == "text/html; charset=utf-8"
    assert answer.headers["Cache-Control"].startswith("public, max-age=10, stale-while-revalidate")
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    assert int(answer.headers["Content-Length"]) == len(answer.data)
    assert "Set-Cookie" not in answer.headers


def test_what_the_reader_has_is_not_sent_again(published: Flask) -> None:
    client = published.test_client()
    first = client.get("/zh/", headers={"Accept-Encoding": "br"})
    tag = first.headers["ETag"]
    for header in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = client.get("/zh/", headers={"If-None-Match": header, "Accept-Encoding": "br"})
        assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", tag), header
    assert client.get("/zh/", headers={"If-None-Match": '"other"'}).status_code == 200
    assert client.get("/zh/", headers={"If-None-Match": tag}).status_code == 200, (
        "another encoding is another representation"
    )
    with published.app_context():
        record("20261122-02")
    publish(published)
    changed = client.get("/zh/", headers={"If-None-Match": tag, "Accept-Encoding": "br"})
    assert changed.status_code == 200
    assert changed.headers["ETag"] != tag


ENCODINGS = [
    ("", None),
    ("identity", None),
    ("gzip", "gzip"),
    ("br", "br"),
    ("gzip, deflate, br, zstd", "br"),
    ("*", "br"),
    ("br;q=0.1, gzip;q=0.9", "gzip"),
    ("br;q=0, gzip;q=0", None),
    ("br;q=0, *", "gzip"),
    ("nonsense;;;q=x", None),
]


def test_the_best_encoding_that_the_reader_takes_is_served(published: Flask) -> None:
    client = published.test_client()
    plain = client.get("/en/").data
    for accepted, encoding in ENCODINGS:
        answer = client.get("/en/", headers={"Accept-Encoding": accepted})
        assert answer.headers.get("Content-Encoding") == encoding, accepted
        open_it = {None: bytes, "gzip": gzip.decompress, "br": brotli.decompress}[encoding]
        assert open_it(answer.data) == plain, accepted


def test_head_is_get_without_the_body(published: Flask) -> None:
    client = published.test_client()
    got, head = client.get("/zh/"), client.head("/zh/")
    assert (head.status_code, head.data, head.headers["Content-Length"]) == (
        200,
        b"",
        got.headers["Content-Length"],
    )


@pytest.mark.parametrize(
    ("asked", "language"),
    [
        ("", "zh"),
        ("en-GB,en;q=0.9", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("zh_Hant_TW", "zh"),
        ("fr-FR, en;q=0.5", "en"),
        ("fr", "zh"),
        ("en;q=0, zh;q=0.1", "zh"),
        ("*", "zh"),
        ("zh;q=0.1, en", "en"),
    ],
)
def test_the_browser_s_first_language_that_we_speak_is_taken(asked: str, language: str) -> None:
    assert preferred_language(asked) == language


def test_the_front_door_leads_to_the_readers_language(published: Flask) -> None:
    for asked, language in (("en-GB", "en"), ("zh-CN", "zh"), ("fr", "zh")):
        answer = published.test_client().get("/", headers={"Accept-Language": asked})
        assert (answer.status_code, answer.headers["Location"]) == (302, f"/{language}/")
        assert answer.headers["Vary"] == "Accept-Language"


def test_a_forgotten_slash_is_mended(published: Flask) -> None:
    answer = published.test_client().get("/zh/archive")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/zh/archive/")


STRAY = [
    "/zh/../../anlan.db",
    "/../secret_key",
    "/zh/..%2f..%2f..%2fsecret_key",
    "/cap/../manifest.json",
    "/manifest.json",
    "/.lock",
    "/zh/index.html",
    "/zh/%2e%2e/",
    "/zh//",
    "/current/zh/",
    "/cap/",
    "/zh/warnings/",
    "/zh/warnings/x/",
    "/zh/\x00",
    "/zh/index.html.br",
    "/%ff%fe/",
    "/etc/passwd",
]


def test_only_published_paths_are_served(published: Flask) -> None:
    for path in STRAY:
        answer = published.test_client().get(path)
        # A NUL is refused before anything looks at the path.
        assert answer.status_code == (400 if "\0" in path else 404), path
        assert "test test" not in answer.text


def test_what_is_not_found_is_told_in_the_language_of_the_path(published: Flask) -> None:
    client = published.test_client()
    assert "This page does not exist" in client.get("/en/nothing/").text
    assert "This page does not exist" not in client.get("/zh/nothing/").text


def test_other_methods_are_the_applications_business(published: Flask) -> None:
    assert published.test_client().post("/zh/").status_code in (400, 404, 405)


def test_the_frozen_bytes_are_served_as_they_were_frozen(published: Flask) -> None:
    with published.app_context():
        bulletins = list(archive.public_bulletins())
        assert len(bulletins) == 4
        for bulletin in bulletins:
            answer = published.test_client().get(f"/cap/{bulletin.identifier}.xml")
            assert answer.data == bulletin.cap
            assert answer.content_type == "application/cap+xml; charset=utf-8"
            assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_the_atom_feed_is_what_rfc_4287_asks_for(published: Flask) -> None:
    answer = published.test_client().get("/feeds/cap.atom")
    assert answer.content_type == "application/atom+xml; charset=utf-8"
    feed = etree.fromstring(answer.data)
    for path in ("a:id", "a:title", "a:updated", "a:author/a:name", "a:link[@rel='self']"):
        assert len(feed.xpath(path, namespaces=ATOM)) == 1, path
    entries = feed.xpath("a:entry", namespaces=ATOM)
    assert len(entries) == 4
    assert len({e.findtext("a:id", namespaces=ATOM) for e in entries}) == 4
    updated = [e.findtext("a:updated", namespaces=ATOM) for e in entries]
    assert updated == sorted(updated, reverse=True)
    assert feed.findtext("a:updated", namespaces=ATOM) == updated[0]
    for entry in entries:
        for path in (
            "a:title",
            "a:updated",
            "a:summary",
            "a:author/a:name",
            "a:content/@src",
            "a:category[@scheme='urn:anlan:tier']/@term",
        ):
            assert entry.xpath(path, namespaces=ATOM), path
        link = entry.xpath("a:link[@type='application/cap+xml']/@href", namespaces=ATOM)[0]
        assert published.test_client().get(link.removeprefix("http://localhost")).status_code == 200
    assert entries[0].xpath("a:category[@scheme='urn:anlan:area']/@term", namespaces=ATOM) == [
        a["code"] for a in AREAS
    ]


def test_the_map_of_what_is_in_force_is_geojson(published: Flask) -> None:
    answer = published.test_client().get("/feeds/warnings.geojson")
    assert answer.content_type == "application/geo+json"
    (feature,) = json.loads(answer.data)["features"]
    area = shape(feature["geometry"])
    assert area.is_valid
    assert area.bounds == (RING[0][0], RING[0][1], RING[2][0], RING[2][1])
    assert area.geoms[0].exterior.is_ccw
    said = feature["properties"]
    assert (said["number"], said["tier"]) == ("20261122-01", "red")
    assert said["headline"] == {tag: WORDS[tag]["headline"] for tag in ("zh", "en")}


def test_the_index_counts_what_is_in_force(published: Flask) -> None:
    said = json.loads(published.test_client().get("/feeds/index.json").data)
    assert (said["in_force"], said["highest_tier"]) == (1, "red")


def test_the_pages_stand_when_the_database_is_gone(published: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    with published.app_context():
        db.engine.dispose()

    def gone(*_args: object, **_more: object) -> None:
        raise ConnectionError("the database is gone")

    with published.app_context():
        monkeypatch.setattr(db.engine, "connect", gone)
        monkeypatch.setattr(db.engine, "raw_connection", gone)
    with pytest.raises(ConnectionError):
        publish(published)
    client = published.test_client()
    assert "20261122-01" in client.get("/zh/").text
    assert client.get("/cap/44031041600000_20261122-01_1.xml").status_code == 200
    assert client.get("/").status_code == 302


def test_the_pages_stand_when_even_the_files_are_gone(published: Flask) -> None:
    client = published.test_client()
    before = client.get("/zh/").data
    shutil.rmtree(root_of(published.extensions["anlan"]))
    assert client.get("/zh/").data == before


def test_another_process_s_publishing_is_seen_at_the_next_request(published: Flask) -> None:
    reader = PublicFiles(published.wsgi_app, root_of(published.extensions["anlan"]))
    loaded = reader._current("/zh/")
    assert loaded is not None
    publish(published)
    again = reader._current("/zh/")
    assert again is not None
    assert again.name != loaded.name
    assert reader._current("/zh/") is again, "nothing is read while nothing changed"


def test_while_one_reads_a_new_generation_the_others_go_on_with_the_one_before(
    published: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = published.test_client()
    before = client.get("/zh/").data
    with published.app_context():
        record("20261123-01")
    publish(published)
    real, begun, go_on = serve.read_manifest, threading.Event(), threading.Event()

    def slow(directory: Path) -> object:
        begun.set()
        assert go_on.wait(60)
        return real(directory)

    monkeypatch.setattr(serve, "read_manifest", slow)
    first: list[bytes] = []
    reader = threading.Thread(target=lambda: first.append(published.test_client().get("/zh/").data))
    reader.start()
    assert begun.wait(60)
    assert client.get("/zh/").data == before, "nobody waits for the one who reads"
    go_on.set()
    reader.join(60)
    assert first == [client.get("/zh/").data] != [before]


def test_without_any_generation_the_first_reader_has_one_rendered(site: Flask) -> None:
    client = site.test_client()
    client.get("/desk/")
    assert not root_of(site.extensions["anlan"]).exists(), "the desk's pages need no rendering"
    assert "目前没有生效的预警" in client.get("/zh/").text


def test_a_first_rendering_that_fails_is_not_tried_at_every_request(
    site: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []

    def fail() -> None:
        tries.append(utcnow())
        raise ConnectionError("no database")

    reader = PublicFiles(site.wsgi_app, root_of(site.extensions["anlan"]) / "other", first=fail)
    for _ in range(5):
        assert reader._current("/zh/") is None
    assert len(tries) == 1


def test_memory_is_bounded(tmp_path: Path) -> None:
    reader = PublicFiles(lambda _environ, _start: [], tmp_path)
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "big").write_bytes(b"x" * (CACHE_BYTES // 4))
    from portal.site.generations import Manifest
    from portal.site.serve import _Loaded

    loaded = _Loaded("1", Manifest("", {}))
    for number in range(12):
        entry = Entry("big", "text/plain", "", str(number), CACHE_BYTES // 4, 0, 0)
        assert reader._body(loaded, entry, "", CACHE_BYTES // 4) is not None
        assert reader._held <= CACHE_BYTES


def test_the_archive_reads_in_pages(published: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "PAGE", 2)
    with published.app_context():
        found = [b.identifier for b in archive.public_bulletins()]
        assert found == [head.identifier for head in archive.heads()]
        assert [w.number for w in archive.recent_past(1, utcnow())] == ["20261121-01"]
        assert [w.number for w in archive.in_force(utcnow())] == ["20261122-01"]
