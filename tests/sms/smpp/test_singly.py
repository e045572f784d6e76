"""Single texts over lines: one-time codes and notices where the settings name several carriers."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import timedelta

import pytest

from portal.channels.sms import aside
from portal.channels.sms.lines import singly, smpp_line
from portal.channels.sms.lines.options import Ears
from portal.channels.sms.lines.singly import Singly
from portal.channels.sms.lines.smpp_line import SmppLine
from portal.channels.sms.provider import ACCEPTED, INVALID, RETRY, Message, Result
from portal.config import ROOT
from portal.core.clock import utcnow
from tests.sms.smpp.conftest import PASSWORD, numbers, options_for
from tests.waiting import until


@pytest.fixture
def single(smsc, monkeypatch):
    """Makes providers over lines to the carrier, each with these options."""
    monkeypatch.setattr(smpp_line, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(smpp_line, "REFUSED_PAUSE", 0.05)
    made: list[Singly] = []

    def make(*lines: dict) -> Singly:
        made.append(Singly(lambda: [SmppLine(options_for(smsc, **options), Ears()) for options in lines or ({},)]))
        return made[-1]

    yield make
    for provider in made:
        provider.close()


def send(provider: Singly, phones: list[str], halted=lambda: False, minutes: float = 5) -> dict[str, Result]:
    told: list[Result] = []
    messages = [Message(f"aside/{phone}", phone) for phone in phones]
    provider.send("123456", messages, expires_at=utcnow() + timedelta(minutes=minutes),
                  callback_url=None, on_result=told.append, halted=halted)
    assert len({result.ref for result in told}) == len(told)
    return {result.ref.removeprefix("aside/"): result for result in told}


def test_each_text_is_answered_and_no_receipt_is_asked_for(single, smsc):
    phones = numbers(30)
    smsc.faults(refuse={phones[0][1:]: 0x0B})
    told = send(single(), phones)
    assert {phone: result.status for phone, result in told.items()} == dict.fromkeys(phones, ACCEPTED) | {phones[0]: INVALID}
    assert {m["registered"] for m in smsc.taken()} == {0}
    assert smsc.counts()["bind_transmitter"] == 1  # who binds so is brought no texts of phones


def test_what_one_line_does_not_take_goes_over_the_other(single, smsc):
    told = send(single({"name": "a", "password": "wrong"}, {"name": "b"}), numbers(5))
    assert {result.status for result in told.values()} == {ACCEPTED}


def test_a_text_does_not_wait_for_ever_for_lines_that_are_down(single, smsc, monkeypatch):
    monkeypatch.setattr(singly, "PATIENCE", 3)
    smsc.faults(bind=0x0D)
    told = send(single(), numbers(2))
    assert [(r.status, r.code, r.unsure) for r in told.values()] == [(RETRY, "ESME_RBINDFAIL", False)] * 2


def test_a_thread_that_came_to_an_end_by_a_fault_is_replaced(single, smsc):
    provider = single()
    send(provider, numbers(1))
    post = provider._post
    post.call(post._loop.stop)
    until(lambda: not post.thread.is_alive(), "the thread has ended")
    assert {result.status for result in send(provider, numbers(2)).values()} == {ACCEPTED}


def test_what_nobody_wants_any_more_is_not_begun(single, smsc):
    smsc.faults(throttle=1.0)
    over = threading.Event()
    threading.Timer(0.3, over.set).start()
    assert send(single(), numbers(2), halted=over.is_set) == {}
    send(single(), numbers(1), minutes=-1)
    assert smsc.taken() == []


def test_lines_are_closed_when_nobody_writes_and_opened_again_when_somebody_does(single, smsc, monkeypatch):
    monkeypatch.setattr(singly, "IDLE", 0.2)
    provider = single()
    assert send(provider, numbers(1)).popitem()[1].status == ACCEPTED
    until(lambda: smsc.counts().get("unbinds") == 1, "the line is left")
    assert send(provider, numbers(1)).popitem()[1].status == ACCEPTED
    assert smsc.counts()["binds"] == 2


def test_a_process_that_ends_says_good_bye(smsc):
    script = (
        "from datetime import timedelta\n"
        "from portal.channels.sms.lines.options import Ears\n"
        "from portal.channels.sms.lines.singly import Singly\n"
        "from portal.channels.sms.lines.smpp_line import SmppLine, SmppOptions\n"
        "from portal.channels.sms.provider import Message\n"
        "from portal.core.clock import utcnow\n"
        f"options = SmppOptions(name='b', host='127.0.0.1', port={smsc.port}, system_id='anlan', password='{PASSWORD}')\n"
        "Singly(lambda: [SmppLine(options, Ears())]).send('1', [Message('r', '+8613800000001')], callback_url=None,\n"
        "    expires_at=utcnow() + timedelta(minutes=1), on_result=lambda r: print(r.status), halted=lambda: False)\n")
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout.strip() == ACCEPTED
    until(lambda: smsc.counts().get("unbinds") == 1, "the good-bye has come")


def test_many_may_send_at_once(single, smsc):
    provider, told = single(), []
    threads = [threading.Thread(target=lambda n=n: told.append(send(provider, [f"+86138{n:08}"]))) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(phone for one in told for phone in one) == [f"+86138{n:08}" for n in range(8)]
    assert smsc.counts()["binds"] == 1


def test_a_code_goes_over_the_lines_of_the_file(make_app, smsc, tmp_path):
    file = tmp_path / "lines.toml"
    file.write_text(f'[[line]]\nname = "b"\nkind = "smpp"\nhost = "127.0.0.1"\nport = {smsc.port}\nsystem_id = "anlan"\n'
                    f'password = "{PASSWORD}"\nsource = "12379"\n')
    app = make_app(sms_lines=file)
    with app.app_context():
        told = aside.send("【坪山应急】123456", {"one": "+8613800000001"}, expires_at=utcnow() + timedelta(minutes=5))
    app.extensions["sms_aside"].close()
    assert told == {"one": aside.TAKEN}
    assert [(m["to"], m["body"]) for m in smsc.taken()] == [("8613800000001", "【坪山应急】123456")]
