"""Whatever questions are written down as a bank, the same are read from it."""

from __future__ import annotations

import dataclasses
import tempfile
from decimal import Decimal
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from portal.training.content import keys, pairing
from portal.training.content.normal import normal
from portal.training.content.values import (
    TYPES,
    Area,
    Choice,
    Hotspot,
    Lists,
    Matching,
    Node,
    Numeric,
    Option,
    Ordering,
    Question,
    Scenario,
    ShortText,
    Way,
)
from portal.warnings.hazards import Phrase
from tests.training.bank_writer import bank

#: Words with what stands in real sentences, also what means something to Markdown and YAML when it stands elsewhere.
PIECES = st.sampled_from(["烟气", "先断电", "5–6 厘米", "the door", "“119”", "a|b", "30:2", "#", "100%", "x > y", "是", "{zh}",
                          "- 1", "AED", "🚒", "𠮷", "it's", "1.", "_a_", "**重要**", "(a)", "[b]", "`c`"])
WORDS = st.lists(PIECES, min_size=1, max_size=4).map(lambda parts: "话 " + " ".join(parts))
PHRASES = st.builds(Phrase, WORDS, WORDS)
DECIMALS = st.decimals(min_value=1, max_value=1000, places=1)


def _apart(least: int, most: int) -> st.SearchStrategy:
    """Different phrases: each begins with its number, in Chinese and in English."""
    return st.lists(PHRASES, min_size=least, max_size=most).map(
        lambda found: [Phrase(f"{n} {p.zh}", f"{n} {p.en}") for n, p in enumerate(found)])


@st.composite
def _common(draw: st.DrawFn, kind: str) -> dict:
    medical = draw(st.booleans())
    return {"id": "q-1", "type": kind, "difficulty": draw(st.integers(1, 3)), "objective": "l.1", "rev": draw(st.integers(1, 9)),
            "medical": medical, "source": draw(PHRASES) if medical else Phrase("", ""), "words": draw(PHRASES),
            "explanation": draw(PHRASES), "line": 3}


@st.composite
def questions(draw: st.DrawFn) -> Question:
    kind = draw(st.sampled_from(TYPES))
    common = draw(_common(kind))
    if kind in ("single", "multiple", "truefalse"):
        words = [Phrase("对", "True"), Phrase("错", "False")] if kind == "truefalse" else draw(_apart(2, 6))
        right = {draw(st.integers(0, len(words) - 1))}
        if kind == "multiple" and len(words) > 2:
            right |= {(min(right) + 1) % len(words)}
        return Choice(**common, options=tuple(Option(p, draw(PHRASES), n in right) for n, p in enumerate(words)))
    if kind == "ordering":
        return Ordering(**common, items=tuple(draw(_apart(3, 7))))
    if kind == "matching":
        left = draw(_apart(3, 6))
        right = [Phrase(f"{n} {p.zh}", f"{n} {p.en}") for n, p in enumerate(draw(st.lists(PHRASES, min_size=len(left),
                                                                                          max_size=len(left))))]
        return Matching(**common, heads=(draw(PHRASES), draw(PHRASES)), pairs=tuple(zip(left, right, strict=True)))
    if kind == "numeric":
        value = draw(DECIMALS)
        return Numeric(**common, value=_plain(value), tolerance=_plain(value / 4), unit=draw(PHRASES))
    if kind == "text":
        accept = st.lists(WORDS, min_size=1, max_size=4).map(tuple)
        return ShortText(**common, accept=Lists(draw(accept), draw(accept)))
    if kind == "hotspot":
        labels = draw(_apart(2, 5))
        areas = tuple(Area(f"a{n}", Decimal("0.0"), Decimal(f"{n * 20}.0"), Decimal("50.5"), Decimal("20.0"), label,
                           draw(PHRASES), n == 0) for n, label in enumerate(labels))
        return Hotspot(**common, image=Phrase("a.svg", "b.svg"), areas=areas,
                       alt=Phrase("这里说明画面上有什么内容", "What the picture shows"))
    return Scenario(**common, nodes=draw(_nodes()))


def _plain(value: Decimal) -> Decimal:
    return Decimal(str(float(round(value, 2))))


@st.composite
def _nodes(draw: st.DrawFn) -> tuple[Node, ...]:
    """A chain of situations, each with a way on and a way to a bad end, and sometimes a way back."""
    length = draw(st.integers(1, 5))
    nodes = []
    for n in range(length):
        ways = [Way(draw(PHRASES), f"n{n + 1}" if n + 1 < length else "good", draw(PHRASES)),
                Way(draw(PHRASES), "bad", draw(PHRASES))]
        if n and draw(st.booleans()):
            ways.append(Way(draw(PHRASES), f"n{n - 1}", draw(PHRASES)))
        nodes.append(Node(f"n{n}", draw(PHRASES), "", tuple(ways)))
    return (*nodes, Node("good", draw(PHRASES), "good", ()), Node("bad", draw(PHRASES), "bad", ()))


def _read(written: Question) -> tuple[list[Question], list[str]]:
    with tempfile.TemporaryDirectory() as folder:
        course = Path(folder) / "course"
        (course / "banks").mkdir(parents=True)
        for language in ("zh", "en"):
            (course / "banks" / f"b.{language}.md").write_text(bank([written], language), encoding="utf-8")
        found: list = []
        return [question for question, _halves in pairing.read(course, "b", found)], [str(fault) for fault in found]


@settings(max_examples=120)
@given(questions())
def test_a_written_question_is_read_as_it_was(written: Question) -> None:
    read, faults = _read(written)
    assert faults == []
    assert read == [written]
    assert keys.key_hash(read[0]) == keys.key_hash(written)


@settings(max_examples=40)
@given(questions().filter(lambda q: isinstance(q, Choice)), st.data())
def test_another_right_option_is_another_key(written: Choice, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(written.options) - 1))
    options = list(written.options)
    options[at] = dataclasses.replace(options[at], right=not options[at].right)
    assert keys.key_hash(dataclasses.replace(written, options=tuple(options))) != keys.key_hash(written)


@given(st.text(max_size=40))
def test_to_be_normal_is_to_stay_so(text: str) -> None:
    assert normal(normal(text)) == normal(text)


def test_case_width_spaces_and_punctuation_make_no_difference() -> None:
    assert normal(" ＡＥＤ 除颤仪。") == normal("aed除颤仪") == "aed除颤仪"
    assert normal("海姆立克法") != normal("海姆立克")
