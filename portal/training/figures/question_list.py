"""The questions of a course with their figures: one query, whatever was answered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from flask_babel import lazy_gettext as _l
from markupsafe import Markup
from sqlalchemy import select

from portal.core.db import db
from portal.training.content import markdown
from portal.training.content.values import Choice, Course, Hotspot, Module, Question
from portal.training.figures import measures
from portal.training.figures.measures import MARKS, Sums
from portal.training.group_models import QuestionChoice, QuestionFigure

#: Mark → its word, a mark's class, and what to do about it.
WORDS: dict[str, tuple[Any, str, Any]] = {
    measures.NEGATIVE: (_l("misleads"), "mark-bad", _l(
        "Those who know more get it wrong more often. Look at the key first, then for a second right answer.")),
    measures.HARD: (_l("too hard"), "mark-bad", _l(
        "Fewer than a quarter of the points are won, or fewer than by guessing. Is the key right, and does a lesson say it?")),
    measures.LOW_MARK: (_l("hardly tells apart"), "mark-bad", _l(
        "Whether somebody gets it right says next to nothing of what else is known. Improve it or take it out.")),
    measures.EASY: (_l("too easy"), "mark-some", _l(
        "Nearly everybody wins it. That is fine where all must know it; otherwise make the wrong options more likely.")),
    measures.WEAK_MARK: (_l("tells apart weakly"), "mark-some", _l(
        "It says little of what else is known. A clearer wording, or a better wrong option, often helps.")),
    measures.BLANK: (_l("often left blank"), "mark-some", _l(
        "More than a tenth give no answer: is the wording understood, and the time enough?")),
    measures.FEW: (_l("too few answers"), "mark-none", _l("Too few have answered it for a judgement.")),
}
LONGEST = 110


@dataclass(frozen=True, slots=True)
class Row:
    """A question with the figures of its present key. `question` and `module` are None where the course no longer has it.
    `earlier`: whether there are figures of an earlier key."""

    id: str
    question: Question | None
    module: Module | None
    place: int
    sums: Sums
    marks: tuple[str, ...]
    earlier: bool

    @property
    def asked(self) -> bool:
        """Whether an exam may ask it at all."""
        return self.question is None or self.question.fits_exam

    def words(self, language: str) -> str:
        return short(self.question.words[language]) if self.question else self.id


@lru_cache(maxsize=4096)
def short(words: str) -> str:
    """The beginning of a question as plain text, for a list."""
    text = " ".join(Markup(markdown.inline(words)).striptags().split())  # noqa: S704  (made by our own renderer)
    return text if len(text) <= LONGEST else text[: LONGEST - 1].rstrip() + "…"


def rows(course: Course) -> list[Row]:
    """Every question of the course and every one that it had and of which there are figures, in the order of the banks."""
    figures: dict[str, dict[int, Sums]] = {}
    for one in db.session.execute(select(QuestionFigure).where(QuestionFigure.slug == course.id)).scalars():
        figures.setdefault(one.question_id, {})[one.rev] = _sums(one)
    found, place = [], 0
    for module in course.modules:
        for question in module.questions:
            place += 1
            of = figures.pop(question.id, {})
            sums = of.get(question.rev, Sums())
            found.append(Row(question.id, question, module, place, sums, measures.marks(sums, measures.guess(question)),
                             any(rev != question.rev for rev in of)))
    for gone, of in sorted(figures.items()):
        place, sums = place + 1, of[max(of)]
        found.append(Row(gone, None, None, place, sums, measures.marks(sums), len(of) > 1))
    return found


def _sums(one: QuestionFigure) -> Sums:
    return Sums(one.n, one.blank, one.x, one.y, one.xx, one.yy, one.xy)


#: What the list can be sorted by → the key, and whether the greatest come first.
SORTS: dict[str, tuple[Callable[[Row], Any], bool]] = {
    "marks": (lambda row: _worst(row), False),
    "place": (lambda row: row.place, False),
    "n": (lambda row: row.sums.n, True),
    "facility": (lambda row: row.sums.facility, False),
    "discrimination": (lambda row: row.sums.discrimination, False),
    "blank": (lambda row: row.sums.blank_share, True),
}


def _worst(row: Row) -> tuple[int, float]:
    """The worst mark first; what has none comes before what nobody can judge yet."""
    if row.marks == (measures.FEW,):
        return len(MARKS), 0.0
    told = row.sums.discrimination
    return MARKS.index(row.marks[0]) if row.marks else len(MARKS) - 1, told if told is not None else 1.0


def ordered(found: list[Row], sort: str, *, turned: bool) -> list[Row]:
    """Sorted; what has no such figure stands at the end either way."""
    key, greatest_first = SORTS[sort]
    known = [row for row in found if key(row) is not None]
    known.sort(key=lambda row: row.place)
    known.sort(key=key, reverse=greatest_first != turned)
    return known + [row for row in found if key(row) is None]


# -- one question ------------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Chosen:
    """An option or area: `label` is inline Markdown; `n` how often it was chosen and `share` of those who answered."""

    label: Any
    right: bool
    n: int
    share: float | None


@dataclass(frozen=True, slots=True)
class Told:
    """All that is known of a question. `history`: rev → figures, the newest first; `chosen`: of the present key, empty where
    nothing is chosen in such a question."""

    history: list[tuple[int, Sums]]
    sums: Sums
    marks: tuple[str, ...]
    chosen: list[Chosen] = field(default_factory=list)


def told(course: Course, question: Question) -> Told:
    here = select(QuestionFigure).where(QuestionFigure.slug == course.id, QuestionFigure.question_id == question.id)
    history = sorted(((one.rev, _sums(one)) for one in db.session.execute(here).scalars()), reverse=True)
    sums = dict(history).get(question.rev, Sums())
    return Told(history, sums, measures.marks(sums, measures.guess(question)), _chosen(course, question, sums))


def _chosen(course: Course, question: Question, sums: Sums) -> list[Chosen]:
    if isinstance(question, Choice):
        options = [(option.words, option.right) for option in question.options]
    elif isinstance(question, Hotspot):
        options = [(area.label, area.right) for area in question.areas]
    else:
        return []
    counted = select(QuestionChoice.choice, QuestionChoice.n).where(
        QuestionChoice.slug == course.id, QuestionChoice.question_id == question.id, QuestionChoice.rev == question.rev)
    counts: dict[int, int] = dict(db.session.execute(counted).all())
    answered = sums.n - sums.blank
    return [Chosen(words, right, counts.get(at, 0), counts.get(at, 0) / answered if answered else None)
            for at, (words, right) in enumerate(options)]
