"""Pointing and ordering in a real browser at 390 px: by finger, by mouse, by keys; what an exam saves of it."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect
from waitress import create_server

from portal import create_app
from portal.config import Settings
from portal.core.db import db
from portal.training import courses_store
from portal.training.content.values import Hotspot, Ordering
from portal.training.exam_models import Attempt
from portal.training.exams import attempts
from tests import serving
from tests.chromium import assert_accessible, assert_fits
from tests.training.conftest import SAMPLE, link_the_rest
from tests.training.exams.test_browser import Served, begin, saved

PHONE = {"width": 390, "height": 844}
PRACTICE = "/learn/courses/sample/practice/fire/?again=&after="
BEFORE_HOTSPOT, BEFORE_ORDERING = "fir-007", "fir-003"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Served]:
    """The sample, whose exam asks every question."""
    folder = tmp_path_factory.mktemp("touch")
    shutil.copytree(SAMPLE, folder / "content" / "courses" / "sample")
    link_the_rest(folder / "content")
    course = folder / "content" / "courses" / "sample" / "course.yaml"
    course.write_text(course.read_text(encoding="utf-8").replace("draw: {fire: 5}", "draw: {fire: 8}"), encoding="utf-8")
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
def device(chromium: Browser, served: Served) -> Iterator[Callable[..., tuple[Page, int]]]:
    """Opens a phone with a touch screen that is signed in; scripts that break fail the test."""
    made: list[BrowserContext] = []
    wrong: list[str] = []

    def opened(**options: Any) -> tuple[Page, int]:
        learner = served.learner()
        context = chromium.new_context(**({"viewport": PHONE, "locale": "zh-CN"} | options))
        context.set_default_timeout(10_000)
        context.add_cookies([served.cookie(learner)])
        made.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        return page, learner
    yield opened
    for context in made:
        context.close()
    assert not wrong, wrong


def tap(page: Page, box: Locator, across: float, down: float) -> None:
    """A finger at a place of the box, in parts of it."""
    box.evaluate("one => one.scrollIntoView({block: 'center'})")  # not below the bar of an exam
    frame = box.bounding_box()
    page.touchscreen.tap(frame["x"] + frame["width"] * across, frame["y"] + frame["height"] * down)


def chosen(page: Page) -> list[str]:
    return page.locator("label.choice:has(:checked)").all_text_contents()


def order(page: Page) -> list[str]:
    return page.locator(".touch-order .touch-words").all_text_contents()


def test_a_finger_points_at_a_place_and_the_list_follows_and_the_other_way_round(served, device):
    page, _learner = device(has_touch=True)
    page.goto(f"{served.address}{PRACTICE}{BEFORE_HOTSPOT}")
    box = page.locator(".touch-spot")
    tap(page, box, .5, .8)
    assert [one.strip() for one in chosen(page)] == ["下方"]
    expect(page.locator(".touch-said")).to_have_text("已选择：下方")
    expect(page.locator(".touch-chosen")).to_have_count(1)
    tap(page, box, .5, .5)  # between the two places
    expect(page.locator(".touch-said")).to_contain_text("没有可选项")
    assert [one.strip() for one in chosen(page)] == ["下方"]
    page.get_by_label("上方").check()
    mark = page.locator(".touch-chosen").bounding_box()
    assert mark["y"] < box.bounding_box()["y"] + box.bounding_box()["height"] / 2
    assert_accessible(page, rules={})
    assert_fits(page)
    tap(page, box, .5, .8)
    page.locator(".learn-big").click()
    expect(page.locator("h1")).to_contain_text("回答正确")


def test_a_picture_is_pointed_at_by_keys_which_say_where_they_are(served, device):
    page, _learner = device()
    page.goto(f"{served.address}{PRACTICE}{BEFORE_HOTSPOT}")
    box = page.locator(".touch-spot")
    box.focus()
    for key in ("ArrowDown", "Shift+ArrowDown", "Shift+ArrowDown"):
        page.keyboard.press(key)
    expect(page.locator(".touch-cross")).to_be_visible()
    expect(page.locator(".touch-said")).to_have_text("当前位置：下方")
    page.keyboard.press("Enter")
    assert [one.strip() for one in chosen(page)] == ["下方"]
    assert page.url.endswith(BEFORE_HOTSPOT), "Enter chose, and sent nothing"


def test_lines_are_moved_with_buttons_that_keep_the_focus_and_say_what_they_did(served, device):
    page, _learner = device()
    page.goto(f"{served.address}{PRACTICE}{BEFORE_ORDERING}")
    before = order(page)
    down = page.locator(".touch-order li").first.locator("[data-way=down]")
    down.focus()
    page.keyboard.press("Enter")
    assert order(page) == [before[1], before[0], before[2]]
    expect(page.locator(".touch-said")).to_have_text(f"{before[0]}：现在是第 2 位，共 3 位")
    page.keyboard.press("Enter")
    assert order(page) == [before[1], before[2], before[0]]
    assert page.evaluate("document.activeElement.getAttribute('aria-disabled')") == "true"
    page.keyboard.press("Enter")
    assert order(page) == [before[1], before[2], before[0]]
    assert_accessible(page, rules={})
    assert_fits(page)


def test_lines_are_dragged_with_a_mouse_and_the_answer_is_what_is_seen(served, device):
    page, _learner = device()
    page.goto(f"{served.address}{PRACTICE}{BEFORE_ORDERING}")
    for place, words in enumerate(("拔掉保险销", "对准火焰根部", "压下压把")):
        row = page.locator(".touch-order li", has_text=words)
        grip, aim = row.locator(".touch-grip").bounding_box(), page.locator(".touch-order li").nth(place).bounding_box()
        page.mouse.move(grip["x"] + 10, grip["y"] + grip["height"] / 2)
        page.mouse.down()
        page.mouse.move(grip["x"] + 10, aim["y"] + aim["height"] / 2, steps=6)
        page.mouse.move(grip["x"] + 10, aim["y"] + 2, steps=3)
        page.mouse.up()
    assert order(page) == ["拔掉保险销", "对准火焰根部", "压下压把"]
    page.locator(".learn-big").click()
    expect(page.locator("h1")).to_contain_text("回答正确")


def drag(page: Page, x: float, begin_y: float, end_y: float) -> None:
    """A finger that goes down, moves, and is taken off."""
    screen = page.context.new_cdp_session(page)
    heights = [begin_y + (end_y - begin_y) * part / 6 for part in range(7)]
    for n, y in enumerate(heights):
        screen.send("Input.dispatchTouchEvent", {"type": "touchMove" if n else "touchStart", "touchPoints": [{"x": x, "y": y}]})
    screen.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    screen.detach()


@pytest.mark.parametrize(("language", "width", "paths"), [
    ("zh-CN", 390, ("?why=booking&next=/learn/", "community/", "leave/sure/")), ("en", 1280, ("", "leave/"))])
def test_the_own_page_and_the_way_out_are_for_everybody(served, device, language, width, paths):
    page, _learner = device(viewport={"width": width, "height": 844}, locale=language)
    for path in paths:
        page.goto(f"{served.address}/learn/me/{path}")
        assert_accessible(page, rules={})
        assert_fits(page)
        low = page.evaluate("""[...document.querySelectorAll("main button, main a, main .choice, main input[type=text]")]
            .filter(one => one.offsetParent && one.getBoundingClientRect().height < 43.5).map(one => one.outerHTML)""")
        assert low == [], page.url


def test_an_exam_saves_what_was_dragged_by_finger_pointed_at_or_kept_as_it_was(served, device):
    page, learner = device(has_touch=True, is_mobile=True)
    begin(page, served)
    saved(page)

    def asked() -> dict[str, int]:
        attempt = db.session.query(Attempt).filter_by(learner_id=learner).one()
        return {type(q).__name__: at for at, (_d, q) in enumerate(attempts.questions(attempt))}
    places = served.ask(asked)
    ordering = page.locator(f"[data-at='{places[Ordering.__name__]}']")
    ordering.get_by_role("button", name="就用这个顺序").click()
    saved(page)
    assert served.kept(learner)[places[Ordering.__name__]] == [0, 1, 2]
    expect(ordering.locator(".touch-open")).to_be_hidden()
    ordering.locator(".touch-order").evaluate("one => one.scrollIntoView({block: 'center'})")
    grip, last = (ordering.locator(one).bounding_box() for one in ("li >> nth=0 >> .touch-grip", "li >> nth=2"))
    x, y, end = grip["x"] + 10, grip["y"] + 10, last["y"] + last["height"] - 3
    drag(page, x, y, end)
    expect(ordering.locator(".touch-said")).to_contain_text("第 3 位")
    saved(page)
    assert served.kept(learner)[places[Ordering.__name__]] == [2, 0, 1]
    spot = page.locator(f"[data-at='{places[Hotspot.__name__]}']")
    tap(page, spot.locator(".touch-spot"), .5, .2)
    expect(spot.locator(".touch-chosen")).to_have_count(1)
    saved(page)
    kept = served.kept(learner)[places[Hotspot.__name__]]
    assert spot.locator(f"input[type=radio][value='{kept}']").is_checked()
    page.reload()
    saved(page)
    expect(spot.locator(".touch-chosen")).to_have_count(1)
    assert ordering.locator("select").evaluate_all("all => all.map(one => one.value)") == ["2", "0", "1"]
