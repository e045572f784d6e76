"""A district with a course, a trainer of the whole, one of a street, and lists of people."""

from __future__ import annotations

import pytest
from sqlalchemy import event

from portal.core.db import db
from portal.identity.rights import TRAINER
from portal.training import courses_store
from portal.training.groups import cohorts
from portal.training.groups.cohorts import Typed
from tests import district
from tests.training.conftest import change, content, course  # noqa: F401  (fixtures)


def phone(n):
    """A number of the demonstration."""
    return f"129{n:08d}"


def listed(rows, heading="姓名,手机号,学号/工号,社区"):
    return "\r\n".join([heading, *(",".join(row) for row in rows)]) + "\r\n"


def people(count, first=1):
    return [(f"甲{n}", phone(n), f"S{n}", "") for n in range(first, first + count)]


@pytest.fixture
def loaded(make_app, content):  # noqa: F811
    """The application with the sample course; rules need no pages."""
    app = make_app(content=content, surfaces=("hooks",))
    with app.app_context():
        courses_store.sync()
        yield app


@pytest.fixture
def town(loaded):
    district.settle_regions()
    return loaded


@pytest.fixture
def trainer(town):
    return district.office("trainer", (TRAINER, district.DISTRICT, "blue"))


@pytest.fixture
def street_trainer(town):
    return district.office("street", (TRAINER, district.KENGZI, "blue"))


@pytest.fixture
def cohort(trainer):
    return made(trainer)


def made(account, name="三年级一班", region=district.LIULIAN, kind="school"):
    row = cohorts.save(account, Typed(name, kind, region, "sample"))
    db.session.rollback()
    return row


@pytest.fixture
def statements(town):
    """Every statement that the database is asked from here on."""
    asked: list[str] = []

    def note(_connection, _cursor, statement, _parameters, _context, _many):
        asked.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    yield asked
    event.remove(db.engine, "before_cursor_execute", note)
