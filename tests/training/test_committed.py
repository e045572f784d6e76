"""What is committed of courses has no faults."""

from __future__ import annotations

from pathlib import Path

from portal.training.content.lint import lint
from portal.training.content.reader import read
from portal.training.content.values import HOUR_MINUTES, TYPES

CONTENT = Path(__file__).resolve().parents[2] / "content"


def test_the_courses_of_this_repository_have_no_faults() -> None:
    courses, faults = lint(CONTENT)
    assert faults == [], "\n" + "\n".join(map(str, faults[:40]))
    assert courses


def test_the_first_responders_course_is_the_syllabus() -> None:
    """Seven modules of at least four lessons with figures, at least thirty questions in each, all types among them."""
    course = read(CONTENT / "courses" / "first-responder").course
    assert [module.id for module in course.modules] == [
        "disaster-basics", "evacuation", "reporting", "accidents", "fire", "rescue", "first-aid"]
    for module in course.modules:
        assert len(module.lessons) >= 4, module.id
        assert any("../media/" in lesson.text.zh for lesson in module.lessons), module.id
        assert len(module.questions) >= 30, module.id
    assert {question.type for module in course.modules for question in module.questions} == set(TYPES)
    assert 0.95 <= course.minutes / (16 * HOUR_MINUTES) <= 1.05
