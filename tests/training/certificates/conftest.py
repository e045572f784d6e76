"""A key that is made once for all tests, a small course, and people who have passed it."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta

import pytest
from joserfc.jwk import RSAKey

from portal import create_app
from portal.config import Settings
from portal.core.clock import utcnow
from portal.core.db import db
from portal.identity.rights import TRAINER
from portal.training import courses_store
from portal.training.certificates import credential, issue, renewal, signing, store
from portal.training.content.reader import read
from portal.training.exams import attempts
from tests.district import DISTRICT, office
from tests.training.conftest import SAMPLE, change, content, course  # noqa: F401  (the same fixtures as courses have)

BASE = "https://warn.example"
AT = credential.Addresses(BASE)
AUTHORITY = {"zh": "坪山区应急管理局（演示）", "en": "Pingshan Emergency Management Bureau (demonstration)"}
ISSUED = datetime(2026, 3, 5, 2, 3, 4, tzinfo=UTC)


@pytest.fixture(scope="session")
def pem() -> str:
    return RSAKey.generate_key(2048).as_pem(private=True).decode()


@pytest.fixture(scope="session")
def key_folder(pem, tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    (folder / "0001.pem").write_text(pem)
    return folder


@pytest.fixture(scope="session")
def key(key_folder):
    [found] = signing.known(Settings(certificate_keys=str(key_folder)))
    return found


@pytest.fixture(scope="session")
def sample_course():
    return read(SAMPLE).course


@pytest.fixture
def school(make_app, content, key_folder):  # noqa: F811
    """The application with the sample course loaded, on each database that the test asks for."""
    app = make_app(content=content, certificate_keys=str(key_folder), public_url=BASE)
    with app.app_context():
        courses_store.sync()
        yield app


@pytest.fixture
def site_alone(tmp_path, sqlite_template, content, key_folder):  # noqa: F811
    """The same on SQLite alone."""
    shutil.copy(sqlite_template, tmp_path / "anlan.db")
    app = create_app(Settings(instance=tmp_path, content=content, certificate_keys=str(key_folder), public_url=BASE,
                              secret_key="test " * 10, phone_key="ab" * 32))
    app.testing = True
    with app.app_context():
        courses_store.sync()
        yield app
        db.engine.dispose()


@pytest.fixture
def trainer(school):
    """Who may take certificates back: for the whole district."""
    return office("trainer", (TRAINER, DISTRICT, "white"))


@pytest.fixture
def clock(monkeypatch):
    """The server's clock, which may be turned: `clock.ahead = timedelta(days=…)`."""
    made = Clock()
    for module in (issue, renewal, store, attempts):
        monkeypatch.setattr(module, "utcnow", made)
    return made


class Clock:
    ahead = timedelta(0)

    def __call__(self):
        return utcnow() + self.ahead


def facts(**values):
    return credential.Facts(**({"serial": "23456789ABCU", "subject": "urn:uuid:0199f5a0-0000-7000-8000-000000000001",
                                "name": "王小明", "salt": "ab" * 16, "issued_at": ISSUED,
                                "valid_until": ISSUED + timedelta(days=730), "status_index": 77} | values))
