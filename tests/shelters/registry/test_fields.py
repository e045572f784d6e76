"""What people type into a shelter's fields: kept in one form, or refused at the field with a reason; unknown stays unknown."""

from __future__ import annotations

import pytest
from flask import Flask

from portal.core.errors import Invalid
from portal.identity.models import Account
from portal.identity.rights import SHELTERS
from portal.shelters.registry import store
from tests import district

REFUSED: list[tuple[dict, str]] = [
    ({"code": "fire"}, "code"), ({"code": "water"}, "code"), ({"code": "../x1"}, "code"), ({"code": "4.4E+11"}, "code"),
    ({"code": "a" * 41}, "code"),
    ({"name_zh": " "}, "name_zh"), ({"name_zh": "长" * 121}, "name_zh"), ({"name_en": "a\u202eb"}, "name_en"),
    ({"longitude": "114.3"}, "latitude"), ({"longitude": "x", "latitude": "22.7"}, "longitude"),
    ({"longitude": 22.7, "latitude": 114.3}, "longitude"), ({"longitude": 0, "latitude": 0}, "longitude"),
    ({"region_code": "440310001000"}, "region_code"), ({"region_code": "999999999999"}, "region_code"),
    ({"capacity_day": "12.5"}, "capacity_day"), ({"capacity_night": "-1"}, "capacity_night"), ({"area_m2": "0"}, "area_m2"),
    ({"area_m2": "1e999"}, "area_m2"), ({"step_free": "maybe"}, "step_free"), ({"level": "galaxy"}, "level"),
    ({"suitability": {"dragon": True}}, "suitability.dragon"), ({"suitability": {"fire": "perhaps"}}, "suitability.fire"),
    ({"suitability": "yes"}, "suitability"), ({"source_date": "2026-02-30"}, "source_date"),
    ({"checked_at": "yesterday"}, "checked_at"), ({"contact_phone": "call me"}, "contact_phone"),
    ({"entrances": [{"longitude": 114.3, "latitude": 22.7, "hours": "8-22"}]}, "entrances.0.hours"),
    ({"entrances": [{"longitude": 114.3, "latitude": 22.7}, {"longitude": 22.7, "latitude": 114.3}]}, "entrances.1.longitude"),
    ({"entrances": [{"name_zh": "东门", "latitude": 22.7}]}, "entrances.0.longitude"), ({"entrances": "none"}, "entrances"),
    ({"boundary": {"type": "Point", "coordinates": [114.3, 22.7]}}, "boundary"), ({"boundary": "{"}, "boundary"),
    ({"boundary": {"type": "Polygon", "coordinates": [[[114.3, 22.7], [114.31, 22.7], [114.3, 22.7]]]}}, "boundary"),
]


@pytest.fixture
def keeper(on_sqlite: Flask) -> Account:
    district.settle_regions()
    return district.office("shelters", (SHELTERS, district.DISTRICT, "red"))


def fields(error: pytest.ExceptionInfo[Invalid]) -> set[str]:
    return {problem.field for problem in error.value.problems}


def test_a_shelter_of_which_nothing_is_known_but_its_name_is_kept_and_says_unknown(keeper: Account) -> None:
    made = store.save(keeper, {"code": "A-1", "name_zh": "六联小学"}, shelter_id=None, version=None)
    district.forget()
    found = store.get(made.id)
    assert found is not None
    known = {name: value for name, value in store.values_of(found).items() if value not in (None, "", [], {}, False)}
    assert known == {"code": "A-1", "name_zh": "六联小学"}
    assert (found.step_free, found.capacity_day, found.status, found.version) == (None, None, None, 1)


def test_words_for_unknown_are_not_taken_for_values(keeper: Account) -> None:
    values = {"code": "A-1", "name_zh": "六联小学", "capacity_day": "未知", "step_free": "不明", "address_zh": "unknown",
              "level": "", "source_date": "不详", "suitability": {"flood": "yes", "fire": "未知", "heat": None, "cold": "否"}}
    made = store.save(keeper, values, shelter_id=None, version=None)
    assert (made.capacity_day, made.step_free, made.address_zh, made.level, made.source_date) == (None, None, "", None, None)
    assert made.suitability == {"flood": True, "cold": False}


def test_what_cannot_be_right_is_refused_at_its_field(keeper: Account) -> None:
    for values, field in REFUSED:
        with pytest.raises(Invalid) as error:
            store.save(keeper, {"code": "A-1", "name_zh": "六联小学"} | values, shelter_id=None, version=None)
        assert fields(error) == {field}, values
        assert all(str(problem.message) for problem in error.value.problems)
    assert store.listing() == []


def test_swapped_coordinates_are_named_with_the_right_order(keeper: Account) -> None:
    with pytest.raises(Invalid) as error:
        store.save(keeper, {"code": "A-1", "name_zh": "六联小学", "longitude": "22.69", "latitude": "114.35"},
                   shelter_id=None, version=None)
    assert "114.35" in str(error.value.problems[0].message)
    assert "22.69" in str(error.value.problems[0].message)


def test_an_outline_that_crosses_itself_is_mended_and_said_so(keeper: Account) -> None:
    bow = {"type": "Polygon", "coordinates": [[[114.35, 22.69], [114.351, 22.691], [114.351, 22.69], [114.35, 22.691],
                                               [114.35, 22.69]]]}
    values = {"code": "A-1", "name_zh": "六联小学", "boundary": bow}
    assert "114.3505" in str(store.warnings(values)[0].message)
    made = store.save(keeper, values, shelter_id=None, version=None)
    assert made.boundary is not None
    assert made.boundary["type"] == "MultiPolygon"
    again = store.save(keeper, {"boundary": made.boundary}, shelter_id=made.id, version=1)
    assert again.version == 1


def test_more_people_than_fit_is_a_warning_and_can_be_saved(keeper: Account) -> None:
    values = {"code": "A-1", "name_zh": "六联小学", "area_m2": 100, "capacity_day": 300}
    assert [w.field for w in store.warnings(values)] == ["capacity_day"]
    assert store.save(keeper, values, shelter_id=None, version=None).capacity_day == 300
