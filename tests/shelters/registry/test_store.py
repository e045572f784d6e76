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
