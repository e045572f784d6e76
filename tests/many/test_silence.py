"""A machine that falls silent keeps nobody waiting long: both ends of its connections to the database ask after each other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, create_engine, text

from portal.core.db import engine_options

LONGEST = 20  # seconds


@pytest.fixture
def connection(postgres: str) -> Iterator[Connection]:
    engine = create_engine(**engine_options(f"{postgres}postgres"))
    with engine.connect() as made:
        yield made
    engine.dispose()


def test_the_server_soon_misses_a_machine_that_is_gone_and_lets_go_of_its_locks(connection):
    asked = text("SELECT name, setting FROM pg_settings WHERE name LIKE 'tcp_%' OR name = 'idle_in_transaction_session_timeout'")
    shown = {row.name: int(row.setting) for row in connection.execute(asked)}
    silence = shown["tcp_keepalives_idle"] + shown["tcp_keepalives_interval"] * shown["tcp_keepalives_count"]
    assert 0 < silence <= LONGEST
    assert 0 < shown["tcp_user_timeout"] <= LONGEST * 1000
    assert 0 < shown["idle_in_transaction_session_timeout"] <= 180_000  # also of one that is there and does nothing


def test_a_machine_soon_misses_its_server(connection):
    line = connection.connection.dbapi_connection.info.get_parameters()
    silence = int(line["keepalives_idle"]) + int(line["keepalives_interval"]) * int(line["keepalives_count"])
    assert line["keepalives"] == "1"
    assert 0 < silence <= LONGEST
    assert 0 < int(line["tcp_user_timeout"]) <= LONGEST * 1000
