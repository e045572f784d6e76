"""Japan's 自治体標準オープンデータセット (formerly 推奨データセット): 指定緊急避難場所一覧 and 指定避難所一覧.

Headings of both editions are understood, and those of the files of 国土地理院. In these lists an empty hazard cell says that
the place is not designated for it, so it is taken for no; only a row without a single mark says nothing, and stays unknown.
What our model does not have (津波, 火山現象, 標高, URL, …) is left out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from flask_babel import lazy_gettext as _l

from portal.shelters.registry import parsing
from portal.shelters.registry.exchange import cells
from portal.shelters.registry.exchange.reading import Row, Unreadable, csv_rows, miscounted

#: The columns that are written: 指定緊急避難場所一覧, in the order of its definition.
COLUMNS = (
    "全国地方公共団体コード", "ID", "名称", "名称_カナ", "名称_英字", "所在地_全国地方公共団体コード", "町字ID",
    "所在地_連結表記", "所在地_都道府県", "所在地_市区町村", "所在地_町字", "所在地_番地以下", "建物名等(方書)",
    "緯度", "経度", "標高", "電話番号",
    "内線番号", "連絡先メールアドレス", "連絡先FormURL", "連絡先備考（その他、SNSなど）", "郵便番号", "市区町村コード",
    "地方公共団体名", "災害種別_洪水", "災害種別_崖崩れ、土石流及び地滑り", "災害種別_高潮", "災害種別_地震", "災害種別_津波",
    "災害種別_大規模な火事", "災害種別_内水氾濫", "災害種別_火山現象", "指定避難所との重複", "想定収容人数",
    "対象となる町会・自治会", "URL", "画像", "画像_ライセンス", "備考",
)
_HAZARDS = {"洪水": "flood", "崖崩れ、土石流及び地滑り": "landslide", "高潮": "storm_surge", "地震": "earthquake", "津波": None,
            "大規模な火事": "fire", "内水氾濫": "waterlogging", "火山現象": None}
_WRITTEN = {hazard: f"災害種別_{name}" for name, hazard in _HAZARDS.items() if hazard}
#: Field → its headings in the editions; the first one that the file has counts.
_NAMES = {
    "id": ("共通ID", "ID", "NO", "No"),
    "municipality": ("全国地方公共団体コード", "都道府県コード又は市区町村コード", "市区町村コード", "市町村コード"),
    "name_zh": ("名称", "施設・場所名", "施設名"),
    "name_en": ("名称_英字", "名称_英語"),
    "pinyin": ("名称_カナ",),
    "address_zh": ("所在地_連結表記", "住所", "所在地"),
    "building": ("建物名等(方書)", "建物名等（方書）", "方書"),
    "longitude": ("経度",),
    "latitude": ("緯度",),
    "contact_phone": ("電話番号",),
    "capacity_day": ("想定収容人数",),
}
_ADDRESS = ("所在地_都道府県", "所在地_市区町村", "所在地_町字", "所在地_番地以下")
_PEOPLE = re.compile(r"約?\s*([\d,]+)\s*(?:人|名)?\Z", re.ASCII)
_YES = ("1", "○", "◯", "〇", "有", "可")


def looks_japanese(heading: list[str]) -> bool:
    """Whether a CSV heading is one of these lists."""
    names = {name.strip().lstrip("\ufeff") for name in heading}
    return {"緯度", "経度"} <= names


class Japan:
    """A reader of one file; `notes` are about the file as a whole."""

    key = "jp"
    encodings = ("utf-8-sig", "cp932")

    def __init__(self) -> None:
        self.notes: list[Any] = []
        self._columns: dict[str, str] = {}
        self._hazards: dict[str, str] = {}

    def column(self, field: str) -> str:
        """The column in which a field of a problem stands."""
        name, _dot, rest = field.partition(".")
        if name == "suitability":
            return next((column for column, hazard in self._hazards.items() if hazard == rest), "")
        return self._columns.get("id" if name == "code" else name, "")

    def rows(self, path: Path, encoding: str) -> Iterator[Row]:
        heading: list[str] = []
        for line, fields in csv_rows(path, encoding):
            if heading:
                yield self._row(line, heading, fields)
            else:
                heading = self._heading(fields)
        if not heading:
            raise Unreadable(_l("The file is empty."))

    def _heading(self, fields: list[str]) -> list[str]:
        heading = [field.strip() for field in fields]
        for field, names in _NAMES.items():
            if found := next((name for name in names if name in heading), None):
                self._columns[field] = found
        if missing := [names[0] for field, names in _NAMES.items()
                       if field in ("id", "name_zh") and field not in self._columns]:
            raise Unreadable(_l("The heading lacks %(names)s: this is not one of Japan's lists of shelters.",
                                names=", ".join(missing)), 1)
        for name, hazard in _HAZARDS.items():
            for column in (f"災害種別_{name}", name):
                if column in heading:
                    self._hazards[column] = hazard or ""
                    break
        used = {*self._columns.values(), *(c for c, hazard in self._hazards.items() if hazard), *_ADDRESS}
        if left := [name for name in heading if name and name not in used]:
            self.notes.append(_l("These columns have no place in our model and were left out: %(names)s.",
                                 names=", ".join(name[:20] for name in left[:30])))
        return heading

    def _row(self, line: int, heading: list[str], fields: list[str]) -> Row:
        texts = dict(zip(heading, (cells.unguarded(field.strip()) for field in fields), strict=False))
        said = {field: texts.get(column, "") for field, column in self._columns.items()}
        row = Row(line, {"code": _code(said.get("municipality", ""), said["id"])})
        if len(fields) < len(heading) or any(field.strip() for field in fields[len(heading):]):
            row.problems.append(miscounted(len(fields), len(heading)))
            return row
        for name in ("name_zh", "name_en", "pinyin", "longitude", "latitude", "contact_phone"):
            if name in said:
                row.given[name] = said[name]
        if "address_zh" in said or _ADDRESS[0] in texts:
            joined = said.get("address_zh") or "".join(texts.get(name, "") for name in _ADDRESS)
            row.given["address_zh"] = f"{joined} {said.get('building', '')}".strip()
        if "capacity_day" in said:
            people = _PEOPLE.match(unicodedata.normalize("NFKC", said["capacity_day"]))
            row.given["capacity_day"] = people.group(1) if people else said["capacity_day"]
        if self._hazards:
            row.given["suitability"] = self._suitability(texts)
        return row

    def _suitability(self, texts: Mapping[str, str]) -> dict[str, Any]:
        marks = {column: unicodedata.normalize("NFKC", texts.get(column, "")) for column in self._hazards}
        nothing = not any(marks.values())
        found: dict[str, Any] = {}
        for column, hazard in self._hazards.items():
            if hazard:
                mark = marks[column]
                unknown = nothing or (mark and parsing.is_unknown(mark))
                found[hazard] = None if unknown else True if mark in _YES else mark or False
        return found


def _code(municipality: str, given: str) -> str:
    """IDs are unique only within their municipality."""
    return f"{municipality}-{given}" if municipality and given and not given.startswith(municipality) else given


def write_row(values: Mapping[str, Any], _live: Mapping[str, Any]) -> list[str]:
    """The cells of a shelter, in the order of `COLUMNS`. Unknown and no are both empty here: the lists know no third."""
    suitability = values["suitability"] or {}
    row = dict.fromkeys(COLUMNS, "") | {
        "ID": values["code"], "名称": cells.guarded(values["name_zh"]), "名称_カナ": cells.guarded(values["pinyin"]),
        "名称_英字": cells.guarded(values["name_en"]), "所在地_連結表記": cells.guarded(values["address_zh"]),
        "緯度": cells.number(values["latitude"]), "経度": cells.number(values["longitude"]),
        "電話番号": cells.guarded(values["contact_phone"]), "想定収容人数": cells.number(values["capacity_day"]),
    }
    for hazard, column in _WRITTEN.items():
        row[column] = "1" if suitability.get(hazard) is True else ""
    return list(row.values())
