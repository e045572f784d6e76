"""What hangs on a wall: one page each, A4, readable by people, by machines and in black and white."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from portal.shelters.communities import importer
from portal.shelters.paper import documents
from portal.shelters.paper.facts import Danger, Post
from portal.warnings.hazards import Phrase
from tests import district
from tests.district import LIULIAN
from tests.shelters.one_database import database_url  # noqa: F401  (fixture)
from tests.shelters.paper import reading
from tests.shelters.paper.facts import sample

SAMPLE = Path(__file__).parents[1] / "communities" / "sample.yaml"
URL = f"http://localhost/{{}}/communities/{LIULIAN}/"
ALL = [(kind, language) for kind in documents.KINDS for language in ("zh", "en")]


@pytest.fixture(autouse=True)
def _settled(context):
    district.settle_regions()
    importer.import_file(SAMPLE)


@pytest.mark.parametrize(("kind", "language"), ALL)
def test_a_sheet_is_one_page_of_a4_with_its_own_fonts_and_a_code_that_leads_to_the_community(kind, language):
    made = documents.make(kind, sample(), language)
    assert reading.sizes(made.pdf) == [reading.A4]
    assert set(reading.fonts(made.pdf).values()) == {True}
    assert reading.qr(made.pdf) == [URL.format(language)]
    assert made.lacking == []
    about = reading.metadata(made.pdf)
    assert sample().name[language] in about["Title"]
    assert f"/Lang ({'zh-CN' if language == 'zh' else 'en'})".encode() in made.pdf


@pytest.mark.parametrize("kind", documents.KINDS)
def test_the_same_facts_give_the_same_bytes_and_other_facts_others(kind):
    facts = sample()
    first = documents.make(kind, facts, "zh").pdf
    assert documents.make(kind, sample(), "zh").pdf == first
    assert sample().key == facts.key
    changed = replace(facts, posts=(Post(Phrase("值班室", "Duty room"), Phrase("", ""), "12345"),))
    assert changed.key != facts.key
    assert documents.make(kind, changed, "zh").pdf != first


def test_the_map_names_places_ways_dangers_and_when_it_holds():
    zh, en = (reading.text(documents.make("map", sample(), language).pdf) for language in ("zh", "en"))
    for word in ("六联社区疏散路线图", "暴雨、洪涝、风暴潮", "六联小学体育馆", "聚溪花园", "10分钟", "北", "按预案编制",
                 "2026-11-25 17:40", "图例", "社区边界", "没有安全路线"):
        assert word in zh, word
    for word in ("Liulian Community: evacuation map", "Juxi Garden", "No safe route", "Plan: ways to all suitable"):
        assert word in en, word
    assert len(re.findall(r"横\d+路", zh)) > 10
    assert len(re.findall(r"Row \d+ Road", en)) > 10


def test_a_map_of_open_shelters_says_at_which_moment_they_were_open():
    text = reading.text(documents.make("map", sample(basis="open"), "en").pdf)
    assert "Ways to the shelters that were open at 2026-11-25 17:40" in text
    assert "Plan:" not in text


def test_without_a_network_of_streets_the_map_says_so():
    text = reading.text(documents.make("map", sample(basis="", as_of=None, ways=(), streets=()), "zh").pdf)
    assert "尚未计算路线" in text


def test_the_plan_holds_who_warns_and_what_is_done_at_each_tier():
    text = reading.text(documents.make("plan", sample(), "zh").pdf)
    for word in ("社区防汛责任人", "129 0000 0101", "危险边坡", "大喇叭", "敲门入户", "蓝色预警（IV级）", "红色预警（I级）",
                 "已有3个", "119"):
        assert word in text, word


def test_a_plan_with_too_much_for_one_page_stays_one_page_and_says_what_is_left_out():
    task, note = Phrase("负责本网格的巡查、叫应和转移工作" * 2, "Walks the grid " * 6), Phrase("暴雨时巡查" * 6, "Looked at " * 9)
    posts = tuple(Post(Phrase(f"第{n}网格责任人", f"Officer of grid {n}"), task, f"129 0001 {n:04d}") for n in range(1, 21))
    dangers = tuple(Danger(chr(64 + n), "slope", Phrase(f"第{n}号边坡", f"Slope {n}"), note, n, None) for n in range(1, 21))
    for language in ("zh", "en"):
        made = documents.make("plan", sample(posts=posts, dangers=dangers), language)
        assert reading.sizes(made.pdf) == [reading.A4]
        text = reading.text(made.pdf)
        assert ("扫码查看" if language == "zh" else "see the page behind the QR code") in text
        assert "129 0001 0001" in text


def test_a_community_of_which_nothing_is_known_says_that_and_invents_nothing():
    nothing = {"goals": (), "ways": (), "blocks": (), "posts": (), "dangers": (), "basis": "", "as_of": None, "streets": ()}
    for kind, language in ALL:
        made = documents.make(kind, sample(**nothing), language)
        assert reading.sizes(made.pdf) == [reading.A4]
    text = reading.text(documents.make("plan", sample(**nothing), "en").pdf)
    for word in ("No post is known yet. Call 12345.", "None is known.", "No shelter is known here."):
        assert word in text, word


def test_a_character_that_the_typeface_lacks_is_a_box_with_a_note_and_is_reported():
    rare = sample(posts=(Post(Phrase("𠮷田值班室", "Duty room"), Phrase("", ""), "12345"),))
    made = documents.make("plan", rare, "zh")
    text = reading.text(made.pdf)
    assert made.lacking == ["𠮷"]
    assert "□田值班室" in text
    assert "字库缺字 U+20BB7" in text


def test_signs_for_variants_and_joining_are_no_lacking_characters():
    from portal.web import fonts

    assert fonts.printable("㊙\ufe0f值\u200b班") == ("㊙值班", [])


def test_many_sheets_go_into_one_file_in_their_order():
    document = documents.collection(["map", "card"], "zh")
    for facts in (sample(), sample("440310001002")):
        for kind in ("map", "card"):
            documents.draw_into(document, kind, facts)
    pdf = document.finish()
    assert reading.sizes(pdf) == [reading.A4] * 4
    assert reading.metadata(pdf)["Title"] == "坪山区应急管理局（演示） 疏散避险纸质材料"
    assert "六联社区疏散路线图" in reading.text(pdf, 0)
    assert "明白卡" in reading.text(pdf, 1)
    assert "六和社区疏散路线图" in reading.text(pdf, 2)
    assert reading.qr(pdf, 3) == ["http://localhost/zh/communities/440310001002/"]
