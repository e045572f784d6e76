"""On PostgreSQL what is due is leased by one statement: the same batches as the many statements lease, in the same order."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.exc import OperationalError

from portal.core.clock import utcnow
from portal.core.db import Standing, db, transaction
from portal.dispatch import lease, lease_at_once
from portal.dispatch.bulk import books
from portal.dispatch.bulk.books import Books
from portal.dispatch.models import BATCH_DONE, PLANNING, READY, RUNNING, STOPPED, Batch, Dispatch, OutcomePage, Tally
from portal.dispatch.recipients import pack
from tests.dispatch.bulk.test_keeper import database_url  # noqa: F401  (a fixture)

NOW = utcnow().replace(microsecond=123456)
AGO, SOON, BEYOND = (NOW + timedelta(seconds=seconds) for seconds in (-1, 20, 4000))


@pytest.fixture
def dispatches(workshop, issued) -> list[uuid.UUID]:
    issued()
    with transaction() as session:
        return sorted(session.scalars(select(Dispatch.id)).all())[:2]


@pytest.fixture
def standing(workshop) -> Iterator[Standing]:
    made = Standing(db.engine)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _now(monkeypatch) -> None:
    for module in (lease, books):
        monkeypatch.setattr(module, "utcnow", lambda: NOW)


#: One batch: place of its dispatch, what is unlike the usual one.
batches = st.lists(st.tuples(st.integers(0, 1), st.fixed_dictionaries({
    "channel": st.sampled_from(["sms", "sms", "sms", "web"]), "state": st.sampled_from([READY, READY, READY, BATCH_DONE]),
    "lane": st.integers(0, 2), "fence": st.sampled_from([0, 0, 0, 0, 0, 0, 2]),
    "due_at": st.sampled_from([AGO, NOW, SOON, BEYOND]), "quiet_until": st.sampled_from([None, None, AGO, SOON]),
    "lease_owner": st.sampled_from([None, None, None, "two"]),
})), max_size=7)
dispatched = st.tuples(st.sampled_from([RUNNING, RUNNING, PLANNING, STOPPED]), st.sampled_from([AGO, SOON, BEYOND]))


def begin(ids: Sequence[uuid.UUID], of_dispatches: Sequence[tuple], given: Sequence[tuple]) -> None:
    """Nothing but these."""
    with transaction() as session:
        for table in (OutcomePage, Tally, Batch):
            session.execute(delete(table))
        for i, (state, expires_at) in zip(ids, of_dispatches, strict=True):
            session.execute(update(Dispatch).where(Dispatch.id == i).values(state=state, expires_at=expires_at))
        for n, (place, unlike) in enumerate(given, 1):
            session.execute(insert(Batch).values({
                "id": n, "dispatch_id": ids[place], "region_code": "440310001001", "language": "en" if n % 2 else "zh", "size": 3,
                "recipients": pack(range(n, n + 3)), "unsure": b"", "attempts": n, "carrier": "east" if n % 2 else ""} | unlike))


def seen(leases: Sequence[lease.Lease]) -> list:
    """All of them, and all that is written down of batches."""
    rows = db.session.execute(select(Batch.__table__).order_by(Batch.id)).all()
    db.session.rollback()
    return [*(vars(one) | {"pending": one.pending.tolist()} for one in leases), [tuple(row) for row in rows]]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(of_dispatches=st.tuples(dispatched, dispatched), given_batches=batches, most=st.integers(1, 4),
       above=st.sampled_from([None, None, 1, 2]), but=st.lists(st.integers(1, 5), max_size=2))
def test_one_statement_leases_what_the_many_lease(dispatches, standing, of_dispatches, given_batches, most, above, but):
    found = []
    for over in (standing, None):
        begin(dispatches, of_dispatches, given_batches)
        found.append(seen(lease.claim_some("sms", "one", most, above_lane=above, but=but, standing=over)))
    assert found[0] == found[1]


def gone(*_given) -> None:
    raise OperationalError("", None, Exception("the connection is gone"))


def a_few(ids: Sequence[uuid.UUID], *, fences: Sequence[int] = (0, 0, 0)) -> None:
    usual = {"channel": "sms", "state": READY, "lane": 0, "due_at": AGO, "quiet_until": None, "lease_owner": None}
    begin(ids, [(RUNNING, BEYOND)] * 2, [(0, usual | {"fence": fence}) for fence in fences])


def test_what_another_is_leasing_is_left_to_it_and_not_waited_for(dispatches, standing):
    a_few(dispatches)
    with transaction() as session:
        session.execute(select(Batch.id).where(Batch.id == 1).with_for_update())
        found = lease.claim_some("sms", "one", 2, standing=standing)
    assert [one.batch_id for one in found] == [2, 3]
    assert [one.batch_id for one in lease.claim_some("sms", "two", 2, standing=standing)] == [1]


def test_who_has_an_outcome_of_a_batch_that_was_leased_before_is_not_told_again(dispatches, standing):
    a_few(dispatches, fences=(0, 2, 0))
    with transaction() as session:
        session.execute(insert(OutcomePage).values(
            batch_id=2, first=3, at=NOW, status="accepted", code="", carrier="", size=1, recipients=b"\3", audiences=b"\0",
            carrier_ids=""))
    found = lease.claim_some("sms", "one", 3, standing=standing)
    assert [one.pending.tolist() for one in found] == [[1, 2, 3], [2, 4], [3, 4, 5]]


@pytest.mark.parametrize("stays_away", [False, True])
def test_what_was_leased_while_the_answer_was_lost_is_leased_anew_and_others_keep_theirs(dispatches, monkeypatch, stays_away):
    a_few(dispatches)
    mine, theirs = Books(db.engine, "one", ()), Books(db.engine, "two", ())
    kept = lease.claim_some("sms", "two", 1)
    real, lost = lease_at_once.lease, iter([True])

    def leases_unheard(*given, **more):
        found = real(*given, **more)
        return gone() if next(lost, None) else found

    monkeypatch.setattr(lease_at_once, "lease", leases_unheard)
    if stays_away:
        with monkeypatch.context() as patched:
            patched.setattr(books, "_give_back_unheard", gone)
            with pytest.raises(OperationalError):
                mine.claim(3, None, ())
    found, fault = mine.claim(3, None, ())
    assert (fault, [one.lease.batch_id for one in found]) == ("", [2, 3])
    assert theirs.claim(3, None, ()) == ([], "")
    assert lease.going_on([*kept, *(one.lease for one in found)]) == {1, 2, 3}
    mine.close(), theirs.close()


def test_only_leases_go_on_that_were_not_lost_and_whose_dispatch_goes_on(dispatches, standing):
    a_few(dispatches)
    held = lease.claim_some("sms", "one", 3, standing=standing)
    with transaction() as session:
        session.execute(update(Batch).where(Batch.id == 2).values(fence=9))
        session.execute(update(Batch).where(Batch.id == 3).values(dispatch_id=dispatches[1]))
        session.execute(update(Dispatch).where(Dispatch.id == dispatches[1]).values(state=STOPPED))
    for over in (standing, None):
        assert lease.going_on(held, over) == {1}


def test_the_index_of_what_is_due_leads_to_it_however_much_is_done(dispatches, standing):
    a_few(dispatches)
    with transaction() as session:
        session.execute(text(
            "INSERT INTO batch (id, dispatch_id, channel, lane, region_code, language, size, state, due_at, fence, attempts,"
            " carrier, recipients, unsure) SELECT n, :dispatch, 'sms', 0, '440310001001', 'zh', 3, 'done', now(), 1, 0, '', '',"
            " '' FROM generate_series(100, 20000) AS n"), {"dispatch": dispatches[0]})
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE batch"))
    read = "SELECT sum(seq_tup_read) FROM pg_stat_xact_user_tables WHERE relname = 'batch'"
    with standing.cursor() as cursor:
        cursor.execute("BEGIN")
        before = cursor.execute(read).fetchone()
        assert len(lease.claim_some("sms", "one", 2, standing=standing)) == 2
        assert cursor.execute(read).fetchone() == before
        cursor.execute("COMMIT")
