"""A session as a calendar file (RFC 5545), for the calendar of somebody's phone. Times are in UTC: no zone needs telling."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import urlsplit

from portal import current_settings
from portal.training.practical_models import CANCELLED, PracticalSession

#: Octets of a line before it is folded (RFC 5545, 3.1).
_LINE = 75


def text(practical: PracticalSession, *, summary: str, description: str, url: str, now: datetime) -> str:
    """The file. Its UID stays the same as long as the session lives, and SEQUENCE counts its changes, so that a calendar that
    gets it again moves the entry and makes no second one."""
    lines = [
        "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Anlan//Practical sessions//ZH", "CALSCALE:GREGORIAN", "METHOD:PUBLISH",
        "BEGIN:VEVENT", f"UID:practical-{practical.id}@{urlsplit(current_settings().base_url).hostname or 'localhost'}",
        f"DTSTAMP:{_moment(now)}", f"DTSTART:{_moment(practical.starts_at)}", f"DTEND:{_moment(practical.ends_at)}",
        f"SEQUENCE:{practical.version - 1}", f"SUMMARY:{_escaped(summary)}", f"LOCATION:{_escaped(practical.place)}",
        f"DESCRIPTION:{_escaped(description)}", f"URL:{url}",
        f"STATUS:{'CANCELLED' if practical.state == CANCELLED else 'CONFIRMED'}"]
    if practical.lon is not None and practical.lat is not None:
        lines.append(f"GEO:{practical.lat:.6f};{practical.lon:.6f}")
    lines += ["END:VEVENT", "END:VCALENDAR"]
    return "".join(f"{folded}\r\n" for line in lines for folded in _folded(line))


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _escaped(words: str) -> str:
    """TEXT of RFC 5545, 3.3.11; control characters have no place in it."""
    words = words.replace("\r\n", "\n").replace("\r", "\n")
    words = "".join(c for c in words if c in "\n\t" or (ord(c) >= 0x20 and ord(c) != 0x7F))
    return words.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,").replace("\n", "\\n")


def _folded(line: str) -> list[str]:
    """Pieces of at most 75 octets, the later ones with a space in front; no character is cut in two."""
    pieces, piece, size = [], "", 0
    for character in line:
        octets = len(character.encode())
        if size + octets > _LINE:
            pieces.append(piece)
            piece, size = " ", 1
        piece, size = piece + character, size + octets
    return [*pieces, piece]
