"""A list comes in whole or not at all; who left stays away; what it did stands in the story of each, and can be undone."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, text

from portal.core import audit
from portal.core.db import db, transaction
from portal.core.errors import Conflict
from portal.identity.rights import SUBSCRIBERS
from portal.subscribers import store
from portal.subscribers.audiences import mask_of
from portal.subscribers.models import (
    ConsentEvent,
    Given,
    RosterFault,
    RosterGain,
    RosterImport,
    RosterRow,
    Subscriber,
    SubscriberRegion,
)
from portal.subscribers.roster import batches, running, staging, taking, undoing
from portal.subscribers.roster.rows import Said
from tests import district
from tests.subscribers.roster.conftest import KENGZI, LIULIAN, PHONE, rows_of

pytestmark = pytest.mark.usefixtures("settled")
RESIDENTS, SCHOOLS = mask_of(["residents"]), mask_of(["schools"])


def people() -> dict[str, tuple[str, int, str, list[str]]]:
    """Last digits → status, audiences, language, communities."""
    from flask import current_app

    book, found = current_app.extensions["phones"], {}
    db.session.rollback()
    for one in db.session.execute(select(Subscriber).order_by(Subscriber.id)).scalars():
        regions = db.session.execute(select(SubscriberRegion.region_code).where(
            SubscriberRegion.subscriber_id == one.id).order_by(SubscriberRegion.region_code)).scalars().all()
        name = book.open(one.phone_sealed)[-4:] if one.phone_sealed else f"nobody {one.id}"
        found[name] = (one.status, one.audiences, one.language, list(regions))
    return found


def story(number: str) -> list[tuple[str, str, dict | None]]:
    from flask import current_app

    index = current_app.extensions["phones"].index(number)
    of = select(Subscriber.id).where(Subscriber.phone_index == index).scalar_subquery()
    return [tuple(row) for row in db.session.execute(select(ConsentEvent.kind, ConsentEvent.source, ConsentEvent.detail).where(
        ConsentEvent.subscriber_id == of).order_by(ConsentEvent.id)).all()]


def now(batch: RosterImport) -> RosterImport:
    """The batch as others left it."""
    db.session.rollback()
    found = batches.get(batch.id)
    assert found is not None
    return found


def trail() -> list[tuple[str, dict]]:
    db.session.rollback()
    return [tuple(row) for row in db.session.execute(select(audit.AuditEntry.action, audit.AuditEntry.details).where(
        audit.AuditEntry.action.like("subscribers.%")).order_by(audit.AuditEntry.seq)).all()]


def test_everybody_of_the_list_is_told_from_then_on_each_once_and_the_story_says_by_which_batch(
        taken: Callable[..., RosterImport]) -> None:
    batch = taken(rows_of(f"12900000001,{LIULIAN},学校,en", f"12900000001,{KENGZI},居民,zh",
                          f"12900000002,{LIULIAN}；{KENGZI},,", "x,,,"))
    assert (batch.state, batch.rows, batch.bad, batch.people, batch.new, batch.left) == ("done", 4, 1, 2, 2, 0)
    assert people() == {"0001": ("active", RESIDENTS | SCHOOLS, "en", [LIULIAN, KENGZI]),
                        "0002": ("active", RESIDENTS, "zh", [LIULIAN, KENGZI])}
    assert story(PHONE(1)) == [("subscribed", "roster", {"batch": batch.id, "regions": [LIULIAN, KENGZI],
                                                         "audiences": ["residents", "schools"]})]
    assert store.count_in([LIULIAN]) == {"zh": 1, "en": 1}
    assert db.session.scalar(select(func.count()).select_from(RosterRow)) == 0, "nothing waits any more"
    assert trail() == [("subscribers.take", {"rows": 4, "bad": 1, "people": 2, "sha256": batch.sha256}),
                       ("subscribers.done", {"new": 2})]


def test_who_left_is_not_brought_back_and_who_is_there_gains_and_keeps_the_language(
        settled: Flask, taken: Callable[..., RosterImport], staged: Callable[..., RosterImport]) -> None:
    for n, language in ((1, "en"), (2, "zh"), (3, "zh"), (4, "zh")):
        district.subscriber(PHONE(n), LIULIAN, language=language)
    store.opt_out(settled.extensions["phones"].index(PHONE(2)), "twilio")
    ids = db.session.execute(select(Subscriber.id).order_by(Subscriber.id)).scalars().all()
    store.mark_invalid([ids[2]])
    text = rows_of(f"12900000001,{KENGZI},学校,zh", f"12900000002,{KENGZI},,", f"12900000003,{KENGZI},,",
                   f"12900000004,{LIULIAN},,", f"12900000005,{KENGZI},,")
    looked = staged(text)
    batch = taken(text)
    for one in (looked, batch):
        assert (one.people, one.new, one.gained, one.same, one.left) == (5, 1, 1, 1, 2), one.state
    assert people() == {"0001": ("active", RESIDENTS | SCHOOLS, "en", [LIULIAN, KENGZI]),
                        "0002": ("opted_out", 1, "zh", [LIULIAN]), "0003": ("invalid", 1, "zh", [LIULIAN]),
                        "0004": ("active", 1, "zh", [LIULIAN]), "0005": ("active", 1, "zh", [KENGZI])}
    assert story(PHONE(1))[1:] == [("changed", "roster", {"batch": batch.id, "regions": [KENGZI], "audiences": ["schools"]})]
    assert len(story(PHONE(4))) == 1, "nothing changed, so nothing is told"


def test_what_was_lent_is_by_the_list_their_own(settled: Flask, taken: Callable[..., RosterImport]) -> None:
    from portal.core.clock import utcnow

    one = district.subscriber(PHONE(1), LIULIAN, audiences=SCHOOLS)
    with transaction() as session:
        session.add(Given(subscriber_id=one, source="course", region_code=LIULIAN, audiences=SCHOOLS, region_given=True,
                          at=utcnow()))
    taken(rows_of(f"12900000001,{LIULIAN},学校,"))
    lent = db.session.execute(select(Given.audiences, Given.region_given)).one()
    assert tuple(lent) == (0, False)


def test_bad_rows_keep_a_list_out_until_somebody_says_to_leave_them_out(staged: Callable[..., RosterImport]) -> None:
    batch = staged(rows_of(f"12900000001,{LIULIAN},,", "1,,,"))
    with pytest.raises(Conflict):
        taking.ask(None, batch.id)
    assert people() == {}
    taking.ask(None, batch.id, skip_bad=True)
    assert taking.take_in(batch.id).new == 1
    with pytest.raises(Conflict):
        taking.ask(None, batch.id, skip_bad=True)
    with pytest.raises(Conflict):
        taking.take_in(batch.id)
    assert len(people()) == 1


def test_the_planner_knows_who_came_in_before_its_daemon_looks(taken):
    if db.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has no daemon that looks at tables")
    with transaction() as session:
        session.execute(text("DELETE FROM pg_statistic WHERE starelid IN (CAST('subscriber' AS regclass),"
                             " CAST('subscriber_region' AS regclass))"))
    taken(rows_of(f"{PHONE(1)},{KENGZI},,"))
    known = text("SELECT DISTINCT tablename FROM pg_stats WHERE tablename IN ('subscriber', 'subscriber_region') ORDER BY 1")
    assert db.session.execute(known).scalars().all() == ["subscriber", "subscriber_region"]


def test_what_fails_or_is_killed_on_the_way_leaves_nothing_and_is_said(
        settled: Flask, staged: Callable[..., RosterImport], monkeypatch: pytest.MonkeyPatch) -> None:
    batch = staged(rows_of(*(f"1290000{n:04d},{LIULIAN},," for n in range(20))))
    taking.ask(None, batch.id)

    def killed(*_given: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(taking, "_story", killed)
        with pytest.raises(KeyboardInterrupt):
            taking.take_in(batch.id)
    assert people() == {}
    assert db.session.scalar(select(func.count()).select_from(ConsentEvent)) == 0
    running.sweep(settled)
    assert now(batch).state == "writing", "whoever works on it may only be slow"
    monkeypatch.setattr(batches, "SILENCE", -batches.SILENCE)
    running.sweep(settled)
    found = now(batch)
    assert (found.state, db.session.scalar(select(func.count()).select_from(RosterRow))) == ("cut_off", 0)
    assert [action for action, _details in trail()] == ["subscribers.take", "subscribers.cut_off"]


def test_a_list_that_was_cut_off_while_it_was_read_goes_and_one_that_nobody_takes_in_too(
        settled: Flask, staged: Callable[..., RosterImport], monkeypatch: pytest.MonkeyPatch) -> None:
    waits = staged(rows_of(f"12900000001,{LIULIAN},,"))
    reads = batches.begin(None, name="x.csv", basis="form")
    staging._write(reads.id, [], [], rows=0)
    monkeypatch.setattr(batches, "SILENCE", -batches.SILENCE)
    monkeypatch.setattr(batches, "WAITS", -batches.WAITS)
    running.sweep(settled)
    assert (now(waits).state, now(reads).state) == ("dropped", "cut_off")
    assert db.session.scalar(select(func.count()).select_from(RosterRow)) == 0
    with pytest.raises(staging.Dropped):
        staging._write(reads.id, [], [], rows=1)


def test_how_it_ended_is_told_once_also_when_somebody_was_killed_right_after(
        settled: Flask, staged: Callable[..., RosterImport], monkeypatch: pytest.MonkeyPatch) -> None:
    batch = staged(rows_of(f"12900000001,{LIULIAN},,"))
    taking.ask(None, batch.id)
    with monkeypatch.context() as patch:
        patch.setattr(taking, "tell", lambda batch_id: None)
        taking.take_in(batch.id)
    for _n in range(2):
        running.sweep(settled)
    assert [action for action, _details in trail()] == ["subscribers.take", "subscribers.done"]


def test_a_street_finds_its_lists_behind_all_those_of_others() -> None:
    street = district.office("street", (SUBSCRIBERS, district.PINGSHAN, "red"))
    own = batches.begin(street, name="own.csv", basis="form")
    for n in range(9):
        batches.begin(None, name=f"{n}.csv", basis="form")
    assert [one.id for one in batches.listing(street, limit=2)] == [own.id]
    chief = district.office("chief", (SUBSCRIBERS, district.DISTRICT, "red"))
    assert [one.name for one in batches.listing(chief, limit=2)] == ["8.csv", "7.csv"]
    batches.note(own.id, rows=1)  # nothing is left open that would stand in the way


def test_what_waited_of_a_list_goes_also_when_somebody_was_killed_while_deleting_it(
        settled: Flask, staged: Callable[..., RosterImport], monkeypatch: pytest.MonkeyPatch) -> None:
    batch, dropped = staged(rows_of(f"12900000001,{LIULIAN},,")), staged(rows_of(f"12900000002,{LIULIAN},,"))
    taking.ask(None, batch.id)
    with monkeypatch.context() as patch:
        patch.setattr(staging, "clear", lambda batch_id: None)
        taking.take_in(batch.id)
        running.drop(dropped.id, audit.SYSTEM)
    waits = staged(rows_of(f"12900000003,{LIULIAN},,"))
    running.sweep(settled)
    db.session.rollback()
    assert db.session.execute(select(RosterRow.import_id)).scalars().all() == [waits.id]


def test_who_says_yes_or_no_again_while_a_list_comes_in_is_answered_at_once_and_keeps_nobody_from_the_trail(
        settled: Flask, staged: Callable[..., RosterImport], monkeypatch: pytest.MonkeyPatch) -> None:
    if db.engine.dialect.name != "postgresql":
        pytest.skip("SQLite has one writer, so that everybody waits for a list there")
    batch, begun, go_on = staged(rows_of(f"12900000001,{LIULIAN},,")), threading.Event(), threading.Event()
    widen = taking._widen

    def slowly(*given: Any) -> int:
        begun.set()
        go_on.wait(300)
        return widen(*given)

    monkeypatch.setattr(taking, "_widen", slowly)
    monkeypatch.setattr(batches, "SILENCE", -batches.SILENCE)
    taking.ask(None, batch.id)
    running.take_in(settled, batch.id)
    try:
        assert begun.wait(60)
        for again in (lambda: taking.ask(None, batch.id), lambda: running.drop(batch.id, audit.SYSTEM)):
            with pytest.raises(Conflict):
                again()
        taking.tell(batch.id)
        assert not running.give_up(batch.id), "somebody is at it"
    finally:
        go_on.set()
    for thread in running.threads(settled):
        thread.join(60)
    assert now(batch).state == "done"


def test_two_lists_with_the_same_people_at_once_make_each_once(settled: Flask, staged: Callable[..., RosterImport]) -> None:
    lists = [staged(rows_of(*(f"1290000{n:04d},{code},," for n in order)))
             for code, order in ((LIULIAN, range(300)), (KENGZI, reversed(range(300))))]
    for one in lists:
        taking.ask(None, one.id)
    db.session.rollback()
    for one in lists:
        running.take_in(settled, one.id)
    for thread in running.threads(settled):
        thread.join(60)
    done = [now(one) for one in lists]
    assert [one.state for one in done] == ["done", "done"]
    assert sorted((one.new, one.gained) for one in done) == [(0, 300), (300, 0)]
    assert store.count_in([LIULIAN]) == store.count_in([KENGZI]) == {"zh": 300}


def test_a_list_is_taken_back_but_not_from_those_who_changed_since(
        settled: Flask, taken: Callable[..., RosterImport], monkeypatch: pytest.MonkeyPatch) -> None:
    account = district.office("keeper", (SUBSCRIBERS, district.DISTRICT, "red"))
    district.subscriber(PHONE(1), LIULIAN)
    batch = taken(rows_of(f"12900000001,{KENGZI},学校,", f"12900000002,{LIULIAN},,", f"12900000003,{LIULIAN},,"))
    store.opt_out(settled.extensions["phones"].index(PHONE(3)), "sms")
    with monkeypatch.context() as patch:
        patch.setattr(batches, "UNDO_WITHIN", timedelta(0))
        with pytest.raises(Conflict):
            undoing.ask(account, batch.id)
    undoing.ask(account, batch.id)
    with pytest.raises(Conflict):
        undoing.ask(account, batch.id)
    batch = undoing.take_back(batch.id)
    assert (batch.state, batch.taken_back, batch.kept) == ("undone", 2, 1)
    after = people()
    assert after["0001"] == ("active", RESIDENTS, "zh", [LIULIAN])
    assert after["0003"] == ("opted_out", RESIDENTS, "zh", [LIULIAN])
    assert "0002" not in after
    assert [one[0] for name, one in after.items() if name.startswith("nobody")] == ["invalid"]
    assert story(PHONE(1))[-1] == ("changed", "roster", {"undone": batch.id})
    assert db.session.scalar(select(func.count()).select_from(RosterGain)) == 0
    assert [action for action, _details in trail()][-2:] == ["subscribers.undo", "subscribers.undone"]
    again = taken(rows_of(f"12900000002,{LIULIAN},,"))
    assert again.new == 1, "who was taken back may come again"


def test_a_list_thrown_away_while_it_is_read_leaves_nothing(settled: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staging, "CHUNK", 10)
    begun, go_on = threading.Event(), threading.Event()

    written = staging._write

    def slowly(batch_id: str, *given: object, **counts: int) -> None:
        written(batch_id, *given, **counts)
        begun.set()
        go_on.wait(60)

    monkeypatch.setattr(staging, "_write", slowly)
    batch = batches.begin(None, name="x.csv", basis="form")
    db.session.rollback()
    running.read(settled, batch.id, io.BytesIO(rows_of(*(f"1290000{n:04d},{LIULIAN},," for n in range(50))).encode()), Said())
    assert begun.wait(60)
    running.drop(batch.id, audit.SYSTEM)
    go_on.set()
    for thread in running.threads(settled):
        thread.join(60)
    assert now(batch).state == "dropped"
    for table in (RosterRow, RosterFault, Subscriber):
        assert db.session.scalar(select(func.count()).select_from(table)) == 0
