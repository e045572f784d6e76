"""Importing regions: all or nothing, the same twice, and every way of writing a file that people have."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from portal.core import audit
from portal.core.db import db
from portal.regions import demo, lookup, sources
from portal.regions.importer import import_files
from portal.regions.models import Region
from tests.regions.conftest import DISTRICT, HEADING, NORTH, SOUTH, STREET, TREE, feature, square

BAD = ("440999001003", "", "Nameless", "", "1", "true")


def stored() -> dict[str, tuple]:
    db.session.rollback()
    rows = db.session.execute(
        select(
            Region.code,
            Region.name_zh,
            Region.name_en,
            Region.pinyin,
            Region.population,
            Region.demonstration,
            Region.boundary,
        )
    )
    return {row[0]: tuple(row[1:]) for row in rows}


def entries() -> list[audit.AuditEntry]:
    db.session.rollback()
    return list(
        db.session.scalars(select(audit.AuditEntry).where(audit.AuditEntry.action == "regions.import"))
    )


def test_a_second_import_changes_nothing_and_leaves_no_trace(context: Flask) -> None:
    first, before = demo.seed(), stored()
    assert (first.created, first.boundaries, first.bad) == (33, 33, 0)
    stamp = lookup.current().token
    again = demo.seed()
    assert (again.changes, again.unchanged, again.boundaries_unchanged) == (0, 33, 33)
    assert stored() == before
    assert lookup.current().token == stamp
    assert len(entries()) == 1


def test_an_import_is_in_the_audit_trail_with_its_files_and_counts(
    context: Flask, table: Callable[..., Path]
) -> None:
    import_files([table(*TREE)], actor=audit.Actor("a1", "管理员"))
    (entry,) = entries()
    assert entry.actor == "管理员"
    assert entry.details["created"] == 4
    assert len(entry.details["files"]["regions.csv"]) == 64
    assert list(audit.verify(db.session)) == []


def test_one_bad_row_stops_everything(context: Flask, table: Callable[..., Path]) -> None:
    report = import_files([table(*TREE, BAD)])
    assert (report.bad, report.written) == (1, False)
    assert stored() == {}
    assert entries() == []


def test_bad_rows_can_be_left_out(context: Flask, table: Callable[..., Path]) -> None:
    report = import_files([table(*TREE, BAD)], skip_bad=True)
    assert (report.bad, report.written, report.created) == (1, True, 4)
    assert len(stored()) == 4
    assert entries()[0].details["skipped"] == 1


def test_a_check_says_what_would_change_and_changes_nothing(
    context: Flask, table: Callable[..., Path]
) -> None:
    import_files([table(*TREE)])
    before = stored()
    more = ("440999001004", "西社区", "West Community", "xi she qu", "5", "true")
    report = import_files([table(*TREE[:3], (*SOUTH[:4], "250", "true"), more)], check=True, skip_bad=True)
    assert (report.created, report.updated, report.unchanged, report.written) == (1, 1, 3, False)
    assert stored() == before


def test_a_street_that_is_left_out_takes_its_communities_along(
    context: Flask, table: Callable[..., Path]
) -> None:
    report = import_files([table(DISTRICT, (STREET[0], "", *STREET[2:]), NORTH)], skip_bad=True)
    assert report.bad == 2
    assert stored().keys() == {DISTRICT[0]}


def test_the_order_of_rows_and_files_does_not_matter(
    context: Flask, table: Callable[..., Path], shapes: Callable[..., Path]
) -> None:
    boundary = shapes(feature(NORTH[0], square(114.3, 22.7)))
    report = import_files([boundary, table(*reversed(TREE))])
    assert (report.created, report.boundaries, report.bad) == (4, 1, 0)
    assert lookup.at_point(114.305, 22.705) == NORTH[0]


def test_a_column_that_is_absent_leaves_what_was_there(context: Flask, table: Callable[..., Path]) -> None:
    import_files([table(*TREE)])
    import_files([table((SOUTH[0], "南新社区"), heading=("code", "name"))])
    assert stored()[SOUTH[0]][:5] == ("南新社区", SOUTH[2], SOUTH[3], 200, True)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "gbk"])
def test_tables_from_every_office_are_read(context: Flask, table: Callable[..., Path], encoding: str) -> None:
    assert import_files([table(*TREE, encoding=encoding)]).created == 4
    assert stored()[NORTH[0]][0] == "北社区"


def test_a_made_up_boundary_keeps_its_region_marked(
    context: Flask, table: Callable[..., Path], shapes: Callable[..., Path]
) -> None:
    files = [
        table(DISTRICT, STREET, (*NORTH[:5], "false")),
        shapes(feature(NORTH[0], square(114.3, 22.7), demonstration=True)),
    ]
    import_files(files)
    assert stored()[NORTH[0]][4] is True
    assert import_files(files).changes == 0


def test_an_import_that_fails_half_way_leaves_nothing(
    context: Flask, table: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object, **_kwargs: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(audit, "append", fail)
    with pytest.raises(OSError, match="disk is full"):
        import_files([table(*TREE)])
    assert stored() == {}
    assert lookup.tree(DISTRICT[0]) is None


names = st.text(
    st.characters(codec="gb18030", exclude_categories=("Cs", "Cc", "Zl", "Zp", "Cf", "Zs")),
    min_size=1,
    max_size=20,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.lists(
        st.tuples(names, names, st.integers(0, 2**31 - 1), st.booleans()), min_size=1, max_size=6
    ),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "gb18030"]),
    corners=st.tuples(st.integers(75_000_000, 130_000_000), st.integers(5_000_000, 50_000_000)),
)
def test_what_is_imported_is_what_was_written(
    context: Flask, values: list, encoding: str, corners: tuple
) -> None:
    import csv
    import json

    with tempfile.TemporaryDirectory() as name:
        rows = [
            (f"440999001{n + 1:03d}", zh, en, "", str(people), str(mark).lower())
            for n, (zh, en, people, mark) in enumerate(values)
        ]
        path, drawn = Path(name) / "a.csv", Path(name) / "b.geojson"
        with path.open("w", newline="", encoding=encoding) as file:
            csv.writer(file).writerows([HEADING, DISTRICT, STREET, *rows])
        ring = square(corners[0] / 1e6, corners[1] / 1e6)
        drawn.write_text(json.dumps({"type": "FeatureCollection", "features": [feature(rows[0][0], ring)]}))
        report = import_files([path, drawn])
    assert report.faults == []
    found = stored()
    for code, zh, en, _pinyin, people, mark in rows:
        assert found[code][:5] == (zh, en, "", int(people), mark == "true")
    assert found[rows[0][0]][5] == {"type": "Polygon", "coordinates": ring}


def test_a_large_table_is_never_in_memory_as_a_whole(
    context: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "many.geojson"
    ring = square(114.3, 22.7)
    with path.open("w") as file:
        file.write('{"type": "FeatureCollection", "features": [\n')
        filler = "x" * 1000
        file.write(
            ",\n".join(
                str(feature(f"440999{n:06d}", ring, filler=filler)).replace("'", '"') for n in range(3000)
            )
        )
        file.write("]}")
    held: list[int] = []
    more = sources._Text._more

    def watched(self: sources._Text) -> bool:
        result = more(self)
        held.append(len(self._buffer))
        return result

    monkeypatch.setattr(sources._Text, "_more", watched)
    assert sum(1 for _ in sources.features(path, "utf-8-sig")) == 3000
    assert path.stat().st_size > 3_000_000
    assert max(held) < 200_000


def test_rows_that_came_by_another_way_are_noticed(context: Flask) -> None:
    assert lookup.tree(DISTRICT[0]) is None
    db.session.add(
        Region(code=DISTRICT[0], parent_code=None, level="district", name_zh="试验区", name_en="Trial")
    )
    db.session.commit()
    assert lookup.tree(DISTRICT[0]).name("en") == "Trial"
    assert db.session.scalar(select(func.count()).select_from(Region)) == 1


def test_another_process_sees_an_import_at_its_next_question(
    make_app: Callable[..., Flask], table: Callable[..., Path]
) -> None:
    one, other = make_app(), make_app()
    with other.app_context():
        import_files([table(*TREE)])
        assert lookup.population_of([DISTRICT[0]]) == 300
    with one.app_context():
        import_files([table((*SOUTH[:4], "999", "true"))])
    with other.app_context():
        assert lookup.get(SOUTH[0]).population == 999


def test_copies_are_not_needed_to_keep_answers_safe(district: Flask) -> None:
    before = lookup.outline(["440310001000"])
    changed = copy.deepcopy(before)
    before["coordinates"][0][0][0] = 0
    assert lookup.outline(["440310001000"]) == changed
