"""Who may close a way, which shapes are taken, and from when until when it counts."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
import shapely
from flask import Flask
from flask_babel import force_locale
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from shapely.geometry import shape
from sqlalchemy import select

from portal.core import audit
from portal.core.audit import AuditEntry
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.core.errors import Conflict, Forbidden, Invalid
from portal.identity.rights import DRAFTER, SHELTERS
from portal.shelters.field import wish
from portal.shelters.models import Obstruction
from portal.shelters.roads import obstruction_shapes as shapes
from portal.shelters.roads import obstruction_values as rules
from portal.shelters.roads import obstructions
from tests import district
from tests.district import DISTRICT, KENGZI, LIULIAN, PINGSHAN
from tests.shelters.roads.obstacles import FAR, middle, point, square, values
from tests.waiting import until_somebody_waits_for_a_lock


@pytest.fixture
def place(context: Flask) -> Flask:
    district.settle_regions()
    return context


@pytest.fixture
def keeper(place: Flask):
    return district.office("keeper", (SHELTERS, DISTRICT, "white"))


def problems(**changes) -> dict[str, str]:
    with pytest.raises(Invalid) as refused:
        rules.check(values(**changes))
    return {p.field: str(p.message) for p in refused.value.problems}


# -- rights --------------------------------------------------------------------------------------------------
def test_an_office_of_a_street_closes_ways_of_its_own_street_only(place):
    street = district.office("street", (SHELTERS, PINGSHAN, "white"))
    made = obstructions.create(street, values())
    assert made.region_codes == [LIULIAN]
    with pytest.raises(Forbidden):
        obstructions.create(street, values(geometry=point(FAR)))
    theirs = obstructions.create(None, values(geometry=point(FAR)))
    for act in (lambda: obstructions.end(street, theirs.id, 1), lambda: obstructions.resume(street, theirs.id, 1),
                lambda: obstructions.extend(street, theirs.id, 1, 3),
                lambda: obstructions.edit(street, theirs.id, 1, {"geometry": point()})):
        with pytest.raises(Forbidden):
            act()
    with pytest.raises(Forbidden):  # nor may it push its own one over the border
        obstructions.edit(street, made.id, made.version, {"geometry": point(FAR)})
    db.session.rollback()
    assert db.session.get(Obstruction, theirs.id).ended_at is None


def test_a_shape_over_two_streets_needs_the_duty_in_both(place):
    line = {"type": "LineString", "coordinates": [list(middle()), list(middle(FAR))]}
    both = district.office("both", (SHELTERS, PINGSHAN, "white"), (SHELTERS, KENGZI, "white"))
    touched = set(shapes.communities(line, 10))
    assert {c[:9] for c in touched} >= {PINGSHAN[:9], KENGZI[:9]}
    with pytest.raises(Forbidden):
        obstructions.create(district.office("one", (SHELTERS, PINGSHAN, "white")), values(geometry=line))
    if {c[:9] for c in touched} == {PINGSHAN[:9], KENGZI[:9]}:
        assert obstructions.create(both, values(geometry=line)).region_codes == sorted(touched)


def test_a_duty_for_warnings_closes_no_way(place):
    with pytest.raises(Forbidden):
        obstructions.create(district.office("words", (DRAFTER, DISTRICT, "red")), values())


# -- shapes --------------------------------------------------------------------------------------------------
def test_an_outline_that_crosses_itself_is_mended_and_that_is_said(place):
    lon, lat = middle()
    bow = [[lon, lat], [lon + .001, lat + .001], [lon + .001, lat], [lon, lat + .001], [lon, lat]]
    found = rules.check(values(geometry={"type": "Polygon", "coordinates": [bow]}))
    mended = shape(found.columns["geometry"])
    assert mended.is_valid
    assert mended.geom_type == "MultiPolygon"
    assert any("crossed itself" in str(n) or "自相交" in str(n) for n in found.notes)
    for x in (lon + .0001, lon + .0009):  # both wings hold
        assert mended.contains(shapely.Point(x, lat + .0005))
    assert mended.area == pytest.approx(.001 * .001 / 2, rel=.01)


NO_SHAPES = [
    (None, "Draw"),
    ({"type": "GeometryCollection", "geometries": []}, "Draw"),
    ({"type": "Polygon", "coordinates": []}, "Draw"),
    ({"type": "Point", "coordinates": ["a", "b"]}, "pair of numbers"),
    ({"type": "Point", "coordinates": [float("nan"), 22.7]}, "pair of numbers"),
    ({"type": "Point", "coordinates": [10**400, 22.7]}, "pair of numbers"),
    ({"type": "Point", "coordinates": [114.3]}, "longitude and a latitude"),
    ({"type": "Point", "coordinates": [22.69, 114.35]}, "swapped"),
    ({"type": "Point", "coordinates": [2.35, 48.85]}, "outside the district"),
    ({"type": "LineString", "coordinates": [[114.35, 22.69], [114.35, 22.69]]}, "no length"),
    ({"type": "Polygon", "coordinates": [[[114.35, 22.69], [114.36, 22.70], [114.37, 22.71], [114.35, 22.69]]]}, "one line"),
    ({"type": "Polygon", "coordinates": [[[114.3, 22.65], [114.4, 22.65], [114.4, 22.75], [114.3, 22.75]]]}, "km²"),
    ({"type": "LineString", "coordinates": [[114.35, 22.69]] * 2001}, "points"),
    ({"type": "Polygon", "coordinates": [[[[[[[114.35, 22.69]]]]]]]}, "pair of numbers"),
]


def test_what_is_no_shape_here_is_refused_in_words(place):
    with force_locale("en"):
        said = [(word, problems(geometry=geometry)["geometry"]) for geometry, word in NO_SHAPES]
    assert [(word, told) for word, told in said if word not in told] == []


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example([(1, 30), (34, 19), (2, 30), (0, 0), (25, 22)])  # crosses itself where rounding makes edges cross again
@given(st.lists(st.tuples(st.integers(-40, 40), st.integers(-40, 40)), min_size=3, max_size=12))
def test_whatever_ring_is_drawn_comes_back_valid_or_refused(place, corners):
    lon, lat = middle()
    ring = [[lon + x / 10_000, lat + y / 10_000] for x, y in corners]
    try:
        found = shapes.check({"type": "Polygon", "coordinates": [[*ring, ring[0]]]})
    except Invalid:
        return
    whole = shape(found.geojson)
    assert whole.is_valid
    assert whole.area > 0
    assert shapes.check(found.geojson).geojson == found.geojson  # what was mended needs no more mending


def test_every_thing_that_is_wrong_is_said_at_once_at_its_field(place):
    now = utcnow()
    found = problems(kind="flood", name_zh="", geometry=None, effect="stops", radius="wide", families=["nothing"],
                     begins_at=now, expires_at=now - timedelta(hours=1))
    assert set(found) == {"kind", "name_zh", "geometry", "effect", "radius", "families", "expires_at"}


# -- time ----------------------------------------------------------------------------------------------------
def test_it_counts_from_its_beginning_to_its_end_and_the_next_change_is_known(keeper):
    now = utcnow()
    row = obstructions.create(keeper, values(begins_at=now + timedelta(hours=1), expires_at=now + timedelta(hours=3)))
    at = lambda hours: [r.id for r in obstructions.in_force(now + timedelta(hours=hours))]  # noqa: E731
    assert (at(0), at(1), at(2.9), at(3)) == ([], [row.id], [row.id], [])
    assert obstructions.next_change(now) == row.begins_at
    assert obstructions.next_change(row.begins_at) == row.expires_at
    assert obstructions.next_change(row.expires_at) is None
    assert [obstructions.state_of(row, now + timedelta(hours=h)) for h in (0, 2, 4)] == ["coming", "now", "expired"]


def test_an_end_is_put_off_from_the_end_that_is_set_or_from_now(keeper):
    now = utcnow()
    row = obstructions.create(keeper, values(expires_at=now + timedelta(hours=2)))
    later = obstructions.extend(keeper, row.id, row.version, 3)
    assert later.expires_at == now + timedelta(hours=5)
    past = obstructions.create(keeper, values(begins_at=now - timedelta(hours=3), expires_at=now - timedelta(hours=2)))
    again = obstructions.extend(keeper, past.id, past.version, 1)
    assert timedelta(minutes=59) < again.expires_at - utcnow() <= timedelta(hours=1)


def test_ending_can_be_taken_back_and_nothing_is_lost(keeper):
    row = obstructions.create(keeper, values())
    ended = obstructions.end(keeper, row.id, row.version)
    assert obstructions.in_force(utcnow()) == []
    obstructions.end(keeper, row.id, ended.version)  # twice is once
    back = obstructions.resume(keeper, row.id, ended.version)
    assert [r.id for r in obstructions.in_force(utcnow())] == [back.id]
    acts = list(db.session.scalars(select(AuditEntry.action).where(AuditEntry.subject == f"obstruction:{row.id}")
                                   .order_by(AuditEntry.seq)))
    assert acts == ["obstruction.create", "obstruction.end", "obstruction.resume"]
    assert list(audit.verify(db.session)) == []


def test_who_comes_second_is_told_and_changes_nothing(keeper):
    row = obstructions.create(keeper, values())
    obstructions.edit(keeper, row.id, 1, {"name_zh": "新名字"})
    with pytest.raises(Conflict):
        obstructions.edit(keeper, row.id, 1, {"name_zh": "另一个"})
    district.forget()
    assert db.session.get(Obstruction, row.id).name_zh == "新名字"


# -- the field -----------------------------------------------------------------------------------------------
def test_each_change_asks_for_a_new_field_and_none_that_changes_nothing(keeper):
    def wanted() -> int:
        district.forget()
        return row.wanted if (row := wish.state()) else 0
    made = obstructions.create(keeper, values())
    assert wanted() == 1
    obstructions.edit(keeper, made.id, 1, {"name_zh": "六联路口"})
    assert wanted() == 1
    obstructions.edit(keeper, made.id, 1, {"geometry": square()})
    obstructions.end(keeper, made.id, 2)
    assert wanted() == 3


def test_a_feed_that_writes_many_and_who_changes_one_of_them_never_wait_for_each_other_for_ever(keeper, context):
    first, second = (obstructions.create(keeper, values(external_id=name)) for name in ("r-1", "r-2"))
    begun, waits, told = threading.Event(), threading.Event(), []
    seen = second.id, second.version  # what the screen showed: read later, it might be what the feed has written

    def ends_the_second():
        with context.app_context():
            begun.wait(20)
            waits.set()
            try:
                told.append(obstructions.end(None, *seen))
            except Exception as error:
                told.append(error)

    thread = threading.Thread(target=ends_the_second)
    thread.start()
    with transaction() as session:
        audit.serialise(session)
        for number, name in enumerate(("r-1", "r-2")):
            row = obstructions.by_external(name)
            obstructions.change(session, None, row, rules.check(rules.of(row) | {"name_zh": f"改{number}"}).columns)
            if not number:
                begun.set()
                assert waits.wait(20)
                until_somebody_waits_for_a_lock(str(db.engine.url.render_as_string(hide_password=False)))
    thread.join(30)
    assert [type(one) for one in told] == [Conflict]
    assert (obstructions.get(first.id).name_zh, obstructions.get(second.id).ended_at) == ("改0", None)


def test_effects_are_those_of_the_family_that_people_flee(keeper):
    now = utcnow()
    obstructions.create(keeper, values(kind="waterlogging", external_id="w"))
    obstructions.create(keeper, values(kind="construction", external_id="c"))
    obstructions.create(keeper, values(kind="fire", expires_at=now - timedelta(hours=1), begins_at=now - timedelta(hours=2)))
    seen = {family: sorted((e.effect, e.radius, e.factor) for e in obstructions.effects_for(family, utcnow()))
            for family in ("water", "quake")}
    assert seen == {"water": [("cuts", 30.0, 1.0), ("slows", 15.0, 2.0)], "quake": [("slows", 15.0, 2.0)]}


def test_lists_are_of_regions_states_kinds_and_words(keeper):
    now = utcnow()
    here = obstructions.create(keeper, values(name_zh="六联桥", kind="bridge_closed"))
    there = obstructions.create(keeper, values(geometry=point(FAR), name_en="Far road"))
    coming = obstructions.create(keeper, values(begins_at=now + timedelta(days=1)))
    over = obstructions.end(keeper, obstructions.create(keeper, values()).id, 1)

    def ids(**wanted) -> set:
        return {r.id for r in obstructions.listing(utcnow(), **wanted).rows}
    assert ids() == {here.id, there.id}
    assert ids(region_codes=[PINGSHAN]) == {here.id} == ids(kind="bridge_closed") == ids(text="六联桥")
    assert ids(state="coming") == {coming.id}
    assert ids(state="past") == {over.id} == ids(state="ended")
    assert ids(state="") == {here.id, there.id, coming.id, over.id}
    assert [r.id for r in obstructions.of_communities([FAR])] == [there.id]
    page = obstructions.listing(utcnow(), state="", limit=1, offset=1)
    assert (len(page.rows), page.total) == (1, 4)
