"""How learners stand in the practical skills of a course: :mod:`portal.training.assessing.rules` over what is stored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from sqlalchemy import select

from portal.core.db import db
from portal.training import courses_store
from portal.training.assessing import rules
from portal.training.assessing.rules import Say, SkillState
from portal.training.content.values import Course
from portal.training.practical_models import Assessment

#: Learners asked for in one query.
_AT_ONCE = 500


def skills(learner_id: int, slug: str) -> dict[str, SkillState]:
    """Each practical skill of the course as it is now, in its order; empty for a course without any, or that is not loaded."""
    return next(states_of(slug, [learner_id]))[1]


def passed_at(learner_id: int, slug: str) -> datetime | None:
    """Since when all practical skills of the course are passed; None where one is not, or where the course has none."""
    return rules.passed_at(skills(learner_id, slug))


def states_of(slug: str, learner_ids: Iterable[int]) -> Iterator[tuple[int, dict[str, SkillState]]]:
    """The same of many learners, each with his skills, in the order of `learner_ids`; one indexed query for each 500."""
    loaded = courses_store.current(slug)
    return states_in(loaded[1], learner_ids) if loaded else ((one, {}) for one in learner_ids)


def states_in(course: Course, learner_ids: Iterable[int]) -> Iterator[tuple[int, dict[str, SkillState]]]:
    """As :func:`states_of`, for who holds the course already."""
    names, ids = [checklist.id for checklist in course.checklists], list(learner_ids)
    for start in range(0, len(ids), _AT_ONCE):
        some = ids[start:start + _AT_ONCE]
        says = _says(course.id, some) if names else {}
        for learner_id in some:
            mine = says.get(learner_id, {})
            yield learner_id, {name: rules.state(mine.get(name, ())) for name in names}


def passed_at_of(course: Course, learner_ids: Iterable[int]) -> dict[int, datetime]:
    """Learner → since when all skills are passed, of those who passed them all."""
    found = ((learner_id, rules.passed_at(states)) for learner_id, states in states_in(course, learner_ids))
    return {learner_id: moment for learner_id, moment in found if moment is not None}


def _says(slug: str, learner_ids: Sequence[int]) -> dict[int, dict[str, list[Say]]]:
    columns = (Assessment.learner_id, Assessment.skill, Assessment.id, Assessment.session_id, Assessment.assessor_id,
               Assessment.passed, Assessment.settles, Assessment.seen_at)
    rows = select(*columns).where(Assessment.learner_id.in_(learner_ids), Assessment.slug == slug)
    found: dict[int, dict[str, list[Say]]] = {}
    for row in db.session.execute(rows):
        say = Say(row.id, row.session_id, row.assessor_id, row.passed, row.settles, row.seen_at)
        found.setdefault(row.learner_id, {}).setdefault(row.skill, []).append(say)
    return found
