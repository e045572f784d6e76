"""Opening shelters for a bulletin: proposed by content, done once, drills apart, and closed again after the all-clear."""

from __future__ import annotations

import threading
import uuid

import pytest
from flask import current_app
from sqlalchemy import select

from portal.channels.sms import phones
from portal.core.audit import AuditEntry
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.core.errors import Conflict, Forbidden, Invalid
from portal.identity.models import Account
from portal.identity.rights import SHELTERS, VIEWER
from portal.shelters.living import keepers, opening, reports, texts
from portal.shelters.models import Opening, Shelter, StatusReport
from portal.warnings import bulletins
from portal.warnings.models import CANCEL, Warning
from tests import district
from tests.shelters.living.conftest import OTHER, PHONE
from tests.shelters.places import make_shelter


def shown(shelter):
    db.session.rollback()
    return db.session.get(Shelter, shelter.id, populate_existing=True)


def last_id(warning_id):
    decided = opening.of_warning(warning_id)
    return decided[-1].id if decided else None


def test_a_bulletin_calls_for_suitable_shelters_of_its_regions_by_hazard_and_tier(district_, bulletin):
    with transaction() as session:
        fit = make_shelter(session)
        make_shelter(session, suitability={"typhoon": False})
        unknown = make_shelter(session, suitability={})
        make_shelter(session, region_code="440310002001")
        make_shelter(session, retired_at=utcnow())
        standing = make_shelter(session, status="open", status_at=utcnow())
        unsafe = make_shelter(session, status="unsafe", status_at=utcnow())
    call = opening.called_for(bulletin())
    assert call.family.key == "wind"
    assert [s.id for s in call.proposed] == [fit.id]
    assert [s.id for s in call.unknown] == [unknown.id]
    assert [s.id for s in call.standing] == [standing.id]
    assert [s.id for s in call.unsafe] == [unsafe.id]
    assert call.population > 0


@pytest.mark.parametrize("changes", [{"tier": "blue"}, {"hazard": "11A01", "tier": "blue"}])
def test_a_tier_whose_content_does_not_open_shelters_calls_for_none(shelter, bulletin, changes):
    assert opening.called_for(bulletin(**changes)) is None


def test_opening_is_one_step_told_in_the_trail_and_sending_it_twice_does_nothing_more(office, shelter, bulletin):
    call = bulletin()
    first = opening.open_shelters(office, call, [shelter.id])
    again = opening.open_shelters(office, call, [shelter.id])
    assert first.id == again.id
    assert (shown(shelter).status, shelter.status_source) == ("opening", "opening")
    assert [s.id for s in opening.open_now_for(call.warning_id)] == [shelter.id]
    assert len(db.session.execute(select(Opening)).scalars().all()) == 1
    assert len(db.session.execute(select(StatusReport)).scalars().all()) == 1
    acts = db.session.execute(select(AuditEntry.action)).scalars().all()
    assert acts.count("opening.opened") == 1


def test_of_two_operators_at_once_one_opens_and_the_other_is_told(office, shelter, bulletin):
    other, call = district.office("night", (SHELTERS, district.DISTRICT, "red")), bulletin()
    with transaction() as session:
        second = make_shelter(session)
    app, done, gate = current_app._get_current_object(), [], threading.Barrier(2, timeout=20)
    ids = {office.id: [shelter.id], other.id: [shelter.id, second.id]}

    def decide(account_id, bulletin_id):
        with app.app_context():
            account, its = db.session.get(Account, account_id), bulletins.get(bulletin_id)
            gate.wait()
            try:
                done.append(opening.open_shelters(account, its, ids[account_id]).decided_by)
            except Conflict:
                done.append("conflict")
    both = [threading.Thread(target=decide, args=(a.id, call.id)) for a in (office, other)]
    for one in both:
        one.start()
    for one in both:
        one.join(60)
    db.session.rollback()
    assert sorted(done)[0] == "conflict"
    assert len(opening.of_warning(call.warning_id)) == 1
    assert sorted(done)[1] == opening.of_warning(call.warning_id)[0].decided_by


def test_who_has_seen_the_first_decision_may_open_more(office, shelter, bulletin):
    with transaction() as session:
        second = make_shelter(session)
    call = bulletin()
    first = opening.open_shelters(office, call, [shelter.id])
    with pytest.raises(Conflict):
        opening.open_shelters(office, call, [second.id])
    opening.open_shelters(office, call, [second.id], seen=first.id)
    assert {s.id for s in opening.open_now_for(call.warning_id)} == {shelter.id, second.id}


@pytest.mark.parametrize("status", ["open", "nearly_full", "full"])
def test_where_keepers_were_quicker_their_state_and_count_stay(office, shelter, bulletin, status):
    with transaction() as session:
        reports.report(session, shelter.id, ref=str(uuid.uuid4()), status=status, occupancy=150, observed_at=utcnow(),
                       source="keeper", reporter="Front door", keeper_id=1)
    opening.open_shelters(office, bulletin(), [shelter.id])
    assert (shown(shelter).status, shown(shelter).occupancy) == (status, 150)


def test_a_duty_opens_in_its_own_region_only_and_others_nothing(office, shelter, bulletin):
    call = bulletin()
    elsewhere = district.office("kengzi", (SHELTERS, district.KENGZI, "red"))
    viewer = district.office("viewer", (VIEWER, district.DISTRICT, "red"))
    for account in (elsewhere, viewer):
        with pytest.raises(Forbidden):
            opening.open_shelters(account, call, [shelter.id])
        with pytest.raises(Forbidden):
            opening.decline(account, call, "not needed")
    assert shown(shelter).status is None
    assert opening.of_warning(call.warning_id) == []


def test_declining_needs_a_reason_and_is_kept(office, bulletin):
    call = bulletin()
    with pytest.raises(Invalid):
        opening.decline(office, call, "  ")
    made = opening.decline(office, call, "The typhoon turned away")
    assert opening.decline(office, call, "The typhoon turned away").id == made.id
    assert opening.of_warning(call.warning_id)[0].reason == "The typhoon turned away"


def test_what_became_unsafe_or_left_the_register_is_not_opened(office, shelter, bulletin):
    call = bulletin()
    with transaction() as session:
        session.get(Shelter, shelter.id).status = "unsafe"
    with pytest.raises(Conflict):
        opening.open_shelters(office, call, [shelter.id])
    with pytest.raises(Invalid):
        opening.open_shelters(office, call, [])
    with pytest.raises(Conflict):
        opening.open_shelters(office, call, [999_999])
    assert opening.of_warning(call.warning_id) == []


def end(warning_id):
    with transaction() as session:
        session.get(Warning, warning_id).state = "cancelled"


def test_after_the_all_clear_all_are_closed_but_what_another_warning_holds(office, shelter, bulletin):
    with transaction() as session:
        second = make_shelter(session)
    one, two = bulletin(), bulletin(hazard="11B01")
    opening.open_shelters(office, one, [shelter.id, second.id])
    opening.open_shelters(office, two, [second.id])
    end(one.warning_id)
    with pytest.raises(Conflict):
        opening.open_shelters(office, one, [shelter.id], seen=last_id(one.warning_id))
    made = opening.close_for(office, one.warning_id, seen=last_id(one.warning_id))
    assert made.shelter_ids == [shelter.id]
    assert (shown(shelter).status, shown(second).status) == ("closing", "opening")
    with pytest.raises(Invalid):
        opening.close_for(office, one.warning_id, seen=made.id)


def test_a_street_closes_its_own_and_leaves_the_rest_open(office, shelter, bulletin):
    with transaction() as session:
        outside = make_shelter(session, region_code="440310005001")
    call = bulletin()
    made = opening.open_shelters(office, call, [shelter.id, outside.id])
    end(call.warning_id)
    street = district.office("street", (SHELTERS, district.PINGSHAN, "red"))
    closed = opening.close_for(street, call.warning_id, seen=made.id)
    assert closed.shelter_ids == [shelter.id]
    assert (shown(shelter).status, shown(outside).status) == ("closing", "opening")
    with pytest.raises(Invalid):
        opening.close_for(street, call.warning_id, seen=closed.id)
    assert opening.close_for(office, call.warning_id, seen=closed.id).shelter_ids == [outside.id]


def test_a_drill_opens_nothing_that_the_public_sees(office, shelter, bulletin):
    drill = bulletin(exercise=True)
    opening.open_shelters(office, drill, [shelter.id])
    assert shown(shelter).status is None
    assert opening.drills_of([shelter.id])[shelter.id].exercise
    opening.open_shelters(office, bulletin(), [shelter.id])
    assert opening.drills_of([shelter.id]) == {}, "what is real goes before a drill"
    assert shown(shelter).status == "opening"


def test_a_drill_leaves_alone_what_is_in_real_use(office, shelter, bulletin):
    with transaction() as session:
        session.get(Shelter, shelter.id).status = "open"
    drill = bulletin(exercise=True)
    call = opening.called_for(drill)
    assert ([s.id for s in call.busy], call.proposed, call.standing) == ([shelter.id], [], [])
    with pytest.raises(Conflict):
        opening.open_shelters(office, drill, [shelter.id])


def received(number):
    return [one.body for one in phones.page(phones.Filter(digits=number))[0]]


def test_keepers_are_told_once_in_their_language_and_a_drill_says_so(office, shelter, bulletin):
    keepers.add(office, shelter.id, phone=PHONE, post="Front door", language="en")
    keepers.add(office, shelter.id, phone=OTHER, post="后门", language="zh")
    made = opening.open_shelters(office, bulletin(), [shelter.id])
    assert texts.told(made).state == "none"
    assert texts.tell(office, made).sent == 2
    assert texts.tell(office, made).sent == 2
    assert [len(received(n)) for n in (PHONE, OTHER)] == [1, 1]
    assert "/staff/" in received(PHONE)[0]
    assert received(OTHER)[0].startswith("【坪山应急】台风红色预警")
    with transaction() as session:
        session.get(Shelter, shelter.id).status = "standby"
    drill = opening.open_shelters(office, bulletin(exercise=True), [shelter.id])
    texts.tell(office, drill)
    assert received(PHONE)[0].startswith("DRILL")
    assert "演练" in received(OTHER)[0]


class Down:
    def send(self, body, messages, **_more):
        raise ConnectionError(messages[0].to)


def test_a_carrier_that_is_down_is_shown_and_only_those_not_reached_are_told_again(office, shelter, bulletin, caplog):
    kept = keepers.add(office, shelter.id, phone=PHONE, post="Front door", language="en")
    made = opening.open_shelters(office, bulletin(), [shelter.id])
    current_app.extensions["sms_aside"] = Down()
    told = texts.tell(office, made)
    assert (told.state, told.sent, told.failed) == ("done", 0, (kept.id,))
    assert PHONE[-8:] not in caplog.text
    del current_app.extensions["sms_aside"]
    assert texts.tell(office, made).sent == 0, "not by itself"
    assert texts.tell(office, made, again=True).sent == 1
    assert texts.tell(office, made, again=True).sent == 1
    assert len(received(PHONE)) == 1


def test_a_street_tells_its_own_keepers_again_and_no_others(office, shelter, bulletin):
    with transaction() as session:
        outside = make_shelter(session, region_code="440310005001")
    for place, number in ((shelter, PHONE), (outside, OTHER)):
        keepers.add(office, place.id, phone=number, post="Front door", language="en")
    call = bulletin()
    made = opening.open_shelters(office, call, [shelter.id, outside.id])
    street = district.office("street", (SHELTERS, district.PINGSHAN, "red"))
    told = texts.tell(street, made)
    (other,) = keepers.listing(outside.id)
    assert (told.sent, told.failed) == (1, (other.id,))
    assert texts.tell(street, made, again=True).failed == (other.id,)
    done = texts.tell(office, made, again=True)
    assert (done.sent, done.failed) == (2, ())


def test_who_is_beyond_what_is_told_at_once_is_counted(office, shelter, bulletin, monkeypatch):
    monkeypatch.setattr(texts, "MOST", 1)
    for n in range(4):
        keepers.add(office, shelter.id, phone=f"+861290000000{n}", post="Front door", language="en")
    told = texts.tell(office, opening.open_shelters(office, bulletin(), [shelter.id]))
    assert (told.sent, told.left_out) == (1, 3)


def test_neither_phones_nor_names_are_in_the_trail(office, shelter, bulletin):
    keepers.add(office, shelter.id, phone=PHONE, post="Front door", language="en")
    texts.tell(office, opening.open_shelters(office, bulletin(), [shelter.id]))
    entries = db.session.execute(select(AuditEntry.details)).scalars().all()
    assert PHONE[-8:] not in repr(entries)


def test_an_all_clear_calls_for_no_shelters(bulletin, shelter):
    made = bulletin()
    cleared = bulletin(kind=CANCEL, warning_id=made.warning_id, target={
        "regions": [district.PINGSHAN, district.KENGZI], "area": None, "audiences": [], "channels": ["sms", "speakers"]})
    assert opening.called_for(cleared) is None
    assert reports.history(shelter.id) == []
