"""What an update changed is told in words, and each message can be read as it was; what has ended is found again."""

from __future__ import annotations

import re
from copy import deepcopy
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from portal.core.clock import utcnow
from portal.core.db import transaction
from portal.site import past
from portal.site.changes import Changes, between, history
from portal.site.generations import read_manifest
from portal.site.publish import publish, root_of
from portal.warnings.models import ALERT, CANCEL, UPDATE, Bulletin
from tests.site.records import AREAS, WORDS, record


def bulletin(kind: str = ALERT, tier: str = "yellow", hours: int = 6, areas: tuple = AREAS, **words: str) -> Bulletin:
    start = utcnow().replace(microsecond=0)
    said = deepcopy(WORDS["zh"]) | words
    return Bulletin(kind=kind, tier=tier, hazard="11B03", onset=start, expires=start + timedelta(hours=hours),
                    snapshot={"words": {"zh": said}, "areas": list(areas)})


def test_what_changed_is_told_point_by_point() -> None:
    before = bulletin(areas=AREAS[:1])
    now = bulletin(UPDATE, "orange", 9, AREAS[1:], instruction="1. 转移到避难场所。\n2. 停课停工，就近避险。")
    told = between(before, now, "zh")
    assert told.tier == ("yellow", "orange")
    assert told.raised
    assert told.until is not None
    assert told.extended
    assert (list(told.areas_added), list(told.areas_gone)) == (["龙田街道"], ["坪山街道"])
    assert list(told.todo_added) == ["转移到避难场所。"]
    assert list(told.todo_gone) == ["立即停止户外活动和作业。", "远离河道、边坡和积水路段。"]
    assert list(told.said_added) == []
    assert not between(now, before, "zh").raised
    assert not between(now, before, "zh").extended


def test_what_is_only_confirmed_or_lifted_changed_nothing() -> None:
    first = bulletin()
    second = bulletin(UPDATE)
    second.onset, second.expires = first.onset, first.expires
    assert not between(first, second, "zh")
    assert between(first, bulletin(CANCEL, hours=1), "zh") == Changes()
    assert [each.kind for each, _changes in history([first, second, bulletin(CANCEL)], "zh")] == [CANCEL, UPDATE, ALERT]


def test_the_page_says_what_changed_and_the_history_keeps_every_word(site: Flask) -> None:
    with site.app_context():
        warning = record("20261122-01", tier="orange", kinds=(ALERT, UPDATE, UPDATE))
        with transaction() as session:
            first = session.query(Bulletin).filter_by(warning_id=warning.id, position=1).one()
            words = deepcopy(WORDS)
            words["zh"]["instruction"] = "1. 关好门窗。"
            words["zh"]["description"] = "预计将有<大雨>。"
            first.tier, first.expires = "yellow", first.expires - timedelta(hours=2)
            first.snapshot = {**first.snapshot, "words": words}
        record("20261121-01", kinds=(ALERT, CANCEL))
    publish(site)
    client = site.test_client()
    page = client.get("/zh/warnings/20261122-01/").text
    part = page[page.index('id="history"'):]
    for told in ("升级：</strong>由黄色预警调整为橙色预警", "延长：</strong>", "新增措施：</strong><ins>停课停工，就近避险。",
                 "不再要求：</strong><del>关好门窗。"):
        assert told in part
    assert "不再要求" not in page[: page.index('id="history"')], "what no longer holds is not among what to do"
    text = client.get("/zh/warnings/20261122-01/history/").text
    assert "关好门窗。" in text
    assert "预计将有&lt;大雨&gt;。" in text
    assert "继续生效，内容未变。" in text
    assert len(re.findall(r'<section class="told">', text)) == 3
    assert "What changed" in client.get("/en/warnings/20261122-01/history/").text
    assert client.get("/zh/warnings/20261121-01/history/").status_code == 404


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_rss_feed_is_what_rss_2_asks_for(site: Flask, language: str) -> None:
    from email.utils import parsedate_to_datetime

    from lxml import etree

    with site.app_context():
        record("20261122-01", kinds=(ALERT, UPDATE))
        record("20261121-01", kinds=(ALERT, CANCEL), issued=utcnow() - timedelta(days=2))
        record("20261122-D01", exercise=True)
    publish(site)
    answer = site.test_client().get(f"/feeds/warnings-{language}.rss")
    assert answer.content_type == "application/rss+xml; charset=utf-8"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    root = etree.fromstring(answer.data)
    assert (root.tag, root.get("version")) == ("rss", "2.0")
    channel = root.find("channel")
    assert channel is not None
    assert all(channel.findtext(name) for name in ("title", "link", "description", "language", "lastBuildDate", "ttl"))
    items = channel.findall("item")
    assert len(items) == 4
    guids = [item.findtext("guid") for item in items]
    assert len(set(guids)) == 4
    assert not any("D01" in str(guid) for guid in guids)
    moments = [parsedate_to_datetime(str(item.findtext("pubDate"))) for item in items]
    assert moments == sorted(moments, reverse=True)
    for item in items:
        link = str(item.findtext("link")).removeprefix(site.extensions["anlan"].base_url)
        assert site.test_client().get(link).status_code == 200
    assert ("就近避险" if language == "zh" else "Take shelter nearby") in str(items[0].findtext("description"))


def test_a_warning_that_ends_changes_one_page_of_its_tier_however_many_there_are(
    site: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past, "PAGE", 2)
    start = datetime(2026, 3, 10, tzinfo=UTC)
    with site.app_context():
        for month in (1, 2, 3):
            for day in (1, 2):
                record(f"20260{month}0{day}-01", tier="red", issued=start.replace(month=month, day=day), kinds=(ALERT, CANCEL))
        record("20251231-01", tier="blue", issued=start.replace(year=2025), kinds=(ALERT, CANCEL))
    publish(site)
    client = site.test_client()
    text = client.get("/en/archive/tier/red/").text
    assert "6 past warnings" in text
    assert "20260302-01" in text
    assert "20260202-01" not in text
    assert '/en/archive/2026-02/"' in text, "older ones are in their months"
    before = {path: client.get(path).headers["ETag"] for path in paths(site)}
    with site.app_context():
        record("20260320-01", tier="red", issued=start.replace(day=20), kinds=(ALERT, CANCEL))
    publish(site)
    after = {path: client.get(path).headers["ETag"] for path in paths(site)}
    assert {path for path in after if before.get(path) != after[path]} == {
        "/zh/archive/", "/zh/archive/2026-03/", "/zh/archive/2026-03/2/", "/zh/archive/tier/red/", "/zh/archive/hazard/11B03/"}


def paths(site: Flask) -> list[str]:
    manifest = read_manifest(root_of(site.extensions["anlan"]) / "current")
    assert manifest is not None
    return [path for path in manifest.entries if path.startswith("/zh/archive/")]
