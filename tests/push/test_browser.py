"""In a real browser: the switch, the worker that shows what arrives, the click; with the network and without.

Chromium has no push service here: the page's subscription comes from the fake one, and messages are delivered to the real worker
by the browser's own debugging protocol.
"""

from __future__ import annotations

import json
import shutil
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, CDPSession, Page
from waitress import create_server

from portal import create_app
from portal.config import Settings
from portal.core.db import db
from portal.site.publish import publish
from tests import district, serving
from tests.chromium import DESKTOP, PHONE, assert_accessible, assert_fits, comes_true
from tests.push.service import PushService

#: Stands for the browser's connection to a push service: everything else is the browser's own.
SUBSCRIBING = """
(() => {
  const made = %s;
  const kept = () => JSON.parse(localStorage.getItem("test.push") || "null");
  const whole = (key) => ({
    endpoint: made.endpoint, options: {applicationServerKey: Uint8Array.from(key).buffer, userVisibleOnly: true},
    toJSON: () => made,
    unsubscribe: () => { localStorage.removeItem("test.push"); return Promise.resolve(true); },
  });
  PushManager.prototype.getSubscription = () => Promise.resolve(kept() && whole(kept()));
  PushManager.prototype.subscribe = (options) => {
    const key = Array.from(new Uint8Array(options.applicationServerKey));
    if (!options.userVisibleOnly || key.length !== 65) return Promise.reject(new Error("no"));
    localStorage.setItem("test.push", JSON.stringify(key));
    return Promise.resolve(whole(key));
  };
})();
"""
#: In the worker: how many messages it has done with. What is shown would vanish by itself after some time, as long as nobody asks
#: for it to stay; here all stay, and what was asked for is noted.
WATCHED = """() => {
  self.done = 0;
  const wait = ExtendableEvent.prototype.waitUntil, show = ServiceWorkerRegistration.prototype.showNotification;
  ExtendableEvent.prototype.waitUntil = function (work) {
    if (this instanceof PushEvent) Promise.resolve(work).finally(() => { self.done += 1; });
    return wait.call(this, work);
  };
  ServiceWorkerRegistration.prototype.showNotification = function (title, options) {
    const data = {...options.data, stays: options.requireInteraction};
    return show.call(this, title, {...options, data, requireInteraction: true});
  };
}"""
SHOWN = """async () => (await (await navigator.serviceWorker.ready).getNotifications())
  .map(n => ({title: n.title, body: n.body, tag: n.tag, url: n.data.url, stays: n.data.stays, lang: n.lang}))"""


class Server:
    def __init__(self, url: str) -> None:
        self.url = url

    def wanted(self, subscription: dict) -> tuple[list[str], str, str] | None:
        """Communities, lowest tier and language that the portal knows of the device."""
        body = json.dumps({"endpoint": subscription["endpoint"]}).encode()
        with urllib.request.urlopen(self.url + "/push/mine", data=body, timeout=30) as answer:
            told = json.load(answer)
        return (told["regions"], told["tier"], told["language"]) if told["known"] else None


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path, push_process: PushService) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("push")
    shutil.copy(sqlite_template, folder / "anlan.db")
    app = create_app(Settings(instance=folder, surfaces="site", push_services=push_process.url, public_url="http://localhost"))
    with app.app_context():
        district.settle_regions()
    publish(app)
    made = create_server(app, host="127.0.0.1", port=0)
    thread = threading.Thread(target=made.run, daemon=True)
    thread.start()
    yield Server(f"http://127.0.0.1:{made.effective_port}")
    serving.end(made, thread)
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def device(server: Server, push_process: PushService, chromium) -> Iterator[tuple[Page, dict]]:
    """A phone that may show notifications, and the subscription that it will have."""
    subscription = push_process.new()[0]
    context: BrowserContext = chromium.new_context(viewport=PHONE, locale="zh-CN")
    context.grant_permissions(["notifications"], origin=server.url)
    context.add_init_script(SUBSCRIBING % json.dumps(subscription))
    page = context.new_page()
    yield page, subscription
    context.close()


def said(page: Page, what: str) -> None:
    page.locator(f'[data-push-status][data-said="{what}"]').wait_for(timeout=30_000)


def turn_on(page: Page, server: Server, language: str = "zh") -> None:
    page.goto(f"{server.url}/{language}/notifications/?community={district.LIULIAN}")
    said(page, "is-off")
    page.locator("[data-push-on]").click()
    said(page, "on")


class Worker:
    """The page's service worker, reached through the debugging protocol."""

    def __init__(self, page: Page, url: str) -> None:
        self._page, self._url = page, url
        comes_true(page, "navigator.serviceWorker.ready.then((one) => one.active.state === 'activated')")
        self._cdp: CDPSession = page.context.new_cdp_session(page)
        registrations: list[dict] = []
        self._cdp.on("ServiceWorker.workerRegistrationUpdated", lambda event: registrations.extend(event["registrations"]))
        self._cdp.send("ServiceWorker.enable")
        self._until(lambda: any(r["scopeURL"].startswith(url) for r in registrations))
        self._id = [r["registrationId"] for r in registrations if r["scopeURL"].startswith(url) and not r["isDeleted"]][-1]
        self._until(lambda: page.context.service_workers)
        self.inside = page.context.service_workers[0]
        self.inside.evaluate(WATCHED)

    def deliver(self, message: dict | str) -> None:
        """Ends when the worker has done with it. Nobody may ask what is shown before that: Chromium drops from its list what is
        just being shown."""
        data = message if isinstance(message, str) else json.dumps(message)
        before = self.inside.evaluate("self.done")
        self._cdp.send("ServiceWorker.deliverPushMessage", {"origin": self._url, "registrationId": self._id, "data": data})
        self._until(lambda: self.inside.evaluate("self.done") > before)

    def shows(self, *titles: str) -> list[dict]:
        """What is on the screen, once it is exactly these."""
        self._until(lambda: sorted(n["title"] for n in self._page.evaluate(SHOWN)) == sorted(titles))
        return self._page.evaluate(SHOWN)

    def _until(self, true: Any) -> None:
        deadline = time.monotonic() + 30
        while not true():
            assert time.monotonic() < deadline, self._page.evaluate(SHOWN)
            self._page.wait_for_timeout(50)


def message(**changes: Any) -> dict:
    return {"v": 1, "id": "w1", "n": 1, "kind": "alert", "tier": "red", "drill": False, "lang": "zh-CN", "title": "暴雨红色预警",
            "body": "请立即转移。", "url": "/zh/warnings/20261122-01/", "sent": time.time(), "end": time.time() + 3600} | changes


def test_a_resident_turns_notifications_on_changes_them_and_turns_them_off(server: Server, device) -> None:
    page, subscription = device
    turn_on(page, server)
    assert server.wanted(subscription) == ([district.LIULIAN], "white", "zh")
    page.goto(f"{server.url}/zh/notifications/")
    said(page, "is-on")
    page.locator("[data-push-add]").select_option("440310001002")
    page.locator("[data-push-tier]").select_option("orange")
    page.locator("[data-push-on]").click()
    said(page, "on")
    assert server.wanted(subscription) == ([district.LIULIAN, "440310001002"], "orange", "zh")
    page.get_by_role("button", name="移除").first.click()
    page.get_by_role("button", name="移除").first.click()
    page.locator("[data-push-on]").click()
    said(page, "choose")
    assert server.wanted(subscription)[1] == "orange", "nothing was changed"
    page.get_by_role("button", name="关闭通知").click()
    said(page, "off")
    assert server.wanted(subscription) is None
    page.reload()
    said(page, "is-off")


def test_what_arrives_is_shown_once_in_order_and_never_after_its_end(server: Server, device) -> None:
    page, _subscription = device
    turn_on(page, server)
    worker = Worker(page, server.url)
    worker.deliver(message())
    shown, = worker.shows("暴雨红色预警")
    assert shown == {"title": "暴雨红色预警", "body": "请立即转移。", "tag": "w1", "url": "/zh/warnings/20261122-01/",
                     "stays": True, "lang": "zh-CN"}
    worker.deliver(message(n=3, kind="cancel", title="暴雨预警解除"))
    assert worker.shows("暴雨预警解除")[0]["stays"] is False
    worker.deliver(message(n=2, title="迟到的更新"))
    worker.deliver(message(id="w2", title="【演练】地震", drill=True, url="https://evil.example/"))
    assert {(n["url"], n["stays"]) for n in worker.shows("暴雨预警解除", "【演练】地震")} == {
        ("/zh/warnings/20261122-01/", False), ("/", False)}
    worker.deliver(message(id="w3", title="已经结束", end=time.time() - 1))
    worker.deliver(message(id="w4", title="四"))
    worker.shows("暴雨预警解除", "【演练】地震", "四")
    page.evaluate("""async () => (await (await navigator.serviceWorker.ready).getNotifications()).forEach(n => n.close())""")
    worker.deliver(message(n=3, title="同一条再来一次"))
    worker.deliver(message(id="w5", title="五"))
    worker.shows("五")
    page.evaluate("""async () => (await navigator.serviceWorker.ready)
      .showNotification("旧的", {tag: "old", data: {end: Date.now() / 1000 - 5, url: "/"}})""")
    worker.shows("五", "旧的")
    worker.deliver(message(id="w6", title="六"))
    worker.shows("五", "六")  # what ended while it stood there is taken down


def test_a_worker_shows_what_a_later_version_of_the_portal_sends_and_what_it_cannot_read(server: Server, device) -> None:
    page, _subscription = device
    turn_on(page, server)
    worker = Worker(page, server.url)
    worker.deliver({"v": 99, "title": "新格式", "body": {"parts": []}, "url": 7, "end": "soon", "n": "x", "layout": [1, 2]})
    assert worker.shows("新格式")[0]["body"] == ""
    worker.deliver("not JSON at all")
    shown = next(n for n in worker.shows("安澜 Anlan") if n["title"] == "安澜 Anlan")
    assert "请点开查看" in shown["body"]


def test_a_click_leads_to_the_warning_and_a_page_that_is_open_is_used(server: Server, device) -> None:
    page, _subscription = device
    turn_on(page, server)
    worker = Worker(page, server.url)
    worker.deliver(message())
    worker.deliver(message(id="w2", title="这里", url=f"/zh/notifications/?community={district.LIULIAN}"))
    worker.shows("暴雨红色预警", "这里")
    # A click is the one thing that the protocol cannot do, and only a click may open or focus a window: these two are watched.
    assert worker.inside.evaluate("""async () => {
      const done = [];
      Clients.prototype.openWindow = (url) => { done.push("open " + url); return Promise.resolve(null); };
      WindowClient.prototype.focus = function () { done.push("focus"); return Promise.resolve(this); };
      for (const notification of await registration.getNotifications())
        self.dispatchEvent(new NotificationEvent("notificationclick", {notification}));
      for (let i = 0; i < 200 && done.length < 2; i++) await new Promise((next) => setTimeout(next, 50));
      return done.sort();
    }""") == ["focus", "open /zh/warnings/20261122-01/"]
    worker.shows()


def test_a_browser_that_gets_another_address_keeps_its_warnings(server: Server, device, push_process: PushService) -> None:
    page, subscription = device
    turn_on(page, server)
    new = push_process.new()[0]
    Worker(page, server.url).inside.evaluate("""(made) => {
      const event = new ExtendableEvent("pushsubscriptionchange");
      Object.defineProperty(event, "newSubscription", {value: {endpoint: made.endpoint, toJSON: () => made}});
      self.dispatchEvent(event);
    }""", new)
    deadline = time.monotonic() + 30
    while server.wanted(new) is None:
        assert time.monotonic() < deadline
        page.wait_for_timeout(50)
    assert server.wanted(new) == ([district.LIULIAN], "white", "zh")
    assert server.wanted(subscription) is None


def test_turning_off_works_without_the_network_and_the_portal_hears_of_it_later(server: Server, device) -> None:
    page, subscription = device
    turn_on(page, server)
    worker = Worker(page, server.url)
    # The shell is kept before the network goes: the page must be there then.
    comes_true(page, "caches.match('/zh/notifications/').then(Boolean)")
    page.context.set_offline(True)
    page.reload()
    said(page, "unreachable")
    page.get_by_role("button", name="关闭通知").click()
    said(page, "off-later")
    assert server.wanted(subscription) is not None
    worker.deliver(message())
    page.context.set_offline(False)
    worker.deliver(message(id="w2", title="又一条"))
    assert page.evaluate(SHOWN) == [], "a device that was turned off shows nothing"
    assert server.wanted(subscription) is None, "the portal heard of it as soon as something reached the worker"
    page.reload()
    said(page, "is-off")


def test_who_turns_notifications_on_again_is_told_also_on_a_full_disk(server: Server, device) -> None:
    page, _subscription = device
    turn_on(page, server)
    page.get_by_role("button", name="关闭通知").click()
    said(page, "off")
    page.evaluate("""() => { Cache.prototype.put = () => Promise.reject(new DOMException("full", "QuotaExceededError")); }""")
    page.locator("[data-push-on]").click()
    said(page, "on")
    worker = Worker(page, server.url)
    worker.deliver(message())
    worker.shows("暴雨红色预警")


def test_the_portal_out_of_reach_leaves_nothing_half_on(server: Server, device) -> None:
    page, subscription = device
    page.goto(f"{server.url}/en/notifications/?community={district.LIULIAN}")
    said(page, "is-off")
    page.route("**/push/device*", lambda route: route.abort())
    page.locator("[data-push-on]").click()
    said(page, "unreachable")
    page.route("**/push/device*", lambda route: route.fulfill(status=429, json={"title": "Too many requests: wait."}))
    page.locator("[data-push-on]").click()
    said(page, "refused")
    assert page.locator("[data-push-status]").inner_text() == "Too many requests: wait."
    assert page.evaluate("localStorage.getItem('test.push')") is None
    assert server.wanted(subscription) is None


def test_the_switch_fits_every_screen_and_has_no_barriers(server: Server, device) -> None:
    page, _subscription = device
    errors: list[str] = []
    page.on("console", lambda told: errors.append(told.text) if told.type == "error" else None)
    for language, size in (("zh", PHONE), ("en", DESKTOP)):
        page.set_viewport_size(size)
        page.goto(f"{server.url}/{language}/notifications/?community={district.LIULIAN}")
        said(page, "is-off")
        assert_accessible(page)
        for width in (320, 390, 1280):
            page.set_viewport_size({"width": width, "height": 800})
            assert_fits(page)
    page.set_viewport_size(PHONE)
    assert errors == []
    small = page.evaluate("""() => [...document.querySelectorAll("[data-push] button, [data-push] select")]
      .filter(e => e.offsetParent && e.getBoundingClientRect().height < 44).map(e => e.outerHTML)""")
    assert small == []
