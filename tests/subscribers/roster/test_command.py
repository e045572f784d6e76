"""Whoever owns the machine takes a list in by a command, which says the same as the page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from flask import Flask

from portal.cli import main
from portal.config import Settings
from portal.core.db import db
from portal.subscribers import store
from tests import district
from tests.shelters.one_database import database_url  # noqa: F401  (nothing here is a matter of the database)
from tests.subscribers.roster.conftest import KENGZI, LIULIAN, rows_of


@pytest.fixture
def run(settled: Flask, make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    settings = make_settings()
    for name in ("instance", "database_url"):
        monkeypatch.setenv(f"ANLAN_{name.upper()}", str(getattr(settings, name)))
    for name in ("secret_key", "phone_key"):
        monkeypatch.setenv(f"ANLAN_{name.upper()}", getattr(settings, name).get_secret_value())
    return lambda *arguments: CliRunner().invoke(main, ["subscribers", "import", *arguments])


def people() -> int:
    db.session.rollback()
    return sum(store.count_in([district.DISTRICT]).values())


def test_a_list_is_checked_refused_with_bad_rows_and_taken_in_without_them(run: Callable[..., Result], tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text(rows_of(f"12900000001,{LIULIAN},,", "12900000002,月亮社区,,", f"12900000003,{KENGZI},,"), encoding="gb18030")
    assert run(str(file)).exit_code == 2, "where they agreed must be said"
    checked = run(str(file), "--check")
    assert (checked.exit_code, people()) == (1, 0)
    assert "line 3: No community of the district is called “月亮社区”." in checked.output
    assert "read 3 rows, 1 bad; 2 different phones: 2 new" in checked.output
    refused = run(str(file), "--basis", "form")
    assert (refused.exit_code, people()) == (1, 0)
    assert "--skip-bad" in refused.output
    taken = run(str(file), "--basis", "form", "--skip-bad")
    assert (taken.exit_code, people()) == (0, 2), taken.output
    again = run(str(file), "--basis", "form", "--skip-bad")
    assert (again.exit_code, people()) == (0, 2)
    assert "there is nothing to take in" in again.output
    assert run(str(file), "--basis", "form", "--community", "1").exit_code == 2
