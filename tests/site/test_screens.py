"""Screens in lobbies, lifts and on walls: what is in force for this place, seen from afar, and true when nothing answers."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import Browser, Page, expect
from waitress import create_server

from portal import create_app
from portal.config import ROOT, TIERS, Settings
from portal.core.clock import utcnow
from portal.core.db import db
from portal.guides import shelf
from portal.regions import codes
from portal.regions.importer import import_files
from portal.site import screens
from portal.site.publish import publish
from portal.warnings.hazards import Phrase
from portal.warnings.models import Warning
from tests import serving
from tests.chromium import AXE, assert_accessible, comes_true
from tests.district import DISTRICT, KENGZI, LIULIAN, PINGSHAN
from tests.site.records import record

CONTENT = ROOT / "content" / "regions"
HERE, THERE = {"code": PINGSHAN, "zh": "坪山街道", "en": "Pingshan"}, {"code": KENGZI, "zh": "坑梓街道", "en": "Kengzi"}
#: Pixels on a wall of 1,920: 25 mm on 55 inches, which good eyes read at five metres with ease.
LEAST = 40
CODES = st.sampled_from([DISTRICT, PINGSHAN, KENGZI, LIULIAN, "440310002001"])


def warning(tier: str, *region_codes: str, minutes: int = 0) -> Warning:
    return Warning(number=f"20261125-{minutes:02}", tier=tier, region_codes=list(region_codes),
                   issued_at=utcnow() + timedelta(minutes=minutes))


@settings(max_examples=40, deadline=None)
@given(here=CODES, found=st.lists(st.tuples(st.sampled_from(TIERS), st.lists(CODES, min_size=1, max_size=2)), max_size=5))
def test_a_screen_shows_what_concerns_its_region_the_worst_first_and_the_newest_of_one_tier(here, found):
    live = [warning(tier, *there, minutes=n) for n, (tier, there) in enumerate(found)]
    shown = screens.in_force_at(here, live)
    assert {w.number for w in shown} == {
        w.number for w in live if any(codes.contains(c, here) or codes.contains(here, c) for c in w.region_codes)}
    order = [(TIERS.index(w.tier), w.issued_at) for w in shown]
    assert order == sorted(order, reverse=True)


def test_there_is_another_tip_each_day_from_the_safety_guides_and_each_fits_on_a_screen():
    read = shelf.read(ROOT / "content")
    first = date(2026, 11, 25)
    tips = [screens.tip_of(read, first + timedelta(days=n)) for n in range(60)]
    assert len({tip.zh for tip in tips if tip}) > 30
    assert all(one != other for one, other in pairwise(tips))
    for tip in tips:
        assert tip is not None
        assert all(len(tip[language]) <= most for language, most in screens.LONGEST_TIP.items())
        assert re.search(r"[\u4e00-\u9fff]", tip.zh)
        assert not re.search(r"[\u4e00-\u9fff*`]", tip.en)
    assert screens.tip_of(shelf.Shelf("", ()), first) is None


def test_each_tip_has_its_day_whatever_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in (1, 2, 100, 101, 103, 202):
        tips = [Phrase(f"提示{n}", f"Tip {n}") for n in range(number)]
        monkeypatch.setattr(screens, "_tips", lambda _shelf, tips=tips: tips)
        told = {screens.tip_of(shelf.Shelf("", ()), date(2026, 11, 25) + timedelta(days=n)) for n in range(number)}
        assert len(told) == number


def test_only_the_screens_that_a_warning_concerns_are_made_again(site: Flask) -> None:
    with site.app_context():
        import_files([CONTENT / "440310.csv", CONTENT / "440310.geojson"])
    publish(site)
    def written() -> dict[str, int]:
        root = Path(site.extensions["anlan"].instance) / "public" / "current" / "screen"
        return {path.parent.name: path.stat().st_ino for path in root.glob("*/index.html")}
    before = written()
    assert {DISTRICT, PINGSHAN, KENGZI, LIULIAN} <= before.keys()
    with site.app_context():
        record("20261125-01", areas=(HERE,))
    publish(site)
    changed = {code for code, inode in written().items() if before[code] != inode}
    assert changed == {code for code in before if codes.contains(PINGSHAN, code)} | {DISTRICT}


# -- in front of it ------------------------------------------------------------------------------------------
@dataclass
class Wall:
    """A district whose server can be taken away and brought back at the same address."""

    app: Flask
    port: int = 0

    def __post_init__(self) -> None:
        self.up()

    def up(self) -> None:
        self.server = create_server(self.app, host="127.0.0.1", port=self.port)
        self.port = self.server.effective_port
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()

    def down(self) -> None:
        serving.end(self.server, self.thread)

    def issue(self, number: str, **more) -> None:
        """In a thread of its own: Playwright's has a loop of events, which publishing refuses to share."""
        def work() -> None:
            with self.app.app_context():
                record(number, **more)
            publish(self.app)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(work).result()

    def url(self, code: str) -> str:
        return f"http://127.0.0.1:{self.port}/screen/{code}/"


@pytest.fixture(scope="module")
def wall(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Wall]:
    folder = tmp_path_factory.mktemp("screens")
    shutil.copy(sqlite_template, folder / "anlan.db")
    app = create_app(Settings(instance=folder, surfaces="site", public_url="http://localhost"))
    with app.app_context():
        import_files([CONTENT / "440310.csv", CONTENT / "440310.geojson"])
        record("20261125-01", tier="red", areas=(HERE,), hours=3)
        record("20261125-02", tier="yellow", areas=(HERE,))
    publish(app)
    made = Wall(app)
    yield made
    made.down()
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def screen(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1920, "height": 1080}, service_workers="block")
    page = context.new_page()
    page.clock.install()
    yield page
    context.close()


SMALL = """least => {
    const small = [];
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
        const text = walk.currentNode.textContent.trim(), parent = walk.currentNode.parentElement;
        if (!text || parent.closest("svg, script, [hidden]") || !parent.getClientRects().length) continue;
        if (parseFloat(getComputedStyle(parent).fontSize) < least) small.push(text);
    }
    return small;
}"""
#: Text that is cut: beyond the window, or beyond what hides what overflows it.
CUT = """() => Array.from(document.querySelectorAll("h1, h2, h3, li, p, time")).filter(e => {
    const box = e.getBoundingClientRect(), frame = e.closest("main > *")?.getBoundingClientRect();
    return box.width && (box.right > innerWidth + 1 || box.bottom > innerHeight + 1 || (frame && box.bottom > frame.bottom + 1));
}).map(e => e.textContent.trim().slice(0, 40))"""


@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (1080, 1920), (1280, 720)])
def test_everything_on_it_is_read_at_five_metres_and_nothing_falls_off(wall: Wall, screen: Page, width: int, height: int) -> None:
    screen.set_viewport_size({"width": width, "height": height})
    for code in (LIULIAN, KENGZI):
        screen.goto(wall.url(code))
        expect(screen.locator("[data-clock]")).not_to_be_empty()
        assert screen.evaluate(SMALL, LEAST * max(width, height) / 1920) == []
        assert screen.evaluate(CUT) == []
    assert_accessible(screen, rules=AXE)


def test_the_worst_is_shown_first_in_both_languages_and_the_others_take_turns(wall: Wall, screen: Page) -> None:
    screen.goto(wall.url(LIULIAN))
    cards = screen.locator("[data-alarm]")
    expect(cards).to_have_count(2)
    expect(cards.first).to_contain_text("红色预警")
    expect(cards.first).to_contain_text("Red warning")
    expect(cards.first).to_contain_text("立即停止户外活动和作业")
    expect(cards.nth(1)).to_be_hidden()
    screen.clock.run_for(15_500)
    expect(cards.nth(1)).to_be_visible()
    expect(screen.locator("[data-other]")).to_have_count(2)


def test_it_is_calm_where_nothing_is_in_force_and_a_new_warning_comes_by_itself(wall: Wall, screen: Page) -> None:
    screen.goto(wall.url(KENGZI))
    expect(screen.locator("[data-none]")).to_contain_text("无")
    expect(screen.locator("[data-time]")).to_have_text(re.compile(r"\d\d:\d\d"))
    expect(screen.locator(".tip")).to_be_visible()
    wall.issue("20261125-07", tier="orange", areas=(THERE,))
    screen.evaluate("window.same = true")
    screen.clock.run_for(10_500)
    expect(screen.locator("[data-alarm]")).to_contain_text("橙色预警")
    assert screen.evaluate("window.same") is True, "the page was put in place, not loaded again"


def test_after_an_upgrade_it_is_loaded_again_also_when_only_its_style_is_another(wall: Wall, screen: Page) -> None:
    url = wall.url("440310003000")
    screen.goto(url)
    text = screen.request.get(url).text()
    screen.route(url, lambda route: route.fulfill(
        content_type="text/html; charset=utf-8", body=re.sub(r"/screen-\w+\.css", "/screen-0000000000.css", text)))
    screen.clock.run_for(10_500)
    expect(screen.locator("link[href*='screen-0000000000']")).to_have_count(1)


def test_without_a_connection_it_stays_as_it_was_says_since_when_and_comes_back(wall: Wall, screen: Page) -> None:
    screen.goto(wall.url("440310003000"))
    silence, none = screen.locator("[data-silence]"), screen.locator("[data-none]")
    expect(none).to_be_visible()
    calm = none.inner_text()
    expect(silence).to_be_hidden()
    wall.down()
    try:
        for _minute in range(4):
            screen.clock.run_for(30_000)
        expect(silence).to_be_visible()
        expect(silence).to_contain_text("12345")
        expect(none).not_to_have_text(calm)  # it no longer says that nothing is in force now
        expect(none).to_contain_text(re.compile(r"\d\d:\d\d"))
    finally:
        wall.up()
    until_heard(screen, silence)
    expect(none).to_have_text(calm, use_inner_text=True)


def until_heard(screen: Page, silence) -> None:
    for _try in range(30):
        screen.clock.run_for(11_000)
        screen.wait_for_timeout(100)
        if silence.is_hidden():
            return
    pytest.fail("the screen never came back")


def test_a_warning_past_its_time_is_marked_by_the_screens_own_clock(wall: Wall, screen: Page) -> None:
    screen.goto(wall.url(LIULIAN))
    card = screen.locator("[data-alarm]").first
    expect(card.locator("[data-past]")).to_be_hidden()
    screen.route("**/*", lambda route: route.abort())
    screen.clock.fast_forward("03:30:00")
    screen.clock.run_for(1_500)
    expect(screen.locator("[data-alarm]").first).to_have_class(re.compile("is-past"))
    expect(screen.locator("[data-silence]")).to_be_visible()
    screen.clock.fast_forward("24:00:00")
    screen.clock.run_for(1_500)
    for place in ("[data-contact]", "[data-silence]"):  # of another day: with its day
        expect(screen.locator(place)).to_contain_text(re.compile(r"\d+/\d+ \d\d:\d\d"))


def test_pages_that_are_no_longer_renewed_are_no_contact(wall: Wall, screen: Page) -> None:
    screen.route("**/feeds/index.json", lambda route: route.fulfill(json={"generated": "2026-01-01T00:00:00+08:00"}))
    screen.goto(wall.url("440310003000"))
    screen.clock.run_for(11_000)
    expect(screen.locator("[data-silence]")).to_be_visible()
    expect(screen.locator("[data-silence]")).to_contain_text("12345")


def test_the_nearest_open_shelters_come_first_and_one_that_is_unsafe_never(wall: Wall, screen: Page) -> None:
    def shelter(name: str, at: list[float], **more) -> dict:
        return {"id": 1, "zh": name, "en": name, "at": at, "status": "open", "open": True} | more
    listed = SimpleNamespace(near=[114.30, 22.67], far=[114.50, 22.90])
    screen.route("**/fields/shelters.json", lambda route: route.fulfill(json={"shelters": [
        shelter("远处开放", listed.far), shelter("近处未开", listed.near, open=False, status="standby"),
        shelter("近处危险", listed.near, status="unsafe", open=False), shelter("近处久未报", listed.near, stale=True),
        shelter("近处开放", listed.near)]}))
    screen.goto(wall.url("440310003000"))
    items = screen.locator("[data-near] li")
    expect(items).to_have_count(3)
    assert [text.split(" ")[0] for text in items.all_inner_texts()] == ["近处开放", "远处开放", "近处未开"]
    screen.route("**/fields/shelters.json", lambda route: route.fulfill(json={"shelters": [
        shelter("近处久未报", listed.near, stale=True)]}))
    screen.clock.run_for(61_000)
    expect(items).to_have_count(1)
    expect(items).to_contain_text("待核实")  # nobody is sent to a door of which nothing was heard for long
    expect(items).not_to_contain_text("开放中")


def test_long_names_of_shelters_never_push_away_what_counts(wall: Wall, screen: Page) -> None:
    rows = [{"id": n, "zh": f"{name}应急避难场所（室内安置点）", "en": name, "at": [114.3, 22.6 + n / 100], "status": "standby",
             "open": False, "stale": True} for n, name in enumerate(("坑梓中心小学", "马峦山体育场", "六联小学"))]
    screen.route("**/fields/shelters.json", lambda route: route.fulfill(json={"shelters": rows}))
    screen.set_viewport_size({"width": 1280, "height": 720})
    screen.goto(wall.url("440310003000"))
    expect(screen.locator("[data-near] li").first).to_be_visible()
    assert screen.evaluate(CUT) == []
    screen.route("**/*", lambda route: route.abort())
    screen.clock.fast_forward("26:00:00")
    screen.clock.run_for(1_500)
    expect(screen.locator("[data-silence]")).to_be_visible()
    assert screen.evaluate(CUT) == []
    box, frame = screen.locator("[data-none]").bounding_box(), screen.locator("main").bounding_box()
    assert box is not None
    assert frame is not None
    assert frame["y"] <= box["y"] < box["y"] + box["height"] <= frame["y"] + frame["height"] + 1, "until when it was calm is read"


def test_after_a_power_cut_without_a_network_it_shows_what_it_kept_and_since_when(wall: Wall, chromium: Browser) -> None:
    context = chromium.new_context(viewport={"width": 1920, "height": 1080})
    page = context.new_page()
    path = f"/screen/{LIULIAN}/"
    page.goto(wall.url(LIULIAN))
    page.evaluate("navigator.serviceWorker.ready")
    comes_true(page, "navigator.serviceWorker.controller !== null")
    page.evaluate("path => fetch(path)", path)  # as it asks by itself every ten seconds
    comes_true(page, "path => caches.match(path).then(found => !!found)", path)
    page.close()
    wall.down()
    try:
        page = context.new_page()
        page.clock.install()
        page.goto(wall.url(LIULIAN))
        expect(page.locator("[data-alarm]").first).to_contain_text("红色预警")
        page.clock.run_for(70_000)
        expect(page.locator("[data-silence]")).to_be_visible()
        assert page.evaluate("getComputedStyle(document.querySelector('[data-alarm]')).backgroundColor") == "rgb(196, 16, 27)"
    finally:
        wall.up()
        context.close()
