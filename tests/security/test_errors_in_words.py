"""When something is wrong, people read what, in their language, and nobody reads the program's insides."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from contextvars import Context
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, g
from flask.testing import FlaskClient
from sqlalchemy import text

from portal import create_app
from portal.config import Settings
from portal.core.db import db
from tests import district

CLOSED_PORT = 1
WORDS = {"zh": "系统暂时无法使用", "en": "The system cannot be reached at the moment"}


@pytest.fixture(params=["postgresql", "sqlite"])
def without_database(request: pytest.FixtureRequest, tmp_path: Path) -> FlaskClient:
    """A desk whose database is not there: nobody listens, or the file cannot be opened."""
    url = {
        "postgresql": f"postgresql+psycopg://anlan:geheim@127.0.0.1:{CLOSED_PORT}/anlan",
        "sqlite": f"sqlite:///{tmp_path}/missing/anlan.db",
    }[request.param]
    return create_app(Settings(instance=tmp_path / "instance", database_url=url)).test_client()


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("known", [False, True], ids=["stranger", "officer"])
def test_an_officer_reads_that_the_database_is_away(without_database: FlaskClient, language: str, known: bool) -> None:
    if known:
        with without_database.session_transaction() as cookie:
            cookie.update({"_user_id": "somebody", "desk_session": uuid.uuid4().hex})
    for path in ("/desk/", "/desk/compose/", "/desk/sign-in"):
        answer = without_database.get(path, headers={"Accept-Language": language})
        if answer.status_code == 302:  # who brings no cookie is sent to sign in without a question to the database
            assert not known
            continue
        assert answer.status_code == 503
        assert answer.headers["Retry-After"]
        assert WORDS[language] in answer.text
        assert 'href="/desk/"' in answer.text
        assert not [word for word in ("geheim", "Traceback", "sqlalchemy", "SELECT", "psycopg") if word in answer.text]


def test_nothing_secret_is_logged_of_a_database_that_is_away(
    without_database: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    without_database.get("/desk/sign-in?next=/desk/%3Fdigits%3D13800138000")
    assert "no database" in caplog.text
    assert "geheim" not in caplog.text
    assert "13800138000" not in caplog.text


def test_the_error_page_of_the_desk_asks_a_broken_transaction_nothing(
    settled: Flask, seat: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    """PostgreSQL answers no further question after an error; the page that tells of it must ask none."""

    number = f"+86{138}00138000"  # put together, since a traceback quotes the line as it is written

    def broken() -> str:
        g.surface = "desk"
        db.session.execute(text("SELECT nothing FROM nowhere WHERE number = :number"), {"number": number})
        return ""

    settled.view_functions["desk.board"] = broken
    answer = seat(district.drafter()).get("/desk/")
    assert answer.status_code >= 500
    assert "<h1>" in answer.text
    assert not [word for word in ("nowhere", "Traceback", number) if word in answer.text]
    assert "nowhere" in caplog.text
    assert number not in caplog.text


def test_a_method_that_is_not_taken_names_those_that_are(app: Flask) -> None:
    answer = app.test_client().put("/desk/sign-in")
    assert answer.status_code == 405
    assert {"GET", "POST"} <= set(answer.headers["Allow"].replace(" ", "").split(","))
    assert "<h1>" in answer.text


@pytest.mark.parametrize(("language", "words"), [("zh", "提交的内容过大"), ("en", "That is too much at once")])
def test_too_much_at_once_is_told_in_words(app: Flask, language: str, words: str) -> None:
    answer = app.test_client().post(
        "/desk/sign-in", data={"username": "a" * 3_000_000}, headers={"Accept-Language": language}
    )
    assert answer.status_code == 413
    assert words in answer.text


@pytest.mark.parametrize(
    ("surfaces", "path", "home"),
    [("desk", "/nothing", "/desk/"), ("site", "/nothing", "/"), ("site,desk", "/desk/nothing", "/desk/"),
     ("site,desk", "/nothing", "/")],
)
def test_an_error_page_leads_to_a_page_that_is_served_here(tmp_path: Path, surfaces: str, path: str, home: str) -> None:
    app = create_app(Settings(instance=tmp_path, surfaces=surfaces))
    answer = app.test_client().get(path)
    assert answer.status_code == 404
    assert re.search(rf'<p><a [^>]*href="{re.escape(home)}">', answer.text)


VERIFYING = "verify.credential"
TOKENLESS = ("/hooks/", "/api/", "/push/")
LARGE_FILES = ("/import", "/results", "/exchange/", "/exchange/files")


def test_every_form_without_its_token_is_refused(app: Flask) -> None:
    client = app.test_client()
    for rule in app.url_map.iter_rules():
        # Callbacks are signed by their carrier, and the API's callers by their token: neither comes from a browser's form.
        # Whoever verifies a certificate needs no cookie, and nothing is changed by it; a browser that wants notifications is
        # known by its secret address at its push service, and no cookie counts.
        if "POST" in (rule.methods or ()) and not (str(rule).startswith(TOKENLESS) or rule.endpoint == VERIFYING):
            path = re.sub(r"<uuid:\w+>", str(uuid.uuid4()), str(rule))
            path = re.sub(r"<any\(['\"]?(\w+)[^>]*>", r"\1", path)
            path = re.sub(r"<(\w+(\([^)]*\))?:)?\w+>", "1", path)
            for headers in ({}, {"HX-Request": "true"}):
                answer = Context().run(lambda: client.post(path, headers=headers))  # noqa: B023
                # Large files are read only from somebody who is signed in, and their form's token after that.
                assert answer.status_code == 400 or (answer.status_code == 401 and path.endswith(LARGE_FILES)), rule
                assert "<h1>" in answer.text or answer.status_code == 401
