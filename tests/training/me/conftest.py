"""One school for all tests of this room: each has a learner of its own, who is signed in already."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from contextvars import Context
from pathlib import Path

import lxml.html
import pytest
from flask import Flask

from portal import create_app
from portal.config import Settings
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.training import courses_store
from portal.training.learners import door
from portal.training.models import Learner
from tests.district import settle_regions
from tests.training.conftest import SAMPLE, link_the_rest
from tests.training.learners.conftest import LearnerPhone

ME = "/learn/me/"
_numbers = itertools.count(1000)


class Own(LearnerPhone):
    """The phone of a learner of its own number, signed in."""

    def __init__(self, app: Flask) -> None:
        super().__init__(app, f"+861290000{next(_numbers)}")
        book = app.extensions["phones"]
        row = Learner(phone_sealed=book.seal(self.number), phone_index=book.index(self.number), tail=self.number[-4:],
                      language="zh", joined_at=utcnow(), seen_at=utcnow())
        with transaction() as session:
            session.add(row)
        self.id = row.id
        self.again(self)

    def again(self, phone: LearnerPhone) -> None:
        """Sign this learner in on another phone."""
        phone.client.set_cookie(door.COOKIE, door.begin(db.session.get(Learner, self.id)), path=door.PATH)

    def row(self) -> Learner | None:
        db.session.rollback()  # what the test has read before is of an older moment
        return db.session.get(Learner, self.id, populate_existing=True)

    def say(self, path: str, **fields: str):
        return self.send(f"{ME}{path}", fields, page=ME)

    def copied(self):
        """The answer with the copy, read as it is made."""
        token = lxml.html.fromstring(self.get(ME).text).xpath("//input[@name='csrf_token']")[0].value
        return Context().run(lambda: self.client.post(f"{ME}copy", data={"csrf_token": token}, buffered=True))


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Flask]:
    folder = tmp_path_factory.mktemp("me")
    shutil.copytree(SAMPLE, folder / "content" / "courses" / "sample")
    link_the_rest(folder / "content")
    shutil.copy(sqlite_template, folder / "anlan.db")
    app = create_app(Settings(instance=folder, surfaces="site", public_url="http://localhost", content=folder / "content"))
    with app.app_context():
        settle_regions()
        courses_store.sync(faulty=True)
        yield app
        db.engine.dispose()


@pytest.fixture
def sample(school):
    """(version id, course)."""
    return courses_store.current("sample")


@pytest.fixture
def inside(school):
    return Own(school)
