"""The field is computed once when something changed, by one process, and a failure leaves the old one."""

import subprocess
import sys
import threading
import zlib
from datetime import timedelta

import pytest
from sqlalchemy import update

from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.shelters import field
from portal.shelters.field import facts, made, recompute, store, wish
from portal.shelters.field.routes import Route
from portal.shelters.models import FieldVersion, FieldWish, Obstruction, Shelter
from portal.shelters.roads import store as roads
from tests.architecture.code import ROOT
from tests.shelters.grid import LAT0, LON0, STEP_LAT, STEP_LON, grid, node
from tests.shelters.places import make_shelter

WALK = "water.walk"


def _wish(**values):
    with transaction() as session:
        session.execute(update(FieldWish).values(**values))


def _quiet():
    """As if the last change were some seconds ago."""
    _wish(last_at=utcnow() - wish.QUIET, first_at=utcnow() - wish.QUIET)


def _status(code, **values):
    with transaction() as session:
        session.execute(update(Shelter).where(Shelter.code == code).values(**values))
        wish.ask(session, "status")


def test_a_change_is_computed_after_it_has_been_quiet_and_not_before(town):
    assert recompute.if_due(town) is False
    assert field.current() is None
    _quiet()
    assert recompute.if_due(town) is True
    assert field.current().basis(WALK) == "open"
    assert recompute.if_due(town) is False


def test_changes_that_never_stop_are_computed_nonetheless(town):
    _wish(first_at=utcnow() - wish.AT_MOST, last_at=utcnow())
    assert recompute.if_due(town) is True


def test_a_new_field_knows_the_change_and_the_old_one_is_no_longer_given(town):
    recompute.now("test")
    first = field.current()
    assert field.current() is first
    assert first.route_from_node(63, WALK).shelter_id == first.made.places[0].id
    _status("T-1", status="open", status_at=utcnow(), occupancy=0)
    recompute.now("test")
    second = field.current()
    assert second.version == first.version + 1
    assert second.route_from_node(63, WALK).shelter_id == second.made.places[1].id


def test_the_same_facts_make_no_new_version(town):
    assert recompute.now("first") is True
    assert recompute.now("again") is False
    assert len(store.recent()) == 1
    assert wish.state().done == wish.state().wanted


def test_a_full_shelter_is_no_goal_and_an_occupied_one_has_less_room(town):
    _status("T-0", status="open", status_at=utcnow(), occupancy=150)
    recompute.now("test")
    assert field.current().made.places[0].room == 50  # 200 by night, the fewer of both
    assert field.current().made.places[0].inside == 150
    _status("T-0", status="full", occupancy=200)
    recompute.now("test")
    answer = field.current().route_from_node(0, WALK)
    assert answer.reason == "no_room"
    assert answer.nearest_full.code == "T-0"


def test_unknown_suitability_is_never_a_goal(town):
    with transaction() as session:
        for row in session.query(Shelter):
            row.suitability = {"flood": True, "waterlogging": True}  # of the storm surge nobody said anything
    recompute.now("test")
    assert field.current().route_from_node(0, WALK).reason == "no_shelter"


def test_an_obstruction_counts_from_its_beginning_to_its_end_without_anybody_asking(town):
    now = utcnow()
    with transaction() as session:
        x, y = node(grid(8, 8), 9)
        session.add(Obstruction(
            kind="closed", name_zh="封路", geometry={"type": "Point", "coordinates": [x, y]}, radius=30.0, effect="cuts",
            families=[], begins_at=now + timedelta(hours=1), expires_at=now + timedelta(hours=2), source="desk", region_codes=[],
            created_by="test", created_at=now, changed_at=now))
    recompute.now("test")
    assert isinstance(field.current().route_from_node(9, WALK), Route)
    assert wish.state().next_at == now + timedelta(hours=1)
    with transaction() as session:
        session.execute(update(Obstruction).values(begins_at=now - timedelta(seconds=1)))
    _wish(next_at=now)
    assert recompute.if_due(town) is True
    assert field.current().route_from_node(9, WALK).reason == "no_way"
    assert wish.state().next_at == now + timedelta(hours=2)


def test_a_status_that_grows_stale_is_looked_at_again(town):
    until = utcnow() + timedelta(minutes=30)
    _status("T-0", status_until=until)
    recompute.now("test")
    assert wish.state().next_at == until


def test_a_failure_leaves_the_old_field_and_is_told(town, monkeypatch, caplog):
    recompute.now("test")
    before = field.current()
    _status("T-1", status="open", status_at=utcnow(), occupancy=0)

    def breaks(*_args):
        raise ZeroDivisionError("a telephone number")

    with monkeypatch.context() as broken:
        broken.setattr(recompute, "compute", breaks)
        _quiet()
        assert recompute.if_due(town) is False
    assert field.current() is before
    row = wish.state()
    assert row.error.startswith("ZeroDivisionError in breaks")
    assert "telephone" not in row.error
    assert row.wanted > row.done
    assert recompute.if_due(town) is False  # not at once again
    _wish(failed_at=utcnow() - recompute.RETRY)
    assert recompute.if_due(town) is True
    assert wish.state().error == ""


def test_one_computes_and_the_other_does_not_wait(town, monkeypatch):
    inside, go = threading.Event(), threading.Event()
    real = recompute.compute

    def slow(*args):
        inside.set()
        assert go.wait(20)
        return real(*args)

    monkeypatch.setattr(recompute, "compute", slow)
    _quiet()
    got = []
    first = threading.Thread(target=lambda: got.append(recompute.if_due(town)))
    first.start()
    assert inside.wait(20)
    assert recompute.if_due(town) is False
    _status("T-1", status="open", status_at=utcnow(), occupancy=0)  # while it is computed something changes
    go.set()
    first.join(20)
    assert got == [True]
    db.session.rollback()
    row = wish.state()
    assert row.wanted == row.done + 1
    monkeypatch.setattr(recompute, "compute", real)
    _quiet()
    assert recompute.if_due(town) is True
    assert field.current().made.places[1].state == "open"


def test_who_died_is_replaced_and_if_it_was_only_slow_its_work_is_dropped(town, monkeypatch):
    inside, go = threading.Event(), threading.Event()
    real = recompute.compute

    def slow(*args):
        inside.set()
        assert go.wait(20)
        return real(*args)

    monkeypatch.setattr(recompute, "compute", slow)
    _quiet()
    got = []
    first = threading.Thread(target=lambda: got.append(recompute.if_due(town)))
    first.start()
    assert inside.wait(20)
    monkeypatch.setattr(recompute, "compute", real)
    _wish(lease_until=utcnow() - timedelta(seconds=1))
    assert recompute.if_due(town) is True
    go.set()
    first.join(20)
    assert got == [False]
    assert len(store.recent()) == 1


TWO = """
import sys, time
from portal import create_app
from portal.config import Settings
from portal.shelters.field import recompute
app = create_app(Settings(instance=sys.argv[1], database_url=sys.argv[2], secret_key="test " * 10, phone_key="ab" * 32,
                          surfaces=["hooks"]))
print("ready", flush=True)
sys.stdin.readline()
print(recompute.if_due(app), flush=True)
"""


def test_two_processes_at_once_compute_one_version(town, database_url, tmp_path):
    _quiet()
    db.session.rollback()
    two = [subprocess.Popen([sys.executable, "-c", TWO, str(tmp_path / f"i{n}"), database_url], cwd=ROOT, text=True,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE) for n in range(2)]
    assert [p.stdout.readline() for p in two] == ["ready\n", "ready\n"]
    for process in two:
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [p.communicate(timeout=60)[0].strip() for p in two]
    assert sorted(said) == ["False", "True"]
    db.session.rollback()
    assert len(store.recent()) == 1


def _stored(**values):
    with transaction() as session:
        session.execute(update(FieldVersion).values(**values))


@pytest.mark.parametrize("values", [
    {"key": "1-0123456789abcdef"}, {"key": "0123456789abcdef" * 4}, {"data": b"cut off"}, {"data": zlib.compress(b"PK no zip")},
    {"data": None},
], ids=["older-form", "no-form-told", "damaged", "no-archive", "gone"])
def test_a_field_that_an_upgrade_left_behind_or_that_cannot_be_read_is_made_anew_though_nothing_changed(town, values):
    recompute.now("test")
    before = field.current()
    _stored(**values)
    assert recompute.if_due(town) is False  # made just now: not again and again
    _stored(made_at=utcnow() - recompute.RETRY)
    assert recompute.if_due(town) is True
    assert field.current().version == before.version + 1
    assert store.recent()[0].reason == "form"
    assert isinstance(field.current().route_from_node(0, WALK), Route)
    _stored(made_at=utcnow() - recompute.RETRY)
    assert recompute.if_due(town) is False


def test_a_field_stored_in_another_form_is_no_field_and_is_told_once(town, monkeypatch, caplog):
    recompute.now("test")
    monkeypatch.setattr(made, "FORM", made.FORM + 1)
    assert field.current() is None
    assert field.current() is None
    assert caplog.text.count("cannot be read") == 1
    _stored(made_at=utcnow() - recompute.RETRY)
    assert recompute.if_due(town) is True
    assert field.current() is not None


def test_only_the_newest_versions_keep_their_data(town):
    for number in range(5):
        _status("T-0", occupancy=number)
        recompute.now("test")
    rows = store.recent()
    assert [row.data is not None for row in rows] == [True] * store.KEPT + [False] * (5 - store.KEPT)


def test_old_versions_are_forgotten(town, monkeypatch):
    monkeypatch.setattr(store, "REMEMBERED", 2)
    for number in range(4):
        _status("T-0", occupancy=number)
        recompute.now("test")
    assert len(store.recent()) == 2


def test_asking_before_and_after_an_entry_of_the_trail_never_locks_two_writers_up(context):
    asked, appended = threading.Event(), threading.Event()
    failed = []

    def other():
        try:
            with context.app_context(), transaction() as session:
                asked.wait(20)
                audit.append(session, audit.SYSTEM, "test.act", "test:2")
                appended.set()
                wish.ask(session, "second")
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=other)
    with transaction() as session:
        wish.ask(session, "first")
        asked.set()
        thread.start()
        appended.wait(1)  # it cannot: it waits for this transaction
        audit.append(session, audit.SYSTEM, "test.act", "test:1")
    thread.join(30)
    assert failed == []
    assert wish.state().wanted == 2


def test_without_a_graph_there_is_no_field_and_no_failure(context):
    recompute.now("test")
    assert field.current() is None
    assert wish.state().error == ""


def test_a_new_graph_makes_a_new_field(town):
    recompute.now("test")
    roads.save(grid(3, 3), source="another")
    recompute.now("test")
    assert field.current().graph.nodes == 9


def test_a_shelter_far_from_every_way_is_told(town):
    with transaction() as session:
        make_shelter(session, code="T-FAR", longitude=LON0 + 50 * STEP_LON, latitude=LAT0 + 50 * STEP_LAT, status="open",
                     status_at=utcnow(), occupancy=0)
        make_shelter(session, code="T-NO", longitude=None, latitude=None)
    recompute.now("test")
    assert field.current().summary["shelters"]["far"] == ["T-FAR"]
    assert field.current().summary["shelters"]["without_door"] == ["T-NO"]


def test_the_communities_of_a_graph_that_is_gone_are_not_those_of_the_next_one(context):
    for columns in (3, 5, 4, 7, 6):  # each of the same size in memory, and so likely at the address of the one before
        graph = grid(columns, 2)
        assert len(facts._communities(graph)[0]) == graph.nodes
        assert facts._communities(graph)[0] is facts._communities(graph)[0]
        del graph


@pytest.mark.parametrize("night", [True, False, None])
def test_the_room_is_the_fewer_of_day_and_night_where_people_may_stay(context, night):
    with transaction() as session:
        row = make_shelter(session, night=night, status="standby")
        assert facts._room(row, utcnow(), "ready") == (300 if night is False else 200)
        row.capacity_day = row.capacity_night = None
        assert facts._room(row, utcnow(), "ready") is None
