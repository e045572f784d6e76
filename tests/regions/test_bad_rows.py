"""Every kind of bad row is named with its file, place, code and reason."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from portal.regions.importer import import_files
from tests.regions.conftest import DISTRICT, HEADING, NORTH, STREET, TREE, feature, square

pytestmark = pytest.mark.usefixtures("context")


@pytest.fixture
def database_url(sqlite_template: Path, tmp_path: Path) -> str:
    """One kind of database is enough here: reading and refusing is the same for both."""
    path = tmp_path / "anlan.db"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


def changed(**values: str) -> tuple[str, ...]:
    return tuple((dict(zip(HEADING, NORTH, strict=True)) | values).values())


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (changed(code=""), "the code is missing"),
        (
            changed(code="4.40999E+11"),
            "a spreadsheet has turned the code into 4.40999E+11: format the column as text",
        ),
        (changed(code="440999"), "the code 440999 has 6 digits of 12: add zeros at the end"),
        (changed(code="44099900100x"), "'44099900100x' is not 12 digits"),
        (changed(code="009999001001"), "its first two digits are 00"),
        (changed(code="440999000001"), "is a community's, but the digits of the level above it are zeros"),
        (changed(code="440998001001"), "its parent 440998001000 is neither in the files nor in the database"),
        (changed(code="440999001000"), "the code is there twice: first regions.csv, line 3"),
        (changed(name_zh=" "), "the Chinese name is missing"),
        (changed(name_zh="北" * 81), "the Chinese name is longer than 80 characters"),
        (changed(name_en="x" * 121), "the English name is longer than 120 characters"),
        (changed(name_zh="北\x07社区"), "the Chinese name holds a control character"),
        (changed(name_zh="北\u202e社区"), "the Chinese name holds a control character"),
        (changed(population="-1"), "the population -1 is below zero"),
        (changed(population="1,234"), "the population '1,234' is not a whole number"),
        (changed(population="12.5"), "the population '12.5' is not a whole number"),
        (changed(population="１２"), "is not a whole number"),
        (changed(population="2147483648"), "the population 2147483648 is larger than 2,147,483,647"),
        (changed(population="9" * 5000), "is larger than 2,147,483,647"),
        (changed(demonstration="maybe"), "demonstration is 'maybe'; write true or false"),
        (NORTH[:5], "the row has 5 fields and the heading 6"),
        ((*NORTH, "more"), "the row has 7 fields and the heading 6"),
    ],
)
def test_a_bad_row_says_where_and_why(table: Callable[..., Path], row: tuple[str, ...], reason: str) -> None:
    report = import_files([table(DISTRICT, STREET, row)])
    assert report.bad == 1
    (fault,) = report.faults
    assert str(fault).startswith("regions.csv: line 4: ")
    assert reason in fault.reason
    assert not report.written


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        ({"level": "street"}, "the level says street, but by its zeros the code is a community's"),
        (
            {"parent_code": "440999002000"},
            "the parent code says 440999002000, but by its digits it is 440999001000",
        ),
    ],
)
def test_a_level_and_a_parent_that_are_given_must_agree_with_the_code(
    table: Callable[..., Path], extra: dict[str, str], reason: str
) -> None:
    heading = (*HEADING, *extra)
    report = import_files([table((*DISTRICT, ""), (*STREET, ""), (*NORTH, *extra.values()), heading=heading)])
    assert [f.reason for f in report.faults] == [reason]


def test_all_that_is_wrong_with_a_row_is_said_at_once(table: Callable[..., Path]) -> None:
    report = import_files([table(DISTRICT, STREET, changed(name_zh="", population="many"))])
    assert "the Chinese name is missing; the population 'many'" in report.faults[0].reason


def test_a_missing_english_name_is_a_warning_and_the_chinese_stands_in(table: Callable[..., Path]) -> None:
    report = import_files([table(DISTRICT, STREET, changed(name_en=""))])
    assert report.written
    assert "there is no English name" in report.warnings[0].reason


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"\n \n", "the file is empty"),
        (b"code;name_zh\n1;2\n", "the columns must be separated by commas"),
        (b"name_en,pinyin\n", "the heading lacks code and name_zh"),
        (b"code,name_zh,mayor\n", "unknown column 'mayor'"),
        (b"code,name_zh,code\n", "the heading names code twice"),
        ("code,name_zh\n".encode("utf-16"), "the file is UTF-16"),
        (b"code,name_zh\n440999000000,\xff\xff\xff\n", "neither UTF-8 nor GB 18030"),
        (b'code,name_zh\n440999000000,"a"b\n', "this is not CSV"),
        (b"code,name_zh\n" + b"x" * 70_000, "line 2: the line is longer than 65,536 characters"),
        (b'code,name_zh\n"' + b"x\n" * 100_000, "this is not CSV: field larger than field limit"),
    ],
)
def test_a_table_that_cannot_be_read_changes_nothing_even_when_bad_rows_are_skipped(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    report = import_files([path], skip_bad=True)
    assert report.fatal
    assert not report.written
    assert reason in str(report.faults[0])
    assert str(report.faults[0]).endswith("nothing was imported")


OPEN = square(114.3, 22.7)[0][:-1]
BOW = [[[114.30, 22.70], [114.32, 22.72], [114.32, 22.70], [114.30, 22.72], [114.30, 22.70]]]
SWAPPED = [[[lat, lon] for lon, lat in square(114.3, 22.7)[0]]]
SWAPPED_WEST = [[[lat, lon] for lon, lat in square(80.1, 45.2)[0]]]


@pytest.mark.parametrize(
    ("coordinates", "reason"),
    [
        ([OPEN], "the outer ring is not closed: repeat its first position [114.3, 22.7] at the end"),
        (
            [[[114.3, 22.7], [114.31, 22.7], [114.3, 22.7]]],
            "the outer ring has 3 positions; a closed ring needs at least 4",
        ),
        (BOW, "the boundary crosses or touches itself near [114.31, 22.71]"),
        (SWAPPED, "latitude and longitude are swapped: [22.7, 114.3] must be [114.3, 22.7]"),
        (SWAPPED_WEST, "latitude and longitude are swapped: [45.2, 80.1] must be [80.1, 45.2]"),
        (square(200.0, 22.7), "[200, 22.7] is not on Earth"),
        (square(514.3, 522.7), "is not on Earth"),
        (
            [[[114.3, 22.7], [114.31, "22.7"], [114.31, 22.71], [114.3, 22.7]]],
            "position 2 of the outer ring holds something that is not",
        ),
        (
            [[[114.3, 22.7], [114.31, float("nan")], [114.31, 22.71], [114.3, 22.7]]],
            "holds a number that is not finite",
        ),
        (
            [[[114.3, 22.7], [114.31, 10**400], [114.31, 22.71], [114.3, 22.7]]],
            "holds a number that is not finite",
        ),
        (
            [[[114.3, 22.7], [114.31], [114.31, 22.71], [114.3, 22.7]]],
            "position 2 of the outer ring is not [longitude, latitude]",
        ),
        (
            [[[114.3, 22.7], [114.31, 22.7], [114.32, 22.7], [114.3, 22.7]]],
            "the ring at [114.3, 22.7] encloses nothing",
        ),
        ([square(114.3, 22.7)[0], square(114.4, 22.7, 0.001)[0]], "the rings do not fit together"),
        ([], "the geometry has no rings"),
        ({"a": 1}, "the geometry has no rings"),
        ([7], "the outer ring is not a list of positions"),
    ],
)
def test_a_bad_boundary_says_where_and_why(
    table: Callable[..., Path], shapes: Callable[..., Path], coordinates: Any, reason: str
) -> None:
    report = import_files(
        [table(*TREE), shapes(feature(STREET[0], square(114.3, 22.7)), feature(NORTH[0], coordinates))]
    )
    (fault,) = report.faults
    assert str(fault).startswith(f"regions.geojson: feature 2: {NORTH[0]}: ")
    assert reason in fault.reason
    assert not report.written


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (feature("440999001009", square(114.3, 22.7)), "there is no such region"),
        (feature("440999", square(114.3, 22.7)), "has 6 digits of 12"),
        (feature(None, square(114.3, 22.7)), "the code is missing"),
        (
            feature(STREET[0], square(114.3, 22.7)),
            "the boundary is there twice: first regions.geojson, feature 1",
        ),
        (
            feature(NORTH[0], [114.3, 22.7], "Point"),
            "the geometry is Point; a boundary is a Polygon or a MultiPolygon",
        ),
        ({"type": "Feature", "properties": {"code": NORTH[0]}, "geometry": None}, "the geometry is missing"),
        (
            {"type": "Feature", "properties": None, "geometry": None},
            "this is not a GeoJSON Feature with properties",
        ),
        ([1], "this is not a GeoJSON Feature with properties"),
    ],
)
def test_a_bad_feature_says_where_and_why(
    table: Callable[..., Path], shapes: Callable[..., Path], bad: Any, reason: str
) -> None:
    report = import_files([table(*TREE), shapes(feature(STREET[0], square(114.3, 22.7)), bad)])
    (fault,) = report.faults
    assert fault.place == "feature 2"
    assert reason in fault.reason


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "it must begin with {"),
        ("[]", "it must begin with {"),
        ("{}", "it has no list of features"),
        ('{"type": "Feature", "properties": {}}', "this is a GeoJSON Feature; a FeatureCollection is needed"),
        ('{"features": [', "feature 1: this is not JSON"),
        ('{"features": [{"a": }]}', "feature 1: this is not JSON: Expecting value near character"),
        ('{"features": [1', "the list of features breaks off after it"),
        ('{"features": [1 2]}', "a comma or ] is missing after it"),
        ('{"features": []', "} is missing at the end of the collection"),
        ('{"features": []} []', "something follows after the end"),
        ('{"features": [], }', "a name is missing after a comma"),
        ('{"features" []}', ": is missing after the name 'features'"),
        ('{"features": [' + "[" * 200_000, "nested too deeply"),
        ('{"crs": {"properties": {"name": "EPSG:4547"}}, "features": []}', "convert them to WGS 84"),
        ('{"features": [' + "1" * 5000 + "]}", "feature 1: this is not JSON"),
    ],
)
def test_a_collection_that_cannot_be_read_changes_nothing(tmp_path: Path, content: str, reason: str) -> None:
    path = tmp_path / "bad.geojson"
    path.write_text(content)
    report = import_files([path], skip_bad=True)
    assert report.fatal
    assert reason in str(report.faults[-1])


def test_a_feature_without_end_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.regions.sources.MAX_FEATURE", 100_000)
    path = tmp_path / "endless.geojson"
    path.write_text('{"features": [{"a": "' + "x" * 1_000_000)
    assert "no end within 100,000 characters" in str(import_files([path]).faults[0])


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "regions.xlsx"
    path.write_text("x")
    assert "only files called .csv, .geojson or .json" in str(import_files([path]).faults[0])


def test_a_file_of_endless_rows_is_given_up(
    table: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portal.regions.importer.MAX_ROWS", 3)
    assert "more than 3 rows and features" in str(import_files([table(*TREE)], skip_bad=True).faults[-1])


def test_a_report_names_a_thousand_faults_and_counts_the_rest(table: Callable[..., Path]) -> None:
    report = import_files([table(*[("x", "", "", "", "", "")] * 1500)])
    assert (report.bad, len(report.faults)) == (1500, 1000)
    endless = table(
        *[("x", "", "", "", "", "")] * 1500, ("x" * 70_000, "", "", "", "", ""), name="endless.csv"
    )
    assert "the line is longer" in str(import_files([endless]).faults[-1])


def test_a_boundary_beyond_its_parents_is_a_warning(
    table: Callable[..., Path], shapes: Callable[..., Path]
) -> None:
    report = import_files(
        [
            table(*TREE),
            shapes(feature(NORTH[0], square(114.31, 22.7)), feature(STREET[0], square(114.3, 22.7))),
        ]
    )
    assert report.written
    assert str(report.warnings[0]) == (
        "regions.geojson: feature 1: 440999001001: the boundary reaches beyond that of "
        "its parent 440999001000"
    )
    again = import_files([shapes(feature(NORTH[0], square(114.31, 22.7)))])
    assert again.warned == 1


def test_a_boundary_outside_china_is_a_warning(
    table: Callable[..., Path], shapes: Callable[..., Path]
) -> None:
    report = import_files([table(*TREE), shapes(feature(NORTH[0], square(2.3, 48.8)))])
    assert [w.reason for w in report.warnings] == ["the boundary lies outside China"]


def test_a_city_without_districts_may_have_streets(table: Callable[..., Path]) -> None:
    city = ("441900000000", "东莞市", "Dongguan City", "", "", "")
    street = ("441900003000", "东城街道", "Dongcheng Subdistrict", "", "", "")
    assert import_files([table(city, street)]).created == 2
