"""A list from a file: checked whole before anything is written, its faults named by line, the same file twice is once."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from flask_babel import force_locale

from portal.core.clock import utcnow
from portal.core.db import db
from portal.core.errors import Conflict
from portal.shelters.models import WAITING, TransferPerson
from portal.shelters.transfers import commands, entries, importer, store, vault
from portal.shelters.transfers.importer import import_rows
from tests import district
from tests.shelters.transfers.people import (
    ADDRESS,
    HELPER_PHONE,
    KENGZI,
    LIULIAN,
    NAME,
    PHONE,
    SECRETS,
    fresh,
    person,
    staff,
    start,
    trail,
)

HEADING = "code,region_code,name,phone,address,people,needs,means,helper,helper_phone,note"


def row(code: str, **values: str) -> str:
    given = {"code": code, "region_code": LIULIAN, "name": NAME, "phone": PHONE, "address": ADDRESS, "people": "2",
             "needs": "bedridden;alone", "means": "ambulance", "helper": "网格员", "helper_phone": HELPER_PHONE} | values
    return ",".join(given.get(name, "") for name in HEADING.split(","))


def file(*rows: str, encoding: str = "utf-8", block: int = 7):
    """A source in blocks of so few bytes that every character is cut somewhere."""
    body = "\r\n".join([HEADING, *rows, ""]).encode(encoding)
    return lambda: (body[at:at + block] for at in range(0, len(body), block))


def everybody() -> list:
    district.forget()
    return list(db.session.execute(store.people_query([district.DISTRICT])).scalars())


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030"])
def test_a_list_is_taken_in_sealed_and_the_same_file_again_changes_nothing(town, encoding):
    source = file(row("A-1"), row("A-2", people="3"), encoding=encoding)
    first = import_rows(source)
    assert (first.read, first.added, first.bad, first.written) == (2, 2, 0, True)
    one, two = everybody()
    assert (one.initials, one.needs, one.means, two.people) == ("测某", ["bedridden", "alone"], "ambulance", 3)
    assert vault.opened(one) == vault.Secrets(NAME, PHONE, ADDRESS, HELPER_PHONE)
    sealed = [one.name_sealed, two.name_sealed]
    again = import_rows(source)
    assert (again.added, again.changed, again.unchanged) == (0, 0, 2)
    assert [p.name_sealed for p in everybody()] == sealed
    assert [e.details["added"] for e in trail("transfer.import")] == [2]


def test_a_check_says_what_would_change_and_changes_nothing(town):
    import_rows(file(row("A-1")))
    report = import_rows(file(row("A-1", people="9"), row("A-2")), check=True)
    assert (report.added, report.changed, report.written) == (1, 1, False)
    assert [p.people for p in everybody()] == [2]


def test_bad_rows_are_named_by_line_and_field_and_nothing_is_taken_unless_told_so(town):
    source = file(row("A-1"), row("", people="x"), row("A-1"), row("A-3", region_code="440310001000"),
                  row("A-4", phone="12"), row("A-5") + ",more", row("A-6", note="13800138000"), row("110101199003071233"))
    report = import_rows(source)
    assert not report.written
    assert everybody() == []
    told = {f.line: (f.code, sorted(p.field for p in f.problems)) for f in report.faults}
    assert told == {3: ("", ["code", "people"]), 4: ("A-1", ["code"]), 5: ("A-3", ["region_code"]), 6: ("A-4", ["phone"]),
                    7: ("", [""]), 8: ("A-6", ["note"]), 9: ("", ["code"])}
    said = " ".join(str(p.message) for f in report.faults for p in f.problems)
    assert [s for s in (*SECRETS, "110101199003071233", "13800138000") if s in said] == []
    skipped = import_rows(source, skip_bad=True)
    assert (skipped.added, skipped.bad, skipped.written) == (1, 7, True)
    assert [p.code for p in everybody()] == ["A-1"]


def test_a_file_that_cannot_be_read_says_why_and_changes_nothing(town):
    for body, words in (
            (b"", "empty"), (b"\n\n", "empty"), (b"code,name\nA,B\n", "region_code"),
            (b"code,region_code,id_number\n", "id_number"), (b"code,region_code,code\n", "twice"),
            (b"\xff\xfec\x00o\x00", "UTF-16"), (b"\xff\xff\xff\x80\xff", "GB 18030"),
            (b'code,region_code,name\n"A,1,x\n', "CSV"), (b"code,region_code,name\n" + b"x" * 20_000, "long")):
        with force_locale("en"):
            report = import_rows(lambda body=body: [body])
        assert words in str(report.fatal), body[:40]
        assert not report.written
    assert everybody() == []


def test_columns_that_are_missing_leave_what_is_there(town):
    import_rows(file(row("A-1")))
    body = f"code,region_code,people\nA-1,{LIULIAN},5\n".encode()
    bad = import_rows(lambda: [body])
    assert bad.bad == 1, "without initials and name nobody can be told apart"
    body = f"code,region_code,initials,people\nA-1,{LIULIAN},测某,5\n".encode()
    assert import_rows(lambda: [body]).changed == 1
    one, = everybody()
    assert (one.people, vault.opened(one).name, one.needs) == (5, NAME, ["bedridden", "alone"])


def test_a_community_brings_in_only_its_own_and_does_not_touch_what_is_others(town):
    account, other = staff(), staff("kengzi", KENGZI)
    person(other, "K-1", region_code=KENGZI)
    report = import_rows(file(row("A-1"), row("A-2", region_code=KENGZI), row("K-1")), account=account, skip_bad=True)
    assert (report.added, report.bad) == (1, 2)
    assert sorted((p.code, p.region_code) for p in everybody()) == [("A-1", LIULIAN), ("K-1", KENGZI)]


def test_who_was_removed_by_hand_is_not_brought_back_by_a_file(town):
    account = staff()
    import_rows(file(row("A-1")))
    one, = everybody()
    entries.remove(account, one.id, one.version)
    report = import_rows(file(row("A-1")))
    assert (report.removed, report.added, report.changed) == (1, 0, 0)
    assert fresh(one).removed_at is not None


def test_newcomers_of_a_file_join_the_round_under_way(town):
    start(staff())
    import_rows(file(row("A-1")))
    found, = store.progress([LIULIAN])
    assert found.by_state == {WAITING: 1}


def test_a_list_that_changed_between_check_and_writing_is_not_half_written(town, monkeypatch):
    real = importer._compare

    def meanwhile(session, chunk, *more):
        if isinstance(more[-1], importer.Writing):  # somebody elsewhere has given the code to somebody else
            session.add(TransferPerson(code="A-2", region_code=KENGZI, initials="王某", source="test", changed_at=utcnow()))
            session.flush()
        return real(session, chunk, *more)
    monkeypatch.setattr(importer, "_compare", meanwhile)
    with pytest.raises(Conflict):
        import_rows(file(row("A-1"), row("A-2")), account=staff())
    assert everybody() == []
    assert trail("transfer.import") == []


def test_the_command_checks_names_faults_and_imports(make_app, make_settings, tmp_path, monkeypatch):
    app = make_app()
    with app.app_context():
        district.settle_regions()
    monkeypatch.setattr("portal.config.load_settings", lambda: make_settings())
    path = tmp_path / "list.csv"
    path.write_bytes(b"".join(file(row("A-1"), row("A-2", people="none"))()))
    run = CliRunner().invoke(commands.transfers, ["import", str(path), "--check"])
    assert run.exit_code == 1
    assert "bad      line 3 A-2: people: A whole number of persons" in run.output
    assert "this was a check" in run.output
    assert CliRunner().invoke(commands.transfers, ["import", str(path)]).exit_code == 1
    done = CliRunner().invoke(commands.transfers, ["import", str(path), "--skip-bad"])
    assert done.exit_code == 0
    assert "1 new" in done.output
    assert [s for s in SECRETS if s in run.output + done.output] == []
    with app.app_context():
        assert [p.code for p in everybody()] == ["A-1"]
