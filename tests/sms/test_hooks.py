"""What a carrier reports is kept before it is told so; what somebody else reports is not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from sqlalchemy import select
from waitress.server import create_server

from portal.channels.sms.provider import ACCEPTED
from portal.core.db import db
from portal.dispatch.models import Receipt
from portal.subscribers.models import ACTIVE, Subscriber
from portal.subscribers.store import NewSubscriber, add_many
from tests import serving
from tests.postgres import free_port
from tests.sms.conftest import ACCOUNT, TOKEN, CarrierProcess, messages, send
from tests.sms.test_twilio_callbacks import form, signed
from tests.waiting import until

PUBLIC = "https://warn.example"
TWILIO = {
    "sms_provider": "twilio",
    "twilio_account_sid": ACCOUNT,
    "twilio_auth_token": TOKEN,
    "twilio_from": "+15005550006",
    "public_url": PUBLIC,
    "surfaces": ("hooks",),
}


@pytest.fixture
def hooks(make_app: Callable[..., Flask]) -> Flask:
    return make_app(**TWILIO)


def post(app: Flask, path: str, values: dict[str, str], headers: dict[str, str] | None = None) -> int:
    headers = signed(PUBLIC + path, values) if headers is None else headers
    # The client calls http://localhost, as a proxy would: what counts is the address that the carrier was told.
    return app.test_client().post(path, data=values, headers=headers).status_code


def kept(app: Flask) -> list[tuple[int, int, str, str]]:
    with app.app_context():
        return [
            tuple(r)
            for r in db.session.execute(
                select(Receipt.batch_id, Receipt.recipient_id, Receipt.status, Receipt.code).order_by(
                    Receipt.id
                )
            )
        ]


def active() -> list[int]:
    return list(db.session.execute(select(Subscriber.id).where(Subscriber.status == ACTIVE).order_by(Subscriber.id)).scalars())


def test_a_signed_report_is_kept_under_the_ids_in_its_address(hooks: Flask) -> None:
    assert post(hooks, "/hooks/sms/twilio/12/34", form("sent")) == 200
    assert post(hooks, "/hooks/sms/twilio/12/35?attempt=2", form("undelivered", ErrorCode="30003")) == 200
    assert post(hooks, "/hooks/sms/twilio/12/34", form("queued")) == 200, "no news, and no mistake"
    assert kept(hooks) == [(12, 34, "sent", ""), (12, 35, "undelivered", "30003")]


def test_a_report_that_the_person_told_the_carrier_to_stop_turns_the_subscriber_off(hooks: Flask) -> None:
    with hooks.app_context():
        add_many([NewSubscriber(f"+861290000000{n}", "zh", 1, ("440310001001",), "web") for n in (1, 2)])
        stopping, staying = active()
    assert post(hooks, f"/hooks/sms/twilio/7/{stopping}", form("failed", ErrorCode="21610")) == 200
    assert post(hooks, f"/hooks/sms/twilio/7/{staying}", form("failed", ErrorCode="30008")) == 200
    assert kept(hooks) == [(7, stopping, "failed", "21610"), (7, staying, "failed", "30008")]
    with hooks.app_context():
        assert active() == [staying]


def test_a_report_that_comes_twice_is_answered_alike(hooks: Flask) -> None:
    assert [post(hooks, "/hooks/sms/twilio/1/2", form("delivered")) for _ in range(2)] == [200, 200]
    assert set(kept(hooks)) == {(1, 2, "delivered", "")}


def test_forged_reports_and_junk_change_nothing(hooks: Flask) -> None:
    path = "/hooks/sms/twilio/12/34"
    good = signed(PUBLIC + path, form("delivered"))
    assert post(hooks, path, form("delivered"), {}) == 403
    assert post(hooks, path, form("delivered"), signed(PUBLIC + path, form("delivered"), "guess")) == 403
    assert post(hooks, "/hooks/sms/twilio/12/35", form("delivered"), good) == 403
    assert post(hooks, path + "?x=1", form("delivered"), good) == 403
    assert post(hooks, path, form("undelivered"), good) == 403
    assert post(hooks, path, form("nonsense")) == 400
    assert post(hooks, path, {"a": "b"}) == 400
    assert kept(hooks) == []


def test_addresses_that_are_not_ours_do_not_exist(hooks: Flask) -> None:
    for path in (
        "/hooks/sms/sandbox/1/2",
        "/hooks/sms/other/1/2",
        "/hooks/sms/twilio/0/2",
        "/hooks/sms/twilio/1/x",
        f"/hooks/sms/twilio/1/{2**63}",
    ):
        assert post(hooks, path, form("delivered")) == 404, path
    assert hooks.test_client().get("/hooks/sms/twilio/1/2").status_code == 405
    assert kept(hooks) == []


def test_an_oversized_report_is_not_read(hooks: Flask) -> None:
    assert post(hooks, "/hooks/sms/twilio/1/2", form("delivered", Body="x" * 20_000)) == 413
    assert kept(hooks) == []


@pytest.fixture
def served(make_app: Callable[..., Flask], carrier: CarrierProcess) -> Iterator[Flask]:
    port = free_port()
    app = make_app(
        **TWILIO
        | {"public_url": f"http://127.0.0.1:{port}", "twilio_api_url": carrier.url, "max_in_flight": 8}
    )
    server = create_server(app, host="127.0.0.1", port=port, threads=4, asyncore_use_poll=True)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield app
    finally:
        serving.end(server, thread)


@pytest.mark.parametrize("faults", [{}, {"callback_twice": True}, {"callback_first": True}])
def test_the_carriers_own_reports_arrive_doubled_or_before_its_answer(
    served: Flask, carrier: CarrierProcess, faults: dict[str, bool], make_provider: Callable[..., object]
) -> None:
    to = messages(30)
    carrier.faults(**faults, undelivered=[to[3].to])
    base = served.extensions["anlan"].base_url
    results = send(make_provider(), to, callback_url=lambda ref: f"{base}/hooks/sms/twilio/{ref}")
    assert {r.status for r in results} == {ACCEPTED}
    expected = 30 if faults.get("callback_first") else 30 * 3 * (2 if faults else 1)
    until(lambda: carrier.summary()["counts"].get("callback_200", 0) >= expected, "all reports were taken")
    assert carrier.summary()["counts"]["callback_200"] == expected
    ends = {
        (batch, recipient): (status, code)
        for batch, recipient, status, code in kept(served)
        if status in ("delivered", "undelivered")
    }
    assert len(ends) == 30
    assert set(ends.values()) <= {("delivered", ""), ("undelivered", "30003")}
    if not faults.get("callback_first"):
        assert ends[1, 4] == ("undelivered", "30003")
