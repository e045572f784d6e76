"""A portal with one course of all nine types, and phones without scripts in learners' hands."""

from __future__ import annotations

from contextvars import Context

import lxml.html
import pytest

from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.training import courses_store
from portal.training.models import Learner
from tests.shelters.living.conftest import Phone

NUMBER, OTHER = "+8612900000031", "+8612900000032"


class LearnerPhone(Phone):
    """A browser without scripts, which takes forms from a page and sends them."""

    def post(self, path, data=None, *, page="/learn/"):
        return self.send(path, data, page=page)

    def sign_in(self, target=""):
        page = f"/learn/sign-in?next={target}"
        assert self.send("/learn/sign-in", {"phone": self.number}, page=page).status_code == 200
        got = self.send("/learn/code", {"phone": self.number, "code": self.code(), "next": target}, page=page)
        assert got.status_code == 302, got.text
        self.landed = got.location
        return self

    def code(self):
        db.session.rollback()  # what the test has read before is of an older moment
        return super().code()

    def form(self, page):
        """The last form of a page: (where it goes, its fields)."""
        found = lxml.html.fromstring(page).xpath("//main//form")[-1]
        return found.get("action"), dict(found.form_values())

    def submit(self, page, **fields):
        action, values = self.form(page)
        return Context().run(lambda: self.client.post(action, data=values | fields))


@pytest.fixture
def school(make_app, content):
    """The application with the sample course loaded; messages leave at once."""
    app = make_app(content=content, sms_provider="sandbox")
    app.extensions["sms_courier"] = lambda work: work()
    with app.app_context():
        courses_store.sync()
        yield app


@pytest.fixture
def sample(school):
    """(version id, course)."""
    return courses_store.current("sample")


@pytest.fixture
def phone(school):
    return LearnerPhone(school, NUMBER)


@pytest.fixture
def learner(school):
    book = school.extensions["phones"]
    with transaction() as session:
        made = Learner(phone_sealed=book.seal(OTHER), phone_index=book.index(OTHER), tail=OTHER[-4:], language="zh",
                       region_code=None, joined_at=utcnow(), seen_at=utcnow())
        session.add(made)
    return made
