"""The sandbox remembers every text on every phone, tells how each ended, and sends nothing late."""

from __future__ import annotations

from collections import Counter

import pytest
from flask import Flask
from sqlalchemy import func, select

from portal.channels.sms import phones
from portal.channels.sms.models import SandboxMessage, SandboxText
from portal.channels.sms.provider import ACCEPTED, DELIVERED, UNDELIVERED, Message
from portal.channels.sms.registry import make_provider
from portal.channels.sms.sandbox import SandboxProvider, receipt
from portal.config import Settings
from portal.core.db import db
from portal.core.errors import Invalid
from portal.subscribers.store import NewSubscriber, add_many
from tests.sms.conftest import BODY, by_ref, messages, send

COMMUNITY = "440310001001"


def kept() -> int:
    return db.session.scalar(select(func.count()).select_from(SandboxMessage)) or 0


def test_every_message_has_one_result_and_one_row(context: Flask) -> None:
    to = messages(2300)
    results = by_ref(send(SandboxProvider(500), to))
    assert {r.status for r in results.values()} == {ACCEPTED}
    assert set(results) == {m.ref for m in to}
    assert kept() == 2300


def test_a_few_phones_are_out_of_reach_and_always_the_same_ones(context: Flask) -> None:
    to = messages(2300)
    told = [receipt(m) for m in to]
    assert told == [receipt(m) for m in to]
    ends = Counter((r.status, r.code) for r in told)
    assert set(ends) == {(DELIVERED, ""), (UNDELIVERED, "30003")}
    assert 1 <= ends[UNDELIVERED, "30003"] <= 30, "a few in a thousand"
    send(SandboxProvider(500), to)
    unreached = set(db.session.scalars(select(SandboxMessage.ref).where(~SandboxMessage.delivered)))
    assert unreached == {r.ref for r in told if r.status == UNDELIVERED}


def test_it_halts_between_two_chunks_and_sends_nothing_that_has_expired(context: Flask) -> None:
    asked: list[int] = []
    results = send(
        SandboxProvider(100), messages(1000), halted=lambda: len(asked) == 3 or asked.append(1) is not None
    )
    assert len(results) == kept() == 300
    assert send(SandboxProvider(100), messages(10), seconds=-1) == []
    assert kept() == 300


def test_one_text_is_kept_once_however_many_phones_it_goes_to(context: Flask) -> None:
    for body in (BODY, "Rainstorm red warning.", BODY):
        send(SandboxProvider(2), messages(5), body=body)
    rows = db.session.execute(
        select(SandboxText.body, SandboxText.language, SandboxText.encoding, SandboxText.segments).order_by(
            SandboxText.id
        )
    ).all()
    assert rows == [(BODY, "zh", "UCS-2", 1), ("Rainstorm red warning.", "en", "GSM-7", 1)]
    assert [n for _text, n in phones.texts()] == [5, 10]


def test_the_number_of_a_real_person_is_masked_and_nowhere_readable(context: Flask) -> None:
    send(SandboxProvider(5), [Message("1/1", "+8613800001234"), Message("1/2", "+8612900001234")])
    assert [m.number for m in phones.page(phones.Filter())[0]] == ["+8612900001234", "+86138****1234"]
    for sealed, index in db.session.execute(select(SandboxMessage.phone_sealed, SandboxMessage.phone_index)):
        assert b"0001234" not in bytes(sealed) + bytes(index)


def test_phones_are_found_by_number_region_and_language_and_paged_without_a_gap(context: Flask) -> None:
    add_many([NewSubscriber("+8612900000007", "en", 1, (COMMUNITY, "440310002001"), "demo")])
    send(SandboxProvider(50), messages(40))
    send(SandboxProvider(50), messages(3), body="Rain.")
    seen: list[int] = []
    before = None
    while True:
        shown, before = phones.page(phones.Filter(), before)
        seen += [m.id for m in shown]
        if before is None:
            break
    assert len(seen) == len(set(seen)) == 43
    assert seen == sorted(seen, reverse=True)

    def numbers(**chosen: str) -> list[str]:
        return [m.number[-4:] for m in phones.page(phones.Filter(**chosen))[0]]

    assert numbers(digits="0002") == ["0002", "0002"]
    assert numbers(digits="+86 129-0000-0033") == ["0033"]
    assert numbers(digits="12900000033") == ["0033"]
    assert numbers(region=COMMUNITY) == numbers(region="440310000000") == ["0007"]
    assert numbers(region="440310001000", language="en") == []
    assert numbers(language="en") == ["0003", "0002", "0001"]
    (seventh,), _ = phones.page(phones.Filter(region=COMMUNITY))
    assert seventh.regions == (COMMUNITY, "440310002001")
    assert phones.counts(phones.Filter()).messages == 43
    assert phones.counts(phones.Filter()).phones == 40
    assert phones.counts(phones.Filter(language="en", digits="0002")) == phones.Counts(1, 0, 1)
    for digits in ("12", "x", "99999999999999999999"):
        with pytest.raises(Invalid):
            phones.page(phones.Filter(digits=digits))


def test_the_oldest_are_forgotten_so_that_the_sandbox_stays_bounded(
    context: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portal.channels.sms.sandbox.KEPT", 30)
    send(SandboxProvider(10), messages(50))
    assert kept() == 30


@pytest.mark.parametrize("name", ["sandbox", "twilio"])
def test_the_settings_name_the_carrier(name: str) -> None:
    provider = make_provider(
        Settings(sms_provider=name, twilio_account_sid="AC1", twilio_auth_token="t", twilio_from="+1")
    )
    assert provider.name == name
    provider.close()
