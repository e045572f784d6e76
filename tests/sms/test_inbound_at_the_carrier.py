"""A phone writes through a carrier that is a process of its own, over HTTP, with the carrier's own words for leaving."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from waitress.server import create_server

from portal.channels.sms.provider import ACCEPTED, OPTED_OUT, Message
from portal.regions import demo
from portal.subscribers import wishes
from tests import serving
from tests.postgres import free_port
from tests.shelters.one_database import database_url  # noqa: F401  (what is written is tested on both beside this)
from tests.sms.conftest import CarrierProcess, send
from tests.sms.test_hooks import TWILIO

PHONE = "+8612900000001"


@pytest.fixture
def served(make_app: Callable[..., Flask], carrier: CarrierProcess) -> Iterator[Flask]:
    port = free_port()
    app = make_app(**TWILIO | {"public_url": f"http://127.0.0.1:{port}", "twilio_api_url": carrier.url})
    with app.app_context():
        demo.seed()
    server = create_server(app, host="127.0.0.1", port=port, threads=4)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield app
    finally:
        serving.end(server, thread)


def test_a_phone_writes_through_the_carrier(served: Flask, carrier: CarrierProcess, make_provider: Callable[..., Any]) -> None:
    def write(body: str, times: int = 1) -> list[str]:
        url = f"{served.extensions['anlan'].base_url}/hooks/sms/twilio/inbound"
        answer = carrier._ask("/_write", {"from": PHONE, "body": body, "url": url, "times": times})
        assert answer["statuses"] == [200] * times
        return answer["got"]

    def status() -> str:
        with served.app_context():
            return wishes.find(served.extensions["phones"].index(PHONE)).status

    first, second = write("订阅　坑梓", times=2)
    assert first == second, "a call that comes twice is answered alike"
    assert first.startswith("【坪山应急】已订阅坑梓街道的预警。")
    assert write("help") == ["(carrier) Reply STOP to unsubscribe."], "and not once more by us"
    assert len(write("帮助")) == 1
    assert write("Stop") == ["(carrier) You have been unsubscribed."]
    assert carrier.summary()["counts"].get("21610", 0) == 0, "we did not try to answer"
    assert status() == "opted_out"
    assert write("订阅 坑梓") == [], "the carrier still refuses whatever is sent to this phone"
    assert [r.status for r in send(make_provider(), [Message("1/1", PHONE)])] == [OPTED_OUT]
    assert write("TD") == []
    assert status() == "opted_out"
    assert write("START") == ["(carrier) You have been re-subscribed."]
    assert status() == "active"
    assert [r.status for r in send(make_provider(), [Message("1/1", PHONE)])] == [ACCEPTED]
    assert write("查询")[0].startswith("【坪山应急】您已订阅坑梓街道的预警")
