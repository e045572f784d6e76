"""What the sums of a question say: facility, discrimination, and when somebody should look at the question.

Pure functions. The bounds are those of the usual text books of test construction:

[EF] R. L. Ebel, D. A. Frisbie, *Essentials of Educational Measurement*, 5th ed., 1991, chapter 13: a discrimination of 0.40
     and more is very good, 0.30 to 0.39 reasonably good, 0.20 to 0.29 marginal, below 0.20 poor: to be improved or rejected.
[NB] J. C. Nunnally, I. H. Bernstein, *Psychometric Theory*, 3rd ed., 1994, chapter 8: an item is correlated with the rest of the
     test, since with the whole of it it would be correlated with itself.
[MQ] The documentation of Moodle's quiz statistics: a facility of 95 % and more is extremely easy; a negative discrimination
     means that the question is probably wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from portal.training.content.values import MULTIPLE, Choice, Hotspot, Question

TOO_EASY = 0.95  # [MQ]
#: With four options somebody who knows nothing has a quarter right; other questions are judged by their own number of options.
TOO_HARD = 0.25
#: [EF] call all below 0.20 poor. The lower half of it is told apart, so that one begins with what is worst.
LOW, WEAK = 0.10, 0.20
#: Fewer answers allow no judgement: the standard error of a correlation of n pairs is about 1/√n, 0.18 with 30.
FEWEST = 30
#: Ours: where more than a tenth give no answer, the time is short or the wording is not understood.
MANY_BLANK = 0.10
#: A variance below this is the rounding of sums, not a difference between people.
_NONE = 1e-9

FEW, NEGATIVE, HARD, LOW_MARK, EASY, WEAK_MARK, BLANK = "few", "negative", "hard", "low", "easy", "weak", "blank"
#: What a question may be marked with, the worst first.
MARKS = (NEGATIVE, HARD, LOW_MARK, EASY, WEAK_MARK, BLANK, FEW)


@dataclass(frozen=True, slots=True)
class Sums:
    """What is kept of a question's answers: see :class:`portal.training.group_models.QuestionFigure`."""

    n: int = 0
    blank: int = 0
    x: float = 0.0
    y: float = 0.0
    xx: float = 0.0
    yy: float = 0.0
    xy: float = 0.0

    def __add__(self, other: Sums) -> Sums:
        """Both together, by the rule of Chan, Golub and LeVeque (1979), which adds up no great squares."""
        if not self.n or not other.n:
            return self if self.n else other
        dx, dy = self.x / self.n - other.x / other.n, self.y / self.n - other.y / other.n
        weight = self.n * other.n / (self.n + other.n)
        return Sums(self.n + other.n, self.blank + other.blank, self.x + other.x, self.y + other.y,
                    self.xx + other.xx + dx * dx * weight, self.yy + other.yy + dy * dy * weight,
                    self.xy + other.xy + dx * dy * weight)

    @property
    def facility(self) -> float | None:
        """The mean of the points, 0 to 1; None without answers."""
        return min(1.0, max(0.0, self.x / self.n)) if self.n else None

    @property
    def discrimination(self) -> float | None:
        """The correlation of the question's points with the share that was won of all other questions [NB], -1 to 1; for points
        of 0 and 1 this is the corrected point-biserial. None where one of the two is the same for everybody."""
        if self.n < 2 or self.xx / self.n < _NONE or self.yy / self.n < _NONE:
            return None
        return min(1.0, max(-1.0, self.xy / sqrt(self.xx * self.yy)))

    @property
    def blank_share(self) -> float | None:
        return self.blank / self.n if self.n else None


def guess(question: Question | None) -> float:
    """What somebody who knows nothing wins on average where one of several is to be chosen; 0 for all other questions."""
    if isinstance(question, Choice) and question.type != MULTIPLE:
        return 1 / len(question.options)
    if isinstance(question, Hotspot) and sum(area.right for area in question.areas) == 1:
        return 1 / len(question.areas)
    return 0.0


def marks(sums: Sums, guessed: float = 0.0) -> tuple[str, ...]:
    """Which of :data:`MARKS` a question gets, the worst first. With too few answers it gets :data:`FEW` alone."""
    if sums.n < FEWEST:
        return (FEW,)
    facility, told, blank = sums.facility or 0.0, sums.discrimination, sums.blank_share or 0.0
    found = {HARD: facility < max(TOO_HARD, guessed), EASY: facility > TOO_EASY, BLANK: blank > MANY_BLANK}
    if told is not None:
        found |= {NEGATIVE: told < 0, LOW_MARK: 0 <= told < LOW, WEAK_MARK: LOW <= told < WEAK}
    return tuple(mark for mark in MARKS if found.get(mark))
