"""The page of phones: for people who are signed in, where the sandbox is the carrier, in both languages."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from portal.channels.sms.provider import Message
from portal.channels.sms.sandbox import SandboxProvider
from portal.core.db import transaction
from portal.identity import accounts
from portal.regions.models import Region
from portal.subscribers import wishes
from portal.subscribers.store import NewSubscriber, add_many
from tests.sms.conftest import ACCOUNT, BODY, TOKEN, messages, send

PASSWORD, COMMUNITY = "a long enough pass phrase", "440310001001"


def signed_in(app: Flask, language: str = "en") -> FlaskClient:
    with app.app_context():
        accounts.create(
            None,
            "officer",
            "Duty office",
            PASSWORD,
            [accounts.Grant("viewer", "440310000000", "red")],
            must_change_password=False,
        )
    client = app.test_client()
    page = client.get("/desk/sign-in").text
    token = page.split('name="csrf_token"')[1].split('value="')[1].split('"')[0]
    answer = client.post(
        "/desk/sign-in", data={"csrf_token": token, "username": "officer", "password": PASSWORD}
    )
    assert answer.status_code == 302
    with client.session_transaction() as session:
        session["language"] = language
    return client


def fill(app: Flask, to: list[Message], body: str = BODY) -> None:
    with app.app_context():
        send(SandboxProvider(500), to, body=body)


def test_strangers_are_sent_to_sign_in(app: Flask) -> None:
    for path in ("/desk/sandbox/", "/desk/sandbox/live"):
        answer = app.test_client().get(path)
        assert answer.status_code == 302
        assert "/desk/sign-in" in answer.location


def test_there_is_no_such_page_with_a_real_carrier(make_app: Callable[..., Flask]) -> None:
    app = make_app(
        sms_provider="twilio", twilio_account_sid=ACCOUNT, twilio_auth_token=TOKEN, twilio_from="+15005550006"
    )
    assert signed_in(app).get("/desk/sandbox/").status_code == 404


def test_quiet_phones_say_so_in_both_languages(app: Flask) -> None:
    client = signed_in(app)
    assert "All phones are quiet" in client.get("/desk/sandbox/").text
    with client.session_transaction() as session:
        session["language"] = "zh"
    assert "所有手机都很安静" in client.get("/desk/sandbox/").text


def test_phones_show_the_text_and_where_they_are_and_lead_on_to_older_ones(app: Flask) -> None:
    with app.app_context():
        with transaction() as session:
            session.add_all(
                [
                    Region(code="440310000000", level="district", name_zh="坪山区", name_en="Pingshan"),
                    Region(
                        code=COMMUNITY,
                        parent_code="440310001000",
                        level="community",
                        name_zh="坪山社区",
                        name_en="Pingshan Community",
                    ),
                ]
            )
        add_many([NewSubscriber("+8612900000030", "zh", 1, (COMMUNITY,), "demo")])
    fill(app, messages(30))
    client = signed_in(app)
    first = client.get("/desk/sandbox/").text
    assert first.count('<li class="phone') == 12
    assert "+8612900000030" in first
    assert "Pingshan Community" in first
    assert "not a subscriber" in first
    older = first.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    second = client.get(older).text
    assert "+8612900000018" in second
    assert "+8612900000019" not in second
    chosen = client.get("/desk/sandbox/?digits=0030&language=zh").text
    assert chosen.count('<li class="phone') == 1
    assert "No such message" in client.get("/desk/sandbox/?digits=0030&language=en").text


def test_what_cannot_be_searched_for_is_refused_at_its_field_and_nonsense_in_the_address_does_no_harm(
    app: Flask,
) -> None:
    fill(app, messages(2))
    client = signed_in(app)
    answer = client.get("/desk/sandbox/?digits=<b>12")
    assert answer.status_code == 422
    assert "Type the last four digits" in answer.text
    assert "<b>12" not in answer.text
    for query in ("before=x", f"before={10**30}", "region=nowhere", "language=fr", "before=-1"):
        assert client.get(f"/desk/sandbox/?{query}").status_code == 200


def test_a_real_number_is_masked_and_markup_in_a_text_stays_text(app: Flask) -> None:
    fill(app, [Message("1/1", "+8613800001234")], body="<script>alert(1)</script> 雨")
    page = signed_in(app).get("/desk/sandbox/").text
    assert "+86138****1234" in page
    assert "13800001234" not in page
    assert "<script>alert" not in page


def test_a_page_that_refreshes_itself_needs_no_script_and_keeps_the_filter(app: Flask) -> None:
    fill(app, messages(2))
    answer = signed_in(app).get("/desk/sandbox/live?digits=0002")
    assert answer.headers["Refresh"] == "3"
    assert answer.text.count('<li class="phone') == 1
    assert "/desk/sandbox/?digits=0002" in answer.text


@pytest.mark.parametrize("surfaces", [("site",), ("api",), ("hooks",)])
def test_only_the_desk_has_the_phones(make_app: Callable[..., Flask], surfaces: tuple[str, ...]) -> None:
    assert "sandbox" not in make_app(surfaces=surfaces).blueprints


def test_a_phone_of_the_demonstration_writes_and_has_the_answer(app: Flask) -> None:
    client = signed_in(app, "zh")
    token = client.get("/desk/sandbox/").text.split('name="csrf_token"')[1].split('value="')[1].split('"')[0]

    def write(number: str, body: str):
        return client.post("/desk/sandbox/write", data={"csrf_token": token, "number": number, "body": body})

    answer = write("12900000001", "帮助")
    assert (answer.status_code, answer.location) == (302, "/desk/sandbox/?digits=%2B8612900000001")
    page = client.get(answer.location).text
    assert page.count("phone-number") == 2
    assert "本机发出，发给平台" in page
    assert "【坪山应急】订阅" in page
    assert "<dd>1</dd>" in page, "what a phone wrote is not counted among what phones got"
    for number, body, words in (("13800000000", "退订", "只能用演示号码发送"), ("12900000001", "  ", "请写内容")):
        refused = write(number, body)
        assert refused.status_code == 422
        assert words in refused.text
        assert number in refused.text, "what was typed stays"
    with app.app_context():
        assert not wishes.find(app.extensions["phones"].index("+8613800000000"))
