"""In a real browser: readable for everybody on a cheap phone and a wide screen, and the search goes on without the network."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect
from waitress import create_server

from tests import serving
from tests.chromium import assert_accessible, comes_true

PHONE, WIDE = {"width": 390, "height": 844}, {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def address(site: Flask) -> Iterator[str]:
    server = create_server(site, host="127.0.0.1", port=0)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.effective_port}"
    serving.end(server, thread)


@pytest.fixture
def open_page(address: str, chromium: Browser, request: pytest.FixtureRequest):
    contexts = []

    def opened(path: str, viewport: dict, **more: object) -> Page:
        context = chromium.new_context(viewport=viewport, base_url=address, **more)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: pytest.fail(str(error)))
        page.goto(path)
        return page

    yield opened
    for context in contexts:
        context.close()


@pytest.mark.parametrize(("language", "viewport"), [("zh", PHONE), ("en", WIDE)])
@pytest.mark.parametrize("path", ["guides/", "guides/rainstorm/", "guides/emergency-kit/", "search/?q=water"])
def test_pages_have_no_faults_for_readers_and_fit_the_screen(open_page, language: str, viewport: dict, path: str):
    page = open_page(f"/{language}/{path}", viewport)
    assert_accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    small = page.evaluate("""[...document.querySelectorAll('main a, main button, header a, main label')]
        .filter(e => e.getClientRects().length && !e.closest('p, .guide li') && e.getBoundingClientRect().height < 43
            && e.htmlFor === '').map(e => e.outerHTML)""")
    assert small == []


def test_typing_searches_on_the_phone_and_marks_the_words(open_page):
    page = open_page("/zh/search/", PHONE)
    expect(page.locator("html[data-search=ready]")).to_be_attached()
    page.get_by_role("searchbox").fill("燃气")
    expect(page.locator(".results a").first).to_have_attribute("href", "/zh/guides/gas-chemicals/")
    assert page.locator(".results mark").first.inner_text() == "燃气"
    page.get_by_role("searchbox").fill("足球")
    expect(page.get_by_text("没有找到。")).to_be_visible()
    page.get_by_role("searchbox").fill("礼堂")
    expect(page.locator(".results a").first).to_have_text("<b>礼堂</b>&")


def test_without_scripts_the_form_finds_the_same(open_page):
    page = open_page("/zh/guides/", PHONE, java_script_enabled=False)
    page.get_by_role("searchbox").fill("燃气")
    page.get_by_role("button", name="搜索").click()
    assert page.locator(".results a").first.get_attribute("href") == "/zh/guides/gas-chemicals/"


def test_a_read_guide_and_the_search_stay_when_the_network_is_gone(open_page):
    page = open_page("/zh/", PHONE)
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    comes_true(page, "navigator.serviceWorker.controller !== null")
    page.goto("/zh/guides/lightning/")
    comes_true(page, "caches.open('anlan-guides').then(c => c.match('/zh/guides/lightning/')).then(r => !!r)")
    comes_true(page, "caches.open('anlan-guides').then(c => c.keys())"
                     ".then(k => k.some(r => /lightning-shelter/.test(r.url)))")
    page.context.set_offline(True)
    page.goto("/zh/guides/lightning/")
    expect(page.get_by_role("heading", name="雷电和强对流")).to_be_visible()
    comes_true(page, "document.querySelector('.guide img').naturalWidth > 0")
    page.goto("/zh/search/?q=" + "台风")
    expect(page.locator(".results a").first).to_have_attribute("href", "/zh/guides/typhoon/")
