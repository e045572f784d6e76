"""An exam on a phone: the network goes and comes back, the browser is closed, a second device takes over, the clock is wrong."""

from __future__ import annotations

import json
import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from waitress import create_server

from portal import create_app
from portal.config import Settings
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.training import courses_store
from portal.training.exam_models import Attempt
from portal.training.exams import attempts
from portal.training.learners import door
from portal.training.models import Learner
from tests import serving
from tests.chromium import assert_accessible
from tests.training.conftest import CONTENT, SAMPLE
from tests.training.exams.conftest import make_learner
from tests.training.exams.test_attempts import right
from tests.waiting import until

PHONE = {"width": 390, "height": 844}


class Served:
    """The application as it answers, and what a test asks its database: in another thread, for Playwright has a loop in this."""

    def __init__(self, address: str, app: Any) -> None:
        self.address, self.app, self.learners = address, app, 0

    def ask(self, question: Callable[[], Any]) -> Any:
        def inside() -> Any:
            with self.app.app_context():
                return question()
        with ThreadPoolExecutor(1) as elsewhere:
            return elsewhere.submit(inside).result(30)

    def learner(self) -> int:
        self.learners += 1
        return self.ask(lambda: make_learner(f"{self.learners:04}"))

    def cookie(self, learner: int) -> dict:
        secret = self.ask(lambda: door.begin(db.session.get(Learner, learner)))
        return {"name": door.COOKIE, "value": secret, "url": self.address + door.PATH}

    def kept(self, learner: int) -> dict:
        def look() -> dict:
            attempt = db.session.query(Attempt).filter_by(learner_id=learner).one()
            return {at: one.value for at, one in attempts.kept(attempt.id).items()}
        return self.ask(look)

    def rights(self, learner: int) -> dict[int, tuple[str, Any]]:
        """Place → kind of fields and the right answer."""
        def look() -> dict:
            attempt = db.session.query(Attempt).filter_by(learner_id=learner).one()
            return {at: (attempts.answers.kind(q), right(q, d)) for at, (d, q) in enumerate(attempts.questions(attempt))}
        return self.ask(look)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("exams")
    shutil.copytree(SAMPLE, folder / "content" / "courses" / "sample")
    for name in ("hazards", "shelters"):
        (folder / "content" / name).symlink_to(CONTENT / name)
    shutil.copy(sqlite_template, folder / "anlan.db")
    app = create_app(Settings(instance=folder, surfaces="site", demo=True, public_url="http://localhost",
                              content=folder / "content"))
    with app.app_context():
        courses_store.sync(faulty=True)
    server = create_server(app, host="127.0.0.1", port=0, threads=6)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield Served(f"http://127.0.0.1:{server.effective_port}", app)
    serving.end(server, thread)
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def device(chromium: Browser, served: Served) -> Iterator[Callable[..., Page]]:
    """Opens a phone that is signed in; scripts that break fail the test."""
    made: list[BrowserContext] = []
    wrong: list[str] = []

    def opened(learner: int, language: str = "zh-CN", **options: Any) -> Page:
        context = chromium.new_context(viewport=PHONE, locale=language, timezone_id="Asia/Shanghai", **options)
        context.set_default_timeout(10_000)
        context.add_cookies([served.cookie(learner)])
        made.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        return page
    yield opened
    for context in made:
        context.close()
    assert not wrong, wrong


def begin(page: Page, served: Served) -> None:
    page.goto(f"{served.address}/learn/sample/exam/")
    page.check("#ready")
    page.locator(".exam-big").click()
    page.wait_for_url("**/sit")


def answer(page: Page, at: int, kind: str, value: Any) -> None:
    if kind == "line":
        page.fill(f"[name='q{at}']", value)
        page.locator(f"[name='q{at}']").blur()
    elif kind == "each":
        for place, one in enumerate(value):
            page.select_option(f"[name='q{at}.{place}']", index=one + 1, force=True)  # ordering: behind what is dragged
    else:
        for one in value if isinstance(value, list) else [value]:
            page.check(f"[name='q{at}'][value='{one}']")


def saved(page: Page) -> None:
    expect(page.locator("#exam-bar[data-state=saved]")).to_be_visible(timeout=15_000)


def accessible(page: Page, name: str) -> None:
    assert_accessible(page, rules={})
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    small = page.evaluate("""
        [...document.querySelectorAll("main button, main a, main .choice, main select, main input[type=text]")]
        .filter(one => one.offsetParent && !one.classList.contains("hidden-visually"))
        .map(one => [one.textContent.trim(), one.getBoundingClientRect().height]).filter(([, height]) => height < 43.5)""")
    assert small == [], page.url
    if folder := os.environ.get("ANLAN_SNAPSHOTS"):
        page.screenshot(path=Path(folder) / f"exam-{name}.png", full_page=True)


def test_an_exam_with_the_network_cut_and_back_and_the_browser_closed_is_passed(served, device):
    learner = served.learner()
    page = device(learner)
    page.goto(f"{served.address}/learn/sample/exam/")
    accessible(page, "rules")
    begin(page, served)
    saved(page)
    accessible(page, "sit")
    rights = served.rights(learner)
    answer(page, 0, *rights[0])
    saved(page)
    assert served.kept(learner) == {0: rights[0][1]}
    page.context.set_offline(True)
    for at in (1, 2):
        answer(page, at, *rights[at])
    expect(page.locator("#exam-state")).to_contain_text("2 题答案已保存在本机")
    accessible(page, "offline")
    page.get_by_role("button", name="检查并交卷").click()
    expect(page.locator("#exam-state")).to_contain_text("尚未交卷")
    assert set(served.kept(learner)) == {0}
    # The browser is killed while two answers are unsent; later it opens the exam again, with a network.
    context = page.context
    page.close()
    context.set_offline(False)
    page = context.new_page()
    page.goto(f"{served.address}/learn/sample/exam/sit")
    saved(page)
    assert served.kept(learner) == {at: rights[at][1] for at in (0, 1, 2)}
    for at in (3, 4):
        answer(page, at, *rights[at])
    page.get_by_role("button", name="检查并交卷").click()
    expect(page.locator("h1")).to_have_text("确认交卷吗？")
    assert page.get_by_text("5 道题均已作答并保存").is_visible()
    accessible(page, "finish")
    page.get_by_role("button", name="确认交卷").click()
    expect(page.locator(".exam-score")).to_contain_text("已通过")
    expect(page.locator(".exam-score")).to_contain_text("100 %")
    accessible(page, "result")
    assert page.evaluate("Object.keys(localStorage).filter(one => one.startsWith('anlan.exam'))") == []


def test_the_network_comes_back_and_what_waited_is_sent_by_itself(served, device):
    learner = served.learner()
    page = device(learner)
    begin(page, served)
    rights = served.rights(learner)
    page.context.set_offline(True)
    answer(page, 0, *rights[0])
    expect(page.locator("#exam-bar[data-state=offline]")).to_be_visible()
    page.context.set_offline(False)
    saved(page)
    assert served.kept(learner) == {0: rights[0][1]}


def test_a_second_device_takes_over_and_the_first_says_so(served, device):
    learner = served.learner()
    first, second = device(learner), device(learner, language="en-GB")
    begin(first, served)
    rights = served.rights(learner)
    answer(first, 0, *rights[0])
    saved(first)
    first.context.set_offline(True)  # it hears of the other only when the whole answer is given
    second.goto(f"{served.address}/learn/sample/exam/sit")
    accessible(second, "elsewhere")
    second.get_by_role("button", name="Go on with the exam here").click()
    saved(second)
    answer(second, 1, *rights[1])
    saved(second)
    answer(first, 2, *rights[2])
    first.context.set_offline(False)
    expect(first.locator("#exam-stop")).to_contain_text("另一台设备")
    expect(first.locator("#question-1").locator("input:not([type=hidden]), select").first).to_be_disabled()
    accessible(first, "stopped")
    assert served.kept(learner) == {at: rights[at][1] for at in (0, 1)}
    first.get_by_role("link", name="查看下一步").click()  # and back again, with what was left unsent here
    first.get_by_role("button", name="在此设备上继续考试").click()
    saved(first)
    assert served.kept(learner) == {at: rights[at][1] for at in (0, 1, 2)}


def test_of_two_tabs_the_one_that_was_used_last_counts(served, device):
    learner = served.learner()
    first = device(learner)
    begin(first, served)
    saved(first)
    second = first.context.new_page()
    second.goto(f"{served.address}/learn/sample/exam/sit")
    saved(second)
    rights = served.rights(learner)
    at, kind, value = next((at, kind, value) for at, (kind, value) in rights.items() if kind in ("one", "line"))
    for place in [*(other for other in rights if other != at), at]:
        answer(second, place, *rights[place])
    saved(second)
    changed: Any = "0" if kind == "line" else 1 - min(value, 1)
    answer(first, at, kind, changed)
    saved(first)
    expected = {place: value for place, (_kind, value) in rights.items()} | {at: changed}
    assert served.kept(learner) == expected
    first.get_by_role("button", name="检查并交卷").click()  # though its page shows the others as not answered
    expect(first.get_by_text("5 道题均已作答并保存")).to_be_visible()
    assert served.kept(learner) == expected


def test_what_was_answered_before_the_script_ran_is_saved(served, device):
    learner = served.learner()
    page = device(learner)
    held = []
    page.route("**/exam.js*", lambda route: held.append(route))
    page.goto(f"{served.address}/learn/sample/exam/")
    page.check("#ready")
    page.evaluate("document.querySelector('.exam-big').click()")  # no waiting for a page that is not whole yet
    until(lambda: page.wait_for_timeout(20) or held, "the script is asked for")
    page.locator("#exam").wait_for()
    rights = served.rights(learner)
    for at, (kind, value) in list(rights.items())[:4]:
        answer(page, at, kind, value)
    held[0].continue_()
    saved(page)
    assert served.kept(learner) == {at: value for at, (_kind, value) in list(rights.items())[:4]}


def test_a_phone_whose_clock_is_a_day_wrong_shows_the_time_that_is_left(served, device):
    learner = served.learner()
    page = device(learner)
    page.add_init_script("const now = Date.now; Date.now = () => now() + 86400000;")
    begin(page, served)
    expect(page.locator("#exam-clock")).to_have_text(re.compile(r"剩余 (19:[3-5]\d|20:00)"))
    rights = served.rights(learner)
    answer(page, 0, *rights[0])
    saved(page)
    expect(page.locator("#exam-clock")).to_have_text(re.compile(r"剩余 19:\d\d"))


def test_when_the_time_is_over_the_page_hands_in_what_there_is(served, device):
    learner = served.learner()
    page = device(learner)
    begin(page, served)
    rights = served.rights(learner)

    def shorten() -> None:
        with transaction() as session:
            attempt = session.query(Attempt).filter_by(learner_id=learner).one()
            attempt.deadline_at = utcnow() + timedelta(seconds=5)
            attempt.closes_at = attempt.deadline_at + timedelta(minutes=5)
    served.ask(shorten)
    answer(page, 0, *rights[0])  # the answer to it tells the page how little time is left
    page.wait_for_url("**/result/**", timeout=30_000)
    expect(page.locator("main")).to_contain_text("交卷")
    expect(page.locator("tbody")).to_contain_text("1 / 5")


def test_one_question_at_a_time_without_a_script(served, device, monkeypatch):
    learner = served.learner()
    page = device(learner, java_script_enabled=False)
    begin(page, served)
    monkeypatch.setattr("portal.training.exams.pages._one_at_a_time", lambda _attempt: True)
    page.reload()
    rights = served.rights(learner)
    expect(page.locator("fieldset")).to_have_count(1)
    answer(page, 0, *rights[0]) if rights[0][0] != "line" else page.fill("[name=q0]", rights[0][1])
    page.get_by_role("button", name="下一题").click()
    expect(page.locator("legend")).to_have_text("第 2 题（共 5 题）")
    assert served.kept(learner)[0] == rights[0][1]
    page.get_by_role("button", name="第 1 题").click()
    expect(page.locator("legend")).to_have_text("第 1 题（共 5 题）")
    assert json.dumps(served.kept(learner)[0]) == json.dumps(rights[0][1])


#: What browsers of 2018 do not have yet.
OLD = """for (const [of, name] of [[HTMLFormElement, "requestSubmit"], [SubmitEvent, "submitter"], [Array, "flat"]])
  delete of.prototype[name];"""


def test_an_old_phone_saves_each_answer_goes_to_the_question_that_was_pressed_and_hands_in(served, device, monkeypatch):
    learner = served.learner()
    page = device(learner)
    page.context.add_init_script(OLD)
    begin(page, served)
    monkeypatch.setattr("portal.training.exams.pages._one_at_a_time", lambda _attempt: True)
    page.reload()
    rights = served.rights(learner)
    page.get_by_role("button", name="第 3 题").click()
    expect(page.locator("legend")).to_have_text("第 3 题（共 5 题）")
    answer(page, 2, *rights[2])
    saved(page)
    assert served.kept(learner) == {2: rights[2][1]}
    page.get_by_role("button", name="检查并交卷").click()
    page.get_by_role("button", name="确认交卷").click()
    expect(page.locator(".exam-score")).to_be_visible()
