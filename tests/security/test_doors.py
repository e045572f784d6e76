"""Where a request may lead, what a page may be framed by or loaded with, and which doors a process has."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextvars import Context
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from portal import create_app
from portal.config import Settings
from portal.core.db import db, transaction
from portal.dispatch.issue import issue
from portal.identity.rights import ADMINISTRATOR, APPROVER, DRAFTER
from portal.models import Base
from portal.regions.models import Region, RegionStamp
from portal.site.publish import publish
from portal.warnings import review
from tests import district

EVIL = '<script>alert(1)</script><img src=x onerror=alert(2)>"\'&{{7*7}}'


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """Every surface, over an empty database: what is asked of it here does not depend on which."""
    app = create_app(Settings(instance=tmp_path_factory.mktemp("instance")))
    with app.app_context():
        Base.metadata.create_all(db.engine)
    return app


@pytest.mark.parametrize(
    "target",
    ["//evil.example", "/\\evil.example", "/\t/evil.example", "/\n/evil.example", "/\r\nX-Evil: 1", "https://evil.example",
     "javascript:alert(1)", "\\\\evil.example", " //evil.example"],
)
def test_choosing_a_language_leads_nowhere_else(portal: Flask, target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(portal.config, "WTF_CSRF_ENABLED", False)
    answer = portal.test_client().post("/language", data={"language": "en", "next": target})
    assert answer.status_code == 302
    assert answer.headers["Location"] == "/"
    assert "X-Evil" not in answer.headers


def test_a_foreign_host_name_gets_into_no_answer(portal: Flask) -> None:
    client = portal.test_client()
    for path in ("/desk/", "/desk/sign-in", "/nothing", "/zh/", "/"):
        answer = Context().run(lambda: client.get(path, headers={"Host": "evil.example"}))  # noqa: B023
        assert "evil.example" not in answer.text + str(answer.headers), path


@pytest.mark.parametrize("path", ["/zh/", "/nothing", "/desk/sign-in", "/static/base.css", "/desk/", "/feeds/cap.atom", "/"])
def test_every_answer_refuses_framing_sniffing_and_what_is_not_ours(portal: Flask, path: str) -> None:
    headers = portal.test_client().get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy["frame-ancestors"] == policy["object-src"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"


@pytest.mark.parametrize("path", ["/static/..%2f..%2fconfig.py", "/static/%2e%2e/%2e%2e/config.py", "/assets/..%2fcurrent",
                                  "/desk/static/..%5c..%5cforms.py", "/zh/..%2f..%2fsecret_key"])
def test_no_address_leads_out_of_the_files_that_are_served(portal: Flask, path: str) -> None:
    assert portal.test_client().get(path).status_code == 404


def test_a_public_process_has_no_desk_and_sets_no_cookie(tmp_path: Path) -> None:
    app = create_app(Settings(instance=tmp_path, surfaces="site,api,hooks"))
    client = app.test_client()
    assert not [rule for rule in app.url_map.iter_rules() if str(rule).startswith("/desk")]
    for path in ("/desk/", "/desk/sign-in", "/nothing", "/zh/nothing"):
        answer = client.get(path)
        assert answer.status_code == 404
        assert "Set-Cookie" not in answer.headers


#: What the desk shows to anybody: its door (and service workers, which hold nobody's data).
OPEN_AT_THE_DESK = {"identity.sign_in"}


def _pages(portal: Flask, below: str) -> Iterator[tuple[str, str]]:
    """Endpoint and an address of every page there, with ids and names filled in."""
    for rule in portal.url_map.iter_rules():
        if "GET" in (rule.methods or ()) and str(rule).startswith(below) and not rule.endpoint.endswith("static"):
            path = re.sub(r"<uuid:\w+>", "0192f0c0-0000-7000-8000-000000000000", str(rule))
            path = re.sub(r"<any\(['\"]?(\w+)[^>]*>", r"\1", path)
            yield rule.endpoint, re.sub(r"<(\w+(\([^)]*\))?:)?\w+>", "1", path)


def test_a_desk_process_shows_no_page_without_signing_in(portal: Flask) -> None:
    client = portal.test_client()
    for endpoint, path in _pages(portal, "/desk"):
        if endpoint not in OPEN_AT_THE_DESK and not path.endswith("/sw.js"):
            answer = Context().run(client.get, path)
            to_the_door = answer.headers.get("Location", "").startswith("/desk/sign-in?next=/desk/")
            assert (answer.status_code, to_the_door) in ((302, True), (401, False)), path  # 401: what a script asks


def test_the_staffs_pages_show_nothing_without_a_code(portal: Flask) -> None:
    client, open_pages = portal.test_client(), {"sign_in", "worker", "offline"}
    for endpoint, path in _pages(portal, "/staff"):
        if endpoint.rpartition(".")[2] not in open_pages:
            answer = Context().run(client.get, path)
            assert (answer.status_code, answer.headers.get("Location")) in ((302, "/staff/sign-in"), (401, None)), path


def test_the_learners_pages_show_nothing_without_a_code(portal: Flask) -> None:
    client, open_pages = portal.test_client(), {"sign_in", "media", "worker", "home", "offline", "left"}
    for endpoint, path in _pages(portal, "/learn"):
        if endpoint.rpartition(".")[2] not in open_pages:
            answer = Context().run(client.get, path)
            to_the_door = answer.headers.get("Location", "").startswith("/learn/sign-in?next=/learn/")
            assert (answer.status_code, to_the_door) in ((302, True), (401, False)), path


def test_the_subscribers_pages_show_nothing_without_a_code(portal: Flask) -> None:
    client, open_pages = portal.test_client(), {"sign_in", "erased"}
    for endpoint, path in _pages(portal, "/subscribe"):
        if endpoint.rpartition(".")[2] not in open_pages:
            answer = Context().run(client.get, path)
            assert (answer.status_code, answer.headers.get("Location")) == (302, "/subscribe/sign-in"), path


def test_what_people_and_files_say_is_never_taken_for_markup(settled: Flask, seat: Callable[..., Any]) -> None:
    author = district.office("author", (DRAFTER, district.DISTRICT, "red"))
    chief = district.office("chief", (APPROVER, district.DISTRICT, "red"), (ADMINISTRATOR, district.DISTRICT, "red"))
    with transaction() as session:
        for account in (author, chief):
            session.get(type(account), account.id).display_name = EVIL[:80]
        for code in (district.DISTRICT, district.PINGSHAN, district.LIULIAN):
            region = session.get(Region, code)
            region.name_zh, region.name_en = EVIL[:70] + code[-5:], EVIL[:70] + code[-5:]
        session.get(RegionStamp, 1).stamp = "another"
    (horn,) = district.speakers(district.LIULIAN)
    with transaction() as session:
        speaker = session.get(district.Speaker, horn)
        speaker.name_zh = speaker.name_en = EVIL[:70]
        speaker.firmware = EVIL[:40]
    plain = 'a < b & "c" \'d\' {{7*7}} alert(1)'  # what looks like HTML, the rules of the words refuse
    words = {language: dict.fromkeys(("headline", "description", "instruction", "sms", "speaker"), plain)
             for language in ("zh", "en")}
    aim = {"regions": [district.LIULIAN], "area": None, "audiences": [], "channels": ["sms", "speakers"]}
    returned = district.submitted(author, words=words, target=aim)
    review.move(chief, returned.id, review.RETURN, version=returned.version, reason=EVIL)
    draft = district.submitted(author, words=words, target=aim)
    number = issue(chief, draft.id, version=draft.version, content_hash=draft.content_hash).warning_number
    district.forget()
    publish(settled)
    paths = ["/desk/", "/desk/drafts/", "/desk/warnings/", f"/desk/warnings/{number}/", f"/desk/warnings/{number}/progress",
             f"/desk/warnings/{number}/horns", "/desk/horns/", "/desk/trail/", "/desk/accounts/", f"/desk/accounts/{author.id}",
             f"/desk/drafts/{draft.id}/", f"/desk/drafts/{returned.id}/", "/desk/live", "/desk/sandbox/"]
    browsers = {"chief": (seat(chief), paths), "author": (seat(author), [
        "/desk/compose/", f"/desk/warnings/{number}/update", f"/desk/drafts/{returned.id}/edit", "/desk/drafts/",
        f"/desk/drafts/{returned.id}/"])}
    public = ["/zh/", "/en/", f"/zh/warnings/{number}/", "/feeds/cap.atom"]
    shown = 0
    for browser, addresses in browsers.values():
        for path in [*addresses, *public]:
            answer = browser.get(path)
            assert answer.status_code == 200, path
            assert "<script>alert" not in answer.text, path
            assert "<img src=x" not in answer.text, path
            shown += "alert(1)" in answer.text
    assert shown > 15, "the words were looked at where they stand"


def test_scripts_put_names_in_place_as_text(settled: Flask) -> None:
    """Leaflet takes a string for HTML."""
    root = Path(settled.root_path)
    for script in root.glob("*/static/*.js"):
        for line in script.read_text(encoding="utf-8").splitlines():
            if re.search(r"bind(Tooltip|Popup)\(", line):
                assert "properties" not in line, f"{script.name}: {line.strip()}"
