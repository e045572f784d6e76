"""Other rooms' questions get the answers that a slow and simple reading of the map gives."""

from __future__ import annotations

import json
import random

import pytest
import shapely
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely.geometry import Point, shape
from sqlalchemy import event, update

from portal.config import ROOT
from portal.core.db import db, transaction
from portal.regions import area as drawn
from portal.regions import codes, lookup, snapshot
from portal.regions.models import RegionStamp

DISTRICT = "440310000000"
COLLECTION = json.loads((ROOT / "content" / "regions" / "440310.geojson").read_text(encoding="utf-8"))
SHAPES = {f["properties"]["code"]: shape(f["geometry"]) for f in COLLECTION["features"]}
COMMUNITIES = {code: s for code, s in SHAPES.items() if codes.level_of(code) == "community"}
LONGITUDES, LATITUDES = st.floats(114.26, 114.44), st.floats(22.62, 22.79)
once = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
some_codes = st.lists(st.sampled_from(sorted(SHAPES)), max_size=8)


def test_the_tree_has_streets_with_their_communities(district: Flask) -> None:
    root = lookup.tree(DISTRICT)
    assert (root.name("zh"), root.name("en"), root.population) == ("坪山区", "Pingshan District", 550_000)
    assert [n.code for n in root.children] == [n.code for n in lookup.children(DISTRICT)]
    assert len(root.children) == 7
    assert [n.code for n in root.walk()] == sorted(SHAPES)
    assert lookup.get("440310001001").pinyin == "liu lian she qu"


def test_unknown_regions_are_answered_without_an_error(district: Flask) -> None:
    assert lookup.get("440399000000") is None
    assert lookup.tree("440399000000") is None
    assert lookup.children("440399000000") == []
    assert lookup.names(["440399000000", DISTRICT]) == {DISTRICT: {"zh": "坪山区", "en": "Pingshan District"}}
    assert lookup.communities_under(["440399000000"]) == []
    assert lookup.population_of(["440399000000"]) == 0
    assert lookup.outline(["440399000000"]) is None
    assert lookup.box("440399000000") is None


def test_an_empty_database_has_answers_too(context: Flask) -> None:
    assert lookup.at_point(114.35, 22.7) is None
    assert lookup.search("坪山") == []
    assert lookup.touched_by({"type": "Circle", "center": [114.35, 22.7], "radius": 500.0}) == []
    assert lookup.communities_under([DISTRICT]) == []


@once
@given(wanted=some_codes)
def test_communities_and_people_are_counted_once(district: Flask, wanted: list[str]) -> None:
    expected = sorted(c for c in COMMUNITIES if any(codes.contains(w, c) for w in wanted))
    assert lookup.communities_under(wanted) == expected
    assert lookup.population_of(wanted) == sum(lookup.get(c).population for c in expected)


@once
@given(wanted=some_codes)
def test_an_outline_is_the_union_of_what_was_asked(district: Flask, wanted: list[str]) -> None:
    outline = lookup.outline(wanted)
    if not wanted:
        assert outline is None
        return
    assert shape(outline).equals(shapely.union_all([SHAPES[c] for c in wanted]))
    assert all(p.exterior.is_ccw for p in shapely.get_parts(shape(outline)))


@once
@given(lon=LONGITUDES, lat=LATITUDES)
def test_a_point_in_the_district_lies_in_exactly_one_community(
    district: Flask, lon: float, lat: float
) -> None:
    holding = [c for c, s in COMMUNITIES.items() if s.intersects(Point(lon, lat))]
    assert lookup.at_point(lon, lat) == (min(holding) if holding else None)
    assert bool(holding) == SHAPES[DISTRICT].intersects(Point(lon, lat)) or len(holding) > 1


def test_many_points_are_answered_as_one_by_one_is(district: Flask) -> None:
    dice = random.Random(7)
    points = [(dice.uniform(114.26, 114.44), dice.uniform(22.62, 22.79)) for _ in range(500)]
    points += [tuple(p) for p in shapely.get_coordinates(SHAPES[DISTRICT])] + [(float("nan"), 22.7), (0, 0)]
    answers = lookup.at_points(points)
    assert answers == [lookup.at_point(*p) for p in points]
    assert answers[-2:] == [None, None]
    assert set(answers) >= set(COMMUNITIES)
    assert lookup.at_points([]) == []


@once
@given(lon=LONGITUDES, lat=LATITUDES, radius=st.floats(10, 9000))
def test_a_circle_touches_the_communities_it_shares_ground_with(
    district: Flask, lon: float, lat: float, radius: float
) -> None:
    area = {"type": "Circle", "center": [round(lon, 6), round(lat, 6)], "radius": round(radius, 1)}
    covered = shape(drawn.to_polygon(area))
    expected = {
        c: covered.intersection(s).area / s.area
        for c, s in COMMUNITIES.items()
        if covered.intersection(s).area > 0
    }
    assert lookup.touched_by(area) == sorted(expected)
    overlaps = lookup.overlap(area)
    assert overlaps == pytest.approx(expected)
    assert all(0 < f <= 1 for f in overlaps.values())


@once
@given(corners=st.lists(st.tuples(LONGITUDES, LATITUDES), min_size=3, max_size=8))
def test_a_polygon_touches_the_communities_it_shares_ground_with(district: Flask, corners: list) -> None:
    hull = shapely.MultiPoint([(round(x, 6), round(y, 6)) for x, y in corners]).convex_hull
    if hull.geom_type != "Polygon" or hull.area < 1e-9:
        return
    area = {"type": "Polygon", "coordinates": [[list(p) for p in hull.exterior.coords]]}
    assert lookup.touched_by(area) == sorted(
        c for c, s in COMMUNITIES.items() if hull.intersection(s).area > 0
    )


def test_a_community_drawn_along_its_own_edge_touches_no_neighbour(district: Flask) -> None:
    for code in ("440310001002", "440310401498"):
        area = {"type": "Polygon", "coordinates": lookup.outline([code])["coordinates"]}
        assert lookup.touched_by(area) == [code]
        assert lookup.overlap(area, code) == pytest.approx(1)
        assert lookup.overlap(area, "440310004001") == 0


@pytest.mark.parametrize(
    "text",
    [
        "440310001001",
        "六联",
        "六联社区",
        "liulian",
        "Liu Lian",
        "liu lian she qu",
        "liú lián",
        "LIÚLIÁN SHÈQŪ",
        "llsq",
        "Liulian Community",
        "ｌｉｕｌｉａｎ",
        "liu'lian",
    ],
)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_community_is_found_however_it_is_typed(district: Flask, text: str, language: str) -> None:
    assert lookup.search(text, language)[0].code == "440310001001"


def test_the_closest_and_largest_comes_first(district: Flask) -> None:
    assert [n.code for n in lookup.search("坪山")][:3] == [DISTRICT, "440310001000", "440310001003"]
    assert lookup.search("坪山社区")[0].code == "440310001003"
    assert [n.code for n in lookup.search("440310006")] == lookup.current().below("440310006000")
    assert [n.code for n in lookup.search("bao shui", root="440310401000")] == [
        "440310401000",
        "440310401498",
    ]
    assert lookup.search("六联", root="440310002000") == []
    assert len(lookup.search("4", limit=5)) == 5


@pytest.mark.parametrize("text", ["", "   ", "'", "%", "不存在的地方", "x" * 10_000])
def test_what_means_nothing_finds_nothing(district: Flask, text: str) -> None:
    assert lookup.search(text) == []


def test_geometries_that_were_let_go_are_read_again(district: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "MAX_GEOMETRIES", 2)
    for code, geometry in COMMUNITIES.items():
        inside = geometry.representative_point()
        assert lookup.at_point(inside.x, inside.y) == code
    assert len(lookup.current()._geometries) == 2
    db.session.rollback()


def test_one_request_sees_one_tree_asked_for_once_and_the_next_sees_what_changed(district: Flask) -> None:
    asked: list[str] = []
    event.listen(db.engine, "before_cursor_execute", lambda _c, _cursor, sql, *_: asked.append(sql))
    with district.test_request_context():
        first = lookup.current()
        for code in SHAPES:
            lookup.get(code)
        assert lookup.current() is first
    assert sum("region_stamp" in sql for sql in asked) == 1
    with transaction() as session:
        session.execute(update(RegionStamp).values(stamp="another"))
    with district.test_request_context():
        assert lookup.current() is not first
