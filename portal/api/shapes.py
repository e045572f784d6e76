"""The shapes of the public answers. The OpenAPI document is made from them, and every answer is made through them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

Tier = Literal["white", "blue", "yellow", "orange", "red"]
State = Literal["in_force", "cancelled", "expired"]


def _l(text: str) -> str:
    """Marks a text for the catalogue; it is translated when the document is made."""
    return text


class Both(BaseModel):
    """The same words in both languages. Where one was left empty, it holds the Chinese ones."""

    zh: str
    en: str


class Named(Both):
    code: str


class Entry(BaseModel):
    """One bulletin of a warning's history."""

    position: int = Field(description=_l("1 is the first of its warning."))
    kind: Literal["alert", "update", "cancel"]
    identifier: str = Field(description=_l("Identifier of the CAP message."))
    tier: Tier
    sent: datetime
    headline: Both
    description: Both
    instruction: Both
    cap: str = Field(description=_l("Address of the CAP 1.2 document, whose bytes never change."))


class Warning(BaseModel):
    """A warning as its newest bulletin has it. Drills are never among these."""

    number: str
    state: State = Field(description=_l("As of the moment of the answer's rendering: compare `expires` with your clock."))
    tier: Tier
    severity: Literal["Minor", "Moderate", "Severe", "Extreme"] = Field(description=_l("The severity of CAP for this tier."))
    hazard: Named = Field(description=_l("Event code of GB/T 35965 and names."))
    headline: Both
    description: Both
    instruction: Both = Field(description=_l("What to do, one step a line."))
    areas: list[Named] = Field(description=_l("The regions in words; everything below a region is in it."))
    authority: Both
    issued: datetime = Field(description=_l("When the first bulletin of this warning was sent."))
    sent: datetime = Field(description=_l("When the newest bulletin was sent."))
    onset: datetime
    expires: datetime
    ended: datetime | None = Field(description=_l("When it was lifted; null while it was not."))
    bulletins: int
    page: Both = Field(description=_l("Address of the page for people."))
    cap: str = Field(description=_l("Address of the CAP 1.2 document, whose bytes never change."))
    url: str = Field(description=_l("Address of this record by itself."))


class Story(Warning):
    """One warning with its area and its whole history, first to last."""

    geometry: dict[str, Any] | None = Field(description=_l("GeoJSON geometry (WGS 84) of the area; null where none is known."))
    history: list[Entry]


class InForce(BaseModel):
    """The warnings in force, the most severe first."""

    generated: datetime = Field(description=_l("When this was rendered: the age of what you read."))
    in_force: int
    highest_tier: Tier | None
    warnings: list[Warning]


class Found(BaseModel):
    """An answer to a question: at most `limit` warnings."""

    generated: datetime = Field(description=_l("When this was rendered: the age of what you read."))
    regions: list[str] = Field(
        description=_l("Codes of the regions in which the point lies, from the district down; empty without one."))
    warnings: list[Warning]
    next: str | None = Field(description=_l("Address of the next part; null at the end."))


class Month(BaseModel):
    month: str = Field(pattern=r"^\d{4}-\d{2}$")
    count: int
    parts: list[str] = Field(description=_l("Addresses of its parts, oldest warnings first."))


class Archive(BaseModel):
    """Which months have past warnings."""

    count: int
    months: list[Month]


class Part(BaseModel):
    """Past warnings of one month, oldest first."""

    month: str = Field(pattern=r"^\d{4}-\d{2}$")
    part: int
    parts: int
    warnings: list[Warning]


class Region(BaseModel):
    """One node of the tree district, street, community."""

    code: str = Field(pattern=r"^\d{12}$")
    level: str
    name: Both
    pinyin: str
    parent: str | None
    population: int | None
    box: tuple[float, float, float, float] | None = Field(description=_l("West, south, east, north in degrees (WGS 84)."))
    demonstration: bool = Field(description=_l("Whether its boundary and population are made up."))


class Regions(BaseModel):
    """Regions by code: parents come before what is in them."""

    regions: list[Region]


class GuideLink(BaseModel):
    id: str
    kind: Literal["advice", "ticks"]
    group: Named
    title: Both
    summary: Both
    hazards: list[str] = Field(description=_l("Codes of the events that it is about."))
    updated: date
    page: Both = Field(description=_l("Address of the page for people."))
    url: str = Field(description=_l("Address of this record by itself."))


class Guides(BaseModel):
    """The safety guides."""

    guides: list[GuideLink]


class Lists(BaseModel):
    """The same list in both languages; the two need not be of one length."""

    zh: list[str]
    en: list[str]


class Section(BaseModel):
    key: str
    title: Both
    items: Lists = Field(description=_l("Sentences; **bold** and links as in Markdown."))


class Guide(GuideLink):
    """One guide whole."""

    keywords: Lists
    sources: Lists
    sections: list[Section]


class Feed(BaseModel):
    url: str
    type: str
    title: Both


class Feeds(BaseModel):
    """What can be followed, each a plain file."""

    feeds: list[Feed]


class Feature(BaseModel):
    """A GeoJSON feature."""

    type: Literal["Feature"]
    id: str
    geometry: dict[str, Any] | None
    properties: dict[str, Any]


class Features(BaseModel):
    """A GeoJSON feature collection."""

    type: Literal["FeatureCollection"]
    features: list[Feature]


class SomeFeatures(Features):
    """A GeoJSON feature collection that may not hold all."""

    left_out: int = Field(description=_l("How many this answer does not hold."))


class At(BaseModel):
    field: str
    message: str


class Problem(BaseModel):
    """An error as RFC 9457 has it, in the language that the request asks for."""

    type: str
    title: str
    status: int
    errors: list[At] | None = None
