"""In a real browser: clean for screen readers, narrow and wide, without scripts, true when the device's clock has run on; what
concerns the reader comes first, pages renew themselves, and the last of them are there without the network, also where an older
worker had been at work."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Page, expect
from waitress import create_server

from portal import create_app
from portal.config import Settings
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.regions.importer import import_files
from portal.shelters.models import Obstruction, RiskPoint
from portal.site.publish import publish
from portal.warnings.models import ALERT, CANCEL, UPDATE, Bulletin
from tests import serving
from tests.chromium import assert_accessible
from tests.site.records import AREAS, WORDS, record

REGIONS = Path(__file__).resolve().parents[2] / "content" / "regions"
LIULIAN, MIDDLE = "440310001001", {"longitude": 114.3270, "latitude": 22.7129, "accuracy": 20}
#: An obstruction of two parts.
TWO_AREAS = {"type": "MultiPolygon", "coordinates": [
    [[[lon, 22.65], [lon + .001, 22.65], [lon + .001, 22.651], [lon, 22.65]]] for lon in (114.40, 114.42)]}
PHONE = {"width": 390, "height": 844}
PAGES = ("/", "/warnings/20261122-01/", "/warnings/20261121-01/", "/archive/", "/about/")
#: Those that are made of the same pieces are looked at once in each language.
MORE = ("/warnings/20261122-01/history/", "/archive/tier/red/", "/map/", "/subscribe/")
WARNINGS = [f"20261122-{at:02}" for at in range(1, 6)]
ASK = "window.dispatchEvent(new Event('online'))"


class Server:
    """Counts what is answered, and may give another worker than the one that is published."""

    def __init__(self, app: Flask) -> None:
        self.app, self.answers, self.worker = app, [], None
        self.address = ""

    def __call__(self, environ: dict, start: Callable) -> object:
        path = environ["PATH_INFO"]
        if path == "/sw.js" and self.worker is not None:
            start("200 OK", [("Content-Type", "text/javascript"), ("Service-Worker-Allowed", "/"), ("Cache-Control", "no-cache")])
            return [self.worker.encode()]

        def begin(status: str, headers: list, *more: object) -> object:
            self.answers.append((path, status[:3]))
            return start(status, headers, *more)

        return self.app(environ, begin)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("living")
    shutil.copy(sqlite_template, folder / "anlan.db")
    app = create_app(Settings(instance=folder, surfaces="site", demo=True, public_url="http://localhost"))
    with app.app_context():
        import_files([REGIONS / "440310.csv", REGIONS / "440310.geojson"])
        record("20261122-01", kinds=(ALERT, UPDATE), areas=AREAS[1:])
        record("20261122-02", tier="orange", areas=AREAS[:1])
        for at, tier in enumerate(("yellow", "blue", "white"), 3):
            record(f"20261122-{at:02}", tier=tier, areas=AREAS[1:])
        record("20261121-01", kinds=(ALERT, CANCEL), issued=utcnow() - timedelta(days=2), areas=AREAS[:1])
        with transaction() as session:
            session.add(RiskPoint(code="N1", region_code=LIULIAN, kind="waterlogging", name_zh="同富路低洼处",
                                  name_en="Low end of Tongfu Road", longitude=MIDDLE["longitude"], latitude=MIDDLE["latitude"]))
            session.add(Obstruction(
                kind="waterlogging", name_zh="两处积水", name_en="Two floods", geometry=TWO_AREAS, effect="cuts", source="desk",
                begins_at=utcnow(), region_codes=[LIULIAN], created_by="test", created_at=utcnow(), changed_at=utcnow()))
    publish(app)
    counted = Server(app)
    served = create_server(counted, host="127.0.0.1", port=0)
    counted.address = f"http://127.0.0.1:{served.effective_port}"
    thread = threading.Thread(target=served.run, daemon=True)
    thread.start()
    yield counted
    serving.end(served, thread)
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def phone(chromium: Browser) -> Iterator[Callable[..., Page]]:
    contexts: list[BrowserContext] = []
    wrong: list[str] = []

    def take(**options: object) -> Page:
        context = chromium.new_context(viewport=PHONE, locale="zh-CN", **options)
        context.set_default_timeout(30_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if "Content Security Policy" in said.text else None)
        return page

    yield take
    for context in contexts:
        context.close()
    assert wrong == []


def order(page: Page) -> list[str]:
    return [str(link.get_attribute("href")).split("/")[3] for link in page.locator("article.card h2 a").all()]


def until(page: Page, script: str) -> None:
    """Wait until what the script promises is true."""
    for _attempt in range(600):
        if page.evaluate(script):
            return
        page.wait_for_timeout(50)
    pytest.fail(f"never came true: {script}")


def ready(page: Page) -> None:
    """Wait until the worker rules the page."""
    until(page, "navigator.serviceWorker.controller !== null")


def say(app: Flask, number: str, field: str, text: str) -> None:
    """The warning says something else from now on. Playwright keeps an event loop in the thread of the test, so another one."""
    thread = threading.Thread(target=_say, args=(app, number, field, text))
    thread.start()
    thread.join()


def _say(app: Flask, number: str, field: str, text: str) -> None:
    with app.app_context(), transaction() as session:
        found = session.query(Bulletin).filter_by(warning_number=number, position=1).one()
        words = deepcopy(found.snapshot["words"])
        words["zh"][field] = text
        found.snapshot = {**found.snapshot, "words": words}
        found.cap_sha256 = f"{hash(text) & (2 ** 64 - 1):064x}"
    publish(app)


def test_what_is_in_force_where_the_reader_lives_comes_first_and_only_the_device_knows_where(
    server: Server, phone: Callable[..., Page]
) -> None:
    page = phone(geolocation=MIDDLE, permissions=["geolocation"])
    asked: list[str] = []
    page.on("request", lambda request: asked.append(f"{request.url} {request.post_data or ''}"))
    page.goto(f"{server.address}/zh/")
    assert order(page) == WARNINGS
    page.locator("[data-place-near]").click()
    expect(page.locator("[data-place-name]")).to_have_text("六联社区")
    expect(page.get_by_role("heading", name="本区其他地方")).to_be_visible()
    assert order(page) == [WARNINGS[1], WARNINGS[0], *WARNINGS[2:]]
    page.goto(f"{server.address}/en/")
    expect(page.locator("[data-place-name]")).to_have_text("Liulian Community")
    expect(page.locator("[data-place-link]")).to_have_attribute("href", f"/en/communities/{LIULIAN}/")
    assert order(page) == [WARNINGS[1], WARNINGS[0], *WARNINGS[2:]]
    assert not [url for url in asked if "114." in url or "22.7" in url]
    page.get_by_role("button", name="Forget it").click()
    expect(page.get_by_role("button", name="Where am I?")).to_be_visible()
    assert order(page) == WARNINGS


def test_a_page_renews_itself_by_its_etag_and_the_reader_stays_there(server: Server, phone: Callable[..., Page]) -> None:
    path = "/zh/warnings/20261122-02/"
    page = phone(service_workers="block")
    page.goto(server.address + path)
    notice = page.locator("[data-updated]")
    server.answers.clear()
    with page.expect_response(lambda answer: answer.url.endswith(path)):
        page.evaluate(ASK)
    assert (path, "304") in server.answers, "what the reader has is not sent again"
    expect(notice).to_be_hidden()
    before = page.evaluate("""() => { const mark = document.querySelector("#history h2"); mark.scrollIntoView();
        window.mark = document.querySelector("article"); return mark.getBoundingClientRect().top; }""")
    say(server.app, "20261122-02", "instruction", WORDS["zh"]["instruction"] + "\n4. 到六联小学避险。\n5. 带上身份证。")
    page.evaluate(ASK)
    expect(notice).to_contain_text("您看到的是最新内容")
    expect(page.get_by_text("到六联小学避险。")).to_have_count(1)
    after = page.evaluate("document.querySelector('#history h2').getBoundingClientRect().top")
    assert abs(after - before) < 60, "the words that were read stay where they were"
    assert page.evaluate("document.title").count("坪山区应急管理局") <= 1


def test_what_is_pressed_while_the_page_renews_itself_is_not_lost(server: Server, phone: Callable[..., Page]) -> None:
    page = phone(service_workers="block")
    page.goto(f"{server.address}/zh/")
    say(server.app, "20261122-02", "headline", WORDS["zh"]["headline"] + "，请立即避险")
    page.locator("main a[href='/zh/warnings/20261122-02/']").first.hover()
    page.mouse.down()
    with page.expect_response(lambda answer: answer.url.endswith("/zh/")) as answer:
        page.evaluate(ASK)
    answer.value.finished()
    page.wait_for_timeout(200)  # in which the answer would have been put there
    page.mouse.up()
    page.wait_for_url("**/zh/warnings/20261122-02/")


def test_the_warnings_of_the_front_page_are_there_without_the_network_though_nobody_opened_them(
    server: Server, phone: Callable[..., Page]
) -> None:
    page = phone()
    page.goto(f"{server.address}/zh/")
    until(page, "caches.open('anlan-warnings').then(cache => cache.keys()).then(keys => keys.length >= 6)")
    ready(page)
    page.context.set_offline(True)
    page.goto(f"{server.address}/zh/warnings/20261121-01/")
    expect(page.locator("[data-kept-banner]")).to_contain_text("分钟前")
    expect(page.get_by_text("已解除").first).to_be_visible()
    page.goto(f"{server.address}/zh/")
    expect(page.locator("[data-kept-banner]")).to_be_visible()
    assert order(page) == WARNINGS


def test_a_worker_of_an_older_version_gives_way_and_what_was_chosen_stays(server: Server, phone: Callable[..., Page]) -> None:
    page = phone(geolocation=MIDDLE, permissions=["geolocation"])
    new = server.app.test_client().get("/sw.js").text
    at = new.index('"version": "') + 12
    old = new[:at] + "0" * 12 + new[at + 12:].replace('/search/zh.json', '/gone/zh.json')
    try:
        server.worker = old.replace("MOST_WARNINGS", "MOST_OF_OLD")
        page.goto(f"{server.address}/zh/")
        until(page, "caches.has('anlan-shell-000000000000')")
        ready(page)
        page.locator("[data-place-near]").click()
        expect(page.locator("[data-place-name]")).to_have_text("六联社区")
        until(page, "caches.open('anlan-mine').then(cache => cache.keys()).then(keys => keys.length >= 2)")
        server.worker = None
        page.evaluate("navigator.serviceWorker.getRegistration().then((found) => found.update())")
        until(page, "caches.has('anlan-shell-000000000000').then(there => !there)")
    finally:
        server.worker = None
    page.context.set_offline(True)
    page.goto(f"{server.address}/zh/communities/{LIULIAN}/")
    expect(page.get_by_role("heading", name="六联社区", exact=True)).to_be_visible()
    expect(page.locator("[data-kept-banner]")).to_be_visible()
    assert page.evaluate("getComputedStyle(document.querySelector('.top')).borderBottomStyle") == "solid", "it has its style"


def test_the_warning_page_with_its_map_style_and_scripts_weighs_under_30_kilobytes(server: Server) -> None:
    client = server.app.test_client()
    for language in ("zh", "en"):
        text = client.get(f"/{language}/warnings/20261122-01/").text
        assert '<svg class="map"' in text
        parts = set(re.findall(r'(?:href|src)="(/assets/[^"]+)"', text))
        weight = len(text.encode()) + sum(len(client.get(path).data) for path in parts)
        assert weight < 30 * 1024, weight


def test_the_archive_is_searched_on_the_device_and_without_scripts_by_links(server: Server, phone: Callable[..., Page]) -> None:
    page = phone(service_workers="block")
    page.goto(f"{server.address}/zh/archive/")
    page.get_by_label("标题关键词或编号").fill("解除")
    expect(page.locator("[data-past-said]")).to_contain_text("没有找到")
    page.get_by_label("标题关键词或编号").fill("暴雨 红色")
    expect(page.locator("[data-past-said]")).to_have_text("找到 1 条")
    expect(page.locator("[data-past-found] .over")).to_have_text("已解除")
    expect(page.locator("[data-past-all]")).to_be_hidden()
    page.get_by_label("范围").select_option(label="坑梓街道")
    expect(page.locator("[data-past-said]")).to_contain_text("没有找到")
    page.get_by_label("范围").select_option(label="坪山街道")
    page.locator("[data-past-found] a").click()
    page.wait_for_url("**/warnings/20261121-01/")
    expect(page.locator("h1")).to_contain_text("坪山区发布暴雨红色预警信号")
    page.go_back()
    expect(page.locator("[data-past-said]")).to_have_text("找到 1 条")
    plain = phone(java_script_enabled=False)
    plain.goto(f"{server.address}/en/archive/")
    assert not plain.locator("form").first.is_visible()
    for link in ("Red warning", "Rainstorm", "Pingshan Subdistrict"):
        plain.goto(f"{server.address}/en/archive/")
        plain.locator("main nav").get_by_role("link", name=link).click()
        expect(plain.locator("main")).to_contain_text("1 past warning")
        expect(plain.locator(".past-list a")).to_have_count(1)


def test_layers_of_the_map_are_switched_and_the_lists_say_the_same_without_scripts(
    server: Server, phone: Callable[..., Page]
) -> None:
    page = phone(service_workers="block")
    page.goto(f"{server.address}/zh/map/")
    page.locator("#district-map[data-ready]").wait_for()
    signs = page.locator("#district-map .sign-waterlogging")
    expect(signs).to_have_count(1)
    signs.click(force=True)
    expect(page.locator(".leaflet-popup-content a")).to_have_text("同富路低洼处")
    page.get_by_role("checkbox", name="易涝点").uncheck()
    expect(signs).to_have_count(0)
    expect(page.locator("#district-map .sign-cuts")).to_have_count(1)
    expect(page.locator("[data-map-lacking]")).to_be_hidden()
    assert page.locator("#district-map path.leaflet-interactive").count() == len(WARNINGS) + 1
    plain = phone(java_script_enabled=False)
    plain.goto(f"{server.address}/en/map/")
    plain.locator("summary", has_text="Liulian Community").click()
    expect(plain.locator("main details strong", has_text="Low end of Tongfu Road")).to_be_visible()
    expect(plain.locator("svg.map")).to_be_visible()


def test_axe_finds_nothing_and_nothing_is_wider_than_the_screen(server: Server, chromium: Browser) -> None:
    for width in (390, 1280):
        page = chromium.new_page(viewport={"width": width, "height": 800})
        errors: list[str] = []
        page.on(
            "console", lambda message, to=errors: to.append(message.text) if message.type == "error" else None
        )
        for language in ("zh", "en"):
            whole = (language, width) in (("zh", 390), ("en", 1280))  # each page in each window and in each language
            for path in (*PAGES, *(MORE if whole else ())):
                page.goto(f"{server.address}/{language}{path}")
                if whole:
                    assert_accessible(page, rules={})
                assert page.evaluate("document.documentElement.scrollWidth") <= width, (language, path, width)
        assert errors == []
        page.close()


def test_everything_is_there_without_scripts(server: Server, chromium: Browser) -> None:
    context = chromium.new_context(java_script_enabled=False, locale="en-GB")
    page = context.new_page()
    page.goto(server.address + "/")
    assert page.url.endswith("/en/")
    page.get_by_role("link", name="Red rainstorm warning for Pingshan", exact=True).first.click()
    assert page.get_by_role("heading", name="What to do now").is_visible()
    assert page.get_by_text("In force until").is_visible()
    assert not page.get_by_text("past its time").is_visible()
    assert page.locator("svg.map").is_visible()
    page.get_by_role("link", name="中文").click()
    assert page.get_by_role("heading", name="现在怎么做").is_visible()
    page.emulate_media(media="print")
    assert page.get_by_role("heading", name="现在怎么做").is_visible()
    assert page.locator("svg.map").is_visible()
    assert not page.locator("header nav").is_visible()
    context.close()


def test_a_warning_whose_time_has_passed_does_not_look_live_though_nobody_rendered_it_again(
    server: Server, chromium: Browser
) -> None:
    page = chromium.new_page()
    page.clock.install(time=utcnow() + timedelta(hours=4, minutes=30))
    page.goto(f"{server.address}/zh/warnings/20261122-01/")
    banner = page.get_by_text("按本机时间，本预警已过有效期。")
    assert not banner.is_visible()
    page.clock.fast_forward("40:00")
    banner.wait_for(state="visible", timeout=5000)
    assert "is-past" in (page.locator("article.warning").get_attribute("class") or "")
    page.goto(f"{server.address}/zh/")
    assert page.locator("article.card.is-past").count() == 5
    assert "5 小时前" in page.locator("footer").inner_text()
    page.close()


def test_the_keyboard_reaches_the_content_and_the_warning(server: Server, chromium: Browser) -> None:
    page = chromium.new_page()
    page.goto(f"{server.address}/zh/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "/zh/warnings/20261122-01/"
    page.close()
