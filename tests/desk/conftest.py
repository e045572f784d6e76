"""A small district and people at its desk: real requests, real forms, with the protection against forgery on."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context
from typing import Any

import lxml.html
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from portal.core.db import db, transaction
from portal.identity import sessions
from portal.identity.models import Account
from tests import district


class Seat:
    """One browser without scripts, signed in. Its requests know nothing of the context that the test stands in."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def get(self, path: str) -> TestResponse:
        return Context().run(self.client.get, path)

    def send(self, path: str, data: Any) -> TestResponse:
        return Context().run(self.client.post, path, data=data)

    def post(self, path: str, token_from: str = "/desk/drafts/", **data: Any) -> TestResponse:
        """Post `data` with a valid token, as a forger within the own session could."""
        token = lxml.html.fromstring(self.get(token_from).text).xpath("//input[@name='csrf_token']")[0].value
        return self.send(path, {"csrf_token": token, **data})

    def form(self, page: TestResponse | str, ident: str = "compose") -> MultiDict[str, str]:
        """What a browser would send of the form: `ident` is its id, or the end of its action."""
        text = page if isinstance(page, str) else page.text
        root = lxml.html.fromstring(text)
        found = root.xpath(f"//form[@id='{ident}']") or [f for f in root.forms if (f.action or "").endswith(ident)]
        assert found, f"no form {ident} on the page"
        areas = {area.name for area in found[0].xpath(".//textarea")}
        return MultiDict((name, _as_sent(value) if name in areas else value) for name, value in found[0].form_values())

    def fill(self, path: str, do: str = "preview", page: TestResponse | str | None = None, **fields: Any) -> TestResponse:
        """Fill the compose form of `path` in, and press a button. Dots in names are written as double underscores."""
        values = self.form(page or self.get(path))
        for name, value in fields.items():
            values.setlist(name.replace("__", "."), value if isinstance(value, list) else [value])
        values["do"] = do
        return self.send(path, values)


def _as_sent(text: str) -> str:
    """A browser drops the line end right after `<textarea>`, and sends every other one as two characters."""
    return text.removeprefix("\n").replace("\r\n", "\n").replace("\n", "\r\n")


@pytest.fixture
def settled(context: Flask) -> Flask:
    """The application with the demonstration's regions."""
    district.settle_regions()
    return context


@pytest.fixture
def seat(settled: Flask) -> Callable[..., Seat]:
    """`seat(account, language="en")`: a browser in which the account is signed in."""
    def take(account: Account, language: str = "en") -> Seat:
        with transaction() as session:
            row = sessions.open_row(session, account)
        client = settled.test_client()
        with Context().run(lambda: client.session_transaction()) as cookie:
            cookie.update({"_user_id": account.fs_uniquifier, "_fresh": True, "desk_session": row.id.hex, "language": language})
        return Seat(client)
    return take


@pytest.fixture
def reread() -> Callable[[], None]:
    """Forget what the test's own session has read."""
    return lambda: (db.session.rollback(), db.session.expire_all())[0]
