"""The map without JavaScript is small, says what it shows, and breaks no page."""

from __future__ import annotations

import re

import pytest
import shapely
from flask import Flask
from lxml import etree
from shapely.geometry import mapping, shape
from sqlalchemy import select

from portal.core.db import db
from portal.regions import area as drawn
from portal.regions import lookup, svg
from portal.regions.models import Region
from portal.regions.svg import map_svg

DISTRICT = "440310000000"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_map_of_the_district_is_under_eight_kilobytes(district: Flask, language: str) -> None:
    area = drawn.check_area({"type": "Circle", "center": [114.36, 22.72], "radius": 3000})
    text = map_svg([DISTRICT], language, highlight=lookup.touched_by(area), area=area)
    assert len(text.encode()) <= 8192
    root = etree.fromstring(text)
    assert root.find(f"{SVG}path[@class='map-area']") is not None
    assert "style=" not in text
    assert not re.search(r"\d\.\d", "".join(p.get("d") for p in root.iter(f"{SVG}path")))


def test_what_is_marked_is_in_the_words_and_in_the_drawing(district: Flask) -> None:
    root = etree.fromstring(
        map_svg([DISTRICT], "zh", highlight=["440310001000", "440310001001", "440310002003"])
    )
    assert root.get("role") == "img"
    assert root.get("aria-label") == root.findtext(f"{SVG}title") == "地图，标出：坪山街道、马峦社区"
    assert [t.text for t in root.find(f"{SVG}g[@class='map-hit']").iter(f"{SVG}title")] == [
        "坪山街道",
        "马峦街道",
    ]
    assert "坪山街道" not in [t.text for t in root.find(f"{SVG}g[@class='map-land']").iter(f"{SVG}title")]
    assert {"坪山街道", "坑梓街道"} <= {t.text for t in root.iter(f"{SVG}text")}
    english = etree.fromstring(map_svg([DISTRICT], "en", highlight=["440310001000"]))
    assert english.get("aria-label") == "Map; marked: Pingshan Subdistrict"
    assert etree.fromstring(map_svg([DISTRICT], "en")).get("aria-label") == "Map of the regions"


def test_a_long_list_of_marked_regions_is_cut_short_in_words(district: Flask) -> None:
    everything = lookup.communities_under([DISTRICT])
    assert "等，另有 13 个" in map_svg([DISTRICT], "zh", highlight=everything)


def test_names_cannot_break_out_of_the_map(district: Flask) -> None:
    db.session.get(Region, "440310001000").name_zh = '"><script>'
    db.session.commit()
    text = map_svg([DISTRICT], "zh", highlight=["440310001000"])
    assert "<script" not in text
    assert etree.fromstring(text).get("aria-label").endswith('"><script>')


def test_a_finely_drawn_district_is_thinned_out(district: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    for region in db.session.scalars(select(Region)):
        region.boundary = mapping(shapely.segmentize(shape(region.boundary), 0.0001))
    db.session.commit()
    assert len(map_svg([DISTRICT], "zh").encode()) < 8192
    monkeypatch.setattr(svg, "_MANY_POINTS", 10**6)
    assert len(map_svg([DISTRICT], "zh").encode()) > 20_000


def test_regions_without_boundaries_make_no_map(context: Flask) -> None:
    assert map_svg([DISTRICT], "zh") == ""


def test_signs_differ_in_shape_and_not_only_in_class(district: Flask) -> None:
    kinds = ("horn-good", "horn-some", "horn-none", "horn-bad")
    points = [(114.3 + n * 0.02, 22.68, kind, f"<{kind}>") for n, kind in enumerate(kinds)]
    root = etree.fromstring(map_svg([DISTRICT], "zh", points=points))
    signs = list(root.find(f"{SVG}g[@class='map-points']"))
    assert [s.get("class") for s in signs] == list(kinds)
    assert [s.findtext(f"{SVG}title") for s in signs] == [f"<{kind}>" for kind in kinds]
    drawings = [tuple((p.get("fill"), re.sub(r"^M\d+ \d+", "", p.get("d"))) for p in s.iter(f"{SVG}path")) for s in signs]
    assert len(set(drawings)) == 4
