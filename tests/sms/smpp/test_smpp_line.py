"""A line on an SMPP carrier that is another's work: what is taken, what is refused, what is not known."""

from __future__ import annotations

import logging
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from portal.channels.sms.lines.line import CLOSED, NOT_TAKEN, OPEN, Letter
from portal.channels.sms.provider import ACCEPTED, FAILED, INVALID, RETRY
from portal.core.clock import utcnow
from tests.sms.smpp.conftest import letter, numbers

LONG = "【坪山应急】暴雨红色预警：请低洼地带和危险边坡附近的居民立即转移到避难场所。" * 4
THREE = 3  # parts of LONG


def test_every_message_is_taken_once_and_with_the_words_the_sender_and_the_end_of_its_time(drive, smsc):
    text = letter("Flood warning [red]: leave now. € £ é §")
    told = drive(source="ANLAN").bound().send(text, numbers(100))
    taken = smsc.taken()
    assert {t.status for t in told} == {ACCEPTED}
    assert Counter(m["to"] for m in taken) == Counter(n[1:] for n in numbers(100))
    assert {t.token[1:]: t.carrier_id for t in told} == {m["to"]: m["id"] for m in taken}
    first = taken[0]
    assert (first["body"], first["coding"]) == (text.body, 0)
    assert (first["from"], first["source_ton"], first["source_npi"], first["dest_ton"]) == ("ANLAN", 5, 0, 1)
    assert datetime.fromisoformat(first["validity"]) == text.expires_at.astimezone(UTC).replace(microsecond=0)
    assert first["registered"] == 1


@pytest.mark.parametrize("long", ["udh", "sar", "payload"])
def test_a_long_text_is_accepted_when_all_its_parts_are(drive, smsc, long):
    smsc.faults(receipt_ms=1)
    driver = drive(long=long).bound()
    told = driver.send(letter(LONG), numbers(10))
    assert [t.status for t in told] == [ACCEPTED] * 10
    by_phone: dict[str, list[dict]] = {}
    for message in smsc.taken():
        by_phone.setdefault(message["to"], []).append(message)
    for parts in by_phone.values():
        assert len(parts) == (1 if long == "payload" else THREE)
        assert "".join(part["body"] for part in parts) == LONG
        if long == "udh":
            assert [part["udh"][-2:] for part in parts] == [[THREE, n + 1] for n in range(THREE)]
        if long == "sar":
            assert [part["sar"][1:] for part in parts] == [[THREE, n + 1] for n in range(THREE)]
    driver.until(lambda: len(driver.receipts) == 10, "one receipt for each message")
    assert {r.carrier_id for r in driver.receipts} == {t.carrier_id for t in told}


@pytest.mark.parametrize("body", ["red", LONG])
def test_the_carriers_window_is_never_passed_not_by_parts_either(drive, smsc, body):
    smsc.faults(delay_ms=5, window=4)
    told = drive(max_in_flight=4).bound().send(letter(body), numbers(30))
    assert {t.status for t in told} == {ACCEPTED}
    counts = smsc.counts()
    assert counts["most_unanswered"] <= 4
    assert "refused_88" not in counts


@pytest.mark.parametrize("fault", ["throttle", "queue_full"])
def test_who_is_told_to_slow_down_pauses_and_then_sends_the_rest(drive, smsc, fault):
    driver = drive().bound()
    smsc.faults(**{fault: 1.0})
    told = driver.send(letter(), numbers(1))
    assert [(t.status, t.unsure) for t in told] == [(NOT_TAKEN, False)]
    assert driver.line.room() == 0
    assert driver.line.state().pause > 0
    smsc.faults(**{fault: 0.0})
    assert {t.status for t in driver.send(letter(), numbers(2))} == {ACCEPTED}
    assert smsc.counts()["taken"] == 2


def test_a_part_that_is_refused_for_now_is_brought_again_alone(drive, smsc):
    smsc.faults(refuse_times=2, refuse_status=0x58)
    told = drive().bound().send(letter(LONG), numbers(1))
    assert [t.status for t in told] == [ACCEPTED]
    assert Counter(tuple(m["udh"][-2:]) for m in smsc.taken()) == {(THREE, n + 1): 1 for n in range(THREE)}


def test_a_message_of_which_a_part_was_taken_is_never_said_to_be_certainly_not_taken(drive, smsc):
    driver = drive().bound()
    smsc.faults(drop_after=2, delay_ms=20)
    told = driver.send(letter(LONG), numbers(1))
    assert [(t.status, t.unsure) for t in told] == [(RETRY, True)]


def test_a_refusal_says_whether_the_number_the_text_or_the_moment_is_meant(drive, smsc):
    phones = numbers(4)
    smsc.faults(refuse={phones[0][1:]: 0x0B, phones[1][1:]: 0x65, phones[2][1:]: 0x45})
    told = {t.token: t for t in drive().bound().send(letter(), phones)}
    assert [(told[p].status, told[p].code, told[p].unsure) for p in phones] == [
        (INVALID, "ESME_RINVDSTADR", False), (FAILED, "ESME_RX_P_APPN", False), (RETRY, "ESME_RSUBMITFAIL", False),
        (ACCEPTED, "", False)]


def test_a_refused_account_stops_the_line_and_fails_nobody(drive, smsc):
    driver = drive().bound()
    smsc.faults(refuse_times=1, refuse_status=0x0A)
    assert [(t.status, t.code) for t in driver.send(letter(), numbers(1))] == [(NOT_TAKEN, "ESME_RINVSRCADR")]
    assert driver.line.room() == 0
    assert driver.line.state().circuit == OPEN


def test_nothing_but_system_errors_open_the_circuit(drive, smsc):
    smsc.faults(system_error=1.0)
    driver = drive().bound()
    sent = 0
    while driver.line.state().circuit == CLOSED and sent < 100:
        driver.send(letter(), numbers(1))
        sent += 1
    assert driver.line.state().circuit == OPEN
    assert driver.line.room() == 0
    assert {(t.status, t.code) for t in driver.answers} == {(NOT_TAKEN, "ESME_RSYSERR")}
    smsc.faults(system_error=0.0)
    assert [t.status for t in driver.send(letter(), numbers(1))] == [ACCEPTED]


def test_an_answer_that_is_no_answer_is_an_error_of_that_message_alone(drive, smsc):
    driver = drive().bound()
    smsc.faults(nack=0xFF)
    assert [(t.status, t.code) for t in driver.send(letter(), numbers(1))] == [(RETRY, "ESME_RUNKNOWNERR")]
    smsc.faults(nack=0)
    assert [t.status for t in driver.send(letter(), numbers(1))] == [ACCEPTED]
    assert smsc.counts()["binds"] == 1


def test_a_message_without_an_answer_is_given_up_in_time_and_may_have_been_taken(drive, smsc):
    driver = drive(answer_seconds=0.2).bound()
    smsc.faults(silent=True)
    assert {(t.status, t.code, t.unsure) for t in driver.send(letter(), numbers(3))} == {(RETRY, "timeout", True)}


@pytest.mark.parametrize("split", [1, 3, 17])
def test_units_may_come_in_pieces(drive, smsc, split):
    smsc.faults(split=split, receipt_ms=1)
    driver = drive().bound()
    assert {t.status for t in driver.send(letter(LONG), numbers(10))} == {ACCEPTED}
    driver.until(lambda: len(driver.receipts) == 10, "all receipts")


def test_a_text_whose_time_is_over_is_not_handed_over(drive, smsc):
    over = Letter("x", utcnow() - timedelta(seconds=1))
    assert [(t.status, t.code) for t in drive().bound().send(over, numbers(1))] == [(RETRY, "expired")]
    assert smsc.taken() == []


def test_no_number_no_word_and_no_password_is_ever_in_the_log(drive, smsc, caplog):
    caplog.set_level(logging.DEBUG)
    phones = numbers(6)
    smsc.faults(refuse={phones[0][1:]: 0x0B, phones[1][1:]: 0x0A}, system_error=0.5, seed=3)

    def unable(_text):
        raise RuntimeError(_text.phone)

    driver = drive(words=unable).bound()
    driver.send(letter("hush"), phones)
    smsc.do("write", **{"from": phones[5], "body": "hush"})
    driver.until(lambda: driver.texts, "the text has come")
    smsc.do("drop")
    driver.until(lambda: driver.line.room() == 0, "the line is lost")
    driver.close()
    for secret in ("13800", "hush", "s3cr3t"):
        assert secret not in caplog.text
    assert "carrier-b" in caplog.text
