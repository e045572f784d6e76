"""Shelters in and out of files: nothing is lost on the way, bad rows are named, and an import is all or nothing."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, null, select

from portal.core import audit
from portal.core.audit import AuditEntry
from portal.core.db import db, transaction
from portal.core.errors import Conflict
from portal.identity.rights import SHELTERS
from portal.shelters.models import Entrance, FieldWish, Shelter
from portal.shelters.registry import exchange, store
from tests import district
from tests.shelters.places import make_shelter
from tests.shelters.registry.strategies import shelters

HEADING = "code,name_zh,longitude,latitude,capacity_day,suitable_flood\n"
FEW = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.fixture(autouse=True)
def _regions(context: Flask) -> None:
    district.settle_regions()


def apply(text: str | bytes, format: str | None = None, **options: Any) -> exchange.Report:
    return exchange.apply(options.pop("account", None), handed(text), format, **options)


def check(text: str | bytes, format: str | None = None, **options: Any) -> exchange.Report:
    return exchange.check(handed(text), format, **options)


def handed(text: str | bytes) -> io.BytesIO:
    return io.BytesIO(text.encode() if isinstance(text, str) else text)


def kept() -> dict[str, dict[str, Any]]:
    """Everything that the registry has, with versions."""
    district.forget()
    return {s.code: store.values_of(s) | {"version": s.version, "id": s.id} for s in store.listing(retired=True)}


def empty() -> None:
    with transaction() as session:
        session.execute(Entrance.__table__.delete())
        session.execute(Shelter.__table__.delete())


def told(report: exchange.Report) -> list[tuple[int, str, str]]:
    return [(f.row, f.code, f.column) for f in report.faults]


@FEW
@given(st.lists(shelters(), min_size=1, max_size=4, unique_by=lambda values: values["code"].lower()))
def test_arbitrary_shelters_survive_csv_and_geojson_unchanged(wanted: list[dict[str, Any]]) -> None:
    for values in wanted:
        store.save(None, values, shelter_id=None, version=None)
    before = kept()
    for values in wanted:
        got = before[values["code"]]
        assert {name: got[name] for name in values} == values | {"region_code": got["region_code"]}
    files = {format: b"".join(exchange.export(format)) for format in ("csv", "geojson")}
    for format, file in files.items():
        again = apply(file)
        assert (again.format, again.unchanged, again.total, again.bad) == (format, len(wanted), 0, 0), again.faults
    for file in files.values():
        empty()
        report = apply(file)
        assert (report.new, report.bad) == (len(wanted), 0), report.faults
        after = kept()
        assert {code: {**v, "id": 0} for code, v in after.items()} == {code: {**v, "id": 0} for code, v in before.items()}
    empty()


@FEW
@given(st.lists(st.tuples(st.floats(114.2, 114.5), st.floats(22.5, 22.8), st.booleans()), min_size=1, max_size=6))
def test_swapped_places_are_found_row_by_row_and_turned_when_wished(places: list[tuple[float, float, bool]]) -> None:
    rows = [(n, *((lat, lon) if swapped else (lon, lat))) for n, (lon, lat, swapped) in enumerate(places, 2)]
    text = HEADING + "".join(f"S{n},场所,{x!r},{y!r},,\n" for n, x, y in rows)
    wrong = [n for n, (_lon, _lat, swapped) in enumerate(places, 2) if swapped]
    report = check(text)
    assert [f.row for f in report.faults] == wrong
    assert (report.bad, report.swapped) == (len(wrong), len(wrong))
    mended = check(text, swap_coordinates=True)
    assert (mended.bad, mended.unswapped, mended.new) == (0, len(wrong), len(places))


def test_turning_also_turns_entrances_and_outlines_and_leaves_right_ones() -> None:
    ring = [[22.69, 114.35], [22.69, 114.36], [22.7, 114.36], [22.69, 114.35]]
    outline = json.dumps({"type": "Polygon", "coordinates": [ring]})
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(["code", "name_zh", "longitude", "latitude", "entrances", "boundary"])
    writer.writerow(["A1", "甲", "22.691", "114.351", "东门||22.691|114.352|yes|24h; 西门||114.351|22.691|no|", outline])
    assert check(buffer.getvalue()).swapped == 1
    assert apply(buffer.getvalue(), swap_coordinates=True).new == 1
    got = kept()["A1"]
    assert (got["longitude"], got["latitude"]) == (114.351, 22.691)
    assert [(e["longitude"], e["latitude"]) for e in got["entrances"]] == [(114.352, 22.691), (114.351, 22.691)]
    assert got["boundary"]["coordinates"][0][0] == [114.35, 22.69]


def test_every_bad_row_is_named_and_nothing_is_imported() -> None:
    with transaction() as session:
        make_shelter(session, code="OLD-1")
    before = kept()
    text = HEADING + ("A1,甲,114.35,22.69,100,yes\n,无码,114.35,22.69,,\nA3,丙,114.35,22.69,many,\nA4,丁,0,0,,\n"
                      "A1,重复,114.35,22.69,,\nA6,戊,114.35,22.69,,perhaps\nA7,己,114.35,22.69\nfire,庚,,,,\n")
    report = apply(text)
    assert told(report) == [(3, "", "code"), (4, "A3", "capacity_day"), (5, "A4", "longitude"), (6, "A1", "code"),
                            (7, "A6", "suitable_flood"), (8, "A7", ""), (9, "fire", "code")]
    assert all(str(fault.reason) for fault in report.faults)
    assert (report.written, report.bad, report.new) == (False, 7, 1)
    assert kept() == before
    chinese = HEADING.replace("capacity_day", "可容纳人数").replace("suitable_flood", "适用洪水") + "A1,甲,,,many,perhaps\n"
    assert told(check(chinese)) == [(2, "A1", "可容纳人数"), (2, "A1", "适用洪水")]


def test_good_rows_are_imported_beside_bad_ones_only_when_told_so() -> None:
    report = apply(HEADING + "A1,甲,114.35,22.69,100,yes\nA2,乙,114.35,22.69,-3,\n", skip_bad=True)
    assert (report.written, report.new, report.bad) == (True, 1, 1)
    assert set(kept()) == {"A1"}


def test_a_check_says_exactly_what_an_import_then_does_and_changes_nothing() -> None:
    with transaction() as session:
        make_shelter(session, code="OLD-1", capacity_day=300, longitude=114.35, latitude=22.69)
        make_shelter(session, code="OLD-2", name_zh="不变", longitude=114.35, latitude=22.69, capacity_day=5)
        make_shelter(session, code="GONE-1")
    store.retire(None, make_retired(), 1)
    text = HEADING + ("OLD-1,场所,114.35,22.69,350,no\nOLD-2,不变,114.35,22.69,5,yes\nNEW-1,新,114.36,22.69,,未知\n"
                      "RET-1,停用,114.36,22.69,,\n")
    before = (kept(), entries())
    said = check(text)
    assert (kept(), entries()) == before
    assert [(c.kind, c.code, c.fields) for c in said.changes] == [
        ("changed", "OLD-1", ("name_zh", "suitability", "capacity_day")), ("new", "NEW-1", ())]
    assert (said.new, said.changed, said.unchanged, said.retired, said.absent) == (1, 1, 1, 1, 1)
    done = apply(text, expected=said.fingerprint)
    assert done.changes == said.changes
    assert (done.new, done.changed, done.unchanged, done.retired, done.absent) == (1, 1, 1, 1, 1)
    after = kept()
    assert (after["OLD-1"]["version"], after["OLD-2"]["version"], after["RET-1"]["name_zh"]) == (2, 1, "停用前")
    assert after["OLD-1"]["suitability"] == before[0]["OLD-1"]["suitability"] | {"flood": False}
    assert after["OLD-1"]["capacity_night"] == 200  # a column that the file has not


def make_retired() -> int:
    with transaction() as session:
        return make_shelter(session, code="RET-1", name_zh="停用前").id


def entries() -> int:
    return db.session.execute(select(func.count()).select_from(AuditEntry)).scalar_one()


def test_importing_again_changes_no_version_and_writes_nothing_into_the_trail() -> None:
    text = HEADING + "A1,甲,114.35,22.69,100,yes\nA2,乙,,,,\n"
    assert apply(text).new == 2
    before = (kept(), entries(), wanted())
    again = apply(text)
    assert (again.unchanged, again.total, again.written) == (2, 0, True)
    assert (kept(), entries(), wanted()) == before


def wanted() -> int:
    row = db.session.get(FieldWish, 1, populate_existing=True)
    return row.wanted if row else 0


def test_what_a_file_leaves_unknown_is_null_in_the_database_and_not_a_word_for_it() -> None:
    apply("code,name_zh,boundary,capacity_day,step_free,level\nA1,甲,,,,\n")
    apply("code,name_zh,boundary,capacity_day,step_free,level\nA1,乙,,,,\n")
    empty_columns = (Shelter.boundary, Shelter.capacity_day, Shelter.step_free, Shelter.level, Shelter.longitude, Shelter.status)
    query = select(func.count()).select_from(Shelter).where(*(column.is_(null()) for column in empty_columns))
    assert db.session.execute(query).scalar_one() == 1


def test_an_import_is_one_entry_of_the_trail_and_asks_for_one_new_field() -> None:
    before = wanted()
    apply(HEADING + "A1,甲,114.35,22.69,100,yes\nA2,乙,,,,\n", name="list.csv")
    entry = db.session.execute(select(AuditEntry).where(AuditEntry.action == "shelters.import")).scalar_one()
    assert (entry.details["created"], entry.details["codes"]) == (2, ["A1", "A2"])
    assert wanted() == before + 1
    assert list(audit.verify(db.session)) == []


def test_what_changed_after_the_preview_is_a_conflict_and_nothing_is_written() -> None:
    with transaction() as session:
        shelter = make_shelter(session, code="OLD-1")
    text = HEADING + "OLD-1,新名,114.35,22.69,10,\nA2,乙,,,,\n"
    seen = check(text).fingerprint
    store.save(None, {"capacity_day": 11}, shelter_id=shelter.id, version=1)
    before = kept()
    now = check(text).fingerprint
    for expected, options in ((seen, {}), (now, {"source": "elsewhere"})):
        with pytest.raises(Conflict):
            apply(text, expected=expected, **options)
    assert kept() == before
    assert apply(text, expected=now).written


def test_an_account_imports_only_within_its_duty() -> None:
    street = district.office("street", (SHELTERS, district.PINGSHAN, "red"))
    text = "code,name_zh,region_code\nA1,甲,440310001001\nA2,乙,440310005001\nA3,丙,\n"
    assert told(check(text, account=street)) == [(3, "A2", "region_code"), (4, "A3", "region_code")]
    assert not apply(text, account=street).written
    assert apply(text, account=street, skip_bad=True).new == 1
    assert set(kept()) == {"A1"}


def test_words_for_unknown_and_empty_cells_are_unknown_in_each_encoding() -> None:
    text = ("编码,名称,经度,纬度,可容纳人数,适用洪水,无障碍,来源\n"
            "A1,六联小学,,,未知,不明,unknown,不详\nA2,坪山中学,,,5,是,否,区应急管理局\n")
    for encoded in (text.encode("utf-8"), text.encode("utf-8-sig"), text.encode("gb18030")):
        empty()
        assert apply(encoded).new == 2
        got = kept()
        assert (got["A1"]["capacity_day"], got["A1"]["suitability"], got["A1"]["step_free"]) == (None, {}, None)
        assert got["A1"]["source"] == ""
        assert (got["A2"]["name_zh"], got["A2"]["suitability"], got["A2"]["step_free"]) == ("坪山中学", {"flood": True}, False)


UNREADABLE = [
    b"", b"\xff\xfec\x00o\x00", b"\xff\xff\xff\xff", b"name_zh\nx\n", b"code;name_zh\nA1;x\n", b"code,name_zh,colour\nA1,x,red\n",
    b"code,code,name_zh\nA1,A1,x\n", b'code,name_zh\nA1,"x\n', b'{"type":"FeatureCollection","features":[{"type":',
    b'{"type":"Feature"}', b"{", "名称,緯度,経度\nx,1,2\n".encode(),
    b"code,name_zh\nA1," + b"x" * 70_000 + b"\n",
]


def test_a_file_that_cannot_be_read_changes_nothing_and_says_why() -> None:
    for file in UNREADABLE:
        report = apply(file, skip_bad=True)
        assert report.fatal, file[:40]
        assert not report.written
        assert str(report.faults[0].reason)
    assert kept() == {}


def test_what_begins_like_a_formula_is_made_harmless_in_csv_and_comes_back_as_it_was() -> None:
    names = {"A1": "=HYPERLINK(1)", "A2": "@SUM", "A3": "'=x", "A4": "＋1", "A5": "-2"}
    for code, name in names.items():
        store.save(None, {"code": code, "name_zh": name, "contact_phone": "+86 755 1234"}, shelter_id=None, version=None)
    for format in ("csv", "jp"):
        rows = list(csv.reader(io.StringIO(b"".join(exchange.export(format)).decode("utf-8-sig"))))
        assert not [cell for row in rows for cell in row if cell[:1] in "=+-@＝＋－＠" and cell]
        assert apply(b"".join(exchange.export(format))).total == 0
    assert {code: values["name_zh"] for code, values in kept().items()} == names


def test_a_state_in_a_file_is_never_imported() -> None:
    report = apply("code,name_zh,status,occupancy\nA1,甲,open,5\n")
    assert report.new == 1
    assert report.notes
    district.forget()
    found = store.by_code("A1")
    assert found is not None
    assert (found.status, found.occupancy) == (None, None)


def test_geojson_points_and_outlines_become_places_and_unknown_properties_are_named() -> None:
    ring = [[114.35, 22.69], [114.36, 22.69], [114.36, 22.70], [114.35, 22.70], [114.35, 22.69]]
    features = [
        {"type": "Feature", "id": 7, "geometry": {"type": "Point", "coordinates": [114.35, 22.69, 12]},
         "properties": {"name_zh": "甲", "colour": "red", "step_free": True, "suitability": {"flood": "yes"}}},
        {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]},
         "properties": {"code": "B2", "name_zh": "乙"}},
        {"type": "Feature", "geometry": None, "properties": {"code": "C3", "name_zh": "丙"}},
    ]
    report = apply(json.dumps({"type": "FeatureCollection", "features": features}))
    assert (report.format, report.new, report.bad) == ("geojson", 3, 0), report.faults
    assert "colour" in str(report.notes[0])
    got = kept()
    assert (got["7"]["longitude"], got["7"]["suitability"]) == (114.35, {"flood": True})
    assert 114.35 < got["B2"]["longitude"] < 114.36
    assert got["C3"]["longitude"] is None
    bad = [{"type": "Feature", "geometry": {"type": "LineString", "coordinates": ring},
            "properties": {"code": "D4", "name_zh": "丁"}},
           {"type": "Feature", "geometry": None, "properties": None}, 5]
    assert told(check(json.dumps({"type": "FeatureCollection", "features": bad}))) == [
        (1, "D4", "boundary"), (2, "", ""), (2, "", "code"), (3, "", ""), (3, "", "code")]
