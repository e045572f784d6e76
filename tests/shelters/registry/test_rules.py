"""Rules that need no database: what is still believed of a state, opening hours, values as people write them."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.regions.boundaries import WORLD
from portal.shelters.models import STATUSES, Shelter
from portal.shelters.registry import checks, freshness, hours, parsing, place, status_rules, words
from portal.shelters.registry.exchange import cells
from tests.shelters.registry.strategies import ENTRANCE, line

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
AGO = timedelta(hours=13)
BOX = (113.0, 21.5, 115.5, 23.8)
FEW = settings(max_examples=40, deadline=None)


def shelter(**values: Any) -> Shelter:
    return Shelter(**({"code": "A1", "name_zh": "甲", "capacity_day": 100, "capacity_night": 50, "status_at": NOW} | values))


@pytest.mark.parametrize(("values", "stale"), [
    ({"status": None}, False), ({"status": "open"}, False), ({"status": "open", "status_at": NOW - AGO}, True),
    ({"status": "open", "status_at": None}, True), ({"status": "standby", "status_at": NOW - 90 * AGO}, False),
    ({"status": "unsafe", "status_at": NOW - 90 * AGO}, False), ({"status": "closed", "status_until": NOW - AGO}, True),
    ({"status": "open", "status_at": NOW - AGO, "status_until": NOW + AGO}, False),
    ({"status": "full", "status_until": NOW - timedelta(seconds=1)}, True),
])
def test_a_state_is_stale_when_its_validity_passed_or_nobody_confirmed_it_for_long(values: dict, stale: bool) -> None:
    one = shelter(**values)
    assert freshness.is_stale(one, NOW) is stale
    turn = freshness.goes_stale_at(one)
    if turn is not None:
        assert freshness.is_stale(one, turn + timedelta(seconds=1))
        assert not freshness.is_stale(one, turn)


@pytest.mark.parametrize(("values", "day", "night"), [
    ({"status": "open", "occupancy": 30}, 70, 20), ({"status": "open", "occupancy": None}, None, None),
    ({"status": "opening"}, 100, 50), ({"status": "standby"}, 100, 50), ({"status": None, "occupancy": 3}, None, None),
    ({"status": "open", "occupancy": 130}, 0, 0), ({"status": "full", "occupancy": 10}, 0, 0), ({"status": "unsafe"}, 0, 0),
    ({"status": "full", "status_at": NOW - AGO}, 0, 0), ({"status": "open", "occupancy": 3, "status_at": NOW - AGO}, None, None),
    ({"status": "open", "occupancy": 3, "capacity_day": None}, None, 47),
    ({"status": "open", "occupancy": 3, "night": False}, 97, 0), ({"status": "open", "occupancy": 3, "retired_at": NOW}, 0, 0),
])
def test_free_places_are_unknown_rather_than_guessed(values: dict, day: int | None, night: int | None) -> None:
    one = shelter(**values)
    assert freshness.free_places(one, NOW) == day
    assert freshness.free_places(one, NOW, night=True) == night


def test_people_are_sent_only_where_the_doors_are_open_by_the_newest_report() -> None:
    assert [s for s in STATUSES if status_rules.usable(shelter(status=s), NOW)] == ["open", "nearly_full"]
    assert not status_rules.usable(shelter(status=None), NOW)
    assert not status_rules.usable(shelter(status="open", retired_at=NOW), NOW)
    assert status_rules.usable(shelter(status="open", status_at=NOW - AGO), NOW)  # stale, and dated on the page
    assert not status_rules.usable(shelter(status="open", status_at=NOW - timedelta(days=8)), NOW)
    assert not status_rules.usable(shelter(status="open", status_at=None), NOW)


@pytest.mark.parametrize(("text", "form"), [
    ("", ""), ("24h", "24h"), ("全天", "24h"), ("8:00-22:00", "08:00-22:00"), ("20:00—6:00", "20:00-06:00"),
    ("08:00至12:00、14:00至18:00", "08:00-12:00, 14:00-18:00"), ("8-22", None), ("25:00-26:00", None), ("08:60-09:00", None),
    ("08:00-08:00", None), ("always", None), (",".join(["08:00-09:00"] * 7), None),
])
def test_hours_have_one_form_or_are_refused(text: str, form: str | None) -> None:
    assert hours.canonical(text) == form
    assert form is None or hours.canonical(form) == form


def test_hours_past_midnight_are_open_on_both_sides_of_it_and_unknown_hours_say_nothing() -> None:
    assert [hours.open_at("20:00-06:00", minute) for minute in (0, 359, 360, 1199, 1200)] == [True, True, False, False, True]
    assert hours.open_at("24h", 1439) is True
    assert hours.open_at("", 600) is None


@FEW
@given(st.floats(113.0, 115.5), st.floats(21.5, 23.8))
def test_a_place_is_swapped_exactly_when_only_the_other_order_is_in_the_district(lon: float, lat: float) -> None:
    assert place.point_problem(lon, lat, BOX) is None
    assert place.swapped(lat, lon, BOX)
    assert not place.swapped(lon, lat, BOX)
    assert place.swapped(lat, lon, WORLD)  # also where nothing is known of the district
    assert place.point_problem(lat, lon, BOX) is not None


@pytest.mark.parametrize(("lon", "lat"), [(0, 0), (2.35, 48.85), (181, 20), (114.3, 91), (-114.3, 22.7)])
def test_a_place_that_is_wrong_either_way_round_is_refused_and_not_called_swapped(lon: float, lat: float) -> None:
    assert not place.swapped(lon, lat, BOX)
    assert place.point_problem(lon, lat, BOX) is not None


@FEW
@given(st.lists(ENTRANCE, max_size=4))
def test_entrances_survive_their_one_cell(entrances: list[dict[str, Any]]) -> None:
    read = cells.read_entrances(cells.write_entrances(entrances))
    checked = checks.check({"entrances": read}, checks.Rules(box=BOX, regions={}, reserved=(), zone="Asia/Shanghai"))
    assert checked.problems == []
    assert checked.values["entrances"] == entrances


@FEW
@given(line(30))
def test_no_text_is_run_by_a_spreadsheet_and_each_comes_back(text: str) -> None:
    assert cells.guarded(text)[:1] not in tuple("=+-@＝＋－＠\t\r")
    assert cells.unguarded(cells.guarded(text)) == text


@FEW
@given(st.one_of(st.text(max_size=30), st.floats(), st.integers(), st.booleans(), st.none(), st.lists(st.integers(), max_size=2),
                 st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2)))
def test_no_value_of_any_kind_makes_a_check_fall_over(value: Any) -> None:
    rules = checks.Rules(box=BOX, regions={}, reserved=(), zone="Asia/Shanghai")
    for name in checks.FIELDS:
        checked = checks.check({name: value}, rules)
        for found in checked.values.values():
            assert not (isinstance(found, float) and not math.isfinite(found))
        if isinstance(value, list | dict) and name in checks.TEXTS:
            assert checked.problems


LEAF = st.one_of(st.none(), st.floats(), st.integers(), st.text(max_size=4))


@FEW
@given(st.recursive(LEAF, lambda inner: st.lists(inner, max_size=4)))
def test_no_geometry_makes_the_outlines_check_fall_over(coordinates: Any) -> None:
    for kind in ("Polygon", "MultiPolygon", "Point"):
        with pytest.raises(place.BadOutline):
            place.outline({"type": kind, "coordinates": coordinates}, BOX)
    for text in ("[" * 5000, '{"type":' + "[" * 5000, "POLYGON((", "POINT(114.3 22.7)"):
        with pytest.raises(place.BadOutline):
            place.outline(text, BOX)


def test_an_outline_is_closed_turned_and_mended_and_its_one_form_stays() -> None:
    open_ring = {"type": "Polygon", "coordinates": [[[114.35, 22.69], [114.35, 22.70], [114.36, 22.70], [114.36, 22.69]]]}
    bow = "POLYGON((114.35 22.69, 114.36 22.70, 114.36 22.69, 114.35 22.70, 114.35 22.69))"
    for given_, mended in ((open_ring, 0), (bow, 1)):
        found = place.outline(given_, BOX)
        assert found is not None
        assert len(found.mended) == mended
        again = place.outline(found.geojson, BOX)
        assert again == place.Outline(found.geojson)
    with pytest.raises(place.BadOutline):  # a line, there and back
        place.outline("POLYGON((114.35 22.69, 114.36 22.70, 114.37 22.71, 114.36 22.70, 114.35 22.69))", BOX)


def test_numbers_are_read_as_people_write_them_and_unknown_is_never_zero() -> None:
    assert [parsing.count(text, 9999)[0] for text in ("1,200", "１２", " 7 ", "", "未知", "0")] == [1200, 12, 7, None, None, 0]
    assert [parsing.day(text)[0] is None for text in ("2026年11月25日", "2026/1/5", "", "不明")] == [False, False, True, True]


def test_every_key_has_words() -> None:
    assert set(words.STATUSES) == set(STATUSES)
    assert set(words.FIELDS) == set(checks.FIELDS)
    assert [str(words.yes_no_unknown(v)) for v in (True, False, None)] == ["yes", "no", "unknown"]
