"""Courses as JSON and back: what `anlan content sync` keeps of a version. Pictures are kept apart, by their SHA-256."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from functools import cache
from types import MappingProxyType, NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from portal.training.content import values
from portal.training.content.values import Course, Medium, Question
from portal.warnings.hazards import Phrase

_QUESTIONS: dict[str, type[Question]] = {
    values.SINGLE: values.Choice, values.MULTIPLE: values.Choice, values.TRUEFALSE: values.Choice,
    values.ORDERING: values.Ordering, values.MATCHING: values.Matching, values.NUMERIC: values.Numeric,
    values.TEXT: values.ShortText, values.HOTSPOT: values.Hotspot, values.SCENARIO: values.Scenario,
}


def write(course: Course) -> dict[str, Any]:
    """`course` as JSON values; of each picture its name, size and SHA-256 only."""
    return _written(course)


def read(data: Mapping[str, Any]) -> Course:
    """The course that was written. Its media have no bodies: see :func:`media`."""
    return _read(Course, data)


def media(data: Mapping[str, Any]) -> dict[str, str]:
    """Name of each picture of a course that was written → SHA-256 of its body."""
    return {name: medium["sha256"] for name, medium in data["media"].items()}


def digest(medium: Medium) -> str:
    return hashlib.sha256(medium.body).hexdigest()


def _written(value: Any) -> Any:
    if isinstance(value, Medium):
        return {"name": value.name, "width": value.width, "height": value.height, "sha256": digest(value)}
    if is_dataclass(value):
        return {field.name: _written(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: _written(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_written(item) for item in value]
    return str(value) if isinstance(value, Decimal) else value


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _read(kind: Any, value: Any) -> Any:
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        inner = next(part for part in get_args(kind) if part is not NoneType)
        return None if value is None else _read(inner, value)
    if origin is tuple:
        parts = get_args(kind)
        inners = [parts[0]] * len(value) if parts[-1] is Ellipsis else parts
        return tuple(_read(inner, item) for inner, item in zip(inners, value, strict=True))
    if origin is not None and issubclass(origin, Mapping):
        return MappingProxyType({key: _read(get_args(kind)[1], item) for key, item in value.items()})
    if kind is Medium:
        return Medium(value["name"], b"", value["width"], value["height"])
    if kind is Phrase and isinstance(value, str):  # versions of form 1 had one text for the source of a checklist
        return Phrase(value, value)
    if kind is Question:
        kind = _QUESTIONS[value["type"]]
    if isinstance(kind, type) and is_dataclass(kind):
        # A key that an older version lacks has a default: courses that attempts refer to are read for years.
        return kind(**{name: _read(inner, value[name]) for name, inner in _hints(kind).items() if name in value})
    return Decimal(value) if kind is Decimal else value
