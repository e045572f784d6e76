"""Several carriers and accounts: each is heard at its own door, with its own key, and at no other's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

from portal.channels.sms import inbound
from portal.dispatch import receipt_log
from tests.sms.test_hooks import PUBLIC, TWILIO, hooks, kept, post  # noqa: F401  (a fixture)
from tests.sms.test_twilio_callbacks import form, signed

FIRST, SECOND = "AC" + "a" * 32, "AC" + "b" * 32
LINES = f"""
[[line]]
name = "first"
kind = "twilio"
account_sid = "{FIRST}"
auth_token = "one"
sender = "+15005550006"

[[line]]
name = "second"
kind = "twilio"
account_sid = "{SECOND}"
auth_token = "two"
sender = "+15005550007"
"""


@pytest.fixture
def lines(make_app: Callable[..., Flask], tmp_path: Path) -> Flask:
    file = tmp_path / "lines.toml"
    file.write_text(LINES)
    return make_app(sms_lines=file, public_url=PUBLIC, surfaces=("hooks",))


def report(account: str, status: str = "delivered") -> dict[str, str]:
    return form(status, AccountSid=account)


def by(token: str, path: str, values: dict[str, str]) -> dict[str, str]:
    return signed(PUBLIC + path, values, token)


def test_each_account_is_heard_at_its_own_door_with_its_own_key(lines: Flask) -> None:
    for n, (name, account, token) in enumerate((("first", FIRST, "one"), ("second", SECOND, "two")), 1):
        path = f"/hooks/sms/{name}/7/{n}"
        assert post(lines, path, report(account), by(token, path, report(account))) == 200
    assert kept(lines) == [(7, 1, "delivered", ""), (7, 2, "delivered", "")]


def test_another_accounts_key_or_report_is_refused(lines: Flask) -> None:
    path = "/hooks/sms/first/7/1"
    assert post(lines, path, report(FIRST), by("two", path, report(FIRST))) == 403
    assert post(lines, path, report(SECOND), by("one", path, report(SECOND))) == 400
    other = "/hooks/sms/second/7/1"
    assert post(lines, path, report(FIRST), by("one", other, report(FIRST))) == 403
    assert post(lines, other, report(FIRST), by("one", path, report(FIRST))) == 403
    assert kept(lines) == []


def test_a_line_that_is_not_in_the_file_has_no_door(lines: Flask) -> None:
    for name in ("twilio", "third", "sandbox", "First", "first%2f"):
        path = f"/hooks/sms/{name}/7/1"
        assert post(lines, path, report(FIRST), by("one", path, report(FIRST))) == 404
    path = "/hooks/sms/third/inbound"
    assert post(lines, path, {"From": "+8612900000001"}, by("one", path, {"From": "+8612900000001"})) == 404


def test_a_text_is_taken_from_each_account_with_its_own_key_alone(lines: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[tuple[str, str]] = []
    monkeypatch.setattr(inbound, "receive", lambda name, text: heard.append((name, text.body)) or "")
    values = {"AccountSid": SECOND, "MessageSid": "SM1", "From": "+8612900000001", "Body": "帮助"}
    path = "/hooks/sms/second/inbound"
    assert post(lines, path, values, by("two", path, values)) == 200
    assert post(lines, path, values, by("one", path, values)) == 403
    assert heard == [("second", "帮助")]


def test_a_report_that_could_not_be_kept_is_to_be_sent_again_and_says_nothing_of_what_is_wrong(
    hooks: Flask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture  # noqa: F811
) -> None:
    broken = OperationalError("INSERT …", {}, Exception("the database has gone away"))
    path = "/hooks/sms/twilio/12/34"

    def failing(*_given: object) -> None:
        raise broken

    with monkeypatch.context() as patched:
        patched.setattr(receipt_log, "append", failing)
        answer = hooks.test_client().post(path, data=form("delivered"), headers=signed(PUBLIC + path, form("delivered")))
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "30"
    assert answer.data == b""
    assert "OperationalError" in caplog.text
    assert form("delivered")["To"] not in caplog.text
    assert kept(hooks) == []
    assert post(hooks, path, form("delivered")) == 200
    assert kept(hooks) == [(12, 34, "delivered", "")]


def test_forged_calls_are_told_to_the_log_together_and_without_what_they_said(lines: Flask, caplog) -> None:
    for n in range(1, 20):
        for name in ("first", "second"):
            path = f"/hooks/sms/{name}/7/{n}"
            assert post(lines, path, report(FIRST), by("guess", path, report(FIRST))) == 403
    said = [record.getMessage() for record in caplog.records if "refused calls" in record.getMessage()]
    assert len(said) == 1, "one line a minute"
    assert said[0].endswith("first 1")
    assert "guess" not in caplog.text
    assert report(FIRST)["To"] not in caplog.text


def test_only_a_form_of_a_bounded_length_is_read(hooks: Flask) -> None:  # noqa: F811
    """What tells no length is read as far as the bound, and what is not a form has no good signature."""
    path = "/hooks/sms/twilio/1/2"
    client = hooks.test_client()
    values = form("delivered")
    right = signed(PUBLIC + path, values)
    assert client.post(path, data=b"x" * 20_000, headers=right).status_code == 413
    assert client.post(path, json=values, headers=right).status_code == 403
    assert client.post(path, data=values, headers=right, content_type="multipart/form-data").status_code == 403
    assert kept(hooks) == []
    assert TWILIO["twilio_account_sid"] == values["AccountSid"]
