"""The public API: the same truth as the pages, from the same files, standing when they stand."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import time_machine
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.generation import GenerationMode

from portal.api import fill
from portal.core.clock import utcnow
from portal.core.db import db
from portal.identity.limits import limiter
from portal.site.publish import publish, root_of
from tests.api.places import HERE, copied, published
from tests.site.records import record

IN_PINGSHAN, IN_THE_SEA = "114.3441,22.7080", "114.9,22.1"


@pytest.fixture(scope="module")
def town(settled_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Flask:
    return published(settled_template, tmp_path_factory.mktemp("town"))


@pytest.fixture(autouse=True)
def _unhindered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiter, "enabled", False)


def get(app: Flask, path: str, **headers: str) -> Any:
    return app.test_client().get(f"/api/v1{path}", headers={"Accept-Language": "en"} | headers)


def numbers(app: Flask, question: str) -> list[str]:
    answer = get(app, f"/warnings{question}")
    assert answer.status_code == 200, answer.text
    return [one["number"] for one in answer.json["warnings"]]


def test_what_is_in_force_is_told_with_its_words_and_its_age(town: Flask) -> None:
    said = get(town, "/warnings").json
    assert (said["in_force"], said["highest_tier"]) == (2, "red")
    assert [one["number"] for one in said["warnings"]] == ["20261122-01", "20261122-02"]
    first = said["warnings"][0]
    assert first["headline"] == {"zh": "坪山区发布暴雨红色预警信号", "en": "Red rainstorm warning for Pingshan"}
    assert (first["severity"], first["bulletins"], first["ended"]) == ("Extreme", 2, None)
    assert said["generated"].endswith("+08:00")
    story = get(town, "/warnings/20261122-01").json
    assert [(one["position"], one["kind"]) for one in story["history"]] == [(1, "alert"), (2, "update")]
    assert story["geometry"]["type"] == "MultiPolygon"
    assert town.test_client().get(first["cap"].removeprefix("http://localhost")).status_code == 200
    assert get(town, first["url"].removeprefix("http://localhost/api/v1")).json["number"] == "20261122-01"


def test_drills_are_nowhere_in_it(town: Flask) -> None:
    assert get(town, "/warnings/20261122-D01").status_code == 404
    assert "20261122-D01" not in json.dumps(numbers(town, "?state=all&limit=100"))


def test_warnings_are_found_by_place_tier_hazard_and_state(town: Flask) -> None:
    assert numbers(town, "?region=440310001001") == ["20261122-01"], "a street's warning is for its communities"
    assert numbers(town, "?region=440310000000") == ["20261122-01", "20261122-02"], "the district has what its parts have"
    assert numbers(town, "?region=440304000000") == []
    assert numbers(town, f"?at={IN_PINGSHAN}") == ["20261122-01"]
    assert numbers(town, f"?at={IN_THE_SEA}&state=all") == []
    assert numbers(town, "?tier=orange") == ["20261122-01"]
    assert numbers(town, "?hazard=11B03&state=past&tier=orange") == ["20250701-01"]
    assert numbers(town, f"?state=past&region={HERE['code']}&tier=white&limit=1") == ["20250810-60"]
    found = get(town, f"/warnings?at={IN_PINGSHAN}").json["regions"]
    assert found[:2] == ["440310000000", "440310001000"]
    assert len(found) == 3
    assert [one["code"] for one in get(town, f"/regions?at={IN_PINGSHAN}").json["regions"]] == found
    assert get(town, f"/regions/{found[-1]}").json["parent"] == "440310001000"


def test_following_next_gives_every_warning_once_and_ends(town: Flask) -> None:
    for state, count in (("past", 62), ("all", 64)):
        seen, following = [], f"/warnings?state={state}&limit=25"
        while following:
            answer = get(town, following).json
            assert 0 < len(answer["warnings"]) <= 25
            seen += [(one["issued"], one["number"]) for one in answer["warnings"]]
            following = (answer["next"] or "").removeprefix("http://localhost/api/v1")
        assert len(seen) == len({number for _issued, number in seen}) == count
        assert seen == sorted(seen, reverse=True)
    months = get(town, "/archive").json
    assert (months["count"], len(months["months"][0]["parts"])) == (62, 2)
    last = get(town, months["months"][0]["parts"][1].removeprefix("http://localhost/api/v1")).json
    assert [one["number"] for one in last["warnings"]] == [f"20250810-{n}" for n in range(51, 61)]


def test_what_ran_out_after_the_last_rendering_is_past(town: Flask) -> None:
    with time_machine.travel(utcnow() + timedelta(hours=12), tick=False):
        assert numbers(town, "?state=in_force") == []
        newest = get(town, "/warnings?state=past&limit=2").json["warnings"]
        assert [(one["number"], one["state"]) for one in newest] == [("20261122-02", "expired"), ("20261122-01", "expired")]


WRONG = ["state=now", "tier=purple", "hazard=rain", "region=4403", "after=1", "limit=0", "limit=101", "limit=x", "limit=１",
         "at=", "at=114", "at=22.7;114.3", "at=190,22", "at=nan,nan", "at=114.3,22.7,1"]


def test_a_wrong_question_is_refused_in_both_languages_at_its_field(town: Flask) -> None:
    for wrong in WRONG:
        for language in ("en", "zh"):
            answer = get(town, f"/warnings?{wrong}", **{"Accept-Language": language})
            assert (answer.status_code, answer.content_type) == (422, "application/problem+json"), wrong
            (error,) = answer.json["errors"]
            assert error["field"] == wrong.partition("=")[0]
            assert error["message"].isascii() == (language == "en"), error
    assert len(get(town, "/warnings?state=now&limit=0").json["errors"]) == 2
    for path, status in (("/nothing", 404), ("/warnings/1", 404), ("/guides/../openapi.json", 404),
                         ("/warnings/20200101-01", 404), ("/archive/2025-08/9", 404), ("/regions/440399999999", 404)):
        answer = get(town, path)
        assert (answer.status_code, answer.content_type) == (status, "application/problem+json"), path
    answer = town.test_client().post("/api/v1/warnings")
    assert (answer.status_code, answer.content_type) == (405, "application/problem+json")
    assert "GET" in answer.headers["Allow"]


def test_who_has_an_answer_already_gets_nothing_again(town: Flask) -> None:
    for path in ("/warnings", "/warnings?tier=red", "/regions.geojson", "/openapi.json", "/regions/440310000000"):
        first = get(town, path)
        assert first.headers["Access-Control-Allow-Origin"] == "*"
        assert "Set-Cookie" not in first.headers
        again = get(town, path, **{"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b""), path


def test_the_files_and_the_addresses_give_the_same_bytes(town: Flask) -> None:
    current = root_of(town.extensions["anlan"]) / "current"
    described = json.loads(get(town, "/openapi.json").data)
    assert described["openapi"] == "3.1.0"
    plain = [doors["get"]["x-file"] for doors in described["paths"].values() if "{" not in doors["get"].get("x-file", "{")]
    assert len(plain) >= 6
    for path in plain:
        short = path.removesuffix(".json").removeprefix("/api/v1")
        assert (current / path.lstrip("/")).read_bytes() == get(town, path.removeprefix("/api/v1")).data == get(town, short).data


def test_it_stands_without_the_site_and_without_the_database(town: Flask, make_app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = make_app(surfaces="api", instance=town.extensions["anlan"].instance)

    def gone(*_args: object, **_more: object) -> None:
        raise ConnectionError("the database is gone")

    for app in (town, alone):
        with app.app_context():
            monkeypatch.setattr(db.engine, "connect", gone)
            monkeypatch.setattr(db.engine, "raw_connection", gone)
    for path in ("/warnings", "/warnings?state=all&limit=3", f"/warnings?at={IN_PINGSHAN}", "/warnings/20261122-01", "/regions",
                 "/regions.geojson", "/guides", "/feeds", "/archive/2025-08/1", "/openapi-zh.json"):
        assert get(alone, path).data.strip() == get(town, path).data.strip(), path
        assert get(alone, path).status_code == 200


def test_before_the_first_publishing_it_says_so(make_app: Any) -> None:
    answer = get(make_app(surfaces="api"), "/warnings")
    assert (answer.status_code, answer.content_type, answer.headers["Retry-After"]) == (503, "application/problem+json", "30")


@pytest.fixture(scope="module")
def changing(town: Flask, tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """The same town, for those who change something."""
    return copied(town, tmp_path_factory.mktemp("changing"))


def test_a_fault_in_the_api_holds_no_warning_back(changing: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    app = changing
    monkeypatch.setattr(fill.records, "story", lambda *_args: 1 / 0)
    with app.app_context():
        record("20261123-01")
    publish(app)
    assert app.test_client().get("/zh/warnings/20261123-01/").status_code == 200
    assert get(app, "/warnings/20261122-01").status_code == 200, "what was published stays"
    monkeypatch.undo()
    publish(app)
    assert get(app, "/warnings/20261123-01").json["number"] == "20261123-01"


def test_a_warning_renders_its_own_files_of_the_api_and_no_others(changing: Flask) -> None:
    app = changing
    publish(app)  # the list of feeds is complete once everything is there
    current = root_of(app.extensions["anlan"]) / "current"

    def inodes() -> dict[str, int]:
        return {str(path.relative_to(current)): path.stat().st_ino for path in (current / "api").rglob("*.json")}

    before = inodes()
    with app.app_context():
        record("20261124-01", tier="blue")
    publish(app)
    assert {name for name, inode in inodes().items() if before.get(name) != inode} == {
        "api/v1/warnings.json", "api/v1/warnings/20261124-01.json"}


def test_the_page_says_how_to_ask_in_each_language(town: Flask) -> None:
    client = town.test_client()
    for language, words in (("zh", "开放数据接口"), ("en", "Open data API")):
        assert client.get("/api/v1/", headers={"Accept-Language": language}).headers["Location"] == f"/{language}/api/"
        page = client.get(f"/{language}/api/").text
        assert words in page
        described = get(town, "/openapi-zh.json" if language == "zh" else "/openapi.json").json
        for operation in described["paths"].values():
            assert operation["get"]["summary"] in page


@pytest.fixture(scope="module")
def described(town: Flask) -> Any:
    return schemathesis.openapi.from_wsgi("/api/v1/openapi.json", town)


def test_every_answer_is_as_the_description_says_whatever_is_asked(described: Any) -> None:
    operations = [one.ok() for one in described.get_all_operations()]
    assert len(operations) >= 14
    for operation in operations:
        asked = st.one_of(operation.as_strategy(), operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))

        @given(case=asked)
        @settings(max_examples=7, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
        def ask(case: Any) -> None:
            case.call_and_validate(headers={"Accept-Encoding": "identity"})

        ask()
