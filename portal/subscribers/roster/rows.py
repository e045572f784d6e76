"""A row of a list: whose phone, told about where, as what, in which language; or what is wrong with it.

Each phone is looked at, and so is each way to write a place, a group or a language, once for all rows that write it alike: a
list of a million rows has a few hundred of them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import phonenumbers
from phonenumbers import PhoneNumberType

from portal import current_settings
from portal.core import phones
from portal.core.i18n import LANGUAGES
from portal.regions import codes, lookup
from portal.subscribers import audiences
from portal.subscribers.roster import columns, reasons
from portal.subscribers.roster.table import LONGEST_CELL, Table

MOST_PLACES = 10
#: Ways to write something that are remembered; a list that has more is no list of communities.
_REMEMBERED = 20_000
_BETWEEN = re.compile(r"[;；、，,/|\n]+")
_NEAR = str.maketrans("", "", " -\u3000\u00a0\t'")
_LANGUAGES = {name: key for key, names in {
    "zh": ("zh", "cn", "chinese", "mandarin", "中文", "汉语", "普通话", "简体中文", "国语", "zh-cn", "zh_cn"),
    "en": ("en", "english", "英文", "英语", "en-us", "en-gb")}.items() for name in names}
_GROUPS = {columns.folded(name): key for key, names in {
    "residents": ("居民", "居民群众", "群众", "市民", "公众", "resident"),
    "schools": ("学校", "学校和幼儿园", "学校、幼儿园", "幼儿园", "中小学", "school", "schools and kindergartens"),
    "construction": ("工地", "建筑工地", "在建工地", "施工单位", "construction site", "construction sites"),
    "enterprises": ("企业", "企业单位", "公司", "企事业单位", "enterprise", "company", "companies"),
    "responsible": ("责任人", "防汛责任人", "网格员", "responsible person", "responsible persons"),
    "responders": ("应急响应人员", "应急救援人员", "第一响应人", "救援队伍", "应急队伍", "responder", "first responder",
                   "first responders"),
    "carers": ("照护者", "看护人", "监护人", "老年人照护者", "老年人、残疾人照护者", "carer", "caregiver", "caregivers",
               "carers of elderly or disabled people"),
    "medical": ("医院", "医院和养老机构", "养老院", "养老机构", "hospital", "hospitals", "care home", "care homes",
                "hospitals and care homes")}.items()
    for name in (key, *names)}


class Bad(Exception):
    """Why a row cannot be taken: a key of reasons.ROWS and what it is about."""

    def __init__(self, reason: str, about: str = "") -> None:
        self.reason, self.about = reason, about
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Row:
    """`number` is E.164; `audiences` are bits; `region_codes` are communities, each once."""

    line: int
    number: str
    language: str
    audiences: int
    region_codes: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Row(line {self.line})"  # never a number into a log


@dataclass(frozen=True, slots=True)
class Said:
    """What holds for rows that do not say it themselves. No `region_code`: each row must name its community."""

    region_code: str | None = None
    audiences: int = 1 << audiences.BY_KEY["residents"].bit
    language: str = LANGUAGES[0]


class Reader:
    """Reads the rows of one table. `allowed`: the regions of the duty by which the list comes; None: all."""

    def __init__(self, table: Table, said: Said, allowed: Sequence[str] | None) -> None:
        self._width, self._said, self._allowed = table.width, said, allowed
        self._at = {name: table.places.get(name) for name in columns.COLUMNS}
        self._named = _names()
        self._places = _remembering(self._find_places)
        self._groups = _remembering(self._find_groups)
        self._languages = _remembering(_find_language)

    def row(self, line: int, cells: list[str]) -> Row:
        """Raises Bad."""
        while len(cells) > self._width and not cells[-1].strip():
            cells.pop()
        if len(cells) != self._width:
            raise Bad("cells", f"{len(cells)} ≠ {self._width}")
        if max(map(len, cells)) > LONGEST_CELL:
            raise Bad("long_cell")
        return Row(line, number_of(self._cell(cells, columns.PHONE)), self._languages(self._cell(cells, columns.LANGUAGE))
                   or self._said.language, self._groups(self._cell(cells, columns.AUDIENCES)) or self._said.audiences,
                   self._places(self._cell(cells, columns.COMMUNITY)))

    def _cell(self, cells: list[str], column: str) -> str:
        at = self._at[column]
        return "" if at is None else cells[at]

    def _find_places(self, text: str) -> tuple[str, ...]:
        said = [part.strip(" \t'\u3000") for part in _BETWEEN.split(text)]
        found = dict.fromkeys(self._place(part) for part in said if part)
        if not found and self._said.region_code:
            found[self._said.region_code] = None
        if not found:
            raise Bad("no_place")
        if len(found) > MOST_PLACES:
            raise Bad("too_many_places", str(MOST_PLACES))
        for code in found:
            if self._allowed is not None and not any(codes.contains(mine, code) for mine in self._allowed):
                raise Bad("beyond_duty", _name_of(code))
        return tuple(found)

    def _place(self, text: str) -> str:
        node = lookup.get(text) if codes.is_code(text) else None
        if node is None and text.isascii() and text.isdigit():
            city = current_settings().district[:4]  # a telephone may have the twelve digits of a code as well
            raise Bad("no_such_code", text if codes.is_code(text) and text.startswith(city) else reasons.about(text))
        found = {node.code} if node is not None else self._named.get(columns.folded(text), set())
        if not found:
            raise Bad("no_such_place", reasons.about(text))
        communities = {code for code in found if codes.level_of(code) == "community"}
        if not communities:
            raise Bad("too_large_place", reasons.about(text))
        if len(communities) > 1:
            raise Bad("several_places", reasons.about(text))
        return communities.pop()

    def _find_groups(self, text: str) -> int:
        if whole := _GROUPS.get(columns.folded(text)):
            return audiences.mask_of([whole])
        mask = 0
        for part in _BETWEEN.split(text):
            if name := columns.folded(part.strip("'")):
                key = _GROUPS.get(name)
                if key is None:
                    raise Bad("no_such_group", reasons.about(part))
                mask |= audiences.mask_of([key])
        return mask


def number_of(text: str) -> str:
    """The E.164 form of a cell. Raises Bad. The common form is known at a glance; the library, a hundred times slower, sees the
    others, and gives the same answer."""
    short = text.translate(_NEAR)
    if short.isascii() and short.isdecimal() and len(short) == 11 and short[0] == "1" and short[1] in "3456789":
        return "+86" + short
    return _number_of(text)


def _number_of(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text).strip(" \t'\u00a0").replace("\u00a0", " ")
    if not plain:
        raise Bad("no_phone")
    if "e+" in plain.lower() or re.fullmatch(r"\d+[.,]0+", plain):
        raise Bad("shortened")
    if plain.isascii() and plain.isdigit() and len(plain) == 13 and plain.startswith("861"):
        plain = "+" + plain  # the country's code without its sign
    try:
        number = phones.parse(plain)
    except ValueError:
        raise Bad("no_such_phone") from None
    if number.startswith("+86") and not phones.is_demonstration(number) and phonenumbers.number_type(
            phonenumbers.parse(number)) == PhoneNumberType.FIXED_LINE:
        raise Bad("landline")
    return number


def _find_language(text: str) -> str:
    name = columns.folded(text.strip("'"))
    if name and name not in _LANGUAGES:
        raise Bad("no_such_language", reasons.about(text))
    return _LANGUAGES[name] if name else ""


def _remembering(find: Callable[[str], Any]) -> Callable[[str], Any]:
    known: dict[str, Any] = {}

    def answer(text: str) -> Any:
        found = known.get(text)
        if found is None:
            try:
                found = find(text)
            except Bad as bad:
                found = bad
            if len(known) >= _REMEMBERED:
                known.clear()
            known[text] = found
        if isinstance(found, Bad):
            raise Bad(found.reason, found.about)
        return found
    return answer


def _names() -> dict[str, set[str]]:
    """Names in both languages, with and without what kind of place it is → codes; all regions of the district."""
    named: dict[str, set[str]] = {}
    root = lookup.tree(current_settings().district)
    for node in root.walk() if root else ():
        names = {node.name_zh, node.name_en, node.name_zh.removesuffix("社区").removesuffix("村"),
                 node.name_zh.removesuffix("社区") + "社区居委会", node.name_en.removesuffix(" Community")}
        for name in names:
            named.setdefault(columns.folded(name), set()).add(node.code)
    return named


def _name_of(code: str) -> str:
    node = lookup.get(code)
    return node.name_zh if node else code
