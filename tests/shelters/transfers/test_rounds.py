"""A round begins with everybody waiting, one in a place at a time; real ones go before drills and are never mixed with them."""

from __future__ import annotations

import threading
from contextvars import Context
from datetime import timedelta

import pytest

from portal.core.clock import utcnow
from portal.core.errors import Conflict, Forbidden, Invalid
from portal.shelters.models import ARRIVED, WAITING
from portal.shelters.transfers import entries, rounds, steps, store
from portal.shelters.transfers.rounds import Plan
from tests import district
from tests.shelters.transfers.people import KENGZI, LIULIAN, NEIGHBOUR, entry, fresh, person, seen, staff, start, trail


def test_at_the_start_everybody_concerned_waits_and_the_steps_before_stay(town):
    account = staff()
    one, slope = person(account), person(account, "T-2", families=("slope",))
    first = start(account)
    steps.record(account, [seen(one, first, ARRIVED)])
    rounds.end(account, first.id)
    second = start(account)
    assert fresh(one).state == WAITING
    assert rounds.tally(first, [LIULIAN]) == {LIULIAN: {ARRIVED: 1}}
    assert rounds.tally(second, [LIULIAN]) == {LIULIAN: {WAITING: 1}}
    assert sorted(e.state for e in steps.history(one.id)) == [ARRIVED, WAITING, WAITING]
    assert steps.history(slope.id) == []


def test_progress_counts_households_and_people_of_the_round_and_tells_who_is_late(town):
    account = staff()
    one = person(account, people=3)
    person(account, "T-2", people=4)
    person(account, "T-3", people=5, families=("slope",))
    round_ = start(account, hours=1)
    steps.record(account, [seen(one, round_, ARRIVED)])
    district.forget()
    found, = store.progress([district.PINGSHAN])
    assert (found.listed, found.listed_people, found.households, found.people) == (3, 12, 2, 7)
    assert (found.arrived, found.arrived_people, found.open, found.by_state) == (1, 3, 1, {ARRIVED: 1, WAITING: 1})
    assert not found.late(utcnow())
    assert found.late(utcnow() + timedelta(hours=2))


def test_a_real_round_ends_the_drill_that_it_meets_and_the_trail_says_why(town):
    account = staff()
    person(account)
    drill = start(account, exercise=True)
    real = start(account)
    assert [r.id for r in store.open_rounds([LIULIAN])] == [real.id]
    ended, = trail("transfer.round_end")
    assert (ended.subject, ended.details["reason"], ended.details["exercise"]) == (f"round:{drill.id}", "real_round", True)


def test_nothing_else_begins_where_a_round_is_under_way(town):
    account = staff("street", district.PINGSHAN)
    for under_way, next_one in ((True, True), (False, True), (False, False)):
        round_ = start(account, district.PINGSHAN, exercise=under_way)
        with pytest.raises(Conflict):
            start(account, LIULIAN, exercise=next_one)
        assert [r.id for r in store.open_rounds([LIULIAN])] == [round_.id]
        rounds.end(account, round_.id)


def test_drill_and_real_beside_each_other_are_counted_apart(town):
    account = staff("street", district.PINGSHAN)
    person(account)
    person(account, "T-2", region_code=NEIGHBOUR)
    start(account, LIULIAN, exercise=True)
    start(account, NEIGHBOUR)
    assert [(p.region_code, p.exercise, p.households) for p in store.progress([district.PINGSHAN])] == [
        (LIULIAN, True, 1), (NEIGHBOUR, False, 1)]


def test_a_round_needs_the_duty_over_all_its_regions(town):
    account, street = staff(), staff("street", district.PINGSHAN)
    for regions in ((LIULIAN, NEIGHBOUR), (district.PINGSHAN,)):
        with pytest.raises(Forbidden):
            start(account, *regions)
    round_ = start(street, district.PINGSHAN)
    with pytest.raises(Forbidden):
        rounds.end(account, round_.id)
    assert rounds.end(staff("kengzi", KENGZI), round_.id) is None, "strangers learn not even that there is one"
    assert rounds.get(round_.id).ended_at is None
    assert trail("transfer.round_end") == []


def at_once(app, *acts):
    """Do several things at the same moment; what each gave, or the error that it met."""
    got = []

    def do(act) -> None:
        with app.app_context():
            try:
                got.append(act())
            except Exception as error:
                got.append(error)
    threads = [threading.Thread(target=lambda act=act: Context().run(do, act)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return got


def test_of_two_who_start_at_the_same_moment_one_is_told_of_the_other(town):
    account = staff("street", district.PINGSHAN)
    person(account)
    plans = [Plan((code,), "water", False, None) for code in (LIULIAN, district.PINGSHAN)]
    got = at_once(town, *[lambda plan=plan: rounds.start(account, plan) for plan in plans])
    assert sorted(type(g).__name__ for g in got) == ["Conflict", "TransferRound"]
    district.forget()
    assert len(store.open_rounds([district.PINGSHAN])) == 1


def test_a_real_start_and_reports_of_the_drill_at_the_same_moment_neither_mix_nor_wait_for_each_other(town):
    account = staff()
    everybody = [person(account, f"T-{n}") for n in range(6)]
    drill = start(account, exercise=True)
    batches = [[seen(p, drill, ARRIVED) for p in order] for order in (everybody, everybody[::-1], everybody[2:], everybody[4:])]
    got = at_once(town, *[lambda b=b: steps.record(account, b) for b in batches],
                  lambda: rounds.start(account, Plan((LIULIAN,), "water", False, None)))
    assert [g for g in got if isinstance(g, Exception)] == []
    district.forget()
    found, = store.progress([LIULIAN])
    assert (found.exercise, found.by_state) == (False, {WAITING: 6})


def test_who_comes_onto_the_list_while_a_round_starts_is_not_left_out(town, monkeypatch):
    account, joined, started, join = staff(), threading.Event(), threading.Event(), rounds.join

    def slow(*args):
        join(*args)
        joined.set()
        started.wait(0.5)  # as long as the round waits for the list, this ends only by itself

    def begin():
        joined.wait(20)
        made = rounds.start(account, Plan((LIULIAN,), "water", False, None))
        started.set()
        return made
    monkeypatch.setattr(rounds, "join", slow)
    got = at_once(town, lambda: person(account), begin)
    assert [g for g in got if isinstance(g, Exception)] == []
    district.forget()
    found, = store.progress([LIULIAN])
    assert (found.listed, found.by_state) == (1, {WAITING: 1})


def test_a_drill_that_is_ended_by_hand_while_a_real_round_starts_stops_neither(town, monkeypatch):
    account, locked, finish = staff(), threading.Event(), rounds._end
    person(account)
    drill = start(account, exercise=True)

    def slow(session, *args, by_real=False):
        if not by_real:
            locked.set()
            threading.Event().wait(0.5)  # so that the real round meets it half-way
        finish(session, *args, by_real=by_real)

    def begin():
        locked.wait(20)
        return rounds.start(account, Plan((LIULIAN,), "water", False, None))
    monkeypatch.setattr(rounds, "_end", slow)
    got = at_once(town, lambda: rounds.end(account, drill.id), begin)
    assert [g for g in got if isinstance(g, Exception)] == []
    district.forget()
    found, = store.progress([LIULIAN])
    assert (found.exercise, found.by_state) == (False, {WAITING: 1})


def test_ending_twice_is_ending_once(town):
    account = staff()
    round_ = start(account)
    ended = rounds.end(account, round_.id).ended_at
    assert rounds.end(account, round_.id).ended_at == ended
    assert len(trail("transfer.round_end")) == 1


def test_what_a_round_cannot_be_is_said_at_its_field(town):
    account, now = staff(), utcnow()
    good = {"region_codes": (LIULIAN,), "family": "water", "exercise": False, "deadline": None, "warning_number": ""}
    for changes, field in (
            ({"region_codes": ()}, "regions"), ({"region_codes": ("440310001999",)}, "regions"),
            ({"region_codes": ("x",)}, "regions"), ({"family": "boredom"}, "family"),
            ({"deadline": now - timedelta(minutes=1)}, "deadline"), ({"deadline": now + timedelta(days=8)}, "deadline"),
            ({"warning_number": "2026-0001"}, "warning")):
        with pytest.raises(Invalid) as error:
            rounds.start(account, Plan(**(good | changes)))
        assert [p.field for p in error.value.problems] == [field], changes
    assert store.open_rounds([LIULIAN]) == []


def test_who_comes_onto_the_list_or_back_onto_it_during_a_round_waits_in_it(town):
    account = staff()
    round_ = start(account)
    new = person(account)
    assert [e.round_id for e in steps.history(new.id)] == [round_.id]
    steps.record(account, [seen(new, round_, ARRIVED)])
    entries.remove(account, new.id, new.version)
    assert store.progress([LIULIAN]) == []
    entries.restore(account, new.id, fresh(new).version)
    assert fresh(new).state == ARRIVED, "coming back is no new beginning"
    changed = entries.change(account, new.id, fresh(new).version, entry(people=5))
    assert changed is not None
    assert store.progress([LIULIAN])[0].by_state == {ARRIVED: 1}
