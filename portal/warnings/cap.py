"""CAP 1.2 of a bulletin: from facts to bytes that are frozen at issue, and from anyone's bytes back to facts.

Pure: no database, no clock, no network. The same facts always give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

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
    stamp,
)
from portal.warnings.cap_reading import NAMESPACES, Oddity, Parsed, Unreadable, parse

__all__ = [
    "CapAlert",
    "CapArea",
    "CapInfo",
    "CapResource",
    "Oddity",
    "Parsed",
    "Reference",
    "Unreadable",
    "alert_for",
    "moment",
    "parse",
    "render",
    "stamp",
]

NAMESPACE = NAMESPACES["1.2"]
#: Tier to CAP severity; blue and white are both Minor.
SEVERITY = {"red": "Extreme", "orange": "Severe", "yellow": "Moderate", "blue": "Minor", "white": "Minor"}
#: Tier to the severity words of the 12379 profile, which has no white.
PROFILE_SEVERITY = {"red": "Red", "orange": "Orange", "yellow": "Yellow", "blue": "Blue", "white": "Unknown"}
MESSAGE_TYPE = {"alert": "Alert", "update": "Update", "cancel": "Cancel"}
LANGUAGE_TAGS = {"zh": "zh-CN", "en": "en"}
SEPARATORS = {"zh": "、", "en": ", "}
#: Texts of the channels, carried as parameters as in the 12379 profile: field of the words → its method.
CHANNEL_TEXTS = (("sms", "SMS"), ("speaker", "SPEAKER"))
DRILL_NOTE = "演练，不是真实预警。This is an exercise, not a real warning."

_SPACE = " \t\r\n"


# -- bytes -------------------------------------------------------------------------------------------------
def render(alert: CapAlert) -> bytes:
    """The message as UTF-8 XML, elements in the schema's order, empty ones left out.

    Raises ValueError, naming the element, for facts that a valid CAP message cannot state."""
    _check(alert)
    root = etree.Element(f"{{{NAMESPACE}}}alert", nsmap={None: NAMESPACE})  # type: ignore[dict-item]
    for name, value in (
        ("identifier", alert.identifier),
        ("sender", alert.sender),
        ("sent", alert.sent),
        ("status", alert.status),
        ("msgType", alert.message_type),
        ("source", alert.source),
        ("scope", alert.scope),
        ("restriction", alert.restriction),
        ("addresses", alert.addresses),
        *(("code", code) for code in alert.codes),
        ("note", alert.note),
        ("references", " ".join(f"{r.sender},{r.identifier},{r.sent}" for r in alert.references)),
        ("incidents", " ".join(map(_incident, alert.incidents))),
    ):
        _text(root, name, value)
    for info in alert.infos:
        _info(root, info)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True, pretty_print=True)


def _text(parent: etree._Element, name: str, value: str) -> None:
    value = value.replace("\r\n", "\n").replace("\r", "\n").strip(_SPACE)
    if not value:
        return
    try:
        etree.SubElement(parent, f"{{{NAMESPACE}}}{name}").text = value
    except ValueError as error:
        raise ValueError(f"{name}: holds a character that XML cannot carry (a control character)") from error


def _pair(parent: etree._Element, name: str, pair: Pair) -> None:
    if not all(part.strip(_SPACE) for part in pair):
        raise ValueError(f"{name}: needs a name and a value, not {pair!r}")
    element = etree.SubElement(parent, f"{{{NAMESPACE}}}{name}")
    _text(element, "valueName", pair[0])
    _text(element, "value", pair[1])


def _info(root: etree._Element, info: CapInfo) -> None:
    element = etree.SubElement(root, f"{{{NAMESPACE}}}info")
    for name, value in (
        ("language", info.language),
        *(("category", c) for c in info.categories),
        ("event", info.event),
        *(("responseType", r) for r in info.responses),
        ("urgency", info.urgency),
        ("severity", info.severity),
        ("certainty", info.certainty),
        ("audience", info.audience),
    ):
        _text(element, name, value)
    for pair in info.event_codes:
        _pair(element, "eventCode", pair)
    for name, value in (
        ("effective", info.effective),
        ("onset", info.onset),
        ("expires", info.expires),
        ("senderName", info.sender_name),
        ("headline", info.headline),
        ("description", info.description),
        ("instruction", info.instruction),
        ("web", info.web),
        ("contact", info.contact),
    ):
        _text(element, name, value)
    for pair in info.parameters:
        _pair(element, "parameter", pair)
    for resource in info.resources:
        child = etree.SubElement(element, f"{{{NAMESPACE}}}resource")
        for name, value in (
            ("resourceDesc", resource.description),
            ("mimeType", resource.mime_type),
            ("size", resource.size),
            ("uri", resource.uri),
            ("derefUri", resource.deref_uri),
            ("digest", resource.digest),
        ):
            _text(child, name, value)
    for area in info.areas:
        _area(element, area)


def _area(info: etree._Element, area: CapArea) -> None:
    element = etree.SubElement(info, f"{{{NAMESPACE}}}area")
    _text(element, "areaDesc", area.description)
    for polygon in area.polygons:
        _text(element, "polygon", " ".join(f"{_degrees(lat)},{_degrees(lon)}" for lat, lon in polygon))
    for lat, lon, radius in area.circles:
        _text(element, "circle", f"{_degrees(lat)},{_degrees(lon)} {radius:.3f}")
    for pair in area.geocodes:
        _pair(element, "geocode", pair)
    _text(element, "altitude", area.altitude)
    _text(element, "ceiling", area.ceiling)


def _degrees(value: float) -> str:
    return f"{round(value, 6) + 0.0:.6f}"  # + 0.0: minus nought is written as nought


def _incident(text: str) -> str:
    if '"' in text:
        raise ValueError("incidents: a name may not hold a quotation mark")
    return f'"{text}"' if any(c.isspace() for c in text) else text


# -- what a message may state ------------------------------------------------------------------------------
def _check(alert: CapAlert) -> None:
    for name, value in (("identifier", alert.identifier), ("sender", alert.sender)):
        if not TOKEN.match(value):
            raise ValueError(f"{name}: {value!r} is empty or holds a space, a comma, < or &")
    _one_of("status", alert.status, STATUSES)
    _one_of("msgType", alert.message_type, MESSAGE_TYPES)
    _one_of("scope", alert.scope, SCOPES)
    _time("sent", alert.sent)
    if bool(alert.restriction.strip(_SPACE)) != (alert.scope == "Restricted"):
        raise ValueError("restriction: belongs to the scope Restricted, and only there")
    if alert.scope == "Private" and not alert.addresses.strip(_SPACE):
        raise ValueError("addresses: needed with the scope Private")
    _check_references(alert)
    if len({(info.categories, info.event_codes) for info in alert.infos}) > 1:
        raise ValueError("info: every language must state the same categories and event codes")
    for info in alert.infos:
        _check_info(info)


def _check_references(alert: CapAlert) -> None:
    if alert.message_type in ("Update", "Cancel") and not alert.references:
        raise ValueError("references: an Update or Cancel must name the messages that it replaces")
    for reference in alert.references:
        if reference == alert.reference:
            raise ValueError("references: a message cannot refer to itself")
        if not (TOKEN.match(reference.sender) and TOKEN.match(reference.identifier)):
            raise ValueError(f"references: {reference} holds a space, a comma, < or &")
        _time("references", reference.sent)
        if moment(reference.sent) > moment(alert.sent):
            raise ValueError("references: a message cannot refer to a later one")


def _check_info(info: CapInfo) -> None:
    for name, value in (("language", info.language), ("event", info.event), ("expires", info.expires)):
        if not value.strip(_SPACE):
            raise ValueError(f"{name}: missing")
    if not info.categories:
        raise ValueError("category: missing")
    for category in info.categories:
        _one_of("category", category, CATEGORIES)
    for response in info.responses:
        _one_of("responseType", response, RESPONSES)
    _one_of("urgency", info.urgency, URGENCIES)
    _one_of("severity", info.severity, SEVERITIES)
    _one_of("certainty", info.certainty, CERTAINTIES)
    for name, value in (("effective", info.effective), ("onset", info.onset), ("expires", info.expires)):
        if value:
            _time(name, value)
    for resource in info.resources:
        if not (resource.description.strip(_SPACE) and resource.mime_type.strip(_SPACE)):
            raise ValueError("resource: needs resourceDesc and mimeType")
    for area in info.areas:
        _check_area(area)


def _check_area(area: CapArea) -> None:
    if not area.description.strip(_SPACE):
        raise ValueError("areaDesc: missing")
    if area.ceiling and not area.altitude:
        raise ValueError("ceiling: needs an altitude")
    for polygon in area.polygons:
        if len(polygon) < 4 or polygon[0] != polygon[-1]:
            raise ValueError("polygon: needs at least four points, and the last must be the first")
    for lat, lon in [
        *(p for polygon in area.polygons for p in polygon),
        *((c[0], c[1]) for c in area.circles),
    ]:
        if not (-90 <= lat <= 90 and -180 <= lon <= 180):
            raise ValueError(f"area: {lat},{lon} is not a latitude and a longitude")
    if any(not 0 <= radius < 20_000 for _, _, radius in area.circles):
        raise ValueError("circle: the radius is in kilometres, 0 or more")


def _one_of(name: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise ValueError(f"{name}: {value!r} is none of {', '.join(allowed)}")


def _time(name: str, value: str) -> None:
    if not TIME.match(value):
        raise ValueError(f"{name}: {value!r} is not written YYYY-MM-DDThh:mm:ss+hh:mm")
    try:
        moment(value)
    except ValueError as error:
        raise ValueError(f"{name}: {value!r} is not a time") from error


# -- a bulletin's facts ------------------------------------------------------------------------------------
def alert_for(
    *,
    identifier: str,
    sender: str,
    sent_local: datetime,
    kind: str,
    exercise: bool,
    references: Iterable[tuple[str, str, str | datetime]],
    hazard: Any,
    tier: str,
    words: Mapping[str, Mapping[str, str]],
    areas: Sequence[Mapping[str, str]],
    polygons: Iterable[Sequence[Sequence[float]]],
    codes: Iterable[str],
    authority: Mapping[str, str],
    onset_local: datetime,
    expires_local: datetime,
    web_urls: Mapping[str, str] | None = None,
    circles: Iterable[tuple[float, float, float]] = (),
    incidents: Sequence[str] = (),
) -> CapAlert:
    """The CAP message of one bulletin, one `info` a language.

    `hazard` has `code`, names (`zh` and `en`, or a method `name(language)`) and perhaps CAP `category`,
    `urgency` and `certainty`; it may be an object or a mapping. `areas` are mappings with `zh` and `en`
    names; `polygons` are rings of [longitude, latitude]; `circles` are (longitude, latitude, metres);
    `references` are (sender, identifier, sent) of every earlier message of the chain, `sent` a text or an
    aware time. The times are aware and in the district's zone. Raises ValueError for an unknown kind or tier.
    """
    _one_of("kind", kind, tuple(MESSAGE_TYPE))
    _one_of("tier", tier, tuple(SEVERITY))
    cancel = kind == "cancel"
    urgency = "Immediate" if onset_local <= sent_local else "Expected"
    shapes: dict[str, Any] = {
        "polygons": tuple(_ring(ring) for ring in polygons),
        "circles": tuple((_round(lat), _round(lon), round(metres / 1000, 3)) for lon, lat, metres in circles),
        "geocodes": tuple(("GB/T 2260", code) for code in codes),
    }
    infos = []
    for language in (key for key in LANGUAGE_TAGS if key in words):
        text = words[language]
        texts = tuple(
            (f"12379:{method}", text[field]) for field, method in CHANNEL_TEXTS if text.get(field, "").strip()
        )
        infos.append(
            CapInfo(
                language=LANGUAGE_TAGS[language],
                categories=(_of(hazard, "category") or "Other",),
                event=_event(hazard, language),
                responses=("AllClear",)
                if cancel
                else ("Execute",)
                if tier in ("red", "orange")
                else ("Prepare",),
                urgency="Past" if cancel else _of(hazard, "urgency") or urgency,
                # A cancel keeps the severity: whoever filters by it hears the all-clear of what they heard
                # of.
                severity=SEVERITY[tier],
                certainty=_of(hazard, "certainty") or "Likely",
                event_codes=(("GB/T 35965", _of(hazard, "code")),),
                effective=stamp(sent_local),
                onset=stamp(onset_local),
                expires=stamp(expires_local),
                sender_name=authority.get(language, ""),
                headline=text.get("headline", ""),
                description=text.get("description", ""),
                instruction=text.get("instruction", ""),
                web=(web_urls or {}).get(language, ""),
                parameters=(("tier", tier), ("12379:severity", PROFILE_SEVERITY[tier]), *texts),
                areas=(
                    CapArea(
                        SEPARATORS[language].join(area.get(language) or area["zh"] for area in areas),
                        **shapes,
                    ),
                )
                if areas
                else (),
            )
        )
    return CapAlert(
        identifier=identifier,
        sender=sender,
        sent=stamp(sent_local),
        message_type=MESSAGE_TYPE[kind],
        status="Exercise" if exercise else "Actual",
        note=DRILL_NOTE if exercise else "",
        references=tuple(_reference(*r) for r in references),
        incidents=tuple(incidents),
        infos=tuple(infos),
    )


def _ring(ring: Sequence[Sequence[float]]) -> tuple[Point, ...]:
    points = [(_round(lat), _round(lon)) for lon, lat, *_ in ring]
    return (*points, points[0]) if points and points[0] != points[-1] else tuple(points)


def _round(value: float) -> float:
    return round(float(value), 6)


def _reference(sender: str, identifier: str, sent: str | datetime) -> Reference:
    return Reference(sender, identifier, stamp(sent) if isinstance(sent, datetime) else sent)


def _event(hazard: Any, language: str) -> str:
    named = getattr(hazard, "name", None)
    return str(named(language)) if callable(named) else _of(hazard, language) or _of(hazard, "code")


def _of(hazard: Any, name: str) -> str:
    value = hazard.get(name) if isinstance(hazard, Mapping) else getattr(hazard, name, None)
    return str(value) if value else ""
