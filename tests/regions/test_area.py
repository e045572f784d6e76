"""A drawn area is taken in one form, or refused in words that say how to mend it."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, dist, radians, sin, sqrt
from typing import Any

import pytest
from flask import Flask
from flask_babel import force_locale
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import shape

from portal.core.errors import Invalid
from portal.regions import area as drawn
from portal.regions import demo
from portal.regions.geodesy import AXIS, FLATTENING, destination

BOX = (114.272, 22.631, 114.429, 22.779)
RING = [[114.33, 22.69], [114.35, 22.69], [114.35, 22.71], [114.33, 22.71], [114.33, 22.69]]


def polygon(ring: Any) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": [ring]}


def circle(lon: Any = 114.35, lat: Any = 22.7, radius: Any = 500) -> dict[str, Any]:
    return {"type": "Circle", "center": [lon, lat], "radius": radius}


BOW = [[114.30, 22.68], [114.32, 22.70], [114.32, 22.68], [114.30, 22.70], [114.30, 22.68]]
MANY = [[114.3 + i * 1e-5, 22.7 + (i % 2) * 1e-5] for i in range(501)]


@pytest.mark.parametrize(
    ("given_area", "message"),
    [
        (None, "cannot be read"),
        ([], "cannot be read"),
        ("POLYGON", "cannot be read"),
        ({"type": "Polygon"}, "cannot be read"),
        ({"type": "Polygon", "coordinates": "x"}, "cannot be read"),
        ({"type": "Polygon", "coordinates": [7]}, "cannot be read"),
        ({}, "must be one polygon or one circle"),
        ({"type": ["Polygon"]}, "must be one polygon or one circle"),
        ({"type": "Point", "coordinates": [114.3, 22.7]}, "must be one polygon or one circle"),
        ({"type": "MultiPolygon", "coordinates": [[RING]]}, "has several parts"),
        ({"type": "Polygon", "coordinates": []}, "too few points"),
        (polygon([]), "too few points"),
        (polygon(RING[:2]), "too few points"),
        (polygon([RING[0]] * 9), "too few points"),
        (polygon([[114.33, 22.69], [114.34, 22.70], [114.35, 22.71]]), "on one line"),
        (polygon(BOW), "crosses itself near longitude 114.31000, latitude 22.69000"),
        ({"type": "Polygon", "coordinates": [RING, RING]}, "has a hole"),
        (polygon([p[::-1] for p in RING]), "longitude first (here 114.33), then the latitude (here 22.69)"),
        (polygon([[lon + 1, lat] for lon, lat in RING]), "outside the district"),
        (polygon([[lon + 100, lat] for lon, lat in RING]), "beyond 180 degrees"),
        (polygon([[lon, lat + 300] for lon, lat in RING]), "beyond 180 degrees"),
        (polygon(MANY), "at most 500 are allowed"),
        (polygon(MANY * 100), "has 50100 points"),
        (polygon([[114.33, float("nan")], *RING[1:]]), "not finite"),
        (polygon([[114.33, float("inf")], *RING[1:]]), "not finite"),
        (polygon([[114.33, 10**400], *RING[1:]]), "not finite"),
        (polygon([[114.33, "22.69"], *RING[1:]]), "not a number"),
        (polygon([[114.33, True], *RING[1:]]), "not a number"),
        (polygon([[114.33], *RING[1:]]), "a longitude and a latitude"),
        (polygon([7, *RING[1:]]), "a longitude and a latitude"),
        (circle(radius=0), "between 10 metres and 100 kilometres"),
        (circle(radius=-5), "between 10 metres"),
        (circle(radius=100_001), "between 10 metres"),
        (circle(radius=float("nan")), "not finite"),
        (circle(radius=None), "not a number"),
        (circle(radius="500"), "not a number"),
        ({"type": "Circle", "radius": 500}, "a longitude and a latitude"),
        (circle(22.7, 114.35), "longitude first (here 114.35), then the latitude (here 22.7)"),
        (circle(115.5, 22.7), "outside the district"),
        (circle(400, 22.7), "beyond 180 degrees"),
        (circle(lat=float("-inf")), "not finite"),
    ],
)
def test_a_bad_area_is_refused_with_the_mend(bare: Flask, given_area: Any, message: str) -> None:
    with pytest.raises(Invalid) as caught, force_locale("en"):
        drawn.check_area(given_area, within=BOX, field="target.area")
    (problem,) = caught.value.problems
    assert problem.field == "target.area"
    with force_locale("en"):
        assert message in str(problem.message)
    with force_locale("zh"):
        assert str(problem.message).isascii() is False


@pytest.fixture(scope="module")
def bare() -> Any:
    """An application for its languages alone."""
    from flask_babel import Babel

    from portal.core.i18n import catalogue_dirs

    app = Flask(__name__)
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = ";".join(str(p) for p in catalogue_dirs())
    Babel(app, default_locale="zh")
    with app.app_context():
        yield app


def test_an_open_ring_is_closed_and_repeated_points_are_dropped() -> None:
    taken = drawn.check_area(polygon([RING[0], RING[0], *RING[1:4], RING[3]]), within=BOX)
    assert taken == polygon(RING)


def test_a_clockwise_ring_is_turned_and_decimals_are_cut_to_six() -> None:
    ring = [[lon + 1e-9, lat - 1e-9, 12.0] for lon, lat in reversed(RING)]
    taken = drawn.check_area({**polygon(ring), "note": "<script>"}, within=BOX)
    assert taken.keys() == {"type", "coordinates"}
    assert shape(taken).exterior.is_ccw
    assert shape(taken).equals(shape(polygon(RING)))
    assert drawn.check_area(taken, within=BOX) == taken


def test_a_circle_whose_centre_is_outside_but_which_reaches_in_is_taken() -> None:
    assert drawn.check_area(circle(114.45, 22.7, 5000), within=BOX) == circle(114.45, 22.7, 5000.0)


def test_five_hundred_points_are_taken() -> None:
    edge = [[round(114.3 + i * 1e-4, 6), 22.7] for i in range(250)]
    ring = edge + [[x, 22.71] for x, _y in reversed(edge)]
    assert len(drawn.check_area(polygon(ring), within=BOX)["coordinates"][0]) == 501


def test_without_a_box_the_portals_own_district_decides(district: Flask) -> None:
    assert drawn.check_area(polygon(RING)) == polygon(RING)
    with pytest.raises(Invalid):
        drawn.check_area(circle(116.4, 39.9))


def test_without_a_known_district_any_place_is_taken(make_app: Callable[..., Flask]) -> None:
    with make_app(district="110101000000").app_context():
        demo.seed()
        assert drawn.check_area(circle(116.4, 39.9)) == circle(116.4, 39.9, 500.0)
        with pytest.raises(Invalid):
            drawn.check_area(circle(39.9, 116.4))


def test_distances_agree_with_the_published_example() -> None:
    """Flinders Peak to Buninyong: 54,972.271 m at 306°52′05.37″ (Geocentric Datum of Australia, manual)."""
    start = 144 + 25 / 60 + 29.52440 / 3600, -(37 + 57 / 60 + 3.72030 / 3600)
    end = 143 + 55 / 60 + 35.3839 / 3600, -(37 + 39 / 60 + 10.1561 / 3600)
    assert destination(*start, 306 + 52 / 60 + 5.37 / 3600, 54_972.271) == pytest.approx(end, abs=1e-8)


def through_earth(lon: float, lat: float) -> tuple[float, float, float]:
    """Metres from the Earth's centre along its three axes (WGS 84, on the ellipsoid)."""
    flat = FLATTENING * (2 - FLATTENING)
    normal = AXIS / sqrt(1 - flat * sin(radians(lat)) ** 2)
    out = normal * cos(radians(lat))
    return out * cos(radians(lon)), out * sin(radians(lon)), normal * (1 - flat) * sin(radians(lat))


@settings(deadline=None, max_examples=60)
@given(lon=st.floats(75, 134), lat=st.floats(4, 53), radius=st.floats(10, 100_000))
def test_a_circle_is_a_valid_polygon_of_64_corners_that_far_away(
    lon: float, lat: float, radius: float
) -> None:
    area = drawn.check_area(circle(lon, lat, radius), within=(70, 0, 140, 60))
    ring = drawn.to_polygon(area)["coordinates"][0]
    assert len(ring) == 65
    assert ring[0] == ring[-1]
    made = shape(drawn.to_polygon(area))
    assert made.is_valid
    assert made.exterior.is_ccw
    # By another way of reckoning: the straight line through the Earth is shorter than the geodesic by a known
    # part (at most 0.00002 at this size). Corners are rounded to 0.1 m, so that much is allowed too.
    centre = through_earth(*area["center"])
    for corner in ring:
        chord = dist(centre, through_earth(*corner))
        expected = area["radius"] * (1 - (area["radius"] / 6.37e6) ** 2 / 24)
        assert chord == pytest.approx(expected, rel=1e-6, abs=0.2)
    again = drawn.check_area(drawn.to_polygon(area), within=(70, 0, 140, 60))
    assert shape(again).equals(made)
