"""Somebody with the duty at a desk, and what waits for threads to end."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextvars import Context
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from portal.core.db import db
from portal.identity.models import Account
from portal.identity.rights import SUBSCRIBERS
from portal.subscribers.roster import running
from tests import district
from tests.desk.conftest import Seat, seat  # noqa: F401  (a fixture)


@pytest.fixture
def settled(context: Flask) -> Iterator[Flask]:
    district.settle_regions()
    yield context
    ended(context)


@pytest.fixture
def keeper(settled: Flask) -> Account:
    return district.office("keeper", (SUBSCRIBERS, district.DISTRICT, "red"))


def ended(app: Flask) -> None:
    """Wait until nobody works on a list in this process."""
    for thread in running.threads(app):
        thread.join(60)
    db.session.rollback()


def whole(browser: Seat, method: str, path: str, **given: Any) -> TestResponse:
    """An answer that comes in pieces, with all of them."""
    return Context().run(lambda: browser.client.open(path, method=method, buffered=True, **given))


@pytest.fixture
def brought(settled: Flask) -> Callable[..., TestResponse]:
    """`brought(seat, text, name="list.csv")`: hand a list in, and wait until it was read; the answer's page."""
    def bring(browser: Seat, text: str | bytes, **fields: Any) -> TestResponse:
        form = browser.form(browser.get("/desk/subscribers/import"), "bring")
        values: dict[str, Any] = {**form.to_dict(), "basis": "school form", **fields}
        values["list"] = (io.BytesIO(text if isinstance(text, bytes) else text.encode()), "list.csv")
        answer = browser.send("/desk/subscribers/import", values)
        if answer.status_code != 303:
            return answer
        ended(settled)
        return browser.get(answer.location)
    return bring
