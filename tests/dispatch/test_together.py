"""Receipts of many requests share a commit, and each request still knows whether its own is durable."""

import threading

import pytest
from sqlalchemy import func, select

from portal.core.db import db
from portal.dispatch import receipts
from portal.dispatch.models import Receipt


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
        thread.join(30)
    return outcomes


def test_every_receipt_is_durable_when_its_request_returns_and_commits_are_shared(context, monkeypatch):
    together, commits, write = receipts.Together(), [], receipts.record_many

    def counted(rows):
        commits.append(len(rows))
        write(rows)

    monkeypatch.setattr(receipts, "record_many", counted)

    def act(n):
        for m in range(5):
            together.record([(1, n * 10 + m, "sent", "")])
            assert db.session.execute(select(Receipt.id).where(Receipt.recipient_id == n * 10 + m)).first() is not None
            db.session.rollback()

    assert run(context, 12, act) == [None] * 12
    assert db.session.execute(select(func.count()).select_from(Receipt)).scalar_one() == 60
    assert sum(commits) == 60
    assert len(commits) < 60


def test_a_failed_commit_is_told_to_everybody_whose_receipt_was_in_it_and_to_nobody_else(context, monkeypatch):
    together, write = receipts.Together(), receipts.record_many

    def failing(rows):
        if any(row[1] == 7 for row in rows):
            raise OSError("the disk is full")
        write(rows)

    monkeypatch.setattr(receipts, "record_many", failing)
    outcomes = run(context, 12, lambda n: together.record([(1, n, "sent", "")]))
    assert isinstance(outcomes[7], OSError)
    kept = set(db.session.execute(select(Receipt.recipient_id)).scalars())
    assert kept == {n for n, error in enumerate(outcomes) if error is None}
    together.record([(1, 99, "sent", "")])
    with pytest.raises(OSError, match="full"):
        together.record([(1, 7, "sent", "")])
