"""避难 SHELTER by text: where one can go now from here, in words that fit into two segments."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask_babel import force_locale

from portal.channels.sms import inbound, segments
from portal.channels.sms.provider import Inbound
from portal.core.clock import utcnow
from portal.core.db import transaction
from portal.regions import lookup
from portal.shelters.field import recompute
from portal.shelters.models import Shelter
from portal.shelters.public import by_text
from portal.shelters.registry.suitability import HAZARDS
from portal.shelters.roads import store as roads
from portal.subscribers import texts
from tests import district
from tests.shelters.grid import LAT0, LON0, STEP_LON, grid
from tests.shelters.one_database import database_url  # noqa: F401  (what it asks is asked by the registry, on both)
from tests.shelters.places import make_shelter

PHONE = "+8612900000001"


@pytest.fixture
def town(context):
    """Open, full, stale, unsafe and closed shelters near the middle of a community, the nearest first."""
    district.settle_regions()
    west, south, east, north = lookup.box(district.LIULIAN)
    lon, lat = (west + east) / 2, (south + north) / 2
    now = utcnow()
    rows = [("full", "full", 300, now), ("old", "open", 10, now - timedelta(days=1)), ("unsafe", "unsafe", None, now),
            ("near", "open", 60, now), ("far", "nearly_full", 290, now), ("ready", "standby", None, now)]
    with transaction() as session:
        for n, (name, status, people, at) in enumerate(rows, 1):
            make_shelter(session, code=name, name_zh=f"{name}号学校", name_en=f"{name} school", longitude=lon + n * 0.001,
                         latitude=lat, status=status, status_at=at, occupancy=people)
    return context


def ask(body: str, phone: str = PHONE) -> str:
    asked = texts.ask(phone, body)
    assert asked.command is not None
    assert asked.command.key == "shelter", body
    return texts.answer(asked)


def test_the_nearest_open_shelters_are_told_with_what_one_needs(town):
    said = ask("避难 六联")
    assert said.startswith("六联社区附近开放的避难场所：near号学校，410米，测试路")
    assert "余位240" in said
    assert said.index("near") < said.index("far号学校，5")
    assert "余位10" in said
    assert not any(name in said for name in ("full", "old", "unsafe", "ready"))
    english = ask("shelterLiulian")
    assert english.startswith("Open shelters near Liulian Community: near school, 410 m, ")
    assert "240 places free" in english


def test_places_are_understood_as_everywhere(town):
    for body in ("避難 六聯", "避难440310001001", "SHELTER 六联社区", "BN 坪山街道六联社区人民路12号", "避难所：流连"):
        assert "near号学校" in ask(body)


def test_without_a_place_it_is_where_the_phone_is_subscribed(town):
    assert ask("避难") == "请发“避难”加地名或地址，例如：避难 坪山"
    assert ask("SHELTER").startswith("Text SHELTER and a place or an address")
    district.subscriber(PHONE, district.LIULIAN)
    assert "near号学校" in ask("避难")
    assert "请问是哪里？请回复：避难 坑梓街道；避难 汤坑社区" in ask("避难 坑")
    assert "没有找到这个地方" in ask("避难 火星")


def test_a_shelters_own_name_is_a_place(town):
    assert ask("避难 near号学校").startswith("near号学校附近开放的避难场所：near号学校，10米")


def test_while_a_warning_is_in_force_only_what_suits_its_danger_counts(town, monkeypatch):
    with transaction() as session:
        west, south, east, north = lookup.box(district.LIULIAN)
        unknown = dict.fromkeys(HAZARDS, True)
        unknown.pop("flood")
        make_shelter(session, code="not-known", name_zh="未知号学校", longitude=(west + east) / 2, latitude=(south + north) / 2,
                     status="open", status_at=utcnow(), occupancy=0, suitability=unknown)
    assert "未知号学校" in ask("避难 六联"), "nothing is in force"
    flood = next(key for key, family in by_text.Source(utcnow(), district.DISTRICT).families.items() if "flood" in family.hazards)
    monkeypatch.setattr(by_text.Source, "needed", staticmethod(lambda _warnings: {flood}))
    said = ask("避难 六联")
    assert "未知号学校" not in said, "unknown is not yes"
    assert "near号学校" in said


def test_a_road_is_a_place_and_in_danger_the_safe_way_comes_before_the_straight_line(context, monkeypatch):
    district.settle_regions()
    roads.save(grid(8, 8), source="test")
    with transaction() as session:
        for name, column in (("west", 0), ("east", 7)):
            make_shelter(session, code=name, name_zh=f"{name}号学校", longitude=LON0 + column * STEP_LON, latitude=LAT0,
                         status="open", status_at=utcnow(), occupancy=0, region_code=lookup.at_point(LON0, LAT0))
    recompute.now("test")
    said = ask("避难 纵2路15号")
    assert said.startswith("纵2路附近开放的避难场所：west号学校，")
    assert "east号学校" in said
    assert "east号学校，" in ask("SHELTER 12 Column 8 Road, 纵8路").split("；")[0]
    family = next(iter(by_text.Source(utcnow(), district.DISTRICT).families))
    monkeypatch.setattr(by_text.Source, "needed", staticmethod(lambda _warnings: {family}))
    assert "west号学校，步行" in ask("避难 纵2路")


def test_where_none_is_open_that_is_said_and_what_to_do(town, monkeypatch):
    with transaction() as session:
        for shelter in session.query(Shelter):
            shelter.status = "standby" if shelter.code != "unsafe" else "unsafe"
    said = ask("避难 六联")
    assert said.startswith("六联社区附近目前没有开放的避难场所。最近的（未开放）：full号学校，100米")
    assert "余位" not in said
    assert "unsafe" not in said
    monkeypatch.setattr(by_text.Source, "needed", staticmethod(lambda _warnings: {"typhoon"}))
    monkeypatch.setattr(by_text, "_LOOKED_AT", 0)
    assert ask("避难 六联") == "六联社区附近没有适用的开放避难场所。请留在室内、往高处，遇险拨119。"


def test_where_all_are_full_that_is_said_and_none_is_called_closed(town):
    with transaction() as session:
        for shelter in session.query(Shelter):
            if shelter.code in ("near", "far"):
                shelter.status, shelter.occupancy = ("full", None) if shelter.code == "near" else ("open", shelter.capacity_day)
    said = ask("避难 六联")
    assert said.startswith("六联社区附近开放的避难场所均已满员：full号学校，100米")
    assert all(name in said for name in ("near", "far"))
    assert not any(name in said for name in ("old", "unsafe", "ready", "未开放"))


@pytest.mark.parametrize(("family", "is_up"), [("water", True), ("wind", True), ("quake", False), ("slope", False),
                                               ("fire", False), ("temperature", False)])
def test_nobody_is_told_to_go_up_where_that_is_no_help(context, monkeypatch, family, is_up):
    district.settle_regions()
    monkeypatch.setattr(by_text.Source, "needed", staticmethod(lambda _warnings: {family}))
    said = ask("避难 六联")
    assert said.endswith("遇险拨119。")
    assert ("往高处" in said) == is_up


def test_long_names_still_fit_into_two_segments(town):
    with transaction() as session:
        for shelter in session.query(Shelter):
            shelter.name_zh, shelter.address_zh = "深圳市坪山区" * 6 + shelter.code, "坪山大道" * 20
            shelter.name_en, shelter.address_en = "Pingshan District School " * 5, "Pingshan Avenue " * 12
    for n, body in enumerate(("避难 六联", "SHELTER Liulian")):
        said = inbound.receive("sandbox", Inbound(f"m{n}", PHONE, body))
        assert segments.count(said).segments == 2, said


def test_what_cannot_be_looked_up_is_said_and_the_emergency_number_with_it(town, monkeypatch):
    monkeypatch.setattr(by_text, "store", None)
    with force_locale("zh"):
        assert ask("避难 六联") == "暂时无法查询。遇险请拨119或110。"
