"""What an answer is worth on the phone is what it is worth to the portal."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from random import Random

import pytest

from portal.training.content.normal import normal
from portal.training.content.values import Choice, Hotspot, Matching, Numeric, Ordering, Scenario, ShortText
from portal.training.grading import grade, number, units
from portal.training.offline import bundle
from portal.training.offline.tables import tables
from portal.warnings.hazards import Phrase
from tests.training.offline.phone import run
from tests.training.test_grading import best, questions

CASES = json.loads(Path(__file__).with_name("cases.json").read_text(encoding="utf-8"))


def on_the_phone(asked, **more):
    known = {one.id: bundle.question(one, {}) for one in questions().values()}
    return run("grade", "grading.js", tables=tables(), ask=[[known[name], answer] for name, answer in asked], **more)


def as_told(question, answer):
    graded = grade(question, answer)
    return graded.points, graded.right, [one.right for one in graded.feedback]


def read(got):
    n, d, right, feedback = got
    return Fraction(n, d), right, feedback


def test_one_table_of_cases_holds_for_the_portal_and_for_the_phone():
    assert {questions()[case["question"]].type for case in CASES} == {
        "single", "truefalse", "multiple", "ordering", "matching", "numeric", "text", "hotspot", "scenario"}
    phone = on_the_phone([(case["question"], case["answer"]) for case in CASES])["grades"]
    for case, got in zip(CASES, phone, strict=True):
        points, right, feedback = as_told(questions()[case["question"]], case["answer"])
        assert (points, right) == (Fraction(case["points"]), Fraction(case["points"]) == 1), case
        assert read(got) == (points, right, feedback), case


def _some_answer(random, question):
    """Anything, most often something near to a right answer."""
    def scalar():
        return random.choice([None, True, False, -1, 0, 1, 2, 3, 9, "", "0", "1", "119", "5.5", "5,5厘米", "below", "x" * 201])
    if random.random() < .25:
        return random.choice([scalar(), [scalar() for _n in range(random.randrange(5))], {"0": 1}])
    match question:
        case Choice():
            picked = random.sample(range(len(question.options)), random.randrange(len(question.options) + 1))
            return picked if question.type == "multiple" else random.choice(picked or [None])
        case Ordering() | Matching():
            count = len(question.items if isinstance(question, Ordering) else question.pairs)
            some = [random.randrange(count) for _n in range(count)]
            return random.sample(range(count), count) if random.random() < .8 else some
        case Numeric():
            off = random.choice([Decimal(0), question.tolerance, -question.tolerance, Decimal("0.001"), Decimal(1)])
            return f"{question.value + off:f}{random.choice(['', ' ', question.unit.zh, ' ' + question.unit.en.upper()])}"
        case ShortText():
            word = random.choice([*question.accept.zh, *question.accept.en])
            return random.choice([word, word.upper(), f" {word}。", word[:-1], word.replace("1", "１")])
        case Hotspot():
            return random.sample([area.id for area in question.areas], random.randrange(len(question.areas) + 1))
        case Scenario():
            return [random.randrange(3) for _n in range(random.randrange(6))]


@pytest.mark.parametrize("seed", range(2))
def test_the_phone_and_the_portal_agree_on_answers_that_nobody_thought_of(seed):
    random = Random(seed)
    asked = []
    for name, question in questions().items():
        asked += [(name, best(question)), *((name, _some_answer(random, question)) for _n in range(40))]
    assert len(asked) > 600
    worth = set()
    for (name, answer), got in zip(asked, on_the_phone(asked)["grades"], strict=True):
        told = as_told(questions()[name], answer)
        assert read(got) == told, (name, answer)
        worth.add(told[0])
    assert {Fraction(0), Fraction(1)} < worth


def test_short_texts_are_the_same_to_both_whatever_is_typed():
    random = Random(7)
    letters = "ＡＥＤ aed机。İıßẞſΣσςﬁﬀÅÅ①⒈㎝Ａ١ǅǆᏊꭰ\u200b\u00ad\ufeff\u3000—“”！𝟏𝒜𐐀か\u3099がﾊﾟ한글\u0345ΐύ½㍿😀👨\u200d🚒"
    words = ["".join(random.choice(letters) for _n in range(random.randrange(9))) for _m in range(400)]
    words += [chr(point) for point in range(0x20, 0x2fff) if not 0xd800 <= point <= 0xdfff]
    assert on_the_phone([], normal=words)["normal"] == [normal(word) for word in words]


def test_numbers_are_compared_exactly_however_they_are_written():
    random, asked, wanted = Random(3), [], []
    unit = Phrase(zh="次/分", en="per minute")
    for _n in range(400):
        value = Decimal(random.randrange(-2000, 2000)).scaleb(-random.randrange(4))
        tolerance = Decimal(random.choice([0, 1, 5])).scaleb(-random.randrange(3))
        near = value + random.choice([0, 1, -1]) * tolerance + random.choice([Decimal(0), Decimal("0.0000000001")])
        typed = random.choice([f"{near:f}", f"{near:+f}", f"{near:f}".replace(".", ","), f"{near:,f}", f"00{near:f}"])
        typed += random.choice(["", "次/分", " PER  MINUTE", "x"])
        asked.append([typed, f"{value - tolerance:f}", f"{value + tolerance:f}", units(unit)])
        read_ = number(typed, unit)
        wanted.append(read_ is not None and abs(read_ - value) <= tolerance)
    assert set(wanted) == {True, False}
    assert on_the_phone([], numbers=asked)["numbers"] == wanted
