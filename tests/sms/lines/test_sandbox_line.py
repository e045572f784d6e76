"""The sandbox as a line: every message is kept before it is answered, answered once, and reported afterwards."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from portal.channels.sms.lines.line import NOT_TAKEN
from portal.channels.sms.lines.options import Ears
from portal.channels.sms.lines.sandbox_line import Options, SandboxLine
from portal.channels.sms.models import SandboxMessage
from portal.channels.sms.provider import ACCEPTED, DELIVERED, RETRY, UNDELIVERED, Receipt
from portal.core.db import db
from tests.sms.lines.driver import Driver, drive, letter


def make(app: Flask, said: list[Receipt] | None = None, most: int = 300) -> SandboxLine:
    def hear(line: str, receipts: Sequence[Receipt]) -> None:
        assert line == "sandbox"
        assert said is not None
        said.extend(receipts)

    return SandboxLine(
        Options(name="sandbox"), most=most, chunk=100, ears=Ears(on_receipts=hear if said is not None else None, app=app))


def kept() -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(SandboxMessage)) or 0


def test_each_message_is_kept_answered_once_and_reported(context: Flask) -> None:
    said: list[Receipt] = []
    answers = drive(make(context, said), lambda driver: driver.send(letter(), 1500))
    assert sorted(a.token for a in answers) == list(range(1500))
    assert {(a.status, a.code, a.unsure) for a in answers} == {(ACCEPTED, "", False)}
    assert kept() == 1500
    assert {r.ref for r in said} == {f"7/{n}" for n in range(1500)}
    assert {r.status for r in said} == {DELIVERED, UNDELIVERED}
    assert {a.carrier_id for a in answers} == {r.carrier_id for r in said}


def test_no_more_are_in_flight_than_may_be(context: Flask) -> None:
    async def work(driver: Driver) -> int:
        await driver.send(letter(), 500)
        return driver.most_in_flight

    assert drive(make(context, most=40), work) == 40


def test_nothing_is_kept_for_a_warning_that_is_over(context: Flask) -> None:
    answers = drive(make(context), lambda driver: driver.send(letter(seconds=-1), 5))
    assert [(a.status, a.code, a.unsure) for a in answers] == [(RETRY, "expired", False)] * 5
    assert kept() == 0


def test_while_the_database_is_away_messages_are_tried_again_later(
    context: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_args: object) -> None:
        raise OperationalError("INSERT", {}, Exception("away"))

    line = make(context)
    monkeypatch.setattr(line._provider, "record", away)
    answers = drive(line, lambda driver: driver.send(letter(), 5))
    assert {(a.status, a.code, a.unsure) for a in answers} == {(RETRY, "database", False)}


def test_what_was_given_to_it_is_answered_before_it_closes(context: Flask) -> None:
    async def work(driver: Driver) -> None:
        for n in range(50):
            driver.hand_over(letter(), f"+8613{n:09d}", f"7/{n}", n)

    drivers: list[Driver] = []

    async def keep(driver: Driver) -> None:
        drivers.append(driver)
        await work(driver)

    drive(make(context), keep)
    assert len(drivers[0].answers) == 50
    assert NOT_TAKEN not in {a.status for a in drivers[0].answers}
    assert kept() == 50
