"""What tells who somebody is lies sealed, is opened with a trace, can be undone for a while, and is wiped in time."""

from __future__ import annotations

import threading
import uuid
from contextvars import Context
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import select, text, update

from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.core.errors import Conflict, Forbidden, Invalid
from portal.shelters.models import ARRIVED, TransferEvent, TransferPerson
from portal.shelters.transfers import entries, looks, plain, retention, steps, store, vault
from portal.shelters.transfers.checks import read
from tests import district
from tests.shelters.transfers.people import (
    ADDRESS,
    KENGZI,
    LIULIAN,
    NAME,
    PHONE,
    SECRETS,
    entry,
    fresh,
    person,
    seen,
    staff,
    start,
    trail,
)


def raw_rows(*tables: str) -> bytes:
    """Everything that the tables hold, as bytes."""
    district.forget()
    found = b""
    for table in tables:
        for row in db.session.execute(text(f"SELECT * FROM {table}")):
            found += b"".join(bytes(v) if isinstance(v, (bytes, memoryview)) else str(v).encode() for v in row)
    return found


def test_nothing_in_any_table_tells_who_somebody_is(town):
    account = staff()
    somebody = person(account)
    entries.change(account, somebody.id, 1, entry(address=ADDRESS + "之一"))
    looks.at_person(account, somebody.id)
    rows = raw_rows("transfer_person", "audit_entry", "transfer_event")
    assert b"T-1" in rows
    assert [s for s in SECRETS if s.encode() in rows] == []
    assert looks.at_person(account, somebody.id)[1].address == ADDRESS + "之一"


def test_what_is_sealed_for_one_row_or_column_opens_in_no_other(town):
    account = staff()
    one, two = person(account), person(account, "T-2")
    with transaction() as session:
        session.execute(update(TransferPerson).where(TransferPerson.id == two.id).values(name_sealed=fresh(one).name_sealed))
    with pytest.raises(RuntimeError, match="cannot be opened"):
        vault.opened(fresh(two))


def test_a_look_is_written_down_before_it_is_given_and_a_stranger_gets_and_leaves_nothing(town):
    account, stranger = staff(), staff("kengzi", KENGZI)
    somebody = person(account)
    found, secrets = looks.at_person(account, somebody.id)
    assert (found.code, secrets.name, secrets.phone) == ("T-1", NAME, PHONE)
    assert looks.at_person(stranger, somebody.id) is None
    assert looks.at_person(account, uuid.uuid4()) is None
    look, = trail(looks.LOOK)
    assert (look.actor, look.subject, look.details) == ("liulian", "transfer:T-1", {"region_code": LIULIAN})
    assert NAME not in repr(secrets) + repr(entry())


def test_lists_copies_and_prints_are_written_down_with_region_and_number(town):
    account = staff()
    person(account), person(account, "T-2")
    query = store.people_query([LIULIAN])
    assert len(looks.at_list(account, LIULIAN, query)) == 2
    assert [s.name for _p, s in looks.to_take(account, LIULIAN, query, 24)] == [NAME, NAME]
    looks.to_print(account, LIULIAN, query, "  台风  转移 ")
    with pytest.raises(Invalid):
        looks.to_print(account, LIULIAN, query, " 看 ")
    with pytest.raises(Forbidden):
        looks.at_list(account, KENGZI, query)
    told = trail(looks.LIST, looks.TAKE, looks.PRINT)
    assert [(e.action, e.subject, e.details) for e in told] == [
        (looks.LIST, f"region:{LIULIAN}", {"people": 2}), (looks.TAKE, f"region:{LIULIAN}", {"people": 2, "hours": 24}),
        (looks.PRINT, f"region:{LIULIAN}", {"people": 2, "reason": "台风 转移"})]


def test_a_query_that_is_too_wide_still_gives_only_the_region_that_was_asked_for(town):
    street = staff("street", district.PINGSHAN)
    person(street), person(street, "T-2", region_code="440310001002")
    assert [p.code for p in looks.at_list(street, LIULIAN, select(TransferPerson))] == ["T-1"]


def test_changes_can_be_taken_back_for_a_while_by_whoever_made_them(town):
    account, other = staff(), staff("other")
    somebody = person(account)
    _, token = entries.change(account, somebody.id, 1, entry(name="测试乙", people=7))
    assert NAME not in token
    with pytest.raises(Conflict):
        entries.undo(other, token)
    with time_machine.travel(utcnow() + timedelta(minutes=16)), pytest.raises(Conflict):
        entries.undo(account, token)
    entries.undo(account, token)
    assert (vault.opened(fresh(somebody)).name, fresh(somebody).people) == (NAME, 2)
    with pytest.raises(Conflict):
        entries.undo(account, token)
    removed = entries.remove(account, somebody.id, 3)
    entries.undo(account, entries.undo_of_removal(account, removed))
    assert fresh(somebody).removed_at is None
    entries.undo(account, entries.undo_of_addition(account, fresh(somebody)))
    assert fresh(somebody).removed_at is not None
    for nonsense in ("", "x", "AAAA" * 30):
        with pytest.raises(Conflict):
            entries.undo(account, nonsense)


def test_who_read_an_older_version_overwrites_nothing(town):
    account = staff()
    somebody = person(account)
    entries.change(account, somebody.id, 1, entry(people=3))
    with pytest.raises(Conflict):
        entries.change(account, somebody.id, 1, entry(people=4))
    with pytest.raises(Conflict):
        entries.remove(account, somebody.id, 1)
    assert fresh(somebody).people == 3
    assert entries.change(account, somebody.id, 2, entry(people=3))[1] == "", "nothing changed, nothing to undo"
    assert len(trail("transfer.change")) == 1


def test_nobody_adds_to_or_moves_into_a_community_beyond_their_duty(town):
    account, stranger = staff(), staff("kengzi", KENGZI)
    somebody = person(account)
    with pytest.raises(Forbidden):
        person(account, "T-9", region_code=KENGZI)
    with pytest.raises(Forbidden):
        entries.change(account, somebody.id, 1, entry(region_code=KENGZI))
    assert entries.change(stranger, somebody.id, 1, entry(region_code=KENGZI)) is None
    assert entries.remove(stranger, somebody.id, 1) is None
    with pytest.raises(Invalid):
        person(account)  # the code is taken


def test_who_was_removed_is_wiped_after_a_month_and_counts_of_the_past_stay(town):
    account = staff()
    gone, stays = person(account, note="三楼"), person(account, "T-2")
    round_ = start(account)
    steps.record(account, [seen(gone, round_, ARRIVED), seen(stays, round_, "refused", note="不愿离开")])
    entries.remove(account, gone.id, 1)
    assert retention.sweep(town) == 0
    with time_machine.travel(utcnow() + retention.KEPT + timedelta(hours=1)):
        assert retention.sweep(town) == 1
        assert retention.sweep(town) == 0
        with pytest.raises(Conflict):
            entries.restore(account, gone.id, fresh(gone).version)
    row = fresh(gone)
    assert (row.name_sealed, row.phone_sealed, row.address_sealed, row.helper_phone_sealed) == (None,) * 4
    assert (row.initials, row.note, row.helper, row.needs, row.longitude) == ("", "", "", [], None)
    assert vault.opened(fresh(stays)).name == NAME
    assert {e.note for e in db.session.execute(select(TransferEvent)).scalars()} == {"", "不愿离开"}
    wiped, = trail("transfer.wipe")
    assert wiped.details == {"people": 1}


def test_who_is_brought_back_while_the_wiping_runs_is_back_or_refused_and_never_back_and_wiped(town, monkeypatch):
    account, due, got = staff(), retention._due, []
    gone = person(account)
    entries.remove(account, gone.id, 1)

    def bring_back():
        with town.app_context():
            try:
                got.append(entries.restore(account, gone.id, 2))
            except Conflict as refusal:
                got.append(refusal)
    thread = threading.Thread(target=lambda: Context().run(bring_back))

    def meanwhile(session):
        ids = due(session)
        if ids:
            thread.start()
            thread.join(0.5)  # it waits for the rows that are being wiped
        return ids
    monkeypatch.setattr(retention, "_due", meanwhile)
    with time_machine.travel(utcnow() + retention.KEPT + timedelta(hours=1)):
        assert retention.sweep(town) == 1
        thread.join(30)
    assert [type(g) for g in got] == [Conflict]
    assert fresh(gone).removed_at is not None


def test_what_stands_unsealed_tells_nobody_who_it_is():
    assert plain.initials_of("欧阳测试") == "欧某"
    assert plain.initials_of("Ada Byron King") == "A. B. K."
    for text_ in ("13800138000", "138 0013 8000", "+86 138-0013-8000", "0755-12345678", "11010119900307123X"):
        assert plain.telltale(f"找 {text_} 谈"), text_
        assert plain.code_problem(text_)
    for text_ in ("440310001001-007", "三楼左,按门铃两次", "2026-11-25", "440310001001000123", "119"):
        assert not plain.telltale(text_), text_


def test_a_form_says_everything_that_is_wrong_at_its_field(town):
    values, problems = read({"code": "", "region_code": "440310001000", "people": "0", "phone": "12", "needs": "飞行",
                             "means": "foot car", "longitude": "22.7", "latitude": "114.3", "shelter": "nowhere",
                             "note": "x" * 301, "helper": "13800138000"}, lambda _code: None)
    assert values is None
    assert sorted({p.field for p in problems}) == sorted([
        "code", "region_code", "people", "phone", "needs", "means", "longitude", "shelter", "note", "helper", "initials"])
    assert "填反" in str(next(p.message for p in problems if p.field == "longitude"))


def test_words_are_understood_in_both_languages(town):
    values, problems = read({"code": "A1", "region_code": LIULIAN, "name": "测试甲", "needs": "使用轮椅;Lives alone,bedridden",
                             "families": "台风、大风", "means": "救护车转运", "phone": "+86 129 0000 1234",
                             "longitude": "114.3", "latitude": "22.7"}, lambda _code: None)
    assert problems == []
    assert (values.initials, values.needs, values.families, values.means, values.phone) == (
        "测某", ("wheelchair", "bedridden", "alone"), ("wind",), "ambulance", PHONE)
