"""A trainee in a real browser: in by a code, a lesson, a question, why it was wrong; narrow and wide, both
languages, by keyboard and for screen readers."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from waitress import create_server

from portal import create_app
from portal.channels.sms import phones
from portal.config import Settings
from portal.core.db import db
from portal.training import courses_store
from tests import serving
from tests.chromium import assert_accessible
from tests.training.conftest import SAMPLE, link_the_rest
from tests.waiting import until


class School:
    """The portal on a port, in a thread of its own."""

    def __init__(self, folder: Path) -> None:
        self.app = create_app(Settings(instance=folder, surfaces="site", demo=True, public_url="http://localhost",
                                       content=folder / "content"))
        with self.app.app_context():
            courses_store.sync(faulty=True)
        self.server = create_server(self.app, host="127.0.0.1", port=0)
        self.address = f"http://127.0.0.1:{self.server.effective_port}"
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()

    def code(self, number: str) -> str:
        """The code that the phone received; it is sent after the answer."""
        def shown() -> str:
            with self.app.app_context():
                messages, _older = phones.page(phones.Filter(digits=number))
                return re.search(r"\d{6}", messages[0].body)[0] if messages else ""
        with ThreadPoolExecutor(1) as aside:  # Playwright has a loop in this thread
            return aside.submit(until, shown, "a code is sent").result()

    def close(self) -> None:
        serving.end(self.server, self.thread)
        with self.app.app_context():
            db.engine.dispose()


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[School]:
    folder = tmp_path_factory.mktemp("school")
    shutil.copytree(SAMPLE, folder / "content" / "courses" / "sample")
    link_the_rest(folder / "content")
    shutil.copy(sqlite_template, folder / "anlan.db")
    made = School(folder)
    yield made
    made.close()


def judged(page: Page, seen: list[str]) -> None:
    assert_accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"{page.url} is wider than the screen"
    low = page.evaluate("""[...document.querySelectorAll('main button, main a.button, main select, main .choice, nav a')]
                           .filter(one => one.offsetHeight && one.offsetHeight < 44).map(one => one.outerHTML)""")
    assert low == [], page.url
    seen.append(page.url)


def answer(page: Page) -> None:
    """Something, by the kind of form that stands there."""
    if page.query_selector("main select"):
        for place, field in enumerate(page.query_selector_all("main select")):
            field.select_option(str(place), force=True)  # behind the lines that can be moved
    elif page.query_selector("main input[type=text]"):
        page.fill("#answer", "7")
    else:
        page.check("fieldset input >> nth=0")
    page.click("main form .learn-big")


@pytest.mark.parametrize(("width", "language", "number"), [(390, "zh-CN", "+8612900000071"), (1280, "en", "+8612900000072")])
def test_a_trainee_gets_in_learns_practises_and_is_told_why(school: School, chromium: Browser, width: int, language: str,
                                                            number: str) -> None:
    context = chromium.new_context(viewport={"width": width, "height": 844}, locale=language)
    page, seen = context.new_page(), list[str]()
    page.goto(f"{school.address}/learn/courses/sample/")
    judged(page, seen)
    page.fill("#phone", number[3:])
    page.keyboard.press("Enter")
    page.wait_for_selector("#code")
    judged(page, seen)
    page.fill("#code", school.code(number))
    page.keyboard.press("Enter")
    page.wait_for_url("**/learn/courses/sample/")
    judged(page, seen)
    page.click("main form button")
    judged(page, seen)
    page.click(".learn-mark button")
    page.goto(f"{school.address}/learn/")
    judged(page, seen)
    questions = 9 if width == 390 else 2  # the forms are the same; what is narrow is what breaks
    for _question in range(questions):
        page.goto(f"{school.address}/learn/courses/sample/practice/fire/")
        judged(page, seen)
        while "/answers/" not in page.url:
            answer(page)
        judged(page, seen)
    page.goto(f"{school.address}/learn/review/")
    judged(page, seen)
    assert len(seen) == 5 + 2 * questions + 1
    context.close()


def test_a_question_is_answered_by_the_keyboard_alone(school: School, chromium: Browser,
                                                      sign_in: Callable[[Page, str], None]) -> None:
    context = chromium.new_context(viewport={"width": 390, "height": 844}, locale="en")
    page = context.new_page()
    sign_in(page, "+8612900000073")
    page.goto(f"{school.address}/learn/courses/sample/practice/fire/")
    page.focus(".learn-crumbs a")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.type") == "radio"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/answers/**")
    context.close()


@pytest.fixture
def sign_in(school: School) -> Callable[[Page, str], None]:
    def enter(page: Page, number: str) -> None:
        page.goto(f"{school.address}/learn/sign-in")
        page.fill("#phone", number[3:])
        page.keyboard.press("Enter")
        page.fill("#code", school.code(number))
        page.keyboard.press("Enter")
        page.wait_for_url("**/learn/")
    return enter
