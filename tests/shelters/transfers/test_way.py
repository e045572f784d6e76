"""Where somebody is to go: what the list names, else the nearest suitable one, and never a guess."""

from __future__ import annotations

import re

import lxml.html
import pytest
from flask import Flask

from portal import current_settings
from portal.core.clock import local, utcnow
from portal.core.db import transaction
from portal.regions import lookup
from portal.shelters.field import recompute
from portal.shelters.roads import store as roads
from portal.shelters.transfers import way
from tests.shelters.grid import STEP_LAT, STEP_LON, grid
from tests.shelters.places import make_shelter
from tests.shelters.transfers.people import HELPER_PHONE, LIULIAN, make_person, staff, start
from tests.shelters.transfers.people import person as listed

HOME = {"longitude": 114.3270, "latitude": 22.7129}


@pytest.fixture
def app(desk_app: Flask) -> Flask:
    return desk_app


@pytest.fixture
def streets(town):
    """A grid of streets over the community, an open shelter nearby and another farther off."""
    west, south, east, north = lookup.box(LIULIAN)
    roads.save(grid(int((east - west) / STEP_LON) + 1, int((north - south) / STEP_LAT) + 1, west, south), source="test")
    with transaction() as session:
        near = make_shelter(session, code="NEAR", name_zh="近处小学", name_en="Near School", status="open", capacity_day=900,
                            capacity_night=900, status_at=utcnow(), longitude=114.3300, latitude=22.7150)
        far = make_shelter(session, code="FAR", name_zh="远处中学", name_en="Far School", status="open", capacity_day=900,
                           capacity_night=900, status_at=utcnow(), longitude=114.3340, latitude=22.7190)
        session.flush()
        ids = near.id, far.id
    recompute.now("test")
    return ids


def goal(person, **more):
    return way.goals([person], "water", "en", **more)[person.id]


def test_who_is_sent_nowhere_in_particular_goes_to_the_nearest_suitable_one(streets):
    near, _far = streets
    found = goal(make_person(**HOME), with_steps=True)
    assert (found.shelter.id, found.named, found.takes_people, found.why) == (near, False, True, "")
    assert found.minutes >= 1
    assert any("Near School" in line for line in found.steps)
    assert goal(make_person("T-2", **HOME)).steps == (), "lists need no words of the way"


def test_the_list_says_the_minutes_that_the_way_in_words_says(streets):
    for step in range(6):
        person = make_person(f"T-{step}", **HOME | {"longitude": HOME["longitude"] + step * 0.0004})
        found = goal(person, with_steps=True)
        assert f"{found.minutes} minutes on foot" in " ".join(found.steps)


def test_what_the_list_names_counts_and_the_nearest_is_told_beside_it(streets):
    near, far = streets
    found = goal(make_person(**HOME, shelter_id=far), with_steps=True)
    assert (found.shelter.id, found.named, found.minutes, found.steps) == (far, True, None, ())
    assert found.why
    by_car = goal(make_person("T-2", **HOME, shelter_id=near, means="car"), with_steps=True)
    assert (by_car.shelter.id, by_car.minutes, by_car.steps) == (near, None, ())


def test_wheels_take_the_way_without_steps(streets):
    assert way.layer_of(make_person(needs=["wheelchair"]), "water") == "water.step_free"
    assert way.layer_of(make_person("T-2", means="wheelchair"), "slope") == "slope.step_free"
    assert way.layer_of(make_person("T-3", means="carried"), "wind") == "wind.walk"


def test_what_is_not_known_is_said_and_no_shelter_is_made_up(streets):
    for person in (make_person(), make_person("T-2", longitude=10.0, latitude=50.0), make_person("T-3", **HOME, shelter_id=999)):
        found = goal(person, with_steps=True)
        assert found.shelter is None
        assert found.why


def test_without_a_field_nothing_is_promised(town):
    found = goal(make_person(**HOME))
    assert (found.shelter, found.minutes) == (None, None)
    assert found.why


def test_the_list_the_entry_and_the_paper_say_by_whom_which_way_to_which_shelter_and_by_when(streets, seat):
    account = staff()
    somebody, round_ = listed(account, **HOME, means="foot", needs=()), start(account)
    here = seat(account)
    page_of_list = lxml.html.fromstring(here.get(f"/desk/transfers/{LIULIAN}/").text)
    row = " ".join(page_of_list.get_element_by_id(f"p-{somebody.id}").text_content().split())
    assert "Helper: 网格员" in row
    assert "To Near School" in row
    assert "min on foot" in row
    entry = lxml.html.fromstring(here.get(f"/desk/transfers/person/{somebody.id}/").text)
    told = [step.text_content() for step in entry.xpath("//ol[@class='t-way']/li")]
    assert told == list(goal(somebody, with_steps=True).steps) != []
    assert "网格员" in entry.text_content()
    printed = f"/desk/transfers/{LIULIAN}/print"
    paper = here.post(printed, printed, reason="to go from door to door", do="print").text
    for words in ("网格员", HELPER_PHONE, "To Near School", told[0]):
        assert words in paper
    due = local(round_.deadline, current_settings().timezone)
    for page in (page_of_list.text_content(), entry.text_content(), paper):
        assert re.search(rf"until {due.day} {due:%b}( \d{{4}})? {due:%H:%M}", page)
