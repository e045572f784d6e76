"""The road to the certificate: what is behind one, what is to be done now, what is not open yet."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from portal.core.db import db, transaction
from portal.training import standing
from portal.training.exams import attempts
from portal.training.learners import learning, road
from portal.training.models import Enrolment
from tests.training.learners.test_exam_time import sit

NOW = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
EARLIER, LATER = NOW - timedelta(days=3), NOW + timedelta(days=300)
STATES = [
    ({}, "now now ahead ahead", "pace"),
    ({"lessons_done": 99, "best_percent": 60}, "done now ahead ahead", "best so far: 60 %"),
    ({"theory_at": EARLIER}, "now done now ahead", "passed on 2026-11-22"),
    ({"theory_at": EARLIER, "practical_at": EARLIER}, "now done done now", "See what it still needs."),
    ({"theory_at": EARLIER, "practical_at": EARLIER, "certified_until": LATER}, "now done done done", "valid until 2027-09-21"),
    ({"theory_at": EARLIER, "practical_at": EARLIER, "certified_until": EARLIER}, "now done done now", "See what"),
    ({"theory_at": EARLIER, "practical_at": EARLIER, "certified_until": standing.WITHOUT_END},
     "now done done done", "without end"),
]


@pytest.mark.parametrize(("came", "states", "says"), STATES)
def test_each_part_is_behind_one_or_now_or_not_open_yet(school, learner, sample, came, states, says):
    version_id, course = sample
    learning.enrol(learner.id, course.id, version_id)
    with transaction() as session:
        row = session.get(Enrolment, (learner.id, course.id))
        for name, value in came.items():
            setattr(row, name, value)
    db.session.rollback()
    stretches = road.of(learner.id, course, NOW)
    assert " ".join(one.state for one in stretches) == states
    with school.test_request_context("/learn/", headers={"Accept-Language": "en"}):
        signs = road.signposts(stretches, course)
    assert any(says in sign["words"] for sign in signs), signs
    assert [bool(sign["href"]) for sign in signs] == [state != "ahead" for state in states.split()]


def test_whoever_has_not_begun_and_a_course_without_exam_have_no_road(learner, sample):
    version_id, course = sample
    assert road.of(learner.id, course, NOW) == []
    learning.enrol(learner.id, course.id, version_id)
    assert road.of(learner.id, replace(course, exam=None), NOW) == []


def test_the_page_of_a_course_shows_the_road_to_who_takes_it(phone, sample):
    phone.sign_in()
    assert 'class="learn-road"' not in phone.get("/learn/courses/sample/").text
    phone.post("/learn/courses/sample/start", page="/learn/courses/sample/")
    page = phone.get("/learn/courses/sample/").text
    assert page.count('aria-current="step"') == 2
    assert '<a class="learn-link" href="/learn/sample/exam/">' in page


@pytest.mark.parametrize(("came", "next_"), [
    ({}, None), ({"lessons_done": 99}, road.EXAM), ({"theory_at": EARLIER}, road.PRACTICAL),
    ({"lessons_done": 99, "theory_at": EARLIER, "practical_at": EARLIER}, road.CERTIFICATE),
    ({"certified_until": LATER}, road.CERTIFICATE)])
def test_what_the_exam_opens_goes_before_lessons_that_are_left(learner, sample, came, next_):
    version_id, course = sample
    assert road.ahead(learner.id, [course], NOW) == {}
    learning.enrol(learner.id, course.id, version_id)
    with transaction() as session:
        for name, value in came.items():
            setattr(session.get(Enrolment, (learner.id, course.id)), name, value)
    db.session.rollback()
    found = road.ahead(learner.id, [course], NOW)
    assert (found[course.id].part if found else None) == next_


def test_my_courses_lead_back_to_an_exam_under_way_and_on_to_the_next_step(phone, sample):
    phone.sign_in()
    learner_id, attempt, secret = sit()
    assert "Back to the exam" in phone.get("/learn/").text
    attempts.submit(learner_id, attempt.id, secret)
    learning.enrol(learner_id, "sample", sample[0])
    with transaction() as session:
        session.get(Enrolment, (learner_id, "sample")).theory_at = EARLIER
    page = phone.get("/learn/").text
    assert "Back to the exam" not in page
    assert 'href="/learn/sessions/of/sample/"' in page
