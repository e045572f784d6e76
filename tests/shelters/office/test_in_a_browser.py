"""The desk's rooms for shelters in a real browser: drawn on the map or typed, on a phone and at a desk, in both languages."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from contextvars import Context

import pytest
from playwright.sync_api import Page, expect

from portal import create_app
from portal.core.clock import utcnow
from portal.core.db import transaction
from portal.identity import accounts
from portal.identity.accounts import Grant
from portal.identity.rights import SHELTERS
from portal.shelters.roads import obstructions
from portal.shelters.roads import store as roads
from tests.browser.conftest import serve, snapshot, window  # noqa: F401  (fixtures)
from tests.chromium import DESKTOP, PHONE, assert_accessible, assert_fits
from tests.district import DISTRICT
from tests.shelters.grid import grid
from tests.shelters.places import make_shelter
from tests.shelters.roads.obstacles import middle, values

PAGES = {"dashboard": "/desk/shelters/", "list": "/desk/shelters/list/", "shelter": "/desk/shelters/1/",
         "edit": "/desk/shelters/1/edit", "shelter-import": "/desk/shelters/import", "obstructions": "/desk/obstructions/",
         "new": "/desk/obstructions/new", "obstruction-import": "/desk/obstructions/import"}


@pytest.fixture
def desk(serve: Callable, make_settings: Callable) -> tuple[str, str]:  # noqa: F811
    """Address and password of a desk with a few streets, one open shelter and one obstruction."""
    word = secrets.token_urlsafe(12)

    def make():
        app = create_app(make_settings())

        def fill() -> None:
            with app.app_context():
                accounts.create(None, "keeper", "Keeper", word, [Grant(SHELTERS, DISTRICT, "white")], must_change_password=False)
                lon, lat = middle()
                roads.save(grid(10, 10, lon - 0.005, lat - 0.005), source="test")
                now = utcnow()
                with transaction() as session:
                    make_shelter(session, longitude=lon, latitude=lat, status="open", status_at=now, occupancy=3,
                                 occupancy_at=now)
                obstructions.create(None, values())
        Context().run(fill)
        return app
    return serve(make), word


def signed_in(page: Page, desk: tuple[str, str]) -> None:
    url, word = desk
    page.goto(f"{url}/desk/")
    page.fill("[name=username]", "keeper")
    page.fill("[name=password]", word)
    page.press("[name=password]", "Enter")
    page.wait_for_url(f"{url}/desk/")


def test_every_page_is_open_to_everybody_on_a_phone_and_at_a_desk(desk, window, snapshot):  # noqa: F811
    for size, language in ((PHONE, "zh-CN"), (DESKTOP, "en-GB")):
        page = window(size, language)
        signed_in(page, desk)
        for name, path in PAGES.items():
            page.goto(desk[0] + path, wait_until="networkidle")
            snapshot(page, f"{name}-{language[:2]}")
            assert_accessible(page)
            assert_fits(page)
        page.context.close()


def test_an_area_is_drawn_looked_at_and_set(desk, window):  # noqa: F811
    page = window(DESKTOP, "en-GB")
    signed_in(page, desk)
    page.goto(f"{desk[0]}/desk/obstructions/new", wait_until="networkidle")
    page.check("[name=kind][value=landslide]")
    page.fill("#name_zh", "东坡")
    page.click("[data-draw=Polygon]")
    box = page.locator("#office-map").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    for dx, dy in ((-45, -45), (45, -45), (45, 45), (-45, -45)):
        page.mouse.click(x + dx, y + dy)
        page.wait_for_timeout(60)
    expect(page.locator("#geometry")).to_have_value(re.compile(r"^\d[^\n]+\n[^\n]+\n[^\n]+$"))
    assert page.locator("[name=shape]:checked").get_attribute("value") == "area"
    page.click("[value=look]")
    page.wait_for_selector("#looked")
    assert_accessible(page)
    page.click("[value=save]")
    page.wait_for_url("**/desk/obstructions/*-*/")
    assert "东坡" in page.locator("h1").inner_text()
    page.click("form[action$='/end'] button")
    page.wait_for_selector("form[action$='/resume']")
    assert_accessible(page)


def test_without_scripts_an_obstruction_is_typed(desk, window):  # noqa: F811
    page = window(PHONE, "zh-CN", java_script_enabled=False)
    signed_in(page, desk)
    page.goto(f"{desk[0]}/desk/obstructions/new")
    assert not page.locator("#office-map").is_visible()
    page.check("[name=kind][value=road_closed]")
    page.fill("#name_zh", "西门")
    page.fill("#geometry", "{}, {}".format(*middle()))
    page.click("[value=save]")
    page.wait_for_url("**/desk/obstructions/*-*/")
    assert page.locator("h1").inner_text() == "西门"


