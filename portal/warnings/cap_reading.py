"""Reading CAP that others wrote: versions 1.0, 1.1 and 1.2, as real feeds send it.

What can be understood is taken, and what was odd about it is said in words; the rest is refused with the line
and the reason. Nothing outside the bytes is ever fetched: no DTD, no entity, no network; size and depth are
bounded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lxml import etree

from portal.warnings.cap_fields import (
    SIGNATURE,
    Found,
    Notes,
    Oddity,
    Unreadable,
    children,
    circle,
    judged,
    line_of,
    needed,
    one_of,
    pairs_in,
    polygon,
    text_in,
    text_of,
    texts_in,
    time_in,
)
from portal.warnings.cap_message import (
    CATEGORIES,
    CERTAINTIES,
    MESSAGE_TYPES,
    RESPONSES,
    SCOPES,
    SEVERITIES,
    STATUSES,
    TOKEN,
    URGENCIES,
    CapAlert,
    CapArea,
    CapInfo,
    CapResource,
    Reference,
)

NAMESPACES = {
    "1.0": "http://www.incident.com/cap/1.0",
    "1.1": "urn:oasis:names:tc:emergency:cap:1.1",
    "1.2": "urn:oasis:names:tc:emergency:cap:1.2",
}
MAX_BYTES = 1024 * 1024
MAX_DEPTH = 24  # alert/info/area/geocode/value is 5; a signature with its certificates nests a little more

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


@dataclass(frozen=True)
class Parsed:
    """A message that was read, its CAP version, whether it carries a signature (not verified here), its
    oddities."""

    alert: CapAlert
    version: str
    signed: bool
    oddities: tuple[Oddity, ...]


def parse(data: bytes) -> Parsed:
    """Read one message. Raises :class:`Unreadable` and nothing else."""
    root = _root(data)
    tag = etree.QName(root)
    version = next((v for v, uri in NAMESPACES.items() if uri == tag.namespace), None)
    if tag.localname != "alert":
        raise Unreadable(line_of(root), f"the outermost element is <{tag.localname}>, not <alert>")
    if version is None and tag.namespace:
        raise Unreadable(line_of(root), f"the namespace {tag.namespace} is none of CAP 1.0, 1.1 or 1.2")
    notes = Notes(version or "1.2")
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
            raise Unreadable(line_of(element), f"elements are nested more than {MAX_DEPTH} deep")
    return root


# -- the message -------------------------------------------------------------------------------------------
def _alert(root: etree._Element, notes: Notes) -> CapAlert:
    found = children(root, ALERT_ORDER, notes)
    identity = {name: needed(root, found, name, notes) for name in ("identifier", "sender")}
    for name, value in identity.items():
        if not TOKEN.match(value):
            notes.odd(found[name][0], f"<{name}> holds a space, a comma, < or &")
    needed(root, found, "sent", notes)
    if not (sent := time_in(found, "sent", notes)):
        raise Unreadable(line_of(found["sent"][0]), "<sent> is no time with a zone")
    scope = ""
    if (
        notes.version != "1.0" or "scope" in found
    ):  # an alert whose scope nobody stated must not become public
        scope = one_of(found, "scope", SCOPES, notes, root)
    status = one_of(found, "status", STATUSES, notes, root)
    kind = one_of(found, "msgType", MESSAGE_TYPES, notes, root)
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
        source=text_in(found, "source", notes),
        restriction=text_in(found, "restriction", notes),
        addresses=text_in(found, "addresses", notes),
        codes=texts_in(found, "code"),
        note=text_in(found, "note", notes),
        references=references,
        incidents=_incidents(found),
        infos=tuple(_info(element, notes) for element in found.get("info", ())),
    )


def _incidents(found: Found) -> tuple[str, ...]:
    text = text_of(found["incidents"][0]) if "incidents" in found else ""
    return tuple(quoted or plain for quoted, plain in re.findall(r'"([^"]+)"|([^\s"]+)', text))


def _references(found: Found, own: Reference, notes: Notes) -> tuple[Reference, ...]:
    if "references" not in found:
        return ()
    element, references = found["references"][0], []
    for item in text_of(element).split():
        parts = item.split(",")
        reference = Reference(*parts) if len(parts) == 3 and all(parts) else None
        if reference is None:
            notes.odd(element, f"the reference {item[:120]!r} is not sender,identifier,sent; left out")
        elif reference == own:
            notes.odd(element, "refers to itself; left out")
        else:
            references.append(reference)
    return tuple(references)


def _info(element: etree._Element, notes: Notes) -> CapInfo:
    found = children(element, INFO_ORDER, notes)
    categories = tuple(c for c in texts_in(found, "category") if c in CATEGORIES)
    if len(categories) != len(found.get("category", ())) or not categories:
        if notes.version != "1.0" or "category" in found:
            notes.odd(element, "<category> is missing or unknown; read as Other")
        categories = categories or ("Other",)
    responses = tuple(r for r in texts_in(found, "responseType") if r in RESPONSES)
    if len(responses) != len(found.get("responseType", ())):
        notes.odd(found["responseType"][0], "<responseType> is unknown; left out")
    if "expires" not in found:
        notes.odd(element, "<expires> is missing: nobody can tell when it ends")
    if not (event := text_in(found, "event", notes)):
        notes.odd(element, "<event> is missing")
    return CapInfo(
        language=text_in(found, "language", notes) or "en-US",
        categories=categories,
        event=event,
        responses=responses,
        urgency=judged(found, "urgency", URGENCIES, notes, element),
        severity=judged(found, "severity", SEVERITIES, notes, element),
        certainty=judged(found, "certainty", CERTAINTIES, notes, element),
        audience=text_in(found, "audience", notes),
        event_codes=pairs_in(found, "eventCode", notes),
        effective=time_in(found, "effective", notes),
        onset=time_in(found, "onset", notes),
        expires=time_in(found, "expires", notes),
        sender_name=text_in(found, "senderName", notes),
        headline=text_in(found, "headline", notes),
        description=text_in(found, "description", notes),
        instruction=text_in(found, "instruction", notes),
        web=text_in(found, "web", notes),
        contact=text_in(found, "contact", notes),
        parameters=pairs_in(found, "parameter", notes),
        resources=tuple(_resource(child, notes) for child in found.get("resource", ())),
        areas=tuple(_area(child, notes) for child in found.get("area", ())),
    )


def _resource(element: etree._Element, notes: Notes) -> CapResource:
    found = children(element, RESOURCE_ORDER, notes)
    return CapResource(*(text_in(found, name, notes) for name in RESOURCE_ORDER))


def _area(element: etree._Element, notes: Notes) -> CapArea:
    found = children(element, AREA_ORDER, notes)
    if not (description := text_in(found, "areaDesc", notes)):
        notes.odd(element, "<areaDesc> is missing")
    polygons = (polygon(child, notes) for child in found.get("polygon", ()))
    circles = (circle(child, notes) for child in found.get("circle", ()))
    return CapArea(
        description,
        tuple(p for p in polygons if p),
        tuple(c for c in circles if c),
        pairs_in(found, "geocode", notes),
        text_in(found, "altitude", notes),
        text_in(found, "ceiling", notes),
    )
