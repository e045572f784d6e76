"""A newcomer subscribes with a phone, in both languages: by position, with what may go wrong, up to leaving and erasing."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect

from portal import create_app
from portal.channels.sms import phones
from portal.config import Settings
from portal.regions import lookup
from tests.browser.conftest import serve, snapshot, window  # noqa: F401
from tests.chromium import DESKTOP, PHONE, assert_accessible, assert_fits
from tests.district import LIULIAN, settle_regions

TAPPED = "button, .button, summary, label.choice, .sub a, .sub input:not([type=checkbox], [type=radio], [type=hidden]), select"
SMALLEST = """(tapped) => [...document.querySelectorAll(tapped)].filter(e => e.offsetParent)
  .filter(e => e.getBoundingClientRect().height < 43.5).map(e => e.outerHTML.slice(0, 80))"""
WORDS = {
    "zh": {"send": "获取验证码", "go": "下一步", "here": "用我的位置查找社区", "save": "订阅", "done": "订阅成功",
           "name": "六联社区", "leave": "不再接收短信", "left": "您已退订", "choose": "至少选择一个社区",
           "erase": "删除我的数据"},
    "en": {"send": "Send me a code", "go": "Go on", "here": "Find my community by my position", "save": "Subscribe",
           "done": "You are subscribed", "leave": "Send me no more texts", "left": "You have left",
           "choose": "Choose at least one community", "erase": "Erase my data", "name": "Liulian"},
}


class Portal:
    """The application that answers, and what a test asks of it: Playwright keeps an event loop in the test's own thread."""

    def __init__(self, folder: Path, template: Path) -> None:
        self.folder, self.template, self.app = folder, template, Flask("none")

    def make(self) -> Flask:
        shutil.copy(self.template, self.folder / "anlan.db")
        self.app = create_app(Settings(instance=self.folder, database_url=f"sqlite:///{self.folder / 'anlan.db'}",
                                       secret_key="test " * 10, phone_key="ab" * 32))
        self.app.extensions["sms_courier"] = lambda work: work()
        with self.app.app_context():
            settle_regions()
        return self.app

    def ask(self, question: Callable[[], Any]) -> Any:
        def inside() -> Any:
            with self.app.app_context():
                return question()
        with ThreadPoolExecutor(1) as elsewhere:
            return elsewhere.submit(inside).result(30)

    def code(self, number: str) -> str:
        return self.ask(lambda: re.search(r"\d{6}", phones.page(phones.Filter(digits=number))[0][0].body)[0])

    def middle(self) -> tuple[float, float]:
        west, south, east, north = lookup.box(LIULIAN)
        points = [(west + (east - west) * x / 10, south + (north - south) * y / 10) for x in range(1, 10) for y in range(1, 10)]
        return next(point for point in points if lookup.at_point(*point) == LIULIAN)


@pytest.fixture
def portal(sqlite_template: Path, tmp_path: Path) -> Portal:
    return Portal(tmp_path, sqlite_template)


def test_a_newcomer_subscribes_by_position_and_leaves_again(
    portal: Portal, serve: Callable, window: Callable[..., Page], snapshot: Callable, chromium: Browser  # noqa: F811
) -> None:
    address = serve(portal.make)
    lon, lat = portal.ask(portal.middle)
    for place, language in enumerate(("zh", "en")):
        say, number = WORDS[language], f"129000007{place}0"
        page = window(PHONE, "zh-CN" if language == "zh" else "en-GB", geolocation={"longitude": lon, "latitude": lat},
                      permissions=["geolocation"])

        def look(name: str, *, wide: bool = False, page: Page = page, language: str = language) -> None:
            if wide:
                page.set_viewport_size(DESKTOP)
                assert_fits(page)
                snapshot(page, f"subscribe-{name}-{language}")
                page.set_viewport_size(PHONE)
            assert_fits(page)
            snapshot(page, f"subscribe-{name}-{language}")
            assert page.evaluate(SMALLEST, TAPPED) == []
            if wide or (language == "zh" and name != "form"):
                assert_accessible(page)

        page.goto(f"{address}/subscribe/?lang={language}")
        look("door")
        page.fill("#phone", number)
        page.get_by_role("button", name=say["send"]).click()
        expect(page.locator("#code")).to_be_visible()
        page.locator("details summary").click()
        look("code")
        page.fill("#code", portal.code(f"+86{number}"))
        page.get_by_role("button", name=say["go"]).click()
        page.get_by_role("button", name=say["save"], exact=True).click()
        expect(page.locator("#problems")).to_contain_text(say["choose"])
        look("form")
        page.locator(".sub-wishes > summary").click()
        page.locator(".sub-street summary").first.click()  # everything open is also looked at by axe
        look("form-open", wide=language == "en")
        page.get_by_role("button", name=say["here"]).click()
        expect(page.locator("#found input:checked")).to_have_value(LIULIAN)
        page.get_by_role("button", name=say["save"], exact=True).click()
        expect(page.locator(".notice-good")).to_contain_text(say["done"])
        expect(page.locator(".sub-facts")).to_contain_text(say["name"])
        look("mine", wide=language == "en")
        page.get_by_role("link", name=say["erase"]).click()
        page.wait_for_url("**/erase/")
        look("erase")
        page.go_back()
        page.get_by_role("button", name=say["leave"]).click()
        expect(page.locator(".notice-good")).to_contain_text(say["left"])
        look("left")
