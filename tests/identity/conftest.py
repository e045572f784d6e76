"""Accounts and browsers for the identity tests. Passwords are hashed once for all tests: hashing is slow by
design."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from contextvars import Context
from datetime import UTC, datetime

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.identity import library, passwords
from portal.identity.models import Account, Duty

PASSWORD = "heron walks slowly upstream"
DISTRICT, STREET, OTHER_STREET, COMMUNITY = "440310000000", "440310001000", "440310002000", "440310001001"
_hashes: dict[str, str] = {}


class Person:
    """A browser at the desk. Its requests know nothing of the context that the test itself stands in."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def get(self, path: str, **more: object) -> TestResponse:
        return Context().run(self.client.get, path, **more)

    def send(self, path: str, **more: object) -> TestResponse:
        return Context().run(self.client.post, path, **more)

    def token(self, path: str = "/desk/sign-in") -> str:
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.get(path).text)
        assert found, f"no form on {path}"
        return found[1]

    def post(self, path: str, token_from: str, **data: str) -> TestResponse:
        return self.send(path, data={"csrf_token": self.token(token_from), **data})

    def sign_in(self, username: str, password: str = PASSWORD, **more: str) -> TestResponse:
        return self.post("/desk/sign-in", "/desk/sign-in", username=username, password=password, **more)

    @property
    def is_in(self) -> bool:
        return self.get("/desk/sign-out").status_code == 200


@pytest.fixture(autouse=True)
def _quick_hashing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Real argon2 with small numbers: what is tested here is who gets in, not how long guessing takes."""
    if "real_hashing" not in request.fixturenames:
        monkeypatch.setattr(
            library, "HASHING", {"argon2__memory_cost": 256, "argon2__time_cost": 1, "argon2__parallelism": 1}
        )


@pytest.fixture
def real_hashing() -> None:
    """Hash as the product does."""


@pytest.fixture
def make_account() -> Callable[..., Account]:
    """`make_account("name", ("drafter", region, tier), ...)`, written without the rules in between."""

    def make(
        username: str, *duties: tuple[str, str, str], password: str | None = PASSWORD, **more: object
    ) -> Account:
        if password is not None and password not in _hashes:
            _hashes[password] = passwords.hashed(password)
        values: dict = {"display_name": f"Office {username}", "created_at": utcnow()} | more
        with transaction() as session:
            account = Account(
                username=username,
                password=None if password is None else _hashes[password],
                fs_uniquifier=uuid.uuid4().hex,
                duties=[Duty(role=r, region_code=c, highest_tier=t) for r, c, t in duties],
                **values,
            )
            session.add(account)
        return account

    return make


@pytest.fixture
def browse(app: Flask) -> Callable[[], Person]:
    return lambda: Person(app.test_client())


@pytest.fixture
def clock() -> Iterator[time_machine.Coordinates]:
    """A clock that stands still until a test moves it."""
    with time_machine.travel(datetime(2026, 6, 1, 8, 0, tzinfo=UTC), tick=False) as traveller:
        yield traveller


def reread(account: Account) -> Account:
    db.session.rollback()
    found = db.session.get(Account, account.id, populate_existing=True)
    assert found is not None
    return found


def audited() -> list[tuple[str, str]]:
    """Action and subject of every entry, oldest first."""
    db.session.rollback()
    return [(e.action, e.actor) for e in db.session.query(audit.AuditEntry).order_by(audit.AuditEntry.seq)]
