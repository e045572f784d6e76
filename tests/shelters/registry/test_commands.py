"""`anlan shelters` says what it did and what is wrong, and its exit tells a script."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from portal import config
from portal.config import Settings
from portal.shelters.registry.commands import shelters

HEADING = "code,name_zh,longitude,latitude,capacity_day\n"


@pytest.fixture
def run(sqlite_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setattr(config, "load_settings", lambda: sqlite_settings)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    return lambda *arguments: CliRunner().invoke(shelters, [*map(str, arguments)], catch_exceptions=False)


def test_shelters_are_checked_imported_turned_and_exported(run: Callable[..., Result], tmp_path: Path) -> None:
    file, out = tmp_path / "list.csv", tmp_path / "out.geojson"
    file.write_text(HEADING + "A1,甲,114.35,22.69,100\nA2,乙,22.70,114.36,\n", encoding="utf-8")
    checked = run("import", file, "--check")
    assert checked.exit_code == 1
    assert "bad      list.csv: line 3: A2: longitude: Longitude and latitude are swapped" in checked.output
    assert "in 1 rows latitude and longitude are swapped: --swap-coordinates turns them" in checked.output
    refused = run("import", file)
    assert refused.exit_code == 1
    assert "nothing was changed: mend the bad rows, or leave them out with --skip-bad" in refused.output
    checked = run("import", file, "--check", "--swap-coordinates")
    assert checked.exit_code == 0
    assert "new      A1 甲\nnew      A2 乙\n" in checked.output
    assert "nothing was changed: this was a check" in checked.output
    assert "shelters: 2 new, 0 changed, 0 as they were" in run("import", file, "--swap-coordinates").output
    assert run("export", out).exit_code == 0
    assert [p.name for p in tmp_path.glob("out*")] == ["out.geojson"]
    assert "shelters: 0 new, 0 changed, 2 as they were" in run("import", out).output


def test_bad_rows_are_left_out_only_when_told_so_and_files_speak_the_terminals_language(
    run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "list.csv"
    file.write_text(HEADING + "A1,甲,114.35,22.69,100\nA2,\x1b[31m,,,-1\n", encoding="utf-8")
    done = run("import", file, "--skip-bad")
    assert done.exit_code == 0
    assert "shelters: 1 new" in done.output
    assert "\x1b" not in done.output
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert "不能小于零" in run("import", file, "--check").output


def test_a_file_without_codes_is_refused_and_so_is_a_region_that_is_none(run: Callable[..., Result], tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text("name_zh\n甲\n", encoding="utf-8")
    assert run("import", file, "--skip-bad").exit_code == 1
    assert run("export", tmp_path / "x.csv", "--region", "12").exit_code == 2
