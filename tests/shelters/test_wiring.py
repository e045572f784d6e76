"""What ties the rooms of shelters to the rest: content that is checked, commands that are there, jobs of the clock."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from portal.cli import main
from portal.config import ROOT
from portal.shelters.registry import family_content


@pytest.fixture
def content(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "content", tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("key: wind", "key: Wind 1", "must be one word of 2 to 20 small letters"),
        ("key: wind", "key: water", "water stands twice"),
        ("zh: 地震", "zh: ''", "families.4.zh: is empty"),
        ("hazards: [landslide]", "hazards: [landslip]", "must be a list of some of typhoon"),
        ('events: ["11C02"]', 'events: ["11D01"]', "11D01 stands in slope already"),
        ('events: ["11C02"]', 'events: ["99Z99"]', "99Z99 is no hazard of content/hazards"),
        ('events: ["11C02"]', "events: 11C02", "must be a list of hazards' codes"),
        ("expected: 0.5", "expected: 5", "must be a share of the people"),
        ("\nfamilies:", "\nfamilys:", "unknown key; possible are families"),
    ],
)
def test_the_lint_command_names_each_fault_of_the_hazard_families(content: Path, before: str, after: str, told: str) -> None:
    path = content / family_content.FILE
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after, 1), encoding="utf-8")
    found = [str(problem) for problem in family_content.problems(content, {"11C02", *_events()})]
    assert any(told in line and line.startswith("families.yaml:") for line in found), found


def _events() -> set[str]:
    from portal.warnings import hazards

    return set(hazards.load(ROOT / "content").hazards)


def test_the_lint_command_fails_for_families_alone(content: Path) -> None:
    runner = CliRunner(env={"ANLAN_CONTENT": str(content)})
    assert runner.invoke(main, ["content", "lint"]).exit_code == 0
    (content / family_content.FILE).unlink()
    result = runner.invoke(main, ["content", "lint"])
    assert result.exit_code == 1
    assert "families.yaml" in result.output
