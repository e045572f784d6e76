"""Courses that are loaded from files, version by version."""

from __future__ import annotations

from dataclasses import replace

import pytest
from click.testing import CliRunner
from flask import Flask
from sqlalchemy import func, select

from portal.cli import main
from portal.core import audit
from portal.core.db import db
from portal.training import course_codec, courses_store
from portal.training.content import reader
from portal.training.models import CourseMedium, CourseVersion
from portal.warnings.hazards import Phrase
from tests.training.conftest import CONTENT


@pytest.fixture
def loaded(make_app, content) -> Flask:
    app = make_app(content=content)
    with app.app_context():
        courses_store.sync()
        yield app


@pytest.mark.parametrize("slug", [path.name for path in reader.folders(CONTENT)] or ["none"])
def test_a_course_comes_back_from_json_as_it_went_in(slug):
    course = reader.read(CONTENT / "courses" / slug).course
    if course is None:
        pytest.skip("this course has no course.yaml yet")
    back = course_codec.read(course_codec.write(course))
    bare = {name: replace(medium, body=b"") for name, medium in course.media.items()}
    assert back == replace(course, media=bare)


def test_files_that_did_not_change_make_no_new_version(loaded):
    first = courses_store.current("sample")
    again = courses_store.sync()
    assert [(one.slug, one.new) for one in again] == [("sample", False)]
    assert courses_store.current("sample") == first
    assert db.session.execute(select(func.count()).select_from(CourseVersion)).scalar_one() == 1


def test_a_changed_file_makes_a_version_and_the_one_before_stays_as_it_was(loaded, change):
    before, course = courses_store.current("sample")
    change("course.yaml", "示例课程", "改过的课程")
    (one,) = courses_store.sync()
    after, changed = courses_store.current("sample")
    assert (one.new, one.version_id) == (True, after)
    assert after != before
    assert changed.title.zh == "改过的课程"
    courses_store._read.cache_clear()
    assert courses_store.of(before) == course
    assert course.title.zh == "示例课程"
    trail = select(audit.AuditEntry.details).where(audit.AuditEntry.action == "course.load")
    assert len(db.session.execute(trail).scalars().all()) == 2


def test_a_comment_in_a_file_is_no_new_version(loaded, course):
    before = courses_store.current("sample")
    path = course / "course.yaml"
    path.write_text(path.read_text(encoding="utf-8") + "# a note\n", encoding="utf-8")
    assert [one.new for one in courses_store.sync()] == [False]
    assert courses_store.current("sample") == before


def test_a_course_with_faults_is_not_loaded_and_the_one_before_stays(loaded, change):
    before = courses_store.current("sample")
    change("course.yaml", "draw: {fire: 5}", "draw: {fire: 500}")
    (one,) = courses_store.sync()
    assert one.faults
    assert not one.new
    assert courses_store.current("sample") == before
    (one,) = courses_store.sync(faulty=True)
    assert one.new


def test_pictures_are_kept_by_what_is_in_them(loaded):
    version_id, course = courses_store.current("sample")
    for name, sha256 in courses_store.media(version_id).items():
        assert course.media[name].body == b""
        assert courses_store.picture(sha256).lstrip().startswith(b"<svg")
    assert db.session.execute(select(func.count()).select_from(CourseMedium)).scalar_one() == len(course.media)


def test_what_was_never_loaded_is_none(loaded):
    assert courses_store.current("nothing") is None
    assert courses_store.picture("0" * 64) is None
    with pytest.raises(LookupError):
        courses_store.of(999_999)


def test_the_command_loads_and_tells_and_refuses_what_has_faults(tmp_path, content, change, monkeypatch):
    monkeypatch.setenv("ANLAN_INSTANCE", str(tmp_path / "instance"))
    monkeypatch.setenv("ANLAN_CONTENT", str(content))
    monkeypatch.setenv("LANG", "C")
    run = CliRunner().invoke
    assert run(main, ["db", "upgrade"]).exit_code == 0
    told = [run(main, ["content", "sync"]).output for _twice in range(2)]
    assert told[0] == "sample loaded as version 1\n"
    assert told[1] == "sample is current: version 1\n"
    change("course.yaml", "draw: {fire: 5}", "draw: {fire: 500}")
    refused = run(main, ["content", "sync"])
    assert refused.exit_code == 1
    assert "sample/course.yaml:" in refused.output
    assert run(main, ["content", "sync", "--faulty"]).exit_code == 0


def test_a_version_of_the_first_form_is_still_read(loaded):
    _version_id, course = courses_store.current("sample")
    data = course_codec.write(course)
    data["checklists"][0]["source"] = "Sample guideline 2025"
    assert course_codec.read(data).checklists[0].source == Phrase("Sample guideline 2025", "Sample guideline 2025")
