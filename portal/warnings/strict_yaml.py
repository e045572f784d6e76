"""Reading what editors write in YAML: strictly, with the file, line and keys of everything that is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True, slots=True)
class ContentProblem:
    """One thing that is wrong with a content file: where, and how to mend it. `keys` is dotted, `line`
    starts at 1."""

    file: str
    line: int
    keys: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.keys + ': ' if self.keys else ''}{self.message}"


class Section(dict):
    """A mapping of a YAML file that remembers on which line it and each of its keys stands."""

    line: int
    lines: dict[Any, int]


class _Loader(yaml.SafeLoader):
    """YAML's safe subset, with lines; a key that stands twice is an error instead of silently winning."""


def _section(loader: _Loader, node: yaml.MappingNode) -> Section:
    made = Section()
    made.line, made.lines = node.start_mark.line + 1, {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str):
            raise yaml.MarkedYAMLError(
                problem=f"the key {key!r} is not a word", problem_mark=key_node.start_mark
            )
        if key in made:
            raise yaml.MarkedYAMLError(
                problem=f"the key {key!r} stands twice", problem_mark=key_node.start_mark
            )
        made[key] = loader.construct_object(value_node, deep=True)
        made.lines[key] = key_node.start_mark.line + 1
    return made


_Loader.add_constructor("tag:yaml.org,2002:map", _section)


class Fields:
    """One file at work: hands out values by key and notes what is wrong where."""

    def __init__(self, path: Path, problems: list[ContentProblem]) -> None:
        self.file, self.problems = path.name, problems

    def note(self, line: int, keys: str, message: str) -> None:
        self.problems.append(ContentProblem(self.file, line, keys, message))

    def section(self, parent: Section, key: str, at: str, *, required: bool = True) -> Section | None:
        value = parent.get(key)
        if isinstance(value, Section):
            return value
        if key in parent or required:
            self.note(
                line_of(parent, key),
                f"{at}{key}",
                "must be a mapping of keys" if key in parent else "is missing",
            )
        return None

    def known(self, section: Section, at: str, keys: Sequence[str]) -> None:
        for key in section:
            if key not in keys:
                self.note(section.lines[key], f"{at}{key}", f"unknown key; possible are {', '.join(keys)}")

    def text(self, section: Section, key: str, at: str) -> str:
        value = section.get(key)
        if isinstance(value, str) and value.strip():
            return value.strip()
        wrong = (
            "is missing"
            if key not in section
            else "is empty"
            if value in (None, "") or isinstance(value, str)
            else f"must be text; put {value!r} in quotes"
        )
        self.note(line_of(section, key), f"{at}{key}", wrong)
        return ""

    def choice(self, section: Section, key: str, at: str, allowed: Sequence[str]) -> str:
        value = section.get(key)
        if value in allowed and isinstance(value, str):
            return value
        self.note(line_of(section, key), f"{at}{key}", f"must be one of {', '.join(allowed)}")
        return allowed[-1]

    def choices(self, section: Section, key: str, at: str, allowed: Sequence[str]) -> tuple[str, ...]:
        value = section.get(key)
        if (
            isinstance(value, list)
            and value
            and all(isinstance(v, str) and v in allowed for v in value)
            and len(set(value)) == len(value)
        ):
            return tuple(value)
        self.note(
            line_of(section, key), f"{at}{key}", f"must be a list of some of {', '.join(allowed)}, each once"
        )
        return ()

    def yes(self, section: Section, key: str, at: str) -> bool:
        value = section.get(key)
        if not isinstance(value, bool):
            self.note(line_of(section, key), f"{at}{key}", "must be true or false")
        return value is True


def line_of(section: Section, key: str) -> int:
    return section.lines.get(key, section.line)


def read_mapping(path: Path, problems: list[ContentProblem]) -> Section | None:
    try:
        tree = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506  (a SafeLoader)
    except UnicodeDecodeError as error:
        problems.append(ContentProblem(path.name, 1, "", f"is not UTF-8 text (byte {error.start})"))
        return None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problems.append(
            ContentProblem(
                path.name,
                mark.line + 1 if mark else 1,
                "",
                f"cannot be read: {getattr(error, 'problem', None) or error}",
            )
        )
        return None
    if not isinstance(tree, Section):
        problems.append(ContentProblem(path.name, 1, "", "must be a mapping of keys"))
        return None
    return tree


def empty(parent: Section) -> Section:
    made = Section()
    made.line, made.lines = parent.line, {}
    return made
