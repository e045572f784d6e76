"""Only the duty of transfers over a region opens its list."""

import pytest
from flask import Flask

from portal.core.errors import Forbidden
from portal.identity.rights import ADMINISTRATOR, APPROVER, DRAFTER, SHELTERS, VIEWER
from portal.shelters.transfers import rights, store
from tests import district
from tests.shelters.transfers.people import KENGZI, LIULIAN, NEIGHBOUR, make_person, staff


@pytest.fixture
def app(desk_app: Flask) -> Flask:
    return desk_app


@pytest.mark.parametrize("role", [ADMINISTRATOR, APPROVER, DRAFTER, SHELTERS, VIEWER])
def test_no_other_office_of_the_district_sees_transfers(context, role):
    account = district.office(role, (role, district.DISTRICT, "red"))
    assert not rights.holds(account)
    assert not rights.sees(account, LIULIAN)
    assert rights.seen_of(account, [district.DISTRICT]) == []
    with pytest.raises(Forbidden):
        rights.require(account, [LIULIAN])


def test_a_community_sees_its_own_and_of_a_district_only_its_own(context):
    account = staff()
    assert rights.sees(account, LIULIAN)
    assert not rights.sees(account, NEIGHBOUR)
    assert not rights.sees(account, district.PINGSHAN)
    assert not rights.sees(account, "no code")
    assert rights.seen_of(account, [district.DISTRICT]) == [LIULIAN]


def test_figures_are_of_what_was_asked_for_and_of_nothing_else(context):
    district.settle_regions()
    make_person("a", people=3)
    make_person("b", region_code=KENGZI)
    found = store.progress([LIULIAN])
    assert [(p.region_code, p.listed, p.listed_people, p.round) for p in found] == [(LIULIAN, 1, 3, None)]
    assert store.progress([]) == []
