"""Everything going wrong at once, drawn from a seed: each message has one answer, and no answer is untrue."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from portal.channels.sms.lines import smpp_inbox
from portal.channels.sms.lines.line import NOT_TAKEN
from portal.channels.sms.lines.options import Ears
from portal.channels.sms.lines.smpp_inbox import Inbox
from portal.channels.sms.provider import ACCEPTED, INVALID, RETRY
from tests.sms.smpp.conftest import letter, numbers
from tests.sms.smpp.test_smpp_line import LONG, THREE
from tests.waiting import until


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("body", ["red", LONG])
def test_each_message_has_one_answer_and_it_is_true(drive, smsc, seed, body):
    chance = random.Random(seed)
    phones = numbers(90)
    unknown = set(chance.sample(phones, 5))
    driver = drive(answer_seconds=0.4, enquire_seconds=0.2, max_in_flight=chance.choice([3, 10, 40])).bound()
    smsc.faults(seed=seed, refuse={phone[1:]: 0x0B for phone in unknown}, system_error=0.05)
    for start in range(0, len(phones), 15):
        smsc.faults(split=chance.choice([0, 0, 1, 7]), delay_ms=chance.choice([0, 3]), silent_times=chance.choice([0, 0, 2]),
                    drop_after=chance.choice([0, 0, 1, 9]), enquire=chance.random() < 0.8,
                    refuse_times=chance.choice([0, 0, 3]), refuse_status=chance.choice([0x45, 0xFF, 0x64]),
                    receipt_twice=chance.random() < 0.5, receipt_early=chance.random() < 0.3)
        driver.hand_over(letter(body), phones[start : start + 15])
    driver.until(lambda: len(driver.answers) >= len(phones), "every message is answered")
    driver.close()

    told = {answer.token: answer for answer in driver.answers}
    assert len(driver.answers) == len(told) == len(phones)
    taken = Counter(message["to"] for message in smsc.taken())
    parts = THREE if body == LONG else 1
    for phone, answer in told.items():
        if answer.status == ACCEPTED:
            assert taken[phone[1:]] == parts
        elif answer.status == NOT_TAKEN:
            assert (taken[phone[1:]], answer.unsure) == (0, False)
        elif answer.status == INVALID:  # said of one part, whatever became of the others
            assert phone in unknown
        else:
            assert answer.status == RETRY
            assert answer.unsure or not taken[phone[1:]]
    assert max(taken.values()) <= parts  # the line itself sends nothing twice
    numbers_told = {answer.carrier_id for answer in told.values() if answer.status == ACCEPTED}
    assert {receipt.carrier_id for receipt in driver.receipts} <= {message["id"] for message in smsc.taken()}
    assert numbers_told <= {message["id"] for message in smsc.taken()}


def test_what_the_inbox_has_no_room_for_is_refused_and_what_it_has_is_kept(monkeypatch):
    monkeypatch.setattr(smpp_inbox, "MOST_WAITING", 3)
    done: list[tuple[int, int]] = []
    inbox = Inbox("b", "text", Ears(), lambda said: done.extend((origin, status) for origin, status, _reply in said))
    assert [inbox.put(n, b"") for n in range(5)] == [True, True, True, False, False]
    inbox.start()
    inbox.end()
    until(lambda: not inbox.alive, "the inbox has ended")
    assert done == [(0, 0), (1, 0), (2, 0)]
    assert not inbox.put(9, b"")
