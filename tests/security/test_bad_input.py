"""Whatever is sent, the portal answers in words: no page falls over, on either database."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from contextvars import Context
from typing import Any
from urllib.parse import quote_from_bytes

import pytest
from flask import Flask
from werkzeug.routing import Rule

from portal.dispatch.issue import issue
from portal.identity.models import Account
from portal.identity.rights import ADMINISTRATOR, APPROVER, DRAFTER
from portal.warnings import drafts
from tests import district

#: A NUL, which has a test of its own, is refused before any of these could matter.
ODD = (
    "99999999999999999999999",
    "9223372036854775808",
    "١٢٣",
    "\ud800",
    "%_\\' OR 1=1 --<script>",
    "\r\nSet-Cookie: a=b",
    "0001-01-01T00:00",
    "9999-12-31T23:59",
)
ODD_AREAS = (
    '{"type":"Polygon","coordinates":[[[1e400,2],[3,4],[5,6]]]}',
    '{"type":"Circle","center":["a",{}],"radius":true}',
    '{"type":["Polygon"],"coordinates":7}',
    "[" * 30_000,
    '{"type":' * 4_000,
    "9" * 5_000 + ",1,1",
    "nan, nan, inf",
)
NAMES = [
    *("search", "state", "page", "before", "act", "actor", "subject", "since", "until", "digits", "region", "language", "show"),
    *("find", "text", "warning", "bulletin", "after", "next", "version", "content_hash", "confirm", "reason", "role"),
    *("region_code", "highest_tier", "username", "display_name", "password", "old_password", "repeat", "exercise", "hazard"),
    *("hazard.other", "tier", "target.regions", "target.area", "target.audiences", "target.channels", "onset.mode", "onset"),
    *("expires.mode", "expires", "words.zh.sms", "words.zh.headline", "words.en.speaker", "offered.zh.sms", "because"),
]


@pytest.fixture
def everyone(settled: Flask) -> Account:
    """Somebody who may open every page."""
    return district.office("all", *((role, district.DISTRICT, "red") for role in (DRAFTER, APPROVER, ADMINISTRATOR)))


def _rules(app: Flask, method: str) -> Iterator[Rule]:
    for rule in sorted(app.url_map.iter_rules(), key=str):
        if method in (rule.methods or ()) and not rule.endpoint.endswith("static"):
            yield rule


def _quoted(text: str) -> str:
    return quote_from_bytes(text.encode("utf-8", "surrogatepass"))


def _path(rule: Rule, known: dict[str, str], text: str = "") -> str:
    """An address that the rule takes: with what there is, or with the odd text where a text may stand."""

    def fill(found: re.Match[str]) -> str:
        kind, name = found[1] or "", found[2]
        if name in known and not text:
            return known[name]
        if "uuid" in kind:
            return str(uuid.uuid4())
        if "any" in kind:
            return kind.split("(")[1].split(",")[0].strip()
        return "1" if "int" in kind else _quoted(text or "x").replace("/", "%2F")

    return re.sub(r"<(?:([^:<>]+):)?([^<>]+)>", fill, str(rule))


def _pairs(text: str) -> str:
    return "&".join(f"{name}={_quoted(text)}" for name in NAMES)


def _post(seat: Any, path: str, body: str) -> int:
    kind = "application/x-www-form-urlencoded"
    return Context().run(lambda: seat.client.post(path, data=body, content_type=kind)).status_code


def test_no_address_and_no_query_breaks_a_page(settled: Flask, seat: Callable[..., Any], everyone: Account) -> None:
    author = district.drafter()
    draft = district.submitted(author)
    bulletin = issue(everyone, draft.id, version=draft.version, content_hash=draft.content_hash)
    known = {"number": bulletin.warning_number, "draft_id": str(draft.id), "account_id": str(author.id)}
    district.forget()
    browser, broken, met = seat(everyone), [], set()
    for rule in _rules(settled, "GET"):
        met.add(browser.get(_path(rule, known)).status_code)
        for text in ODD:
            if browser.get(f"{_path(rule, known)}?{_pairs(text)}").status_code >= 500:
                broken.append((rule.endpoint, text[:20]))
        if rule.arguments:
            met.update(browser.get(_path(rule, known, text)).status_code for text in ODD)
    assert not broken
    assert 200 in met
    assert max(met) < 500


def test_no_form_breaks_a_page(settled: Flask, seat: Callable[..., Any], everyone: Account) -> None:
    settled.config["WTF_CSRF_ENABLED"] = False  # otherwise it is refused before it is read
    draft = drafts.create(everyone, district.content())
    known, broken, browser = {"draft_id": str(draft.id), "name": "sandbox"}, [], seat(everyone)
    district.forget()
    for rule in _rules(settled, "POST"):
        if rule.endpoint in ("identity.sign_out", "desk.trail_verify"):
            continue
        for text in ODD:
            if _post(browser, _path(rule, known), f"{_pairs(text)}&do=save") >= 500:
                broken.append((rule.endpoint, text[:20]))
    for text in ODD_AREAS:
        if _post(browser, "/desk/compose/", f"target.area={_quoted(text)}&do=look&hazard=11B03&tier=red") >= 500:
            broken.append(("area", text[:20]))
    assert not broken


def test_a_nul_is_refused_wherever_it_stands(app: Flask) -> None:
    client = app.test_client()
    assert client.get("/desk/sign-in?next=%00").status_code == 400
    assert client.get("/desk/warnings/%00/").status_code == 400
    app.config["WTF_CSRF_ENABLED"] = False
    for body in (b"username=a%00b&password=x", b"username%00=a&password=x"):
        answer = client.post("/desk/sign-in", data=body, content_type="application/x-www-form-urlencoded")
        assert answer.status_code == 400
        assert "<h1>" in answer.text


def test_five_thousand_regions_are_answered(settled: Flask, seat: Callable[..., Any], everyone: Account) -> None:
    settled.config["WTF_CSRF_ENABLED"] = False
    body = "do=look&hazard=11B03&tier=red" + "&target.regions=440310001001" * 5000
    assert _post(seat(everyone), "/desk/compose/", body) == 200


def test_signs_that_xml_cannot_hold_are_refused_or_taken_out_before_anything_is_issued(
    settled: Flask, seat: Callable[..., Any], everyone: Account
) -> None:
    settled.config["WTF_CSRF_ENABLED"] = False
    browser = seat(everyone)
    odd = "\x01\x0b\ufffe\U000fffff\u202e]]>&<"
    body = "do=preview&hazard=11B03&tier=blue&exercise=0&target.regions=440310001001&target.channels=sms&expires.mode=6"
    fields = [f"words.{language}.{name}" for language in ("zh", "en")
              for name in ("headline", "description", "instruction", "sms", "speaker")]
    body += "".join(f"&{name}={_quoted(odd + '暴雨 rain')}" for name in fields)
    assert _post(browser, "/desk/compose/", body) < 500
    for draft in drafts.listing(statuses=("editing",)):
        assert browser.get(f"/desk/drafts/{draft.id}/").status_code == 200
        assert not set("\x01\x0b\ufffe") & set("".join(t for texts in draft.words.values() for t in texts.values()))
