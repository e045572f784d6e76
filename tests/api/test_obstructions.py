"""The API as another system sees it: tokens that open one door, features in and out, refusals in words."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from sqlalchemy import select

from portal.api import shelters
from portal.core.audit import AuditEntry
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.core.errors import Forbidden
from portal.identity import tokens
from portal.identity.limits import limiter
from portal.identity.models import Account, ApiToken
from portal.identity.rights import SHELTERS, TRANSFERS
from portal.identity.token_commands import token as group
from portal.shelters.field import wish
from portal.shelters.models import Obstruction
from portal.shelters.registry import store
from portal.shelters.roads import obstructions
from tests import district
from tests.district import DISTRICT, PINGSHAN
from tests.shelters.places import make_shelter
from tests.shelters.roads.obstacles import FAR, feature, point

ALL = "/api/v1/obstructions"
NOWHERE = f"{ALL}/018f0000-0000-7000-8000-000000000000"


class Caller:
    """Another system with (or without) a token."""

    def __init__(self, app: Flask, token: str = "", language: str = "en") -> None:
        self.client, self.head = app.test_client(), {"Accept-Language": language}
        if token:
            self.head["Authorization"] = f"Bearer {token}"

    def __call__(self, method: str, path: str, sent: Any = None, **head: str) -> Any:
        data = sent if isinstance(sent, (bytes, str, type(None))) else json.dumps(sent)
        headers = self.head | {name.replace("_", "-"): value for name, value in head.items()}
        return self.client.open(path, method=method, data=data, headers=headers)


@pytest.fixture
def place(app: Flask) -> Flask:
    with app.app_context():
        limiter.reset()
        district.office("keeper", (SHELTERS, DISTRICT, "white"))
        district.office("street", (SHELTERS, PINGSHAN, "white"), (TRANSFERS, DISTRICT, "white"))
    return app


@pytest.fixture
def token(place: Flask):
    def make(username: str = "keeper", role: str = SHELTERS, region: str = DISTRICT) -> str:
        with place.app_context():
            return tokens.create(username, "水务系统", role, region)[1]
    return make


def test_a_feature_is_made_changed_and_ended_and_sending_it_twice_makes_one(place, token):
    call = Caller(place, token())
    made = call("POST", ALL, feature())
    assert (made.status_code, made.mimetype) == (201, "application/geo+json")
    where = made.headers["Location"]
    again = call("POST", ALL, feature(name_zh="六联桥下"))
    assert (again.status_code, again.json["id"], again.json["properties"]["version"]) == (200, made.json["id"], 2)
    assert call("POST", ALL, feature(name_zh="六联桥下")).json["properties"]["version"] == 2
    patched = call("PATCH", where, {"properties": {"effect": "slows", "factor": 4, "external_id": "other"}})
    assert (patched.status_code, patched.json["properties"]["factor"]) == (200, 4.0)
    assert patched.json["properties"]["external_id"] == "r-1"
    assert [f["id"] for f in Caller(place)("GET", ALL).json["features"]] == [made.json["id"]]
    assert call("DELETE", where).status_code == 204 == call("DELETE", where).status_code
    assert Caller(place)("GET", ALL).json["features"] == []
    assert Caller(place)("GET", where).status_code == 404
    assert call("GET", where).json["properties"]["state"] == "ended"
    assert call("POST", ALL, feature()).json["properties"]["state"] == "now"  # its own end it may take back
    with place.app_context():
        assert {e.actor for e in db.session.scalars(select(AuditEntry).where(AuditEntry.subject.startswith("obstruction:")))} == {
            "keeper"}


def test_each_call_that_changes_something_asks_for_new_ways_once_and_no_other_does(place, token):
    call = Caller(place, token())

    def wanted() -> int:
        with place.app_context():
            row = wish.state()
            return row.wanted if row else 0

    began, made = wanted(), call("POST", ALL, feature())
    where, version = made.headers["Location"], made.json["properties"]["version"]
    assert wanted() == began + 1
    call("POST", ALL, feature())
    call("PATCH", where, {"properties": {"effect": "slows"}}, If_Match=f'"{version + 1}"')
    assert wanted() == began + 1, "nothing changed"
    both = [feature(name_zh="六联桥下"), feature(external_id="r-2")]
    assert call("POST", ALL, {"type": "FeatureCollection", "features": both}).status_code == 200
    assert wanted() == began + 2
    call("PATCH", where, {"properties": {"effect": "slows", "factor": 4}})
    assert wanted() == began + 3
    call("DELETE", where)
    assert wanted() == began + 4


def test_what_the_desk_ended_a_feed_does_not_begin_again(place, token):
    call = Caller(place, token())
    call("POST", ALL, feature())
    with place.app_context():
        row = obstructions.by_external("r-1")
        obstructions.end(db.session.scalar(select(Account).where(Account.username == "keeper")), row.id, row.version)
    assert call("POST", ALL, feature()).status_code == 409


def test_a_token_does_no_more_than_its_one_duty_in_its_region(place, token):
    call = Caller(place, token("street", region=PINGSHAN))
    assert call("POST", ALL, feature(geometry=point(FAR))).status_code == 403
    assert call("POST", ALL, feature()).status_code == 201
    other = Caller(place, token("street", TRANSFERS))
    assert other("POST", ALL, feature(external_id="r-2")).status_code == 403
    assert other("GET", f"{ALL}?state=all").status_code == 401
    with place.app_context(), pytest.raises(Forbidden):
        tokens.create("street", "x", SHELTERS, DISTRICT)


def test_a_forged_expired_or_revoked_token_and_one_of_a_closed_account_open_nothing(place, token):
    good = token()
    with place.app_context(), transaction() as session:
        session.scalar(select(ApiToken)).expires_at = utcnow() - timedelta(seconds=1)
    revoked = token()
    with place.app_context():
        tokens.revoke(tokens.listing()[0][0].id)
    closed = token("street", region=PINGSHAN)
    with place.app_context(), transaction() as session:
        session.scalar(select(Account).where(Account.username == "street")).active = False
    forged = good[:-1] + ("A" if good[-1] != "A" else "B")
    for bad in (good, revoked, closed, forged, "x", "anlan_", "anlan_" + "é" * 9000, good.upper()):
        answer = Caller(place, bad.encode().decode("latin-1"))("POST", ALL, feature())
        assert (answer.status_code, answer.mimetype) == (401, "application/problem+json"), bad[:12]
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    for head in ("Basic YTpi", "Bearer", "Bearer  "):
        assert Caller(place)("POST", ALL, feature(), Authorization=head).status_code == 401
    assert Caller(place)("POST", ALL, feature()).status_code == 401
    with place.app_context():
        assert db.session.scalars(select(Obstruction)).all() == []


def test_the_database_holds_no_token_and_the_commands_show_it_once(place, make_settings, monkeypatch):
    monkeypatch.setattr("portal.config.load_settings", make_settings)
    runner = CliRunner()
    made = runner.invoke(group, ["create", "keeper", "--name", "水务系统", "--days", "30"])
    plain = made.output.strip().rsplit(" ", 1)[1]
    assert Caller(place, plain)("POST", ALL, feature()).status_code == 201
    listed = runner.invoke(group, ["list"]).output
    assert "active" in listed
    assert plain not in listed
    with place.app_context():
        row = db.session.scalar(select(ApiToken))
        assert plain not in json.dumps([str(v) for v in vars(row).values()])
        assert plain not in json.dumps([e.details for e in db.session.scalars(select(AuditEntry))])
    assert runner.invoke(group, ["revoke", str(row.id)]).exit_code == 0
    assert Caller(place, plain)("POST", ALL, feature()).status_code == 401
    assert runner.invoke(group, ["create", "nobody", "--name", "x"]).exit_code == 1


def test_errors_are_problems_in_the_callers_language_at_their_fields(place, token):
    plain = token()
    call = Caller(place, plain)
    wrong = call("POST", ALL, feature(kind="flood", radius="wide"))
    assert (wrong.status_code, {e["field"] for e in wrong.json["errors"]}) == (422, {"kind", "radius"})
    chinese = Caller(place, plain, "zh")("POST", ALL, feature(kind="flood")).json["errors"][0]["message"]
    assert any("\u4e00" <= c <= "\u9fff" for c in chinese)
    for sent in (b"{", b"\xff", "[1]", "7", b"[" * 100_000, {"type": "Feature", "properties": []}):
        assert call("POST", ALL, sent).status_code == 422
    large = call("POST", ALL, b" " * (1024 * 1024 + 1))
    assert (large.status_code, large.mimetype) == (413, "application/problem+json")
    for method in ("GET", "PATCH", "DELETE"):
        assert call(method, NOWHERE, {}).status_code == 404
    assert call("PUT", ALL).status_code == 405


@pytest.mark.parametrize(("odd", "field"), [
    ({"kind": []}, "kind"), ({"kind": {"a": 1}}, "kind"), ({"external_id": []}, "external_id")])
def test_a_value_of_another_kind_than_it_should_be_is_refused_at_its_field(place, token, odd, field):
    call = Caller(place, token())
    several = {"type": "FeatureCollection", "features": [feature(**odd)]}
    for sent, at in ((feature(**odd), field), (several, f"features.0.{field}")):
        answer = call("POST", ALL, sent)
        assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, at)


@pytest.mark.parametrize("odd", [{"name_zh": "\ud800"}, {"external_id": "\ud800"}, {"families": ["\ud800"]}, {"\ud800": 1}])
def test_half_a_character_is_refused_in_words(place, token, odd):
    answer = Caller(place, token())("POST", ALL, feature(**odd))
    assert (answer.status_code, answer.json["errors"][0]["message"]) == (422, "This holds a character that cannot be shown.")


def test_characters_that_nobody_sees_are_left_out_and_make_no_second_obstruction(place, token):
    call = Caller(place, token())
    made = call("POST", ALL, feature(name_zh="六联\u202e路口\0", external_id=" r \0 1\u0085"))
    assert (made.status_code, made.json["properties"]["name_zh"], made.json["properties"]["external_id"]) == (
        201, "六联 路口", "r 1")
    slow = call("POST", ALL, feature(external_id="r 1", effect="slows", factor=4))
    assert (slow.status_code, slow.json["id"]) == (200, made.json["id"])
    again = feature(external_id="r  1 ")
    del again["properties"]["kind"]  # what is not said stays as it was
    assert call("POST", ALL, again).json["properties"]["factor"] == 4.0


def test_a_collection_is_taken_whole_or_not_at_all(place, token):
    call = Caller(place, token())
    both = {"type": "FeatureCollection", "features": [feature(), feature(external_id="r-2", kind="flood")]}
    refused = call("POST", ALL, both)
    assert (refused.status_code, refused.json["errors"][0]["field"]) == (422, "features.1.kind")
    assert Caller(place)("GET", ALL).json["total"] == 0
    both["features"][1] = feature(external_id="r-2")
    assert len(call("POST", ALL, both).json["features"]) == 2
    both["features"] = [feature(external_id=str(n)) for n in range(201)]
    assert call("POST", ALL, both).status_code == 422


def test_somebody_who_was_quicker_is_not_written_over(place, token):
    call = Caller(place, token())
    made = call("POST", ALL, feature())
    where = made.headers["Location"]
    assert call("PATCH", where, {"properties": {"radius": 9}}, If_Match=made.headers["ETag"]).status_code == 200
    assert call("PATCH", where, {"properties": {"radius": 8}}, If_Match=made.headers["ETag"]).status_code == 409
    assert call("DELETE", where, If_Match=made.headers["ETag"]).status_code == 409


def test_reading_without_a_token_shows_what_anybody_may_know(place, token):
    Caller(place, token())("POST", ALL, feature(note="内部备注"))
    anyone = Caller(place)("GET", ALL)
    assert "内部备注" not in anyone.text
    assert "r-1" not in anyone.text
    assert Caller(place)("GET", ALL, If_None_Match=anyone.headers["ETag"]).status_code == 304
    assert Caller(place)("GET", f"{ALL}?state=ended").status_code == 401
    assert Caller(place)("GET", f"{ALL}?region=44").status_code == 422
    assert Caller(place)("GET", f"{ALL}?region={FAR}").json["total"] == 0


def test_too_many_requests_are_refused_for_a_while(place, token):
    call = Caller(place, token())
    answers = [call("DELETE", NOWHERE).status_code for _ in range(125)]
    assert set(answers[:100]) == {404}
    assert answers[-1] == 429


def test_an_answer_about_all_shelters_is_worked_out_once_in_a_while(place, monkeypatch):
    with place.app_context(), transaction() as session:
        make_shelter(session, code="s-1")
    call, asked = Caller(place), []
    listing = store.listing
    monkeypatch.setattr(store, "listing", lambda *a, **k: asked.append(a) or listing(*a, **k))
    first = [call("GET", "/api/v1/shelters").json for _ in range(3)]
    assert (len(asked), first[0] == first[2]) == (1, True)
    monkeypatch.setattr(shelters, "KEPT_FOR", timedelta(0))
    call("GET", "/api/v1/shelters")
    assert len(asked) == 2


def test_shelters_are_read_by_anybody_and_what_is_unknown_is_null(place):
    with place.app_context(), transaction() as session:
        make_shelter(session, code="s-1", suitability={"flood": True}, water=None, contact_phone="0755-00000000")
        make_shelter(session, code="s-2", longitude=None, latitude=None)
        make_shelter(session, code="s-3", retired_at=utcnow())
    call = Caller(place)
    found = call("GET", "/api/v1/shelters.geojson")
    assert [f["id"] for f in found.json["features"]] == ["s-1", "s-2"]
    first = found.json["features"][0]["properties"]
    assert (first["water"], first["suitability"]["flood"], first["suitability"]["landslide"]) == (None, True, None)
    assert found.json["features"][1]["geometry"] is None
    assert call("GET", "/api/v1/shelters", If_None_Match=found.headers["ETag"]).status_code == 304
    assert [f["id"] for f in call("GET", "/api/v1/shelters?family=slope").json["features"]] == ["s-2"]
    assert [f["id"] for f in call("GET", "/api/v1/shelters?after=s-1").json["features"]] == ["s-2"]
    assert call("GET", "/api/v1/shelters?family=sloop").status_code == 422
    assert call("GET", "/api/v1/shelters/s-1").json["id"] == "s-1"
    assert call("GET", "/api/v1/shelters/s-3").status_code == 404
    assert call("POST", "/api/v1/shelters", {}).status_code == 405
