"""Japan's lists of shelters are understood in their editions and written so that they can be read again."""

from __future__ import annotations

import csv
import io

import pytest
from flask import Flask

from portal.core.db import transaction
from portal.shelters.registry import exchange, store
from portal.shelters.registry.exchange.japan import COLUMNS
from tests import district
from tests.shelters.places import make_shelter

STANDARD = (
    "全国地方公共団体コード,ID,名称,名称_カナ,名称_英字,所在地_連結表記,建物名等(方書),緯度,経度,標高,電話番号,災害種別_洪水,"
    "災害種別_崖崩れ、土石流及び地滑り,災害種別_高潮,災害種別_地震,災害種別_津波,災害種別_大規模な火事,災害種別_内水氾濫,"
    "災害種別_火山現象,指定避難所との重複,想定収容人数,備考\n"
    "999999,0000000001,中央小学校,チュウオウショウガッコウ,Central School,見本県見本市中央1-1,体育館,35.5,139.5,12,"
    "000-0000-0000,1,,,1,1,,1,,1,約300人,見本\n"
    "999999,0000000002,中央公園,チュウオウコウエン,,見本県見本市中央2-2,,35.51,139.51,,,,,,,,,,,,,\n"
)
OLDER = ("NO,名称,名称_カナ,住所,方書,緯度,経度,市区町村コード,都道府県名,市区町村名,災害種別_洪水,災害種別_地震,想定収容人数\n"
         "7,東公民館,ヒガシ,見本市東3,,35.52,139.52,99999,見本県,見本市,○,×,未定\n")
SURVEY = ("共通ID,都道府県名及び市町村名,施設・場所名,住所,洪水,崖崩れ、土石流及び地滑り,高潮,地震,津波,大規模な火事,内水氾濫,"
          "火山現象,緯度,経度\nE9999900000001,見本県見本市,西公園,見本市西4,,1,,1,,,,,35.53,139.53\n")

STAY = ("NO,共通ID,都道府県名及び市町村名,施設・場所名,住所,指定緊急避難場所との住所同一,その他市町村長が必要と認める事項,"
        "受入対象者,緯度,経度,備考\n1,F9999900000001,見本県見本市,南体育館,見本市南5,,,,35.54,139.54,\n")


@pytest.fixture(autouse=True)
def _context(on_sqlite: Flask) -> None:
    """No regions: a portal elsewhere."""


def apply(text: str, encoding: str = "utf-8") -> exchange.Report:
    return exchange.apply(None, io.BytesIO(text.encode(encoding)))


def test_the_standard_list_is_recognised_in_each_encoding_and_its_marks_become_suitability() -> None:
    report = apply(STANDARD)
    assert (report.format, report.new, report.bad) == ("jp", 2, 0), report.faults
    for encoding in ("utf-8-sig", "cp932"):
        again = apply(STANDARD, encoding)
        assert (again.format, again.unchanged, again.total) == ("jp", 2, 0), again.changes
    district.forget()
    school, park = store.listing()
    assert (school.code, school.name_zh, school.name_en, school.pinyin) == (
        "999999-0000000001", "中央小学校", "Central School", "チュウオウショウガッコウ")
    assert (school.longitude, school.latitude, school.capacity_day) == (139.5, 35.5, 300)
    assert school.address_zh == "見本県見本市中央1-1 体育館"
    assert school.suitability == {"flood": True, "waterlogging": True, "landslide": False, "earthquake": True,
                                  "storm_surge": False, "fire": False}
    assert (park.suitability, park.capacity_day, park.night, park.space) == ({}, None, None, None)
    assert "標高" in str(report.notes[0])
    assert "災害種別_津波" in str(report.notes[0])


def test_older_lists_and_those_of_the_survey_are_understood() -> None:
    assert [apply(text).new for text in (OLDER, SURVEY, STAY)] == [1, 1, 1]
    district.forget()
    found = {s.code: s for s in store.listing()}
    assert set(found) == {"99999-7", "E9999900000001", "F9999900000001"}
    assert (found["F9999900000001"].suitability, found["F9999900000001"].duration) == ({}, None)
    assert found["99999-7"].suitability == {"flood": True, "earthquake": False}
    assert found["99999-7"].capacity_day is None
    assert found["E9999900000001"].suitability == {"flood": False, "waterlogging": False, "landslide": True, "earthquake": True,
                                                   "storm_surge": False, "fire": False}


def test_bad_cells_are_named_by_japans_own_columns() -> None:
    text = STANDARD.replace("35.5,139.5,", "139.5,35.5,").replace("約300人", "たくさん").replace(",1,,,1,1,", ",多分,,,1,1,")
    report = exchange.check(io.BytesIO(text.encode()))
    assert [(f.row, f.code, f.column) for f in report.faults] == [
        (2, "999999-0000000001", "想定収容人数"), (2, "999999-0000000001", "災害種別_洪水"), (2, "999999-0000000001", "経度")]
    assert exchange.check(io.BytesIO(STANDARD.replace("35.5,139.5,", "139.5,35.5,").encode()), swap_coordinates=True).bad == 0


def test_what_is_written_has_the_columns_of_the_standard_and_never_says_more_than_is_known() -> None:
    with transaction() as session:
        make_shelter(session, code="A1", longitude=139.5, latitude=35.5, capacity_day=None,
                     suitability={"flood": True, "fire": False, "typhoon": True})
    file = b"".join(exchange.export("jp"))
    rows = list(csv.DictReader(io.StringIO(file.decode("utf-8-sig"))))
    assert tuple(rows[0]) == COLUMNS
    assert {name: value for name, value in rows[0].items() if name.startswith("災害種別") and value} == {"災害種別_洪水": "1"}
    assert (rows[0]["ID"], rows[0]["緯度"], rows[0]["経度"], rows[0]["想定収容人数"]) == ("A1", "35.5", "139.5", "")
    apply(file.decode("utf-8-sig"))
    district.forget()
    again = store.by_code("A1")
    assert again is not None
    assert {hazard for hazard, said in again.suitability.items() if said} == {"typhoon", "flood"}
    assert again.capacity_night == 200
