"""One district for all tests of a module: reports do not get into one another's way."""

from __future__ import annotations

import io
import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextvars import Context
from pathlib import Path
from typing import Any

import lxml.html
import pytest
from flask import Flask
from PIL import Image
from werkzeug.test import TestResponse

from portal import create_app
from portal.channels.sms import phones
from portal.config import Settings
from portal.core.db import db, transaction
from portal.identity import sessions
from portal.identity.limits import limiter
from portal.identity.models import Account
from portal.identity.rights import DRAFTER, SHELTERS
from portal.reports import taking
from portal.reports.models import DangerReport
from tests import district
from tests.desk.conftest import Seat

PHONE = "+8612900000021"
POINT = "114.3460,22.6910"


def jpeg(width: int = 64, height: int = 48, colour: Any = (200, 30, 30), **options: Any) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(out, "JPEG", **options)
    return out.getvalue()


def typed(**values: Any) -> taking.Typed:
    """What a resident may have typed."""
    usual: dict[str, Any] = {"ref": str(uuid.uuid4()), "kind": "water", "words": "水没过膝盖，一辆车停在桥下",
                             "community": district.LIULIAN, "place": "立交桥下", "seconds": 60.0}
    return taking.Typed(**(usual | values))


def fresh(report: DangerReport) -> DangerReport:
    db.session.rollback()
    return db.session.get(DangerReport, report.id, populate_existing=True)  # type: ignore[return-value]


class Resident:
    """A browser without scripts, in somebody's hand."""

    def __init__(self, app: Flask, language: str = "en") -> None:
        self.client, self.language = app.test_client(), language
        with Context().run(lambda: self.client.session_transaction()) as cookie:
            cookie["language"] = language

    def get(self, path: str, **options: Any) -> TestResponse:
        return Context().run(lambda: self.client.get(path, **options))

    def fields(self, page: TestResponse, end: str) -> dict[str, Any]:
        root = lxml.html.fromstring(page.text)
        (form,) = [f for f in root.forms if (f.action or "").endswith(end)][:1]
        return {name: value for name, value in form.form_values() if name != "photos"}

    def post(self, path: str, data: dict[str, Any], **options: Any) -> TestResponse:
        return Context().run(lambda: self.client.post(path, data=data, **options))

    def send(self, page: TestResponse | None = None, *, photos: Any = (), program: bool = False, **values: Any) -> TestResponse:
        """Fill the form in and send it. The page is opened for as long as somebody needs to type."""
        sent = self.fields(page or self.get("/report/"), "/report/")
        sent |= {"kind": "water", "words": "Knee-deep water under the bridge", "community": district.LIULIAN, "opened": "",
                 "seconds": "60"} | values
        sent["photos"] = [(io.BytesIO(body), f"{n}.jpg") for n, body in enumerate(photos)]
        return self.post("/report/", sent, content_type="multipart/form-data",
                         headers={"Accept": "application/json"} if program else {})

    def act(self, path: str, **values: Any) -> TestResponse:
        page = self.get("/report/mine/")
        return self.post(path, self.fields(page, path) | values)


def text_of(page: TestResponse | str) -> str:
    """The words of a page without its markup."""
    found = lxml.html.fromstring(page if isinstance(page, str) else page.text)
    return re.sub(r"\s+", " ", found.text_content())


def last_code(number: str = PHONE) -> str:
    shown, _older = phones.page(phones.Filter(digits=number))
    return re.search(r"\d{6}", shown[0].body)[0]  # type: ignore[index]


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Flask]:
    """The whole application over the demonstration's regions."""
    folder = tmp_path_factory.mktemp("reports")
    shutil.copy(sqlite_template, folder / "anlan.db")
    app = create_app(Settings(instance=folder, secret_key="test " * 10, phone_key="ab" * 32, public_url="http://localhost"))
    app.testing = True
    app.extensions["sms_courier"] = lambda work: work()  # codes are sent before the answer, so that no test waits for them
    with app.app_context():
        district.settle_regions()
        yield app
        db.engine.dispose()


@pytest.fixture(autouse=True)
def _no_limit_of_the_last_test(request: pytest.FixtureRequest) -> None:
    if "portal" in request.fixturenames:
        request.getfixturevalue("portal")
        limiter.reset()


@pytest.fixture
def resident(portal: Flask) -> Resident:
    return Resident(portal)


@pytest.fixture(scope="module")
def officer(portal: Flask) -> Account:
    """Drafts for the whole district, and keeps its shelters and roads."""
    return district.office("officer", (DRAFTER, district.DISTRICT, "red"), (SHELTERS, district.DISTRICT, "red"))


@pytest.fixture(scope="module")
def seat(portal: Flask) -> Callable[..., Seat]:
    """`seat(account, language="en")`: a browser in which the account is signed in."""
    def take(account: Account, language: str = "en") -> Seat:
        with transaction() as session:
            row = sessions.open_row(session, account)
        client = portal.test_client()
        with Context().run(lambda: client.session_transaction()) as cookie:
            cookie.update({"_user_id": account.fs_uniquifier, "_fresh": True, "desk_session": row.id.hex, "language": language})
        return Seat(client)
    return take
