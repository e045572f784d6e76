"""Questions as the pages of an exam show them: words, fields and what was answered, and nothing of what is right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from portal.training import courses_store
from portal.training.content.markdown import Picture
from portal.training.content.values import Choice, Course, Hotspot, Matching, Numeric, Ordering, Question, ShortText
from portal.training.exam_models import Attempt
from portal.training.exams import answers, attempts
from portal.training.exams.draw import Drawn
from portal.training.learners.media import pictures
from portal.training.reading.view import plain, sentence, text
from portal.training.touch.pages import rectangles


@dataclass(frozen=True, slots=True)
class Shown:
    """A question on a page. `kind` as in ``exams.answers``. `lines`: what is shown at each place; `others`: what can be chosen
    for each of them (ordering: the ranks). `spots`: where each line lies in the picture, of a hot-spot. `seq`: the client's
    count of what is kept."""

    at: int
    kind: str
    type: str
    words: Markup
    lines: list[Markup]
    others: list[str]
    unit: str
    decimal: bool
    picture: Picture | None
    alt: str
    spots: tuple[tuple[float, float, float, float], ...]
    value: Any
    seq: int

    @property
    def answered(self) -> bool:
        return self.value is not None


def shown(attempt: Attempt, language: str, known: Mapping[int, attempts.Kept]) -> list[Shown]:
    """All questions of an attempt, in its order."""
    media = pictures(attempt.version_id)
    return [_one(at, drawn, question, language, known.get(at, attempts.Kept(None, 0)), media)
            for at, (drawn, question) in enumerate(attempts.questions(attempt))]


def _one(at: int, drawn: Drawn, question: Question, language: str, kept: attempts.Kept, media: Mapping[str, Picture]) -> Shown:
    picture, alt, unit = None, "", ""
    spots: tuple[tuple[float, float, float, float], ...] = ()
    if isinstance(question, Hotspot):
        picture, alt = media.get(question.image[language]), question.alt[language]
        spots = rectangles(question.areas, drawn.order)
    if isinstance(question, Numeric):
        unit = question.unit[language]
    return Shown(at, answers.kind(question), question.type, text(question.words[language], media),
                 [sentence(one[language]) for one in lines(question, drawn)],
                 _others(question, drawn, language), unit, isinstance(question, Numeric), picture, alt, spots, kept.value,
                 kept.seq)


def lines(question: Question, drawn: Drawn) -> list[Any]:
    """What is shown at each place, in both languages."""
    if isinstance(question, Choice):
        return [question.options[n].words for n in drawn.order]
    if isinstance(question, Ordering):
        return [question.items[n] for n in drawn.order]
    if isinstance(question, Matching):
        return [question.pairs[n][0] for n in drawn.order]
    return [question.areas[n].label for n in drawn.order] if isinstance(question, Hotspot) else []


def _others(question: Question, drawn: Drawn, language: str) -> list[str]:
    if isinstance(question, Matching):
        return [plain(question.pairs[n][1][language]) for n in drawn.other]
    return [str(rank + 1) for rank in range(len(drawn.order))] if isinstance(question, Ordering) else []


@dataclass(frozen=True, slots=True)
class Looked:
    """A question as it is looked at afterwards: `said` is what was answered, `right` what was right, each a list of lines."""

    at: int
    module: str
    words: Markup
    said: list[Markup]
    right: list[Markup]
    why: list[Markup]
    explanation: Markup
    points: float


def looked_at(attempt: Attempt, language: str, points: Mapping[int, float]) -> list[Looked]:
    """Every question with its answer: only for whom the rules allow it (see ``rules.may_show_feedback``)."""
    media, known, course = pictures(attempt.version_id), attempts.kept(attempt.id), courses_store.of(attempt.version_id)
    titles = {module.id: module.title[language] for module in course.modules}
    made = []
    for at, (drawn, question) in enumerate(attempts.questions(attempt)):
        kept = known.get(at)
        answer = answers.unshuffled(question, drawn, kept.value if kept else None)
        said, right, why = _told(question, answer, language)
        made.append(Looked(at, titles[drawn.module], text(question.words[language], media), said, right, why,
                           text(question.explanation[language], media), points.get(at, 0.0)))
    return made


def _told(question: Question, answer: Any, language: str) -> tuple[list[Markup], list[Markup], list[Markup]]:
    """What was said, what was right, and what the bank says of each thing that was chosen."""
    if isinstance(question, Choice):
        chosen = [question.options[n] for n in (answer if isinstance(answer, list) else [] if answer is None else [answer])]
        return ([sentence(one.words[language]) for one in chosen],
                [sentence(one.words[language]) for one in question.options if one.right],
                [sentence(one.feedback[language]) for one in chosen])
    if isinstance(question, Hotspot):
        areas = [area for area in question.areas if area.id in (answer or [])]
        return ([sentence(one.label[language]) for one in areas],
                [sentence(one.label[language]) for one in question.areas if one.right],
                [sentence(one.feedback[language]) for one in areas])
    if isinstance(question, Ordering):
        items = [sentence(item[language]) for item in question.items]
        return [items[n] if n is not None else Markup("–") for n in answer or []], items, []
    if isinstance(question, Matching):
        pairs = [(sentence(left[language]), sentence(right[language])) for left, right in question.pairs]
        return ([Markup("{} → {}").format(pairs[at][0], pairs[n][1] if n is not None else "–")
                 for at, n in enumerate(answer or [])], [Markup("{} → {}").format(*pair) for pair in pairs], [])
    typed = [Markup("{}").format(answer)] if answer is not None else []
    if isinstance(question, Numeric):
        spread = f" ± {question.tolerance.normalize():f}" if question.tolerance else ""
        return typed, [Markup("{}").format(f"{question.value.normalize():f}{spread} {question.unit[language]}")], []
    if isinstance(question, ShortText):
        return typed, [Markup("{}").format(one) for one in question.accept[language][:3]], []
    return typed, [], []


def module_titles(course: Course, language: str) -> dict[str, str]:
    return {module.id: module.title[language] for module in course.modules}

