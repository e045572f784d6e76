"""A database as an earlier release left it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from flask import Flask

from portal import create_app
from portal.config import Settings
from portal.core import migrate
from portal.core.db import db

_numbers = itertools.count(1)


@contextmanager
def portal_at(revision: str, database_kind: str, request: pytest.FixtureRequest, directory: Path) -> Iterator[Flask]:
    """An application, in whose context one works, on a database of its own at that revision; without any table where that is
    empty."""
    if database_kind == "sqlite":
        url = f"sqlite:///{directory / 'old.db'}"
    else:
        prefix, name = request.getfixturevalue("postgres"), f"old_{next(_numbers)}"
        with psycopg.connect(prefix.replace("+psycopg", "") + "postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        url = prefix + name
    app = create_app(Settings(instance=directory / "instance", database_url=url, secret_key="test " * 10, phone_key="ab" * 32))
    if revision:
        migrate.upgrade(app, revision)
    with app.app_context():
        yield app
        db.engine.dispose()


def run(sql: str, **values: object) -> list[tuple]:
    """One statement in a transaction of its own, in the application's context; its rows, if it has any."""
    with db.engine.begin() as connection:
        connection.execution_options(writes=True)
        found = connection.execute(sa.text(sql), values)
        return [tuple(row) for row in found] if found.returns_rows else []
