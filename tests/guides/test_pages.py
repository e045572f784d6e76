"""What residents read: light pages without scripts of their own, cards of one page, a search that works without JavaScript."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
import zxingcpp
from flask import Flask

from portal.guides import fill, reader
from portal.site.course_pages import publish_courses
from portal.site.publish import publish, root_of
from tests.guides.conftest import CONTENT

LANGUAGES = ("zh", "en")


def current(site: Flask) -> Path:
    return root_of(site.extensions["anlan"]) / "current"


def names() -> list[str]:
    with Flask(__name__).app_context():
        return [guide.id for guide in reader.read(CONTENT).guides]


def test_every_guide_is_published_in_both_languages_and_under_30_kb(site: Flask):
    for language in LANGUAGES:
        listed = (current(site) / language / "guides" / "index.html").read_text(encoding="utf-8")
        for name in names():
            page = (current(site) / language / "guides" / name / "index.html").read_text(encoding="utf-8")
            assert len(page.encode()) < 30_000
            assert f'href="/{language}/guides/{name}/"' in listed
            scripts = re.findall(r"<script[^>]*>", page)
            assert [s for s in scripts if "/assets/site-" not in s and "/assets/offline-" not in s] == []
            assert 'src="/assets/guides/' in page or "<figure>" not in page


def test_all_links_of_the_guides_lead_somewhere(site: Flask):
    client = site.test_client()
    checked = set()
    for language in LANGUAGES:
        for name in names():
            base = f"/{language}/guides/{name}/"
            page = client.get(base).text
            main = page[page.index("<main"):page.index("</main>")]
            for link in set(re.findall(r'(?:href|src)="([^"#]+)"', main)) - checked:
                if link.startswith("tel:"):
                    continue
                path = f"/{language}/guides/{link[3:]}" if link.startswith("../") else link
                checked.add(link)
                assert client.get(path).status_code == 200, f"{base} leads to {link}"


def test_a_warning_in_force_and_its_guide_lead_to_each_other(site: Flask):
    client = site.test_client()
    guide, other = client.get("/zh/guides/rainstorm/").text, client.get("/zh/guides/heat/").text
    assert "/zh/warnings/20261122-01/" in guide
    assert "/zh/warnings/" not in other
    assert "/zh/shelters/water/" in guide
    warning = client.get("/zh/warnings/20261122-01/").text
    assert 'class="guide-link" href="/zh/guides/rainstorm/"' in warning
    assert "暴雨和内涝指南" in warning
    assert "What to do before, during and after: Rainstorm and waterlogging" in client.get("/en/warnings/20261122-01/").text


def test_the_search_is_answered_without_javascript(site: Flask):
    client = site.test_client()
    page = client.get("/zh/search/", query_string={"q": "台风"}).text
    assert '<a href="/zh/guides/typhoon/"><mark>台风</mark></a>' in page
    assert 'value="台风"' in page
    page = client.get("/zh/search/", query_string={"q": "六联小学"}).text
    assert '<a href="/zh/shelters/SCHOOL/"><mark>六联小学</mark></a>' in page
    page = client.get("/en/search/", query_string={"q": "typhoons"}).text
    assert '<a href="/en/guides/typhoon/"><mark>Typhoon</mark></a>' in page


def test_an_empty_search_and_one_that_finds_nothing_give_advice(site: Flask):
    client = site.test_client()
    empty, blank = client.get("/zh/search/").text, client.get("/zh/search/?q=").text
    for page in (empty, blank):
        assert "输入一两个词就够了" in page
        assert 'id="nothing" hidden' in page
    nothing = client.get("/zh/search/", query_string={"q": "足球"}).text
    assert 'id="nothing">' in nothing
    assert "换一个更短的词" in nothing
    assert '<a href="/zh/guides/">' in nothing


def test_questions_and_names_are_text_and_never_markup(site: Flask):
    client = site.test_client()
    evil = '"><script>alert(1)</script>'
    page = client.get("/en/search/", query_string={"q": evil}).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
    page = client.get("/zh/search/", query_string={"q": "礼堂"}).text
    assert "&lt;b&gt;<mark>礼堂</mark>&lt;/b&gt;&amp;" in page
    assert "<b>" not in page[page.index("<main"):]


def test_a_question_is_bounded_and_other_languages_have_no_search(site: Flask):
    client = site.test_client()
    page = client.get("/zh/search/", query_string={"q": "台" * 5000})
    assert page.status_code == 200
    assert "台" * 61 not in page.text
    assert client.get("/fr/search/?q=a").status_code == 404
    assert client.post("/zh/search/").status_code == 405


def test_the_search_asks_no_database(site: Flask, monkeypatch: pytest.MonkeyPatch):
    from portal.core.db import db

    def refuse(*_given: object) -> None:
        raise AssertionError("the search asked the database")

    with site.app_context():
        monkeypatch.setattr(db.engine, "connect", refuse)
    assert "台风" in site.test_client().get("/zh/search/", query_string={"q": "台风"}).text


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_card_is_one_page_with_its_words_and_a_code_that_leads_to_the_guide(site: Flask, language: str):
    client = site.test_client()
    for name in names():
        answer = client.get(f"/guides/{name}/card-{language}.pdf")
        assert answer.status_code == 200
        document = pypdfium2.PdfDocument(answer.data)
        assert len(document) == 1
        text = document[0].get_textpage().get_text_bounded()
        assert ("扫码" if language == "zh" else "more on the page of") not in text, f"{name} leaves something out"
        assert "119" in text
        assert "□" not in text
        if name == "typhoon":
            assert ("千万不要" if language == "zh" else "What not to do") in text
            code = zxingcpp.read_barcode(document[0].render(scale=3).to_pil())
            assert code.text == f"https://anlan.example/{language}/guides/typhoon/"


def test_a_card_of_no_guide_or_language_is_not_found_and_a_kept_one_is_not_sent_again(site: Flask):
    client = site.test_client()
    assert client.get("/guides/no-such/card-zh.pdf").status_code == 404
    assert client.get("/guides/typhoon/card-fr.pdf").status_code == 404
    first = client.get("/guides/typhoon/card-zh.pdf")
    again = client.get("/guides/typhoon/card-zh.pdf", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304


def test_a_fault_in_the_guides_holds_no_warning_back_and_the_last_pages_stay(site: Flask, monkeypatch: pytest.MonkeyPatch):
    from portal.guides import shelf

    def broken(_content: Path) -> None:
        raise ValueError("no")

    before = (current(site) / "zh" / "guides" / "typhoon" / "index.html").read_text(encoding="utf-8")
    monkeypatch.setattr("portal.guides.fill.shelves.read", broken)
    publish(site)
    assert (current(site) / "zh" / "guides" / "typhoon" / "index.html").read_text(encoding="utf-8") == before
    assert (current(site) / "zh" / "warnings" / "20261122-01" / "index.html").exists()
    assert callable(fill.fill)
    assert shelf.read is broken


@pytest.mark.parametrize("again", [publish, publish_courses])
def test_guides_that_take_too_long_stay_as_they_were_and_follow_in_the_next_generation(
    site: Flask, monkeypatch: pytest.MonkeyPatch, again: Callable[..., object]
):
    page = current(site) / "zh" / "guides" / "typhoon" / "index.html"
    before, seconds, left = page.stat().st_ino, [-1.0, 60.0], []
    real = fill.fill

    def timed(publishing: Any, *, whole: bool) -> int:
        monkeypatch.setattr(fill, "SECONDS", seconds.pop(0) if len(seconds) > 1 else seconds[0])
        left.append(real(publishing, whole=whole))
        if len(left) == 1:
            assert {"/zh/guides/", "/zh/guides/typhoon/", "/search/zh.json"} <= publishing.building.entries.keys()
        return left[-1]

    monkeypatch.setattr(fill, "fill", timed)
    again(site, everything=True)
    assert left[0] > 0
    assert left[-1] == 0
    assert page.stat().st_ino != before


def test_the_service_worker_keeps_the_list_and_the_search(site: Flask):
    worker = site.test_client().get("/sw.js").text
    for path in ("/zh/guides/", "/en/guides/", "/zh/search/", "/search/zh.json", "/search/en.json"):
        assert f'"{path}"' in worker
