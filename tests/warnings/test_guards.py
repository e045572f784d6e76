"""Guards of the chain: what an update or an all-clear may not become, and who must agree to it."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.core.errors import Conflict, Forbidden, Invalid
from portal.dispatch import issue
from portal.dispatch.models import Dispatch
from portal.identity.rights import APPROVER, DRAFTER
from portal.warnings import bulletins, drafts, review
from portal.warnings.models import CANCEL, UPDATE, Draft, Warning
from tests import district

STREET = {"regions": [district.PINGSHAN], "area": None, "audiences": [], "channels": ["sms", "speakers"]}


@pytest.fixture(autouse=True)
def _regions(context):
    district.settle_regions()


def approve(account, draft):
    return issue.issue(account, draft.id, version=draft.version, content_hash=draft.content_hash)


@pytest.fixture
def people():
    return district.drafter(), district.approver()


@pytest.fixture
def red(people):
    return approve(people[1], district.submitted(people[0]))


def both(name: str, region: str, tier: str):
    return district.office(name, (DRAFTER, region, tier), (APPROVER, region, tier))


def test_a_street_officer_can_neither_update_nor_end_the_warning_of_the_district(red):
    officer = both("street", district.PINGSHAN, "red")
    for kind in (UPDATE, CANCEL):
        with pytest.raises(Forbidden):
            drafts.create(officer, district.content(kind=kind, warning_id=red.warning_id, target=STREET))


def test_nobody_lowers_a_tier_that_is_above_the_own_duty(red):
    officer = both("yellow", district.DISTRICT, "yellow")
    with pytest.raises(Forbidden):
        drafts.create(officer, district.content(kind=UPDATE, warning_id=red.warning_id, tier="yellow"))


def test_lowering_a_red_warning_needs_two_people_as_the_red_one_did(red):
    alone = both("alone", district.DISTRICT, "red")
    draft = district.submitted(alone, kind=UPDATE, warning_id=red.warning_id, tier="yellow")
    assert review.APPROVE not in review.possible_moves(alone, draft, review.current_settings())
    with pytest.raises(Forbidden):
        approve(alone, draft)
    assert approve(district.approver("second"), draft).tier == "yellow"


def test_an_all_clear_stays_one_of_the_whole_warning_when_it_is_edited(red, people):
    author, boss = people
    draft = drafts.create(author, district.content(kind=CANCEL, warning_id=red.warning_id))
    changed = district.content(kind=CANCEL, warning_id=red.warning_id, tier="yellow", hazard="11B01", target=STREET,
                               onset=utcnow() + timedelta(hours=1))
    draft = drafts.revise(author, draft.id, draft.version, changed)
    assert (draft.tier, draft.hazard, draft.onset) == ("red", "11B03", None)
    assert draft.region_codes == red.region_codes
    assert approve(boss, review.move(author, draft.id, review.SUBMIT, version=draft.version)).region_codes == red.region_codes


def test_an_update_keeps_its_hazard_when_it_is_edited(red, people):
    author, _boss = people
    draft = drafts.create(author, district.content(kind=UPDATE, warning_id=red.warning_id))
    draft = drafts.revise(
        author, draft.id, draft.version, district.content(kind=UPDATE, warning_id=red.warning_id, hazard="11B01", tier="yellow")
    )
    assert draft.hazard == "11B03"


def test_an_all_clear_written_before_an_update_is_not_issued_as_it_stands(people):
    author, boss = people
    yellow = approve(boss, district.submitted(author, tier="yellow", target=STREET))
    stale = district.submitted(author, kind=CANCEL, warning_id=yellow.warning_id)
    approve(boss, district.submitted(author, kind=UPDATE, warning_id=yellow.warning_id, tier="red"))
    with pytest.raises(Conflict):
        approve(boss, stale)
    withdrawn = review.move(author, stale.id, review.WITHDRAW, version=stale.version)
    renewed = drafts.revise(
        author, withdrawn.id, withdrawn.version, district.content(kind=CANCEL, warning_id=yellow.warning_id)
    )
    assert renewed.tier == "red"
    approve(boss, review.move(author, renewed.id, review.SUBMIT, version=renewed.version))


def test_the_all_clear_takes_every_channel_that_the_warning_took(people):
    author, boss = people
    horns = STREET | {"channels": ["speakers"]}
    alert = approve(boss, district.submitted(author, target=horns))
    approve(boss, district.submitted(author, kind=UPDATE, warning_id=alert.warning_id, target=STREET | {"channels": ["sms"]}))
    clear = approve(boss, district.submitted(author, kind=CANCEL, warning_id=alert.warning_id,
                                             target=STREET | {"channels": []}))
    channels = db.session.execute(select(Dispatch.channel).where(Dispatch.bulletin_id == clear.id)).scalars()
    assert set(channels) == {"sms", "speakers", "web"}


def test_a_warning_whose_time_is_over_is_not_brought_back_before_the_clock_has_marked_it(red, people):
    author, boss = people
    waiting = district.submitted(author, kind=CANCEL, warning_id=red.warning_id)
    with transaction() as session:
        session.get(Warning, red.warning_id).expires = utcnow() - timedelta(seconds=1)
    with pytest.raises(Conflict):
        approve(boss, waiting)
    with pytest.raises(Conflict):
        drafts.create(author, district.content(kind=UPDATE, warning_id=red.warning_id))


def test_a_draft_that_waited_past_its_end_is_refused_in_words(people):
    author, boss = people
    draft = district.submitted(author, expires=utcnow() + timedelta(minutes=5))
    with transaction() as session:
        row = session.get(Draft, draft.id)
        row.expires = utcnow() - timedelta(seconds=1)
        row.content_hash = drafts.Content.of(row).hash()
    with pytest.raises(Invalid) as error:
        approve(boss, db.session.get(Draft, draft.id))
    assert error.value.problems[0].field == "expires"


def test_an_all_clear_that_waited_longer_than_its_first_end_can_still_be_given(people):
    """The warning was prolonged meanwhile; the all-clear's own life begins at its issue."""
    author, boss = people
    alert = approve(boss, district.submitted(author))
    draft = district.submitted(author, kind=CANCEL, warning_id=alert.warning_id)
    with transaction() as session:
        row = session.get(Draft, draft.id)
        row.expires = utcnow() - timedelta(seconds=1)
        row.content_hash = drafts.Content.of(row).hash()
    clear = approve(boss, db.session.get(Draft, draft.id))
    assert clear.expires > utcnow() + timedelta(hours=2)


def test_a_reason_with_control_characters_is_refused_at_its_field(people):
    author, boss = people
    draft = district.submitted(author)
    with pytest.raises(Invalid) as error:
        review.move(boss, draft.id, review.RETURN, version=draft.version, reason="缺少\x00路线")
    assert error.value.problems[0].field == "reason"
    review.move(boss, draft.id, review.RETURN, version=draft.version, reason="第一行\r\n第二行")
    assert list(audit.verify(db.session)) == []


def test_identifiers_of_one_second_differ_whatever_order_the_database_sorts_in(people, monkeypatch):
    """In most languages' orders `_~` sorts before `_1`; PostgreSQL compares by the order of its database."""
    moment = utcnow()
    monkeypatch.setattr(issue, "utcnow", lambda: moment)
    author, boss = people
    if db.engine.dialect.name == "postgresql":
        with transaction() as session:
            session.connection().exec_driver_sql(
                'ALTER TABLE bulletin ALTER COLUMN identifier TYPE varchar(40) COLLATE "zh-x-icu"'
            )
    made = [approve(boss, district.submitted(author)) for _ in range(4)]
    assert len({b.identifier for b in made}) == 4
    assert [b.position for b in bulletins.of_warning(db.session, made[0].warning_id)] == [1]


def test_an_update_takes_every_channel_that_the_warning_took(people, red):
    aim = {"regions": [district.KENGZI], "area": None, "audiences": [], "channels": []}
    update = drafts.create(people[0], district.content(kind=UPDATE, warning_id=red.warning_id, tier="orange", target=aim))
    assert update.target["channels"] == ["sms", "speakers"]
