"""What the desk answers when words cannot be taken, without any script: they come back, and nothing of them stays here."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context
from datetime import timedelta

import lxml.html
import pytest
from flask import Flask
from itsdangerous import URLSafeTimedSerializer
from sqlalchemy import func, select, update

from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.identity.models import DeskSession
from portal.identity.rights import DRAFTER
from portal.warnings import drafts
from portal.warnings.models import Draft
from tests import district
from tests.desk.conftest import Seat
from tests.district import DISTRICT, KENGZI, PINGSHAN

Sit = Callable[..., Seat]
TYPED = {"words__zh__headline": "河水</textarea><script>alert(1)</script>上涨", "words__en__sms": "Typed with care"}


def drafts_there() -> int:
    district.forget()
    return db.session.scalar(select(func.count()).select_from(Draft)) or 0


def filled(seat: Seat) -> dict:
    form = seat.form(seat.get("/desk/compose/"))
    form.update({"hazard": "11B03", "tier": "red", "target.regions": KENGZI, "do": "save"})
    for name, text in TYPED.items():
        form.setlist(name.replace("__", "."), [text])
    return form


def texts(page: str) -> list[str]:
    return [area.text.removeprefix("\n") for area in lxml.html.fromstring(page).xpath("//textarea")]


def test_an_ended_session_hands_the_words_back_unharmed_and_leads_to_signing_in(settled: Flask, seat: Sit) -> None:
    writer = seat(district.drafter())
    form = filled(writer)
    with transaction() as session:
        session.execute(update(DeskSession).values(seen_at=utcnow() - timedelta(hours=2)))
    answer = writer.send("/desk/compose/", form)
    assert answer.status_code == 401
    assert texts(answer.text) == list(TYPED.values())
    assert "<script>alert" not in answer.text
    assert "Kengzi" in answer.text
    assert "/desk/sign-in?next=/desk/compose/" in answer.text.replace("%2F", "/")
    assert answer.headers["Cache-Control"] == "no-store"
    assert drafts_there() == 0


def test_a_page_of_an_earlier_session_hands_the_words_back_and_saves_nothing(settled: Flask, seat: Sit) -> None:
    account = district.drafter()
    form = filled(seat(account))
    again = seat(account)
    again.get("/desk/drafts/")
    answer = again.send("/desk/compose/", form)
    assert answer.status_code == 400
    assert texts(answer.text) == list(TYPED.values())
    assert answer.headers["Cache-Control"] == "no-store"
    assert drafts_there() == 0


def test_a_strangers_page_cannot_have_its_words_shown_on_the_desk(settled: Flask, seat: Sit) -> None:
    writer = seat(district.drafter())
    answer = Context().run(lambda: writer.client.post("/desk/compose/", data={"words.zh.headline": "Call this number"},
                                                      headers={"Sec-Fetch-Site": "cross-site"}))
    assert answer.status_code == 400
    assert "Call this number" not in answer.text


def test_a_token_is_good_as_long_as_its_session(settled: Flask, seat: Sit, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = seat(district.drafter())
    form = filled(writer)
    form["words.zh.headline"] = "河水上涨"
    early = utcnow() - timedelta(days=2)
    with Context().run(lambda: writer.client.session_transaction()) as cookie:
        secret = cookie["csrf_token"]
    monkeypatch.setattr(URLSafeTimedSerializer.default_signer, "get_timestamp", lambda _self: int(early.timestamp()))
    form["csrf_token"] = URLSafeTimedSerializer(settled.secret_key, salt="wtf-csrf-token").dumps(secret)
    monkeypatch.undo()
    assert writer.send("/desk/compose/", form).status_code == 302


def test_a_duty_that_differs_by_region_is_marked_barred_and_still_refused_by_the_server(settled: Flask, seat: Sit) -> None:
    account = district.office("two", (DRAFTER, PINGSHAN, "red"), (DRAFTER, KENGZI, "orange"))
    writer = seat(account)
    page = writer.fill("/desk/compose/", "refresh", hazard="11B03", tier="red")
    tree = lxml.html.fromstring(page.text).get_element_by_id("tree")
    kengzi, pingshan = (tree.xpath(f".//li[@data-code='{code}']")[0] for code in (KENGZI, PINGSHAN))
    assert "up to Orange" in kengzi.text_content()
    assert all("disabled" in box.attrib for box in kengzi.xpath(".//input"))
    assert not any("disabled" in box.attrib for box in pingshan.xpath(".//input"))
    refused = writer.fill("/desk/compose/", "save", hazard="11B03", tier="red", target__regions=[PINGSHAN, KENGZI])
    assert refused.status_code == 403
    summary = lxml.html.fromstring(refused.text).get_element_by_id("problems").text_content()
    assert "Kengzi" in summary
    assert "Pingshan" not in summary
    assert drafts_there() == 0
    allowed = writer.fill("/desk/compose/", "save", hazard="11B03", tier="orange", target__regions=[PINGSHAN, KENGZI])
    assert allowed.status_code == 302


def test_a_duty_that_is_the_same_everywhere_is_not_marked(settled: Flask, seat: Sit) -> None:
    page = seat(district.office("one", (DRAFTER, DISTRICT, "orange"))).get("/desk/compose/")
    assert "your duty" not in page.text


def test_the_page_after_a_save_tells_the_browser_which_copy_it_may_forget(settled: Flask, seat: Sit) -> None:
    writer = seat(district.drafter())
    form = filled(writer)
    form["words.zh.headline"], form["copy"] = "河水上涨", "copy-7"
    saved = writer.send("/desk/compose/", form)
    assert 'data-saved="copy-7"' in writer.get(saved.location).text
    assert 'data-saved=""' in writer.get(saved.location).text, "once"


def test_an_impossible_tier_is_named_in_the_readers_language(settled: Flask, seat: Sit) -> None:
    writer = seat(district.drafter(), "zh")
    answer = writer.fill("/desk/compose/", "save", hazard="11B15", tier="blue", target__regions=[KENGZI])
    assert "冰雹没有这个级别。可选：" in answer.text
    reader = seat(district.drafter("second"))
    english = reader.fill("/desk/compose/", "save", hazard="11B15", tier="blue", target__regions=[KENGZI])
    assert "Hail has no such tier. Possible: " in english.text
    assert drafts.listing(statuses=("editing",)) == []
