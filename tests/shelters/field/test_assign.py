"""Places are kept for who lives nearest, and none is left empty while somebody is told that all are taken."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.shelters.field.compute import edge_seconds
from portal.shelters.field.made import SPEEDS
from portal.shelters.field.prices import balanced
from portal.shelters.roads.graph import distance
from tests.shelters.field.town import FAMILY, at_node, door, facts, rough, shelter, view
from tests.shelters.grid import grid

WALK = f"{FAMILY}.walk"


def _town(graph, nodes, rooms, people):
    places = [shelter(n, at_node(graph, node), room=room) for n, (node, room) in enumerate(zip(nodes, rooms, strict=True))]
    return view(graph, facts(graph, places, [door(n, at_node(graph, node)) for n, node in enumerate(nodes)], people=people))


@pytest.mark.parametrize(("rooms", "part"), [
    ((20, 20, 20, 20, 260), 0.95), ((70, 70, 70, 70, 70), 0.99), ((5, 5, 5, 300, 5), 0.95), ((324, 0, 0, 0, 0), 1.0),
])
def test_where_there_is_room_for_everybody_nearly_everybody_has_a_place_however_it_is_spread(rooms, part):
    graph = grid(18, 18)
    field = _town(graph, (0, 17, 153, 306, 323), rooms, np.ones(324))
    placed = sum(field.summary["layers"][WALK]["load"].values())
    assert placed >= part * min(324, sum(rooms))


def test_where_places_run_out_all_are_taken_and_the_nearest_have_them():
    graph = grid(18, 18)
    field = _town(graph, (0, 17, 323), (30, 40, 20), np.ones(324))
    load = field.summary["layers"][WALK]["load"]
    assert sum(load.values()) >= 0.95 * 90
    assert all(load[f"S-{n}"] <= room for n, room in enumerate((30, 40, 20)))
    assert field.made.layers[WALK].tight[171]  # in the middle, far from all three
    assert all(field.route_from_node(n, WALK).shelter_id == s for n, s in ((0, 0), (17, 1), (323, 2), (1, 0), (16, 1)))


def test_whoever_has_a_place_walks_through_those_who_have_one_in_the_same_shelter():
    graph = rough(5, 12, 12)
    field = _town(graph, (3, 70, 140), (40, 25, 60), np.ones(graph.nodes))
    for node in range(graph.nodes):
        route = field.route_from_node(node, WALK)
        if hasattr(route, "nodes"):
            assert route.tight or {field.route_from_node(n, WALK).shelter_id for n in route.nodes} == {route.shelter_id}


def test_who_is_in_a_shelter_already_takes_no_second_place():
    graph = grid(10, 1)
    inside = shelter(1, at_node(graph, 0), room=5).__class__(**(
        {f: getattr(shelter(1, at_node(graph, 0), room=5), f) for f in shelter(1, (0, 0)).__dataclass_fields__} | {"inside": 5}))
    field = view(graph, facts(graph, [inside], [door(0, at_node(graph, 0))], people=np.ones(10)))
    assert field.summary["layers"][WALK]["people"] == 5
    assert field.summary["layers"][WALK]["nodes_without_room"] == 0


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 6), st.floats(0.3, 3))
def test_prices_balance_what_people_want_and_what_there_is(seed, shelters, demand):
    """Softly: the load at these prices is near the room, or the price is nothing."""
    rng = np.random.default_rng(seed)
    at, of = rng.random((400, 2)), rng.random((shelters, 2))
    costs = np.sqrt(((of[:, None] - at[None]) ** 2).sum(2)) * 3000
    room = rng.random(shelters) + 0.2
    room *= 400 / demand / room.sum()
    price = balanced(costs, np.ones(400), room, 9000.0)
    assert (price >= 0).all()
    total = costs + price[:, None]
    load = np.bincount(np.where(total.min(0) <= 9000, total.argmin(0), shelters), minlength=shelters + 1)[:shelters]
    placed = np.minimum(load, room).sum()
    assert placed >= 0.85 * min(400, room.sum())


def test_prices_of_nothing_are_nothing():
    assert (balanced(np.zeros((3, 0)), np.zeros(0), np.ones(3), 100.0) == 0).all()
    assert len(balanced(np.zeros((0, 4)), np.ones(4), np.zeros(0), 100.0)) == 0
    assert np.isfinite(balanced(np.full((2, 3), np.inf), np.ones(3), np.array([np.inf, 0.0]), 100.0)).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_nobody_is_left_without_a_place_beside_the_way_to_a_shelter_that_has_one(seed):
    rng = np.random.default_rng(seed)
    graph, people = rough(seed, 9, 9), rng.integers(1, 9, 81)
    nodes = rng.choice(81, 4, replace=False).tolist()
    field = _town(graph, nodes, rng.integers(0, 200, 4).tolist(), people)
    tight, load = field.made.layers[WALK].tight, field.summary["layers"][WALK]["load"]
    for u in np.flatnonzero(tight).tolist():
        row = slice(graph.arcs.start[u], graph.arcs.start[u + 1])
        for v, edge in zip(graph.arcs.to[row].tolist(), graph.arcs.edge[row].tolist(), strict=True):
            way_there = graph.a[edge] == u or not graph.flags[edge] & 8
            route = field.route_from_node(v, WALK)
            if way_there and hasattr(route, "shelter") and not route.tight:
                assert load[route.shelter.code] + people[u] > route.shelter.room


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_who_has_no_place_is_still_shown_the_way_to_an_open_shelter_and_told_that_places_may_run_out(seed):
    rng = np.random.default_rng(seed)
    graph, people = rough(seed, 9, 9), rng.integers(1, 9, 81)
    nodes = rng.choice(81, 3, replace=False).tolist()
    field = _town(graph, nodes, rng.integers(1, 40, 3).tolist(), people)
    free = _town(graph, nodes, [10_000] * 3, people)
    layer = field.made.layers[WALK]
    assert ((layer.next != -1) == (free.made.layers[WALK].next != -1)).all(), "scarce places cut nobody off"
    for node in range(graph.nodes):
        route = field.route_from_node(node, WALK)
        if not hasattr(route, "nodes"):
            continue
        assert len(set(route.nodes)) == len(route.nodes)
        ways = edge_seconds(graph, "walk")[route.edges].sum()
        last = distance(*at_node(graph, route.nodes[-1]), route.door.lon, route.door.lat)
        assert abs(route.seconds - (ways + max(last / SPEEDS["walk"], 0.01))) <= 0.51, "the time is that of the way that is shown"
        assert ("places within reach" in " ".join(route.words("en"))) is route.tight
    load = field.summary["layers"][WALK]["load"]
    assert all(load[place.code] <= place.room for place in field.made.places)
