"""In a real browser, as a resident: on a cheap phone, in both languages, with the location granted, refused or wrong, and with
the network gone."""

from __future__ import annotations

import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from waitress import create_server

from portal import create_app
from portal.config import Settings
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.regions import lookup
from portal.shelters.field import recompute
from portal.shelters.roads import store as roads
from portal.site.publish import publish
from tests import serving
from tests.chromium import assert_accessible, comes_true
from tests.district import LIULIAN, PINGSHAN, settle_regions
from tests.shelters.grid import STEP_LAT, STEP_LON, grid
from tests.shelters.places import make_shelter
from tests.site.records import record

#: A place in the community, between its streets.
MIDDLE = (114.3270, 22.7129)
PHONE = {"width": 390, "height": 844}


class Moods:
    """The server as it is asked in a storm: `status` is answered instead of pages, or each answer takes `delay` seconds."""

    def __init__(self, app: Callable) -> None:
        self.app, self.status, self.delay = app, "", 0.0

    def __call__(self, environ: dict, start: Callable) -> object:
        if self.delay:
            time.sleep(self.delay)
        if self.status:
            start(self.status, [("Content-Type", "text/plain")])
            return [b"no"]
        return self.app(environ, start)


@pytest.fixture(scope="module")
def moods(served: tuple[str, Moods]) -> Moods:
    return served[1]


@pytest.fixture(scope="module")
def address(served: tuple[str, Moods]) -> str:
    return served[0]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[tuple[str, Moods]]:
    """The site of one street with a grid of streets, published and served without the application behind it."""
    folder = tmp_path_factory.mktemp("shelters")
    shutil.copy(sqlite_template, folder / "anlan.db")
    app = create_app(Settings(instance=folder, surfaces="site", public_url="http://localhost", district=PINGSHAN))
    with app.app_context():
        settle_regions()
        west, south, east, north = lookup.box(LIULIAN)
        record("20261122-01")
        roads.save(grid(int((east - west) / STEP_LON) + 1, int((north - south) / STEP_LAT) + 1, west, south), source="test")
        with transaction() as session:
            spot = {"longitude": MIDDLE[0] + 0.004, "latitude": MIDDLE[1] + 0.003}
            make_shelter(session, code="OPEN", name_zh="六联小学", name_en="Liulian School", status="open", status_at=utcnow(),
                         capacity_day=90_000, capacity_night=90_000, **spot)
            make_shelter(session, code="OLD", name_zh="旧礼堂", name_en="Old Hall", status="open", step_free=None,
                         status_at=utcnow() - timedelta(hours=30), **{**spot, "longitude": spot["longitude"] + 0.003})
            make_shelter(session, code="DOUBT", name_zh="未评估", name_en="Unexamined", suitability={}, **spot)
        recompute.now("test")
    publish(app)
    moods = Moods(app)
    server = create_server(moods, host="127.0.0.1", port=0)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.effective_port}", moods
    serving.end(server, thread)
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def phone(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Opens a phone. A script that breaks, or a policy that is broken, fails the test."""
    contexts: list[BrowserContext] = []
    wrong: list[str] = []

    def take(language: str = "zh-CN", **options: object) -> Page:
        context = chromium.new_context(viewport=PHONE, locale=language, **options)
        context.set_default_timeout(20_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if "Content Security Policy" in said.text else None)
        return page

    yield take
    for context in contexts:
        context.close()
    assert wrong == []


def pages(language: str) -> list[str]:
    return [f"/{language}/{page}" for page in (
        "", "shelters/", "shelters/water/", "shelters/OPEN/", "communities/", f"communities/{LIULIAN}/", "route/", "offline/")]


def at(place: tuple[float, float], accuracy: float = 20) -> dict:
    return {"geolocation": {"longitude": place[0], "latitude": place[1], "accuracy": accuracy}, "permissions": ["geolocation"]}


def ready(page: Page) -> None:
    """Wait until the worker rules the page and has filled its shell."""
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    comes_true(page, "navigator.serviceWorker.controller !== null")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_no_barrier_nothing_too_wide_and_nothing_too_small_to_tap(
    address: str, phone: Callable[..., Page], language: str
) -> None:
    page = phone("zh-CN" if language == "zh" else "en-GB")
    for path in pages(language):
        page.goto(address + path)
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert_accessible(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
        small = page.evaluate("""() => [...document.querySelectorAll("main button, main select, main input[type=search],"
            + " main summary, main .button, main .name, main .links a, main .tel, main .filters label, main .crumbs a, header a")]
            .filter(e => e.offsetParent && e.getBoundingClientRect().height < 43.5).map(e => e.outerHTML)""")
        assert small == [], path


def test_without_scripts_lists_filters_pages_and_route_tables_work(address: str, phone: Callable[..., Page]) -> None:
    page = phone("en-GB", java_script_enabled=False)
    page.goto(address + "/en/shelters/")
    expect(page.get_by_role("link", name="Old Hall")).to_be_visible()
    page.get_by_label("Step-free way in").check()
    expect(page.get_by_role("link", name="Liulian School")).to_be_visible()
    expect(page.get_by_role("link", name="Old Hall")).to_be_hidden()
    page.get_by_label("Pets allowed").check()
    expect(page.get_by_role("link", name="Liulian School")).to_be_hidden()
    page.goto(address + f"/en/communities/{LIULIAN}/")
    # The ways for the danger of the warning in force stand open.
    expect(page.get_by_role("table").first).to_contain_text("Liulian School")
    page.locator(".steps summary").first.click()
    expect(page.locator(".steps ol li").first).to_be_visible()
    page.goto(address + "/en/route/")
    expect(page.get_by_text("Without them you find the same ways")).to_be_visible()
    expect(page.locator("[data-ask]")).to_be_hidden()


@pytest.mark.parametrize(("language", "minutes", "stays", "kerbs"), [
    ("zh", "步行", "位置信息只留在本机", "台阶"), ("en", "minutes on foot", "stays on this device", "Kerbs and slopes")])
def test_from_where_i_am_to_the_shelter_in_words_with_the_location_kept_on_the_device(
    address: str, phone: Callable[..., Page], language: str, minutes: str, stays: str, kerbs: str
) -> None:
    page = phone("zh-CN" if language == "zh" else "en-GB", **at(MIDDLE))
    asked: list[str] = []
    page.context.on("request", lambda request: asked.append(request.url + (request.post_data or "")))
    page.goto(f"{address}/{language}/route/#water")
    expect(page.get_by_text(stays).first).to_be_visible()
    page.locator("[data-near]").click()
    expect(page.locator("[data-sum]")).to_contain_text(minutes)
    assert page.locator("[data-steps] li").count() >= 2
    expect(page.locator("[data-steps]")).to_contain_text("六联小学" if language == "zh" else "Liulian School")
    expect(page.locator("[data-links] a")).to_have_count(4)
    steps, drawn = page.locator("[data-steps]").bounding_box(), page.locator("#way-map").bounding_box()
    assert steps["y"] < drawn["y"], "words first, map second"
    assert page.locator("#way-map path").count() > 3
    assert_accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator("input[name=profile][value=step_free]").check()
    expect(page.locator("[data-steps]")).to_contain_text(kerbs)
    page.evaluate("window.print = () => { window.printed = true; }")
    page.locator("[data-print]").click()
    assert page.evaluate("window.printed") is True
    page.emulate_media(media="print")
    expect(page.locator("[data-steps] li").last).to_be_visible()
    expect(page.locator("#way-map")).to_be_visible()
    expect(page.locator("[data-ask]")).to_be_hidden()
    assert not [url for url in asked if f"{MIDDLE[0]}"[:7] in url or f"{MIDDLE[1]}"[:6] in url]


def test_a_location_refused_or_unknown_or_wrong_by_two_kilometres_is_said_and_other_ways_in_stay(
    address: str, phone: Callable[..., Page]
) -> None:
    refused = phone("en-GB", permissions=[])
    refused.goto(address + "/en/route/")
    refused.locator("[data-near]").click()
    expect(refused.locator("[data-here]")).to_contain_text("Your location was refused.")
    refused.locator("#community").select_option(LIULIAN)
    expect(refused.locator("[data-answer], [data-nowhere]").locator("visible=true")).to_have_count(1)
    rough = phone("zh-CN", **at(MIDDLE, accuracy=2000))
    rough.goto(address + "/zh/route/")
    rough.locator("[data-near]").click()
    expect(rough.locator("[data-here]")).to_contain_text("定位误差约 2000 米")
    expect(rough.locator("[data-answer]")).to_be_hidden()
    rough.goto(address + "/zh/shelters/")
    rough.locator("[data-near]").click()
    expect(rough.locator("[data-here]")).to_contain_text("2000")
    expect(rough.get_by_role("link", name="选择所在社区")).to_be_visible()


def test_a_place_outside_and_an_unsuitable_district_have_no_invented_way(address: str, phone: Callable[..., Page]) -> None:
    page = phone("en-GB", **at((113.0, 22.0)))
    page.goto(address + "/en/route/")
    page.locator("[data-near]").click()
    expect(page.locator("[data-here]")).to_contain_text("outside the district")
    expect(page.locator("[data-answer]")).to_be_hidden()


def test_an_address_is_found_on_the_device(address: str, phone: Callable[..., Page]) -> None:
    page = phone("zh-CN")
    page.goto(address + "/zh/route/")
    page.locator("#address").fill("横3路18号")
    page.get_by_role("button", name=re.compile("横3路")).first.click()
    expect(page.locator("[data-sum]")).to_contain_text("步行")
    page.locator("#address").fill("没有这条路")
    expect(page.locator("[data-here]")).to_contain_text("没有找到该名称")


def test_the_nearest_come_first_and_typing_narrows(address: str, phone: Callable[..., Page]) -> None:
    page = phone("en-GB", **at(MIDDLE))
    page.goto(address + "/en/shelters/")
    page.locator("[data-near]").click()
    expect(page.locator("[data-far]").first).to_contain_text("m in a straight line")
    page.locator("#typed").fill("old")
    expect(page.get_by_role("link", name="Old Hall")).to_be_visible()
    expect(page.get_by_role("link", name="Liulian School")).to_be_hidden()
    expect(page.locator("[data-count]")).to_contain_text("1 of 3")


def test_with_the_network_off_shelters_community_and_way_open_and_say_how_old_they_are(
    address: str, phone: Callable[..., Page]
) -> None:
    page = phone("zh-CN", **at(MIDDLE))
    page.goto(address + f"/zh/communities/{LIULIAN}/")
    ready(page)
    page.locator("[data-keep-button]").click()
    expect(page.locator("[data-kept-words]")).to_contain_text("断网时也能打开")
    page.context.set_offline(True)
    for path in (f"/zh/communities/{LIULIAN}/", "/zh/shelters/", "/zh/shelters/OPEN/"):
        page.goto(address + path)
        expect(page.locator("main")).to_contain_text("六联小学")
        expect(page.locator("[data-kept-banner]")).to_contain_text("网络中断或过慢，以下内容截至")
        expect(page.locator("[data-kept-banner]")).to_contain_text("分钟前")
    expect(page.locator("header [data-mine]")).to_have_attribute("href", f"/zh/communities/{LIULIAN}/")
    page.goto(address + "/zh/route/#wind")
    page.locator("[data-near]").click()
    expect(page.locator("[data-sum]")).to_contain_text("步行")
    expect(page.locator("[data-answer] [data-as-of]")).to_contain_text("目前没有网络")
    page.goto(address + "/zh/archive/")
    expect(page.locator("h1")).to_contain_text("本机未保存此页")
    page.context.set_offline(False)
    page.goto(address + "/zh/shelters/")
    expect(page.locator("[data-kept-banner]")).to_be_hidden()


def test_the_worker_keeps_nothing_of_the_desk_or_the_staff_and_is_bounded(address: str, phone: Callable[..., Page]) -> None:
    page = phone("en-GB")
    page.goto(address + "/en/")
    ready(page)
    page.evaluate("Promise.all(['/desk/', '/staff/', '/static/x.js'].map(path => fetch(path).catch(() => 0)))")
    page.evaluate("(async () => { for (let n = 0; n < 60; n++) await fetch('/en/archive/?n=' + n); })()")
    kept = page.evaluate("""caches.keys().then(names => Promise.all(names.map(name => caches.open(name).then(c => c.keys()))))
        .then(all => all.flat().map(request => new URL(request.url).pathname))""")
    assert "/en/shelters/" in kept
    assert not [path for path in kept if path.startswith(("/desk", "/staff", "/static"))]
    assert len(kept) < 100
    assert kept.count("/en/archive/") == 1


def test_an_older_version_is_cleaned_away(address: str, phone: Callable[..., Page]) -> None:
    page = phone("en-GB")
    page.goto(address + "/robots.txt")
    page.evaluate("Promise.all(['anlan-shell-old', 'anlan-pages-old', 'others'].map(name => caches.open(name)))")
    page.goto(address + "/en/")
    ready(page)
    comes_true(page, "caches.keys().then(names => !names.includes('anlan-shell-old'))")
    names = page.evaluate("caches.keys()")
    assert "others" in names, "what is not ours is left alone"
    assert not [name for name in names if name.endswith("-old")]


@pytest.mark.parametrize(("status", "delay"), [("503 Service Unavailable", 0.0), ("", 4.0)])
def test_a_server_in_trouble_or_too_slow_does_not_keep_the_kept_page_away(
    address: str, moods: Moods, phone: Callable[..., Page], status: str, delay: float
) -> None:
    page = phone("en-GB")
    page.goto(address + "/en/shelters/")
    ready(page)
    moods.status, moods.delay = status, delay
    try:
        page.goto(address + "/en/shelters/")
        expect(page.locator("main")).to_contain_text("Liulian School")
        expect(page.locator("[data-kept-banner]")).to_contain_text("You are offline, or the network is too slow.")
    finally:
        moods.status, moods.delay = "", 0.0


def test_the_address_without_a_language_opens_without_the_network(address: str, phone: Callable[..., Page]) -> None:
    page = phone("en-GB")
    page.goto(address + "/")
    ready(page)
    page.goto(address + "/")
    assert page.url == address + "/en/"
    page.context.set_offline(True)
    page.goto(address + "/")
    expect(page.locator("h1")).to_contain_text("Warnings in force")
    expect(page.locator("[data-kept-banner]")).to_be_visible()
