"""Migrations: one transaction from the present revision to the wanted one, on SQLite and PostgreSQL alike.

The engine here is not the application's: on SQLite foreign keys must be off while a table is rebuilt (else
the old table's end would take its children along), and on PostgreSQL a long migration must not run into the
statement timeout of web requests. Two processes that migrate at once queue.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.autogenerate.api import AutogenContext
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask
from sqlalchemy import JSON, BigInteger, Connection, Engine, create_engine, event
from sqlalchemy.pool import NullPool

from portal.config import ROOT
from portal.core.db import SQLITE_BUSY_SECONDS, Base, UtcDateTime

MIGRATIONS = ROOT / "migrations"
#: Any number, the same for every process of the portal: PostgreSQL's name for "somebody is migrating".
LOCK_ID = 0x616E6C616E


def _render_item(kind: str, item: Any, context: AutogenContext) -> str | bool:
    """Column types as migrations write them: by SQLAlchemy's own names, so that they outlive our code."""
    if kind != "type":
        return False
    if isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    variants = getattr(item, "_variant_mapping", {})
    if isinstance(item, JSON) and "postgresql" in variants:
        context.imports.add("from sqlalchemy.dialects import postgresql")
        return "sa.JSON().with_variant(postgresql.JSONB(), 'postgresql')"
    if isinstance(item, BigInteger) and "sqlite" in variants:
        return "sa.BigInteger().with_variant(sa.Integer(), 'sqlite')"
    return False


OPTIONS: dict[str, Any] = {"render_as_batch": True, "compare_type": True, "render_item": _render_item}


def _engine(url: str, begin: str = "BEGIN IMMEDIATE") -> Engine:
    if not url.startswith("sqlite"):
        return create_engine(url, poolclass=NullPool, connect_args={"connect_timeout": 10})
    engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": SQLITE_BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def _manual(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # else the driver would commit before each CREATE TABLE

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    """One transaction that no other migrating process shares."""
    engine = _engine(url)
    try:
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK_ID})")
            yield connection
            if connection.dialect.name == "sqlite" and (broken := connection.exec_driver_sql(
                    "PRAGMA foreign_key_check").first()):
                raise RuntimeError(f"it left rows of {broken[0]} without their {broken[2]}: undone")
    finally:
        engine.dispose()


def _config(connection: Connection | None, versions: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("version_locations", str(versions).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    config.attributes["connection"] = connection
    return config


def _url(app: Flask) -> str:
    return app.extensions["anlan"].sqlalchemy_url


def upgrade(app: Flask, revision: str = "head", versions: Path = MIGRATIONS / "versions") -> None:
    """Bring the application's database up to `revision`: all of the way, or not at all."""
    with _connected(_url(app)) as connection:
        command.upgrade(_config(connection, versions), revision)


def downgrade(app: Flask, revision: str, versions: Path = MIGRATIONS / "versions") -> None:
    """Take the database down to `revision`; `-1` is one step, `base` is an empty database."""
    with _connected(_url(app)) as connection:
        command.downgrade(_config(connection, versions), revision)


def head(versions: Path = MIGRATIONS / "versions") -> str | None:
    """The newest revision that this code has."""
    return ScriptDirectory.from_config(_config(None, versions)).get_current_head()


def current(connection: Connection) -> str | None:
    """The revision that the database is at; None before its first migration."""
    return MigrationContext.configure(connection).get_current_revision()


def current_is_head(app: Flask, versions: Path = MIGRATIONS / "versions") -> bool:
    """Whether the database is at the newest revision. Reads only."""
    engine = _engine(_url(app), begin="BEGIN")
    try:
        with engine.connect() as connection:
            return current(connection) == head(versions)
    finally:
        engine.dispose()


def differences(app: Flask) -> list[str]:
    """What the models have and the database has not, or the other way round; empty when they are equal."""
    with _connected(_url(app)) as connection:
        context = MigrationContext.configure(connection, opts=OPTIONS | {"target_metadata": Base.metadata})
        return [repr(change) for change in compare_metadata(context, Base.metadata)]


def revision(message: str, versions: Path = MIGRATIONS / "versions") -> Path:
    """Write the migration from the newest revision to the present models. Raises ValueError if none differs.

    Compares on a scratch SQLite database, so that nobody's data decides what the migration says.
    """
    versions.mkdir(parents=True, exist_ok=True)
    number = f"{len(list(versions.glob('[0-9]*.py'))) + 1:04d}"
    with tempfile.TemporaryDirectory(prefix="anlan-revision-") as scratch, \
            _connected(f"sqlite:///{scratch}/scratch.db") as connection:
        config = _config(connection, versions)
        command.upgrade(config, "head")

        def _refuse_empty(_context: Any, _revision: Any, directives: list[Any]) -> None:
            if directives[0].upgrade_ops.is_empty():
                raise ValueError("the models are what the migrations make; there is nothing to write")

        script = command.revision(config, message, autogenerate=True, rev_id=number,
                                  process_revision_directives=_refuse_empty)
    if script is None or isinstance(script, list):
        raise RuntimeError("no single revision was written")
    return Path(script.path)
