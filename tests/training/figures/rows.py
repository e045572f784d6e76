"""Rows as rooms of training leave them, without going the way through those rooms."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import insert

from portal.core.clock import utcnow
from portal.core.db import transaction
from portal.training.certificate_models import Certificate
from portal.training.exam_models import HANDED_IN, Attempt, AttemptAnswer
from portal.training.group_models import Cohort, CohortMember
from portal.training.models import Learner

_numbers = itertools.count(1)
LONG_AGO = timedelta(days=30)


def learner(**values: Any) -> int:
    """A learner whose telephone number nobody reads; the id."""
    n = next(_numbers)
    row = Learner(**({"phone_sealed": b"sealed", "phone_index": uuid.uuid4().bytes, "tail": f"{n % 10000:04d}", "language": "zh",
                      "joined_at": utcnow(), "seen_at": utcnow()} | values))
    with transaction() as session:
        session.add(row)
    return row.id


def attempts(learner_id: int, version_id: int, slug: str, sat: Sequence[Sequence[tuple[str, float, Any, list[int]]]],
             **values: Any) -> None:
    """Ended attempts; of each, its answers: question, points, what is kept as value, and the order in which was shown."""
    rows, answers, now = [], [], utcnow()
    for number, one in enumerate(sat, 1):
        made = uuid.uuid4()
        rows.append({
            "id": made, "learner_id": learner_id, "slug": slug, "version_id": version_id, "number": number, "seed": "s",
            "drawn": [[question, "m", order, []] for question, _points, _value, order in one], "started_at": now - LONG_AGO,
            "deadline_at": now - LONG_AGO, "closes_at": now - LONG_AGO, "pass_mark": 80, "live_hash": "", "generation": 1,
            "ended_at": now - LONG_AGO + timedelta(seconds=next(_numbers)), "ended_by": HANDED_IN, "out_of": len(one),
            "points": float(sum(points for _q, points, _v, _o in one)), "percent": 50, "passed": False, "modules": {},
            "counted": False} | values)
        answers += [{"attempt_id": made, "at": at, "question_id": question, "value": value, "seq": 1, "received_at": now,
                     "points": points} for at, (question, points, value, _order) in enumerate(one)]
    with transaction() as session:
        session.execute(insert(Attempt), rows)
        if answers:
            session.execute(insert(AttemptAnswer), answers)


def certificate(learner_id: int | None, version_id: int, *, slug: str = "first-responder", days: float | None = 400,
                **values: Any) -> uuid.UUID:
    """A certificate that ends in so many days (None: never); its id."""
    n, now = next(_numbers), utcnow()
    row = Certificate(**({"serial": f"T{n}", "learner_id": learner_id, "slug": slug, "version_id": version_id,
                          "issued_at": now - LONG_AGO, "valid_until": None if days is None else now + timedelta(days=days),
                          "status_index": n, "credential": "signed"} | values))
    with transaction() as session:
        session.add(row)
    return row.id


def cohort(kind: str, *learner_ids: int) -> None:
    with transaction() as session:
        made = Cohort(name=kind, kind=kind, region_code="440310001001", slug="first-responder", made_at=utcnow())
        session.add(made)
        session.flush()
        session.add_all(CohortMember(cohort_id=made.id, learner_id=one, added_at=utcnow()) for one in learner_ids)
