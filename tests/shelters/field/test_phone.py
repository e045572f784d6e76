"""The phone, with one small file and no network, says what the portal says."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import brotli
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.shelters.field import maps_links
from portal.shelters.field.routes import Route
from portal.shelters.roads.effects import Effect
from portal.shelters.roads.graph import divided, make
from tests.architecture.code import PORTAL
from tests.node import node
from tests.shelters.field.town import FAMILY, at_node, block, door, facts, rough, shelter, view
from tests.shelters.grid import grid

SCRIPT = PORTAL / "site" / "static" / "field.js"
CODE = "440310001001"


def ask(**question):
    done = subprocess.run([node(), str(Path(__file__).with_name("field_in_node.js"))], check=True, timeout=60, text=True,
                          input=json.dumps({"script": str(SCRIPT), **question}), capture_output=True)
    return json.loads(done.stdout)


def _town(seed):
    rng = np.random.default_rng(seed)
    graph = rough(seed, 9, 8)
    kinds = rng.integers(0, 6, graph.edges)
    named = np.where(rng.random(graph.edges) < 0.6, graph.name, 0)
    kinds = np.where(graph.flags & 1, 3, np.where(kinds == 3, 1, kinds))
    graph = divided(make(graph.lon, graph.lat, graph.a, graph.b, name=named, names=graph.names, kind=kinds,
                         flags=graph.flags), 60)
    spots = [at_node(graph, int(n), east=rng.uniform(-.3, .3), north=rng.uniform(-.3, .3)) for n in rng.integers(0, 72, 4)]
    places = [shelter(i, spot, room=int(rng.integers(0, 60)), state=("open", "full", "ready", "open")[(i + seed) % 4],
                      families=(FAMILY, "quake") if i else ("quake",)) for i, spot in enumerate(spots)]
    doors = [door(i, spot, bool(rng.random() < 0.7) or None, n) for i, spot in enumerate(spots) for n in range(1 + i % 2)]
    doors = [replace(d, hours="08:00-22:00") if d.shelter % 2 else d for d in doors]
    shapes = [block(1.2, 2.2, 3.4, 3.6, graph), block(5, 4, 7, 6, graph, "slows", 2.5),
              Effect({"type": "Point", "coordinates": list(at_node(graph, 30))}, 60.0, "cuts")]
    return graph, facts(graph, places, doors, effects=shapes[: 1 + seed % 3], people=np.ones(graph.nodes),
                        families=(FAMILY, "quake"))


@pytest.mark.parametrize("seed", range(6))
def test_the_phone_gives_the_same_way_in_the_same_words(words, seed):
    graph, made_of = _town(seed)
    field = view(graph, made_of)
    rng = np.random.default_rng(seed)
    points = [at_node(graph, 0, east=rng.uniform(-2, 10), north=rng.uniform(-2, 9)) for _ in range(60)]
    points += [at_node(graph, 0, east=40), at_node(graph, 30)]
    asked = [[lon, lat, layer, "zh" if n % 2 else "en"] for n, (lon, lat) in enumerate(points) for layer in field.layers]
    file = field.community_file(CODE)
    answers = ask(file=file.decode(), ask=asked)["routes"]
    reasons = set()
    for (lon, lat, layer, language), got in zip(asked, answers, strict=True):
        wanted = field.route(lon, lat, layer)
        assert got["words"] == wanted.words(language)
        if isinstance(wanted, Route):
            assert got["ok"] is True
            assert (got["seconds"], got["minutes"]) == (wanted.seconds, wanted.minutes)
            assert got["shelter"]["code"] == wanted.shelter.code
            assert got["metres"] == pytest.approx(wanted.metres)
            assert np.allclose(got["line"], wanted.line, rtol=0, atol=1e-9)
        else:
            assert (got["ok"], got["reason"]) == (False, wanted.reason)
            reasons.add(wanted.reason)
    assert "outside" in reasons


@pytest.mark.parametrize("seed", range(4))
def test_where_places_run_out_the_phone_says_so_for_the_same_people_and_shows_the_same_way(words, seed):
    graph, made_of = _town(seed)
    few = [p.__class__(**(vars(p) | {"room": 6 + 5 * n, "state": "open"})) for n, p in enumerate(made_of.places)]
    field = view(graph, made_of.__class__(**(vars(made_of) | {"places": few})))
    layers = field.made.layers.values()
    assert any(layer.tight.any() for layer in layers)
    # Some whose nearest way joins that of a neighbour who has a place: the time is that of the whole way.
    assert any((layer.tight & (layer.next >= 0) & ~layer.tight[layer.next]).any() for layer in layers)
    asked = [[*at_node(graph, n), layer, "en" if n % 2 else "zh"] for n in range(0, graph.nodes, 2) for layer in field.layers]
    told = []
    for (lon, lat, layer, language), got in zip(asked, ask(file=field.community_file(CODE).decode(), ask=asked)["routes"],
                                                strict=True):
        wanted = field.route(lon, lat, layer)
        assert got["words"] == wanted.words(language)
        if isinstance(wanted, Route):
            assert (got["tight"], got["seconds"], got["shelter"]["code"]) == (
                wanted.tight, wanted.seconds, wanted.shelter.code)
            told.append(wanted.tight)
    assert set(told) == {True, False}


def test_a_file_that_a_phone_kept_from_before_places_were_told_still_shows_the_way(words):
    graph, made_of = _town(1)
    field = view(graph, made_of)
    file = json.loads(field.community_file(CODE))
    del file["tight"]
    route = next(r for n in range(graph.nodes) if isinstance(r := field.route_from_node(n, f"{FAMILY}.walk"), Route))
    answer = ask(file=json.dumps(file), ask=[[*route.start, f"{FAMILY}.walk", "en"]])["routes"][0]
    assert (answer["ok"], answer["tight"], answer["seconds"]) == (True, False, route.seconds)


def test_a_phone_at_the_edge_of_its_file_follows_the_way_to_a_door_far_outside(words):
    graph = grid(30, 4)
    made_of = facts(graph, [shelter(1, at_node(graph, 19))], [door(0, at_node(graph, 19))])
    west = np.where(graph.lon < graph.lon[5], 0, -1).astype(np.int16)
    field = view(graph, made_of.__class__(**(vars(made_of) | {"community": west})))
    file = json.loads(field.community_file(CODE))
    assert len(file["n"]) < graph.nodes  # not the whole town
    answer = ask(file=json.dumps(file), ask=[[*at_node(graph, 0), f"{FAMILY}.walk", "en"]])["routes"][0]
    assert answer["line"][-1] == pytest.approx(at_node(graph, 19))
    assert answer["words"] == field.route(*at_node(graph, 0), f"{FAMILY}.walk").words("en")


def test_the_file_of_a_community_is_small_and_says_how_old_it_is(words):
    graph, made_of = _town(1)
    field = view(graph, made_of)
    file = field.community_file(CODE)
    said = json.loads(file)
    assert (said["version"], said["made"], said["code"]) == (1, "2026-07-01T00:00:00+00:00", CODE)
    assert len(brotli.compress(file)) < 60_000
    assert field.community_file(CODE) is file
    with pytest.raises(KeyError):
        field.community_file("440310009999")


places_on_earth = st.tuples(st.floats(73, 135), st.floats(4, 53))


@settings(max_examples=40, deadline=None)
@given(places_on_earth)
def test_the_way_there_and_back_between_coordinates_is_shorter_than_a_centimetre(place):
    for there, back in ((maps_links.to_gcj02, maps_links.from_gcj02), (maps_links.to_bd09, maps_links.from_bd09)):
        east, north = back(*there(*place))
        assert abs(east - place[0]) < 1e-7
        assert abs(north - place[1]) < 1e-7
        moved = there(*place)
        assert 1e-5 < max(abs(moved[0] - place[0]), abs(moved[1] - place[1])) < 0.03


@settings(max_examples=40, deadline=None)
@given(st.tuples(st.floats(-180, 180), st.floats(-89, 89)).filter(lambda p: not maps_links.in_china(*p)))
def test_outside_of_china_nothing_is_shifted(place):
    assert maps_links.to_gcj02(*place) == place
    assert maps_links.to_bd09(*place) == place
    assert "coordinate=wgs84" in maps_links.links(*place, "x")["amap"]


def test_known_coordinates_are_met():
    # The Tiananmen flagpole, as the public descriptions of the shift have it.
    assert maps_links.to_gcj02(116.3912757, 39.906217) == pytest.approx((116.3975188, 39.9076199), abs=2e-5)
    assert maps_links.gcj02_to_bd09(116.404, 39.915) == pytest.approx((116.41036949, 39.92133699), abs=1e-6)


@settings(max_examples=5, deadline=None)
@given(st.lists(st.tuples(st.floats(-180, 180), st.floats(-89, 89), st.text(max_size=12).filter(lambda t: t.isprintable())),
                min_size=1, max_size=20), st.lists(places_on_earth, min_size=1, max_size=20))
def test_links_are_the_same_on_the_phone(anywhere, here):
    asked = [list(one) for one in anywhere] + [[*one, "坪山 (一) 避难'所' & co?"] for one in here]
    assert ask(links=asked)["links"] == [maps_links.links(*one) for one in asked]


def test_links_name_the_way_on_foot_to_the_place():
    said = maps_links.links(114.35, 22.69, "坪山中学")
    assert "mode=walk&" in said["amap"]
    assert "mode=walking" in said["baidu"]
    assert "dirflg=w" in said["apple"]
    assert "travelmode=walking" in said["google"]
    assert said["amap"].split("to=")[1].startswith(f"{maps_links.to_gcj02(114.35, 22.69)[0]:.6f},")


def test_the_script_needs_neither_eval_nor_markup():
    text = SCRIPT.read_text(encoding="utf-8")
    for word in ("eval(", "Function(", "innerHTML", "document.", "setTimeout(\""):
        assert word not in text
