"""The demonstration district: the real tree, and boundaries that fit together."""

from __future__ import annotations

import csv
import json

import pytest
import shapely
from shapely.geometry import shape

from portal.config import ROOT
from portal.regions import codes

CONTENT = ROOT / "content" / "regions"
FACTS = ROOT.parent / "shared" / "domain" / "regions.csv"


@pytest.fixture(scope="module")
def rows() -> dict[str, dict[str, str]]:
    with (CONTENT / "440310.csv").open(encoding="utf-8", newline="") as file:
        return {row["code"]: row for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def features() -> dict[str, dict]:
    collection = json.loads((CONTENT / "440310.geojson").read_text(encoding="utf-8"))
    return {f["properties"]["code"]: f for f in collection["features"]}


def test_the_tree_is_the_official_one(rows: dict[str, dict[str, str]]) -> None:
    if not FACTS.exists():
        pytest.skip("the official list of regions is not on this machine")
    with FACTS.open(encoding="utf-8", newline="") as file:
        facts = {
            r["code"]: r["name"].removesuffix("居委会")
            for r in csv.DictReader(file)
            if r["code"].startswith("440310")
        }
    assert {code: row["name_zh"] for code, row in rows.items()} == facts
    assert len(rows) == 33


def test_populations_are_marked_as_demonstration_and_add_up(rows: dict[str, dict[str, str]]) -> None:
    assert {row["demonstration"] for row in rows.values()} == {"true"}
    for code, row in rows.items():
        below = [int(r["population"]) for c, r in rows.items() if codes.parent_of(c) == code]
        assert not below or sum(below) == int(row["population"])
    assert int(rows["440310000000"]["population"]) == 550_000


def test_every_region_has_a_marked_boundary_of_few_short_numbers(
    rows: dict, features: dict[str, dict]
) -> None:
    assert features.keys() == rows.keys()
    assert all(f["properties"]["demonstration"] is True for f in features.values())
    assert (CONTENT / "440310.geojson").stat().st_size < 60_000
    for found in features.values():
        geometry = shape(found["geometry"])
        assert geometry.geom_type == "Polygon"
        assert geometry.is_valid
        assert not geometry.interiors
        assert all(round(x, 6) == x for x in shapely.get_coordinates(geometry).ravel())


def test_neighbours_share_edges_without_gaps_or_overlaps(features: dict[str, dict]) -> None:
    communities = [shape(f["geometry"]) for c, f in features.items() if codes.level_of(c) == "community"]
    assert len(communities) == 25
    assert shapely.coverage_is_valid(communities)
    whole = shapely.union_all(communities)
    assert whole.geom_type == "Polygon"
    assert not whole.interiors


def test_a_boundary_is_that_of_its_children_joined(features: dict[str, dict]) -> None:
    shapes = {code: shape(f["geometry"]) for code, f in features.items()}
    for code, own in shapes.items():
        below = [s for c, s in shapes.items() if codes.parent_of(c) == code]
        assert not below or shapely.union_all(below).equals(own)
