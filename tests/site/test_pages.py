"""Pages: true, small, readable without scripts, and silent about drills."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest
import time_machine
from flask import Flask

from portal.core.clock import local, utcnow
from portal.site import render
from portal.site.publish import publish, root_of
from portal.site.stories import steps
from portal.warnings.models import ALERT, CANCEL, UPDATE
from tests.site.records import WORDS, record


def page(app: Flask, path: str) -> str:
    answer = app.test_client().get(path)
    assert answer.status_code == 200, path
    return answer.text


def test_the_front_page_shows_what_is_in_force_the_most_severe_first(site: Flask) -> None:
    with site.app_context():
        for number, tier in (("20261122-01", "blue"), ("20261122-02", "red"), ("20261122-03", "yellow")):
            record(number, tier=tier)
    publish(site)
    text = page(site, "/zh/")
    assert re.findall(r'<h2><a href="/zh/warnings/(\S+)/"', text) == [
        "20261122-02",
        "20261122-03",
        "20261122-01",
    ]
    for part in (
        "红色预警",
        "坪山街道、龙田街道",
        "有效至",
        "首先要做",
        "立即停止户外活动和作业。",
        "本页生成于",
    ):
        assert part in text
    assert "Pingshan Subdistrict, Longtian Subdistrict" in page(site, "/en/")


def test_a_warning_says_what_to_do_where_until_when_and_by_whom(site: Flask) -> None:
    with site.app_context():
        record("20261122-01", kinds=(ALERT, UPDATE))
    publish(site)
    zh, en = page(site, "/zh/warnings/20261122-01/"), page(site, "/en/warnings/20261122-01/")
    for part in (
        "现在怎么做",
        "<li>停课停工，就近避险。</li>",
        "低洼地带可能严重内涝。",
        "坪山区应急管理局",
        "有效至",
        "更新",
        "首次发布",
        'href="tel:119"',
        'href="tel:110"',
        'href="tel:120"',
        'href="tel:12345"',
        'hreflang="en"',
        "/cap/44031041600000_20261122-01_2.xml",
        'href="/en/warnings/20261122-01/"',
    ):
        assert part in zh, part
    for part in (
        "What to do now",
        "<li>Take shelter nearby.</li>",
        "Pingshan Emergency Management Bureau",
        "In force until",
    ):
        assert part in en, part
    assert "已失效" not in zh
    assert "Officer" not in zh + en, "who works at the desk is not the public's business"


def test_what_ended_is_unmistakably_past(site: Flask) -> None:
    with site.app_context():
        record("20261121-01", kinds=(ALERT, CANCEL))
        record("20261121-02", issued=utcnow() - timedelta(days=2))
    publish(site)
    lifted, over = page(site, "/zh/warnings/20261121-01/"), page(site, "/zh/warnings/20261121-02/")
    assert "已解除：本预警不再生效。" in lifted
    assert "坪山区解除暴雨预警信号" in lifted
    assert "已失效：本预警有效期已过。" in over
    for text in (lifted, over):
        assert "<title>［已结束］" in text
        assert 'class="warning is-past"' in text
        assert "现在怎么做" not in text
    assert "目前没有生效的预警" in page(site, "/zh/")
    assert "已解除" in page(site, "/zh/archive/")


def test_a_warning_that_passes_its_time_is_past_at_the_next_publishing_before_anyone_marks_it(
    site: Flask,
) -> None:
    with site.app_context():
        warning = record("20261122-01", hours=2)
    publish(site)
    assert 'data-expires="' in page(site, "/zh/warnings/20261122-01/")
    with time_machine.travel(warning.expires + timedelta(seconds=1), tick=True):
        publish(site)
        assert "已失效" in page(site, "/zh/warnings/20261122-01/")
        assert "20261122-01" not in page(site, "/feeds/warnings.geojson")
        assert "目前没有生效的预警" in page(site, "/zh/")


def test_a_drill_is_nowhere(site: Flask) -> None:
    with site.app_context():
        record(
            "20261122-D01",
            exercise=True,
            kinds=(ALERT, UPDATE),
            words={tag: {**said, "headline": "DRILLWORDS"} for tag, said in WORDS.items()},
        )
        record("20261122-01")
    publish(site)
    for path in (root_of(site.extensions["anlan"]) / "current").rglob("*"):
        assert "20261122-D01" not in path.name
        if path.is_file() and path.suffix not in (".gz", ".br", ".png"):
            assert "D01" not in path.read_text()
            assert "DRILLWORDS" not in path.read_text()
    assert site.test_client().get("/zh/warnings/20261122-D01/").status_code == 404
    assert site.test_client().get("/cap/44031041600000_20261122-D01_1.xml").status_code == 404


def test_hostile_words_are_only_words(site: Flask) -> None:
    evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&amp;{{7*7}}"
    names = ({"code": "440310001000", "zh": evil, "en": evil},)
    with site.app_context():
        record(
            "20261122-01", areas=names, words={tag: dict.fromkeys(said, evil) for tag, said in WORDS.items()}
        )
    publish(site)
    for path in ("/zh/", "/en/warnings/20261122-01/", "/zh/warnings/20261122-01/"):
        text = page(site, path)
        assert "<script>" not in text
        assert "<img" not in text
        assert "49" not in re.findall(r"<h[12]>(.*?)</h[12]>", text)
        assert "{{7*7}}" in text
    answer = site.test_client().get("/feeds/cap.atom")
    assert "<script>" not in answer.text


def test_missing_english_falls_back_to_chinese_and_missing_words_to_the_hazard(site: Flask) -> None:
    with site.app_context():
        record("20261122-01", words={"zh": WORDS["zh"]})
        record("20261122-02", words={"zh": {"sms": "x"}}, areas=(), polygons=())
    publish(site)
    assert WORDS["zh"]["headline"] in page(site, "/en/warnings/20261122-01/")
    assert "<h1>Rainstorm</h1>" in page(site, "/en/warnings/20261122-02/")


@pytest.mark.parametrize(
    "kinds", [(ALERT,), (ALERT, *[UPDATE] * 12, CANCEL)], ids=["live", "long history, past"]
)
def test_the_warning_page_with_its_style_and_script_weighs_under_30_kilobytes(
    site: Flask, kinds: tuple[str, ...]
) -> None:
    words = {
        tag: {
            **said,
            "description": said["description"] * 20,
            "instruction": said["instruction"] + "\n做好准备。" * 10,
        }
        for tag, said in WORDS.items()
    }
    with site.app_context():
        record("20261122-01", kinds=kinds, words=words)
    publish(site)
    text = page(site, "/zh/warnings/20261122-01/")
    weight = len(text.encode()) + sum(
        len(site.test_client().get(path).data)
        for path in set(re.findall(r'(?:href|src)="(/assets/[^"]+)"', text))
    )
    assert weight < 30 * 1024, weight


def test_a_map_that_cannot_be_drawn_does_not_keep_the_words_back(
    site: Flask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_codes: object, **_more: object) -> None:
        raise ValueError("a boundary that crosses itself")

    monkeypatch.setattr(render, "map_svg", fail)
    with site.app_context():
        record("20261122-01")
    publish(site)
    assert "坪山街道、龙田街道" in page(site, "/zh/warnings/20261122-01/")
    assert "no map could be drawn for the warning 20261122-01" in caplog.text


def test_every_link_of_every_page_leads_somewhere(site: Flask) -> None:
    with site.app_context():
        record("20261122-01")
        record("20261121-01", kinds=(ALERT, CANCEL))
        for at in range(52):
            record(
                f"20250105-{at:02}",
                issued=datetime(2025, 1, 5, tzinfo=local(utcnow(), "Asia/Shanghai").tzinfo),
            )
    publish(site)
    client, todo, seen = site.test_client(), ["/zh/"], set()
    while todo:
        path = todo.pop()
        if path in seen:
            continue
        seen.add(path)
        answer = client.get(path, follow_redirects=True)
        assert answer.status_code == 200, path
        if answer.content_type.startswith("text/html"):
            todo += [link for link in re.findall(r'(?:href|src)="(/[^"]*)"', answer.text) if link not in seen]
    assert {"/en/archive/2025-01/2/", "/zh/archive/2025-01/", "/en/about/", "/feeds/cap.atom"} <= seen
    assert len([path for path in seen if path.startswith("/en/warnings/")]) == 54


def test_the_demonstration_and_the_sandbox_are_said_on_every_page(make_app, database_kind: str) -> None:
    app = make_app(surfaces="site", demo=True)
    if "site" not in app.blueprints:
        from portal.site.pages import make_blueprint

        app.register_blueprint(make_blueprint())
    publish(app)
    for path in ("/zh/", "/zh/about/", "/zh/archive/"):
        assert "不是真实预警" in page(app, path)
        assert "沙盒" in page(app, path)


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("1. 一\n2、二\n（3）三\n4）四\n• 五\n- 六", ["一", "二", "三", "四", "五", "六"]),
        ("50毫米以上\n1.5米深", ["50毫米以上", "1.5米深"]),
        ("", []),
        ("\n 只有一行 \n", ["只有一行"]),
        ("应采取的措施：\n1. 转移\n2. 报平安", ["转移", "报平安"]),
        ("注意：", ["注意："]),
    ],
)
def test_an_instruction_becomes_a_list_without_its_numbers(text: str, items: list[str]) -> None:
    assert steps(text) == items
