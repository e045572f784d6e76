"""The index in memory, and how well each document answers a question."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from portal.guides.search import words

GUIDE, LESSON, SHELTER, COMMUNITY = "guide", "lesson", "shelter", "community"
KINDS = (GUIDE, LESSON, SHELTER, COMMUNITY)
#: How much a word counts in a title, among the keywords, and in the text.
WEIGHTS = (6, 4, 1)
#: A guide says what to do, so it comes before what only names the thing.
_GUIDES_FIRST, _WHOLE = 1.5, 8.0


@dataclass(frozen=True, slots=True)
class Document:
    """What can be found. `keywords` are searched and not shown."""

    kind: str
    path: str
    title: str
    keywords: str
    text: str


@dataclass(frozen=True, slots=True)
class Hit:
    document: Document
    score: float


class Index:
    """Gram → number of each document that has it → its weight there."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self.documents = tuple(documents)
        self._postings: dict[str, dict[int, int]] = {}
        self._folded = [tuple(words.fold(field) for field in (d.title, d.keywords, d.text)) for d in self.documents]
        for number, fields in enumerate(self._folded):
            for weight, text in zip(WEIGHTS, fields, strict=True):
                for run in words.runs(text):
                    for gram in words.grams(run):
                        own = self._postings.setdefault(gram, {})
                        own[number] = max(own.get(number, 0), weight)
        self._latin = sorted(gram for gram in self._postings if not words.is_chinese(gram))

    def find(self, query: str) -> list[Hit]:
        """Documents that answer as many words of the question as the best does, the best first."""
        scores: dict[int, float] = {}
        matched: dict[int, int] = {}
        for run in words.asked(query):
            for number, score in self._run(run).items():
                scores[number] = scores.get(number, 0.0) + score
                matched[number] = matched.get(number, 0) + 1
        most = max(matched.values(), default=0)
        # Rounded, because logarithms differ in their last digits between machines, and equals must stay equal.
        hits = [Hit(self.documents[n], round(score * (_GUIDES_FIRST if self.documents[n].kind == GUIDE else 1.0), 6))
                for n, score in sorted(scores.items()) if matched[n] == most]
        return sorted(hits, key=lambda hit: -hit.score)

    def _run(self, run: str) -> dict[int, float]:
        """Number → score of the documents that have a word, or at least half of the pairs of a Chinese stretch."""
        if not words.is_chinese(run):
            return self._word(run)
        if len(run) == 1:
            return {n: float(weight) for n, fields in enumerate(self._folded)
                    if (weight := max((w for w, text in zip(WEIGHTS, fields, strict=True) if run in text), default=0))}
        pairs = words.grams(run)
        count: dict[int, int] = {}
        scores: dict[int, float] = {}
        for pair in pairs:
            for number, score in self._scored(pair).items():
                count[number] = count.get(number, 0) + 1
                scores[number] = scores.get(number, 0.0) + score
        need = (len(pairs) + 1) // 2
        return {n: score + (_WHOLE if run in self._folded[n][0] else 0.0) for n, score in scores.items() if count[n] >= need}

    def _word(self, word: str) -> dict[int, float]:
        """A word of three letters or more is found by its beginning, without the s of a plural."""
        scores: dict[int, float] = {}
        stem = words.stem(word)
        for found in self._beginning(stem):
            for number, score in self._scored(found).items():
                scores[number] = max(scores.get(number, 0.0), score)
        return {n: score + (_WHOLE if stem in map(words.stem, words.runs(self._folded[n][0])) else 0.0)
                for n, score in scores.items()}

    def _beginning(self, word: str) -> list[str]:
        if len(word) < 3:
            return [word] if word in self._postings else []
        start = bisect_left(self._latin, word)
        found = []
        for one in self._latin[start:]:
            if not one.startswith(word):
                break
            found.append(one)
        return found

    def _scored(self, gram: str) -> dict[int, float]:
        own = self._postings.get(gram, {})
        rare = math.log(1 + len(self.documents) / max(1, len(own)))
        return {number: rare * weight for number, weight in own.items()}
