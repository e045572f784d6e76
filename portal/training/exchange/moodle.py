"""Moodle's XML, read as a tree without entities, documents from elsewhere or a network.

Each text is HTML (or what its `format` says) with its files beside it; see :mod:`portal.training.exchange.words` for what
becomes of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from lxml import etree

from portal.training.content.fields import is_id
from portal.training.content.markdown import LEAST_ALT
from portal.training.content.questions import TRUE_FALSE
from portal.training.content.unfinished import WRITE
from portal.training.content.values import MATCHING, MULTIPLE, NUMERIC, ORDERING, SINGLE, TEXT, TRUEFALSE
from portal.training.exchange import gift, words
from portal.training.exchange.drafts import MOST_QUESTIONS, Draft, Option, Reading, Refused, Unreadable
from portal.training.exchange.pictures import Pictures

#: Why a type cannot be taken.
_NOT = {
    "essay": _l("an essay: nobody is there to mark it"),
    "description": _l("a description asks nothing"),
    "cloze": _l("has several gaps; here a question has one"),
    "multianswer": _l("has several gaps; here a question has one"),
    "calculated": _l("its numbers are worked out anew each time"),
    "calculatedmulti": _l("its numbers are worked out anew each time"),
    "calculatedsimple": _l("its numbers are worked out anew each time"),
    "gapselect": _l("words to choose in several gaps; here a question has one"),
    "ddwtos": _l("words to drag into gaps of a text; here only whole lines are put in order"),
    "ddmarker": _l("marks to drag onto a picture: draw its areas here by hand"),
    "ddimageortext": _l("things to drag onto a picture: draw its areas here by hand"),
    "random": _l("a draw from other questions, and none itself"),
    "randomsamatch": _l("a draw from other questions, and none itself"),
}
_LOST = _l("left out of its text: %(names)s")
_TEXT_FORMATS = {"html": "html", "moodle_auto_format": "moodle", "plain_text": "plain", "markdown": "markdown"}


@dataclass(slots=True)
class _Question:
    """One question at work."""

    element: etree._Element
    pictures: Pictures
    language: str
    notes: list[str] = field(default_factory=list)

    def text(self, path: str) -> str:
        """What stands at a path below the question, bare."""
        return (self.element.findtext(path) or "").strip()

    def markdown(self, element: etree._Element | None) -> str:
        """A text with its format and files as Markdown."""
        if element is None:
            return ""
        said = element.findtext("text") or ""
        form = _TEXT_FORMATS.get(element.get("format") or self._format(), "html")
        if form == "markdown":
            return said.strip()
        if form == "plain" or not (form == "html" or words.looks_like_html(said)):
            return words.escaped(said)
        files = {str(one.get("name", "")): "".join((one.text or "").split()) for one in element.findall("file")}
        html = words.Html(lambda source, alt: self.pictures.take(source, files))
        made = _with_alt(html.markdown(said.replace("\n", "<br>") if form == "moodle" else said))
        if html.lost:
            self.notes.append(_LOST % {"names": ", ".join(sorted(set(html.lost)))})
        return made

    def _format(self) -> str:
        text = self.element.find("questiontext")
        return "html" if text is None else text.get("format") or "html"

    def line(self, element: etree._Element | None) -> str:
        return words.one_line(self.markdown(element))

    @staticmethod
    def bare(element: etree._Element) -> str:
        """The text of an answer that is no HTML."""
        return (element.findtext("text") or "").strip()

    def answers(self) -> Iterator[tuple[etree._Element, Decimal]]:
        """Each answer and what it is worth in per cent."""
        for element in self.element.findall("answer"):
            try:
                worth = Decimal(str(element.get("fraction", "0")))
            except InvalidOperation as error:
                raise Refused(_("“%(text)s” is no number", text=str(element.get("fraction"))[:40])) from error
            if not worth.is_finite():
                raise Refused(_("“%(text)s” is no number", text=str(worth)))
            yield element, worth


def read(body: bytes, language: str) -> Reading:
    """The questions of a Moodle XML file in `language`. Raises :class:`Unreadable` for what is no such file."""
    root = _tree(body)
    reading, pictures, category, count = Reading(), Pictures(), "", 0
    for element in root.iter("question"):
        kind, line = str(element.get("type", "")).lower(), int(element.sourceline or 0)  # type: ignore[call-overload]
        if kind == "category":
            category = (element.findtext("category/text") or "").strip()
            continue
        count += 1
        if count > MOST_QUESTIONS:
            reading.leave(line, "", _("a file has at most %(n)s questions; what follows was not read", n=MOST_QUESTIONS))
            break
        question = _Question(element, pictures, language)
        name = " ".join(question.text("name/text").split())
        try:
            if kind not in _READERS:
                raise Refused(str(_NOT.get(kind) or _("there is no such type here: %(type)s", type=kind[:40])))
            draft = _common(_READERS[kind](question), question)
            reading.drafts.append(replace(draft, line=line, name=name or words.one_line(draft.words)[:60], category=category))
        except Refused as bad:
            reading.leave(line, name, str(bad))
    reading.pictures = pictures.made
    return reading


def _tree(body: bytes) -> etree._Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False,
                             remove_comments=True, remove_pis=True)
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        raise Unreadable(_("is no well-formed XML: %(problem)s", problem=error.msg), error.lineno or 0) from error
    if root.getroottree().docinfo.doctype:
        raise Unreadable(_("has a DOCTYPE, which no file of Moodle has; remove it"), 1)
    if root.tag != "quiz":
        raise Unreadable(_("is no question bank of Moodle: its outermost element is not <quiz>"), 1)
    return root


def _common(draft: Draft, question: _Question) -> Draft:
    asked = question.markdown(question.element.find("questiontext"))
    general = question.markdown(question.element.find("generalfeedback"))
    number = question.text("idnumber")
    return replace(draft, words=asked, explanation="\n\n".join(part for part in (general, draft.explanation) if part),
                   id=number if is_id(number) else "", notes=(*draft.notes, *dict.fromkeys(question.notes)))


def _with_alt(markdown: str) -> str:
    """Pictures whose words are too short get a mark that asks for better ones."""
    def better(found: re.Match[str]) -> str:
        return found[0] if len(found[1].strip()) >= LEAST_ALT else f"![{WRITE} {found[1]}]({found[2]})"
    return re.sub(r"!\[([^\]]*)\]\((\.\./media/[^)]*)\)", better, markdown)


def _choice(question: _Question) -> Draft:
    found = list(question.answers())
    worths = [worth for _element, worth in found]
    single = question.text("single").lower() not in ("false", "0")
    notes: tuple[str, ...] = ()
    if single:
        rights = [worth >= 100 for worth in worths]
        if sum(rights) != 1:
            raise Refused(_("%(n)s options are worth all points where one is chosen; here exactly one is right", n=sum(rights)))
        if any(0 < worth < 100 for worth in worths):
            notes = (_("an option that was worth part of the points counts as wrong here"),)
    else:
        rights = [worth > 0 for worth in worths]
        notes = gift.uneven(worths)
    options = tuple(Option(question.line(element), question.line(element.find("feedback")), right)
                    for (element, _worth), right in zip(found, rights, strict=True))
    return Draft(0, "", SINGLE if single else MULTIPLE, "", options=options, notes=notes)


def _truefalse(question: _Question) -> Draft:
    told = {question.bare(element).lower(): (question.line(element.find("feedback")), worth > 0)
            for element, worth in question.answers()}
    if set(told) != {"true", "false"}:
        raise Refused(_("its answers are not true and false"))
    shown = zip(TRUE_FALSE[question.language], ("true", "false"), strict=True)
    options = tuple(Option(line, *told[key]) for line, key in shown)
    return Draft(0, "", TRUEFALSE, "", options=options)


def _matching(question: _Question) -> Draft:
    pairs, lures = [], 0
    for element in question.element.findall("subquestion"):
        left, right = question.markdown(element), words.escaped(element.findtext("answer/text") or "")
        if not left:
            lures += 1
        else:
            pairs.append((gift.cell(left), gift.cell(right)))
    notes = (_("%(n)s right-hand sides that belong to nothing were left out", n=lures),) if lures else ()
    return Draft(0, "", MATCHING, "", pairs=tuple(pairs), notes=notes, heads=gift.HEADS[question.language])


def _ordering(question: _Question) -> Draft:
    return Draft(0, "", ORDERING, "", items=tuple(question.line(element) for element in question.element.findall("answer")))


def _numeric(question: _Question) -> Draft:
    found = [(element, worth) for element, worth in question.answers() if question.bare(element) not in ("", "*")]
    whole = [element for element, worth in found if worth >= 100]
    if len(whole) != 1:
        raise Refused(_("%(n)s numbers are worth all points; here one is right, with a tolerance", n=len(whole)))
    value, tolerance = gift.span(f"{question.bare(whole[0])}:{(whole[0].findtext('tolerance') or '0').strip()}")
    units = [(unit.findtext("unit_name") or "").strip() for unit in question.element.iter("unit")]
    notes = gift.partly(any(0 < worth < 100 for _element, worth in found))
    if len(units) > 1:
        notes = (*notes, _("of its units only the first one is kept"))
    unit = (units[0], "") if units and question.language == "zh" else ("", units[0]) if units else ("", "")
    return Draft(0, "", NUMERIC, "", value=value, tolerance=tolerance, unit=unit, notes=notes,
                 explanation=question.markdown(whole[0].find("feedback")))


def _text(question: _Question) -> Draft:
    found = list(question.answers())
    whole = [element for element, worth in found if worth >= 100]
    accept, starred = gift.accepted([question.bare(element) for element in whole])
    if not accept:
        raise Refused(_("no answer is worth all points, or it is a pattern (*) that stands for many"))
    told = next((said for element in whole if (said := question.markdown(element.find("feedback")))), "")
    return Draft(0, "", TEXT, "", accept=accept, explanation=told,
                 notes=(*gift.partly(any(0 < worth < 100 for _element, worth in found)), *starred))


_READERS: dict[str, Callable[[_Question], Draft]] = {
    "multichoice": _choice, "truefalse": _truefalse, "matching": _matching, "match": _matching, "ordering": _ordering,
    "numerical": _numeric, "shortanswer": _text,
}
