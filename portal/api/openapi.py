"""The OpenAPI 3.1 document, made from the shapes and the table below, in each language."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from flask_babel import force_locale, gettext
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from portal.api import shapes
from portal.api.shelters import AFTER
from portal.config import TIERS, Settings
from portal.shelters.models import STATUSES
from portal.shelters.registry import suitability
from portal.shelters.roads.obstruction_kinds import KINDS

VERSION = "1.0"
#: Warnings of one answer: unless asked otherwise, and at most.
USUAL, MOST = 20, 100
REF = "#/components/schemas/{model}"
CODE = {"type": "string", "pattern": "^[0-9]{12}$"}


def _l(text: str) -> str:
    """Marks a text for the catalogue; it is translated when the document is made."""
    return text


@dataclass(frozen=True)
class Parameter:
    name: str
    schema: dict[str, Any]
    description: str
    where: str = "query"


@dataclass(frozen=True)
class Operation:
    """`file`: the plain file that holds the answer to a request without a question; None where the server must answer."""

    path: str
    id: str
    tag: str
    summary: str
    shape: type[BaseModel]
    description: str = ""
    parameters: tuple[Parameter, ...] = ()
    file: str | None = None
    kind: str = "application/json"
    errors: tuple[int, ...] = ()


#: A point as one value, because its two halves belong together; the pattern holds them within the globe.
POINT = r"-?(180(\.0{1,20})?|(1[0-7][0-9]|[0-9]{1,2})(\.[0-9]{1,20})?),-?(90(\.0{1,20})?|[0-8]?[0-9](\.[0-9]{1,20})?)"
_AT = Parameter("at", {"type": "string", "pattern": f"^{POINT}$"},
                _l("A point (WGS 84): longitude, comma, latitude, as 114.3441,22.7080."))
_REGION = Parameter("region", CODE, _l("12-digit code: what touches this region, whether above it, it or below it."))
_NUMBER = Parameter("number", {"type": "string", "pattern": "^[0-9]{8}-[0-9]{2,4}$"},
                    _l("Number of the warning, as 20261122-01."), "path")
_ONE_CODE = Parameter("code", CODE, _l("12-digit code."), "path")
_MONTH = Parameter("month", {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}$"}, _l("A month, as 2026-11."), "path")
_PART = Parameter("part", {"type": "integer", "minimum": 1, "maximum": 9999}, _l("Which part, from 1."), "path")

OPERATIONS = (
    Operation("/warnings", "listWarnings", "warnings", _l("Warnings in force, or found"), shapes.Found, _l(
        "Without a question: everything in force, the most severe first. With one: what it asks for. Past warnings come newest"
        " first, in parts: follow `next`."), (
        Parameter("state", {"type": "string", "enum": ["in_force", "past", "all"], "default": "in_force"}, _l("Which ones.")),
        _REGION, _AT,
        Parameter("tier", {"type": "string", "enum": list(TIERS)}, _l("The lowest tier.")),
        Parameter("hazard", {"type": "string", "pattern": "^[0-9A-Z]{5}$"}, _l("Event code of GB/T 35965.")),
        Parameter("limit", {"type": "integer", "minimum": 1, "maximum": MOST, "default": USUAL},
                  _l("Most warnings of one answer.")),
        Parameter("after", _NUMBER.schema, _l("Number of the last warning of the part before.")),
    ), "/warnings.json", errors=(422, 429, 503)),
    Operation("/warnings/{number}", "getWarning", "warnings", _l("One warning with its area and history"), shapes.Story,
              parameters=(_NUMBER,), file="/warnings/{number}.json", errors=(404, 429, 503)),
    Operation("/archive", "getArchive", "warnings", _l("Months that have past warnings"), shapes.Archive, file="/archive.json",
              errors=(429, 503)),
    Operation("/archive/{month}/{part}", "getArchivePart", "warnings", _l("Past warnings of one month"), shapes.Part,
              parameters=(_MONTH, _PART), file="/archive/{month}/{part}.json", errors=(404, 429, 503)),
    Operation("/regions", "listRegions", "regions", _l("Regions: district, streets, communities"), shapes.Regions, _l(
        "With a point: only the regions in which it lies, from the district down."), (_AT,), "/regions.json",
        errors=(422, 429, 503)),
    Operation("/regions.geojson", "listOutlines", "regions", _l("Regions with their outlines"), shapes.Features,
              file="/regions.geojson", kind="application/geo+json", errors=(429, 503)),
    Operation("/regions/{code}", "getRegion", "regions", _l("One region"), shapes.Region, parameters=(_ONE_CODE,),
              errors=(404, 429, 503)),
    Operation("/guides", "listGuides", "guides", _l("Safety guides"), shapes.Guides, file="/guides.json", errors=(429, 503)),
    Operation("/guides/{id}", "getGuide", "guides", _l("One guide whole"), shapes.Guide, parameters=(
        Parameter("id", {"type": "string", "pattern": "^[a-z0-9-]{1,60}$"}, _l("Its name, as in the list."), "path"),),
        file="/guides/{id}.json", errors=(404, 429, 503)),
    Operation("/feeds", "listFeeds", "feeds", _l("What can be followed: Atom, RSS, GeoJSON"), shapes.Feeds, file="/feeds.json",
              errors=(429, 503)),
    Operation("/shelters", "listShelters", "shelters", _l("Emergency shelters in use"), shapes.SomeFeatures, _l(
        "What is null is unknown. `stale`: the state is too old to be relied on. 1,000 at a time."), (
        Parameter("region", CODE, _l("12-digit code; everything below it counts.")),
        Parameter("family", {"type": "string", "enum": []}, _l("Suitable for all hazards of this family.")),
        Parameter("status", {"type": "string", "enum": list(STATUSES)}, _l("The state that was last reported.")),
        Parameter("after", {"type": "string", "pattern": f"^{AFTER}$"}, _l("`next_after` of the part before.")),
    ), kind="application/geo+json", errors=(422, 429)),
    Operation("/shelters/{code}", "getShelter", "shelters", _l("One shelter"), shapes.Feature, parameters=(
        Parameter("code", {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,40}$"}, _l("Code of the shelter."), "path"),),
        kind="application/geo+json", errors=(404, 429)),
    Operation("/obstructions", "listObstructions", "obstructions", _l("What cuts or slows ways now"), shapes.SomeFeatures,
              parameters=(Parameter("region", CODE, _l("12-digit code; everything below it counts.")),
                          Parameter("kind", {"type": "string", "enum": list(KINDS)}, _l("Kind of the obstruction.")),
                          Parameter("offset", {"type": "integer", "minimum": 0, "maximum": 10**6}, _l("How many to leave out."))),
              kind="application/geo+json", errors=(422, 429)),
    Operation("/obstructions/{id}", "getObstruction", "obstructions", _l("One obstruction in force"), shapes.Feature, parameters=(
        Parameter("id", {"type": "string", "format": "uuid"}, _l("Its id, as in the list."), "path"),),
        kind="application/geo+json", errors=(404, 429)),
)
ERRORS = {
    400: _l("The request could not be understood."),
    404: _l("There is no such thing here."), 422: _l("Something in the question is wrong; each fault at its field."),
    429: _l("Too many requests from one address in a minute."), 503: _l("Nothing has been published yet. Try again in a minute."),
}
_ABOUT = _l(
    "Read-only, for everybody, no key. Times are ISO 8601 with a zone, places WGS 84. Paths that name a file are plain files"
    " that stand when the database and the application are down: put `.json` behind them for the same bytes from any web server."
    " Every answer has an ETag: ask again with If-None-Match. Please ask no more than once in ten seconds.")
_TOLD = ("description", "summary")


def document(settings: Settings, language: str) -> dict[str, Any]:
    """The document as a value. Its texts are in `language`."""
    used: list[type[BaseModel]] = [*dict.fromkeys(operation.shape for operation in OPERATIONS), shapes.InForce, shapes.Problem]
    _refs, made = models_json_schema([(shape, "serialization") for shape in used], ref_template=REF)
    for schema in made["$defs"].values():
        schema.pop("description", None)  # words of the code for those who read the code
    value = {
        "openapi": "3.1.0",
        "info": {"title": "安澜 Anlan", "version": VERSION, "description": _ABOUT},
        "servers": [{"url": f"{settings.base_url}/api/v1"}],
        "paths": {operation.path: {"get": _operation(operation)} for operation in OPERATIONS},
        "components": {"schemas": made["$defs"]},
    }
    with force_locale(language):
        return _told(value)


def rendered(settings: Settings, language: str) -> bytes:
    return json.dumps(document(settings, language), ensure_ascii=False, separators=(",", ":")).encode()


def _operation(one: Operation) -> dict[str, Any]:
    answer: dict[str, Any] = {"$ref": REF.format(model=one.shape.__name__)}
    if one.shape is shapes.Found:
        answer = {"anyOf": [{"$ref": REF.format(model="InForce")}, answer]}
    told: dict[str, Any] = {
        "operationId": one.id, "tags": [one.tag], "summary": one.summary,
        "parameters": [{"name": p.name, "in": p.where, "required": p.where == "path", "description": p.description,
                        "schema": _schema(p)} for p in one.parameters],
        "responses": {"200": {"description": one.summary, "content": {one.kind: {"schema": answer}}},
                      "304": {"description": _l("You have it already.")}},
    }
    if one.description:
        told["description"] = one.description
    if one.file:
        told["x-file"] = f"/api/v1{one.file}"
    problem = {"application/problem+json": {"schema": {"$ref": REF.format(model="Problem")}}}
    for status in (400, *one.errors) if one.parameters else one.errors:
        told["responses"][str(status)] = {"description": ERRORS[status], "content": problem}
    return told


def _schema(one: Parameter) -> dict[str, Any]:
    return one.schema | {"enum": list(suitability.families())} if one.name == "family" else one.schema


def _told(value: Any) -> Any:
    """Every text for people in the language at work."""
    if isinstance(value, list):
        return [_told(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: gettext(item) if key in _TOLD and isinstance(item, str) and item else _told(item)
            for key, item in value.items()}
