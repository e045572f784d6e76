"""A real Chromium, and what every page must hold in it. It ends with each module: Playwright keeps an event loop in the thread
of the test, in which no application context can be left.

A fixture that makes an application in this thread stands before `chromium` among the arguments, so that it is made first.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.waiting import LONGEST, until

expect.set_options(timeout=LONGEST * 1000)

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ["--disable-background-networking", "--disable-component-update", "--disable-sync",
             "--no-first-run", "--disable-dev-shm-usage",
             "--disable-features=Translate,OptimizationHints"]
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
#: WCAG 2.2 level AA and what lies below it.
AXE = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        pytest.fail("Chromium is not installed; on Debian: apt-get install chromium")
    arguments = [*ARGUMENTS, "--no-sandbox"] if os.geteuid() == 0 else ARGUMENTS
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


def comes_true(page: Page, expression: str, arg: object = None) -> None:
    """As Playwright's `wait_for_function`, which a page's policy breaks off at its second look: its looks need eval."""
    until(lambda: page.evaluate(expression, arg), expression)


def assert_accessible(page: Page, rules: dict = AXE) -> None:
    """Fail with each violation of WCAG 2.2 AA (or of all `rules` of axe: ``{}``): the rule, what to do, and the elements."""
    page.wait_for_load_state()
    # What is in order needs no list of its elements, which takes axe a good part of its time.
    # The style sheets, which it would fetch and read once more, are asked by one rule only, which is experimental and off.
    sparing = {"resultTypes": ["violations"], "preload": {"assets": ["media"]}}
    found = Axe().run(page, options=rules | sparing).response["violations"]
    lines = [f"{v['id']} ({v['impact']}): {v['help']}\n" + "\n".join(
        f"    {' '.join(map(str, node['target']))}\n      {node['failureSummary']}" for node in v["nodes"][:5])
        for v in found]
    assert not found, f"{page.url} has {len(found)} kinds of barriers:\n" + "\n".join(lines)


def assert_fits(page: Page) -> None:
    """Fail where the page must be scrolled sideways. Waits for the styles that are still on their way."""
    page.wait_for_load_state()
    root = "document.documentElement"
    wide = page.evaluate(f"{root}.scrollWidth - {root}.clientWidth")
    assert wide <= 0, f"{page.url} is {wide} px wider than its window"
