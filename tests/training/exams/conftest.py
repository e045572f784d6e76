"""A learner, a loaded course, and a clock of the server that tests may turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
from flask import Flask

from portal.core.clock import utcnow
from portal.core.db import transaction
from portal.training import courses_store
from portal.training.exams import attempts
from portal.training.models import Learner
from tests.training.conftest import change, content, course  # noqa: F401  (the same fixtures as courses have)


class Clock:
    """The server's clock, `ahead` of the real one."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return utcnow() + self.ahead

    def forward(self, **by: float) -> None:
        self.ahead += timedelta(**by)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(attempts, "utcnow", made)
    return made


def make_learner(tail: str = "0001") -> int:
    row = Learner(phone_sealed=b"sealed", phone_index=tail.encode().rjust(16), tail=tail, language="zh",
                  joined_at=utcnow(), seen_at=utcnow())
    with transaction() as session:
        session.add(row)
    return row.id


@pytest.fixture
def loaded(make_app: Callable[..., Flask], content) -> Iterator[Flask]:  # noqa: F811
    app = make_app(content=content)
    with app.app_context():
        courses_store.sync()
        yield app


@pytest.fixture
def learner(loaded: Flask) -> int:
    return make_learner()
