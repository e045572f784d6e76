"""Files of people, whatever spreadsheet wrote them; what the database is asked for here is the same on both kinds."""

from __future__ import annotations

import shutil

import pytest

from portal.training.groups import roster_file, tables
from tests.district import LIULIAN
from tests.training.groups.conftest import listed, people, phone


@pytest.fixture
def database_url(sqlite_template, tmp_path):
    shutil.copy(sqlite_template, tmp_path / "anlan.db")
    return f"sqlite:///{tmp_path / 'anlan.db'}"


def read(rows):
    return roster_file.read(listed(rows).encode())


def test_a_file_is_read_without_asking_the_database_for_each_row(town, statements):
    assert len(read([("", phone(n), "", LIULIAN) for n in range(1, 300)]).entries) == 299
    assert len(statements) < 10


def test_what_spreadsheets_write_is_read(town):
    text = listed([("王小明", phone(1), "学1", "六联社区")])
    for encoding in ("utf-8", "utf-8-sig", "gbk"):
        found = roster_file.read(text.encode(encoding))
        assert [(one.name, one.region_code) for one in found.entries] == [("王小明", LIULIAN)], encoding


def test_headings_in_both_languages_and_columns_that_nobody_asked_for(town):
    for heading, row in (("Name;Phone;Number;Community", f"Wang;{phone(1)};1;"),
                         ("手机\t班级\t姓名", f"{phone(1)}\t三班\t王小明"), ("name,phone", f'"Wang","\'{phone(1)}"')):
        found = roster_file.read(f"\n{heading}\n\n{row}\n".encode())
        assert [(one.phone, bool(one.name)) for one in found.entries] == [("+86" + phone(1), True)], heading
        assert found.ignored == (("班级",) if "班级" in heading else ())


def test_what_is_no_list_is_refused_in_words(town):
    for body in (b"", "姓名,年龄\n甲,3\n".encode(), "姓名,手机号\n".encode("utf-16"), b"PK\x03\x04 workbook",
                 b"\xef\xbb\xbfphone\n\xff\xfe\n", b'phone,name\n"x', b"phone,phone\n1,1\n"):
        with pytest.raises(tables.Unreadable) as refused:
            roster_file.read(body)
        assert str(refused.value.message)


def test_no_more_rows_than_a_file_may_have(town, monkeypatch):
    monkeypatch.setattr(tables, "MOST_ROWS", 5)
    assert len(read(people(5)).entries) == 5
    with pytest.raises(tables.Unreadable):
        read(people(6))


def test_a_sample_file_is_right_to_begin_with(town):
    for language in ("zh", "en"):
        found = roster_file.read(b"".join(roster_file.sample(language)))
        assert (len(found.entries), found.faults.count) == (2, 0)
        assert all(one.region_code for one in found.entries)


def test_a_formula_goes_out_as_text_and_comes_back_as_it_was():
    for text in ("=1+1", "+86", "-x", "@SUM(A1)", "＝x", "'=x", "王小明", "a=b", "\tx"):
        out = tables.line([text]).decode().rstrip("\r\n").strip('"')
        assert not out.startswith(("=", "+", "-", "@", "＝", "\t"))
        assert tables.unguarded(out) == text
