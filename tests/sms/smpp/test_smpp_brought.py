"""What the carrier brings over a line: receipts and texts of phones."""

from __future__ import annotations

import threading

import pytest

from portal.channels.sms.provider import ACCEPTED, DELIVERED, UNDELIVERED
from tests.sms.smpp.conftest import letter, numbers

PHONE = "+8613800000001"


@pytest.mark.parametrize("form", ["text", "tlv", "both"])
def test_a_receipt_names_the_message_that_was_accepted_and_says_how_it_ended(drive, smsc, form):
    phones = numbers(5)
    smsc.faults(receipt_ms=1, receipt_form=form, receipt_stat={phones[0][1:]: "UNDELIV"}, receipt_err="011")
    driver = drive().bound()
    told = {t.carrier_id: t.token for t in driver.send(letter(), phones)}
    driver.until(lambda: len(driver.receipts) == 5, "all receipts")
    ended = {told[r.carrier_id]: (r.status, r.code) for r in driver.receipts}
    assert ended[phones[0]] == (UNDELIVERED, "UNDELIV" if form == "tlv" else "UNDELIV.011")
    assert {ended[p] for p in phones[1:]} == {(DELIVERED, "")}


def test_numbers_that_are_hexadecimal_in_answers_and_decimal_in_receipts_are_the_same(drive, smsc):
    smsc.faults(hex=True, receipt_ms=1)
    driver = drive(numbers_in_answers="hex", numbers_in_receipts="decimal").bound()
    told = driver.send(letter(), numbers(5))
    driver.until(lambda: len(driver.receipts) == 5, "all receipts")
    assert {r.carrier_id for r in driver.receipts} == {t.carrier_id for t in told}


def test_receipts_may_come_before_the_answer_twice_late_or_for_nobody(drive, smsc):
    driver = drive().bound()
    smsc.faults(receipt_early=True, receipt_twice=True)
    told = driver.send(letter(), numbers(3))
    driver.until(lambda: len(driver.receipts) == 6, "each receipt twice")
    smsc.do("receipt", id="never-heard-of")
    driver.until(lambda: len(driver.receipts) == 7, "the receipt for nobody is kept as well")
    assert {t.status for t in told} == {ACCEPTED}
    assert {r.carrier_id for r in driver.receipts} == {t.carrier_id for t in told} | {"never-heard-of"}
    assert smsc.counts()["deliver_0"] == 7


def test_the_carrier_is_told_that_we_have_a_receipt_only_when_it_is_kept(drive, smsc):
    broken, keeping, may_end = threading.Event(), threading.Event(), threading.Event()
    broken.set()

    def keep(_receipts):
        if broken.is_set():
            raise OSError("no space left")
        keeping.set()
        assert may_end.wait(60)

    driver = drive(keep=keep).bound()
    smsc.do("receipt", id="7")
    driver.until(lambda: smsc.counts().get("deliver_100", 0) >= 2, "it is refused and comes again")
    assert "deliver_0" not in smsc.counts()
    broken.clear()
    driver.until(keeping.is_set, "it is being kept")
    assert "deliver_0" not in smsc.counts()
    may_end.set()
    driver.until(lambda: smsc.counts().get("deliver_0"), "the carrier is told")
    assert [r.carrier_id for r in driver.receipts] == ["7"]


def test_a_receipt_that_was_not_answered_before_the_connection_broke_comes_again(drive, smsc):
    hold = threading.Event()
    driver = drive(keep=lambda _receipts: hold.wait(60)).bound()
    smsc.do("receipt", id="7")
    driver.until(lambda: smsc.counts().get("delivers"), "it is on its way")
    smsc.do("drop")
    hold.set()
    driver.until(lambda: smsc.counts().get("deliver_0"), "it is brought again over the next bind, and answered")
    assert {r.carrier_id for r in driver.receipts} == {"7"}


@pytest.mark.parametrize(("body", "coding"), [("退订", 8), ("HELP me", 0), ("caf\u00e9", 3)])
def test_a_phone_that_writes_is_heard_and_answered(drive, smsc, body, coding):
    driver = drive(words=lambda text: f"答复：{text.body}").bound()
    smsc.do("write", **{"from": PHONE, "body": body, "coding": coding})
    (answer,) = driver.until(smsc.taken, "the answer has gone to the phone")
    assert [(t.phone, t.body) for t in driver.texts] == [(PHONE, body)]
    assert (answer["to"], answer["body"]) == (PHONE[1:], f"答复：{body}")
    driver.until(lambda: smsc.counts().get("deliver_0") == 1, "the carrier is told that we have it")
    assert answer["registered"] == 0  # a receipt for it would belong to no message of ours
    assert driver.answers == []  # nobody asked for this one to be told of


def test_a_text_of_many_parts_is_acted_on_once(drive, smsc):
    driver = drive(words=lambda _text: "好").bound()
    smsc.do("write", **{"from": PHONE, "parts": ["HELP ", "and more ", "and more"]})
    driver.until(lambda: smsc.counts().get("deliver_0") == 3, "all parts are answered")
    driver.until(smsc.taken, "the answer has gone")
    assert [t.body for t in driver.texts] == ["HELP "]
    assert len(smsc.taken()) == 1


def test_a_text_that_could_not_be_acted_on_comes_again_as_the_same_one(drive, smsc):
    tries: list[str] = []

    def words(text):
        tries.append(text.message_id)
        if len(tries) < 3:
            raise OSError("the database is away")
        return ""

    driver = drive(words=words).bound()
    smsc.do("write", **{"from": PHONE, "body": "STOP"})
    driver.until(lambda: smsc.counts().get("deliver_0"), "it was acted on")
    assert len(tries) == 3
    assert len(set(tries)) == 1
    smsc.do("write", **{"from": PHONE, "body": "STOP"})
    driver.until(lambda: smsc.counts().get("deliver_0") == 2, "the next one was acted on")
    assert len(set(tries)) == 2  # the same words at another time are another text


def test_the_answer_to_a_phone_is_sent_also_while_the_window_is_full(drive, smsc):
    driver = drive(words=lambda _text: "好", max_in_flight=2).bound()
    smsc.faults(delay_ms=50)
    driver.hand_over(letter(), numbers(2))
    smsc.do("write", **{"from": PHONE, "body": "HELP"})
    driver.until(lambda: any(m["to"] == PHONE[1:] for m in smsc.taken()), "the answer has gone")
    driver.until(lambda: len(driver.answers) == 2, "and so have the others")
    assert smsc.counts()["most_unanswered"] <= 2
