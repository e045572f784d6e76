"""Attempts on both databases: one at a time, nothing lost, nothing overwritten by what is older, ended by the server's clock."""

from __future__ import annotations

import threading
import uuid

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.core.errors import Invalid
from portal.training import courses_store
from portal.training.content.values import Choice, Hotspot, Matching, Numeric, Ordering, ShortText
from portal.training.exam_models import HANDED_IN, TIME, Attempt, AttemptAnswer
from portal.training.exams import answers, attempts
from portal.training.exams.attempts import Said
from portal.training.models import LearnerSession
from tests.training.exams.conftest import make_learner
from tests.waiting import until_somebody_waits_for_a_lock


def right(question, drawn):
    """The right answer in places as shown."""
    if isinstance(question, Choice):
        places = [at for at, n in enumerate(drawn.order) if question.options[n].right]
        return places if question.type == "multiple" else places[0]
    if isinstance(question, Hotspot):
        places = [at for at, n in enumerate(drawn.order) if question.areas[n].right]
        return places if len(places) > 1 else places[0]
    if isinstance(question, Ordering):
        return list(drawn.order)
    if isinstance(question, Matching):
        return [drawn.other.index(n) for n in drawn.order]
    return str(question.value) if isinstance(question, Numeric) else question.accept.zh[0]


def all_right(attempt):
    return [Said(at, 5_000_000 + at, right(q, d)) for at, (d, q) in enumerate(attempts.questions(attempt))]


def line_at(attempt):
    """A place where a text is typed; the sample draws 5 of 8, so there may be none."""
    return next((at for at, (_d, q) in enumerate(attempts.questions(attempt)) if isinstance(q, Numeric | ShortText)), None)


@pytest.fixture
def typed(learner, monkeypatch):
    """An attempt with a question at which anything may be typed, and its place."""
    monkeypatch.setattr(attempts.secrets, "token_hex", lambda _n: "a seed")
    attempt, secret = attempts.start(learner, "sample")
    at = line_at(attempt)
    assert at is not None
    return attempt, secret, at


def test_all_right_is_full_marks_and_a_pass_and_nothing_answered_is_neither(learner, clock):
    attempt, secret = attempts.start(learner, "sample")
    attempts.save(learner, attempt.id, secret, all_right(attempt))
    done = attempts.submit(learner, attempt.id, secret)
    assert (done.percent, done.passed, done.ended_by, done.modules) == (100, True, HANDED_IN, {"fire": [5.0, 5]})
    other = make_learner("0002")
    attempt, secret = attempts.start(other, "sample")
    done = attempts.submit(other, attempt.id, secret)
    assert (done.percent, done.passed) == (0, False)
    rows = db.session.query(AttemptAnswer).filter_by(attempt_id=attempt.id).all()
    assert [(row.value, row.points) for row in rows] == [(None, 0.0)] * 5


def test_a_second_start_goes_on_with_the_same_attempt_and_the_first_device_is_told(learner):
    first, old = attempts.start(learner, "sample")
    second, new = attempts.start(learner, "sample")
    assert second.id == first.id
    with pytest.raises(attempts.Elsewhere):
        attempts.save(learner, first.id, old, [Said(0, 9_000_000, None)])
    with pytest.raises(attempts.Elsewhere):
        attempts.submit(learner, first.id, old)
    assert attempts.kept(first.id) == {}
    attempts.submit(learner, first.id, new)


def test_two_devices_that_start_at_once_have_one_attempt(loaded, learner):
    found, barrier = [], threading.Barrier(4)

    def begin():
        with loaded.app_context():
            barrier.wait()
            found.append(attempts.start(learner, "sample")[0].id)
    threads = [threading.Thread(target=begin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1
    assert db.session.query(Attempt).count() == 1


def test_a_start_and_a_sign_in_of_the_same_learner_do_not_wait_for_each_other(loaded, learner):
    found = []

    def begin():
        with loaded.app_context():
            found.append(attempts.start(learner, "sample")[0].id)
    thread = threading.Thread(target=begin)
    with transaction() as session:
        audit.serialise(session)  # as the door does before it makes a session
        thread.start()
        thread.join(0.5)
        session.add(LearnerSession(token_hash="x" * 64, learner_id=learner, started_at=utcnow(), expires_at=utcnow()))
        session.flush()
    thread.join()
    assert len(found) == 1


def test_saving_again_changes_nothing_and_an_older_count_never_overwrites_a_newer(learner, typed):
    attempt, secret, at = typed
    attempts.save(learner, attempt.id, secret, [Said(at, 10, "new")])
    assert attempts.save(learner, attempt.id, secret, [Said(at, 9, "old")]).kept[at] == attempts.Kept("new", 10)
    assert attempts.save(learner, attempt.id, secret, [Said(at, 10, "other")]).kept[at] == attempts.Kept("new", 10)
    assert attempts.save(learner, attempt.id, secret, [Said(at, 12, "last"), Said(at, 11, "middle")]).kept[at].value == "last"
    assert attempts.save(learner, attempt.id, secret, [Said(at, 13, None)]).kept[at] == attempts.Kept(None, 13)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.permutations(range(6)), st.lists(st.integers(0, 5), max_size=4), st.integers(1, 6))
def test_whatever_the_order_and_however_often_the_newest_count_stays(learner, typed, order, again, batch):
    attempt, secret, at = typed
    db.session.rollback()
    base = max([0, *(one.seq for one in attempts.kept(attempt.id).values())]) + 1
    sent = [*order, *again]
    for start in range(0, len(sent), batch):
        said = [Said(at, base + n, f"answer {base + n}") for n in sent[start:start + batch]]
        attempts.save(learner, attempt.id, secret, said)
    assert attempts.kept(attempt.id)[at] == attempts.Kept(f"answer {base + 5}", base + 5)


def test_a_device_that_took_over_outranks_what_the_other_left_unsent(learner, typed):
    attempt, _secret, at = typed
    attempt, second = attempts.start(learner, "sample")
    seq = attempts.next_seq(attempt, attempts.kept(attempt.id))
    attempts.save(learner, attempt.id, second, [Said(at, seq, "second device")])
    _attempt, third = attempts.start(learner, "sample")
    late = attempts.GENERATION + 77  # what the first device had typed without a network
    assert attempts.save(learner, attempt.id, third, [Said(at, late, "first device")]).kept[at].value == "second device"


def test_the_clock_of_the_server_takes_answers_within_the_grace_and_none_after_it(learner, typed, clock):
    attempt, secret, at = typed
    clock.forward(minutes=20, seconds=25)
    attempts.save(learner, attempt.id, secret, [Said(at, 10, "within the grace")])
    clock.forward(seconds=6)
    with pytest.raises(attempts.Over, match=r"grace|宽限"):
        attempts.save(learner, attempt.id, secret, [Said(at, 11, "too late")])
    assert attempts.kept(attempt.id)[at].value == "within the grace"
    done = attempts.mine(learner, attempt.id)
    assert (done.ended_by, done.ended_at) == (TIME, done.closes_at)
    with pytest.raises(attempts.Over):
        attempts.submit(learner, attempt.id, secret)


def test_an_answer_that_comes_while_another_process_ends_the_attempt_is_refused_and_changes_no_mark(loaded, learner):
    attempt, secret = attempts.start(learner, "sample")
    attempt_id, refused = attempt.id, []

    def answer():
        with loaded.app_context(), pytest.raises(attempts.Over):
            attempts.save(learner, attempt_id, secret, said)
        refused.append(True)
    said = all_right(attempt)
    with transaction() as session:
        attempts.marking.end(session, attempts._locked(session, attempt_id), HANDED_IN, utcnow())
        session.flush()
        thread = threading.Thread(target=answer)
        thread.start()
        until_somebody_waits_for_a_lock(str(db.engine.url.render_as_string(hide_password=False)))
    thread.join()
    assert refused == [True]
    assert {one.value for one in attempts.kept(attempt_id).values()} == {None}


def test_an_attempt_is_handed_in_once(learner):
    attempt, secret = attempts.start(learner, "sample")
    done = attempts.submit(learner, attempt.id, secret)
    with pytest.raises(attempts.Over):
        attempts.submit(learner, attempt.id, secret, all_right(attempt))
    assert attempts.mine(learner, attempt.id).percent == done.percent == 0


def test_what_nobody_handed_in_is_ended_by_the_sweep_with_what_was_saved(loaded, learner, clock):
    attempt, secret = attempts.start(learner, "sample")
    attempts.save(learner, attempt.id, secret, all_right(attempt))
    assert attempts.sweep(loaded) == 0
    clock.forward(minutes=21)
    assert (attempts.sweep(loaded), attempts.sweep(loaded)) == (1, 0)
    db.session.rollback()
    db.session.expire_all()
    done = attempts.mine(learner, attempt.id)
    assert (done.ended_by, done.percent, done.passed) == (TIME, 100, True)


def test_attempts_are_limited_and_one_waits_between_them(learner, clock):
    for number in (1, 2, 3):
        attempt, secret = attempts.start(learner, "sample")
        assert attempt.number == number
        attempts.submit(learner, attempt.id, secret)
        with pytest.raises(Invalid):
            attempts.start(learner, "sample")
        clock.forward(hours=25)
    with pytest.raises(Invalid):
        attempts.start(learner, "sample")


def test_what_no_database_can_hold_of_a_text_is_left_out(learner, typed):
    attempt, secret, at = typed
    assert attempts.save(learner, attempt.id, secret, [Said(at, 10, "a\0b\ud800c")]).kept[at].value == "abc"
    db.session.expire_all()
    assert attempts.kept(attempt.id)[at].value == "abc"


def test_a_bank_that_is_edited_meanwhile_changes_nothing_in_the_attempt(learner, change):
    attempt, secret = attempts.start(learner, "sample")
    before = attempts.questions(attempt)
    change("banks/fire.zh.md", "火场里**最先**要防什么？", "火场里最后才要防什么？")
    (one,) = courses_store.sync(faulty=True)
    assert one.new
    assert attempts.questions(attempt) == before
    attempts.save(learner, attempt.id, secret, all_right(attempt))
    assert attempts.submit(learner, attempt.id, secret).percent == 100
    assert attempts.start(make_learner("0003"), "sample")[0].version_id == one.version_id


def test_nobody_answers_in_the_attempt_of_another(learner):
    attempt, secret = attempts.start(learner, "sample")
    stranger = make_learner("0004")
    with pytest.raises(LookupError):
        attempts.save(stranger, attempt.id, secret, [])
    with pytest.raises(LookupError):
        attempts.submit(learner, uuid.uuid4(), secret)
    assert attempts.mine(stranger, attempt.id) is None


@pytest.mark.parametrize("said", [Said(99, 1, None), Said(-1, 1, None), Said(0, 0, None), Said(0, 2**60, None),
                                  Said(0, 1, {"a": 1}), Said(0, 1, [[1]]), Said(0, 1, True), Said(0, 1, 99)])
def test_what_no_page_sends_is_refused_whole(learner, said):
    attempt, secret = attempts.start(learner, "sample")
    with pytest.raises(answers.Malformed):
        attempts.save(learner, attempt.id, secret, [Said(1, 1, None), said])
    assert attempts.kept(attempt.id) == {}


def test_beginning_and_end_stand_in_the_trail_without_a_person(learner):
    attempt, secret = attempts.start(learner, "sample")
    attempts.submit(learner, attempt.id, secret)
    entries = db.session.query(audit.AuditEntry).filter_by(subject=f"exam:{attempt.id}").all()
    assert [one.action for one in entries] == ["exam.start", "exam.end"]
    assert {one.actor for one in entries} == {f"learner {learner}"}
