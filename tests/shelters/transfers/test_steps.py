"""Steps are kept once each, replays change nothing, contradictions are seen, and a drill stays a drill."""

from __future__ import annotations

import threading
import uuid
from contextvars import Context
from datetime import timedelta

from sqlalchemy import func, select

from portal.core.clock import utcnow
from portal.core.db import db
from portal.shelters.models import ARRIVED, CONTACTED, ON_THE_WAY, REFUSED, UNREACHABLE, WAITING, TransferEvent
from portal.shelters.transfers import entries, rounds, steps, store
from tests import district
from tests.shelters.transfers.people import KENGZI, LIULIAN, fresh, person, seen, staff, start, trail


def events(somebody) -> int:
    return db.session.scalar(select(func.count()).select_from(TransferEvent).where(TransferEvent.person_id == somebody.id))


def test_a_report_that_is_sent_again_changes_nothing(town):
    account = staff()
    somebody, round_ = person(account), start(account)
    report = seen(somebody, round_, CONTACTED)
    assert steps.record(account, [report])[0].outcome == steps.APPLIED
    before, told = events(somebody), len(trail("transfer.state"))
    again = steps.record(account, [report, report])
    assert [(r.outcome, r.state) for r in again] == [(steps.KNOWN, CONTACTED)] * 2
    assert events(somebody) == before
    assert len(trail("transfer.state")) == told


def test_a_ref_cannot_be_used_for_somebody_else(town):
    account = staff()
    one, two, round_ = person(account), person(account, "T-2"), start(account)
    report = seen(one, round_, CONTACTED)
    steps.record(account, [report])
    got, = steps.record(account, [seen(two, round_, ARRIVED, ref=report.ref)])
    assert got.outcome == steps.REFUSED
    assert fresh(two).state == WAITING


def test_the_same_report_at_the_same_moment_is_written_once(town):
    account = staff()
    somebody, round_ = person(account), start(account)
    report, got = seen(somebody, round_, CONTACTED), []

    def send() -> None:
        with town.app_context():
            got.extend(steps.record(account, [report]))
    threads = [threading.Thread(target=lambda: Context().run(send)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(r.outcome for r in got) == [steps.APPLIED] + [steps.KNOWN] * 3
    district.forget()
    assert events(somebody) == 2  # waiting, contacted


def test_the_newest_observation_wins_in_whatever_order_they_come(town):
    account = staff()
    somebody, round_ = person(account), start(account)
    at = fresh(somebody).state_at
    later = seen(somebody, round_, ON_THE_WAY, CONTACTED, at=at + timedelta(seconds=20))
    earlier = seen(somebody, round_, CONTACTED, at=at + timedelta(seconds=10))
    assert steps.record(account, [later])[0].outcome == steps.APPLIED
    assert steps.record(account, [earlier])[0] == steps.Result(earlier.ref, steps.OLDER, ON_THE_WAY)
    assert fresh(somebody).state == ON_THE_WAY


def test_two_who_contradict_are_shown_until_somebody_who_knows_settles_it(town):
    one, two = staff("one"), staff("two")
    somebody, round_ = person(one), start(one)
    at = fresh(somebody).state_at
    steps.record(one, [seen(somebody, round_, ARRIVED, at=at + timedelta(seconds=10))])
    got, = steps.record(two, [seen(somebody, round_, UNREACHABLE, at=at + timedelta(seconds=20), note="敲门无人应")])
    assert (got.outcome, got.state, got.conflict) == (steps.APPLIED, UNREACHABLE, True)
    open_, = steps.conflicts([fresh(somebody)], round_.id)[somebody.id]
    assert (open_.account, open_.state) == ("two", UNREACHABLE)
    steps.record(one, [seen(somebody, round_, ARRIVED, UNREACHABLE, at=at + timedelta(seconds=30))])
    assert steps.conflicts([fresh(somebody)], round_.id) == {}


def test_an_older_report_that_contradicts_is_a_conflict_too_and_does_not_win(town):
    one, two = staff("one"), staff("two")
    somebody, round_ = person(one), start(one)
    at = fresh(somebody).state_at
    steps.record(one, [seen(somebody, round_, CONTACTED, at=at + timedelta(seconds=20))])
    got, = steps.record(two, [seen(somebody, round_, REFUSED, at=at + timedelta(seconds=10), note="不愿离开")])
    assert (got.outcome, got.state, got.conflict) == (steps.OLDER, CONTACTED, True)
    assert fresh(somebody).id in steps.conflicts([somebody], round_.id)


def test_who_only_goes_on_from_what_another_saw_contradicts_nobody(town):
    one, two = staff("one"), staff("two")
    somebody, round_ = person(one), start(one)
    steps.record(one, [seen(somebody, round_, CONTACTED)])
    got, = steps.record(two, [seen(somebody, round_, ARRIVED)])
    assert (got.outcome, got.conflict) == (steps.APPLIED, False)


def test_what_cannot_be_a_step_is_refused_in_words_and_leaves_no_event(town):
    account = staff()
    somebody, round_ = person(account), start(account)
    for state, before, note in (
            (REFUSED, WAITING, ""), (UNREACHABLE, WAITING, "  "), (WAITING, ARRIVED, ""), (REFUSED, ARRIVED, "说不去"),
            (ARRIVED, "nowhere", ""), ("nowhere", WAITING, ""), (REFUSED, WAITING, "x" * 301),
            (REFUSED, WAITING, "打电话13800138000"), (UNREACHABLE, WAITING, "证件11010119900307123X")):
        got, = steps.record(account, [seen(somebody, round_, state, before, note=note)])
        assert got.outcome == steps.REFUSED, (state, before, note)
        assert str(got.message)
    assert events(somebody) == 1


def test_one_bad_report_stops_none_of_the_others(town):
    account = staff()
    one, two, round_ = person(account), person(account, "T-2"), start(account)
    got = steps.record(account, [seen(one, round_, REFUSED), seen(two, round_, ARRIVED)])
    assert [r.outcome for r in got] == [steps.REFUSED, steps.APPLIED]


def test_nobody_changes_whom_they_may_not_see_and_learns_nothing(town):
    account, stranger = staff(), staff("kengzi", KENGZI)
    somebody, round_ = person(account), start(account)
    strange, = steps.record(stranger, [seen(somebody, round_, ARRIVED)])
    nobody, = steps.record(stranger, [steps.Observation("r", uuid.uuid4(), round_.id, ARRIVED, WAITING, utcnow())])
    assert (strange.outcome, strange.state, str(strange.message)) == (nobody.outcome, "", str(nobody.message))
    assert fresh(somebody).state == WAITING


def test_a_clock_that_is_ahead_does_not_silence_those_who_come_later(town):
    account = staff()
    somebody, round_ = person(account), start(account)
    steps.record(account, [seen(somebody, round_, CONTACTED, at=utcnow() + timedelta(days=3))])
    assert fresh(somebody).state_at <= utcnow()
    assert steps.record(account, [seen(somebody, round_, ARRIVED, CONTACTED)])[0].outcome == steps.APPLIED


def test_what_was_seen_in_a_drill_and_comes_in_later_never_touches_the_real_round(town):
    account = staff()
    somebody, drill = person(account), start(account, exercise=True)
    late = seen(somebody, drill, ARRIVED)
    real = start(account)
    assert rounds.get(drill.id).ended_at is not None
    got, = steps.record(account, [late])
    assert (got.outcome, got.state, got.conflict) == (steps.OVER, WAITING, False)
    found, = store.progress([LIULIAN])
    assert (found.exercise, found.by_state) == (False, {WAITING: 1})
    assert rounds.tally(real, [LIULIAN]) == {LIULIAN: {WAITING: 1}}
    assert rounds.tally(drill, [LIULIAN]) == {LIULIAN: {WAITING: 1}}


def test_a_removed_person_takes_no_further_steps(town):
    account = staff()
    somebody, round_ = person(account), start(account)
    entries.remove(account, somebody.id, somebody.version)
    assert steps.record(account, [seen(somebody, round_, ARRIVED)])[0].outcome == steps.OVER
