"""A row of a region table: what is wrong with it, in plain words, or its values."""

from __future__ import annotations

import re
from typing import Any

from portal.regions import codes

REQUIRED = ("code", "name_zh")
#: The heading's names; a column that is absent leaves what the database has. `name` is another word for
#: `name_zh`; `level` and `parent_code` are not stored, but must agree with the code.
COLUMNS = (*REQUIRED, "name_en", "pinyin", "population", "demonstration", "level", "parent_code")
_LENGTHS = {"name_zh": 80, "name_en": 120, "pinyin": 160}
_LABELS = {"name_zh": "Chinese name", "name_en": "English name", "pinyin": "pinyin"}
_TRUE, _FALSE = ("true", "1", "yes", "是"), ("false", "0", "no", "否", "")
MAX_POPULATION = 2**31 - 1
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class BadRow(Exception):
    """Why a row cannot be taken: one sentence for each thing that is wrong."""

    def __init__(self, reasons: list[str]) -> None:
        self.reasons = reasons
        super().__init__("; ".join(reasons))


def heading_problems(heading: list[str]) -> list[str]:
    """What is wrong with a heading."""
    problems = []
    if len(heading) == 1 and re.search(r"[;\t]", heading[0]):
        return ["the columns must be separated by commas"]
    if missing := [name for name in REQUIRED if name not in heading]:
        example = ",".join(COLUMNS[:6])
        problems.append(f"the heading lacks {' and '.join(missing)}: it must name the columns, e.g. {example}")
    if unknown := [name for name in heading if name not in COLUMNS]:
        problems.append(
            f"unknown column {', '.join(repr(n[:40]) for n in unknown[:5])}; known are {', '.join(COLUMNS)}"
        )
    if doubled := sorted({name for name in heading if heading.count(name) > 1}):
        problems.append(f"the heading names {', '.join(doubled)} twice")
    return problems


def heading_of(fields: list[str]) -> list[str]:
    """The names of a heading in their one form."""
    names = [field.strip().lower() for field in fields]
    return ["name_zh" if name == "name" and "name_zh" not in names else name for name in names]


def code_problem(code: str) -> str | None:
    """Why `code` is not a region's code, or None."""
    if not code:
        return "the code is missing"
    if re.fullmatch(r"\d(\.\d+)?[eE]\+?\d+", code):
        return f"a spreadsheet has turned the code into {code}: format the column as text and export again"
    if re.fullmatch(r"\d{6}|\d{9}", code, re.ASCII):
        return f"the code {code} has {len(code)} digits of 12: add zeros at the end"
    if not codes.is_code(code):
        return f"the code {code[:20]!r} is not 12 digits"
    if code.startswith("00"):
        return f"the code {code} has no province: its first two digits are 00"
    level, parent = codes.level_of(code), codes.parent_of(code)
    if parent:
        above = codes.level_of(parent)
        # Some cities (Dongguan, Zhongshan) have streets and no districts.
        if codes.LEVELS.index(above) != codes.LEVELS.index(level) - 1 and (level, above) != (
            "street",
            "city",
        ):
            return f"the code {code} is a {level}'s, but the digits of the level above it are zeros"
    return None


def check_row(heading: list[str], fields: list[str]) -> dict[str, Any]:
    """The values of a row, by column. Raises BadRow."""
    if len(fields) != len(heading):
        raise BadRow([f"the row has {len(fields)} fields and the heading {len(heading)}"])
    given = {name: field.strip() for name, field in zip(heading, fields, strict=True)}
    code = given["code"]
    reasons = [problem] if (problem := code_problem(code)) else _kin_problems(given)
    if not given["name_zh"]:
        reasons.append("the Chinese name is missing")
    for name, most in _LENGTHS.items():
        if len(given.get(name, "")) > most:
            reasons.append(f"the {_LABELS[name]} is longer than {most} characters")
        if _CONTROL.search(given.get(name, "")):
            reasons.append(f"the {_LABELS[name]} holds a control character")
    values: dict[str, Any] = {k: given[k] for k in ("code", *_LENGTHS) if k in given}
    if "population" in given:
        values["population"], problem = _population(given["population"])
        reasons += [problem] if problem else []
    if "demonstration" in given:
        mark = given["demonstration"].lower()
        values["demonstration"] = mark in _TRUE
        if mark not in _TRUE + _FALSE:
            reasons.append(f"demonstration is {mark[:20]!r}; write true or false")
    if reasons:
        raise BadRow(reasons)
    return values


def _kin_problems(given: dict[str, str]) -> list[str]:
    code, level, parent = given["code"], given.get("level", ""), given.get("parent_code", "")
    problems = []
    if level in codes.LEVELS and level != codes.level_of(code):
        problems.append(f"the level says {level}, but by its zeros the code is a {codes.level_of(code)}'s")
    if parent and parent != codes.parent_of(code):
        problems.append(
            f"the parent code says {parent[:20]}, but by its digits it is {codes.parent_of(code)}"
        )
    return problems


def _population(text: str) -> tuple[int | None, str | None]:
    if not text:
        return None, None
    if re.fullmatch(r"-\d+", text):
        return None, f"the population {text[:20]} is below zero"
    if not re.fullmatch(r"\d+", text, re.ASCII):
        return (
            None,
            f"the population {text[:20]!r} is not a whole number (write 12345, without commas or words)",
        )
    digits = text.lstrip("0") or "0"
    if len(digits) > 10 or int(digits) > MAX_POPULATION:
        return None, f"the population {text[:20]} is larger than {MAX_POPULATION:,}"
    return int(digits), None
