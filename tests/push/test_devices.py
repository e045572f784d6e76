"""Devices: how they come, change and go; by whom they can be changed; how they are found for a dispatch."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, func, select, text

from portal import create_app
from portal.channels.push import store
from portal.channels.push.models import PushDevice, PushDeviceRegion
from portal.config import Settings
from portal.core.db import db, transaction
from portal.core.keys import base64url, from_base64url
from portal.identity.limits import limiter
from tests import district
from tests.push.browsers import COMMUNITY, HOSTS, OTHER, subscription


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Flask]:
    folder = tmp_path_factory.mktemp("push")
    shutil.copy(sqlite_template, folder / "anlan.db")
    made = create_app(Settings(instance=folder, surfaces="site", push_services=HOSTS, push_new_per_address=5))
    with made.app_context():
        district.settle_regions()
    yield made
    with made.app_context():
        db.engine.dispose()


@pytest.fixture
def app(portal: Flask) -> Flask:
    """Without devices."""
    with portal.app_context(), transaction() as session:
        session.execute(delete(PushDevice))
    limiter.reset()
    return portal


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def asked(**changes: object) -> dict:
    return {"subscription": subscription(), "regions": [COMMUNITY], "tier": "yellow", "language": "zh"} | changes


def rows() -> int:
    return db.session.scalar(select(func.count()).select_from(PushDevice)) or 0


def test_a_browser_comes_changes_what_it_wants_and_goes(app: Flask, client: FlaskClient):
    one = asked()
    where = {"endpoint": one["subscription"]["endpoint"]}
    assert client.post("/push/mine", json=where).json == {"known": False}
    came = client.post("/push/device", json=one)
    assert (came.status_code, came.json) == (201, {"known": True, "regions": [COMMUNITY], "tier": "yellow", "language": "zh"})
    changed = client.post("/push/device", json=one | {"regions": [OTHER, COMMUNITY, COMMUNITY], "tier": "red", "language": "en"})
    assert changed.status_code == 200
    assert client.post("/push/mine", json=where).json == {
        "known": True, "regions": sorted([COMMUNITY, OTHER]), "tier": "red", "language": "en"}
    with app.app_context():
        assert rows() == 1
    assert client.post("/push/off", json=where).json == {"known": False}
    assert client.post("/push/off", json=where).status_code == 200, "off twice is off"
    with app.app_context():
        assert rows() == 0
        assert db.session.scalar(select(func.count()).select_from(PushDeviceRegion)) == 0


def test_a_new_address_of_the_same_browser_keeps_what_it_wants(app: Flask, client: FlaskClient):
    one, new = asked(tier="orange"), subscription()
    client.post("/push/device", json=one)
    old = one["subscription"]["endpoint"]
    assert client.post("/push/renew", json={"old": old, "subscription": new}).json == {"known": True}
    assert client.post("/push/mine", json={"endpoint": old}).json == {"known": False}
    assert client.post("/push/mine", json={"endpoint": new["endpoint"]}).json["tier"] == "orange"
    assert client.post("/push/renew", json={"old": old, "subscription": new}).json == {"known": False}
    with app.app_context():
        (address, keys), = store.load(db.session.scalars(select(PushDevice.id)).all()).values()
    assert (address, base64url(keys.auth)) == (new["endpoint"], new["keys"]["auth"])


def test_what_is_kept_of_a_browser_cannot_be_read_in_the_database(app: Flask, client: FlaskClient):
    one = asked()
    client.post("/push/device", json=one, environ_base={"REMOTE_ADDR": "203.0.113.77"})
    with app.app_context():
        row = db.session.execute(text("SELECT * FROM push_device")).one()
    stored = b"\0".join(v if isinstance(v, bytes) else str(v).encode() for v in row)
    for secret in (one["subscription"]["endpoint"].encode()[-20:], from_base64url(one["subscription"]["keys"]["auth"]),
                   b"203.0.113.77"):
        assert secret not in stored


@pytest.mark.parametrize(("field", "wrong"), [
    ("regions", []), ("regions", ["440310000000"]), ("regions", ["000000000000"]), ("regions", "440310001001"), ("regions", [7]),
    ("regions", None), ("tier", "purple"), ("tier", None), ("tier", 3), ("tier", []), ("language", "fr"), ("language", {}),
    ("subscription", None), ("subscription", {"endpoint": "https://fcm.googleapis.com/x"})])
def test_what_cannot_be_taken_is_refused_with_its_field_in_both_languages(client: FlaskClient, field: str, wrong: object):
    for language, word in (("zh", "未作任何更改"), ("en", "nothing was changed")):
        answer = client.post(f"/push/device?lang={language}", json=asked(**{field: wrong}))
        assert answer.status_code == 422
        assert answer.mimetype == "application/problem+json"
        assert word in answer.json["title"]
        assert [e["field"].partition(".")[0] for e in answer.json["errors"]] == [field]
        assert answer.json["errors"][0]["message"]


def test_more_communities_than_a_device_may_choose_are_refused(client: FlaskClient, monkeypatch):
    monkeypatch.setattr(store, "MOST_REGIONS", 1)
    answer = client.post("/push/device", json=asked(regions=[COMMUNITY, OTHER]))
    assert [e["field"] for e in answer.json["errors"]] == ["regions"]


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:5432/", "https://169.254.169.254/latest/meta-data", "https://evil.example/p/1",
                                      "https://fcm.googleapis.com@evil.example/x", "http://fcm.googleapis.com/x"])
def test_an_address_that_is_no_push_service_is_refused_in_words(app: Flask, client: FlaskClient, endpoint: str):
    answer = client.post("/push/device?lang=en", json=asked(subscription=subscription() | {"endpoint": endpoint}))
    assert "push service is not among those" in answer.json["errors"][0]["message"]
    with app.app_context():
        assert rows() == 0


@pytest.mark.parametrize("body", [b"", b"[]", b"7", b"\xff", b"[" * 3000, b'"\\ud800"', b'{"endpoint": "\\ud800"}', b"{}"])
def test_junk_is_answered_in_words(client: FlaskClient, body: bytes):
    for path in ("device", "mine", "off", "renew"):
        answer = client.post(f"/push/{path}", data=body, content_type="application/json")
        assert answer.status_code in (200, 422), path
        if answer.status_code == 422:
            assert answer.json["title"]
    assert client.post("/push/device", data=b"x" * 20_000).status_code == 413
    assert client.get("/push/device").status_code == 405


def test_from_one_network_address_only_so_many_come_in_a_day_and_those_that_are_there_may_change(app: Flask, client: FlaskClient):
    first = asked()
    assert client.post("/push/device", json=first).status_code == 201
    for _ in range(4):
        assert client.post("/push/device", json=asked()).status_code == 201
    late = client.post("/push/device?lang=en", json=asked())
    assert late.status_code == 429
    assert "subscribe by text message" in late.json["title"]
    assert client.post("/push/device", json=first | {"tier": "red"}).status_code == 200
    other = client.post("/push/device", json=asked(), environ_base={"REMOTE_ADDR": "198.51.100.9"})
    assert other.status_code == 201
    with app.app_context():
        assert rows() == 6


def test_the_key_is_the_same_at_each_start_and_none_where_notifications_are_off(tmp_path):
    def asked_at(**values: object) -> str | None:
        client = create_app(Settings(instance=tmp_path, surfaces="site", **values)).test_client()
        return client.get("/push/key").json["key"]

    key, = {asked_at() for _ in range(2)}
    ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), from_base64url(key))
    assert asked_at(push_services="") is None
