"""Answers become figures: the same as if all were reckoned at once, each attempt exactly once."""

import random
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select

from portal.config import ROOT
from portal.core.db import db, transaction
from portal.training import courses_store
from portal.training.exam_models import Attempt
from portal.training.figures import folding
from portal.training.figures.measures import Sums
from portal.training.group_models import QuestionChoice, QuestionFigure
from tests.training.figures import rows

ASKED = ("fir-001", "fir-002", "fir-003", "fir-006")
SIZES = {"fir-001": 2, "fir-002": 2, "fir-003": 3}


def sitting(chance, ability=0.5):
    """An attempt of all questions: right with a chance that differs between people; some are left out."""
    one = []
    for question in chance.sample(ASKED, len(ASKED)):
        size = SIZES.get(question, 0)
        order = chance.sample(range(size), size)
        if chance.random() < 0.1:
            one.append((question, 0.0, None, order))
        elif question == "fir-006":
            one.append((question, float(chance.random() < ability), "12", []))
        elif question == "fir-003":
            one.append((question, chance.choice([0.0, 0.5, 1.0]), chance.sample(range(size), 2), order))
        else:
            one.append((question, float(chance.random() < ability), chance.randrange(size), order))
    return one


def many(seed, count):
    chance = random.Random(seed)
    return [sitting(chance, chance.random()) for _ in range(count)]


def reckoned(sat, question):
    """n, blank, facility and discrimination of all at once, without sums."""
    kept = [one for one in sat if any(value is not None for _q, _p, value, _o in one)]
    points = [{q: p for q, p, _v, _o in one} for one in kept]
    x = np.array([one[question] for one in points])
    y = np.array([np.mean([p for q, p in one.items() if q != question]) for one in points])
    blank = sum(value is None for one in kept for q, _p, value, _o in one if q == question)
    told = np.corrcoef(x, y)[0, 1] if len(x) > 1 and x.std() > 1e-3 and y.std() > 1e-3 else None
    return len(x), blank, x.mean() if len(x) else None, told


def figures():
    db.session.rollback()
    found = db.session.execute(select(QuestionFigure).execution_options(populate_existing=True)).scalars()
    return {one.question_id: Sums(one.n, one.blank, one.x, one.y, one.xx, one.yy, one.xy) for one in found}


def same(sat):
    kept = figures()
    for question in ASKED:
        n, blank, facility, told = reckoned(sat, question)
        one = kept.get(question, Sums())
        assert (one.n, one.blank) == (n, blank)
        assert one.facility == (None if facility is None else pytest.approx(facility))
        if told is not None:
            assert one.discrimination == pytest.approx(told, abs=1e-9)
    return kept


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), count=st.integers(1, 30), batch=st.integers(1, 15))
def test_figures_are_those_of_all_answers_reckoned_at_once(loaded, version, monkeypatch, seed, count, batch):
    monkeypatch.setattr(folding, "BATCH", batch)
    with transaction() as session:
        for table in (QuestionFigure, QuestionChoice, Attempt):
            session.execute(delete(table))
    sat = many(seed, count)
    rows.attempts(rows.learner(), version, "sample", sat)
    assert folding.fold(loaded) == count
    same(sat)
    assert folding.fold(loaded) == 0
    chosen = Counter((q, order[place]) for one in sat for q, _p, value, order in one if value is not None and q != "fir-006"
                     for place in (value if isinstance(value, list) else [value]))
    kept = db.session.execute(select(QuestionChoice.question_id, QuestionChoice.choice, QuestionChoice.n)).all()
    assert {(q, choice): n for q, choice, n in kept} == chosen


def test_what_was_left_before_anything_was_answered_says_nothing_of_the_questions(loaded, version):
    nothing = [[(q, 0.0, None, []) for q in ASKED]]
    sat = many(1, 5)
    rows.attempts(rows.learner(), version, "sample", sat + nothing * 7)
    assert folding.fold(loaded) == 12
    assert {one.n for one in same(sat).values()} == {5}


def test_an_attempt_under_way_is_not_counted(loaded, version):
    rows.attempts(rows.learner(), version, "sample", many(1, 1), ended_at=None, points=None)
    assert folding.fold(loaded) == 0
    assert figures() == {}


def test_answers_before_and_after_a_changed_key_are_kept_apart(loaded, version, change):
    rows.attempts(rows.learner(), version, "sample", many(1, 3))
    text = "id"
    for language in ("zh", "en"):
        bank = next((loaded.extensions["anlan"].content / "courses" / "sample" / "banks").glob(f"*.{language}.md"))
        text = bank.read_text(encoding="utf-8")
        at = text.index("rev: 1")
        bank.write_text(text[:at] + "rev: 2" + text[at + 6 :], encoding="utf-8")
    courses_store.sync(faulty=True)
    newer = courses_store.current("sample")[0]
    assert newer != version
    rows.attempts(rows.learner(), newer, "sample", many(2, 4))
    folding.fold(loaded)
    kept = db.session.execute(select(QuestionFigure.rev, QuestionFigure.n).where(QuestionFigure.question_id == "fir-001")).all()
    assert sorted(kept) == [(1, 3), (2, 4)]
    assert db.session.execute(select(QuestionFigure.n).where(QuestionFigure.question_id == "fir-002")).scalars().all() == [7]


def test_who_folds_is_killed_between_adding_and_marking_and_nothing_counts_twice(loaded, version, monkeypatch):
    sat = many(3, 30)
    rows.attempts(rows.learner(), version, "sample", sat)
    monkeypatch.setattr(folding, "BATCH", 10)
    real, calls = folding._add, []

    def dying(session, ids):
        real(session, ids)
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(folding, "_add", dying)
    with pytest.raises(KeyboardInterrupt):
        folding.fold(loaded)
    assert {one.n for one in figures().values()} == {10}, "the batch that was cut off left nothing"
    assert folding.fold(loaded) == 20
    same(sat)


KILLED = """
import os, sys
from portal import create_app
from portal.config import Settings
from portal.training.figures import folding
real, folding.BATCH = folding._add, 10
def dying(session, ids, calls=[]):
    real(session, ids)
    calls.append(1)
    if len(calls) == 2:
        os._exit(9)
folding._add = dying
folding.fold(create_app(Settings()))
"""


def test_a_process_that_is_killed_in_the_midst_leaves_whole_batches(loaded, version, database_url, tmp_path):
    if database_url.startswith("sqlite"):
        pytest.skip("one real kill is enough: what is promised is a transaction's, and the test above asks both databases")
    sat = many(4, 30)
    rows.attempts(rows.learner(), version, "sample", sat)
    environment = {"ANLAN_INSTANCE": str(tmp_path / "instance"), "ANLAN_DATABASE_URL": database_url, "PATH": "/usr/bin",
                   "ANLAN_SECRET_KEY": "test " * 10, "ANLAN_SURFACES": "hooks"}
    ended = subprocess.run([sys.executable, "-c", KILLED], cwd=ROOT, env=environment, check=False)
    assert ended.returncode == 9
    assert {one.n for one in figures().values()} == {10}
    assert folding.fold(loaded) == 20
    same(sat)


def test_two_who_fold_at_once_count_each_attempt_once(loaded, version, monkeypatch):
    sat = many(5, 60)
    rows.attempts(rows.learner(), version, "sample", sat)
    monkeypatch.setattr(folding, "BATCH", 5)
    begun = threading.Barrier(2)

    def work():
        begun.wait(30)
        done = 0
        with loaded.app_context():
            while db.session.scalar(select(func.count()).select_from(Attempt).where(~Attempt.counted)):
                done += folding.fold_batch()
        return done

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(lambda _n: work(), range(2))) == 60
    same(sat)


def test_what_waits_is_found_in_an_index(loaded, version):
    rows.attempts(rows.learner(), version, "sample", many(5, 30), counted=True)
    rows.attempts(rows.learner(), version, "sample", many(6, 3))
    waiting = str(select(Attempt.id).where(folding._WAITING).order_by(Attempt.ended_at).limit(10).compile(
        db.engine, compile_kwargs={"literal_binds": True}))
    postgres = db.engine.dialect.name == "postgresql"
    with db.engine.connect() as connection:
        if postgres:
            connection.exec_driver_sql("SET enable_seqscan = off")
        explained = connection.exec_driver_sql(("EXPLAIN " if postgres else "EXPLAIN QUERY PLAN ") + waiting).all()
    assert "ix_exam_attempt_uncounted" in str(explained)
