"""What the demonstration invents stands as it would in life, and is invented once."""

from __future__ import annotations

from contextlib import nullcontext

from portal.core.clock import utcnow
from portal.core.db import db
from portal.training import courses_store, standing
from portal.training.group_models import Cohort, CohortMember
from portal.training.groups import demo, gradebook
from portal.training.groups.gradebook import LACKS, View
from tests.training.groups.test_roster_file import database_url  # noqa: F401  (a fixture: one kind of database)


def test_a_cohort_of_the_demonstration_holds_people_in_all_states(town, trainer, monkeypatch):
    monkeypatch.setattr(demo, "COURSE", "sample")
    monkeypatch.setattr(demo, "SAMPLES", demo.SAMPLES[2:3])
    monkeypatch.setattr(standing, "AFTER_TOUCH", [])
    for _twice in range(2):
        demo.seed(lambda *_words: nullcontext())
    cohort = db.session.query(Cohort).one()
    people = len(demo.STATES)
    assert db.session.query(CohortMember).count() == people
    course = courses_store.current("sample")[1]
    for lacks in LACKS:
        found = gradebook.page(View(course, cohort.id, lacks=lacks), utcnow()).lines
        assert (0 < len(found) < people) is (lacks != "ended"), lacks
    for line in gradebook.page(View(course, cohort.id), utcnow()).lines:
        facts = standing.facts_of([line.learner_id], course)[line.learner_id]
        assert (facts.best_percent, facts.theory_at, facts.practical_at) == (line.best_percent, line.theory_at, line.practical_at)
