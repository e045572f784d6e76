"""On PostgreSQL results are written by one statement: it leaves what the many statements leave, and stands in nobody's way."""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.exc import IntegrityError, OperationalError

from portal.core.clock import utcnow
from portal.core.db import Standing, db, driver_cursor, transaction
from portal.dispatch import at_once, ending, lease, outcomes, tallies
from portal.dispatch.bulk.books import Books
from portal.dispatch.lease import Lease, Parting, Results
from portal.dispatch.models import DONE, READY, RUNNING, Batch, Dispatch, OutcomePage, Tally
from portal.dispatch.recipients import pack
from tests.dispatch.bulk.test_keeper import database_url  # noqa: F401  (a fixture)
from tests.waiting import until, until_somebody_waits_for_a_lock

FENCE, OTHERS_FENCE = 3, 4
NOW = utcnow().replace(microsecond=123456)
EARLIER = NOW - timedelta(minutes=1)
_HARD = ["", "NULL", "null", '"', "\\", "\\.", "{}", ",", "a,b", "\0", "\t\r\n", "'", "短信", "🚨", "a" * 70,
         "ß" * 40 + "x", "ß" * 40 + "y"]
words = st.sampled_from(_HARD) | st.text(st.characters(exclude_categories=["Cs"]), max_size=70)


@pytest.fixture
def dispatches(workshop, issued, monkeypatch) -> list[uuid.UUID]:
    """Two that are planned, of which nothing more is to be noted, and whose batches a test makes."""
    monkeypatch.setattr(lease, "TOUCH", timedelta(days=1))
    issued()
    with transaction() as session:
        ids = sorted(session.scalars(select(Dispatch.id)).all())[:2]
    begin(ids, [])
    return ids


@pytest.fixture
def standing(workshop) -> Iterator[Standing]:
    made = Standing(db.engine)
    yield made
    made.close()


def begin(ids: Sequence[uuid.UUID], batches: Sequence[tuple[int, int, int]]) -> list[Lease]:
    """Nothing but these batches: (dispatch, how many of it, the fence that it has); their leases."""
    found = []
    with transaction() as session:
        for table in (OutcomePage, Tally, Batch):
            session.execute(delete(table))
        session.execute(update(Dispatch).values(
            state=RUNNING, planned_at=NOW, ended_at=None, moved_at=None, first_at=None, last_at=None))
        for n, (place, size, fence) in enumerate(batches, 1):
            batch = {"id": n, "dispatch_id": ids[place], "channel": "sms", "lane": 0, "region_code": f"44031000100{n % 3}",
                     "language": "zh", "size": size, "state": READY, "due_at": NOW, "lease_owner": "one", "fence": fence,
                     "recipients": pack(range(size)), "unsure": b"", "attempts": 0, "carrier": ""}
            session.execute(insert(Batch).values(batch))
            found.append(Lease(n, FENCE, ids[place], uuid.uuid4(), "sms", 0, batch["region_code"], "zh", 0,
                               NOW + timedelta(hours=1), pack(range(size))))
    lease._touches.update(dict.fromkeys(ids, NOW))
    return found


def left() -> list[list[tuple]]:
    """All that is written down of them."""
    found = [db.session.execute(select(table.__table__).order_by(*table.__table__.primary_key)).all()
             for table in (OutcomePage, Tally, Batch, Dispatch)]
    db.session.rollback()
    return [[tuple(row) for row in rows] for rows in found]


ends = st.tuples(st.sampled_from(tallies.ENDS[:4]), words, words, st.sampled_from(["", "a", "east"]), st.integers(0, 2**40))
batches = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from([FENCE, FENCE, FENCE, OTHERS_FENCE]), st.booleans(), st.lists(ends, max_size=6)),
    min_size=1, max_size=5)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(batches=batches, turned=st.booleans(), unnoted=st.sets(st.integers(0, 1)), moved_before=st.booleans())
def test_one_statement_leaves_what_the_many_leave(dispatches, standing, batches, turned, unnoted, moved_before):
    lease.utcnow, before = (lambda: NOW), lease.utcnow
    try:
        seen = []
        for over in (standing, None):
            held = begin(dispatches, [(place, len(rows), fence) for place, fence, _over, rows in batches])
            for place in unnoted:
                del lease._touches[dispatches[place]]
            if moved_before:
                with transaction() as session:
                    session.execute(update(Dispatch).values(moved_at=EARLIER, first_at=EARLIER, last_at=EARLIER))
            results = [Results(one, [(n, *row) for n, row in enumerate(rows)], Parting() if closed else None)
                       for one, (_place, _fence, closed, rows) in zip(held, batches, strict=True)]
            lost = lease.record_many(results[::-1] if turned else results, standing=over)
            assert lost == {one.batch_id for one, batch in zip(held, batches, strict=True) if batch[1] == OTHERS_FENCE}
            seen.append((left(), dict(lease._touches)))
        assert seen[0] == seen[1]
        closed = {place for place in (0, 1) if all(b[2] and b[1] == FENCE for b in batches if b[0] == place)
                  and any(b[0] == place for b in batches)}
        ended = {row[0] for row in db.session.execute(select(Dispatch.id).where(Dispatch.state == DONE))}
        db.session.rollback()
        assert ended == {dispatches[place] for place in closed}
    finally:
        lease.utcnow = before


@pytest.fixture(autouse=True)
def _plain_enough(monkeypatch) -> None:
    """Whoever gives a standing connection means it."""
    real = lease._is_plain

    def is_plain(*given):
        assert real(*given)
        return True

    monkeypatch.setattr(lease, "_is_plain", is_plain)


def some(held: Lease, *recipients: int, over: bool = False) -> Results:
    return Results(held, [(i, tallies.ACCEPTED, "", f"N{i}", "a", 1) for i in recipients], Parting() if over else None)


def of_batch(batch_id: int) -> list[int]:
    """Who has an end, in the order of writing."""
    found = [i for page in outcomes.pages(db.session, [batch_id]) for i in page.recipients.tolist()]
    db.session.rollback()
    return found


def test_what_is_written_twice_leaves_nothing_of_all(dispatches, standing):
    first, second = begin(dispatches, [(0, 3, FENCE), (0, 3, FENCE)])
    lease.record_many([some(first, 0, 1)], standing=standing)
    before = left()
    with pytest.raises(IntegrityError):
        lease.record_many([some(first, 0, 1, over=True), some(second, 0, over=True)], standing=standing)
    assert left() == before
    lease.record_many([some(first, 2, over=True), some(second, 0, over=True)], standing=standing)
    assert (of_batch(1), of_batch(2)) == ([0, 1, 2], [0])


@pytest.mark.parametrize("over", [False, True])
def test_a_second_try_waits_for_the_first_that_is_still_under_way_and_writes_what_that_did_not(dispatches, over):
    (held,) = begin(dispatches, [(0, 3, FENCE)])
    ends = [at_once.Ends(held.batch_id, FENCE, held.dispatch_id, outcomes.alike(some(held, 1, 0).rows), over, Counter())]
    lost: list[set[int]] = []
    second = threading.Thread(target=in_a_context(
        lambda: lost.append(lease.record_many([some(held, 1, 0, *([] if over else [2]), over=True)], again=True))))
    with transaction() as session, driver_cursor(session) as cursor:
        at_once.write(cursor, ends, NOW, NOW)  # nobody has heard of it yet
        second.start()
        until_somebody_waits_for_a_lock(db.engine.url.render_as_string(hide_password=False))
    second.join(60)
    assert lost == [set()]
    assert of_batch(held.batch_id) == ([1, 0] if over else [1, 0, 2])


def test_what_ended_although_the_answer_was_lost_is_not_lost_and_what_another_has_is(dispatches):
    books = Books(db.engine, "one", ())
    mine, taken = begin(dispatches, [(0, 1, FENCE), (1, 1, OTHERS_FENCE)])
    assert books.record([some(mine, 0, over=True)]) == set()
    before = left()
    assert books.record([some(mine, 0, over=True), some(taken, 0, over=True)], again=True) == {taken.batch_id}
    assert left() == before
    books.close()


def test_the_dispatch_ends_although_its_last_two_end_at_one_moment(dispatches, standing):
    one, two = begin(dispatches, [(0, 1, FENCE), (0, 1, FENCE)])
    ends = [at_once.Ends(one.batch_id, FENCE, one.dispatch_id, outcomes.alike(some(one, 0).rows), True, Counter())]
    with transaction() as session, driver_cursor(session) as cursor:
        assert at_once.write(cursor, ends, NOW, NOW) == ({one.batch_id}, set())
        other = threading.Thread(target=in_a_context(lambda: lease.record_many([some(two, 0, over=True)], standing=standing)))
        other.start()
        other.join(60)
    states = select(Dispatch.state).where(Dispatch.id == one.dispatch_id)
    assert db.session.scalar(states) == RUNNING  # each saw that the other's was not over
    ending.complete_all(NOW)
    assert db.session.scalar(states) == DONE


def test_who_waits_for_a_dispatch_holds_no_count_that_whoever_has_it_needs(dispatches, standing):
    (held,) = begin(dispatches, [(0, 3, FENCE)])
    lease.record_many([some(held, 0)], standing=standing)
    lease._touches.clear()  # so that it is to be noted that it moves
    writer = threading.Thread(target=in_a_context(lambda: lease.record_many([some(held, 1)], standing=standing)))
    with transaction() as session:
        session.execute(select(Dispatch.id).where(Dispatch.id == held.dispatch_id).with_for_update())
        writer.start()
        until_somebody_waits_for_a_lock(db.engine.url.render_as_string(hide_password=False))
        assert session.execute(select(Tally.n).with_for_update(nowait=True)).scalars().all() == [1]
    writer.join(60)
    assert of_batch(held.batch_id) == [0, 1]


def in_a_context(what):
    from flask import current_app
    app = current_app._get_current_object()

    def run() -> None:
        with app.app_context():
            what()
    return run


def test_writers_of_the_same_batches_in_any_order_by_either_way_do_not_wait_for_each_other_in_a_circle(dispatches):
    held = begin(dispatches, [(n % 2, 400, FENCE) for n in range(6)])
    faults: list[Exception] = []

    def writer(number: int, at_once: bool) -> None:
        standing = Standing(db.engine) if at_once else None
        try:
            for n in range(12):
                pages = [some(one, number * 100 + n) for one in held]
                for page in pages:  # all the reasons that there are, in an order of one's own
                    page.rows += [(number * 100 + 20 + n * 4 + i, tallies.FAILED, str((i * 7 + number) % 5), "", "a", number % 3)
                                  for i in range(3)]
                assert lease.record_many(pages[:: -1 if number % 2 else 1], standing=standing) == set()
        except Exception as error:
            faults.append(error)
        finally:
            if standing:
                standing.close()

    def adder() -> None:
        try:
            for n in range(12):
                with transaction() as session:
                    for dispatch_id in dispatches:
                        tallies.add(session, dispatch_id, lease._counts(
                            (one, outcomes.alike(some(one, n).rows)) for one in held[::-1]
                            if one.dispatch_id == dispatch_id)[dispatch_id])
        except Exception as error:
            faults.append(error)

    bodies = [adder, *((lambda n=n: writer(n, n < 2)) for n in range(3))]
    threads = [threading.Thread(target=in_a_context(body)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not faults
    assert all(len(of_batch(one.batch_id)) == 3 * 12 * 4 for one in held)
    n = sum(db.session.scalars(select(Tally.n).where(Tally.key.in_(tallies.ENDS))))
    assert n == len(held) * (3 * 12 * 4 + 12)


def cut_off() -> None:
    """All connections to this database but ours, as when its server ends."""
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        connection.execute(text(f"SELECT pg_terminate_backend(pid) {others}"))
        until(lambda: not connection.execute(text(f"SELECT count(*) {others}")).scalar(), "they are gone")


def test_a_kept_connection_that_was_closed_costs_one_try_and_loses_nothing(dispatches, standing):
    (held,) = begin(dispatches, [(0, 3, FENCE)])
    lease.record_many([some(held, 0)], standing=standing)
    for recipient in (1, 2):
        cut_off()
        with pytest.raises(OperationalError):
            lease.record_many([some(held, recipient)], standing=standing)
        assert lease.record_many([some(held, recipient)], standing=standing) == set()
    assert of_batch(held.batch_id) == [0, 1, 2]


def test_a_connection_that_was_kept_without_work_is_looked_at_before_it_is_used(dispatches, standing, monkeypatch):
    (held,) = begin(dispatches, [(0, 2, FENCE)])
    lease.record_many([some(held, 0)], standing=standing)
    cut_off()
    monkeypatch.setattr(Standing, "KEPT_SECONDS", -1.0)
    assert lease.record_many([replace(some(held, 1), parting=Parting())], standing=standing) == set()
    assert of_batch(held.batch_id) == [0, 1]
