"""Windows and real servers for tests in a browser.

`serve(make)` puts the application that `make()` makes on a free port. `page_phone` and `page_desktop` are windows of 390 and
1280 pixels.

An application context cannot be left where Playwright's event loop runs: applications live in threads or processes of their
own here.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import waitress
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Page

from tests import serving
from tests.chromium import DESKTOP, PHONE

OURS = ("http://127.0.0.1:", "http://localhost:", "data:", "blob:")


@pytest.fixture
def window(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Opens windows. `window(PHONE, language="en")`; each has cookies of its own.

    A page that breaks in its script, or asks anybody but our server for anything, fails the test.
    """
    contexts: list[BrowserContext] = []
    wrong: list[str] = []

    def open_window(size: dict = DESKTOP, language: str = "zh-CN", **options: object) -> Page:
        context = chromium.new_context(viewport=size, locale=language, timezone_id="Asia/Shanghai", **options)
        context.set_default_timeout(15_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(f"script error: {error}"))
        page.on("console", lambda said: wrong.append(f"console: {said.text}")
                if said.type == "error" and "Content Security Policy" in said.text else None)
        page.on("request", lambda request: wrong.append(f"asked a stranger: {request.url}")
                if not request.url.startswith(OURS) else None)
        return page
    yield open_window
    for context in contexts:
        context.close()
    assert not wrong, "\n".join(wrong)


@pytest.fixture
def page_phone(window: Callable[..., Page]) -> Page:
    return window(PHONE)


@pytest.fixture
def page_desktop(window: Callable[..., Page]) -> Page:
    return window(DESKTOP)


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[], Flask]], str]]:
    """`serve(make)` is the address under which the application now answers, until the test ends."""
    running = []

    def start(make: Callable[[], Flask]) -> str:
        with ThreadPoolExecutor(1) as elsewhere:
            app = elsewhere.submit(make).result(60)
        server = waitress.create_server(app, host="127.0.0.1", port=0, threads=4)
        thread = threading.Thread(target=server.run, name="served", daemon=True)
        thread.start()
        running.append((server, thread))
        return f"http://127.0.0.1:{server.effective_port}"
    yield start
    for server, thread in running:
        serving.end(server, thread)


@pytest.fixture
def snapshot() -> Callable[[Page, str], None]:
    """`snapshot(page, "compose")` keeps a picture of the whole page, where ANLAN_SNAPSHOTS says in which folder."""
    def take(page: Page, name: str) -> None:
        if folder := os.environ.get("ANLAN_SNAPSHOTS"):
            Path(folder).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=Path(folder) / f"{name}-{page.viewport_size['width']}.png", full_page=True)

    return take
