"""What a CAP message says, as plain frozen facts (OASIS CAP 1.2), and how its times are written.

Absent texts are empty strings. Times are strings exactly as they stand in the message, because (sender,
identifier, sent) is a message's identity and has to be repeated verbatim by whatever refers to it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

STATUSES = ("Actual", "Exercise", "System", "Test", "Draft")
MESSAGE_TYPES = ("Alert", "Update", "Cancel", "Ack", "Error")
SCOPES = ("Public", "Restricted", "Private")
CATEGORIES = (
    "Geo",
    "Met",
    "Safety",
    "Security",
    "Rescue",
    "Fire",
    "Health",
    "Env",
    "Transport",
    "Infra",
    "CBRNE",
    "Other",
)
RESPONSES = ("Shelter", "Evacuate", "Prepare", "Execute", "Avoid", "Monitor", "Assess", "AllClear", "None")
URGENCIES = ("Immediate", "Expected", "Future", "Past", "Unknown")
SEVERITIES = ("Extreme", "Severe", "Moderate", "Minor", "Unknown")
CERTAINTIES = ("Observed", "Likely", "Possible", "Unlikely", "Unknown")

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[-+]\d\d:\d\d\Z", re.ASCII)
#: Identifier and sender: no white space, commas, `<` or `&` (CAP 1.2, 3.2.1).
TOKEN = re.compile(r"[^\s,<&]+\Z")

Pair = tuple[str, str]
Point = tuple[float, float]


@dataclass(frozen=True)
class Reference:
    """An earlier message, named by its identity."""

    sender: str
    identifier: str
    sent: str


@dataclass(frozen=True)
class CapResource:
    description: str
    mime_type: str = ""
    size: str = ""
    uri: str = ""
    deref_uri: str = ""
    digest: str = ""


@dataclass(frozen=True)
class CapArea:
    """A place. Points are (latitude, longitude) in WGS 84 degrees, circles (latitude, longitude, kilometres);
    altitude and ceiling are feet above mean sea level, as written."""

    description: str
    polygons: tuple[tuple[Point, ...], ...] = ()
    circles: tuple[tuple[float, float, float], ...] = ()
    geocodes: tuple[Pair, ...] = ()
    altitude: str = ""
    ceiling: str = ""


@dataclass(frozen=True)
class CapInfo:
    """The words and facts in one language."""

    language: str
    categories: tuple[str, ...]
    event: str
    urgency: str
    severity: str
    certainty: str
    expires: str = ""
    responses: tuple[str, ...] = ()
    audience: str = ""
    event_codes: tuple[Pair, ...] = ()
    effective: str = ""
    onset: str = ""
    sender_name: str = ""
    headline: str = ""
    description: str = ""
    instruction: str = ""
    web: str = ""
    contact: str = ""
    parameters: tuple[Pair, ...] = ()
    resources: tuple[CapResource, ...] = ()
    areas: tuple[CapArea, ...] = ()


@dataclass(frozen=True)
class CapAlert:
    """One message."""

    identifier: str
    sender: str
    sent: str
    status: str
    message_type: str
    scope: str = "Public"
    source: str = ""
    restriction: str = ""
    addresses: str = ""
    codes: tuple[str, ...] = ()
    note: str = ""
    references: tuple[Reference, ...] = ()
    incidents: tuple[str, ...] = ()
    infos: tuple[CapInfo, ...] = ()

    @property
    def reference(self) -> Reference:
        """How later messages refer to this one."""
        return Reference(self.sender, self.identifier, self.sent)


def stamp(moment: datetime) -> str:
    """`moment` as CAP writes it: to the second, with its offset; never `Z`, and UTC as `-00:00` (CAP 1.2,
    3.3.2).

    Raises ValueError for a naive time."""
    offset = moment.utcoffset()
    if offset is None:
        raise ValueError("a CAP time needs a zone")
    text = f"{moment:%Y-%m-%dT%H:%M:%S}"
    if not offset:
        return text + "-00:00"
    sign, minutes = ("-", -offset) if offset < timedelta(0) else ("+", offset)
    hours, rest = divmod(int(minutes.total_seconds()) // 60, 60)
    return f"{text}{sign}{hours:02}:{rest:02}"


def moment(text: str) -> datetime:
    """The aware time that `text` means. Raises ValueError when it is not a time or names no zone."""
    value = datetime.fromisoformat(text)
    if value.tzinfo is None:
        raise ValueError("names no zone")
    return value
