"""The reading room: what stands in the files is read by everybody, the answers by nobody."""

from __future__ import annotations

import html
import itertools
import re
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from flask import Flask
from flask_babel import force_locale

from portal.doctor import training
from portal.scheduler import make_scheduler
from portal.site import course_pages
from portal.site.generations import name_of_current
from portal.site.publish import publish, root_of
from portal.training.content import reader
from portal.training.reading import fill
from tests.site.records import record


def root(app: Flask) -> Path:
    return root_of(app.extensions["anlan"])


def text(app: Flask, path: str) -> str:
    return (root(app) / "current" / path.lstrip("/") / "index.html").read_text(encoding="utf-8")


def own(app: Flask) -> dict[str, int]:
    """Path → inode of every file of the room."""
    base = root(app) / "current"
    return {name: p.stat().st_ino for p in base.rglob("*") if p.is_file() and p.suffix not in (".gz", ".br")
            if fill.is_own(name := f"/{p.relative_to(base)}")}


def test_every_lesson_of_every_course_is_a_page_in_both_languages(site: Flask) -> None:
    course_pages.publish_courses(site)
    assert "示例课程" in text(site, "/zh/courses/")
    assert "A sample course" in text(site, "/en/courses/")
    page = text(site, "/zh/courses/sample/")
    for words in ("消防安全", "烟气最危险", "灭火器", "共 5 道题", "得分达到 80% 为合格", "成人心肺复苏", "确认现场安全",
                  "（必须做到）", "开免提"):
        assert words in page
    lesson = text(site, "/en/courses/sample/smoke/")
    for words in ("<h2>Why smoke comes first</h2>", "<strong>Note:</strong>", "Can show how to leave bent low",
                  "do <strong>not</strong>", "Fire Protection Law", 'href="../extinguisher/"',
                  'rel="next" href="/en/courses/sample/extinguisher/"'):
        assert words in lesson
    assert "rel=\"prev\"" not in lesson
    assert 'rel="prev" href="/en/courses/sample/smoke/"' in text(site, "/en/courses/sample/extinguisher/")


def test_no_page_and_no_file_holds_anything_of_a_bank(site: Flask, course: Path) -> None:
    course_pages.publish_courses(site)
    read = reader.read(course).course
    assert read is not None
    secrets = [words for module in read.modules for question in module.questions
               for words in (question.words.zh, question.words.en, question.explanation.zh)]
    assert len(secrets) == 27
    for path in (root(site) / "current").rglob("*"):
        if path.is_file() and path.suffix in (".html", ".json", ".js", ".svg", ".geojson"):
            page = html.unescape(path.read_text(encoding="utf-8"))
            assert not [words for words in secrets if len(words) > 6 and words in page], path
            assert not re.search(r"fir-00\d", page), path


def test_the_room_opens_no_bank(course: Path, tmp_path: Path) -> None:
    for bank in (course / "banks").iterdir():
        bank.chmod(0)
        bank.unlink()
    reading = reader.read(course, banks=False)
    assert reading.faults == []
    assert [module.questions for module in reading.course.modules] == [()]


def test_a_picture_is_served_with_its_type_and_kept_for_a_year(site: Flask) -> None:
    course_pages.publish_courses(site)
    found = re.search(r'<img src="(/assets/courses/sample/low-[0-9a-f]{10}\.svg)" alt="走廊[^"]+" width="320" height="160"',
                      text(site, "/zh/courses/sample/smoke/"))
    answer = site.test_client().get(found[1])
    assert answer.status_code == 200
    assert answer.content_type == "image/svg+xml"
    assert "immutable" in answer.headers["Cache-Control"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    page = site.test_client().get("/zh/courses/sample/smoke/")
    assert page.content_type == "text/html; charset=utf-8"
    assert "max-age=10" in page.headers["Cache-Control"]


def test_a_page_is_small(site: Flask) -> None:
    course_pages.publish_courses(site)
    base = root(site) / "current"
    pages = [p for p in base.rglob("index.html") if "/courses/" in str(p)]
    assert len(pages) == 8
    for page in pages:
        assert page.stat().st_size < 30_000


def test_only_what_changed_is_rendered_again(site: Flask, change: Callable) -> None:
    course_pages.publish_courses(site)
    before = own(site)
    assert not course_pages.due(site.extensions["anlan"])
    change("lessons/01-smoke.zh.md", "弯腰、贴墙、向外走。", "弯腰、贴墙、快步向外走。")
    assert course_pages.due(site.extensions["anlan"])
    course_pages.publish_courses(site)
    after = own(site)
    assert not course_pages.due(site.extensions["anlan"])
    assert {name for name in after if before[name] != after[name]} == {
        f"/{language}/courses/sample/{page}index.html" for language in ("zh", "en") for page in ("", "smoke/")}
    assert "快步" in text(site, "/zh/courses/sample/smoke/")


def test_a_warning_is_published_without_touching_a_course(site: Flask, monkeypatch: pytest.MonkeyPatch, course: Path) -> None:
    course_pages.publish_courses(site)
    before = own(site)
    for path in course.rglob("*.md"):
        path.write_bytes(b"\xff\xfe broken")
    monkeypatch.setattr(reader, "read", lambda *_a, **_k: pytest.fail("a warning read a course"))
    with site.app_context():
        record("20261122-01")
    publish(site)
    assert (root(site) / "current/zh/warnings/20261122-01/index.html").exists()
    assert own(site) == before


def test_a_lesson_that_cannot_be_rendered_keeps_its_last_page(site: Flask, change: Callable,
                                                              monkeypatch: pytest.MonkeyPatch) -> None:
    course_pages.publish_courses(site)
    change("lessons/01-smoke.zh.md", "弯腰、贴墙、向外走。", "弯腰。")
    from portal.training.reading import view

    right = view.text
    monkeypatch.setattr(view, "text", lambda words, shown: 1 / 0 if "弯腰。" in words else right(words, shown))
    with site.app_context():
        record("20261122-01")
    course_pages.publish_courses(site)
    assert "弯腰、贴墙、向外走。" in text(site, "/zh/courses/sample/smoke/")
    assert (root(site) / "current/zh/warnings/20261122-01/index.html").exists()
    assert course_pages.due(site.extensions["anlan"])
    monkeypatch.setattr(view, "text", right)
    course_pages.publish_courses(site)
    assert "弯腰、贴墙、向外走。" not in text(site, "/zh/courses/sample/smoke/")
    assert not course_pages.due(site.extensions["anlan"])


def test_in_slices_nothing_leads_to_a_page_that_is_not_there(site: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(course_pages, "SLICE_SECONDS", -1.0)
    monkeypatch.setattr(course_pages, "MOST_ROUNDS", 1)
    course_pages.publish_courses(site)
    assert "目前还没有课程" in text(site, "/zh/courses/")
    assert course_pages.due(site.extensions["anlan"])
    monkeypatch.setattr(course_pages, "SLICE_SECONDS", 30.0)
    course_pages.publish_courses(site)
    links = {(language, link) for language in ("zh", "en") for path in ("/courses/", "/courses/sample/", "/courses/sample/smoke/")
             for link in re.findall(r'href="(/(?:zh|en)/courses/[^"]*)"', text(site, f"/{language}{path}"))}
    assert len(links) > 6
    for _language, link in links:
        assert (root(site) / "current" / link.lstrip("/") / "index.html").exists(), link


def test_a_warning_gets_in_between_two_slices(site: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = itertools.count()
    slices: list[tuple[bool, bool]] = []
    warned = threading.Thread(target=publish, args=(site,))
    whole = fill.Filling.fill

    def one_slice(self: fill.Filling) -> None:
        whole(self)
        if not self._shelf.courses:  # the empty list, where there never was one
            return
        had = self._publishing.building.had
        slices.append((had("/zh/warnings/20261122-01/"), had("/zh/courses/sample/")))
        if len(slices) == 1:
            with site.app_context():
                record("20261122-01")
            warned.start()
            while warned.is_alive() and not self._publishing.wanted():  # it waits for this slice
                pass

    clock = SimpleNamespace(monotonic=lambda: float(next(ticks)))  # each look at it takes a second
    monkeypatch.setattr(course_pages, "time", clock)
    monkeypatch.setattr(fill, "time", clock)
    monkeypatch.setattr(fill.Filling, "fill", one_slice)
    monkeypatch.setattr(course_pages, "SLICE_SECONDS", 3.0)
    monkeypatch.setattr(course_pages, "MOST_ROUNDS", 20)
    course_pages.publish_courses(site)
    warned.join(60)
    assert slices[:2] == [(False, False), (True, False)]
    assert "示例课程" in text(site, "/zh/courses/")
    assert (root(site) / "current/zh/warnings/20261122-01/index.html").exists()


def test_a_removed_course_is_gone_and_an_empty_room_says_so(site: Flask, course: Path) -> None:
    course_pages.publish_courses(site)
    (course / "course.yaml").unlink()
    course_pages.publish_courses(site)
    assert "目前还没有课程" in text(site, "/zh/courses/")
    assert site.test_client().get("/zh/courses/sample/").status_code == 404


def test_the_doctor_says_that_pages_are_old_and_files_are_wrong(site: Flask, change: Callable) -> None:
    def said() -> list[str]:
        with site.app_context(), force_locale("en"):
            settings = site.extensions["anlan"]
            return [finding.message for check in (training.courses, training.course_pages) for finding in check(settings)]

    assert said() == ["Courses: 1, without faults."]
    publish(site)
    assert said() == ["Courses: 1, without faults.", "The public pages of courses are older than the courses."]
    course_pages.publish_courses(site)
    assert said() == ["Courses: 1, without faults."]
    change("banks/fire.zh.md", "  > 高温也危险，但烟气来得更快。\n", "")
    assert said() == ["The courses have 1 faults; the first: sample/banks/fire.zh.md:12: the option has no feedback; "
                      "say under it why it is right or wrong: “  > …”"]


def test_the_scheduler_brings_the_pages_up_to_date_by_itself(site: Flask) -> None:
    scheduler = make_scheduler(site, lambda: None)
    scheduler.get_job("courses").func()
    assert "示例课程" in text(site, "/zh/courses/")
    generation = name_of_current(root(site))
    scheduler.get_job("courses").func()
    assert name_of_current(root(site)) == generation
