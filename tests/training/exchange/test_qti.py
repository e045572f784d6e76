"""What goes out as QTI is well formed, whole, in the order of the specification, and worth the same there as here."""

from __future__ import annotations

import io
import zipfile
from fractions import Fraction

import pytest
from hypothesis import given, settings
from lxml import etree

from portal.training import grading
from portal.training.content import reader
from portal.training.content.values import Choice, Hotspot, Matching, Numeric, Ordering, Question, Scenario, ShortText
from portal.training.exchange import going, planning, qti
from portal.training.exchange.qti_names import QTI21, QTI30
from tests.training.conftest import CONTENT
from tests.training.test_round_trip import questions

#: Children of an item in the order in which the specification has them.
ORDER = ["response-declaration", "outcome-declaration", "item-body", "response-processing", "modal-feedback"]
XSI = "{http://www.w3.org/2001/XMLSchema-instance}schemaLocation"


def plain(element: etree._Element) -> str:
    """The name of an element as QTI 3.0 has it, without its prefix."""
    name = etree.QName(element).localname.removeprefix("qti-")
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in name)


def find(top: etree._Element, name: str) -> list[etree._Element]:
    return [one for one in top.iter() if plain(one) == name]


def value(element: etree._Element, name: str) -> str:
    camel = "".join(part if n == 0 else part.title() for n, part in enumerate(name.split("-")))
    return element.get(name) or element.get(camel) or ""


def score(top: etree._Element, response: set[str] | list[str] | str) -> Fraction:
    """What an answer is worth by the rules that an item brings along."""
    (declared,) = find(top, "response-declaration")
    right = [one.text or "" for one in find(find(declared, "correct-response")[0], "value")]
    (processing,) = find(top, "response-processing")
    if find(processing, "map-response"):
        (mapping,) = find(declared, "mapping")
        worth = {value(one, "map-key"): Fraction(value(one, "mapped-value")) for one in find(mapping, "map-entry")}
        said = [response] if isinstance(response, str) else response
        total = sum((worth.get(one, Fraction(0)) for one in said), Fraction(0))
        return min(Fraction(value(mapping, "upper-bound")), max(Fraction(value(mapping, "lower-bound")), total))
    if equal := find(processing, "equal"):
        below, above = map(Fraction, value(equal[0], "tolerance").split())
        return Fraction(Fraction(right[0]) - below <= Fraction(str(response)) <= Fraction(right[0]) + above)
    if value(declared, "cardinality") == "ordered":
        return Fraction(list(response) == right)
    return Fraction({response} == set(right) if isinstance(response, str) else set(response) == set(right))


def answers(question: Question) -> list[tuple[object, object]]:
    """Answers as we take them and as QTI does: the right one, wrong ones, parts."""
    if isinstance(question, Choice):
        if question.type != "multiple":
            return [(n, f"c{n}") for n in range(len(question.options))]
        every = range(len(question.options))
        some = [[n] for n in every] + [list(every), [n for n in every if question.options[n].right]]
        return [(one, {f"c{n}" for n in one}) for one in some]
    if isinstance(question, Ordering):
        whole = list(range(len(question.items)))
        return [(whole, [f"c{n}" for n in whole])]
    if isinstance(question, Matching):
        size = len(question.pairs)
        ways = [list(range(size)), [(n + 1) % size for n in range(size)], [0, 2, 1, *range(3, size)]]
        return [(way, {f"l{at} r{n}" for at, n in enumerate(way)}) for way in ways]
    if isinstance(question, Numeric):
        edges = [question.value, question.value + question.tolerance, question.value - question.tolerance * 2 - 1]
        return [(f"{edge:f}", f"{edge:f}") for edge in edges]
    if isinstance(question, ShortText):
        return [(one, one) for one in (*question.accept.zh, *question.accept.en)]
    assert isinstance(question, Hotspot)
    many = sum(area.right for area in question.areas) > 1
    return [([area.id], {f"a-{area.id}"} if many else f"a-{area.id}") for area in question.areas]


@settings(max_examples=40)
@given(questions())
def test_an_item_is_in_order_and_worth_what_it_is_worth_here(question: Question) -> None:
    for form in (QTI21, QTI30):
        made = qti.item(question, "en", {}, form)
        if isinstance(question, Scenario):
            assert made is None
            continue
        assert made is not None
        top = etree.fromstring(made.xml)
        assert top.get(XSI) == " ".join(form.items)
        places = [ORDER.index(plain(child)) for child in top]
        assert places == sorted(places)
        for ours, theirs in answers(question):
            worth = grading.grade(question, ours).points
            assert abs(score(top, theirs) - worth) < Fraction(1, 1000), (ours, theirs)


@pytest.mark.parametrize("kind", ["qti3", "qti21"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_committed_course_is_a_whole_package(kind: str, language: str) -> None:
    body, left = going.write(kind, CONTENT, "first-responder", "", language)
    assert {one.reason.rpartition(" ")[2] for one in left} <= {"scenario"}
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.testzip() is None
        names = set(archive.namelist())
        manifest = etree.fromstring(archive.read("imsmanifest.xml"))
        resources = list(manifest.iter("{*}resource"))
        ids = [one.get("identifier") for one in resources]
        assert len(set(ids)) == len(ids)
        assert {one.get("href") for one in manifest.iter("{*}file")} == names - {"imsmanifest.xml"}
        assert {one.get("identifierref") for one in manifest.iter("{*}dependency")} <= set(ids)
        assert {one.get("type") for one in resources} == {
            going.FORMS[kind].item, going.FORMS[kind].test, "webcontent"}
        test = etree.fromstring(archive.read("test.xml"))
        asked = [value(one, "href") for one in find(test, "assessment-item-ref")]
        assert len(asked) == len(set(asked)) == sum(name.startswith("items/") for name in names)
        for name in asked:
            top = etree.fromstring(archive.read(name))
            assert f"items/{value(top, 'identifier')}.xml" == name
            declared = {value(one, "identifier") for one in find(top, "outcome-declaration")}
            for shown in find(top, "feedback-inline") + find(top, "modal-feedback"):
                assert value(shown, "outcome-identifier") in declared
            for picture in [one.get("src") or one.get("data") for one in top.iter("{*}img", "{*}object")]:
                assert picture.removeprefix("../") in names


def test_only_the_module_that_was_asked_for_goes_out_and_what_is_not_there_is_said() -> None:
    body, _left = going.write("qti3", CONTENT, "first-responder", "fire", "zh")
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        asked = {name for name in archive.namelist() if name.startswith("items/")}
    course = reader.read(CONTENT / "courses" / "first-responder").course
    fire = next(module for module in course.modules if module.id == "fire")
    assert asked == {f"items/{q.id}.xml" for q in fire.questions if not isinstance(q, Scenario)}
    with pytest.raises(planning.NoCourse, match="fire"):
        going.write("qti3", CONTENT, "first-responder", "flying", "zh")
    with pytest.raises(planning.NoCourse):
        going.write("gift", CONTENT, "../children", "", "zh")
