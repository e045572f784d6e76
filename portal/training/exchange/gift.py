"""GIFT, the text format of Moodle's question banks, read as Moodle reads it.

A blank line ends a question, ``//`` at the beginning of a line a comment; ``:: ::`` hold a name, ``{ }`` the answers. What stands
between them tells the type: nothing an essay, ``#`` a number, ``~`` a choice, ``->`` pairs, ``>`` an order, T or F true or false,
and anything else a text to type. In a comment, ``[id:…]`` names the question, and ``anlan {…}`` holds what GIFT has no place for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Any

from flask_babel import gettext as _

from portal.training.content.fields import is_id
from portal.training.content.questions import TRUE_FALSE
from portal.training.content.values import MATCHING, MULTIPLE, NUMERIC, ORDERING, SINGLE, TEXT, TRUEFALSE
from portal.training.exchange import words
from portal.training.exchange.drafts import MOST_QUESTIONS, Draft, Option, Reading, Refused, Unreadable

HEADS = {"zh": ("项目", "对应内容"), "en": ("Item", "What belongs to it")}
_ESCAPES = "\\:#={}~n"
_FIRST = 0xFDD0  # characters that are no characters stand for what was escaped
_HIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u2028\u2029\ufdd0-\ufdef\u202a-\u202e\u2066-\u2069]")
_NAME = re.compile(r"\s*::(.*?)::", re.DOTALL)
_FORMAT = re.compile(r"\s*\[(html|moodle|plain|markdown)\]")
_WEIGHT = re.compile(r"\s*%(-?\d{1,3}(?:\.\d{1,9})?)%")
_ID = re.compile(r"\[id:((?:[^\]\\]|\\.)*)\]")
_ANLAN = re.compile(r"//\s*anlan (\{.*\})\s*\Z")
#: Its spaces are never given back: six runs of them could share one run of spaces in endlessly many ways.
_ORDER = re.compile(r">[ \t]*+(?:\d+|all)?[ \t]*+(?:ALL|EXACT|RANDOM|REL(?!ATIVE)|CONTIGUOUS|CONTIG)?[ \t]*+"
                    r"(?:HORIZONTAL|HORI|VERTICAL|VERT)?[ \t]*+"
                    r"(?:ALL_OR_NOTHING|ABSOLUTE_POSITION|ABSOLUTE|ABS|RELATIVE[A-Z_]*)?[ \t]*+"
                    r"(?:SHOW|HIDE)?[ \t]*+(?:none|123|abc|iii)?(?:\n|\Z)", re.IGNORECASE)
_BLANK = "_____"


@dataclass(frozen=True, slots=True)
class _Answer:
    """One answer as it stands: `weight` in per cent, None where none is given."""

    text: str
    feedback: str
    weight: Decimal | None


def read(text: str, language: str) -> Reading:
    """The questions of a GIFT file in `language`. Raises :class:`Unreadable` where it holds what no honest text holds."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if found := _HIDDEN.search(text):
        raise Unreadable(_("has an invisible control character"), text.count("\n", 0, found.start()) + 1)
    reading, category, count = Reading(), "", 0
    for line, comments, block in _blocks(text):
        if block.startswith("$CATEGORY:"):
            first, _newline, block = block.partition("\n")
            category = _post(first.removeprefix("$CATEGORY:")).strip()
            line += 1
        if not block.strip():
            continue
        count += 1
        if count > MOST_QUESTIONS:
            reading.leave(line, "", _("a file has at most %(n)s questions; what follows was not read", n=MOST_QUESTIONS))
            break
        named = _NAME.match(block)
        name = " ".join(_post(named[1]).split()) if named else ""
        try:
            draft = _question(block[named.end():] if named else block, language)
            draft = replace(draft, line=line, name=name or words.one_line(draft.words)[:60], category=category)
            reading.drafts.append(_told(draft, comments, language))
        except Refused as bad:
            reading.leave(line, name or " ".join(_post(block).split())[:60], str(bad))
    return reading


def _blocks(text: str) -> Iterator[tuple[int, list[str], str]]:
    """(line, comments, text) of what stands between blank lines; escaped characters are hidden."""
    begun, comments, lines = 0, list[str](), list[str]()
    for number, line in enumerate([*text.split("\n"), ""], 1):
        if line.startswith("//"):
            comments.append(line)
        elif line.strip():
            begun = begun or number
            lines.append(line)
        elif lines or comments:
            if lines:
                yield begun, comments, _pre("\n".join(lines))
            begun, comments, lines = 0, [], []


def _pre(text: str) -> str:
    return re.sub(r"\\([\\:#={}~n])", lambda found: chr(_FIRST + _ESCAPES.index(found[1])), text)


def _post(text: str) -> str:
    return re.sub("[\ufdd0-\ufdd7]", lambda found: "\n" if (c := _ESCAPES[ord(found[0]) - _FIRST]) == "n" else c, text)


def _told(draft: Draft, comments: list[str], language: str) -> Draft:
    """With what the comments say: an id, and what our own export had no other place for."""
    for comment in comments:
        if (found := _ID.search(comment)) and is_id(found[1]):
            draft = replace(draft, id=found[1])
        if found := _ANLAN.match(comment):
            try:
                draft = _with(draft, json.loads(found[1]))
            except (ValueError, TypeError, RecursionError):
                draft = replace(draft, notes=(*draft.notes, _("the comment “anlan” above it could not be read")))
    if draft.type == MATCHING and not all(draft.heads):
        draft = replace(draft, heads=HEADS[language])
    return draft


def _with(draft: Draft, said: Any) -> Draft:
    kinds: dict[str, Any] = {"difficulty": int, "objective": str, "rev": int, "medical": bool, "source": str}
    known = {key: said[key] for key, kind in kinds.items() if type(said.get(key)) is kind}
    if draft.type == NUMERIC and isinstance(unit := said.get("unit"), list) and list(map(type, unit)) == [str, str]:
        known["unit"] = tuple(unit)
    if draft.type == MATCHING and isinstance(heads := said.get("heads"), list) and list(map(type, heads)) == [str, str]:
        known["heads"] = tuple(heads)
    return replace(draft, **known)


def _question(block: str, language: str) -> Draft:
    form = "moodle"
    if found := _FORMAT.match(block):
        form, block = found[1], block[found.end():]
    start = block.find("{")
    if start < 0:
        raise Refused(_("has no answers: a description asks nothing"))
    end = block.find("}", start)
    if end < 0:
        raise Refused(_("the brace { of its answers is not closed; a blank line ends a question"))
    before, inside, after = block[:start], block[start + 1:end], block[end + 1:]
    if "{" in after:
        raise Refused(_("has several gaps; here a question has one"))
    asked = before.rstrip() + (f" {_BLANK} {after.strip()}" if after.strip() else "")
    inside, _mark, general = inside.partition("####")
    draft = _typed(inside.strip(), form, language)
    explanation = "\n\n".join(part for part in (_markdown(general, form), draft.explanation) if part)
    return replace(draft, words=_markdown(asked, form), explanation=explanation)


def _typed(inside: str, form: str, language: str) -> Draft:
    if not inside:
        raise Refused(_("an essay: nobody is there to mark it"))
    if inside.startswith("#"):
        return _numeric(inside[1:], form)
    if inside.startswith(">"):
        return _ordering(inside, form)
    if "~" in inside:
        return _choice(inside, form)
    if "=" in inside and "->" in inside:
        return _matching(inside, form)
    if (found := re.match(r"(TRUE|T|FALSE|F)\s*(?=#|\Z)", inside)) is not None:
        return _truefalse(found[1][0] == "T", inside[found.end():], form, language)
    return _text(inside, form)


def _answers(inside: str, marks: str) -> list[tuple[str, _Answer]]:
    """(mark, answer) of each answer; one before the first mark has none."""
    made = []
    for found in re.finditer(rf"([{marks}]?)([^{marks}]*)", inside):
        mark, text = found[1], found[2]
        if not mark and not text.strip():
            continue
        weight = None
        if weighed := _WEIGHT.match(text):
            weight, text = Decimal(weighed[1]), text[weighed.end():]
        words_, _hash, feedback = text.partition("#")
        made.append((mark, _Answer(words_.strip(), feedback.strip(), weight)))
    return made


def _choice(inside: str, form: str) -> Draft:
    found = [(mark, one) for mark, one in _answers(inside, "=~") if mark]
    weights = [one.weight if one.weight is not None else Decimal(100 if mark == "=" else 0) for mark, one in found]
    single = any(mark == "=" for mark, _one in found)
    notes: tuple[str, ...] = ()
    if single:
        rights = [weight == 100 for weight in weights]
        if sum(rights) != 1:
            raise Refused(_("%(n)s options are worth all points where one is chosen; here exactly one is right", n=sum(rights)))
        if any(0 < weight < 100 for weight in weights):
            notes = (_("an option that was worth part of the points counts as wrong here"),)
    else:
        rights = [weight > 0 for weight in weights]
        notes = uneven(weights)
    options = tuple(Option(words.one_line(_markdown(one.text, form)), words.one_line(_markdown(one.feedback, form)), right)
                    for (_mark, one), right in zip(found, rights, strict=True))
    return Draft(0, "", SINGLE if single else MULTIPLE, "", options=options, notes=notes)


def uneven(weights: list[Decimal]) -> tuple[str, ...]:
    """What is lost of the weights of a question with several right options."""
    right = [weight for weight in weights if weight > 0]
    wrong = {weight for weight in weights if weight <= 0}
    even = not right or max(right) - min(right) < Decimal("0.01")
    if even and (not right or all(abs(weight + right[0]) < Decimal("0.01") for weight in wrong)):
        return ()
    return (_("the weights are others here: each right option counts the same, and a wrong one takes as much away"),)


def _matching(inside: str, form: str) -> Draft:
    pairs, lures = [], 0
    for _mark, one in _answers(inside, "="):
        left, arrow, right = one.text.partition("->")
        if not arrow:
            raise Refused(_("a pair has no “->”"))
        if not left.strip():
            lures += 1
            continue
        pairs.append((cell(_markdown(left, form)), cell(_markdown(right, form))))
    notes = (_("%(n)s right-hand sides that belong to nothing were left out", n=lures),) if lures else ()
    return Draft(0, "", MATCHING, "", pairs=tuple(pairs), notes=notes)


def cell(markdown: str) -> str:
    return words.one_line(markdown).replace("\\|", "|")


def _ordering(inside: str, form: str) -> Draft:
    found = _ORDER.match(inside)
    rest = inside[found.end():] if found else inside[1:]
    items = [words.one_line(_markdown(line, form)) for line in rest.split("\n") if line.strip()]
    return Draft(0, "", ORDERING, "", items=tuple(items))


def _truefalse(right: bool, rest: str, form: str, language: str) -> Draft:
    """Behind the first # stands what is said to a wrong answer, behind the second what is said to the right one."""
    told = [words.one_line(_markdown(one, form)) for one in rest.removeprefix("#").split("#")] + ["", ""]
    wrong_said, right_said = told[:2]
    yes, no = TRUE_FALSE[language]
    to_true, to_false = (right_said, wrong_said) if right else (wrong_said, right_said)
    options = (Option(yes, to_true, right), Option(no, to_false, not right))
    return Draft(0, "", TRUEFALSE, "", options=options)


def _numeric(inside: str, form: str) -> Draft:
    found = [one for _mark, one in _answers(inside, "=") if one.text]
    whole = [one for one in found if one.weight in (None, 100)]
    if len(whole) != 1:
        raise Refused(_("%(n)s numbers are worth all points; here one is right, with a tolerance", n=len(whole)))
    value, tolerance = span(whole[0].text)
    return Draft(0, "", NUMERIC, "", value=value, tolerance=tolerance, explanation=_markdown(whole[0].feedback, form),
                 notes=partly(len(found) > 1))


def partly(there: bool) -> tuple[str, ...]:
    return (_("answers that were worth part of the points count as wrong here"),) if there else ()


def span(text: str) -> tuple[Decimal, Decimal]:
    """Value and tolerance of ``5``, ``5:0.5`` and ``4.5..5.5``. Raises what :func:`read` catches."""
    low, dots, high = text.partition("..")
    try:
        if dots:
            least, most = _decimal(low), _decimal(high)
            return (least + most) / 2, abs(most - least) / 2
        value, _colon, tolerance = text.partition(":")
        return _decimal(value), abs(_decimal(tolerance)) if tolerance.strip() else Decimal(0)
    except InvalidOperation as error:
        raise Refused(_("“%(text)s” is no number", text=_post(text)[:40])) from error


def _decimal(text: str) -> Decimal:
    value = Decimal(_post(text).strip().replace(",", "."))
    if not value.is_finite() or abs(value) > Decimal(10) ** 9 or (value and abs(value) < Decimal(10) ** -9):
        raise InvalidOperation
    return value.quantize(Decimal("0.000000001")).normalize() if value else Decimal(0)


def _text(inside: str, form: str) -> Draft:
    found = [one for _mark, one in _answers(inside, "=") if one.text]
    whole = [one for one in found if one.weight in (None, 100)]
    accept, starred = accepted([_post(one.text) for one in whole])
    if not accept:
        raise Refused(_("no answer is worth all points, or it is a pattern (*) that stands for many"))
    told = next((said for one in whole if (said := _markdown(one.feedback, form))), "")
    return Draft(0, "", TEXT, "", accept=accept, explanation=told, notes=(*partly(len(found) > len(whole)), *starred))


def accepted(answers: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Those that are no patterns, and what is to be said of the others."""
    plain = tuple(dict.fromkeys(" ".join(one.replace("\\*", "＊").split()).replace("＊", "*") for one in answers
                                if "*" not in one.replace("\\*", "")))
    return plain, (_("answers with a pattern (*) were left out"),) if len(plain) < len(set(answers)) else ()


def _markdown(text: str, form: str) -> str:
    """Text of a question as our Markdown."""
    if (found := _FORMAT.match(text)) is not None:
        form, text = found[1], text[found.end():]
    shown = _post(text).strip()
    if form == "markdown":
        return shown
    if form == "html" or (form == "moodle" and words.looks_like_html(shown)):
        return words.Html(lambda _source, _alt: None).markdown(shown.replace("\n", "<br>") if form == "moodle" else shown)
    return words.escaped(shown)
