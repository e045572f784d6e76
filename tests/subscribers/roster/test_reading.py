"""A list is read as people write it; every row that cannot be taken is named with its line and reason, and no number is told."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

import pytest
from flask_babel import force_locale
from sqlalchemy import select

from portal.core.db import db
from portal.regions import lookup
from portal.subscribers.audiences import mask_of
from portal.subscribers.models import RosterFault, RosterImport, RosterRow, Subscriber
from portal.subscribers.roster import batches, reasons
from portal.subscribers.roster.rows import Said
from tests.shelters.one_database import database_url  # noqa: F401  (nothing here is a matter of the database)
from tests.subscribers.roster.conftest import KENGZI, LIULIAN, rows_of

pytestmark = pytest.mark.usefixtures("settled")


def waiting(batch: RosterImport) -> list[tuple[str, str, int, str]]:
    """(phone, community, audiences, language) of what waits, by line."""
    from flask import current_app

    book = current_app.extensions["phones"]
    rows = db.session.execute(select(RosterRow).where(RosterRow.import_id == batch.id).order_by(RosterRow.line)).scalars()
    return [(book.open(row.phone_sealed), row.region_code, row.audiences, row.language) for row in rows]


def faults(batch: RosterImport) -> dict[int, str]:
    return {one.line: one.reason for one in batches.faults(batch.id)}


def test_spreadsheets_of_both_languages_are_read_with_their_columns_in_any_order(staged: Callable[..., RosterImport]) -> None:
    name = lookup.get(LIULIAN).name_zh
    text = (f"姓名,人群,所在社区,联系电话,语种\r\n张三,学校；居民,{name},129 0000 0001,英文\r\n"
            f"李四,,{KENGZI},１２９００００００02,\r\n")
    for encoding in ("utf-8", "utf-8-sig", "gb18030"):
        batch = staged(text.encode(encoding))
        assert (batch.state, batch.rows, batch.bad, batch.people, batch.new) == ("ready", 2, 0, 2, 2)
        assert waiting(batch) == [("+8612900000001", LIULIAN, mask_of(["schools", "residents"]), "en"),
                                  ("+8612900000002", KENGZI, mask_of(["residents"]), "zh")]
    assert db.session.scalar(select(Subscriber.id).limit(1)) is None, "nobody is a subscriber before somebody says yes"


def test_places_are_found_by_code_and_name_in_both_languages_several_in_one_cell(staged: Callable[..., RosterImport]) -> None:
    one, other = lookup.get(LIULIAN), lookup.get(KENGZI)
    short = one.name_zh.removesuffix("社区")
    batch = staged(rows_of(f"12900000001,{one.name_en.upper()},,", f"12900000002,{short}；{other.code},,",
                           f'12900000003,"{other.name_zh}, {other.name_en}",,'))
    assert batch.bad == 0, faults(batch)
    assert [(phone[-1], code) for phone, code, _bits, _language in waiting(batch)] == [
        ("1", LIULIAN), ("2", LIULIAN), ("2", KENGZI), ("3", KENGZI)]


def test_every_bad_row_is_named_with_its_line_and_reason_and_no_number_is_kept_of_it(staged: Callable[..., RosterImport]) -> None:
    street = lookup.get("440310001000")
    batch = staged(rows_of(
        "12900000001,六联社区,,", "1.38E+10,六联社区,,", ",六联社区,,", "1380000,六联社区,,", "12900000002,月亮社区,,",
        "12900000003,,,", f"12900000004,{street.name_zh},,", "12900000005,440399999999,,", "12900000006,六联社区,巫师,",
        "12900000007,六联社区,,français", "12900000008,六联社区", "12900000009,联系电话 13812345678,,",
        "0755-84622222,六联社区,,", f"12900000010,六联社区{'长' * 600},,", "12900000011,075584622222,,",
        "12900000012,013812345678,,"))
    assert faults(batch) == {
        3: "shortened", 4: "no_phone", 5: "no_such_phone", 6: "no_such_place", 7: "no_place", 8: "too_large_place",
        9: "no_such_code", 10: "no_such_group", 11: "no_such_language", 12: "cells", 13: "no_such_place", 14: "landline",
        15: "long_cell", 16: "no_such_code", 17: "no_such_code"}
    assert (batch.state, batch.rows, batch.bad, batch.people) == ("ready", 16, 15, 1)
    kept = db.session.execute(select(RosterFault.about)).scalars().all()
    assert "440399999999" in kept
    assert not any("1381234" in about or "84622222" in about for about in kept)
    for language, words in (("zh", "月亮社区"), ("en", "月亮社区")):
        with force_locale(language):
            told = [reasons.of_row(one.reason, one.about) for one in batches.faults(batch.id)]
        assert all(told)
        assert any(words in one for one in told)
        assert not any("%(" in one for one in told)


def test_a_community_and_a_group_can_be_said_once_for_all(staged: Callable[..., RosterImport]) -> None:
    batch = staged("手机\n12900000001\n12900000002\n", Said(LIULIAN, mask_of(["schools"]), "en"))
    assert waiting(batch) == [(f"+861290000000{n}", LIULIAN, mask_of(["schools"]), "en") for n in (1, 2)]


REFUSED = (
    (b"", "empty", 0), (b"\n\n", "empty", 0), ("手机,社区\n".encode("utf-16"), "utf16", 0), (b"PK\x03\x04rest", "workbook", 0),
    (b"phone,community\n\xff\xff\xff\x00\n", "not_text", 0), (b"name,age\nx,1\n", "no_columns", 1),
    (b"phone,mobile,community\n1,2,3\n", "column_twice", 1), (b"phone,community\n", "no_rows", 0),
    (b'phone,community\n12900000001,"x\n12900000002,y\n', "not_csv", 3), (b"phone,community\n" + b"x" * 20_000, "long_line", 2))


def test_what_is_no_list_is_refused_whole_in_words_and_leaves_nothing(staged: Callable[..., RosterImport]) -> None:
    for body, key, line in REFUSED:
        batch = staged(body)
        assert (batch.state, batch.reason["key"], batch.reason.get("line") or 0) == ("refused", key, line)
        assert "%(" not in reasons.of_file(batch.reason)
    assert db.session.scalar(select(RosterRow.line).limit(1)) is None


def test_a_row_beyond_the_duty_is_bad(staged: Callable[..., RosterImport]) -> None:
    from portal.identity.rights import SUBSCRIBERS
    from tests import district

    account = district.office("street", (SUBSCRIBERS, "440310001000", "red"))
    batch = staged(rows_of("12900000001,六联社区,,", f"12900000002,{KENGZI},,"), account=account)
    assert faults(batch) == {3: "beyond_duty"}
    assert batch.region_codes == ["440310001000"]


def test_a_file_of_any_bytes_is_read_or_refused(staged: Callable[..., RosterImport]) -> None:
    out = io.StringIO()
    csv.writer(out).writerows([["phone", "community"], ["\x00", "a\x00b"], ["12900000001", "六联\x00社区"],
                               ["١٢٣", "%s' OR 1=1"]])
    batch = staged(out.getvalue())
    assert (batch.state, batch.bad) == ("ready", 3)
