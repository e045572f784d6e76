"""What goes over the wire, held against a push service that reads it by other libraries than ours."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.channels.push import health, services, webpush
from portal.channels.push.encryption import LONGEST, Keys, encrypt
from portal.channels.push.provider import ACCEPTED, FAILED, GONE, RETRY, Note, Result
from portal.channels.push.vapid import public_key
from portal.config import Settings
from portal.core import keys
from portal.core.clock import utcnow
from portal.core.keys import from_base64url
from tests.push.service import PushService, note, running

SERVICES = ("fcm.googleapis.com", "*.push.apple.com", "http://127.0.0.1:9000")


@pytest.fixture
def made(push_service: PushService, tmp_path: Path) -> Iterator[Callable[..., webpush.WebPush]]:
    built: list[webpush.WebPush] = []

    def make(**values: object) -> webpush.WebPush:
        built.append(webpush.WebPush(Settings(instance=tmp_path, **{"push_services": push_service.url} | values)))
        return built[-1]

    yield make
    for sender in built:
        sender.close()


def send(sender: webpush.WebPush, notes: list[Note], payload: bytes = b'{"v":1}', *, seconds: float = 600, urgent: bool = True,
         halted: Callable[[], bool] = lambda: False) -> dict[int, Result]:
    results: list[Result] = []
    sender.send(payload, notes, expires_at=utcnow() + timedelta(seconds=seconds), urgent=urgent, topic="a" * 32,
                on_result=results.append, halted=halted)
    assert len({r.ref for r in results}) == len(results), "somebody was reported twice"
    return {r.ref: r for r in results}


def test_a_message_is_encrypted_as_the_example_of_the_standard_is():
    """RFC 8291, appendix A."""
    own = ec.derive_private_key(int.from_bytes(from_base64url("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw")), ec.SECP256R1())
    theirs = Keys(from_base64url("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"),
                  from_base64url("BTBZMqHH6r4Tts7J_aSIgg"))
    body = encrypt(b"When I grow up, I want to be a watermelon", theirs, salt=from_base64url("DGv6ra1nlYgDCS1FRnbzlw"), own=own)
    assert keys.base64url(body) == (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu"
        "6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN")


@given(st.binary(max_size=LONGEST))
@settings(max_examples=20)
def test_a_body_is_never_larger_than_every_service_takes(payload: bytes):
    private = ec.generate_private_key(ec.SECP256R1())
    body = encrypt(payload, Keys(from_base64url(public_key(private)), b"a" * 16))
    assert len(body) <= 4096
    with pytest.raises(ValueError, match="more than"):
        encrypt(payload + b"x" * (LONGEST + 1 - len(payload)), Keys(from_base64url(public_key(private)), b"a" * 16))


def test_a_push_service_that_is_not_ours_verifies_the_sender_and_the_browser_reads_the_words(push_service, made):
    browser = push_service.new()[0]
    payload = '{"title":"暴雨红色预警"}'.encode()
    assert send(made(), [note(7, browser)], payload)[7] == Result(7, ACCEPTED)
    message, = push_service.told(browser)
    assert message["payload"] == {"title": "暴雨红色预警"}
    assert 590 <= message["ttl"] <= 600
    assert (message["urgency"], message["topic"]) == ("high", "a" * 32)
    assert message["sub"] == "mailto:warning@pingshan.example"
    send(made(), [note(7, browser)], payload, urgent=False)
    first, second = push_service.told(browser)
    assert second["urgency"] == "normal"
    assert second["sender"] == first["sender"], "the key is kept: browsers are bound to it"


def test_each_answer_of_a_push_service_has_its_end(push_service, made):
    answers = {"404": (GONE, "404"), "410": (GONE, "410"), "413": (FAILED, "413"), "400": (FAILED, "400"), "403": (FAILED, "403"),
               "302": (FAILED, "302"), "429/7": (RETRY, "429"), "500": (RETRY, "500"), "cut": (ACCEPTED, ""),
               "reset": (RETRY, "connection"), "": (ACCEPTED, "")}
    browsers = push_service.new(len(answers))
    for browser, how in zip(browsers, answers, strict=True):
        push_service.behave(browser, how)
    results = send(made(), [note(i, browser) for i, browser in enumerate(browsers)])
    found = {how: (results[i].status, results[i].code) for i, how in enumerate(answers)}
    # A connection closed in the middle of the answer: whether the status was heard first is a matter of luck.
    assert found.pop("cut") in ((ACCEPTED, ""), (RETRY, "connection"))
    del answers["cut"]
    assert found == answers
    by_word = dict(zip(["404", "410", "413", "400", "403", "302", "429/7"], results.values(), strict=False))
    assert results[list({"404": 0} | by_word).index("429/7")].retry_after == 7
    assert results[9].unsure, "it was read before the connection broke"


def test_endpoints_that_hang_are_given_up_and_hold_up_nobody(push_service, made, monkeypatch):
    monkeypatch.setattr(webpush, "GRACE", 3.0)
    browsers = push_service.new(60)
    for browser in browsers[:5]:
        push_service.behave(browser, "hang")
    heard: list[int] = []
    sender = made(push_timeout=30, push_in_flight=16)
    begun = time.monotonic()
    results: list[Result] = []
    sender.send(b"{}", [note(i, b) for i, b in enumerate(browsers)], expires_at=utcnow() + timedelta(hours=1), urgent=True,
                topic="t", on_result=lambda r: (results.append(r), heard.append(r.ref)), halted=lambda: False)
    assert time.monotonic() - begun < 25, "it was not waited for their timeout"
    assert sorted(heard[:55]) == list(range(5, 60)), "who answers is heard first"
    assert {r.ref: (r.status, r.code, r.unsure) for r in results if r.ref < 5} == dict.fromkeys(
        range(5), (RETRY, "timeout", True))
    assert len(push_service.told(browsers[59])) == 1
    for _ in range(webpush.STRIKES - 1):
        last = send(sender, [note(0, browsers[0]), note(50, browsers[50])])
    assert (last[0].status, last[0].code) == (FAILED, "timeout"), "one that hangs again and again is given up"


def test_a_service_that_hangs_is_left_alone_and_the_others_go_on(push_service, made, monkeypatch):
    monkeypatch.setattr(health, "FIRST_REST", 60.0)
    with running() as broken:
        broken.behave("*", "hang")
        sender = made(push_services=f"{push_service.url},{broken.url}", push_timeout=4, push_in_flight=40)
        dead, alive = broken.new(200), push_service.new(30)
        notes = [note(i, b) for i, b in enumerate(dead)] + [note(1000 + i, b) for i, b in enumerate(alive)]
        results = send(sender, notes)
        assert all(results[1000 + i].status == ACCEPTED for i in range(30))
        assert all(results[i].status == RETRY for i in range(200)), "nobody of a service that is down is given up"
        asked = broken.all()["counts"]["hang"]
        assert asked <= 20 + health.TROUBLES, "half of the places, once"
        assert sum(results[i].code == "timeout" and results[i].retry_after is not None for i in range(200)) >= 200 - asked
        again = send(sender, notes)
        assert broken.all()["counts"]["hang"] == asked, "it is left alone until its rest is over"
        assert again[0].retry_after > 30
        assert again[1000].status == ACCEPTED


def test_hosts_that_somebody_invented_under_a_star_hold_up_nobody_of_their_service(push_service, made, monkeypatch):
    """Strangers may enter 500 addresses a day like https://x1.push.apple.com/, where nothing is."""
    monkeypatch.setattr(health, "FIRST_REST", 60.0)
    real = services.check

    def all_of_one_service(url: str, _allowed: tuple[str, ...]) -> services.Address:
        origin = url.rpartition("/p/")[0]
        return replace(real(url, (origin,)), service="*.one.example")

    monkeypatch.setattr(services, "check", all_of_one_service)
    sender = made(push_in_flight=8)
    keys = note(0, push_service.new()[0]).keys
    invented = [Note(i, f"http://127.0.0.{2 + i}:1/p/x", keys) for i in range(60)]
    alive = [note(1000 + i, browser) for i, browser in enumerate(push_service.new(30))]
    results = send(sender, invented + alive)
    assert {results[1000 + i].status for i in range(30)} == {ACCEPTED}
    assert {results[i].code for i in range(60)} == {"connection"}
    assert push_service.all()["most_in_flight"] <= 50


def test_where_a_whole_service_hangs_no_device_of_it_is_to_blame(push_service, made):
    with running() as broken:
        broken.behave("*", "hang")
        sender = made(push_services=f"{push_service.url},{broken.url}", push_timeout=1)
        notes = [note(1, broken.new()[0]), note(2, push_service.new()[0])]
        for _ in range(webpush.STRIKES + 1):
            results = send(sender, notes)
            assert (results[1].status, results[1].code) == (RETRY, "timeout")


def test_too_many_in_a_row_makes_all_wait_as_long_as_was_asked(push_service, made):
    browsers = push_service.new(100)
    push_service.behave("*", "429/300")
    results = send(made(push_in_flight=4), [note(i, b) for i, b in enumerate(browsers)])
    assert {r.status for r in results.values()} == {RETRY}
    assert push_service.all()["counts"]["429"] < 20
    assert min(r.retry_after for r in results.values()) > 200


def test_nothing_begins_after_the_end_or_once_it_is_stopped_and_few_are_in_the_air(push_service, made):
    browsers = push_service.new(40)
    notes = [note(i, b) for i, b in enumerate(browsers)]
    assert send(made(), notes, seconds=-1) == {}
    push_service.behave("*", "slow/0.05")
    count: list[int] = []
    results = send(made(push_in_flight=4), notes, halted=lambda: bool(count.append(1)) or len(count) > 5)
    assert 0 < len(results) < 40
    assert {r.status for r in results.values()} == {ACCEPTED}, "what is in the air is heard out"
    before = push_service.all()["most_in_flight"]
    assert before <= 50


@pytest.mark.parametrize("url", [
    "https://fcm.googleapis.com/fcm/send/abc", "https://web.push.apple.com/QGuQ", "https://web.push.apple.com:443/QGuQ",
    "http://127.0.0.1:9000/p/x"])
def test_addresses_at_services_that_the_settings_name_are_taken(url):
    assert services.check(url, SERVICES).url == url


@pytest.mark.parametrize("url", [
    "http://fcm.googleapis.com/x", "https://fcm.googleapis.com:8443/x", "https://fcm.googleapis.com.evil.example/x",
    "https://evil.example/fcm.googleapis.com", "https://evil@fcm.googleapis.com/x", "https://fcm.googleapis.com@evil.example/x",
    "https://push.apple.com/x", "https://xpush.apple.com/x", "https://127.0.0.1/x", "http://127.0.0.1:9001/x",
    "http://127.0.0.1:9000@evil.example/x", "https://[::1]/x", "file:///etc/passwd", "https://fcm.googleapis.com\\@evil.example/x",
    "https://fcm.googleapis.com/x\r\nHost: evil", "https://fcm.googleapis.com/#x", "https://fcm.googleapis.com/", "", None, 7,
    "https://evil.example%2f.push.apple.com/x", "https://a..push.apple.com/x", "https://x;y.push.apple.com/x",
    "https://" + "x" * 64 + ".push.apple.com/x", "https://fcm.googleapis.com/" + "x" * 1000, "https://fcm.googleapis.com:abc/x"])
def test_an_address_anywhere_else_is_refused(url):
    with pytest.raises(services.Refused):
        services.check(url, SERVICES)


def test_a_name_that_is_allowed_and_leads_into_our_own_network_is_not_followed(push_service, made, monkeypatch):
    port = int(push_service.url.rpartition(":")[2])

    def inside(*_args: object, **_more: object) -> list:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    sender = made(push_services="push.example")
    send(sender, [])
    monkeypatch.setattr(socket, "getaddrinfo", inside)
    browser = push_service.new()[0]
    result = send(sender, [Note(1, "https://push.example/p/x", note(1, browser).keys)])[1]
    assert (result.status, result.code) == (RETRY, "connection")
