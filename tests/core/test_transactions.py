"""Write transactions, the queue for SQLite's lock, and the trail's proof while others write."""

import threading

import pytest
from sqlalchemy import text

from portal.core import audit
from portal.core.db import FairLock, db, transaction


def test_waiters_get_the_lock_in_their_order_and_an_interrupted_one_leaves_the_queue(monkeypatch):
    lock, order = FairLock(), []
    assert lock.acquire(1)

    class Interrupted(threading.Event):
        def wait(self, timeout=None):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(threading, "Event", Interrupted)
        with pytest.raises(KeyboardInterrupt):
            lock.acquire(1)

    def wait_for(n):
        assert lock.acquire(20)
        order.append(n)
        lock.release()

    threads = []
    for n in range(4):
        threads.append(threading.Thread(target=wait_for, args=(n,)))
        threads[-1].start()
        while len(lock._waiting) <= n:
            pass
    lock.release()
    for thread in threads:
        thread.join(20)
    assert order == [0, 1, 2, 3]
    assert lock.acquire(0.01)
    assert not lock.acquire(0.01)
    lock.release()
    assert lock.acquire(0.01)


def test_a_transaction_inside_another_is_refused_and_the_outer_one_falls_as_a_whole(context):
    def act():
        with transaction() as session:
            audit.append(session, audit.SYSTEM, "outer", "x")
            with transaction():
                pass

    with pytest.raises(RuntimeError):
        act()
    assert db.session.execute(text("SELECT count(*) FROM audit_entry")).scalar_one() == 0
    with transaction() as session:
        audit.append(session, audit.SYSTEM, "after", "x")
    assert list(audit.verify(db.session)) == []


@pytest.mark.parametrize(
    "details",
    [
        {"n": 1e22},
        {"n": -0.0},
        {"n": 1e-7, "m": 0.1 + 0.2, "k": 2**70},
        {"n": float("inf"), "m": float("nan")},
        {"text": "a\x00b"},
        {"text": "\ud800"},
        {1: "a", None: "b"},
        {"长": ["\u2028", "é", "e\u0301", "\\u0000"], "z": {"b": 1, "a": None}},
    ],
    ids=["large", "minus zero", "small", "not finite", "nul", "lone surrogate", "keys", "unicode"],
)
def test_what_a_database_writes_differently_does_not_break_the_chain(context, details):
    with transaction() as session:
        audit.append(session, audit.SYSTEM, "x", "y", details)
    db.session.expire_all()
    assert list(audit.verify(db.session)) == []


def test_a_trail_that_grows_while_it_is_verified_is_not_called_broken(context):
    for n in range(3):
        with transaction() as session:
            audit.append(session, audit.SYSTEM, "x", str(n))
    link, others = audit._link, iter([True])

    def growing(*given):
        if next(others, None):

            def write():
                with context.app_context(), transaction() as session:
                    audit.append(session, audit.SYSTEM, "meanwhile", "x")

            audit._link = link
            writer = threading.Thread(target=write)
            writer.start()
            writer.join(20)
            assert not writer.is_alive()
        return link(*given)

    audit._link = growing
    try:
        assert list(audit.verify(db.session)) == []
    finally:
        audit._link = link
    db.session.rollback()
    assert list(audit.verify(db.session)) == []


def test_a_failing_statement_keeps_its_values_out_of_the_log(context):
    with pytest.raises(Exception, match="no_such") as error:
        db.session.execute(text("SELECT * FROM no_such WHERE phone = :phone"), {"phone": "+8613900000000"})
    assert "+8613900000000" not in str(error.value)
