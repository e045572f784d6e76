"""A portal with the sample course loaded; people at its desk."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from flask import Flask

from portal.training import courses_store
from tests.desk.conftest import seat, settled  # noqa: F401  (the same fixtures as the desk has)
from tests.training.conftest import change, content, course  # noqa: F401  (the same fixtures as courses have)


@pytest.fixture
def app(make_app: Callable[..., Flask], content) -> Flask:  # noqa: F811
    return make_app(content=content)


@pytest.fixture
def loaded(context: Flask) -> Iterator[Flask]:
    courses_store.sync()
    return context


@pytest.fixture
def version(loaded: Flask) -> int:
    return courses_store.current("sample")[0]
