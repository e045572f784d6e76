"""People, exams and certificates by the hundred thousand, for measurements: rows as the portal would write them, in one stream.

Answers are of the course as it is: drawn from its banks, in the order that was shown, and worth what grading gives them. A few
hundred sheets of answers are made and handed out at random, so that making them takes no time beside writing them.
"""

from __future__ import annotations

import json
import random
import sqlite3
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import islice
from typing import Any

import psycopg
from sqlalchemy import make_url

from portal.core.clock import utcnow
from portal.core.db import Base, uuid7
from portal.training import grading
from portal.training.certificates import serial
from portal.training.content.values import Course, Question
from portal.training.exam_models import HANDED_IN
from portal.training.exams import answers, rules
from portal.training.exams.draw import Drawn, draw
from portal.training.group_models import KINDS
from portal.training.learners import own

SHEETS, CHUNK = 300, 20_000
#: Of all learners: who sat the exam (the rest only learn), who was assessed, who is certified; members of a cohort.
SAT, ASSESSED, CERTIFIED, MEMBERS = 0.625, 0.25, 0.2, 50


@dataclass(frozen=True)
class Sheet:
    """A sitting: what was drawn, the answers as (place, question, value, points), and what came of it."""

    drawn: str
    rows: list[tuple[int, str, str, float]]
    points: float
    percent: int
    passed: bool


@dataclass(frozen=True)
class World:
    """What the rows refer to. `session_id` and `assessor_id`: of one practical session that everybody was at."""

    course: Course
    version_id: int
    communities: list[str]
    session_id: uuid.UUID
    assessor_id: uuid.UUID


# -- a sheet of answers ------------------------------------------------------------------------------------------------------
def sheets(course: Course, count: int = SHEETS) -> list[Sheet]:
    chance = random.Random(5)  # noqa: S311  (nothing secret hangs on it)
    banks = {module.id: module.questions for module in course.modules}
    questions = {question.id: question for bank in banks.values() for question in bank}
    if course.exam is None:
        raise ValueError("the course has no exam")
    blueprint, made = course.exam.draw, []
    for n in range(count):
        drawn, ability = draw(blueprint, banks, f"sheet {n}"), chance.random()
        rows = [(at, one.id, *_answer(questions[one.id], one, ability, chance)) for at, one in enumerate(drawn)]
        points = sum(row[3] for row in rows)
        exact = Fraction(points).limit_denominator(10_000)
        percent = rules.percent(exact, len(rows))
        made.append(Sheet(json.dumps([one.stored() for one in drawn], separators=(",", ":")), rows, points, percent,
                          rules.passes(exact, len(rows), course.pass_mark)))
    return made


def _answer(question: Question, drawn: Drawn, ability: float, chance: random.Random) -> tuple[str, float]:
    """The better of some random answers for those who know much, any of them for the others, none now and then."""
    tries = [_any(question, drawn, chance) for _ in range(4)]
    worth = [float(grading.grade(question, answers.unshuffled(question, drawn, one)).points) for one in tries]
    best = max(range(4), key=worth.__getitem__) if chance.random() < ability else 0
    return ("null", 0.0) if chance.random() < 0.02 else (json.dumps(tries[best], ensure_ascii=False), worth[best])


def _any(question: Question, drawn: Drawn, chance: random.Random) -> Any:
    of, size = answers.kind(question), len(drawn.order)
    if of == answers.LINE:
        return str(chance.choice([5, 30, 100, 119, 120]))
    if of == answers.ONE:
        return chance.randrange(size)
    if of == answers.MANY:
        return sorted(chance.sample(range(size), chance.randint(1, size)))
    return chance.sample(range(size), size)


# -- rows ------------------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Table:
    name: str
    columns: str
    rows: Iterable[tuple[Any, ...]]


class Crowd:
    """The learners `first` to `last` - 1 and all that hangs on them."""

    def __init__(self, world: World, made: list[Sheet], first: int, last: int) -> None:
        self._world, self._sheets, self._people = world, made, range(first, last)
        self._now = utcnow().replace(microsecond=0)
        self._lessons = sum(1 for _lesson in world.course.lessons)
        self._attempts = {n: uuid7() for n in self._people if _among(n, SAT)}
        self._cohorts = {n: uuid7() for n in range(first, last, MEMBERS)}

    def tables(self) -> Iterator[Table]:
        """In the order in which they must be written."""
        yield Table("learner", "id phone_sealed phone_index tail name_sealed language region_code joined_at seen_at on_call_at",
                    map(self._learner, self._people))
        yield Table("enrolment", "learner_id slug version_id started_at at region_code lessons_done attempts best_percent"
                    " theory_at practical_at certified_until", map(self._enrolment, self._people))
        yield Table("exam_attempt", "id learner_id slug version_id number seed drawn started_at deadline_at closes_at pass_mark"
                    " live_hash generation ended_at ended_by points out_of percent passed modules counted forgiven",
                    map(self._attempt, self._attempts))
        yield Table("exam_answer", "attempt_id at question_id value seq received_at points", self._answers())
        yield Table("certificate", "id serial learner_id slug version_id region_code issued_at valid_until status_index"
                    " credential revoked_because", (self._certificate(n) for n in self._people if _among(n, CERTIFIED)))
        yield Table("practical_assessment", "ref session_id learner_id slug skill version_id assessor_id steps passed settles"
                    " note seen_at received_at", self._assessments())
        yield Table("cohort", "id name kind region_code slug version made_at", map(self._cohort, self._cohorts))
        yield Table("cohort_member", "cohort_id learner_id added_at", (
            (self._cohorts[n - (n - self._people.start) % MEMBERS], n, self._now) for n in self._people))

    @property
    def cohort(self) -> uuid.UUID:
        return next(iter(self._cohorts.values()))

    def _home(self, n: int) -> str:
        return self._world.communities[n * 7919 % len(self._world.communities)]

    def _sheet(self, n: int) -> Sheet:
        return self._sheets[n * 104_729 % len(self._sheets)]

    def _learner(self, n: int) -> tuple[Any, ...]:
        return (n, b"sealed", n.to_bytes(16, "big"), f"{n % 10_000:04d}", own.sealed(n, f"学员{n}"), "zh", self._home(n),
                self._now, self._now, self._now if n % 5 < 2 else None)

    def _enrolment(self, n: int) -> tuple[Any, ...]:
        sheet, sat, world = self._sheet(n), _among(n, SAT), self._world
        return (n, world.course.id, world.version_id, self._now, self._now, self._home(n), self._lessons if sat else 3, int(sat),
                sheet.percent if sat else None, self._now if sat and sheet.passed else None,
                self._now if _among(n, ASSESSED) else None, self._end(n) if _among(n, CERTIFIED) else None)

    def _attempt(self, n: int) -> tuple[Any, ...]:
        sheet, now, course = self._sheet(n), self._now, self._world.course
        return (self._attempts[n], n, course.id, self._world.version_id, 1, "seed", sheet.drawn, now, now, now, course.pass_mark,
                "", 1, now, HANDED_IN, sheet.points, len(sheet.rows), sheet.percent, sheet.passed, "{}", False, False)

    def _answers(self) -> Iterator[tuple[Any, ...]]:
        for n, attempt in self._attempts.items():
            for at, question, value, points in self._sheet(n).rows:
                yield attempt, at, question, value, 1, self._now, points

    def _certificate(self, n: int) -> tuple[Any, ...]:
        return (uuid7(), serial.new(), n, self._world.course.id, self._world.version_id, self._home(n), self._now, self._end(n),
                n, "", "")

    def _assessments(self) -> Iterator[tuple[Any, ...]]:
        world = self._world
        for n in self._people:
            for skill in world.course.checklists if _among(n, ASSESSED) else ():
                yield (f"{n}.{skill.id}"[:36], world.session_id, n, world.course.id, skill.id, world.version_id,
                       world.assessor_id, "{}", True, False, "", self._now, self._now)

    def _cohort(self, n: int) -> tuple[Any, ...]:
        kind = KINDS[n // MEMBERS % len(KINDS)]
        return self._cohorts[n], f"班组 {n}", kind, self._home(n), self._world.course.id, 1, self._now

    def _end(self, n: int) -> datetime:
        return self._now + timedelta(days=10 + n % 700)


def _among(n: int, share: float) -> bool:
    return n * 7919 % 1000 < share * 1000


# -- writing ---------------------------------------------------------------------------------------------------------------
def write(url: str, table: Table) -> int:
    """Write a table's rows in one transaction, the quickest way that the database has; how many. Columns that are not named get
    what the portal would write by itself."""
    named = table.columns.split()
    others = {column.name: column.default.arg for column in Base.metadata.tables[table.name].columns  # type: ignore[union-attr]
              if column.name not in named and column.default is not None and column.default.is_scalar}
    rest = tuple(others.values())
    return (_copied if url.startswith("postgresql") else _executed)(
        url, table.name, [*named, *others], (row + rest for row in table.rows))


def _copied(url: str, table: str, columns: list[str], rows: Iterable[tuple[Any, ...]]) -> int:
    count, stream = 0, iter(rows)
    with psycopg.connect(url.replace("+psycopg", "")) as connection, connection.cursor() as cursor:
        with cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
            while chunk := list(islice(stream, CHUNK)):
                count += len(chunk)
                copy.write("".join("\t".join(map(_text, row)) + "\n" for row in chunk))
        cursor.execute(f"ANALYZE {table}")
    return count


def _text(value: Any) -> str:
    """A value in COPY's text format."""
    if value is None:
        return "\\N"
    if isinstance(value, bytes):
        return "\\\\x" + value.hex()
    return str(value).replace("\\", "\\\\") if isinstance(value, str) else str(value)


def _executed(url: str, table: str, columns: list[str], rows: Iterable[tuple[Any, ...]]) -> int:
    connection = sqlite3.connect(make_url(url).database or "", isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        # The names are this file's own, not input.
        statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608
        connection.execute("BEGIN IMMEDIATE")
        before = connection.total_changes
        connection.executemany(statement, (tuple(map(_plain, row)) for row in rows))
        connection.execute("COMMIT")
        connection.execute(f"ANALYZE {table}")
        return connection.total_changes - before
    finally:
        connection.close()


def _plain(value: Any) -> Any:
    """A value as SQLAlchemy would write it into SQLite."""
    if isinstance(value, uuid.UUID):
        return value.hex
    return value.strftime("%Y-%m-%d %H:%M:%S.%f") if isinstance(value, datetime) else value


