"""The demonstration's data is what it says it is, and comes in once, also into an instance that is older than it."""

from __future__ import annotations

import csv
import itertools
import json
import math
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import yaml
from flask import Flask
from shapely import STRtree
from shapely.geometry import Point, shape
from sqlalchemy import func, select

from portal import create_app
from portal import demo as whole
from portal.config import ROOT, Settings
from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.identity import demo as people
from portal.shelters import demo, field
from portal.shelters.field import recompute
from portal.shelters.models import CommunityPost, Keeper, Obstruction, RoadGraph, Shelter, TransferPerson
from portal.shelters.registry import store, suitability
from portal.shelters.roads import obstructions, osm
from portal.shelters.roads.graph import BRIDGE, STEPS, Graph
from portal.warnings import hazards
from tests.district import settle_regions
from tools.demonstration import __main__ as generator

CONTENT = ROOT / "content" / "shelters"
COMMUNITIES = 25
LARGEST_FILE = 400_000
DISTRICT = "440310000000"
MakeApp = Callable[..., Flask]


@pytest.fixture(scope="module")
def graph() -> Graph:
    return osm.read(CONTENT / "roads.osm.pbf")


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    return _table("shelters.csv")


def _table(name: str) -> list[dict[str, str]]:
    with (CONTENT / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _communities() -> dict[str, object]:
    features = json.loads((ROOT / "content" / "regions" / "440310.geojson").read_text("utf-8"))["features"]
    return {f["properties"]["code"]: shape(f["geometry"]) for f in features if not f["properties"]["code"].endswith("000")}


# -- the town ------------------------------------------------------------------------------------------------
def test_the_same_seed_gives_the_same_files(tmp_path: Path) -> None:
    generator.write(tmp_path)
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (CONTENT / path.name).read_bytes(), path.name
    assert {p.name for p in tmp_path.iterdir()} == {"roads.osm.pbf", "shelters.csv", "waterlogging.geojson", "communities.yaml",
                                                    "transfers.csv"}


def test_the_streets_are_one_town_of_at_least_three_thousand_nodes_in_a_small_file(graph: Graph) -> None:
    assert (CONTENT / "roads.osm.pbf").stat().st_size < LARGEST_FILE
    assert graph.nodes >= 3000
    assert (graph.component == 0).all(), "nobody is cut off while nothing cuts the way"
    assert ((graph.flags & BRIDGE) != 0).sum() >= 20
    assert ((graph.flags & STEPS) != 0).sum() >= 30


def test_streets_have_names_in_both_languages_and_nobody_is_sent_along_the_expressway(graph: Graph) -> None:
    zh, en = ({name[i] for name in graph.names[1:]} for i in (0, 1))
    assert len(zh) > 1000
    assert not any(re.search("[A-Za-z]", name) for name in zh)
    assert not any(re.search("[\u4e00-\u9fff]", name) for name in en)
    assert not any("高速" in name for name in zh)


def test_every_street_lies_in_the_district_and_every_community_has_streets(graph: Graph) -> None:
    outlines = _communities()
    tree = STRtree(list(outlines.values()))
    inside = tree.query(np.array([Point(x, y) for x, y in zip(graph.lon, graph.lat, strict=True)]), "within")
    assert len(set(inside[0].tolist())) >= 0.995 * graph.nodes
    counts = Counter(inside[1].tolist())
    assert len(counts) == COMMUNITIES
    assert min(counts.values()) >= 20


# -- the places ----------------------------------------------------------------------------------------------
def test_the_counts_are_those_of_the_districts_own_plan(rows: list[dict[str, str]]) -> None:
    places = {space: [int(r["capacity_day"]) for r in rows if r["space"] == space] for space in ("indoor", "outdoor")}
    assert {space: (len(p), sum(p)) for space, p in places.items()} == {"indoor": (45, 9_740), "outdoor": (27, 400_000)}
    assert len(rows) == 72


def test_every_community_has_a_roof_and_open_ground_inside_its_boundary(rows: list[dict[str, str]]) -> None:
    outlines = _communities()
    for space in ("indoor", "outdoor"):
        assert {r["region_code"] for r in rows if r["space"] == space} == set(outlines)
    for row in rows:
        place = Point(float(row["longitude"]), float(row["latitude"]))
        assert outlines[row["region_code"]].contains(place), row["code"]


def test_every_entrance_is_at_a_street(rows: list[dict[str, str]], graph: Graph) -> None:
    for row in rows:
        doors = [part.split("|") for part in row["entrances"].split("; ")]
        assert doors, row["code"]
        for door in doors:
            point = Point(float(door[2]), float(door[3]))
            nearest = graph.edge_tree.geometries[graph.edge_tree.nearest(point)]
            assert nearest.distance(point) * 105_000 < 60, (row["code"], door[0])


def test_what_is_known_of_the_shelters_has_gaps_as_in_life_and_serves_every_family(rows: list[dict[str, str]]) -> None:
    for column in ("suitable_flood", "suitable_earthquake", "suitable_hazmat", "step_free", "medical", "checked_at", "area_m2"):
        assert any(r[column] in ("", "unknown") for r in rows), column
    families = yaml.safe_load((CONTENT / "families.yaml").read_text("utf-8"))["families"]
    for family in families:
        good = [r for r in rows if all(r[f"suitable_{h}"] == "yes" for h in family["hazards"])]
        assert len({r["region_code"] for r in good}) >= 15, family["key"]


def test_it_all_says_that_it_is_invented_and_no_number_can_be_anybodys(rows: list[dict[str, str]]) -> None:
    assert all(r["demonstration"] == "yes" and "demonstration, invented" in r["source"] for r in rows)
    communities = (CONTENT / "communities.yaml").read_text("utf-8")
    assert yaml.safe_load(communities)["demonstration"] is True
    numbers = [r["contact_phone"] for r in rows] + re.findall(r"phone: '?([^'\n]+)", communities)
    assert len(numbers) >= 72 + 4 * COMMUNITIES
    assert all(number.startswith("129 ") for number in numbers)


def test_forty_low_streets_count_for_water_alone_and_none_is_a_shelters_door(rows: list[dict[str, str]]) -> None:
    features = json.loads((CONTENT / "waterlogging.geojson").read_text("utf-8"))["features"]
    assert len(features) == len({f["id"] for f in features}) == 40
    assert all(f["properties"]["families"] == ["water"] and f["properties"]["kind"] == "waterlogging" for f in features)
    doors = [tuple(map(float, part.split("|")[2:4])) for r in rows for part in r["entrances"].split("; ")]
    for feature in features:
        lon, lat = feature["geometry"]["coordinates"]
        nearest = min(math.hypot((lon - x) * 102_700, (lat - y) * 110_700) for x, y in doors)
        assert nearest > 2 * feature["properties"]["radius"], feature["id"]


def test_the_transfer_list_knows_people_by_initials_only() -> None:
    people_ = _table("transfers.csv")
    assert {p["region_code"] for p in people_} == set(_communities())
    assert all(re.fullmatch(r"[A-Z]\. [A-Z]\.", p["initials"]) for p in people_)
    assert not {"name", "phone", "address"} & set(people_[0])


# -- filling an instance -------------------------------------------------------------------------------------
@contextmanager
def _quiet(_zh: str, _en: str) -> Iterator[None]:
    yield


def _count(table: type) -> int:
    return db.session.execute(select(func.count()).select_from(table)).scalar_one()


def _counts() -> dict[str, int]:
    return {t.__tablename__: _count(t) for t in (Shelter, Obstruction, CommunityPost, TransferPerson, Keeper, RoadGraph,
                                                  audit.AuditEntry)}


@pytest.fixture
def fresh(sqlite_template: Path, tmp_path: Path) -> Iterator[Flask]:
    """An empty instance of the demonstration on SQLite, with its context."""
    shutil.copy(sqlite_template, tmp_path / "anlan.db")
    app = create_app(Settings(instance=tmp_path, demo=True, simulated_speakers=0, secret_key="test " * 10, phone_key="ab" * 32))
    with app.app_context():
        yield app
        db.engine.dispose()


def _settle() -> None:
    settle_regions()
    people.seed()


def test_a_start_brings_everything_in_and_the_second_changes_nothing_and_brings_nothing_back(make_app: MakeApp) -> None:
    with make_app(demo=True).app_context():
        _settle()
        demo.seed(_quiet)
        _everything_is_there()
        first = _counts()
        gone, shelter = obstructions.listing(utcnow(), limit=1).rows[0], store.by_code("PS-N002")
        obstructions.end(None, gone.id, gone.version)
        store.retire(None, shelter.id, shelter.version)
        demo.seed(_quiet)
        db.session.expire_all()
        assert _counts() == first | {"audit_entry": first["audit_entry"] + 2}
        assert store.by_code("PS-N002").retired_at is not None
        assert obstructions.get(gone.id).ended_at is not None


def _everything_is_there() -> None:
    first = _counts()
    assert {name: first[name] for name in ("shelter", "obstruction", "transfer_person", "road_graph")} == {
        "shelter": 72, "obstruction": 40, "transfer_person": 210, "road_graph": 1}
    assert not any(s.status in ("opening", "open", "nearly_full", "full") for s in store.listing())
    assert {s.status for s in store.listing()} == {"standby", "closed", "unsafe", None}


def test_an_instance_that_was_filled_before_there_were_shelters_gets_them(fresh: Flask) -> None:
    with transaction() as session:
        audit.append(session, audit.SYSTEM, whole.FILLED, f"region:{DISTRICT}")
    whole.fill(fresh, _quiet)
    assert _count(Shelter) == 72


def test_a_broken_off_start_is_taken_up_where_it_was(fresh: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    _settle()
    with monkeypatch.context() as broken:
        broken.setattr(demo, "_communities", lambda _path: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            demo.seed(_quiet)
    assert _count(Shelter) == 72
    demo.seed(_quiet)
    assert (_count(Shelter), _count(Obstruction), _count(RoadGraph)) == (72, 40, 1)
    assert _count(CommunityPost) > 90


def test_nearly_everybody_has_a_way_in_a_plan_and_the_hazards_that_call_for_shelters_have_a_family(fresh: Flask) -> None:
    _settle()
    demo.seed(_quiet)
    assert recompute.now("test")
    view = field.current()
    assert view is not None
    for family in suitability.families():
        layer = f"{family}.walk"
        assert view.basis(layer) == "plan"
        told = view.summary["layers"][layer]
        assert told["nodes_with_way"] > 0.97 * view.graph.nodes, layer
        assert told["placed"] > 0.97 * told["people"], layer
    assert suitability.family_of("11B03") is not None
    assert set(itertools.chain(*(f.events for f in suitability.families().values()))) <= set(hazards.catalogue().hazards)
