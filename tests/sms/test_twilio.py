"""Over HTTP to a carrier that misbehaves: every message ends in exactly one result, or was never handed over."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from portal.channels.sms.provider import ACCEPTED, FAILED, INVALID, OPTED_OUT, RETRY
from portal.channels.sms.twilio import TwilioProvider
from tests.sms.conftest import BODY, SERVICE, CarrierProcess, by_ref, messages, send
from tests.waiting import until

Make = Callable[..., TwilioProvider]


def statuses(results: list[Any]) -> Counter[tuple[str, str]]:
    return Counter((r.status, r.code) for r in results)


def test_everyone_gets_the_text_once_and_the_carrier_knows_where_to_report_and_how_long_it_holds(
    carrier: CarrierProcess, make_provider: Make
) -> None:
    carrier.faults(callbacks=False)
    results = by_ref(
        send(
            make_provider(),
            messages(200),
            seconds=600.9,
            callback_url=lambda ref: f"https://warn.example/hooks/sms/twilio/{ref}",
        )
    )
    taken = {m["to"]: m for m in carrier.messages()}
    assert len(results) == len(taken) == carrier.summary()["taken"] == 200
    for message in messages(200):
        assert results[message.ref].status == ACCEPTED
        assert results[message.ref].carrier_id == taken[message.to]["sid"]
        assert taken[message.to]["callback"] == f"https://warn.example/hooks/sms/twilio/{message.ref}"
        assert taken[message.to]["body"] == BODY
        assert taken[message.to]["sender"] == SERVICE
        assert 590 <= taken[message.to]["validity"] <= 600


def test_a_sender_number_serves_where_there_is_no_messaging_service(
    carrier: CarrierProcess, make_provider: Make
) -> None:
    provider = make_provider(twilio_messaging_service_sid="", twilio_from="+15005550006")
    assert [r.status for r in send(provider, messages(1))] == [ACCEPTED]
    assert carrier.messages()[0]["sender"] == "+15005550006"
    assert carrier.messages()[0]["callback"] == ""


@pytest.mark.parametrize(("seconds", "validity"), [(100 * 3600, 36000), (1.9, 1)])
def test_the_validity_period_stays_within_what_the_carrier_takes(
    carrier: CarrierProcess, make_provider: Make, seconds: float, validity: int
) -> None:
    send(make_provider(), messages(1), seconds=seconds)
    assert [m["validity"] for m in carrier.messages()] == [validity]


def test_nothing_is_handed_over_once_it_has_expired(carrier: CarrierProcess, make_provider: Make) -> None:
    assert send(make_provider(), messages(5), seconds=0.9) == []
    assert send(make_provider(), messages(5), seconds=-60) == []
    assert carrier.summary()["taken"] == 0


def test_what_expires_on_the_way_stops_there(carrier: CarrierProcess, make_provider: Make) -> None:
    carrier.faults(delay_ms=300)
    results = send(make_provider(max_in_flight=2), messages(50), seconds=2)
    assert 2 <= len(results) <= 12
    assert carrier.summary()["taken"] == len(results)
    assert min(m["validity"] for m in carrier.messages()) >= 1


def test_errors_about_a_number_are_told_apart(carrier: CarrierProcess, make_provider: Make) -> None:
    to = messages(5)
    carrier.faults(opted_out=[to[1].to], invalid=[to[2].to], landline=[to[3].to])
    results = by_ref(send(make_provider(), to))
    assert [(results[m.ref].status, results[m.ref].code) for m in to] == [
        (ACCEPTED, ""),
        (OPTED_OUT, "21610"),
        (INVALID, "21211"),
        (INVALID, "21614"),
        (ACCEPTED, ""),
    ]


def test_a_text_that_the_carrier_refuses_fails_for_good(carrier: CarrierProcess, make_provider: Make) -> None:
    assert statuses(send(make_provider(), messages(2), body="雨" * 1601)) == {(FAILED, "21617"): 2}


@pytest.mark.parametrize(
    "settings", [{"twilio_auth_token": "wrong"}, {"twilio_account_sid": "AC" + "9" * 32}]
)
def test_wrong_credentials_fail_no_recipient_and_stop_the_sending(
    carrier: CarrierProcess, make_provider: Make, settings: dict[str, str]
) -> None:
    results = send(make_provider(**settings), messages(300))
    assert set(statuses(results)) == {(RETRY, "auth")}
    assert 1 <= len(results) <= 16, "at most what was in flight"


def test_a_wrong_sender_fails_no_recipient_and_stops_the_sending(
    carrier: CarrierProcess, make_provider: Make, caplog: pytest.LogCaptureFixture
) -> None:
    carrier.faults(wrong_sender=True)
    results = send(make_provider(), messages(300))
    assert set(statuses(results)) == {(RETRY, "21606")}
    assert 1 <= len(results) <= 16
    assert "21606" in caplog.text


@pytest.mark.parametrize(
    ("fault", "codes"),
    [
        ({"server_error": 0.3}, {"20500"}),
        ({"reset": 0.2}, {"connection"}),
        ({"cut": 0.2}, {"connection"}),
        ({"not_json": 0.2}, {"unreadable"}),
    ],
)
def test_a_passing_fault_is_tried_again_and_nobody_is_lost(
    carrier: CarrierProcess, make_provider: Make, fault: dict[str, float], codes: set[str]
) -> None:
    carrier.faults(**fault)
    provider, waiting, seen = make_provider(), {m.ref: m for m in messages(300)}, Counter[tuple[str, str]]()
    for _round in range(30):
        for result in by_ref(send(provider, list(waiting.values()))).values():
            seen[result.status, result.code] += 1
            if result.status == ACCEPTED:
                del waiting[result.ref]
        if not waiting:
            break
    assert not waiting
    assert {code for status, code in seen if status == RETRY} == codes
    summary = carrier.summary()
    assert summary["distinct"] == 300
    unknown = seen[RETRY, "connection"] + seen[RETRY, "unreadable"] if {"cut", "not_json"} & set(fault) else 0
    assert summary["doubled"] == unknown, "only what the carrier took without our hearing of it is doubled"


def test_a_slow_answer_times_out_and_a_silent_carrier_is_not_asked_for_ever(
    carrier: CarrierProcess, make_provider: Make
) -> None:
    carrier.faults(delay_ms=3000)
    results = send(make_provider(twilio_timeout=0.2, max_in_flight=4), messages(200))
    assert set(statuses(results)) == {(RETRY, "timeout")}
    assert len(results) <= 16


def test_a_carrier_that_is_not_there_gives_passing_errors_soon(make_provider: Make) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused
        results = send(make_provider(url=f"http://127.0.0.1:{taken.getsockname()[1]}"), messages(500))
    assert set(statuses(results)) == {(RETRY, "connection")}
    assert len(results) <= 24


def test_a_carrier_that_comes_back_is_sent_to_again(carrier: CarrierProcess, make_provider: Make) -> None:
    provider, to = make_provider(), messages(40)
    carrier.faults(down_until=time.time() + 3600)
    assert {r.status for r in send(provider, to)} == {RETRY}
    carrier.faults(down_until=0)
    assert statuses(send(provider, to)) == {(ACCEPTED, ""): 40}
    assert carrier.summary()["distinct"] == 40


def test_too_many_requests_slow_the_sending_down_and_say_when_to_come_back(
    carrier: CarrierProcess, make_provider: Make
) -> None:
    carrier.faults(rate=100, retry_after=1)
    results = by_ref(send(make_provider(), messages(120)))
    refused = [r for r in results.values() if r.status == RETRY]
    assert refused
    assert {(r.code, r.retry_after) for r in refused} == {("20429", 1.0)}
    assert len(results) == 120, "a short pause is waited out"
    assert len(refused) < 60
    assert carrier.summary()["distinct"] == 120 - len(refused)


def test_a_long_pause_is_not_waited_out_but_handed_back(carrier: CarrierProcess, make_provider: Make) -> None:
    carrier.faults(too_many=1, retry_after=120)
    results = send(make_provider(), messages(200))
    assert {(r.status, r.retry_after) for r in results} == {(RETRY, 120.0)}
    assert len(results) <= 8


def test_halting_stops_at_what_is_in_flight(carrier: CarrierProcess, make_provider: Make) -> None:
    carrier.faults(delay_ms=20)
    answered: list[Any] = []
    provider = make_provider(max_in_flight=4)
    results = send(
        provider, messages(500), halted=lambda: len(answered) >= 1 or bool(answered.append(1)) or False
    )
    assert len(results) == carrier.summary()["taken"] == 1
    halt = threading.Event()
    watch = threading.Thread(target=lambda: (until(lambda: carrier.summary()["taken"] > 1, "another is taken"), halt.set()))
    watch.start()
    results = send(provider, messages(5000), halted=halt.is_set)
    watch.join()
    assert 0 < len(results) < 5000
    assert carrier.summary()["taken"] == len(results) + 1, (
        "what was begun has its result, and nothing else was begun"
    )


def test_halting_ends_a_pause(carrier: CarrierProcess, make_provider: Make) -> None:
    carrier.faults(too_many=1, retry_after=4)
    asked: list[float] = []

    def halted() -> bool:
        asked.append(time.monotonic())
        return len(asked) > 12

    results = send(make_provider(), messages(200), halted=halted)
    assert len(results) < 13
    assert asked[-1] - asked[0] < 4


def test_several_threads_share_one_provider(carrier: CarrierProcess, make_provider: Make) -> None:
    provider, to, got = make_provider(), messages(300), []
    threads = [
        threading.Thread(target=lambda part=to[i::3]: got.extend(send(provider, part))) for i in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert statuses(got) == {(ACCEPTED, ""): 300}
    assert len(by_ref(got)) == carrier.summary()["distinct"] == 300


def test_what_the_caller_does_with_a_result_may_fail_and_is_not_hidden(
    carrier: CarrierProcess, make_provider: Make
) -> None:
    def broken(_result: Any) -> None:
        raise RuntimeError("database is gone")

    from datetime import timedelta

    from portal.core.clock import utcnow

    with pytest.raises(RuntimeError, match="database is gone"):
        make_provider().send(
            BODY,
            messages(300),
            expires_at=utcnow() + timedelta(hours=1),
            callback_url=None,
            on_result=broken,
            halted=lambda: False,
        )
    assert carrier.summary()["taken"] <= 16


def test_no_number_and_no_secret_is_ever_logged(
    carrier: CarrierProcess, make_provider: Make, caplog: pytest.LogCaptureFixture
) -> None:
    to = messages(60)
    carrier.faults(server_error=0.2, reset=0.1, not_json=0.1, cut=0.1, invalid=[m.to for m in to[:5]])
    with caplog.at_level(logging.DEBUG):
        send(make_provider(), to)
        send(make_provider(twilio_auth_token="wrong-secret"), to)
    assert "86129" not in caplog.text
    assert "test-token" not in caplog.text
    assert "wrong-secret" not in caplog.text
