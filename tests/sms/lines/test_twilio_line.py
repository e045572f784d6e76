"""Over HTTP to a carrier that misbehaves: every message ends in exactly one answer, and what is said of it is true."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from portal.channels.sms.lines import circuit
from portal.channels.sms.lines.line import CLOSED, NOT_TAKEN, OPEN
from portal.channels.sms.lines.twilio_line import Options, TwilioLine
from portal.channels.sms.provider import ACCEPTED, FAILED, INVALID, OPTED_OUT, RETRY
from tests.sms.conftest import ACCOUNT, SERVICE, TOKEN, CarrierProcess
from tests.sms.lines.driver import BODY, Answer, Driver, drive, letter, number


def options(url: str, **others: Any) -> Options:
    values = {
        "name": "main",
        "account_sid": ACCOUNT,
        "auth_token": TOKEN,
        "messaging_service_sid": SERVICE,
        "api_url": url,
        "timeout": 10,
    }
    return Options(**(values | others))


def play(
    carrier: CarrierProcess, work: Callable[[Driver], Awaitable[Any]], *, most: int = 40, wait: float = 5.0, **others: Any
) -> Any:
    return drive(TwilioLine(options(carrier.url, **others), most=most), work, wait=wait)


def said(answers: list[Answer]) -> Counter[tuple[str, str, bool]]:
    return Counter((a.status, a.code, a.unsure) for a in answers)


# -- what goes well -------------------------------------------------------------------------------


def test_everyone_gets_the_text_once_and_the_carrier_knows_where_to_report_and_how_long_it_holds(
    carrier: CarrierProcess,
) -> None:
    carrier.faults(callbacks=False)
    text = letter(600.9, callback="https://warn.example/hooks/sms")
    answers = play(carrier, lambda driver: driver.send(text, 500))
    taken = {m["to"]: m for m in carrier.messages()}
    assert len(answers) == len(taken) == carrier.summary()["taken"] == 500
    for answer in answers:
        message = taken[number(answer.token)]
        assert (answer.status, answer.code, answer.unsure) == (ACCEPTED, "", False)
        assert answer.carrier_id == message["sid"]
        assert message["callback"] == f"https://warn.example/hooks/sms/main/7/{answer.token}"
        assert message["callback_options"] == "rc=5&rp=5xx,ct,rt"
        assert message["body"] == BODY
        assert message["sender"] == SERVICE
        assert 590 <= message["validity"] <= 600
    assert carrier.summary()["counts"]["connections"] <= 50, "they are kept, and some are the test's"


def test_a_sender_serves_where_there_is_no_messaging_service_and_no_address_to_report_to(carrier: CarrierProcess) -> None:
    awkward = "100% & more = \"sid\": \"SMx\" +\r\n雨 €"
    answers = play(
        carrier, lambda driver: driver.send(letter(body=awkward), 1), messaging_service_sid="", sender="+15005550006")
    (message,) = carrier.messages()
    assert [(a.status, a.carrier_id) for a in answers] == [(ACCEPTED, message["sid"])]
    assert (message["sender"], message["callback"], message["body"]) == ("+15005550006", "", awkward)


@pytest.mark.parametrize(("seconds", "validity"), [(100 * 3600, 36000), (1.9, 1)])
def test_the_validity_period_stays_within_what_the_carrier_takes(
    carrier: CarrierProcess, seconds: float, validity: int
) -> None:
    play(carrier, lambda driver: driver.send(letter(seconds), 1))
    assert carrier.messages()[0]["validity"] == validity


def test_the_validity_period_of_one_letter_becomes_less_and_it_is_not_sent_when_it_is_over(carrier: CarrierProcess) -> None:
    async def work(driver: Driver) -> list[Answer]:
        text = letter(2.9)
        for n in range(10_000):
            (answer,) = await driver.send(text, 1, first=n)
            if answer.status != ACCEPTED:
                return driver.answers
            await asyncio.sleep(0.05)
        raise AssertionError("sent for ever")

    answers = play(carrier, work)
    periods = [m["validity"] for m in carrier.messages()]
    assert set(periods) <= {2, 1}
    assert periods == sorted(periods, reverse=True)
    assert said(answers[-1:]) == {(RETRY, "expired", False): 1}
    assert len(periods) == len(answers) - 1


def test_many_are_in_flight_and_never_more_than_the_settings_allow(carrier: CarrierProcess) -> None:
    carrier.faults(delay_ms=30)

    async def work(driver: Driver) -> int:
        await driver.send(letter(), 600)
        return driver.most_in_flight

    assert play(carrier, work, most=64) == 64


def test_no_more_than_its_rate_begins_in_a_second_in_segments_where_that_is_the_unit(carrier: CarrierProcess) -> None:
    play(carrier, lambda driver: driver.send(letter(), 60), rate=150)
    summary = carrier.summary()
    assert summary["last_at"] - summary["first_at"] > (60 - 9) / 150 - 0.05
    carrier.reset()
    play(carrier, lambda driver: driver.send(letter(segments=5), 20), rate=200, unit="segments")
    summary = carrier.summary()
    assert summary["last_at"] - summary["first_at"] > (20 - 12) * 5 / 200 - 0.05


# -- what the carrier refuses ---------------------------------------------------------------------


def test_what_is_wrong_with_a_number_is_told_of_it_alone(carrier: CarrierProcess) -> None:
    carrier.faults(opted_out=[number(1)], invalid=[number(2)], landline=[number(3)])
    answers = {a.token: a for a in play(carrier, lambda driver: driver.send(letter(), 10))}
    assert [answers[n][2:4] for n in range(5)] == [
        (ACCEPTED, ""),
        (OPTED_OUT, "21610"),
        (INVALID, "21211"),
        (INVALID, "21614"),
        (ACCEPTED, ""),
    ]
    too_long = play(carrier, lambda driver: driver.send(letter(body="a" * 1601), 1))
    assert said(too_long) == {(FAILED, "21617", False): 1}


@pytest.mark.parametrize("fault", [{"wrong_sender": True}, {"account": "AC" + "9" * 32}])
def test_a_refused_sender_or_account_fails_nobody_and_is_told_once(
    carrier: CarrierProcess, fault: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    account = fault.pop("account", ACCOUNT)
    carrier.faults(**fault)

    async def work(driver: Driver) -> tuple[str, int]:
        while driver.line.room() > 0:
            driver.hand_over(letter(), number(driver.begun), f"7/{driver.begun}", driver.begun)
        await driver.until(lambda: len(driver.answers) == driver.begun, "all answered")
        assert {a.status for a in driver.answers} == {NOT_TAKEN}
        assert not any(a.unsure for a in driver.answers)
        state = driver.line.state()
        assert state.pause > 0
        return state.circuit, driver.line.room()

    assert play(carrier, work, account_sid=account) == (OPEN, 0)
    errors = [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR]
    assert len(errors) == 1
    assert "refuses" in errors[0]
    assert "+86" not in caplog.text


def test_a_line_whose_account_was_mended_is_used_again_by_itself(
    carrier: CarrierProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(circuit, "REFUSED_PAUSE", 0.1)
    carrier.faults(wrong_sender=True)

    async def work(driver: Driver) -> None:
        answers = await driver.send(letter(), 20)
        assert {a.status for a in answers} == {NOT_TAKEN}
        assert driver.line.state().circuit != CLOSED
        await asyncio.to_thread(carrier.faults, wrong_sender=False)
        calls = driver.calls
        await driver.until(lambda: driver.calls > calls or driver.line.room() > 0, "told that there is room again")
        assert ACCEPTED in {a.status for a in await driver.send(letter(), 100, first=100)}
        assert driver.line.state().circuit == CLOSED

    play(carrier, work)


# -- faults of the moment -------------------------------------------------------------------------


def test_too_many_is_not_taken_and_makes_a_pause_as_long_as_the_carrier_says(carrier: CarrierProcess) -> None:
    carrier.faults(too_many=1.0, retry_after=30)

    async def work(driver: Driver) -> None:
        answers = await driver.send(letter(), 5)
        assert said(answers) == {(NOT_TAKEN, "20429", False): 5}
        assert driver.line.room() == 0
        state = driver.line.state()
        assert 25 < state.pause <= 30
        assert state.circuit == CLOSED, "it is busy, not ill"

    play(carrier, work)


def test_at_a_carrier_that_bears_a_rate_everything_arrives_and_little_is_refused(carrier: CarrierProcess) -> None:
    carrier.faults(rate=300, callbacks=False)

    async def work(driver: Driver) -> None:
        done = 0
        while done < 600:
            done += said(await driver.send(letter(), 20, first=driver.begun)).get((ACCEPTED, "", False), 0)

    play(carrier, work)
    counts = carrier.summary()["counts"]
    assert counts["taken"] >= 600
    assert counts["429"] < 250


FAULTS = {
    "server errors": ({"server_error": 0.3}, {(RETRY, "20500", False)}),
    "resets": ({"reset": 0.3}, {(RETRY, "connection", True)}),
    "answers cut in the middle": ({"cut": 0.3}, {(RETRY, "connection", True)}),
    "pages instead of answers": ({"not_json": 0.3}, {(RETRY, "unreadable", True)}),
    "silence on half-open connections": ({"half_open": 0.05}, {(RETRY, "timeout", True)}),
    "answers that take for ever": ({"slow": 0.05}, {(RETRY, "timeout", True)}),
    "answers in chunks": ({"chunked": True}, set()),
    "answers in pieces": ({"dribble": True}, set()),
    "chunks in pieces": ({"dribble": True, "chunked": True}, set()),
    "connections closed with a word": ({"say_close": 0.3}, set()),
    "connections closed without a word": ({"close_idle": 0.3}, {(RETRY, "connection", True)}),
    "answers without a length": ({"until_close": True}, set()),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_under_every_fault_each_message_has_one_answer_and_it_is_true(
    carrier: CarrierProcess, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    faults, may_be_said = FAULTS[fault]
    carrier.faults(callbacks=False, **faults)
    caplog.set_level(logging.DEBUG)
    answers = play(carrier, lambda driver: driver.send(letter(), 300), timeout=1.5 if "timeout" in str(may_be_said) else 10)
    assert sorted(a.token for a in answers) == list(range(300))
    told = said(answers)
    assert set(told) <= may_be_said | {(ACCEPTED, "", False)}
    assert told[ACCEPTED, "", False] >= 20
    if may_be_said and fault != "connections closed without a word":  # there only the race of the two sides loses one
        assert set(told) & may_be_said
    taken = {m["to"]: m["sid"] for m in carrier.messages()}
    for answer in answers:
        if answer.status == ACCEPTED:
            assert taken[number(answer.token)] == answer.carrier_id
        elif not answer.unsure:
            assert number(answer.token) not in taken
    assert not any(number(n) in caplog.text for n in range(300))
    assert BODY not in caplog.text


def test_a_carrier_that_is_down_is_left_alone_and_nothing_was_received(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        line = TwilioLine(options(f"http://127.0.0.1:{unused.getsockname()[1]}"), most=400)

        async def work(driver: Driver) -> None:
            while driver.line.room() > 0 and driver.begun < 1000:
                driver.hand_over(letter(), number(driver.begun), f"7/{driver.begun}", driver.begun)
                await asyncio.sleep(0.001)
            await driver.until(lambda: len(driver.answers) == driver.begun, "all answered")
            assert said(driver.answers) == {(NOT_TAKEN, "connection", False): driver.begun}
            assert driver.begun <= 250
            assert driver.line.state().circuit == OPEN
            assert driver.line.state().last_error == "connection"

        drive(line, work)
    assert [r.levelname for r in caplog.records if "left alone" in r.getMessage()] == ["WARNING"]


def test_after_a_minute_of_errors_it_is_soon_as_fast_as_before(
    carrier: CarrierProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(circuit, "FIRST_PAUSE", 0.05)

    async def work(driver: Driver) -> None:
        await driver.send(letter(), 300)
        await asyncio.to_thread(carrier.faults, server_error=1.0)
        await driver.send(letter(), 102, first=1000)
        assert driver.line.state().circuit != CLOSED
        await asyncio.to_thread(carrier.faults, server_error=0.0)
        answers = await driver.send(letter(), 300, first=2000)
        assert said(answers)[ACCEPTED, "", False] >= 295
        assert driver.line.state().circuit == CLOSED

    play(carrier, work)


def test_what_is_in_flight_when_it_closes_is_answered_as_perhaps_taken(carrier: CarrierProcess) -> None:
    carrier.faults(delay_ms=60_000)
    kept: list[Driver] = []

    async def work(driver: Driver) -> None:
        kept.append(driver)
        for n in range(5):
            driver.hand_over(letter(), number(n), f"7/{n}", n)
        await asyncio.sleep(0.3)

    play(carrier, work, wait=0.05)
    assert said(kept[0].answers) == {(RETRY, "closed", True): 5}
    assert kept[0].line.state().in_flight == 0
    carrier.reset()
