"""What ties the rooms of shelters to the rest: content that is checked, commands that are there, jobs of the clock."""

from __future__ import annotations

import ast
import re
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask import Flask
from flask_babel import force_locale
from sqlalchemy import select, update

from portal import create_app
from portal.cli import main
from portal.config import ROOT, Settings
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.doctor import evacuation
from portal.doctor.findings import FAIL, NOTE, OK, WARN, Finding
from portal.regions.importer import import_files
from portal.scheduler import make_scheduler
from portal.shelters import demo, jobs
from portal.shelters.field import recompute, wish
from portal.shelters.models import FieldWish, KeeperSession
from portal.shelters.public import standing
from portal.shelters.registry import family_content, store
from portal.site.publish import root_of
from tests.district import settle_regions


@pytest.fixture
def content(tmp_path: Path) -> Path:
    for folder in ("hazards", "shelters"):
        shutil.copytree(ROOT / "content" / folder, tmp_path / folder)
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


def test_the_lint_command_reads_the_families_and_fails_for_them(content: Path) -> None:
    runner = CliRunner(env={"ANLAN_CONTENT": str(content)})
    assert "families.yaml" not in runner.invoke(main, ["content", "lint"]).output
    (content / family_content.FILE).unlink()
    result = runner.invoke(main, ["content", "lint"])
    assert result.exit_code == 1
    assert "families.yaml" in result.output



# -- the doctor ----------------------------------------------------------------------------------------------
@pytest.fixture
def at_work(sqlite_template: Path, tmp_path: Path) -> Iterator[Flask]:
    """An application on an empty SQLite database, with its context, speaking English."""
    shutil.copy(sqlite_template, tmp_path / "anlan.db")
    app = create_app(Settings(instance=tmp_path, secret_key="test " * 10, phone_key="ab" * 32))
    with app.app_context(), force_locale("en"):
        yield app
        db.engine.dispose()


def _said(app: Flask, check: Callable[[Settings], Iterator[Finding]]) -> list[tuple[str, str]]:
    return [(f.level, f.message) for f in check(app.extensions["anlan"])]


def test_the_doctor_does_not_scold_a_portal_of_warnings_alone(at_work: Flask) -> None:
    assert {level for level, _message in _said(at_work, evacuation.shelters)} == {NOTE}
    assert _said(at_work, evacuation.field) == _said(at_work, evacuation.shelter_pages) == []
    assert _said(at_work, evacuation.hazard_families) == []


def test_the_doctor_names_shelters_to_which_no_way_can_be_told(at_work: Flask) -> None:
    settle_regions()
    store.save(None, {"code": "A1", "name_zh": "甲"}, shelter_id=None, version=None)
    assert [level for level, _message in _said(at_work, evacuation.shelters)] == [OK, WARN]


def test_the_doctor_hears_a_wish_that_nobody_fulfils_and_a_computation_that_failed(at_work: Flask) -> None:
    with transaction() as session:
        wish.ask(session, "test")
    assert _said(at_work, evacuation.field) == []
    with transaction() as session:
        session.execute(update(FieldWish).values(first_at=utcnow() - timedelta(minutes=10)))
    db.session.expire_all()
    (level, message), = _said(at_work, evacuation.field)
    assert (level, "Nobody computes" in message) == (FAIL, True)
    with transaction() as session:
        session.execute(update(FieldWish).values(error="ValueError in compute:12", failed_at=utcnow()))
    db.session.expire_all()
    (level, message), = _said(at_work, evacuation.field)
    assert (level, "ValueError in compute:12" in message) == (FAIL, True)


def test_the_doctor_says_since_when_the_pages_of_shelters_are_old(at_work: Flask) -> None:
    root = root_of(at_work.extensions["anlan"])
    root.mkdir(parents=True, exist_ok=True)
    standing.write(root, datetime(2026, 11, 25, 1, 30, tzinfo=UTC), KeyError("x"))
    (level, message), = _said(at_work, evacuation.shelter_pages)
    assert (level, "since 2026-11-25 09:30 (KeyError)" in message) == (FAIL, True)


# -- the clock -----------------------------------------------------------------------------------------------
def test_every_served_wish_publishes_once_also_where_the_field_is_as_it_was(at_work: Flask) -> None:
    look = jobs.FieldJob(at_work)
    assert look() is False
    with transaction() as session:
        wish.ask(session, "head count")
    assert look() is False, "it has not been quiet yet"
    with transaction() as session:
        session.execute(update(FieldWish).values(last_at=utcnow() - timedelta(seconds=5)))
    assert look() is True
    assert look() is False


def test_an_import_of_regions_asks_for_a_new_field_though_it_knows_of_none(at_work: Flask, tmp_path: Path) -> None:
    table = tmp_path / "regions.csv"

    def people(many: int) -> None:
        table.write_text(f"code,name_zh,name_en,pinyin,population,demonstration\n440310000000,区,District,qu,{many},true\n")
        import_files([table])
    people(300)
    look = jobs.FieldJob(at_work)
    look()
    wanted = wish.state().wanted
    look()
    assert wish.state().wanted == wanted
    people(999)
    look()
    assert (wish.state().wanted, wish.state().reason) == (wanted + 1, "regions")


def test_a_field_that_cannot_be_computed_holds_no_news_back(at_work: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    look = jobs.FieldJob(at_work)
    look()
    monkeypatch.setattr(recompute.roads, "newest", lambda: 1 / 0)
    with transaction() as session:
        wish.ask(session, "status")
        session.execute(update(FieldWish).values(last_at=utcnow() - timedelta(seconds=5)))
    assert look() is True
    assert look() is False


def test_the_sweep_removes_sign_ins_that_are_over_and_goes_on_where_one_room_fails(
        at_work: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    now = utcnow()
    with transaction() as session:
        for name, ends in (("old", now - timedelta(hours=1)), ("new", now + timedelta(hours=1))):
            session.add(KeeperSession(token_hash=name, phone_index=b"1" * 16, started_at=now, expires_at=ends))
    swept = []
    monkeypatch.setattr(jobs, "SWEEPERS", ("portal.shelters.nowhere", "portal.shelters.transfers.retention"))
    monkeypatch.setattr("portal.shelters.transfers.retention.sweep", swept.append)
    jobs.sweep(at_work)
    assert db.session.scalars(select(KeeperSession.token_hash)).all() == ["new"]
    assert swept == [at_work]


def test_the_scheduler_gives_long_work_threads_of_its_own(at_work: Flask) -> None:
    made = make_scheduler(at_work, lambda: None)
    executors = {job.id: job.executor for job in made.get_jobs()}
    assert executors["expire"] == "default"
    assert len({executors[name] for name in ("expire", "field", "paper")}) == 3
    assert {executors["sweep"], executors["exams"]}.isdisjoint({"default", "field", "paper"})


@pytest.mark.parametrize("group", ["shelters", "roads", "obstructions", "communities", "transfers"])
def test_each_room_that_imports_files_has_its_command_with_a_check(group: str) -> None:
    told = CliRunner().invoke(main, [group, "import", "--help"])
    assert told.exit_code == 0
    assert "--check" in told.output


def test_the_trail_has_words_for_every_act_of_shelters() -> None:
    """Acts as the code writes them: `audit.append(…, "room.act", …)`, and constants that are appended."""
    from portal.desk.deeds import ACTS

    found = set()
    for path in [*(ROOT / "portal" / "shelters").rglob("*.py"), *(ROOT / "portal" / "api").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = getattr(node.func, "attr", getattr(node.func, "id", "")) if isinstance(node, ast.Call) else ""
            if isinstance(node, ast.Call) and name in ("append", "_note", "_told"):
                words = [part.value for argument in node.args for part in ast.walk(argument) if isinstance(part, ast.Constant)]
                found |= {word for word in words if isinstance(word, str) and re.fullmatch(r"[a-z]+\.[a-z_]+", word)}
    found.add(demo.FILLED)
    assert len(found) > 25
    assert sorted(found - set(ACTS)) == []


def test_the_lint_command_reads_the_words_of_paper_and_fails_for_them(content: Path) -> None:
    runner = CliRunner(env={"ANLAN_CONTENT": str(content)})
    assert "paper.yaml" not in runner.invoke(main, ["content", "lint"]).output
    path = content / "shelters" / "paper.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("\ntiers:", "\ntires:", 1), encoding="utf-8")
    result = runner.invoke(main, ["content", "lint"])
    assert result.exit_code == 1
    assert "paper.yaml" in result.output
