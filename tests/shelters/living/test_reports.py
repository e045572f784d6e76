"""Reports: nothing is lost, nothing counts twice, and the newest observation is what is shown."""

from __future__ import annotations

import threading
import uuid
from datetime import timedelta

import pytest
import time_machine
from flask import current_app
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from portal.core.audit import AuditEntry
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.core.errors import Conflict, Invalid
from portal.shelters.living import reports
from portal.shelters.models import FieldWish, Shelter, StatusReport
from portal.shelters.registry import freshness
from tests.shelters.places import make_shelter


@pytest.fixture
def place(context):
    with transaction() as session:
        return make_shelter(session).id


def said(shelter_id, *, minutes=0, **values):
    """A report of what was seen some minutes ago, by the first keeper unless another is named."""
    values = {"ref": str(uuid.uuid4()), "source": "keeper", "keeper_id": 1, "reporter": "front door",
              "observed_at": utcnow() - timedelta(minutes=minutes)} | values
    with transaction() as session:
        return reports.report(session, shelter_id, **values)


def shown(shelter_id):
    db.session.rollback()
    return db.session.get(Shelter, shelter_id, populate_existing=True)


def test_a_report_is_the_state_of_the_shelter_and_asks_for_a_new_field(place):
    made = said(place, status="open", occupancy=12)
    shelter = shown(place)
    assert (shelter.status, shelter.occupancy, shelter.status_source) == ("open", 12, "keeper")
    assert (made.applied, made.conflict) == (True, False)
    assert db.session.get(FieldWish, 1).wanted == 1


def test_a_replayed_report_changes_nothing(place):
    ref = str(uuid.uuid4())
    first = said(place, ref=ref, status="open", minutes=10)
    said(place, status="full", minutes=5, seen_id=first.id)
    entries = db.session.execute(select(func.count()).select_from(AuditEntry)).scalar_one()
    for _ in range(3):
        assert said(place, ref=ref, status="open").id == first.id
    assert shown(place).status == "full"
    assert db.session.execute(select(func.count()).select_from(StatusReport)).scalar_one() == 2
    assert db.session.execute(select(func.count()).select_from(AuditEntry)).scalar_one() == entries


def test_a_report_that_was_taken_is_not_called_too_old_when_its_answer_was_lost_for_days(place):
    ref, at = str(uuid.uuid4()), utcnow()
    with transaction() as session:
        first = reports.report(session, place, ref=ref, status="open", observed_at=at, source="keeper", reporter="door")
    with time_machine.travel(at + timedelta(days=3)), transaction() as session:
        assert reports.report(session, place, ref=ref, status="open", observed_at=at, source="keeper", reporter="door") is first


def test_a_report_that_arrives_four_times_at_once_is_one(place):
    app, ref, gate, made = current_app._get_current_object(), str(uuid.uuid4()), threading.Barrier(4, timeout=20), []

    def arrive():
        with app.app_context():
            gate.wait()
            made.append(said(place, ref=ref, status="open").id)
    threads = [threading.Thread(target=arrive) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
    assert len(made) == 4
    assert len(set(made)) == 1
    assert len(reports.history(place)) == 1


def test_a_number_of_one_shelter_cannot_be_used_at_another(place):
    ref = str(uuid.uuid4())
    said(place, ref=ref, status="open")
    with transaction() as session:
        other = make_shelter(session).id
    with pytest.raises(Conflict):
        said(other, ref=ref, status="open")


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(range(5)))
def test_in_whatever_order_reports_come_the_newest_observation_wins(context, order):
    statuses = ["opening", "open", "nearly_full", "full", "closing"]
    with transaction() as session:
        shelter_id = make_shelter(session).id
    base = utcnow()
    for n in order:
        said(shelter_id, observed_at=base - timedelta(minutes=10 - n), status=statuses[n], occupancy=100 * n)
    assert (shown(shelter_id).status, shown(shelter_id).occupancy) == ("closing", 400)


def test_an_old_count_does_not_undo_a_newer_one_but_brings_its_newer_status(place):
    said(place, occupancy=50, minutes=5)
    made = said(place, status="open", occupancy=40, minutes=10)
    assert (shown(place).status, shown(place).occupancy, made.applied) == ("open", 50, True)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(range(4)))
def test_who_was_counted_the_last_time_takes_no_place_the_next_time_in_whatever_order_it_is_told(context, order):
    with transaction() as session:
        shelter_id = make_shelter(session, capacity_day=300, capacity_night=300).id
    told = [{"occupancy": 300}, {"status": "closed"}, {"status": "opening"}, {"status": "open"}]
    base = utcnow()
    for n in order:
        said(shelter_id, observed_at=base - timedelta(minutes=10 - n), **told[n])
    assert (shown(shelter_id).status, shown(shelter_id).occupancy) == ("open", None)
    assert freshness.free_places(shown(shelter_id), base) is None, "not known, rather than none"
    said(shelter_id, occupancy=20)
    assert freshness.free_places(shown(shelter_id), utcnow()) == 280


def test_two_staff_with_different_counts_are_a_conflict_until_somebody_who_knows_both_says(place):
    first = said(place, occupancy=100, minutes=3)
    second = said(place, occupancy=120, keeper_id=2, minutes=1)
    assert second.conflict
    assert shown(place).occupancy == 120
    (found,) = reports.conflicts()
    assert (found.report.id, found.against.id) == (second.id, first.id)
    assert reports.conflicts(["440310000000"])
    assert not reports.conflicts(["440310005000"])
    assert not reports.conflicts([])
    said(place, occupancy=118, keeper_id=1, seen_id=second.id)
    assert reports.conflicts() == []


CONTRADICTIONS = [
    ({"keeper_id": 2, "status": "full"}, True),
    ({"keeper_id": 2, "status": "open"}, False),
    ({"keeper_id": 2, "occupancy": 5}, False),
    ({"keeper_id": None, "source": "desk", "reporter": "district", "status": "full"}, True),
    ({"keeper_id": None, "source": "opening", "reporter": "district", "status": "opening"}, False),
    ({"keeper_id": None, "source": "api", "reporter": "counter", "status": "full"}, False),
    ({"keeper_id": 1, "status": "full"}, False),
    ({"keeper_id": 2, "status": "full", "exercise": True}, False),
]


def test_who_contradicts_whom(context):
    for other, conflict in CONTRADICTIONS:
        with transaction() as session:
            place = make_shelter(session).id
        said(place, status="open", minutes=1)
        assert said(place, **other).conflict is conflict, other


def test_who_has_seen_the_other_report_contradicts_nobody(place):
    first = said(place, status="open", minutes=1)
    assert not said(place, status="full", keeper_id=2, seen_id=first.id).conflict


def test_a_phone_that_was_offline_while_the_status_changed_changes_nothing_and_is_seen(place):
    first = said(place, status="open", minutes=60)
    unsafe = said(place, status="unsafe", keeper_id=2, minutes=20, seen_id=first.id)
    late = said(place, status="nearly_full", minutes=40, seen_id=first.id)
    assert shown(place).status == "unsafe"
    assert (late.applied, late.conflict) == (False, True)
    assert [c.against.id for c in reports.conflicts()] == [unsafe.id]


IMPOSSIBLE = [
    ({"status": "ajar"}, "status"), ({"occupancy": -1}, "occupancy"), ({"occupancy": 10**7}, "occupancy"), ({}, ""),
    ({"status": "open", "ref": "1"}, "ref"), ({"status": "open", "note": "x" * 301}, "note"),
    ({"status": "open", "minutes": -6}, "observed_at"), ({"status": "open", "minutes": 49 * 60}, "observed_at"),
    ({"status": "open", "valid_until": utcnow() - timedelta(hours=1)}, "valid_until"),
    ({"status": "open", "valid_until": utcnow() + timedelta(hours=80)}, "valid_until"),
]


def test_what_cannot_be_is_refused_at_its_field_and_nothing_is_kept(place):
    for wrong, field in IMPOSSIBLE:
        with pytest.raises(Invalid) as refused:
            said(place, **wrong)
        assert [p.field for p in refused.value.problems] == [field], wrong
    assert shown(place).status is None
    assert reports.history(place) == []


def test_a_clock_a_little_ahead_is_taken_for_now(place):
    made = said(place, status="open", minutes=-3)
    assert made.observed_at <= made.received_at


def test_a_drill_touches_nothing_that_the_public_sees(place):
    said(place, status="standby", occupancy=0, minutes=30)
    begun = utcnow() - timedelta(minutes=10)
    said(place, status="full", occupancy=300, exercise=True, minutes=5)
    made = said(place, status="open", occupancy=200, exercise=True, minutes=8)
    assert (shown(place).status, shown(place).occupancy) == ("standby", 0)
    assert not made.applied
    assert db.session.get(FieldWish, 1).wanted == 1
    state = reports.drill_states({place: begun})[place]
    assert (state.status, state.occupancy) == ("full", 300)
    assert [people for _at, _id, people in reports.occupancy_series([place], begun - timedelta(hours=1))] == [0]


def test_a_retired_shelter_takes_no_report(place):
    with transaction() as session:
        session.get(Shelter, place).retired_at = utcnow()
    with pytest.raises(Invalid):
        said(place, status="open")
