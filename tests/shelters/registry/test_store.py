"""The registry of shelters: saving says what is wrong at the field, and loses nothing of what another wrote."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import func, select

from portal.core import audit
from portal.core.audit import AuditEntry
from portal.core.db import db, transaction
from portal.core.errors import Conflict, Forbidden, Invalid
from portal.identity.models import Account
from portal.identity.rights import SHELTERS, TRANSFERS
from portal.regions import lookup
from portal.shelters.models import FieldWish, Shelter
from portal.shelters.registry import store
from tests import district
from tests.shelters.places import make_shelter

OTHER = "440310005001"  # a community of another street


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
def keeper(context: Flask) -> Account:
    district.settle_regions()
    return district.office("shelters", (SHELTERS, district.DISTRICT, "red"))


def add(**values: object) -> Shelter:
    with transaction() as session:
        return make_shelter(session, **values)


def fields(error: pytest.ExceptionInfo[Invalid]) -> set[str]:
    return {problem.field for problem in error.value.problems}


def wanted() -> int:
    row = db.session.get(FieldWish, 1, populate_existing=True)
    return row.wanted if row else 0


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


def test_saving_changes_only_what_is_given_and_tells_the_trail_which_fields(keeper: Account) -> None:
    shelter = add(capacity_day=300, contact_phone="0755-1234")
    before = wanted()
    saved = store.save(keeper, {"capacity_day": "350", "contact_phone": "0755-5678"}, shelter_id=shelter.id, version=1)
    assert (saved.capacity_day, saved.capacity_night, saved.version) == (350, 200, 2)
    entry = db.session.execute(select(AuditEntry).order_by(AuditEntry.seq.desc())).scalars().first()
    assert entry is not None
    assert entry.action == "shelter.change"
    assert entry.details["fields"] == ["capacity_day", "contact_phone"]
    assert (entry.details["before"], entry.details["after"]) == ({"capacity_day": 300}, {"capacity_day": 350})
    assert "5678" not in str(entry.details)
    assert wanted() == before + 1
    assert list(audit.verify(db.session)) == []


def test_saving_the_same_again_leaves_version_trail_and_field_alone(keeper: Account) -> None:
    shelter = add(boundary=None)
    before = (wanted(), db.session.execute(select(func.count()).select_from(AuditEntry)).scalar_one())
    saved = store.save(keeper, store.values_of(shelter), shelter_id=shelter.id, version=1)
    assert saved.version == 1
    assert before == (wanted(), db.session.execute(select(func.count()).select_from(AuditEntry)).scalar_one())


def test_who_saves_an_old_version_changes_nothing(keeper: Account) -> None:
    shelter = add()
    store.save(keeper, {"capacity_day": 10}, shelter_id=shelter.id, version=1)
    with pytest.raises(Conflict):
        store.save(keeper, {"capacity_day": 20}, shelter_id=shelter.id, version=1)
    with pytest.raises(Conflict):
        store.retire(keeper, shelter.id, 1)
    district.forget()
    assert store.by_ids([shelter.id])[shelter.id].capacity_day == 10


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


def test_two_shelters_never_share_a_code_and_case_does_not_tell_them_apart(keeper: Account) -> None:
    store.save(keeper, {"code": "A-1", "name_zh": "六联小学"}, shelter_id=None, version=None)
    with pytest.raises(Invalid) as error:
        store.save(keeper, {"code": "a-1", "name_zh": "六联中学"}, shelter_id=None, version=None)
    assert fields(error) == {"code"}


def test_the_community_is_found_by_the_place_when_nobody_names_it(keeper: Account) -> None:
    shelter = add(region_code=district.LIULIAN)
    west, south, east, north = lookup.box(OTHER) or pytest.fail("no box")
    place = {"longitude": (west + east) / 2, "latitude": (south + north) / 2}
    expected = lookup.at_point(place["longitude"], place["latitude"])
    made = store.save(keeper, {"code": "A-1", "name_zh": "六联小学", **place}, shelter_id=None, version=None)
    assert made.region_code == expected
    assert store.save(keeper, place, shelter_id=shelter.id, version=1).region_code == district.LIULIAN


def test_a_streets_duty_neither_makes_nor_takes_shelters_elsewhere(keeper: Account) -> None:
    street = district.office("street", (SHELTERS, district.PINGSHAN, "red"))
    elsewhere, here, nowhere = add(region_code=OTHER), add(region_code=district.LIULIAN), add(region_code=None, longitude=None)
    stranger = district.office("stranger", (TRANSFERS, district.DISTRICT, "red"))
    for attempt in (
        lambda: store.save(street, {"name_zh": "新"}, shelter_id=elsewhere.id, version=1),
        lambda: store.save(street, {"region_code": OTHER}, shelter_id=here.id, version=1),
        lambda: store.save(street, {"name_zh": "新"}, shelter_id=nowhere.id, version=1),
        lambda: store.save(street, {"code": "A-1", "name_zh": "新", "region_code": OTHER}, shelter_id=None, version=None),
        lambda: store.retire(street, elsewhere.id, 1),
        lambda: store.save(stranger, {"name_zh": "新"}, shelter_id=here.id, version=1),
    ):
        with pytest.raises(Forbidden):
            attempt()
    district.forget()
    assert {s.version for s in store.listing()} == {1}
    assert store.save(street, {"name_zh": "新"}, shelter_id=here.id, version=1).version == 2


def test_a_retired_shelter_leaves_the_lists_and_can_come_back(keeper: Account) -> None:
    shelter = add()
    retired = store.retire(keeper, shelter.id, 1)
    assert store.listing() == []
    assert store.search("避难") == []
    assert [s.id for s in store.listing(retired=True)] == [shelter.id]
    with pytest.raises(Conflict):
        store.retire(keeper, shelter.id, retired.version)
    store.restore(keeper, shelter.id, retired.version)
    assert [s.id for s in store.listing()] == [shelter.id]
    acts = list(db.session.execute(select(AuditEntry.action).order_by(AuditEntry.seq)).scalars())
    assert acts[-2:] == ["shelter.retire", "shelter.restore"]


def test_a_street_lists_the_shelters_of_its_communities_and_no_others(keeper: Account) -> None:
    here, other, nowhere = add(region_code=district.LIULIAN), add(region_code=OTHER), add(region_code=None)
    assert [s.id for s in store.listing([district.PINGSHAN])] == [here.id]
    assert {s.id for s in store.listing()} == {here.id, other.id, nowhere.id}
    assert store.listing([]) == []
    assert [s.id for s in store.search("避难", [district.KENGZI])] == [other.id]


def test_search_finds_by_code_names_pinyin_and_address_and_takes_signs_literally(keeper: Account) -> None:
    shelter = add(name_zh="六联小学", name_en="Liulian School", pinyin="liu lian xiao xue", address_zh="行政七路1号")
    add(code="OTHER-1", name_zh="别处", name_en="Elsewhere", pinyin="bie chu", address_zh="", address_en="")
    for text in (shelter.code, "六联", "liulian s", "liulianxiao", "liu lian", "行政七路"):
        assert [s.id for s in store.search(text)] == [shelter.id], text
    assert store.search("%") == store.search("") == []


def test_capacity_counts_what_is_known_and_how_much_is_not(keeper: Account) -> None:
    add(capacity_day=100, capacity_night=50, area_m2=200)
    add(capacity_day=30, capacity_night=None, area_m2=None, space="outdoor")
    add(capacity_day=None, capacity_night=None, area_m2=None)
    store.retire(keeper, add(capacity_day=999).id, 1)
    assert store.capacity_by_community([district.DISTRICT]) == {district.LIULIAN: store.Capacity(130, 50, 100, 200.0, 3, 1)}
    assert store.capacity_by_community([district.KENGZI]) == {}


def test_the_nearest_come_first_and_those_without_a_place_never(keeper: Account) -> None:
    far, close = add(longitude=114.40, latitude=22.70), add(longitude=114.351, latitude=22.69)
    add(longitude=None, latitude=None)
    assert [s.id for s in store.near(114.35, 22.69, 5)] == [close.id, far.id]
    assert [s.id for s in store.near(114.35, 22.69, 1)] == [close.id]
