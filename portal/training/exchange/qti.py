"""A question as an item of QTI: what is asked, what is right, what it is worth, and what is said afterwards.

Points are those of :mod:`portal.training.grading`, except for an order, which QTI's own rules give all points or none.
Scenarios have no form in QTI that other programs read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import lxml.html
from lxml import etree

from portal.training.content import markdown
from portal.training.content.markdown import Picture
from portal.training.content.values import (
    MULTIPLE,
    TRUEFALSE,
    Choice,
    Hotspot,
    Matching,
    Medium,
    Numeric,
    Ordering,
    Question,
    ShortText,
)
from portal.training.exchange.qti_names import Form, add

_RESPONSE, _SCORE, _SAID, _EXPLAINED = "RESPONSE", "SCORE", "FEEDBACK", "EXPLANATION"
_TYPES = {"svg": "image/svg+xml", "png": "image/png", "webp": "image/webp"}
Made = etree._Element


@dataclass(frozen=True, slots=True)
class Item:
    """An item and the names of the media that it shows."""

    id: str
    xml: bytes
    pictures: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Parts:
    """What a type of question gives: how the response is declared, what is shown, how it is scored."""

    cardinality: str
    base: str
    right: Sequence[str]
    mapping: Mapping[str, Decimal]
    shown: list[Made | str]
    score: Made
    said: bool = False
    case: bool = True


def identifier(question_id: str) -> str:
    """An id as QTI takes it: it begins with a letter."""
    return question_id if question_id[0].isalpha() else f"q-{question_id}"


def item(question: Question, language: str, media: Mapping[str, Medium], form: Form) -> Item | None:
    """The item of a question in one language; None for a question that has no form in QTI."""
    maker = _MAKERS.get(type(question))
    if maker is None:
        return None
    make, writer = form.make, _Writer(form, language, media)
    parts = maker(question, writer)
    top = form.root("assessmentItem", {"identifier": identifier(question.id), "title": question.id, "adaptive": "false",
                                       "timeDependent": "false"}, {"zh": "zh-CN"}.get(language, language))
    declared = make("responseDeclaration", {"identifier": _RESPONSE, "cardinality": parts.cardinality, "baseType": parts.base},
                    make("correctResponse", None, *(make("value", None, one) for one in parts.right)))
    if parts.mapping:
        declared.append(_mapping(make, parts))
    top.append(declared)
    top.append(make("outcomeDeclaration", {"identifier": _SCORE, "cardinality": "single", "baseType": "float"},
                    make("defaultValue", None, make("value", None, "0"))))
    if parts.said:
        top.append(make("outcomeDeclaration", {"identifier": _SAID, "cardinality": parts.cardinality, "baseType": "identifier"}))
    top.append(make("outcomeDeclaration", {"identifier": _EXPLAINED, "cardinality": "single", "baseType": "identifier"}))
    top.append(make("itemBody", None, *writer.blocks(question.words[language]), *parts.shown))
    top.append(_processing(make, parts))
    explanation: list[Any] = writer.blocks(question.explanation[language])
    if form.dashed:
        explanation = [make("contentBody", None, *explanation)]
    shown_always = {"outcomeIdentifier": _EXPLAINED, "identifier": "explanation", "showHide": "show"}
    top.append(make("modalFeedback", shown_always, *explanation))
    body = etree.tostring(top, xml_declaration=True, encoding="UTF-8")
    return Item(identifier(question.id), body, tuple(writer.used))


class _Writer:
    """Texts of a question as what stands in an item; `used` gathers the pictures."""

    def __init__(self, form: Form, language: str, media: Mapping[str, Medium]) -> None:
        self.form, self.language, self.media = form, language, media
        self.used: list[str] = []
        self.pictures = {name: Picture(f"../media/{name}", medium.width, medium.height) for name, medium in media.items()}

    def blocks(self, text: str) -> list[Made | str]:
        return self._read(markdown.html(text, self.pictures))

    def inline(self, text: str) -> list[Made | str]:
        return self._read(markdown.inline(text))

    def _read(self, html: str) -> list[Made | str]:
        tree = lxml.html.fragment_fromstring(html, create_parent="div")
        for image in tree.iter("img"):
            self.use(str(image.get("src")).removeprefix("../media/"))
        return self.form.taken(tree)

    def use(self, name: str) -> None:
        if name not in self.used:
            self.used.append(name)


def _mapping(make: Callable[..., Made], parts: _Parts) -> Made:
    made = make("mapping", {"lowerBound": "0", "upperBound": "1", "defaultValue": "0"})
    for key, value in parts.mapping.items():
        attributes = {"mapKey": key, "mappedValue": f"{value:f}"}
        made.append(make("mapEntry", attributes if parts.case else attributes | {"caseSensitive": "false"}))
    return made


def _processing(make: Callable[..., Made], parts: _Parts) -> Made:
    made = make("responseProcessing", None, parts.score)
    if parts.said:
        made.append(make("setOutcomeValue", {"identifier": _SAID}, make("variable", {"identifier": _RESPONSE})))
    made.append(make("setOutcomeValue", {"identifier": _EXPLAINED}, make("baseValue", {"baseType": "identifier"}, "explanation")))
    return made


def _all_or_nothing(make: Callable[..., Made], test: Made) -> Made:
    def score(points: str) -> Made:
        return make("setOutcomeValue", {"identifier": _SCORE}, make("baseValue", {"baseType": "float"}, points))
    return make("responseCondition", None, make("responseIf", None, test, score("1")), make("responseElse", None, score("0")))


def _matches(make: Callable[..., Made]) -> Made:
    test = make("match", None, make("variable", {"identifier": _RESPONSE}), make("correct", {"identifier": _RESPONSE}))
    return _all_or_nothing(make, test)


def _mapped(make: Callable[..., Made]) -> Made:
    return make("setOutcomeValue", {"identifier": _SCORE}, make("mapResponse", {"identifier": _RESPONSE}))


def _shares(rights: Mapping[str, bool]) -> dict[str, Decimal]:
    """Right ones share the point, wrong ones take as much away."""
    share = (Decimal(1) / max(1, sum(rights.values()))).quantize(Decimal("0.000001"))
    return {name: share if right else -share for name, right in rights.items()}


def _choice(question: Choice, writer: _Writer) -> _Parts:
    make, language, many = writer.form.make, writer.language, question.type == MULTIPLE
    rights = {f"c{n}": option.right for n, option in enumerate(question.options)}
    shown = make("choiceInteraction", {"responseIdentifier": _RESPONSE, "maxChoices": "0" if many else "1",
                                       "shuffle": "false" if question.type == TRUEFALSE else "true"})
    for name, option in zip(rights, question.options, strict=True):
        choice = make("simpleChoice", {"identifier": name}, *writer.inline(option.words[language]))
        if option.feedback[language]:
            add(choice, [make("feedbackInline", {"outcomeIdentifier": _SAID, "identifier": name, "showHide": "show"},
                              *writer.inline(option.feedback[language]))])
        shown.append(choice)
    return _Parts("multiple" if many else "single", "identifier", [name for name, right in rights.items() if right],
                  _shares(rights) if many else {}, [shown], _mapped(make) if many else _matches(make), said=True)


def _mixed(names: Sequence[str], salt: str) -> list[str]:
    """In an order that tells nothing, for programs that do not shuffle."""
    return sorted(names, key=lambda name: hashlib.sha256(f"{salt}\0{name}".encode()).digest())


def _ordering(question: Ordering, writer: _Writer) -> _Parts:
    make = writer.form.make
    names = [f"c{n}" for n in range(len(question.items))]
    shown = make("orderInteraction", {"responseIdentifier": _RESPONSE, "shuffle": "true"})
    for name in _mixed(names, question.id):
        shown.append(make("simpleChoice", {"identifier": name}, *writer.inline(question.items[int(name[1:])][writer.language])))
    return _Parts("ordered", "identifier", names, {}, [shown], _matches(make))


def _matching(question: Matching, writer: _Writer) -> _Parts:
    make, many = writer.form.make, len(question.pairs)
    sides = []
    for side, stem in ((0, "l"), (1, "r")):
        names = [f"{stem}{n}" for n in range(many)]
        sides.append(make("simpleMatchSet", None, *(
            make("simpleAssociableChoice", {"identifier": name, "matchMax": "1"},
                 *writer.inline(question.pairs[int(name[1:])][side][writer.language]))
            for name in (_mixed(names, question.id) if side else names))))
    shown = make("matchInteraction", {"responseIdentifier": _RESPONSE, "shuffle": "true", "maxAssociations": str(many)}, *sides)
    right = [f"l{n} r{n}" for n in range(many)]
    return _Parts("multiple", "directedPair", right, _shares(dict.fromkeys(right, True)), [shown], _mapped(make))


def _numeric(question: Numeric, writer: _Writer) -> _Parts:
    make, unit = writer.form.make, question.unit[writer.language]
    entry = make("textEntryInteraction", {"responseIdentifier": _RESPONSE, "expectedLength": "10"})
    within = f"{question.tolerance:f}"
    test = make("equal", {"toleranceMode": "absolute", "tolerance": f"{within} {within}"},
                make("variable", {"identifier": _RESPONSE}), make("correct", {"identifier": _RESPONSE}))
    line = writer.form.html("p", None, entry, f" {unit}" if unit else "")
    return _Parts("single", "float", [f"{question.value:f}"], {}, [line], _all_or_nothing(make, test))


def _text(question: ShortText, writer: _Writer) -> _Parts:
    make = writer.form.make
    accept = list(dict.fromkeys((*question.accept[writer.language], *question.accept.zh, *question.accept.en)))
    entry = make("textEntryInteraction", {"responseIdentifier": _RESPONSE, "expectedLength": "30"})
    return _Parts("single", "string", accept[:1], dict.fromkeys(accept, Decimal(1)), [writer.form.html("p", None, entry)],
                  _mapped(make), case=False)


def _hotspot(question: Hotspot, writer: _Writer) -> _Parts:
    make, language = writer.form.make, writer.language
    name = question.image[language]
    medium = writer.media.get(name)
    wide, high = (medium.width or 1000, medium.height or 1000) if medium else (1000, 1000)
    writer.use(name)
    size = {"width": str(wide), "height": str(high)}
    if writer.form.dashed:
        picture = writer.form.html("img", {"src": f"../media/{name}", "alt": question.alt[language]} | size)
    else:
        kind = _TYPES[name.rpartition(".")[2]]
        picture = writer.form.html("object", {"data": f"../media/{name}", "type": kind} | size, question.alt[language])
    rights = {area.id: area.right for area in question.areas}
    many = sum(rights.values()) > 1
    named = {area.id: f"a-{area.id}" for area in question.areas}
    shown = make("hotspotInteraction", {"responseIdentifier": _RESPONSE, "maxChoices": "0" if many else "1"}, picture)
    for area in question.areas:
        edges = (area.x * wide, area.y * high, (area.x + area.w) * wide, (area.y + area.h) * high)
        coords = ",".join(str(round(edge / 100)) for edge in edges)
        label = {} if writer.form.dashed else {"hotspotLabel": area.label[language]}
        shown.append(make("hotspotChoice", {"identifier": named[area.id], "shape": "rect", "coords": coords} | label))
    return _Parts("multiple" if many else "single", "identifier", [named[one] for one, right in rights.items() if right],
                  _shares({named[one]: right for one, right in rights.items()}) if many else {}, [shown],
                  _mapped(make) if many else _matches(make))


_MAKERS: dict[type[Question], Callable[..., _Parts]] = {
    Choice: _choice, Ordering: _ordering, Matching: _matching, Numeric: _numeric, ShortText: _text, Hotspot: _hotspot,
}
