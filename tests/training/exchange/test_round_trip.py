"""Whatever a bank says, GIFT that we write is read again as the same bank, in both languages."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings

from portal.training.content import pairing
from portal.training.content.values import Hotspot, Lists, Module, Question, Scenario, ShortText
from portal.training.exchange import bank_out, gift, gift_out
from portal.warnings.hazards import Phrase
from tests.training.test_round_trip import questions

LANGUAGES = ("zh", "en")


def through_gift(question: Question) -> Question | None:
    """The question out as GIFT in each language, read, written as a bank, and read as banks are."""
    made = []
    for language in LANGUAGES:
        module = Module(id="m", title=Phrase("题", "M"), lessons=(), questions=(question,))
        text, left = gift_out.module(module, language)
        if left:
            return None
        reading = gift.read(text, language)
        assert reading.untaken == []
        (draft,) = reading.drafts
        assert draft.category == "m"
        made.append(draft)
    with tempfile.TemporaryDirectory() as folder:
        banks = Path(folder) / "course" / "banks"
        banks.mkdir(parents=True)
        for language, draft in zip(LANGUAGES, made, strict=True):
            (banks / f"b.{language}.md").write_text(f"# B\n\n{bank_out.question(draft, language)}", encoding="utf-8")
        found: list = []
        read = [one for one, _halves in pairing.read(banks.parent, "b", found)]
        assert found == []
    (one,) = read
    return one


@settings(max_examples=40)
@given(questions())
def test_what_goes_out_as_gift_comes_back_the_same(question: Question) -> None:
    back = through_gift(question)
    if isinstance(question, Scenario | Hotspot):
        assert back is None  # no form in GIFT
    else:
        assert back is not None
        assert replace(back, line=0) == replace(_once(question), line=0)


def _once(question: Question) -> Question:
    """A text that is accepted twice is accepted once."""
    if not isinstance(question, ShortText):
        return question
    return replace(question, accept=Lists(*(tuple(dict.fromkeys(question.accept[language])) for language in LANGUAGES)))
