"""The desk as an officer sees it: a red rainstorm warning for two streets, from the empty page to its issue."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Page, Route, expect

from portal import create_app
from portal.config import Settings
from portal.core.db import db
from portal.identity import demo as accounts
from portal.models import Base
from tests import district
from tests.chromium import DESKTOP, PHONE, assert_accessible, assert_fits
from tests.district import KENGZI, LIULIAN, PINGSHAN
from tests.waiting import until

LEAFLET = Path(__file__).resolve().parents[2] / "portal" / "web" / "static" / "vendor" / "leaflet" / "leaflet.js"


@pytest.fixture
def desk(serve: Callable[[Callable[[], Flask]], str], tmp_path: Path) -> str:
    """The address of a desk with the demonstration's accounts, one subscriber and one horn. Ask for it before `window`:
    the browser then ends first, and leaves the server no connection to wait for."""
    def make() -> Flask:
        app = create_app(Settings(instance=tmp_path, demo=True, database_url=f"sqlite:///{tmp_path / 'anlan.db'}",
                                  secret_key="test " * 10, phone_key="ab" * 32))
        with app.app_context():
            Base.metadata.create_all(db.engine)
            district.settle_regions()
            accounts.seed()
            district.subscriber("+8613900000001", LIULIAN)
            district.speakers(LIULIAN)
        return app
    return serve(make)


def sign_in(page: Page, desk: str, name: str, to: str) -> None:
    page.goto(desk + to)
    page.fill("[name=username]", name)
    page.fill("[name=password]", accounts.PASSWORD)
    page.press("[name=password]", "Enter")
    page.wait_for_url(desk + to)


def looked_at(page: Page) -> None:
    assert_accessible(page)
    assert_fits(page)


@pytest.mark.parametrize(("size", "language"), [(PHONE, "zh-CN"), (DESKTOP, "en-GB")], ids=["phone-zh", "desktop-en"])
def test_a_red_warning_for_two_streets_is_written_by_keys_and_approved(
        desk: str, window: Callable[..., Page], size: dict, language: str, snapshot: Callable[[Page, str], None]) -> None:
    writer = window(size, language)
    sign_in(writer, desk, "drafter", "/desk/compose/")
    looked_at(writer)
    writer.focus("[name=hazard][value='11B03']")
    writer.keyboard.press("Space")
    writer.focus("[name=tier][value=red]")  # comes in by itself once the hazard is chosen
    writer.keyboard.press("Space")
    writer.focus("#find")
    writer.keyboard.type("kengzi")
    expect(writer.locator(f"[value='{PINGSHAN}']")).to_be_hidden()
    writer.focus(f"[value='{KENGZI}']")
    writer.keyboard.press("Space")
    expect(writer.locator("#tree [value='440310005001']")).to_be_disabled()
    writer.fill("#find", "坪山街道")
    writer.check(f"[value='{PINGSHAN}']")
    expect(writer.locator("#reach")).to_contain_text("265,230")
    chinese = writer.locator("[id='words.zh.sms']")
    expect(chinese).to_have_value(re.compile("坪山街道、坑梓街道"))
    chinese.press_sequentially("请互相转告。")
    expect(writer.locator("[id='count.zh.sms']")).to_contain_text("UCS-2")
    looked_at(writer)
    snapshot(writer, f"compose-{language}")
    writer.locator(".bar [value=preview]").click()
    writer.wait_for_url("**/desk/drafts/*/")
    expect(writer.locator(".bubble").first).to_contain_text("请互相转告。")
    looked_at(writer)
    writer.locator("form[action$='/submit'] button").click()
    expect(writer.locator("form[action$='/withdraw']")).to_be_visible()

    second = window(size, language)
    sign_in(second, desk, "approver", "/desk/drafts/")
    looked_at(second)
    second.locator(".draft a").first.click()
    looked_at(second)
    approve = second.locator("form[action$='/approve']")
    expect(approve.locator("button")).to_contain_text("265,230")
    snapshot(second, f"approve-{language}")
    approve.locator("button").click()
    expect(second.locator("#problems")).to_be_visible()
    second.fill("#confirm", "红色")
    second.locator("form[action$='/approve'] button").click()
    second.wait_for_url("**/desk/warnings/*-01/")


@pytest.mark.skipif(not LEAFLET.exists(), reason="the map's files come with the set-up (python3 tools/setup.py)")
def test_the_map_chooses_streets_and_draws_a_polygon(desk: str, window: Callable[..., Page]) -> None:
    page = window(DESKTOP)
    sign_in(page, desk, "drafter", "/desk/compose/")
    page.check("[name=hazard][value='11B03']")
    page.locator("#map").scroll_into_view_if_needed()
    shapes = page.locator("#map path.leaflet-interactive")
    expect(shapes.first).to_be_visible()
    shapes.first.click(force=True)
    expect(page.locator("#reach strong").first).to_be_visible()
    assert page.locator("#tree input:checked:not(:disabled)").count() == 1
    page.locator("[data-draw=Polygon]").click()
    page.evaluate("document.getElementById('map').scrollIntoView({block: 'center'})")
    box = page.locator("#map").bounding_box()
    assert box is not None
    corners = [(0.4, 0.4), (0.6, 0.4), (0.6, 0.6)]
    for x, y in [*corners, corners[0]]:
        page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
    page.locator(".points summary").click()
    expect(page.locator("[id='target.area']")).to_have_value(re.compile(r"^114\.\d+, 22\.\d+\n114"))
    page.locator("[data-draw=clear]").click()
    expect(page.locator("[id='target.area']")).to_have_value("")
    page.goto(desk + "/desk/drafts/", wait_until="networkidle")  # what was looked up is answered before the server ends


def test_a_tier_that_is_chosen_while_the_page_looks_up_another_stays(desk: str, window: Callable[..., Page]) -> None:
    page = window(PHONE, "en-GB")
    sign_in(page, desk, "drafter", "/desk/compose/")
    page.check("[name=hazard][value='11B03']")
    page.check(f"#tree [value='{PINGSHAN}']")
    orange, red = page.locator("[name=tier][value=orange]"), page.locator("[name=tier][value=red]")
    expect(page.locator("#reach")).to_contain_text("172,700")
    expect(orange).to_be_visible()
    held: list[Route] = []
    page.route("**/desk/compose/", lambda route: held.append(route) if not held else route.continue_())
    orange.check()
    until(lambda: page.wait_for_timeout(20) or held, "the page looks up orange")
    red.evaluate("one => { one.checked = true; }")  # as by the kept words that are put back; its own look begins a moment later
    with page.expect_response("**/desk/compose/") as answer:
        held[0].continue_()
    answer.value.finished()
    page.wait_for_timeout(200)
    expect(red).to_be_checked()
    red.evaluate("one => one.dispatchEvent(new Event('input', {bubbles: true}))")
    expect(page.locator("[id='words.zh.sms']")).to_have_value(re.compile("红色"))
    expect(red).to_be_checked()
