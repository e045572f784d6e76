"""Text of other programs as our Markdown: plain text by escaping what would mean something, HTML by what it looks like.

Of HTML nothing is passed on: it is read as a tree, and Markdown is written for the elements that our texts may have. Scripts,
styles and forms are left out with all that is in them, of other elements the text stays.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import lxml.html
from lxml import etree

#: Characters that may mean something in Markdown wherever they stand.
_SPECIAL = re.compile(r"([\\`*_\[\]<>~|])")
#: And at the beginning of a line.
_LINE_START = re.compile(r"^(\s*)(#{1,6}(?=\s|$)|[-+=](?=\s|$|-|=)|\d{1,9}[.)](?=\s|$))", re.MULTILINE)
_TAGS = re.compile(r"</?[a-zA-Z][^<>]*>|&(?:[a-zA-Z]+|#\d+);")
_DEEPEST, _LONGEST = 40, 200_000
_SKIPPED = frozenset({"script", "style", "head", "title", "object", "embed", "iframe", "noscript", "template", "form", "input",
                      "button", "select", "textarea", "audio", "video", "source", "track", "svg", "math"})
_BLOCKS = frozenset({"p", "div", "section", "article", "blockquote", "pre", "h1", "h2", "h3", "h4", "h5", "h6", "address", "dl",
                     "dt", "dd", "figure", "figcaption", "header", "footer"})
_RAISED = str.maketrans("0123456789+-()", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾")
_LOWERED = str.maketrans("0123456789+-()", "₀₁₂₃₄₅₆₇₈₉₊₋₍₎")


def escaped(text: str) -> str:
    """Markdown that shows `text` as it is; its lines stay lines."""
    return "\n".join(_escaped_line(line) for line in text.replace("\r", "").split("\n")).strip()


def _escaped_line(line: str) -> str:
    made = _SPECIAL.sub(r"\\\1", line.strip())

    def guard(found: re.Match[str]) -> str:
        mark = found[2]
        return f"{found[1]}{mark[:-1]}\\{mark[-1]}" if mark[0].isdigit() else f"{found[1]}\\{mark}"
    return _LINE_START.sub(guard, made)


def looks_like_html(text: str) -> bool:
    return _TAGS.search(text) is not None


def one_line(text: str) -> str:
    """Markdown of one line, for an option, a cell, a heading."""
    return " ".join(text.replace("\\\n", " ").split())


@dataclass(slots=True)
class Html:
    """One reading of HTML. `picture` takes an address and the words for it, and gives the name of a medium or None; what was
    left out is in `lost`."""

    picture: Callable[[str, str], str | None]
    lost: list[str] = field(default_factory=list)

    def markdown(self, text: str) -> str:
        if not text.strip():
            return ""
        if len(text) > _LONGEST:
            self.lost.append("length")
            text = text[:_LONGEST]
        parser = lxml.html.HTMLParser(no_network=True, huge_tree=False, remove_comments=True, remove_pis=True, encoding="utf-8")
        try:
            tree = lxml.html.document_fromstring(f"<div>{text}</div>".encode(), parser=parser)
        except (etree.ParserError, etree.XMLSyntaxError, ValueError):
            return ""
        return _tidy(self._inside(tree, 0))

    def _inside(self, element: etree._Element, depth: int) -> str:
        if depth > _DEEPEST:
            self.lost.append("depth")
            return ""
        made = [_text(element.text)]
        for child in element:
            if isinstance(child.tag, str):
                made.append(self._one(child, depth + 1))
            made.append(_text(child.tail))
        return "".join(made)

    def _one(self, element: etree._Element, depth: int) -> str:
        tag = str(element.tag).lower()
        if tag in _SKIPPED:
            self.lost.append(tag)
            return ""
        if tag == "br":
            return "\\\n" if element.getnext() is not None or (element.tail or "").strip() else ""
        if tag == "img":
            return self._picture(element)
        if tag in ("ul", "ol"):
            return self._list(element, depth)
        if tag == "table":
            return self._table(element, depth)
        inside = self._inside(element, depth)
        if tag in ("strong", "b") or (tag in ("h1", "h2", "h3", "h4", "h5", "h6")):
            inside = _around(inside, "**")
        elif tag in ("em", "i"):
            inside = _around(inside, "*")
        elif tag == "sup":
            inside = inside.translate(_RAISED)
        elif tag == "sub":
            inside = inside.translate(_LOWERED)
        elif tag == "a" and str(element.get("href", "")).startswith("http"):
            self.lost.append("a")
        return f"\n\n{inside.strip()}\n\n" if tag in _BLOCKS else inside

    def _picture(self, element: etree._Element) -> str:
        words = " ".join(_SPECIAL.sub("", str(element.get("alt", ""))).split())
        name = self.picture(str(element.get("src", "")), words)
        if name is None:
            self.lost.append("img")
            return _text(words)
        return f"\n\n![{words}](../media/{name})\n\n"

    def _list(self, element: etree._Element, depth: int) -> str:
        lines = []
        for n, item in enumerate((one for one in element if one.tag == "li"), 1):
            words = one_line(_tidy(self._inside(item, depth)))
            if words:
                lines.append(f"{n}. {words}" if element.tag == "ol" else f"- {words}")
        return "\n\n" + "\n".join(lines) + "\n\n"

    def _table(self, element: etree._Element, depth: int) -> str:
        rows = [[one_line(_tidy(self._inside(cell, depth))) for cell in row if cell.tag in ("td", "th")]
                for row in _rows(element)]
        rows = [row for row in rows if row]
        if not rows:
            return ""
        wide = max(map(len, rows))
        lines = ["| " + " | ".join(row + [""] * (wide - len(row))) + " |" for row in rows]
        return "\n\n" + "\n".join([lines[0], "|" + "---|" * wide, *lines[1:]]) + "\n\n"


def _rows(table: etree._Element) -> Iterator[etree._Element]:
    """The rows of a table itself. Those of a table within one of its cells are that one's: read for both, a few dozen tables
    within each other would never end."""
    for part in table:
        if part.tag == "tr":
            yield part
        elif part.tag in ("thead", "tbody", "tfoot"):
            yield from (row for row in part if row.tag == "tr")


def _text(text: str | None) -> str:
    return re.sub(r"\s+", " ", _SPECIAL.sub(r"\\\1", (text or "").replace("\xa0", " ")))


def _around(inside: str, mark: str) -> str:
    """Emphasis with no space inside its marks, which would not pair, and none around nothing."""
    words = inside.strip()
    if not words or "\n" in words or mark[0] in words.replace("\\*", ""):
        return inside
    return f"{' ' if inside[:1].isspace() else ''}{mark}{words}{mark}{' ' if inside[-1:].isspace() else ''}"


def _tidy(text: str) -> str:
    """Paragraphs with one empty line between them, lines without spaces at their ends."""
    blocks = []
    for block in re.split(r"\n\s*\n", text):
        lines = [line.strip() for line in block.strip().split("\n")]
        lines = [line for line in lines if line not in ("", "\\")]
        if lines:
            lines[-1] = lines[-1].removesuffix("\\") if not lines[-1].endswith("\\\\") else lines[-1]
            lines = [line if line.startswith(("- ", "|", "![")) or re.match(r"\d+\. ", line) else _LINE_START.sub(r"\1\\\2", line)
                     for line in lines]
            blocks.append("\n".join(lines))
    return "\n\n".join(blocks)
