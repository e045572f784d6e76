"""Whatever somebody hands in as a file, the answer is a report."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.shelters.registry import checks, exchange
from tests import district

SEEDS = (
    "code,name_zh,longitude,latitude,boundary,entrances,suitable_flood,checked_at\n"
    'A1,甲,114.35,22.69,"{""type"":""Polygon"",""coordinates"":[[[114.3,22.7],[114.31,22.7],[114.31,22.71],[114.3,22.7]]]}",'
    "东门|E|114.35|22.69|yes|24h;|||||,yes,2026-11-25T08:00:00\n",
    json.dumps({"type": "FeatureCollection", "features": [
        {"type": "Feature", "id": "A1", "geometry": {"type": "Polygon", "coordinates": [[[1, 2], [3, 4], [5, 6], [1, 2]]]},
         "properties": {"code": "A1", "name_zh": "甲", "entrances": [{"longitude": 1, "latitude": "x", "hours": 3}]}}]}),
    "全国地方公共団体コード,ID,名称,緯度,経度,災害種別_洪水,想定収容人数\n999999,1,甲,35.1,139.1,1,約10人\n",
)
FEW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
JUNK = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3), max_leaves=8)


@pytest.fixture(autouse=True)
def _context(on_sqlite: Flask) -> None:
    district.settle_regions()


def told(report: exchange.Report) -> None:
    assert not report.written
    for finding in (*report.faults, *report.warnings):
        assert "".join((finding.code, str(finding.column), str(finding.reason))).encode()
    assert all(str(note).encode() for note in report.notes)


@pytest.mark.parametrize("odd", [
    {"code": "\ud800"}, {"\ud800": 1}, {"pets": "\ud800"}, {"level": "\ud800"}, {"region_code": "\ud800"},
    {"capacity_day": "\ud800"}, {"suitability": {"\ud800": True}}, {"entrances": [{"name_zh": "\ud800"}]},
])
def test_half_a_character_anywhere_in_a_feature_is_a_bad_row_that_can_be_named(odd: dict[str, Any]) -> None:
    feature = {"type": "Feature", "geometry": None, "properties": {"code": "A1", "name_zh": "甲"} | odd}
    report = exchange.check(io.BytesIO(json.dumps({"type": "FeatureCollection", "features": [feature]}).encode()))
    told(report)
    assert (report.bad, str(report.faults[0].reason)) == (1, "含有无法显示的字符。")


@FEW
@given(st.sampled_from(SEEDS), st.integers(0, 400), st.binary(max_size=6), st.integers(0, 12), st.booleans(),
       st.sampled_from([None, *exchange.FORMATS]))
def test_a_damaged_file_is_told_and_never_falls_over(
    seed: str, at: int, put: bytes, gone: int, swap: bool, format: str | None
) -> None:
    file = seed.encode()
    at = min(at, len(file))
    told(exchange.check(io.BytesIO(file[:at] + put + file[at + gone:]), format, swap_coordinates=swap))


@FEW
@given(st.dictionaries(st.sampled_from(checks.FIELDS), JUNK, max_size=5), JUNK, st.booleans())
def test_features_of_any_kind_are_told_and_never_fall_over(properties: dict[str, Any], geometry: Any, swap: bool) -> None:
    features = [{"type": "Feature", "properties": properties | {"code": "A1", "name_zh": "甲"}, "geometry": geometry},
                {"type": "Feature", "properties": {"code": "A2"}, "geometry": {"type": "MultiPolygon", "coordinates": geometry}},
                {"type": "Feature", "properties": geometry, "geometry": {"type": "Point", "coordinates": geometry}}, geometry]
    file = json.dumps({"type": "FeatureCollection", "features": features}, allow_nan=True).encode()
    told(exchange.check(io.BytesIO(file), "geojson", swap_coordinates=swap))
