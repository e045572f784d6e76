"""What was found, as a page shows it: in groups, each with a piece of its text in which the words are marked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from portal.guides.search import words
from portal.guides.search.index import Document, Index

#: Results of one group that are shown, and characters of a piece before and in all.
MOST = 10
_BEFORE, _LONG = 24, {"zh": 90, "en": 180}

Pieces = list[tuple[str, bool]]


@dataclass(frozen=True, slots=True)
class Result:
    path: str
    title: Pieces
    text: Pieces


@dataclass(frozen=True, slots=True)
class Group:
    """`more`: how many were found besides those shown."""

    kind: str
    results: list[Result]
    more: int


def results(index: Index, query: str, language: str) -> list[Group]:
    """Groups of results; the group of the best result first."""
    asked = words.asked(query)
    found: dict[str, list[Document]] = {}
    for hit in index.find(query):
        found.setdefault(hit.document.kind, []).append(hit.document)
    return [Group(kind, [Result(d.path, marked(d.title, asked), excerpt(d.text, asked, language)) for d in documents[:MOST]],
                  max(0, len(documents) - MOST)) for kind, documents in found.items()]


def excerpt(text: str, asked: Sequence[str], language: str) -> Pieces:
    """The piece of a text where the words stand first; its beginning where they stand nowhere."""
    spans = _spans(words.fold(text), asked)
    start = max(0, spans[0][0] - _BEFORE) if spans else 0
    if start and language == "en" and (space := text.find(" ", start, start + _BEFORE)) >= 0:
        start = space + 1
    end = start + _LONG[language]
    pieces = marked(text[start:end].strip(), asked)
    return [*([("…", False)] if start else []), *pieces, *([("…", False)] if end < len(text) else [])]


def marked(text: str, asked: Sequence[str]) -> Pieces:
    """The text in pieces, each with whether it was asked for."""
    pieces: Pieces = []
    at = 0
    for start, end in _spans(words.fold(text), asked):
        if start > at:
            pieces.append((text[at:start], False))
        pieces.append((text[start:end], True))
        at = end
    if at < len(text):
        pieces.append((text[at:], False))
    return pieces


def _spans(folded: str, asked: Sequence[str]) -> list[tuple[int, int]]:
    """Where the words stand, in order and apart: Chinese as a whole, else its pairs; a word from its beginning on."""
    found: list[tuple[int, int]] = []
    for run in asked:
        if words.is_chinese(run):
            for part in [run] if run in folded else words.grams(run):
                found += [match.span() for match in re.finditer(re.escape(part), folded)]
        else:
            stem, tail = words.stem(run), "" if len(run) < 3 else "[a-z0-9]*"
            found += [match.span() for match in re.finditer(rf"(?<![a-z0-9]){re.escape(stem)}{tail}(?![a-z0-9])", folded)]
    joined: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined
