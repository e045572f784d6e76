"""An attempt whose marking fails: it ends for the learner, waits for its mark, and holds up nobody."""

from __future__ import annotations

import shutil

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from portal.core.db import db
from portal.doctor.findings import FAIL
from portal.doctor.training import exams as doctor
from portal.training import courses_store, grading
from portal.training.exam_models import HANDED_IN, IS_UNMARKED, TIME, UNMARKED, Attempt
from portal.training.exams import attempts, commands, marking, rules
from tests.training.exams.conftest import make_learner
from tests.training.exams.test_pages import EXAM, Phone, form_of, phone, rights  # noqa: F401  (phone: a fixture)


@pytest.fixture
def broken(monkeypatch):
    """Marking raises until it is called to mend."""
    whole = grading.grade

    def raises(*_given):
        raise ZeroDivisionError("what a question holds is not what its type says")
    monkeypatch.setattr(marking.grading, "grade", raises)
    return lambda: monkeypatch.setattr(marking.grading, "grade", whole)


def again(attempt: Attempt) -> Attempt:
    db.session.rollback()
    db.session.expire_all()
    return db.session.get(Attempt, attempt.id)


def test_whoever_hands_in_is_told_in_words_and_marked_once_the_fault_is_mended(phone, broken):  # noqa: F811
    attempt = phone.begin()
    done = phone.post("sit", form_of(attempt, rights(attempt), 5_000_000, "submit"))
    assert done.status_code == 302
    page = phone.client.get(done.headers["Location"])
    assert page.status_code == 200
    assert "尚未能评分" in page.text
    assert "None" not in page.text
    assert "上一次考试尚未能评分" in phone.get("").text
    assert phone.post("start", {"ready": "1"}).status_code == 422  # no second attempt while the first one waits
    assert marking.mark_again() == (0, 1)
    broken()
    assert marking.mark_again() == (1, 0)
    found = again(attempt)
    assert (found.ended_by, found.percent, found.passed, found.counted) == (HANDED_IN, 100, True, False)
    assert "已通过" in phone.client.get(done.headers["Location"]).text
    assert marking.mark_again() == (0, 0)


def test_the_sweep_ends_it_once_and_does_not_come_back_to_it(loaded, learner, clock, broken, monkeypatch):
    first, _secret = attempts.start(learner, "sample")
    clock.forward(minutes=21)
    assert attempts.sweep(loaded) == 1
    assert (again(first).ended_by, again(first).ended_at, again(first).percent) == (UNMARKED, first.closes_at, None)
    monkeypatch.setattr(attempts, "_end_if_over", lambda _attempt: pytest.fail("it was tried again"))
    assert attempts.sweep(loaded) == 0
    monkeypatch.undo()
    assert marking.mark_again() == (1, 0)
    assert again(first).ended_by == TIME


def test_however_many_cannot_be_ended_the_sweep_reaches_the_others(loaded, clock, monkeypatch):
    monkeypatch.setattr(attempts, "SWEPT_AT_ONCE", 2)
    made = [attempts.start(make_learner(f"{n:04}"), "sample")[0].id for n in range(5)]
    end = attempts._end_if_over

    def fails(attempt_id):
        if attempt_id in made[:4]:
            raise RuntimeError("the database will not have it")
        return end(attempt_id)
    monkeypatch.setattr(attempts, "_end_if_over", fails)
    clock.forward(minutes=21)
    assert attempts.sweep(loaded) == 1


def test_the_doctor_names_it_and_the_command_marks_it(loaded, learner, broken, monkeypatch):
    attempt, secret = attempts.start(learner, "sample")
    settings = loaded.extensions["anlan"]
    assert not [*doctor(settings)]
    attempts.submit(learner, attempt.id, secret)
    (finding,) = doctor(settings)
    assert finding.level == FAIL
    assert "anlan exams mark" in finding.mend
    db.session.rollback()
    monkeypatch.setattr("portal.config.load_settings", lambda: settings)
    assert CliRunner().invoke(commands.exams, ["mark"]).exit_code == 1
    broken()
    told = CliRunner().invoke(commands.exams, ["mark"])
    assert (told.exit_code, told.output.startswith("1 attempts were marked, 0")) == (0, True), told.output
    assert not [*doctor(settings)]


def test_one_that_waits_for_its_mark_hinders_another_but_not_whoever_passed():
    now = attempts.utcnow()
    waits, passed = rules.Past(now, now, passed=False, marked=False), rules.Past(now, now, passed=True)
    allowed = type("Exam", (), {"attempts": 3, "wait_hours": 0})
    assert rules.standing(allowed, [waits], now).hindrance == rules.UNMARKED
    assert rules.standing(allowed, [waits, passed], now).hindrance == rules.PASSED


# -- the attempt that a page names is one of the course of its address ------------------------------------------
@pytest.fixture
def another_course(loaded, content):
    """A second course with an exam, of the same questions."""
    shutil.copytree(content / "courses" / "sample", content / "courses" / "other")
    file = content / "courses" / "other" / "course.yaml"
    file.write_text(file.read_text("utf-8").replace("id: sample", "id: other", 1), "utf-8")
    courses_store.sync(faulty=True)
    return EXAM.replace("sample", "other")


def test_an_attempt_answers_only_under_the_address_of_its_course(loaded, learner, phone, another_course):  # noqa: F811
    attempt = phone.begin()
    secret = next(one for one in phone.post("start").headers.getlist("Set-Cookie") if one.startswith("anlan_exam="))
    stranger = Phone(loaded, learner)
    stranger.client.set_cookie("anlan_exam", secret.partition("=")[2].partition(";")[0], path=another_course)
    form = form_of(attempt, rights(attempt), 5_000_000, "submit")
    assert stranger.client.post(another_course + "sit", data=form).status_code == 404
    body = {"attempt": str(attempt.id), "answers": [{"at": 0, "seq": 5_000_000, "value": None}]}
    answer = stranger.client.post(another_course + "answers", json=body, headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json["state"]) == (404, "gone")
    assert stranger.client.get(f"{another_course}result/{attempt.id}/").status_code == 404
    assert (again(attempt).ended_at, attempts.kept(attempt.id)) == (None, {})


def test_asking_how_many_wait_reads_an_index_of_those_alone(loaded):
    plan = "EXPLAIN QUERY PLAN" if db.engine.dialect.name == "sqlite" else "EXPLAIN"
    if plan == "EXPLAIN":
        db.session.execute(text("SET LOCAL enable_seqscan = off"))  # the table of a test is smaller than an index
    rows = db.session.execute(text(f"{plan} SELECT count(*) FROM exam_attempt WHERE {IS_UNMARKED.text}")).all()
    assert "ix_exam_attempt_unmarked" in str(rows)
