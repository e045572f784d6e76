"""The two forms of QTI that are written: 2.1, which most learning platforms read, and 3.0, the current one.

They say the same by other names: ``choiceInteraction`` and ``qti-choice-interaction``, ``maxChoices`` and ``max-choices``. What
is written is built with the names of 2.1 and takes on the others here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lxml import etree

_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_XML = "http://www.w3.org/XML/1998/namespace"
#: What of HTML may stand in an item, and with which attributes. Everything else that our Markdown makes is not needed there.
_HTML = frozenset({"p", "br", "strong", "em", "code", "pre", "blockquote", "ul", "ol", "li", "table", "thead", "tbody", "tr",
                   "th", "td", "div", "span", "img"})
_ATTRIBUTES = {"img": ("src", "alt", "width", "height")}


@dataclass(frozen=True, slots=True)
class Form:
    """One version. `items` and `package` are namespaces with the addresses of their schemas; `test` and `item` the types of
    resources in a manifest, `schema` what it calls itself."""

    version: str
    items: tuple[str, str]
    package: tuple[str, str]
    item: str
    test: str
    schema: tuple[str, str]

    @property
    def dashed(self) -> bool:
        return self.version == "3.0"

    @property
    def _names(self) -> dict[Any, str]:
        return {None: self.items[0]}

    def make(self, name: str, attributes: dict[str, str] | None = None, *children: etree._Element | str) -> etree._Element:
        """An element of an item or test."""
        tag = f"qti-{_dashed(name)}" if self.dashed else name
        made = etree.Element(f"{{{self.items[0]}}}{tag}", nsmap=self._names)
        for key, value in (attributes or {}).items():
            made.set(_dashed(key) if self.dashed else key, value)
        add(made, children)
        return made

    def html(self, name: str, attributes: dict[str, str] | None = None, *children: etree._Element | str) -> etree._Element:
        """An element of HTML within an item; it has the same name in both versions."""
        made = etree.Element(f"{{{self.items[0]}}}{name}", nsmap=self._names)
        for key, value in (attributes or {}).items():
            made.set(key, value)
        add(made, children)
        return made

    def root(self, name: str, attributes: dict[str, str], language: str = "") -> etree._Element:
        """The outermost element of a document."""
        made = self.make(name, attributes)
        names: dict[Any, str] = {None: self.items[0], "xsi": _XSI}
        top = etree.Element(made.tag, attrib={str(key): str(value) for key, value in made.attrib.items()}, nsmap=names)
        top.set(f"{{{_XSI}}}schemaLocation", " ".join(self.items))
        if language:
            top.set(f"{{{_XML}}}lang", language)
        return top

    def taken(self, element: etree._Element) -> list[etree._Element | str]:
        """What stands in an element of HTML, as it may stand in an item."""
        made: list[etree._Element | str] = [element.text or ""]
        for child in element:
            tag = str(child.tag)
            inside = self.taken(child)
            if tag in _HTML:
                kept = {key: str(child.get(key)) for key in _ATTRIBUTES.get(tag, ()) if child.get(key) is not None}
                made.append(self.html(tag, kept, *inside))
            else:
                made += inside
            made.append(child.tail or "")
        return made


def add(element: etree._Element, children: Iterable[etree._Element | str]) -> None:
    """Put elements and text behind what is in an element."""
    for child in children:
        if not isinstance(child, str):
            element.append(child)
        elif len(element):
            element[-1].tail = (element[-1].tail or "") + child
        else:
            element.text = (element.text or "") + child


def _dashed(name: str) -> str:
    return re.sub(r"(?<=[a-z])([A-Z])", lambda found: f"-{found[1].lower()}", name)


QTI21 = Form("2.1", ("http://www.imsglobal.org/xsd/imsqti_v2p1", "http://www.imsglobal.org/xsd/qti/qtiv2p1/imsqti_v2p1.xsd"),
             ("http://www.imsglobal.org/xsd/imscp_v1p1", "http://www.imsglobal.org/xsd/qti/qtiv2p1/qtiv2p1_imscpv1p2_v1p0.xsd"),
             "imsqti_item_xmlv2p1", "imsqti_test_xmlv2p1", ("QTIv2.1 Package", "1.0.0"))
QTI30 = Form("3.0", ("http://www.imsglobal.org/xsd/imsqtiasi_v3p0",
                     "https://purl.imsglobal.org/spec/qti/v3p0/schema/xsd/imsqti_asiv3p0p1_v1p0.xsd"),
             ("http://www.imsglobal.org/xsd/qti/qtiv3p0/imscp_v1p1",
              "https://purl.imsglobal.org/spec/qti/v3p0/schema/xsd/imsqtiv3p0_imscpv1p2_v1p0.xsd"),
             "imsqti_item_xmlv3p0", "imsqti_test_xmlv3p0", ("QTI Package", "3.0.1"))
