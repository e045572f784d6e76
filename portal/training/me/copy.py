"""Everything that is kept of a learner, as JSON that is written while it is read: for himself, and for nobody else.

What refers to a learner is found in the tables themselves, so that no room can keep something and forget to say it. Left out
is what is no statement about somebody: sealed and hashed columns, who else was there, and what would tell the key of an exam.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from flask import current_app
from sqlalchemy import LargeBinary, Table, select

from portal.core.audit import AuditEntry
from portal.core.db import Base, db
from portal.core.phones import PhoneBook
from portal.training import courses_store
from portal.training.certificate_models import Certificate
from portal.training.certificates import issue
from portal.training.exam_models import Attempt
from portal.training.exams import attempts, rules, view
from portal.training.group_models import Cohort, CohortMember
from portal.training.learners import own
from portal.training.me import places
from portal.training.models import Learner
from portal.training.practical_models import Booking, PracticalSession

#: Columns that no copy holds: secrets, the drawing of an exam (its order tells what is right), other people, and what the page
#: of a certificate hands out as files.
LEFT_OUT = frozenset({"learner_id", "token_hash", "live_hash", "seed", "drawn", "generation", "counted", "assessor_id",
                      "credential", "status_index"})
_ROWS = 200


def chunks(learner: Learner, language: str) -> Iterator[str]:
    """The copy in pieces. Needs the request's context until the end."""
    yield '{\n"learner": ' + _json(_learner(learner))
    for name, rows in _parts(learner.id, language):
        yield f",\n{json.dumps(name)}: ["
        between = "\n"
        for row in rows:
            yield between + _json(row)
            between = ",\n"
        yield "]"
    yield "\n}\n"


def _learner(learner: Learner) -> dict[str, Any]:
    book: PhoneBook = current_app.extensions["phones"]
    return {"number": learner.id, "phone": book.open(learner.phone_sealed), "name": own.name(learner),
            "language": learner.language, "community": learner.region_code,
            "community_name": places.words(learner.region_code, learner.language), "joined_at": learner.joined_at,
            "seen_at": learner.seen_at, "may_be_called_since": learner.on_call_at}


def _parts(learner_id: int, language: str) -> Iterator[tuple[str, Iterable[dict[str, Any]]]]:
    for table in tables():
        yield table.name, _rows(table, learner_id)
    certificates = select(Certificate).where(Certificate.learner_id == learner_id).order_by(Certificate.issued_at)
    yield "names_on_certificates", ({"serial": one.serial, "name": issue.name_on(one)}
                                    for one in db.session.execute(certificates).scalars())
    yield "exam_answer", _answers(learner_id, language)
    yield "practical_session", _joined(PracticalSession, Booking.session_id, Booking.learner_id == learner_id,
                                       ("id", "slug", "place", "starts_at", "ends_at", "state"))
    yield "cohort", _joined(Cohort, CohortMember.cohort_id, CohortMember.learner_id == learner_id,
                            ("id", "name", "kind", "region_code", "slug"))
    trail = select(AuditEntry.at, AuditEntry.action).where(AuditEntry.subject == f"learner:{learner_id}").order_by(AuditEntry.seq)
    yield "trail", ({"at": at, "action": action} for at, action in db.session.execute(
        trail.execution_options(yield_per=_ROWS)))


def tables() -> list[Table]:
    """The tables that refer to learners, by name."""
    return [table for _name, table in sorted(Base.metadata.tables.items())
            if any(key.column.table.name == "learner" for key in table.foreign_keys)]


def _rows(table: Table, learner_id: int) -> Iterator[dict[str, Any]]:
    owner = next(key.parent for key in table.foreign_keys if key.column.table.name == "learner")
    columns = [column for column in table.columns if column.name not in LEFT_OUT and not isinstance(column.type, LargeBinary)]
    found = select(*columns).where(owner == learner_id).order_by(*table.primary_key.columns)
    for row in db.session.execute(found.execution_options(yield_per=_ROWS)):
        yield dict(zip((column.name for column in columns), row, strict=True))


def _joined(table: Any, key: Any, mine: Any, names: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    found = select(*(getattr(table, name) for name in names)).join_from(table, key.class_, key == table.id).where(mine)
    for row in db.session.execute(found.order_by(table.id)):
        yield dict(zip(names, row, strict=True))


def _answers(learner_id: int, language: str) -> Iterator[dict[str, Any]]:
    """What was answered in exams, in the words that were shown; points where the rules of the exam let one see them."""
    mine = select(Attempt).where(Attempt.learner_id == learner_id).order_by(Attempt.id)
    for attempt in db.session.execute(mine).scalars():
        exam = courses_store.of(attempt.version_id).exam
        told = rules.may_show_feedback(exam.feedback if exam else "never", ended=attempt.ended_at is not None,
                                       passed=attempt.passed)
        points = attempts.points(attempt.id) if told else {}
        for one in view.shown(attempt, language, attempts.kept(attempt.id)):
            yield {"attempt": attempt.id, "at": one.at + 1, "question": one.words.striptags(), "answer": _said(one),
                   "points": points.get(one.at)}


def _said(one: view.Shown) -> Any:
    lines = [str(line.striptags()) for line in one.lines]
    if one.value is None or one.kind == "line":
        return one.value
    if one.kind == "each":
        return [[line, None if chosen is None else one.others[chosen]] for line, chosen in zip(lines, one.value, strict=True)]
    return [lines[place] for place in (one.value if isinstance(one.value, list) else [one.value])]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=_written)


def _written(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, uuid.UUID):
        return str(value)
    raise TypeError(f"cannot be written: {type(value)}")
