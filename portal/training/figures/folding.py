"""Folding: the answers of exams that have ended are added to the figures of their questions, each attempt exactly once.

An attempt is marked as counted in the transaction that adds its answers, and one process folds at a time: whoever is killed in
between has done nothing, and whoever comes later finds what is left. The sums of a batch are made by the database; only what an
answer's question was called in its version of the course is looked up here.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from flask import Flask
from sqlalchemy import Float, String, bindparam, case, cast, func, select, text, update
from sqlalchemy.orm import Session

from portal.core.db import db, insert_into, transaction
from portal.training import courses_store
from portal.training.content.values import Choice, Hotspot, Question
from portal.training.exam_models import Attempt, AttemptAnswer
from portal.training.figures.measures import Sums
from portal.training.group_models import QuestionChoice, QuestionFigure

#: Attempts of one transaction: with 50 questions each, 25,000 answers, half a second.
BATCH = 500
#: Transactions of one run: what is left waits for the next one.
MOST_BATCHES = 100
#: Any number that only this folding uses.
_LOCK = 0x6974656D
#: The condition of the index, word for word: SQLite takes it for no other.
_WAITING = text("NOT counted AND ended_at IS NOT NULL")
_SUMS = ("blank", "x", "y", "xx", "yy", "xy")

#: Each answer that names one place of those shown, or a list of them, as places of the bank, counted. What was drawn is taken
#: apart once for each attempt, not once for each answer.
_CHOICES = {
    "postgresql": """
        SELECT a.slug, a.version_id, q.question_id, CAST(d.item -> 2 -> CAST(p.place #>> '{}' AS integer) AS integer), count(*)
        FROM exam_attempt a CROSS JOIN LATERAL jsonb_array_elements(a.drawn) WITH ORDINALITY d(item, nth)
        JOIN exam_answer q ON q.attempt_id = a.id AND q.at = d.nth - 1 CROSS JOIN LATERAL jsonb_array_elements(
            CASE jsonb_typeof(q.value) WHEN 'array' THEN q.value WHEN 'number' THEN jsonb_build_array(q.value) END) p(place)
        WHERE a.id IN :ids AND q.attempt_id IN :ids AND q.question_id IN :asked GROUP BY 1, 2, 3, 4""",
    "sqlite": """
        SELECT a.slug, a.version_id, q.question_id, json_extract(d.value, '$[2][' || p.value || ']'), count(*)
        FROM exam_attempt a JOIN json_each(a.drawn) d JOIN exam_answer q ON q.attempt_id = a.id AND q.at = d.key
        JOIN json_each(q.value) p
        WHERE a.id IN :ids AND q.question_id IN :asked AND p.type = 'integer' GROUP BY 1, 2, 3, 4""",
}


def fold(app: Flask) -> int:
    """Fold what waits, at most :data:`MOST_BATCHES` batches; how many attempts."""
    done = 0
    with app.app_context():
        for _batch in range(MOST_BATCHES):
            folded = fold_batch()
            done += folded
            if folded < BATCH:
                break
    return done


def fold_batch() -> int:
    """Fold one batch, the oldest first; how many attempts. 0 also where another process is folding."""
    if db.session.execute(select(Attempt.id).where(_WAITING).limit(1)).first() is None:
        db.session.rollback()
        return 0
    with transaction() as session:
        if session.get_bind().dialect.name == "postgresql" and not session.scalar(select(func.pg_try_advisory_xact_lock(_LOCK))):
            return 0
        ids = list(session.execute(select(Attempt.id).where(_WAITING).order_by(Attempt.ended_at).limit(BATCH)
                                   .with_for_update(skip_locked=True)).scalars())
        if ids:
            _add(session, ids)
            session.execute(update(Attempt).where(Attempt.id.in_(ids)).values(counted=True)
                            .execution_options(synchronize_session=False))
        return len(ids)


def _add(session: Session, ids: Sequence[uuid.UUID]) -> None:
    sums: defaultdict[tuple[str, str, int], Sums] = defaultdict(Sums)
    asked = dict[tuple[int, str], Question]()
    for slug, version_id, question_id, n, *raw in session.execute(_summed(ids)).all():
        question = _questions(version_id).get(question_id)
        if question is not None:
            asked[version_id, question_id] = question
            sums[slug, question_id, question.rev] += centred(n, *raw)
    if sums:
        write_sums(session, sums)
        _add_choices(session, ids, asked)


def centred(n: int, blank: int, x: float, y: float, xx: float, yy: float, xy: float) -> Sums:
    """The sums of a batch from its raw sums of squares: n is small in a batch, so that nothing is lost yet."""
    return Sums(n, blank, x, y, max(0.0, xx - x * x / n), max(0.0, yy - y * y / n), xy - x * y / n)


def _questions(version_id: int) -> dict[str, Question]:
    return {question.id: question for module in courses_store.of(version_id).modules for question in module.questions}


def _summed(ids: Sequence[uuid.UUID]) -> Any:
    """The raw sums of these attempts by question and version, without those that were left before anything was answered."""
    answer = AttemptAnswer
    blank = func.coalesce(cast(answer.value, String), "null") == "null"
    x = cast(func.coalesce(answer.points, 0.0), Float)
    others = case((Attempt.out_of > 1, Attempt.out_of - 1), else_=1)
    y = case((Attempt.out_of > 1, (Attempt.points - x) / others), else_=0.0)
    begun = select(answer.attempt_id).where(answer.attempt_id.in_(ids), ~blank).distinct()
    return (
        select(Attempt.slug, Attempt.version_id, answer.question_id, func.count(), func.sum(case((blank, 1), else_=0)),
               func.sum(x), func.sum(y), func.sum(x * x), func.sum(y * y), func.sum(x * y))
        .join(answer, answer.attempt_id == Attempt.id)
        .where(Attempt.id.in_(ids), Attempt.points.is_not(None), Attempt.id.in_(begun))
        .group_by(Attempt.slug, Attempt.version_id, answer.question_id))


def write_sums(session: Session, sums: Mapping[tuple[str, str, int], Sums]) -> None:
    """Add to the figures, by the same rule as :meth:`Sums.__add__`; in the order of the key, as whoever else might write."""
    keys = ("slug", "question_id", "rev")
    rows = [dict(zip(keys, key, strict=True)) | {"n": one.n} | {name: getattr(one, name) for name in _SUMS}
            for key, one in sorted(sums.items())]
    insert = insert_into(session, QuestionFigure)
    new, old = insert.excluded, QuestionFigure
    dx, dy = old.x / old.n - new.x / new.n, old.y / old.n - new.y / new.n
    weight = cast(old.n, Float) * new.n / (old.n + new.n)
    added = {name: getattr(old, name) + new[name] for name in ("n", "blank", "x", "y")}
    added |= {"xx": old.xx + new.xx + dx * dx * weight, "yy": old.yy + new.yy + dy * dy * weight,
              "xy": old.xy + new.xy + dx * dy * weight}
    session.execute(insert.on_conflict_do_update(index_elements=keys, set_=added), rows)


def _add_choices(session: Session, ids: Sequence[uuid.UUID], asked: dict[tuple[int, str], Question]) -> None:
    """Add up what was chosen where something was to be chosen."""
    options = {question_id for (_version, question_id), one in asked.items() if isinstance(one, Choice | Hotspot)}
    if not options:
        return
    kind = session.get_bind().dialect.name
    chosen = text(_CHOICES[kind]).bindparams(bindparam("ids", expanding=True, type_=Attempt.id.type),
                                             bindparam("asked", expanding=True))
    counts: defaultdict[tuple[str, str, int, int], int] = defaultdict(int)
    for slug, version_id, question_id, choice, n in session.execute(chosen, {"ids": list(ids), "asked": sorted(options)}).all():
        question = asked.get((version_id, question_id))
        if choice is not None and isinstance(question, Choice | Hotspot):
            counts[slug, question_id, question.rev, choice] += n
    write_choices(session, counts)


def write_choices(session: Session, counts: Mapping[tuple[str, str, int, int], int]) -> None:
    """Add to how often was chosen what, by course, question, key and place in the bank."""
    keys = ("slug", "question_id", "rev", "choice")
    rows = [dict(zip(keys, key, strict=True)) | {"n": n} for key, n in sorted(counts.items())]
    if rows:
        insert = insert_into(session, QuestionChoice)
        session.execute(insert.on_conflict_do_update(index_elements=keys, set_={"n": QuestionChoice.n + insert.excluded.n}), rows)

