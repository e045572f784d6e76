"""The pieces that reading CAP is made of: what an element holds, and what to say when that is odd."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from lxml import etree

from portal.warnings.cap_message import TIME, Pair, Point, moment

SIGNATURE = "{http://www.w3.org/2000/09/xmldsig#}Signature"
MAX_ODDITIES = 200
REPEATED = {
    "code",
    "info",
    "category",
    "responseType",
    "eventCode",
    "parameter",
    "resource",
    "area",
    "polygon",
    "circle",
    "geocode",
}

_SPACE = " \t\r\n"
_NUMBER = re.compile(r"[+-]?(\d{1,9}(\.\d{0,18})?|\.\d{1,18})\Z", re.ASCII)


class Unreadable(ValueError):
    """The bytes are no CAP message that can be relied on. `line` counts from 1; 0 when no line can be
    named."""

    def __init__(self, line: int, reason: str) -> None:
        self.line, self.reason = line, reason
        super().__init__(f"line {line}: {reason}" if line else reason)


@dataclass(frozen=True)
class Oddity:
    """Something that the standard does not allow and that could be understood all the same."""

    line: int
    message: str


@dataclass
class Notes:
    version: str
    found: list[Oddity] = field(default_factory=list)

    def odd(self, element: etree._Element, message: str) -> None:
        if len(self.found) < MAX_ODDITIES:
            self.found.append(Oddity(line_of(element), message))


#: Children of an element by their local names.
Found = dict[str, list[etree._Element]]


def children(parent: etree._Element, order: tuple[str, ...], notes: Notes) -> Found:
    """Children by local name; says which are unknown, repeated or out of order."""
    found: Found = {}
    latest, own = 0, etree.QName(parent).namespace
    for child in parent:
        if not isinstance(child.tag, str):
            notes.odd(child, "an entity reference was left out")
            continue
        name = etree.QName(child)
        if child.tag == SIGNATURE:
            continue
        if name.namespace != own or name.localname not in order:
            notes.odd(child, f"<{name.localname}> is not part of <{etree.QName(parent).localname}>; left out")
            continue
        at = order.index(name.localname)
        if at < latest:
            notes.odd(child, f"<{name.localname}> is out of order")
        latest = max(latest, at)
        found.setdefault(name.localname, []).append(child)
    for key, elements in found.items():
        if len(elements) > 1 and key not in REPEATED:
            notes.odd(elements[1], f"<{key}> is repeated; the first is taken")
    return found


def line_of(element: etree._Element) -> int:
    """Where the element begins, counted from 1; 0 when the parser did not keep it."""
    return int(element.sourceline or 0)  # type: ignore[call-overload]


def text_of(element: etree._Element) -> str:
    return "".join(str(part) for part in element.itertext()).strip(_SPACE)


def text_in(found: Found, name: str, notes: Notes) -> str:
    elements = found.get(name)
    if not elements:
        return ""
    if not (value := text_of(elements[0])):
        notes.odd(elements[0], f"<{name}> is empty")
    return value


def texts_in(found: Found, name: str) -> tuple[str, ...]:
    return tuple(text for element in found.get(name, ()) if (text := text_of(element)))


def needed(parent: etree._Element, found: Found, name: str, notes: Notes) -> str:
    if not (value := text_in(found, name, notes)):
        raise Unreadable(line_of(found[name][0] if name in found else parent), f"<{name}> is missing")
    return value


def one_of(
    found: Found,
    name: str,
    allowed: Iterable[str],
    notes: Notes,
    parent: etree._Element,
) -> str:
    """A needed value that nobody may guess: an unknown one is refused."""
    value = needed(parent, found, name, notes)
    if value not in allowed:
        raise Unreadable(line_of(found[name][0]), f"<{name}> is {value!r}, none of {', '.join(allowed)}")
    return value


def judged(
    found: Found,
    name: str,
    allowed: tuple[str, ...],
    notes: Notes,
    info: etree._Element,
) -> str:
    """A judgement (urgency, severity, certainty): an unknown one is read as Unknown."""
    value = text_in(found, name, notes)
    if value in allowed:
        return value
    if name == "certainty" and value == "Very Likely":
        if notes.version != "1.0":
            notes.odd(found[name][0], "<certainty> is 'Very Likely', a word of CAP 1.0; read as Likely")
        return "Likely"
    where = found[name][0] if name in found else info
    notes.odd(
        where, f"<{name}> is {value!r}; read as Unknown" if value else f"<{name}> is missing; read as Unknown"
    )
    return "Unknown"


def time_of(element: etree._Element, name: str, notes: Notes) -> str:
    """The time as written, or empty when it cannot be understood."""
    text = text_of(element)
    try:
        moment(text)
    except ValueError:
        notes.odd(element, f"<{name}> is {text!r}, which is no time with a zone; left out")
        return ""
    if not TIME.match(text):
        notes.odd(element, f"<{name}> is written {text!r}, not YYYY-MM-DDThh:mm:ss+hh:mm")
    elif text.endswith("+00:00"):
        notes.odd(element, f"<{name}> writes UTC as +00:00, not -00:00")
    return text


def time_in(found: Found, name: str, notes: Notes) -> str:
    return time_of(found[name][0], name, notes) if name in found else ""


def pairs_in(found: Found, name: str, notes: Notes) -> tuple[Pair, ...]:
    """Named values: two child elements, or `name=value` as CAP 1.0 had it."""
    pairs = []
    for element in found.get(name, ()):
        parts = {
            etree.QName(child).localname: text_of(child) for child in element if isinstance(child.tag, str)
        }
        key, value = parts.get("valueName", ""), parts.get("value", "")
        if not parts:
            key, _, value = text_of(element).partition("=")
            if notes.version != "1.0":
                notes.odd(element, f"<{name}> is written name=value, as in CAP 1.0")
        if key.strip() and value.strip():
            pairs.append((key.strip(_SPACE), value.strip(_SPACE)))
        else:
            notes.odd(element, f"<{name}> lacks a name or a value; left out")
    return tuple(pairs)


def polygon(element: etree._Element, notes: Notes) -> tuple[Point, ...]:
    points = [_point(item) for item in re.sub(r"\s*,\s*", ",", text_of(element)).split()]
    if any(point is None for point in points):
        notes.odd(element, "<polygon> holds something that is not latitude,longitude; left out")
        return ()
    ring = [point for point in points if point is not None]
    if len(ring) >= 3 and ring[0] != ring[-1]:
        notes.odd(element, "<polygon> is not closed; closed it")
        ring.append(ring[0])
    if len(ring) < 4:
        notes.odd(element, "<polygon> has fewer than four points; left out")
        return ()
    return tuple(ring)


def circle(element: etree._Element, notes: Notes) -> tuple[float, float, float] | None:
    parts = re.sub(r"\s*,\s*", ",", text_of(element)).split()
    centre = _point(parts[0]) if len(parts) == 2 else None
    if centre is None or not _NUMBER.match(parts[1]) or float(parts[1]) < 0:
        notes.odd(element, "<circle> is not latitude,longitude radius; left out")
        return None
    return (*centre, float(parts[1]))


def _point(text: str) -> Point | None:
    lat, comma, lon = text.partition(",")
    if not (comma and _NUMBER.match(lat) and _NUMBER.match(lon)):
        return None
    point = (float(lat), float(lon))
    return point if -90 <= point[0] <= 90 and -180 <= point[1] <= 180 else None
