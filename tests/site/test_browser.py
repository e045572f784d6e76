"""In a real browser: clean for screen readers, narrow and wide, without scripts, and true when the device's
clock has run on."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from waitress import create_server

from portal import create_app
from portal.config import Settings
from portal.core.clock import utcnow
from portal.core.db import db
from portal.regions.importer import import_files
from portal.site.publish import publish
from portal.warnings.models import ALERT, CANCEL, UPDATE
from tests.chromium import assert_accessible
from tests.site.records import record

CONTENT = Path(__file__).resolve().parents[2] / "content" / "regions"
PAGES = ("/", "/warnings/20261122-01/", "/warnings/20261121-01/", "/archive/", "/about/")
#: Those that are made of the same pieces are looked at once in each language.
MORE = ("/warnings/20261122-01/history/", "/archive/tier/red/", "/map/", "/subscribe/")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("site")
    shutil.copy(sqlite_template, folder / "anlan.db")
    app = create_app(Settings(instance=folder, surfaces="site", demo=True, public_url="http://localhost"))
    with app.app_context():
        import_files([CONTENT / "440310.csv", CONTENT / "440310.geojson"])
        record("20261122-01", kinds=(ALERT, UPDATE))
        for at, tier in enumerate(("orange", "yellow", "blue", "white"), 2):
            record(f"20261122-{at:02}", tier=tier)
        record("20261121-01", kinds=(ALERT, CANCEL), issued=utcnow() - timedelta(days=2))
    publish(app)
    server = create_server(app, host="127.0.0.1", port=0)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.effective_port}"
    server.close()
    thread.join(10)
    with app.app_context():
        db.engine.dispose()


def test_axe_finds_nothing_and_nothing_is_wider_than_the_screen(address: str, chromium: Browser) -> None:
    for width in (390, 1280):
        page = chromium.new_page(viewport={"width": width, "height": 800})
        errors: list[str] = []
        page.on(
            "console", lambda message, to=errors: to.append(message.text) if message.type == "error" else None
        )
        for language in ("zh", "en"):
            for path in (*PAGES, *(MORE if (language, width) in (("zh", 390), ("en", 1280)) else ())):
                page.goto(f"{address}/{language}{path}")
                assert_accessible(page, rules={})
                assert page.evaluate("document.documentElement.scrollWidth") <= width, (language, path, width)
        assert errors == []
        page.close()


def test_everything_is_there_without_scripts(address: str, chromium: Browser) -> None:
    context = chromium.new_context(java_script_enabled=False, locale="en-GB")
    page = context.new_page()
    page.goto(address + "/")
    assert page.url.endswith("/en/")
    page.get_by_role("link", name="Red rainstorm warning for Pingshan", exact=True).first.click()
    assert page.get_by_role("heading", name="What to do now").is_visible()
    assert page.get_by_text("In force until").is_visible()
    assert not page.get_by_text("past its time").is_visible()
    assert page.locator("svg.map").is_visible()
    page.get_by_role("link", name="中文").click()
    assert page.get_by_role("heading", name="现在怎么做").is_visible()
    context.close()


def test_a_warning_whose_time_has_passed_does_not_look_live_though_nobody_rendered_it_again(
    address: str, chromium: Browser
) -> None:
    page = chromium.new_page()
    page.clock.install(time=utcnow() + timedelta(hours=4, minutes=30))
    page.goto(f"{address}/zh/warnings/20261122-01/")
    banner = page.get_by_text("按本机时间，本预警已过有效期。")
    assert not banner.is_visible()
    page.clock.fast_forward("40:00")
    banner.wait_for(state="visible", timeout=5000)
    assert "is-past" in (page.locator("article.warning").get_attribute("class") or "")
    page.goto(f"{address}/zh/")
    assert page.locator("article.card.is-past").count() == 5
    assert "5 小时前" in page.locator("footer").inner_text()
    page.close()


def test_the_keyboard_reaches_the_content_and_the_warning(address: str, chromium: Browser) -> None:
    page = chromium.new_page()
    page.goto(f"{address}/zh/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "/zh/warnings/20261122-01/"
    page.close()
