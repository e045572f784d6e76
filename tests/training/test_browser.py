"""The reading room in a real browser: for screen readers, narrow and wide, by keyboard, on paper, without scripts."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from waitress import create_server

from portal import create_app
from portal.config import Settings
from portal.core.db import db
from portal.site.course_pages import publish_courses
from portal.site.publish import publish
from tests import serving
from tests.chromium import assert_accessible, comes_true
from tests.training.conftest import SAMPLE, link_the_rest

PAGES = ("/courses/", "/courses/sample/", "/courses/sample/smoke/")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("courses")
    shutil.copytree(SAMPLE, folder / "content" / "courses" / "sample")
    link_the_rest(folder / "content")
    shutil.copy(sqlite_template, folder / "anlan.db")
    app = create_app(Settings(instance=folder, surfaces="site", demo=True, public_url="http://localhost",
                              content=folder / "content"))
    publish_courses(app)
    publish(app)
    server = create_server(app, host="127.0.0.1", port=0)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.effective_port}"
    serving.end(server, thread)
    with app.app_context():
        db.engine.dispose()


def test_axe_finds_nothing_and_nothing_is_wider_than_the_screen(address: str, chromium: Browser) -> None:
    for width in (390, 1280):
        page = chromium.new_page(viewport={"width": width, "height": 844})
        errors: list[str] = []
        page.on("console", lambda message, to=errors: to.append(message.text) if message.type == "error" else None)
        for language in ("zh", "en"):
            for path in PAGES:
                page.goto(f"{address}/{language}{path}")
                page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
                if (language, width) in (("zh", 390), ("en", 1280)):  # each page in each window and in each language
                    assert_accessible(page, rules={})
                assert page.evaluate("document.documentElement.scrollWidth") <= width, (language, path, width)
                comes_true(page, "[...document.images].every(one => one.complete && one.naturalWidth > 0)")
        assert errors == []
        page.close()


def test_links_that_are_tapped_are_large_enough(address: str, chromium: Browser) -> None:
    page = chromium.new_page(viewport={"width": 390, "height": 844})
    for path in PAGES:
        page.goto(f"{address}/zh{path}")
        small = page.evaluate("""[...document.querySelectorAll(".crumbs a, .course h2 a, .lessons a, .steps a, summary")]
            .map(one => [one.textContent.trim(), one.getBoundingClientRect().height]).filter(([, height]) => height < 44)""")
        assert small == [], path
    page.close()


def test_a_course_is_read_from_the_first_page_to_the_last_without_scripts(address: str, chromium: Browser) -> None:
    context = chromium.new_context(java_script_enabled=False, locale="en-GB")
    page = context.new_page()
    page.goto(address + "/")
    page.locator("header summary").click()
    page.get_by_role("link", name="Courses", exact=True).first.click()
    page.get_by_role("link", name="A sample course").click()
    assert page.get_by_role("heading", name="The exam").is_visible()
    page.get_by_text("Adult CPR").click()
    assert page.get_by_text("Checks that the scene is safe").is_visible()
    page.get_by_role("link", name="Smoke is the greatest danger").click()
    assert page.get_by_role("img", name="Thick smoke fills the upper half").is_visible()
    page.get_by_role("link", name="Next lesson").click()
    assert page.get_by_role("heading", name="The extinguisher", level=1).is_visible()
    page.get_by_role("link", name="中文").click()
    assert page.url.endswith("/zh/courses/sample/extinguisher/")
    assert page.get_by_role("heading", name="四个动作").is_visible()
    page.get_by_role("link", name="这是最后一课").click()
    assert page.url.endswith("/zh/courses/sample/")
    context.close()


def test_on_paper_stands_the_lesson_and_not_the_way_to_it(address: str, chromium: Browser) -> None:
    page = chromium.new_page()
    page.goto(f"{address}/zh/courses/sample/smoke/")
    page.emulate_media(media="print")
    assert not page.locator(".steps").is_visible()
    assert not page.locator(".crumbs").is_visible()
    for words in ("烟气最危险", "弯腰、贴墙、向外走。", "关门能挡住烟气。", "《中华人民共和国消防法》"):
        assert page.get_by_text(words).first.is_visible()
    page.close()
