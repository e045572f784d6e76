"""What administrators may do, and what nobody may."""

from __future__ import annotations

import threading
import uuid

import pytest

from portal.core.db import db, transaction
from portal.core.errors import Conflict, Forbidden, Invalid
from portal.identity import accounts, listing, sign_in
from portal.identity.accounts import Grant
from portal.identity.models import Account
from portal.regions.models import Region
from tests.identity.conftest import COMMUNITY, DISTRICT, OTHER_STREET, STREET, audited, reread

WORDS = "kettle under seven pines"


@pytest.fixture
def regions(context):
    with transaction() as session:
        for code, parent, level, zh, en in [
            (DISTRICT, None, "district", "坪山区", "Pingshan District"),
            (STREET, DISTRICT, "street", "坪山街道", "Pingshan Subdistrict"),
            (OTHER_STREET, DISTRICT, "street", "坑梓街道", "Kengzi Subdistrict"),
            (COMMUNITY, STREET, "community", "六联社区", "Liulian Community"),
        ]:
            session.add(Region(code=code, parent_code=parent, level=level, name_zh=zh, name_en=en))


@pytest.fixture
def chief(regions, make_account):
    return make_account("chief", ("administrator", DISTRICT, "red"))


@pytest.fixture
def street_admin(chief, make_account):
    return make_account("street.admin", ("administrator", STREET, "orange"))


def test_an_administrator_makes_an_account_that_signs_in(chief):
    made = accounts.create(
        chief, " Duty.Room ", "坪山街道  值班室", WORDS, [Grant("drafter", STREET, "orange")]
    )
    assert (made.username, made.display_name, made.must_change_password) == (
        "duty.room",
        "坪山街道 值班室",
        True,
    )
    account, _row = sign_in.sign_in("duty.room", WORDS, "192.0.2.1")
    assert account.id == made.id
    assert audited()[0] == ("identity.create", "chief")


@pytest.mark.parametrize(
    ("username", "shown", "password", "grants", "fields"),
    [
        ("ab", "值班室", WORDS, [Grant("drafter", STREET, "red")], {"username"}),
        ("duty room", "值班室", WORDS, [Grant("drafter", STREET, "red")], {"username"}),
        ("x" * 65, "值班室", WORDS, [Grant("drafter", STREET, "red")], {"username"}),
        ("CHIEF", "值班室", WORDS, [Grant("drafter", STREET, "red")], {"username"}),
        ("room", "x", WORDS, [Grant("drafter", STREET, "red")], {"display_name"}),
        ("room", "值班\u202e室", WORDS, [Grant("drafter", STREET, "red")], {"display_name"}),
        ("room", "值班室", "password1234", [Grant("drafter", STREET, "red")], {"password"}),
        ("room", "值班室", WORDS, [], {"role"}),
        (
            "room",
            "值班室",
            WORDS,
            [Grant("king", "110000000000", "purple")],
            {"role", "region_code", "highest_tier"},
        ),
        ("room", "值班室", WORDS, [Grant("drafter", "440310999000", "red")], {"region_code"}),
        ("", "", "", [], {"username", "display_name", "password", "role"}),
    ],
)
def test_a_bad_account_is_refused_at_the_right_fields(chief, username, shown, password, grants, fields):
    with pytest.raises(Invalid) as refusal:
        accounts.create(chief, username, shown, password, grants)
    assert {p.field for p in refusal.value.problems} == fields
    assert db.session.query(Account).count() == 1


@pytest.mark.parametrize(
    "grant",
    [
        Grant("drafter", DISTRICT, "orange"),
        Grant("drafter", OTHER_STREET, "orange"),
        Grant("viewer", STREET, "red"),
        Grant("administrator", DISTRICT, "blue"),
    ],
)
def test_nobody_grants_more_than_the_own_duty(street_admin, make_account, grant):
    officer = make_account("officer", ("viewer", COMMUNITY, "blue"))
    with pytest.raises(Forbidden):
        accounts.add_duty(street_admin, officer.id, grant)
    with pytest.raises(Forbidden):
        accounts.create(street_admin, "another", "值班室", WORDS, [grant])
    accounts.add_duty(street_admin, officer.id, Grant("drafter", STREET, "orange"))
    assert len(reread(officer).duties) == 2


@pytest.mark.parametrize(
    "duties",
    [
        [("drafter", OTHER_STREET, "blue")],
        [("drafter", STREET, "blue"), ("viewer", DISTRICT, "blue")],
        [("drafter", STREET, "red")],
        [],
    ],
)
def test_an_administrator_acts_only_on_accounts_within_the_own_duty(street_admin, make_account, duties):
    stranger = make_account("stranger", *duties)
    before = [(d.role, d.region_code) for d in stranger.duties]
    for act in (
        lambda: accounts.deactivate(street_admin, stranger.id),
        lambda: accounts.unlock(street_admin, stranger.id),
        lambda: accounts.reset_password(street_admin, stranger.id, WORDS),
        lambda: accounts.add_duty(street_admin, stranger.id, Grant("viewer", STREET, "blue")),
    ):
        with pytest.raises(Forbidden):
            act()
    after = reread(stranger)
    assert after.active
    assert [(d.role, d.region_code) for d in after.duties] == before
    assert stranger.id not in {a.id for a in listing.find(street_admin).accounts}


@pytest.mark.parametrize("role", ["drafter", "approver", "viewer"])
def test_only_administrators_administer(chief, make_account, role):
    officer = make_account("officer", (role, DISTRICT, "red"))
    target = make_account("target", ("viewer", COMMUNITY, "blue"))
    with pytest.raises(Forbidden):
        accounts.deactivate(officer, target.id)
    with pytest.raises(Forbidden):
        accounts.create(officer, "another", "值班室", WORDS, [Grant("viewer", COMMUNITY, "blue")])
    assert listing.find(officer).accounts == []


def test_a_duty_that_ended_in_between_no_longer_counts(chief, make_account):
    other = make_account("other.chief", ("administrator", DISTRICT, "red"), ("viewer", DISTRICT, "red"))
    target = make_account("target", ("viewer", COMMUNITY, "blue"))
    assert listing.find(other).total == 3
    accounts.remove_duty(chief, other.id, next(d.id for d in other.duties if d.role == "administrator"))
    with pytest.raises(Forbidden):
        accounts.deactivate(other, target.id)


def test_nobody_changes_the_own_account(chief, make_account):
    make_account("other.chief", ("administrator", DISTRICT, "red"))
    for act in (
        lambda: accounts.deactivate(chief, chief.id),
        lambda: accounts.reset_password(chief, chief.id, WORDS),
        lambda: accounts.add_duty(chief, chief.id, Grant("approver", DISTRICT, "red")),
        lambda: accounts.remove_duty(chief, chief.id, chief.duties[0].id),
    ):
        with pytest.raises(Forbidden):
            act()


def test_the_last_administrator_of_the_district_stays(street_admin, chief, make_account):
    make_account("sample", ("administrator", DISTRICT, "red"), demonstration=True)
    make_account("gone", ("administrator", DISTRICT, "red"), active=False)
    with pytest.raises(Conflict):
        accounts.deactivate(None, chief.id)
    accounts.add_duty(None, chief.id, Grant("viewer", DISTRICT, "red"))
    with pytest.raises(Conflict):
        accounts.remove_duty(
            None, chief.id, next(d.id for d in reread(chief).duties if d.role == "administrator")
        )
    assert reread(chief).active
    second = make_account("second", ("administrator", DISTRICT, "red"))
    accounts.deactivate(second, chief.id)
    assert not reread(chief).active


def test_two_administrators_who_deactivate_each_other_leave_one(context, chief, make_account):
    second = make_account("second", ("administrator", DISTRICT, "red"))
    outcomes, start = [], threading.Barrier(2)

    def act(mine: uuid.UUID, theirs: uuid.UUID):
        with context.app_context():
            me = db.session.get(Account, mine)
            start.wait(timeout=20)
            try:
                accounts.deactivate(me, theirs)
                outcomes.append("done")
            except (Forbidden, Conflict):
                outcomes.append("refused")

    threads = [
        threading.Thread(target=act, args=pair) for pair in [(chief.id, second.id), (second.id, chief.id)]
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(outcomes) == ["done", "refused"]
    assert sorted([reread(chief).active, reread(second).active]) == [False, True]


def test_a_second_click_is_told_that_it_was_done_already(chief, make_account):
    officer = make_account("officer", ("viewer", STREET, "red"), ("drafter", STREET, "red"))
    duty_id = officer.duties[0].id
    accounts.remove_duty(chief, officer.id, duty_id)
    accounts.deactivate(chief, officer.id)
    for act in (
        lambda: accounts.remove_duty(chief, officer.id, duty_id),
        lambda: accounts.deactivate(chief, officer.id),
        lambda: accounts.unlock(chief, uuid.uuid4()),
    ):
        with pytest.raises(Conflict):
            act()
    with pytest.raises(Conflict):
        accounts.remove_duty(chief, officer.id, reread(officer).duties[0].id)
    accounts.reactivate(chief, officer.id)
    with pytest.raises(Conflict):
        accounts.reactivate(chief, officer.id)
    with pytest.raises(Invalid):
        accounts.add_duty(chief, officer.id, Grant("drafter", STREET, "red"))
    assert [a for a, _who in audited()] == [
        "identity.duty_remove",
        "identity.deactivate",
        "identity.reactivate",
    ]


def test_a_duty_given_again_takes_the_new_tier(chief, make_account):
    officer = make_account("officer", ("drafter", STREET, "orange"))
    accounts.add_duty(chief, officer.id, Grant("drafter", STREET, "yellow"))
    assert [d.highest_tier for d in reread(officer).duties] == ["yellow"]


def test_an_administrator_opens_a_lock(chief, make_account):
    officer = make_account("officer", ("drafter", STREET, "orange"))
    for _n in range(5):
        with pytest.raises(Invalid):
            sign_in.sign_in("officer", "a guess", "192.0.2.1")
    assert [a.username for a in listing.find(chief, state="locked").accounts] == ["officer"]
    accounts.unlock(chief, officer.id)
    assert listing.find(chief, state="locked").total == 0
    sign_in.sign_in("officer", "heron walks slowly upstream", "192.0.2.1")


def test_the_list_finds_by_both_names_and_takes_signs_literally(chief, make_account):
    make_account("officer", ("drafter", STREET, "red"), display_name="坪山街道值班室")
    make_account("gone", ("drafter", STREET, "red"), display_name="100% ready", active=False)
    names = lambda **how: [a.username for a in listing.find(chief, **how).accounts]  # noqa: E731
    assert names() == ["chief", "gone", "officer"]
    assert names(search="值班") == ["officer"]
    assert names(search="OFFICER") == ["officer"]
    assert names(search="%") == ["gone"]
    assert names(search="_") == []
    assert names(state="inactive") == ["gone"]
    assert names(state="active") == ["chief", "officer"]
    assert listing.find(chief, page=99).page == 1
