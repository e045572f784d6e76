"""The reference of all settings, written from their definitions so that it cannot say anything else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import AliasChoices, SecretStr
from pydantic.fields import FieldInfo

from portal import config
from portal.config import ROOT, Settings

HEAD = """# Configuration

Every setting is an environment variable. `anlan doctor` checks a configuration and says in words what is
missing; a process refuses to start with a setting that it cannot use, and names it. This page is written by
`anlan settings doc --write`.
"""
_SECTION = re.compile(r"^    # -- (.+?) -+$")
_FIELD = re.compile(r"^    (\w+): ")


def _sections() -> Iterator[tuple[str, list[str]]]:
    """Headings and field names, as `portal/config.py` groups them."""
    title, names = "", list[str]()
    for line in Path(config.__file__).read_text(encoding="utf-8").splitlines():
        if match := _SECTION.match(line):
            if names:
                yield title, names
            title, names = match[1], []
        elif (match := _FIELD.match(line)) and match[1] in Settings.model_fields:
            names.append(match[1])
    yield title, names


def _variable(name: str, info: FieldInfo) -> str:
    if isinstance(info.validation_alias, AliasChoices):
        return " or ".join(f"`{choice}`" for choice in info.validation_alias.choices)
    return f"`ANLAN_{name.upper()}`"


def _default(value: Any) -> str:
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, Path):
        value = value.relative_to(ROOT) if value.is_relative_to(ROOT) else value
    if isinstance(value, tuple):
        value = ",".join(map(str, value))
    if isinstance(value, bool):
        value = int(value)
    return f"`{value}`" if str(value) else "empty"


def _range(info: FieldInfo) -> str:
    """The values that are taken, where the type alone does not say it."""
    if choices := [a for a in get_args(info.annotation) if isinstance(a, str)]:
        return "One of " + ", ".join(f"`{c}`" for c in choices) + "."
    words = {"ge": "at least {}", "gt": "more than {}", "le": "at most {}", "lt": "less than {}"}
    said = [words[key].format(value) for part in info.metadata for key in words
            if (value := getattr(part, key, None)) is not None]
    return f"{', '.join(said).capitalize()}." if said else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def configuration() -> str:
    """The whole page, as Markdown."""
    parts = [HEAD]
    for title, names in _sections():
        parts.append(f"\n## {title.capitalize()}\n\n| variable | default | meaning |\n|---|---|---|\n")
        for name in names:
            info = Settings.model_fields[name]
            meaning = " ".join(filter(None, [info.description, _range(info)]))
            parts.append(f"| {_variable(name, info)} | {_default(info.default)} | {_cell(meaning)} |\n")
    return "".join(parts)
