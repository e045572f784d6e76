"""What an attempt asks: of the version that it began with, as it was drawn then."""

from __future__ import annotations

from portal.training import courses_store
from portal.training.content.values import Question
from portal.training.exam_models import Attempt
from portal.training.exams.draw import Drawn


def drawn(attempt: Attempt) -> list[Drawn]:
    return [Drawn.restored(one) for one in attempt.drawn]


def questions(attempt: Attempt) -> list[tuple[Drawn, Question]]:
    """Each question with what was drawn of it. Raises LookupError where the version, or a question in it, is not there."""
    found = {q.id: q for module in courses_store.of(attempt.version_id).modules for q in module.questions}
    return [(one, found[one.id]) for one in drawn(attempt)]
