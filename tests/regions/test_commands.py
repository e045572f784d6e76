"""`anlan regions import` says what it did and what is wrong, and its exit tells a script."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from flask import Flask

from portal import config
from portal.config import ROOT, Settings
from portal.core.db import db
from portal.regions import lookup
from portal.regions.commands import regions
from tests.regions.conftest import DISTRICT, TREE


@pytest.fixture
def run(make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setattr(config, "load_settings", make_settings)
    return lambda *arguments: CliRunner().invoke(regions, ["import", *map(str, arguments)])


def test_a_district_is_imported_checked_and_imported_again(
    run: Callable[..., Result], context: Flask
) -> None:
    files = [ROOT / "content" / "regions" / name for name in ("440310.csv", "440310.geojson")]
    checked = run("--check", *files)
    assert checked.exit_code == 0
    assert "nothing was changed: this was a check" in checked.output
    assert lookup.tree("440310000000") is None
    first = run(*files)
    assert first.exit_code == 0
    assert "regions: 33 new, 0 changed, 0 as they were; boundaries: 33 set, 0 as they were" in first.output
    assert "0 new, 0 changed, 33 as they were; boundaries: 0 set, 33 as they were" in run(*files).output
    db.session.rollback()  # what this session has begun to read is what was there before
    assert lookup.population_of(["440310000000"]) == 550_000


def test_bad_rows_are_listed_and_the_exit_tells(
    run: Callable[..., Result], context: Flask, table: Callable[..., Path]
) -> None:
    path = table(*TREE, ("12", "", "", "", "", ""))
    refused = run(path)
    assert refused.exit_code == 1
    assert (
        "bad      regions.csv: line 6: 12: the code '12' is not 12 digits; the Chinese name is missing"
        in refused.output
    )
    assert "mend the bad rows, or leave them out with --skip-bad" in refused.output
    assert lookup.tree(DISTRICT[0]) is None
    assert run("--skip-bad", "--check", path).exit_code == 1
    skipped = run("--skip-bad", path)
    assert skipped.exit_code == 0
    assert "regions: 4 new" in skipped.output
