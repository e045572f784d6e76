"""Reading CAP that others wrote: versions 1.0, 1.1 and 1.2, as real feeds send it.

What can be understood is taken, and what was odd about it is said in words; the rest is refused with the line and
the reason. Nothing outside the bytes is ever fetched: no DTD, no entity, no network; size and depth are bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from lxml import etree

from portal.warnings.cap_message import (
    CATEGORIES,
    CERTAINTIES,
    MESSAGE_TYPES,
    RESPONSES,
    SCOPES,
    SEVERITIES,
    STATUSES,
    TIME,
    TOKEN,
    URGENCIES,
    CapAlert,
    CapArea,
    CapInfo,
    CapResource,
    Pair,
    Point,
    Reference,
    moment,
)

NAMESPACES = {
    "1.0": "http://www.incident.com/cap/1.0",
    "1.1": "urn:oasis:names:tc:emergency:cap:1.1",
    "1.2": "urn:oasis:names:tc:emergency:cap:1.2",
}
SIGNATURE = "{http://www.w3.org/2000/09/xmldsig#}Signature"
MAX_BYTES = 1024 * 1024
MAX_DEPTH = 24  # alert/info/area/geocode/value is 5; a signature with its certificates nests a little more
MAX_ODDITIES = 200

ALERT_ORDER = (
    "identifier",
    "sender",
    "sent",
    "status",
    "msgType",
    "password",
    "source",
    "scope",
    "restriction",
    "addresses",
    "code",
    "note",
    "references",
    "incidents",
    "info",
)
INFO_ORDER = (
    "language",
    "category",
    "event",
    "responseType",
    "urgency",
    "severity",
    "certainty",
    "audience",
    "eventCode",
    "effective",
    "onset",
    "expires",
    "senderName",
    "headline",
    "description",
    "instruction",
    "web",
    "contact",
    "parameter",
    "resource",
    "area",
)
AREA_ORDER = ("areaDesc", "polygon", "circle", "geocode", "altitude", "ceiling")
RESOURCE_ORDER = ("resourceDesc", "mimeType", "size", "uri", "derefUri", "digest")
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
    """The bytes are no CAP message that can be relied on. `line` counts from 1; 0 when no line can be named."""

    def __init__(self, line: int, reason: str) -> None:
        self.line, self.reason = line, reason
        super().__init__(f"line {line}: {reason}" if line else reason)


@dataclass(frozen=True)
class Oddity:
    """Something that the standard does not allow and that could be understood all the same."""

    line: int
    message: str


@dataclass(frozen=True)
class Parsed:
    """A message that was read, its CAP version, whether it carries a signature (not verified here), its oddities."""

    alert: CapAlert
    version: str
    signed: bool
    oddities: tuple[Oddity, ...]


@dataclass
class _Notes:
    version: str
    found: list[Oddity] = field(default_factory=list)

    def odd(self, element: etree._Element, message: str) -> None:
        if len(self.found) < MAX_ODDITIES:
            self.found.append(Oddity(element.sourceline or 0, message))


def parse(data: bytes) -> Parsed:
    """Read one message. Raises :class:`Unreadable` and nothing else."""
    root = _root(data)
    tag = etree.QName(root)
    version = next((v for v, uri in NAMESPACES.items() if uri == tag.namespace), None)
    if tag.localname != "alert":
        raise Unreadable(root.sourceline or 1, f"the outermost element is <{tag.localname}>, not <alert>")
    if version is None and tag.namespace:
        raise Unreadable(
            root.sourceline or 1, f"the namespace {tag.namespace} is none of CAP 1.0, 1.1 or 1.2"
        )
    notes = _Notes(version or "1.2")
    if version is None:
        notes.odd(root, "names no namespace; read as CAP 1.2")
    encoding = (root.getroottree().docinfo.encoding or "UTF-8").upper()
    if encoding not in ("UTF-8", "ASCII", "US-ASCII"):
        notes.odd(root, f"is encoded as {encoding}, not UTF-8")
    alert = _alert(root, notes)
    signed = any(child.tag == SIGNATURE for child in root)
    return Parsed(alert, notes.version, signed, tuple(notes.found))


def _root(data: bytes) -> etree._Element:
    if len(data) > MAX_BYTES:
        raise Unreadable(0, f"larger than {MAX_BYTES // 1024} KiB")
    plain = data.replace(b"\0", b"")  # so that UTF-16 hides nothing
    for mark, what in ((b"<!DOCTYPE", "a document type declaration"), (b"<!ENTITY", "an entity declaration")):
        if (at := plain.find(mark)) >= 0:
            raise Unreadable(plain.count(b"\n", 0, at) + 1, f"holds {what}, which is not accepted")
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        recover=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise Unreadable(error.lineno or 0, f"is not well-formed XML: {error.msg}") from error
    except (ValueError, LookupError) as error:
        raise Unreadable(0, f"is not readable as XML: {error}") from error
    depth = 0
    for event, element in etree.iterwalk(root, events=("start", "end")):
        depth += 1 if event == "start" else -1
        if depth > MAX_DEPTH:
            raise Unreadable(element.sourceline or 0, f"elements are nested more than {MAX_DEPTH} deep")
    return root


# -- elements ----------------------------------------------------------------------------------------------
def _children(
    parent: etree._Element, order: tuple[str, ...], notes: _Notes
) -> dict[str, list[etree._Element]]:
    """Children by local name; says which are unknown, repeated or out of order."""
    found: dict[str, list[etree._Element]] = {}
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
    for name, elements in found.items():
        if len(elements) > 1 and name not in REPEATED:
            notes.odd(elements[1], f"<{name}> is repeated; the first is taken")
    return found


def _text_of(element: etree._Element) -> str:
    return "".join(element.itertext()).strip(_SPACE)


def _text(found: dict[str, list[etree._Element]], name: str, notes: _Notes) -> str:
    elements = found.get(name)
    if not elements:
        return ""
    if not (value := _text_of(elements[0])):
        notes.odd(elements[0], f"<{name}> is empty")
    return value


def _needed(parent: etree._Element, found: dict[str, list[etree._Element]], name: str, notes: _Notes) -> str:
    if not (value := _text(found, name, notes)):
        raise Unreadable(
            (found[name][0] if name in found else parent).sourceline or 0, f"<{name}> is missing"
        )
    return value


def _one_of(
    found: dict[str, list[etree._Element]],
    name: str,
    allowed: Iterable[str],
    notes: _Notes,
    parent: etree._Element,
) -> str:
    """A needed value that nobody may guess: an unknown one is refused."""
    value = _needed(parent, found, name, notes)
    if value not in allowed:
        raise Unreadable(
            found[name][0].sourceline or 0, f"<{name}> is {value!r}, none of {', '.join(allowed)}"
        )
    return value


def _judged(
    found: dict[str, list[etree._Element]],
    name: str,
    allowed: tuple[str, ...],
    notes: _Notes,
    info: etree._Element,
) -> str:
    """A judgement (urgency, severity, certainty): an unknown one is read as Unknown."""
    value = _text(found, name, notes)
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


def _time_of(element: etree._Element, name: str, notes: _Notes) -> str:
    """The time as written, or empty when it cannot be understood."""
    text = _text_of(element)
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


def _time(found: dict[str, list[etree._Element]], name: str, notes: _Notes) -> str:
    return _time_of(found[name][0], name, notes) if name in found else ""


def _pairs(found: dict[str, list[etree._Element]], name: str, notes: _Notes) -> tuple[Pair, ...]:
    """Named values: two child elements, or `name=value` as CAP 1.0 had it."""
    pairs = []
    for element in found.get(name, ()):
        parts = {
            etree.QName(child).localname: _text_of(child) for child in element if isinstance(child.tag, str)
        }
        key, value = parts.get("valueName", ""), parts.get("value", "")
        if not parts:
            key, _, value = _text_of(element).partition("=")
            if notes.version != "1.0":
                notes.odd(element, f"<{name}> is written name=value, as in CAP 1.0")
        if key.strip() and value.strip():
            pairs.append((key.strip(_SPACE), value.strip(_SPACE)))
        else:
            notes.odd(element, f"<{name}> lacks a name or a value; left out")
    return tuple(pairs)


# -- the message -------------------------------------------------------------------------------------------
def _alert(root: etree._Element, notes: _Notes) -> CapAlert:
    found = _children(root, ALERT_ORDER, notes)
    identity = {name: _needed(root, found, name, notes) for name in ("identifier", "sender")}
    for name, value in identity.items():
        if not TOKEN.match(value):
            notes.odd(found[name][0], f"<{name}> holds a space, a comma, < or &")
    _needed(root, found, "sent", notes)
    if not (sent := _time(found, "sent", notes)):
        raise Unreadable(found["sent"][0].sourceline or 0, "<sent> is no time with a zone")
    scope = ""
    if (
        notes.version != "1.0" or "scope" in found
    ):  # an alert whose scope nobody stated must not become public
        scope = _one_of(found, "scope", SCOPES, notes, root)
    status = _one_of(found, "status", STATUSES, notes, root)
    kind = _one_of(found, "msgType", MESSAGE_TYPES, notes, root)
    references = _references(found, Reference(identity["sender"], identity["identifier"], sent), notes)
    if kind in ("Update", "Cancel") and not references:
        notes.odd(
            root,
            f"is an {kind} that names no earlier message"
            if kind == "Update"
            else "is a Cancel that names no earlier message",
        )
    if not scope:
        notes.odd(root, "<scope> is missing; not to be passed on to the public")
    if "password" in found and notes.version != "1.0":
        notes.odd(found["password"][0], "<password> is an element of CAP 1.0; left out")
    if not found.get("info") and kind in ("Alert", "Update"):
        notes.odd(root, "carries no <info>, so nothing that could be shown")
    return CapAlert(
        identifier=identity["identifier"],
        sender=identity["sender"],
        sent=sent,
        status=status,
        message_type=kind,
        scope=scope,
        source=_text(found, "source", notes),
        restriction=_text(found, "restriction", notes),
        addresses=_text(found, "addresses", notes),
        codes=_texts(found, "code"),
        note=_text(found, "note", notes),
        references=references,
        incidents=_incidents(found),
        infos=tuple(_info(element, notes) for element in found.get("info", ())),
    )


def _texts(found: dict[str, list[etree._Element]], name: str) -> tuple[str, ...]:
    return tuple(text for element in found.get(name, ()) if (text := _text_of(element)))


def _incidents(found: dict[str, list[etree._Element]]) -> tuple[str, ...]:
    text = _text_of(found["incidents"][0]) if "incidents" in found else ""
    return tuple(quoted or plain for quoted, plain in re.findall(r'"([^"]+)"|([^\s"]+)', text))


def _references(
    found: dict[str, list[etree._Element]], own: Reference, notes: _Notes
) -> tuple[Reference, ...]:
    if "references" not in found:
        return ()
    element, references = found["references"][0], []
    for item in _text_of(element).split():
        parts = item.split(",")
        reference = Reference(*parts) if len(parts) == 3 and all(parts) else None
        if reference is None:
            notes.odd(element, f"the reference {item[:120]!r} is not sender,identifier,sent; left out")
        elif reference == own:
            notes.odd(element, "refers to itself; left out")
        else:
            references.append(reference)
    return tuple(references)


def _info(element: etree._Element, notes: _Notes) -> CapInfo:
    found = _children(element, INFO_ORDER, notes)
    categories = tuple(c for c in _texts(found, "category") if c in CATEGORIES)
    if len(categories) != len(found.get("category", ())) or not categories:
        if notes.version != "1.0" or "category" in found:
            notes.odd(element, "<category> is missing or unknown; read as Other")
        categories = categories or ("Other",)
    responses = tuple(r for r in _texts(found, "responseType") if r in RESPONSES)
    if len(responses) != len(found.get("responseType", ())):
        notes.odd(found["responseType"][0], "<responseType> is unknown; left out")
    if "expires" not in found:
        notes.odd(element, "<expires> is missing: nobody can tell when it ends")
    if not _text(found, "event", notes):
        notes.odd(element, "<event> is missing")
    return CapInfo(
        language=_text(found, "language", notes) or "en-US",
        categories=categories,
        event=_text(found, "event", notes),
        responses=responses,
        urgency=_judged(found, "urgency", URGENCIES, notes, element),
        severity=_judged(found, "severity", SEVERITIES, notes, element),
        certainty=_judged(found, "certainty", CERTAINTIES, notes, element),
        audience=_text(found, "audience", notes),
        event_codes=_pairs(found, "eventCode", notes),
        effective=_time(found, "effective", notes),
        onset=_time(found, "onset", notes),
        expires=_time(found, "expires", notes),
        sender_name=_text(found, "senderName", notes),
        headline=_text(found, "headline", notes),
        description=_text(found, "description", notes),
        instruction=_text(found, "instruction", notes),
        web=_text(found, "web", notes),
        contact=_text(found, "contact", notes),
        parameters=_pairs(found, "parameter", notes),
        resources=tuple(_resource(child, notes) for child in found.get("resource", ())),
        areas=tuple(_area(child, notes) for child in found.get("area", ())),
    )


def _resource(element: etree._Element, notes: _Notes) -> CapResource:
    found = _children(element, RESOURCE_ORDER, notes)
    return CapResource(*(_text(found, name, notes) for name in RESOURCE_ORDER))


def _area(element: etree._Element, notes: _Notes) -> CapArea:
    found = _children(element, AREA_ORDER, notes)
    if not (description := _text(found, "areaDesc", notes)):
        notes.odd(element, "<areaDesc> is missing")
    polygons = (_polygon(child, notes) for child in found.get("polygon", ()))
    circles = (_circle(child, notes) for child in found.get("circle", ()))
    return CapArea(
        description,
        tuple(p for p in polygons if p),
        tuple(c for c in circles if c),
        _pairs(found, "geocode", notes),
        _text(found, "altitude", notes),
        _text(found, "ceiling", notes),
    )


def _polygon(element: etree._Element, notes: _Notes) -> tuple[Point, ...]:
    points = [_point(item) for item in re.sub(r"\s*,\s*", ",", _text_of(element)).split()]
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


def _circle(element: etree._Element, notes: _Notes) -> tuple[float, float, float] | None:
    parts = re.sub(r"\s*,\s*", ",", _text_of(element)).split()
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
