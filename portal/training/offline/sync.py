"""What a phone did without a network, taken in: answers of practice and lessons that were read. Each thing counts once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask_babel import gettext as _

from portal.core.clock import utcnow
from portal.training import courses_store
from portal.training.content.values import Course, Module, Question
from portal.training.grading import LONGEST, MOST_STEPS
from portal.training.learners import exam_time, learning, practice

#: Things of one request, and how long ago the first of them may have been done.
MOST, OLDEST = 50, timedelta(days=365)
#: What becomes of a thing: it counts; it waits on the phone until the exam is over; it cannot be taken, and `message` says why.
TAKEN, LATER, REFUSED = "taken", "later", "refused"
ANSWER, LESSON = "answer", "lesson"


@dataclass(frozen=True, slots=True)
class Result:
    """`ref` is the phone's. `right` as the portal judged an answer; `old`: it counts, but its question has changed since."""

    ref: str
    outcome: str
    right: bool | None = None
    old: bool = False
    message: str = ""

    def told(self) -> dict[str, Any]:
        return {"ref": self.ref, "outcome": self.outcome, "right": self.right, "old": self.old, "message": self.message}


def take(learner_id: int, things: Sequence[Any], sent: float) -> list[Result]:
    """Take in what a phone did, in its order. `sent`: when it sent, by its own clock in milliseconds, as the time of each thing
    is: a clock may be wrong, so what counts is how long before sending something was done. Sent twice, nothing changes."""
    sitting, now = exam_time.under_way(learner_id), utcnow()
    return [_take(learner_id, thing, sitting, _when(thing, sent, now)) for thing in things[:MOST] if isinstance(thing, Mapping)]


def _when(thing: Any, sent: float, now: datetime) -> datetime:
    at = thing.get("at") if isinstance(thing, Mapping) else None
    if not isinstance(at, (int, float)) or isinstance(at, bool) or not abs(at) < 1e15 or not 0 <= sent - at < 1e15:
        return now
    return now - min(timedelta(milliseconds=sent - at), OLDEST)


def _take(learner_id: int, thing: Mapping[str, Any], sitting: Mapping[str, datetime], at: datetime) -> Result:
    ref, slug = str(thing.get("ref", ""))[:36], str(thing.get("slug", ""))
    if not practice.is_ref(ref) or thing.get("kind") not in (ANSWER, LESSON) or not is_text(slug):
        return Result(ref, REFUSED, message=_("This could not be understood."))
    current = courses_store.current(slug)
    if current is None:
        return Result(ref, REFUSED, message=_("The portal no longer has this course."))
    if thing["kind"] == LESSON:
        return _lesson(learner_id, ref, current, thing)
    if (known := practice.of_ref(learner_id, ref)) is not None:
        return Result(ref, TAKEN, known.right, old=_is_old(current[1], known.question_id, known.rev))
    return _answer(learner_id, ref, current, thing, at) if slug not in sitting else Result(ref, LATER)


def _lesson(learner_id: int, ref: str, current: tuple[int, Course], thing: Mapping[str, Any]) -> Result:
    version_id, course = current
    lesson_id = thing.get("lesson")
    if not any(lesson.id == lesson_id for lesson in course.lessons):
        return Result(ref, REFUSED, message=_("The course no longer has this lesson."))
    learning.enrol(learner_id, course.id, version_id)
    learning.opened(learner_id, course.id, str(lesson_id))
    learning.mark(learner_id, course.id, str(lesson_id), done=thing.get("done") is True)
    return Result(ref, TAKEN)


def _answer(learner_id: int, ref: str, current: tuple[int, Course], thing: Mapping[str, Any], at: datetime) -> Result:
    """Judged by the version that it was asked of; where the portal has no such version, by the same question as it is now."""
    asked = _version(current[1].id, thing.get("version_id")) or current
    found = practice.find(asked[1], str(thing.get("question")))
    if found is None and asked is not current:
        asked, found = current, practice.find(current[1], str(thing.get("question")))
    if found is None or found[1].rev != thing.get("rev"):
        return Result(ref, REFUSED, message=_("The portal no longer has this question as it was asked; the answer cannot be"
                                              " judged."))
    return _judged(learner_id, ref, current, asked, found, thing.get("answer"), at)


def _judged(learner_id: int, ref: str, current: tuple[int, Course], asked: tuple[int, Course], found: tuple[Module, Question],
            answer: Any, at: datetime) -> Result:
    module, question = found
    if not _is_answer(answer):
        return Result(ref, REFUSED, message=_("This could not be understood."))
    learning.enrol(learner_id, asked[1].id, asked[0])
    kept = practice.record(learner_id, asked[1], asked[0], module.id, question, ref, answer, at=at)
    return Result(ref, TAKEN, kept.right, old=_is_old(current[1], kept.question_id, kept.rev))


def _version(slug: str, version_id: Any) -> tuple[int, Course] | None:
    if not isinstance(version_id, int) or isinstance(version_id, bool) or not 0 < version_id < 10**12:
        return None
    try:
        course = courses_store.of(version_id)
    except LookupError:
        return None
    return (version_id, course) if course.id == slug else None


def _is_old(course: Course, question_id: str, rev: int) -> bool:
    found = practice.find(course, question_id)
    return found is None or found[1].rev != rev


def _is_answer(answer: Any) -> bool:
    """Whether it has the form of an answer, and its bounds: what it is worth, grading says."""
    if isinstance(answer, list):
        return len(answer) <= MOST_STEPS and all(_is_scalar(one) for one in answer)
    return _is_scalar(answer)


def is_text(value: str) -> bool:
    """Whether both databases can keep it: one thing that cannot be kept would hold up all that a phone sends with it."""
    return "\0" not in value and not any("\ud800" <= character <= "\udfff" for character in value)


def _is_scalar(value: Any) -> bool:
    return (isinstance(value, str) and len(value) <= LONGEST and is_text(value)) or (
        isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1000)
