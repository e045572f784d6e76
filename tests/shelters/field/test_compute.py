"""The field says what an independent search says, and never what is not known."""

from math import inf

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.shelters.field.compute import FAR, FURTHER, edge_seconds
from portal.shelters.field.made import SPEEDS, from_bytes, to_bytes
from portal.shelters.field.routes import NoRoute, Route
from portal.shelters.roads import effects
from portal.shelters.roads.effects import Effect
from portal.shelters.roads.graph import STEPS, distance, make
from tests.shelters.field.town import FAMILY, at_node, block, door, facts, reference, rough, shelter, view
from tests.shelters.grid import grid

WALK, STEP_FREE = f"{FAMILY}.walk", f"{FAMILY}.step_free"
seeds = st.integers(0, 10_000)


def _starts(graph, doors, applied, profile):
    """Where doors meet the graph, found the plain way: the up to three nearest free nodes, and one of the mainland."""
    starts: dict[int, float] = {}
    for one in doors:
        if applied.ground.holds(one.lon, one.lat):
            continue
        free = sorted((distance(one.lon, one.lat, float(graph.lon[n]), float(graph.lat[n])), n) for n in range(graph.nodes)
                      if not applied.ground.blocks(one.lon, one.lat, float(graph.lon[n]), float(graph.lat[n])))
        free = [(m, n) for m, n in free if m <= FAR]
        chosen = [(m, n) for m, n in free if m <= free[0][0] + FURTHER][:3] if free else []
        if chosen and not any(graph.component[n] == 0 for _m, n in chosen):
            chosen += [(m, n) for m, n in free if graph.component[n] == 0 and m <= free[0][0] + 150][:1]
        for metres, node in chosen:
            starts[node] = min(starts.get(node, inf), max(0.01, metres / SPEEDS[profile]))
    return starts


@st.composite
def towns(draw):
    graph = rough(draw(seeds))
    rng = np.random.default_rng(draw(seeds))
    spots = [at_node(graph, int(n), east=rng.uniform(-.4, .4), north=rng.uniform(-.4, .4))
             for n in rng.integers(0, graph.nodes, 4)]
    places = [shelter(i, spot) for i, spot in enumerate(spots)]
    doors = [door(i, spot, bool(rng.random() < 0.7) or None) for i, spot in enumerate(spots)]
    shapes = []
    for _ in range(int(rng.integers(0, 4))):
        w, s = rng.uniform(-1, 6), rng.uniform(-1, 5)
        shapes.append(block(w, s, w + rng.uniform(.1, 2), s + rng.uniform(.1, 2), graph, *(
            ("cuts",) if rng.random() < .6 else ("slows", 3.0))))
    return graph, places, doors, shapes


@settings(max_examples=40, deadline=None)
@given(towns(), st.sampled_from(["walk", "step_free"]))
def test_every_nodes_time_is_that_of_an_independent_dijkstra(town, profile):
    graph, places, doors, shapes = town
    field = view(graph, facts(graph, places, doors, effects=shapes))
    applied = effects.apply(graph, shapes)
    used = [d for d in doors if profile == "walk" or d.step_free]
    wanted = reference(graph, (edge_seconds(graph, profile) * applied.factors).tolist(), _starts(graph, used, applied, profile))
    got = field.seconds(f"{FAMILY}.{profile}")
    for node in range(graph.nodes):
        assert (got[node] == inf) == (wanted[node] == inf)
        assert wanted[node] == inf or abs(got[node] - wanted[node]) <= 0.5 + 1e-6


@settings(max_examples=40, deadline=None)
@given(towns(), seeds)
def test_no_route_crosses_an_obstruction(town, seed):
    graph, places, doors, shapes = town
    field = view(graph, facts(graph, places, doors, effects=shapes))
    closed = shapely.union_all([effects.ground_of(e)[0] for e in shapes if e.effect == "cuts"])
    rng = np.random.default_rng(seed)
    for _ in range(30):
        route = field.route(*at_node(graph, 0, east=rng.uniform(-1, 8), north=rng.uniform(-1, 7)), WALK)
        if isinstance(route, Route):
            assert not shapely.LineString(route.line).intersects(closed)
    for node in range(graph.nodes):
        route = field.route_from_node(node, WALK)
        if isinstance(route, Route) and not field.ground(WALK).holds(*route.start):
            assert not shapely.LineString(route.line).intersects(closed)


@settings(max_examples=40, deadline=None)
@given(towns())
def test_the_step_free_way_takes_no_steps_and_ends_at_a_door_known_to_have_none(town):
    graph, places, doors, shapes = town
    field = view(graph, facts(graph, places, doors, effects=shapes))
    for node in range(graph.nodes):
        route = field.route_from_node(node, STEP_FREE)
        if isinstance(route, Route):
            assert route.door.step_free is True
            assert not any(graph.flags[e] & STEPS for e in route.edges)


@settings(max_examples=40, deadline=None)
@given(towns())
def test_nobody_is_sent_against_a_way_that_is_walked_in_one_direction(town):
    graph, places, doors, shapes = town
    field = view(graph, facts(graph, places, doors, effects=shapes))
    for node in range(graph.nodes):
        route = field.route_from_node(node, WALK)
        if isinstance(route, Route):
            for u, edge in zip(route.nodes, route.edges, strict=False):
                assert not graph.flags[edge] & 8 or graph.a[edge] == u


@settings(max_examples=40, deadline=None)
@given(towns(), seeds)
def test_a_load_of_kept_places_never_exceeds_the_room(town, seed):
    graph, places, doors, shapes = town
    rng = np.random.default_rng(seed)
    people = rng.integers(0, 30, graph.nodes)
    places = [shelter(p.id, (p.lon, p.lat), room=int(rng.integers(0, 400))) for p in places]
    field = view(graph, facts(graph, places, doors, effects=shapes, people=people))
    load = dict.fromkeys(range(len(places)), 0)
    for node in range(graph.nodes):
        route = field.route_from_node(node, WALK)
        if isinstance(route, Route) and not route.tight:
            load[route.door.shelter] += int(people[node])
    assert all(load[n] <= place.room for n, place in enumerate(places))


def test_room_that_is_left_is_used_before_anybody_is_told_that_all_is_full():
    graph = grid(9, 3)
    places = [shelter(0, at_node(graph, 9), room=9), shelter(1, at_node(graph, 17), room=18)]
    field = view(graph, facts(graph, places, [door(0, at_node(graph, 9)), door(1, at_node(graph, 17))], people=np.ones(27)))
    routes = [field.route_from_node(n, WALK) for n in range(27)]
    assert [r.shelter_id for r in routes].count(0) == 9
    assert [r.shelter_id for r in routes].count(1) == 18
    assert all(r.shelter_id == 0 for r in (routes[0], routes[9], routes[18]))


@pytest.mark.parametrize("families", [(), ("quake",)])
def test_a_shelter_that_is_not_known_to_be_suitable_is_never_a_goal(families):
    graph = grid(4, 4)
    places = [shelter(0, at_node(graph, 5), families=families)]
    field = view(graph, facts(graph, places, [door(0, at_node(graph, 5))]))
    answer = field.route_from_node(5, WALK)
    assert isinstance(answer, NoRoute)
    assert answer.reason == "no_shelter"


def test_an_island_without_a_shelter_has_no_route_and_one_with_a_shelter_has():
    town = grid(6, 2)
    apart = np.flatnonzero(~((town.a % 6 == 2) & (town.b % 6 == 3)))
    graph = make(town.lon, town.lat, town.a[apart], town.b[apart])
    field = view(graph, facts(graph, [shelter(0, at_node(graph, 0))], [door(0, at_node(graph, 0))]))
    assert isinstance(field.route_from_node(2, WALK), Route)
    assert field.route_from_node(3, WALK) == NoRoute("no_way")


def test_all_shelters_full_is_said_with_the_nearest_ones_name():
    graph = grid(5, 5)
    places = [shelter(1, at_node(graph, 0), state="full", room=0), shelter(2, at_node(graph, 24), room=0)]
    field = view(graph, facts(graph, places, [door(0, at_node(graph, 0)), door(1, at_node(graph, 24))]))
    answer = field.route(*at_node(graph, 18), WALK)
    assert answer.reason == "no_room"
    assert answer.nearest_full.id == 2


def test_without_an_open_shelter_the_layer_is_a_plan_over_those_that_may_be_opened():
    graph = grid(4, 4)
    ready, away = shelter(1, at_node(graph, 0), state="ready"), shelter(2, at_node(graph, 15), state="out")
    doors = [door(0, at_node(graph, 0)), door(1, at_node(graph, 15))]
    field = view(graph, facts(graph, [ready, away], doors))
    assert field.basis(WALK) == "plan"
    assert {field.route_from_node(n, WALK).shelter_id for n in range(16)} == {1}
    opened = view(graph, facts(graph, [shelter(1, at_node(graph, 0)), ready], doors))
    assert opened.basis(WALK) == "open"


def test_an_obstruction_over_the_shelter_itself_takes_it_off_the_field_and_is_told():
    graph = grid(5, 5)
    places = [shelter(1, at_node(graph, 0)), shelter(2, at_node(graph, 24))]
    doors = [door(0, at_node(graph, 0, east=.1, north=.1)), door(1, at_node(graph, 24))]
    field = view(graph, facts(graph, places, doors, effects=[block(.05, .05, .3, .3, graph)]))
    assert field.summary["shelters"]["blocked"] == {FAMILY: ["S-1"]}
    assert {field.route_from_node(n, WALK).shelter_id for n in range(25)} == {2}


def test_who_stands_where_ways_are_closed_is_told_so():
    graph = grid(5, 5)
    field = view(graph, facts(graph, [shelter(1, at_node(graph, 0))], [door(0, at_node(graph, 0))],
                              effects=[block(2.5, 2.5, 3.5, 3.5, graph)]))
    assert field.route(*at_node(graph, 18), WALK) == NoRoute("obstruction")


def test_a_place_two_kilometres_off_every_way_gets_no_route():
    graph = grid(5, 5)
    field = view(graph, facts(graph, [shelter(1, at_node(graph, 0))], [door(0, at_node(graph, 0))]))
    assert field.route(*at_node(graph, 24, east=20), WALK) == NoRoute("outside")
    assert isinstance(field.route(*at_node(graph, 24, east=3), WALK), Route)


def test_a_bow_tie_cuts_with_both_wings_and_is_counted():
    graph = grid(7, 3)
    at = [at_node(graph, 0, east=e, north=n) for e, n in ((1.2, -.5), (4.8, 2.5), (4.8, -.5), (1.2, 2.5), (1.2, -.5))]
    bow = Effect({"type": "Polygon", "coordinates": [[list(p) for p in at]]}, 0.0, "cuts")
    applied = effects.apply(graph, [bow, Effect({"type": "Nonsense"}, 5.0, "cuts")])
    assert (applied.mended, applied.unreadable) == (1, 1)
    cut = {(int(graph.a[e]), int(graph.b[e])) for e in np.flatnonzero(np.isinf(applied.factors))}
    assert {(8, 9), (11, 12)} <= cut


def test_metres_around_a_point_are_metres_in_both_directions():
    graph = grid(9, 9)
    spot = {"type": "Point", "coordinates": list(at_node(graph, 40))}
    applied = effects.apply(graph, [Effect(spot, 120.0, "cuts")])
    nodes = set(graph.a[np.isinf(applied.factors)].tolist()) | set(graph.b[np.isinf(applied.factors)].tolist())
    assert {38, 42, 22, 58} <= nodes  # the next but one in each direction is the far end of a cut street
    assert not {37, 43, 13, 67} & nodes


def test_a_stored_field_comes_back_as_it_was():
    graph = rough(3)
    places = [shelter(1, at_node(graph, 0)), shelter(2, at_node(graph, 20), room=None)]
    doors = [door(0, at_node(graph, 0)), door(1, at_node(graph, 20), None)]
    made = view(graph, facts(graph, places, doors, effects=[block(1, 1, 2, 2, graph), block(3, 3, 5, 5, graph, "slows", 2.5)],
                             families=(FAMILY, "quake"))).made
    back = from_bytes(to_bytes(made))
    assert back.layers.keys() == made.layers.keys()
    for key, layer in made.layers.items():
        assert (back.layers[key].next == layer.next).all()
        assert (back.layers[key].seconds == layer.seconds).all()
    assert (back.places, back.doors, back.slowed, back.ground) == (made.places, made.doors, made.slowed, made.ground)
    assert back.cuts[0][0].equals(made.cuts[0][0])
    with pytest.raises(ValueError, match="no stored field"):
        from_bytes(to_bytes(made)[:-40])
