"""A cohort's list of people as it goes out: names and phones opened, some hundreds at a time."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from flask import current_app
from sqlalchemy import select

from portal.core.db import db
from portal.core.phones import PhoneBook
from portal.training.group_models import CohortMember
from portal.training.learners import own
from portal.training.models import Learner

_AT_ONCE = 500


def rows(cohort_id: uuid.UUID) -> Iterator[tuple[str, str, str, str]]:
    """Name, phone, number, community of each member, as an import takes them. Callers have written the look into the trail."""
    book: PhoneBook = current_app.extensions["phones"]
    last = 0
    while True:
        found = db.session.execute(select(Learner, CohortMember.number).join(
            CohortMember, CohortMember.learner_id == Learner.id).where(
            CohortMember.cohort_id == cohort_id, CohortMember.learner_id > last).order_by(CohortMember.learner_id).limit(
            _AT_ONCE)).all()
        made = [(own.name(learner) or "", book.open(learner.phone_sealed).removeprefix("+86"), number or "",
                 learner.region_code or "") for learner, number in found]
        last = found[-1][0].id if found else last
        db.session.rollback()  # a slow reader keeps no transaction open
        yield from made
        if len(found) < _AT_ONCE:
            return
