"""The facts of paper are those of the rooms that keep them: shelters, the field's ways, obstructions, what communities know."""

from __future__ import annotations

from datetime import timedelta

import pytest

from portal.core.clock import utcnow
from portal.core.db import transaction
from portal.regions import lookup
from portal.shelters import field
from portal.shelters.field import recompute
from portal.shelters.paper import card, documents
from portal.shelters.paper.source import MOST_GOALS, Source
from portal.shelters.registry.suitability import HAZARDS
from portal.shelters.roads import obstructions
from portal.shelters.roads import store as roads
from tests import district
from tests.district import LIULIAN
from tests.shelters.grid import STEP_LAT, STEP_LON, grid
from tests.shelters.one_database import database_url  # noqa: F401  (fixture)
from tests.shelters.paper import reading
from tests.shelters.places import make_shelter

FAR = "440310005001"


@pytest.fixture
def town(town):
    """Straight streets over the community, a school, a park that no flood suits, a hall of which nobody knows anything."""
    west, south, east, north = lookup.box(LIULIAN)
    roads.save(grid(int((east - west) / STEP_LON) + 1, int((north - south) / STEP_LAT) + 1, west, south), source="test")
    x, y = (west + east) / 2, (south + north) / 2
    with transaction() as session:
        make_shelter(session, code="SCHOOL", name_zh="六联小学", name_en="Liulian School", longitude=x, latitude=y,
                     contact_phone="129 0000 0001", capacity_day=90_000, capacity_night=90_000)
        make_shelter(session, code="PARK", name_zh="六联公园", name_en="Liulian Park", space="outdoor", longitude=x + 0.003,
                     latitude=y, suitability=dict.fromkeys(HAZARDS, True) | {"flood": False})
        make_shelter(session, code="HALL", name_zh="旧礼堂", name_en="Old Hall", longitude=None, latitude=None, suitability={})
    recompute.now("test")
    return town


def facts(family: str = "water", code: str = LIULIAN):
    return Source([code], family).facts(code)


def test_ways_lead_where_the_field_leads_and_say_so_in_its_words(town):
    found, view = facts(), field.current()
    assert found.basis == "plan"
    assert found.as_of == view.made_at
    assert len(found.ways) == len(view.origins(LIULIAN))
    for way, (zh, en, node, _lon, _lat) in zip(found.ways, view.origins(LIULIAN), strict=True):
        route = view.route_from_node(node, "water.walk")
        assert (way.origin.zh, way.origin.en) == (zh, en)
        assert found.goal(way.number).code == "SCHOOL"
        assert way.words["en"] == tuple(route.words("en"))
        assert way.minutes == route.minutes
        assert way.line[-1] == pytest.approx(route.line[-1], abs=1e-5)


def test_what_is_unknown_is_never_shown_as_suitable(town):
    fits = {goal.code: goal.fits("water") for goal in facts().goals}
    assert fits == {"SCHOOL": True, "PARK": False, "HALL": None}
    assert {g.code: g.fits("quake") for g in facts("quake").goals}["PARK"] is True


def test_a_shelter_that_is_unsafe_suits_nothing(town):
    with transaction() as session:
        make_shelter(session, code="CRACKED", status="unsafe", status_at=utcnow())
    assert {g.code: g.fits("water") for g in facts().goals}["CRACKED"] is False


def test_an_obstruction_changes_the_paper_and_when_it_is_over_the_paper_is_as_before(town):
    before = facts().key
    x, y = facts().goals[0].place
    values = {"kind": "road_closed", "name_zh": "塌方", "name_en": "Collapse", "effect": "cuts", "radius": 20,
              "geometry": {"type": "Point", "coordinates": [x + 0.001, y]}, "expires_at": utcnow() + timedelta(hours=3)}
    row = obstructions.create(None, values)
    changed = facts()
    assert [b.name.zh for b in changed.blocks] == ["塌方"]
    assert changed.key != before
    assert "%%EOF" in documents.make("map", changed, "zh").pdf[-10:].decode()
    obstructions.end(None, row.id, version=row.version)
    assert facts().key == before


def test_a_community_without_streets_or_shelters_of_its_own_has_paper_too(town):
    found = facts(code=FAR)
    assert (found.goals, found.left_out) == ((), (0, 0))
    assert reading.sizes(documents.make("map", found, "en").pdf) == [reading.A4]


def test_more_shelters_than_find_room_are_counted_and_said(town):
    with transaction() as session:
        for n in range(MOST_GOALS + 3):
            make_shelter(session, code=f"MORE{n}", longitude=None, latitude=None)
    found = facts()
    assert len(found.goals) == MOST_GOALS
    assert found.left_out[0] == 6
    assert "6 more shelters are on the page." in reading.text(documents.make("map", found, "en").pdf)


def test_a_household_by_its_starting_place_gets_the_way_in_words(town):
    way = facts().ways[0]
    pdf = card.pdf(card.Household(LIULIAN, head="王无名", origin=way.origin.zh, filled=True), "en")
    text = reading.text(pdf)
    assert "Liulian School" in text
    assert "129 0000 0001" in text
    assert way.words["en"][1].split(",")[0] in text
    assert reading.sizes(pdf) == [reading.A4]


def test_a_household_by_its_own_place_and_by_a_chosen_shelter(town):
    x, y = facts().goals[0].place
    by_place = reading.text(card.pdf(card.Household(LIULIAN, place=(x + 0.002, y + 0.001), filled=True), "zh"))
    assert "六联小学" in by_place
    assert "本户门口" in by_place
    park = next(goal for goal in facts().goals if goal.code == "PARK")
    household = card.Household(LIULIAN, shelter_id=park.id, origin=facts().ways[0].origin.zh, filled=True)
    chosen = reading.text(card.pdf(household, "zh"))
    assert "六联公园" in chosen
    assert "向" not in chosen.split("怎么走")[1][:40], "the way to another shelter is not its way"


def test_a_place_without_a_way_says_stay_and_go_up(town):
    text = reading.text(card.pdf(card.Household(LIULIAN, place=(114.0, 22.0), filled=True), "en"))
    assert "No safe route: stay where you are, go up to a higher floor, call 119." in text


def test_reading_a_district_for_a_job_survives_what_the_job_writes_in_between(town):
    source = Source([LIULIAN], "water")
    first = source.facts(LIULIAN).key
    district.forget()
    assert source.facts(LIULIAN).key == first
