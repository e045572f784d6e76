"""The demonstration's district in one database for all tests of this room: each has a phone of its own, without scripts."""

from __future__ import annotations

import itertools
import re
import shutil
from collections.abc import Iterator
from contextvars import Context
from datetime import timedelta
from pathlib import Path
from typing import Any

import lxml.html
import pytest
from flask import Flask
from sqlalchemy import select, update

from portal import create_app
from portal.channels.sms import phones
from portal.channels.sms.models import InboundText, OneTimeCode
from portal.config import Settings
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.identity.limits import limiter
from portal.subscribers import own
from tests.district import settle_regions

_numbers = itertools.count(700)


class Phone:
    """A phone with a browser without scripts; it reads its texts in the sandbox."""

    def __init__(self, app: Flask, language: str = "en") -> None:
        self.app, self.number = app, f"+861290000{next(_numbers):04d}"
        self.index = app.extensions["phones"].index(self.number)
        self.client = app.test_client()
        with Context().run(lambda: self.client.session_transaction()) as cookie:
            cookie["language"] = language

    def get(self, path: str) -> Any:
        return Context().run(lambda: self.client.get(path, follow_redirects=True))

    def send(self, path: str, fields: dict[str, Any] | None = None, *, page: str = "/subscribe/sign-in") -> Any:
        """What a form answers, with the token of a page of ours."""
        token = lxml.html.fromstring(self.get(page).text).xpath("//input[@name='csrf_token']")[0].value
        return self.post(path, {"csrf_token": token} | (fields or {}))

    def post(self, path: str, fields: dict[str, Any] | str) -> Any:
        kind = "application/x-www-form-urlencoded"
        return Context().run(lambda: self.client.post(path, data=fields, content_type=kind))

    def texts(self) -> list[str]:
        """What the phone received, the newest first."""
        db.session.rollback()  # what was read before is of an older moment
        shown, _older = phones.page(phones.Filter(digits=self.number))
        return [one.body for one in shown]

    def code(self) -> str:
        found = re.search(r"\d{6}", self.texts()[0])
        assert found
        return found[0]

    def sign_in(self) -> Phone:
        assert self.send("/subscribe/sign-in", {"phone": self.number}).status_code == 200
        assert self.send("/subscribe/code", {"phone": self.number, "code": self.code()}).status_code == 302
        return self

    def writes(self, command: str, answer: str) -> None:
        """A text of this phone that was answered."""
        with transaction() as session:
            session.add(InboundText(provider="sandbox", message_id=self.number, phone_index=self.index, command=command,
                                    answer=answer, at=utcnow()))

    def later(self, **time: int) -> None:
        """The codes of this phone as if time had passed."""
        with transaction() as session:
            for row in session.scalars(select(OneTimeCode).where(OneTimeCode.phone_index == self.index)):
                row.sent_at -= timedelta(**time)

    def form(self) -> dict[str, Any]:
        """What the form of wishes would send as it stands."""
        root = lxml.html.fromstring(self.get("/subscribe/choose/").text)
        (found,) = root.xpath("//form[contains(@class, 'sub-form')]")
        fields: dict[str, Any] = {}
        for name, value in found.form_values():
            fields.setdefault(name, []).append(value)
        return fields | {"do": "save"}

    def choose(self, **fields: Any) -> Any:
        return self.send("/subscribe/choose/", self.form() | fields, page="/subscribe/choose/")

    def kept(self) -> own.Kept | None:
        db.session.rollback()
        db.session.expire_all()
        return own.kept(self.index)


@pytest.fixture(scope="module")
def portal(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    folder = tmp_path_factory.mktemp("subscribing")
    shutil.copy(sqlite_template, folder / "anlan.db")
    app = create_app(Settings(
        instance=folder / "instance", database_url=f"sqlite:///{folder / 'anlan.db'}", secret_key="test " * 10,
        phone_key="ab" * 32, public_url="https://warn.example", surfaces="site,hooks"))
    app.testing = True
    app.extensions["sms_courier"] = lambda work: work()  # codes are sent before the answer
    with app.app_context():
        settle_regions()
        yield app
        db.engine.dispose()


@pytest.fixture
def phone(portal: Flask) -> Phone:
    limiter.reset()
    with transaction() as session:  # what the tests before asked for is not this one's
        session.execute(update(OneTimeCode).values(asked_from=None))
    return Phone(portal)
