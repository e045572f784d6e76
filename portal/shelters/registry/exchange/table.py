"""CSV in our own model: one column per field, `suitable_<hazard>` for each hazard, entrances and outline as text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from flask_babel import lazy_gettext as _l

from portal.core.errors import Problem
from portal.shelters.registry import checks
from portal.shelters.registry.exchange import cells
from portal.shelters.registry.exchange.reading import Row, Unreadable, csv_rows, miscounted
from portal.shelters.registry.suitability import HAZARDS

ENCODINGS = ("utf-8-sig", "gb18030")
_SUITABLE = {f"suitable_{hazard}": hazard for hazard in HAZARDS}
#: What an export tells of the present state. An import leaves these columns out: a state comes from reports only.
LIVE = ("status", "status_at", "status_until", "status_source", "occupancy", "occupancy_at")
COLUMNS = tuple(column for name in checks.FIELDS for column in (_SUITABLE if name == "suitability" else (name,)))
#: Headings in Chinese, as clerks write them.
CHINESE = {
    "编码": "code", "编号": "code", "名称": "name_zh", "中文名称": "name_zh", "英文名称": "name_en", "拼音": "pinyin",
    "级别": "level", "避难时长": "duration", "空间类型": "space", "功能": "function", "总体功能": "function",
    "社区代码": "region_code", "行政区划代码": "region_code", "地址": "address_zh", "中文地址": "address_zh",
    "英文地址": "address_en", "经度": "longitude", "纬度": "latitude", "范围界线": "boundary", "出入口": "entrances",
    "有效避难面积": "area_m2", "有效面积": "area_m2", "人均面积": "m2_per_person", "可容纳人数": "capacity_day",
    "白天可容纳人数": "capacity_day", "夜间可容纳人数": "capacity_night", "无障碍": "step_free", "宠物": "pets",
    "饮用水": "water", "供电": "power", "医疗": "medical", "可过夜": "night", "进入方式": "access_zh", "联系岗位": "contact_zh",
    "值班电话": "contact_phone", "联系电话": "contact_phone", "数据来源": "source", "来源": "source", "来源日期": "source_date",
    "许可": "licence", "核查时间": "checked_at", "适用台风": "suitable_typhoon", "适用洪水": "suitable_flood",
    "适用内涝": "suitable_waterlogging", "适用滑坡": "suitable_landslide", "适用地震": "suitable_earthquake",
    "适用风暴潮": "suitable_storm_surge", "适用火灾": "suitable_fire", "适用高温": "suitable_heat",
    "适用寒冷": "suitable_cold", "适用危险化学品": "suitable_hazmat",
}


class Table:
    """A reader of one file; `notes` are about the file as a whole."""

    key = "csv"
    encodings = ENCODINGS

    def __init__(self) -> None:
        self.notes: list[Any] = []
        self._called: dict[str, str] = {}

    def column(self, field: str) -> str:
        """The column in which a field of a problem stands, as the file's own heading calls it."""
        name, _dot, rest = field.partition(".")
        name = f"suitable_{rest}" if name == "suitability" else name
        return self._called.get(name, name)

    def rows(self, path: Path, encoding: str) -> Iterator[Row]:
        heading: list[str] = []
        for line, fields in csv_rows(path, encoding):
            if not heading:
                heading = self._heading(fields)
            else:
                yield _row(line, heading, fields)
        if not heading:
            raise Unreadable(_l("The file is empty."))

    def _heading(self, fields: list[str]) -> list[str]:
        called = [field.strip() for field in fields]
        names = [CHINESE.get(name, name.lower()) for name in called]
        self._called = dict(zip(names, called, strict=True))
        while names and not names[-1]:
            names.pop()
        if len(names) == 1 and any(sign in names[0] for sign in ";\t"):
            raise Unreadable(_l("The columns must be separated by commas."), 1)
        if unknown := [name for name in names if name not in COLUMNS and name not in LIVE]:
            raise Unreadable(_l("Unknown columns: %(names)s. Known are: %(known)s.", known=", ".join(COLUMNS),
                                names=", ".join(repr(n[:30]) for n in unknown[:5])), 1)
        if "code" not in names:
            raise Unreadable(_l("The heading names no column “code”: each shelter needs its code."), 1)
        if doubled := sorted({name for name in names if names.count(name) > 1}):
            raise Unreadable(_l("The heading names %(names)s twice.", names=", ".join(doubled)), 1)
        if live := [name for name in names if name in LIVE]:
            self.notes.append(_l("These columns tell the present state and are not imported: %(names)s.", names=", ".join(live)))
        return names


def _row(line: int, heading: list[str], fields: list[str]) -> Row:
    """Cells beyond the heading must be empty: a comma too many has moved the others."""
    texts = [cells.unguarded(field.strip()) for field in fields]
    given = dict(zip(heading, texts, strict=False))
    row = Row(line, {})
    if len(texts) < len(heading) or any(texts[len(heading):]):
        row.given = {"code": given.get("code", "")}
        row.problems.append(miscounted(len(texts), len(heading)))
        return row
    for name, text in given.items():
        if name in _SUITABLE:
            row.given.setdefault("suitability", {})[_SUITABLE[name]] = text
        elif name == "entrances":
            try:
                row.given[name] = cells.read_entrances("" if text.lower() in ("unknown", "未知", "不明") else text)
            except cells.BadCell as bad:
                row.problems.append(Problem(name, bad.message))
        elif name not in LIVE:
            row.given[name] = text
    return row


def write_row(values: Mapping[str, Any], live: Mapping[str, Any]) -> list[str]:
    """The cells of a shelter, in the order of `COLUMNS` and `LIVE`."""
    row = []
    for name in checks.FIELDS:
        value = values[name]
        if name == "suitability":
            row += [cells.yes_no((value or {}).get(hazard)) for hazard in HAZARDS]
        elif name == "entrances":
            row.append(cells.guarded(cells.write_entrances(value)))
        elif name == "boundary":
            row.append("" if value is None else json.dumps(value, separators=(",", ":")))
        elif name in checks.FACTS or name == "demonstration":
            row.append(cells.yes_no(value))
        else:
            row.append(_cell(value))
    return row + [_cell(live[name]) for name in LIVE]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, int | float):
        return cells.number(value)
    return cells.guarded(value) if isinstance(value, str) else value.isoformat()
