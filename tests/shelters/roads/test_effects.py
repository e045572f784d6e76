"""What an obstruction does to which ways."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.regions.geodesy import destination
from portal.shelters.roads import effects
from portal.shelters.roads.effects import Effect
from tests.shelters.grid import LAT0, LON0, STEP_LAT, STEP_LON, grid

TOWN = grid(8, 7)
places = st.tuples(st.floats(-1, 8), st.floats(-1, 7)).map(lambda p: [LON0 + p[0] * STEP_LON, LAT0 + p[1] * STEP_LAT])
shapes = st.one_of(
    places.map(lambda p: {"type": "Point", "coordinates": p}),
    st.lists(places, min_size=2, max_size=4, unique_by=tuple).map(lambda c: {"type": "LineString", "coordinates": c}),
    st.lists(places, min_size=3, max_size=6, unique_by=tuple).map(lambda c: {"type": "Polygon", "coordinates": [[*c, c[0]]]}))
obstructions = st.builds(Effect, shapes, st.floats(0, 200), st.sampled_from(["cuts", "slows"]), st.floats(1, 5))


@settings(max_examples=40, deadline=None)
@given(st.lists(obstructions, max_size=6))
def test_an_edge_is_cut_or_slowed_exactly_where_it_touches(found):
    applied = effects.apply(TOWN, found)
    grounds = [(effects.ground_of(e)[0], e) for e in found]
    for edge in range(TOWN.edges):
        a, b = TOWN.a[edge], TOWN.b[edge]
        line = shapely.LineString([(TOWN.lon[a], TOWN.lat[a]), (TOWN.lon[b], TOWN.lat[b])])
        touching = [e for ground, e in grounds if line.intersects(ground)]
        wanted = np.inf if any(e.effect == "cuts" for e in touching) else max([1.0, *(e.factor for e in touching)])
        assert applied.factors[edge] == wanted
    assert applied.cut_edges == np.isinf(applied.factors).sum()


@pytest.mark.parametrize("radius", [10, 100, 2000])
def test_so_many_metres_around_a_point_are_so_many_on_the_ground(radius):
    ground, mended = effects.ground_of(Effect({"type": "Point", "coordinates": [LON0, LAT0]}, radius, "cuts"))
    assert not mended
    for azimuth in range(0, 360, 15):
        assert ground.contains(shapely.Point(destination(LON0, LAT0, azimuth, radius * 0.999)))
        assert not ground.contains(shapely.Point(destination(LON0, LAT0, azimuth, radius * 1.01)))


@pytest.mark.parametrize("broken", [
    {"type": "Point", "coordinates": []}, {"type": "Polygon", "coordinates": []}, {"type": "Circle"}, {},
    {"type": "Point", "coordinates": [float("nan"), 22.0]}, {"type": "LineString", "coordinates": [[1, 2]]},
])
def test_what_is_no_shape_is_left_out_and_counted(broken):
    applied = effects.apply(TOWN, [Effect(broken, 50.0, "cuts")])
    assert applied.unreadable == 1
    assert (applied.factors == 1).all()


def test_nothing_is_slowed_without_measure():
    everything = {"type": "Polygon", "coordinates": [[[114, 22], [115, 22], [115, 23], [114, 23], [114, 22]]]}
    assert (effects.apply(TOWN, [Effect(everything, 0.0, "slows", 1e9)]).factors == effects.SLOWEST).all()
    assert (effects.apply(TOWN, [Effect(everything, 0.0, "slows", 0.1)]).factors == 1).all()
    assert (effects.apply(TOWN, [Effect(everything, float("inf"), "cuts")]).factors == np.inf).all()
    assert (effects.apply(TOWN, [Effect({"type": "Point", "coordinates": [LON0, LAT0]}, float("nan"), "cuts")]).factors > 0).all()
