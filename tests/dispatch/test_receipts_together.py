"""Receipts of many requests share a commit, and each request still knows whether its own is durable."""

import threading

import pytest
from sqlalchemy import func, select

from portal.core.db import db
from portal.dispatch import receipt_log, receipts
from portal.dispatch.models import Receipt


@pytest.fixture
def together(context):
    made = receipts.Together(db.engine)
    yield made
    made.close()


def run(app, count, act):
    """`act(n)` in so many threads at once; what each raised or None."""
    outcomes: list = [None] * count
    barrier = threading.Barrier(count)

    def one(n):
        with app.app_context():
            barrier.wait()
            try:
                act(n)
            except Exception as error:
                outcomes[n] = error

    threads = [threading.Thread(target=one, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return outcomes


def test_every_receipt_is_durable_when_its_request_returns_and_commits_are_shared(context, together, monkeypatch):
    commits, append = [], receipt_log.append

    def counted(driver, rows, at):
        commits.append(len(rows))
        append(driver, rows, at)

    monkeypatch.setattr(receipt_log, "append", counted)

    def act(n):
        for m in range(5):
            together.record([receipts.row(1, n * 10 + m, "sent")])
            assert db.session.execute(select(Receipt.id).where(Receipt.recipient_id == n * 10 + m)).first() is not None
            db.session.rollback()

    assert run(context, 12, act) == [None] * 12
    assert db.session.execute(select(func.count()).select_from(Receipt)).scalar_one() == 60
    assert sum(commits) == 60
    assert len(commits) < 60


def test_a_failed_commit_is_told_to_everybody_whose_receipt_was_in_it_and_to_nobody_else(context, together, monkeypatch):
    append = receipt_log.append

    def failing(driver, rows, at):
        if any(row[1] == 7 for row in rows):
            raise OSError("the disk is full")
        append(driver, rows, at)

    monkeypatch.setattr(receipt_log, "append", failing)
    outcomes = run(context, 12, lambda n: together.record([receipts.row(1, n, "sent")]))
    assert isinstance(outcomes[7], OSError)
    kept = set(db.session.execute(select(Receipt.recipient_id)).scalars())
    assert kept == {n for n, error in enumerate(outcomes) if error is None}
    together.record([receipts.row(1, 99, "sent")])
    with pytest.raises(OSError, match="full"):
        together.record([receipts.row(1, 7, "sent")])


def test_who_waits_in_vain_is_told_so_and_the_others_go_on(context, together, monkeypatch):
    append, entered, go_on = receipt_log.append, threading.Event(), threading.Event()

    def slow(driver, rows, at):
        if not entered.is_set():
            entered.set()
            assert go_on.wait(60)
        append(driver, rows, at)

    monkeypatch.setattr(receipt_log, "append", slow)
    first = threading.Thread(target=together.record, args=([receipts.row(1, 1, "sent")],))
    first.start()
    assert entered.wait(60)
    monkeypatch.setattr(receipt_log, "_PATIENCE", 0.05)
    with pytest.raises(TimeoutError):
        together.record([receipts.row(1, 2, "sent")])
    monkeypatch.undo()
    go_on.set()
    first.join(60)
    together.record([receipts.row(1, 3, "sent")])
    assert set(db.session.execute(select(Receipt.recipient_id)).scalars()) == {1, 3}


def test_a_connection_that_the_server_closed_loses_no_receipt(context, together):
    together.record([receipts.row(1, 1, "sent")])
    if db.engine.dialect.name == "postgresql":
        together._pen._kept.close()
    together.record([receipts.row(1, 2, "sent")])
    assert sorted(db.session.execute(select(Receipt.recipient_id)).scalars()) == [1, 2]


@pytest.mark.parametrize("count", [3, 200], ids=["few", "many"])
def test_what_carriers_write_is_kept_as_they_wrote_it(context, together, count):
    codes = ["a\\b", "\\N", "x\ty", "口令", "a'b\"c", ""]
    rows = [receipts.row(1, n, "failed", codes[n % len(codes)], "twilio", f"SM\\{n}\n{'9' * 80}") for n in range(1, count + 1)]
    together.record(rows)
    receipts.record_many(rows)
    found = db.session.execute(select(Receipt.recipient_id, Receipt.code, Receipt.carrier, Receipt.carrier_id)
                               .order_by(Receipt.id)).all()
    wanted = [(n, codes[n % len(codes)].replace("\t", ""), "twilio", f"SM\\{n}{'9' * 80}"[:64]) for n in range(1, count + 1)]
    assert [tuple(row) for row in found] == wanted * 2
