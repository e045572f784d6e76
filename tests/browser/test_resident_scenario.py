"""One night of a resident who has just moved in, of a neighbour with a basic phone, and of the screen in the lobby."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from lxml import html
from playwright.sync_api import Locator, Page, expect

from tests.browser.steps import looked_at
from tests.chromium import AXE, PHONE, assert_accessible
from tests.waiting import until
from tests.whole.first_start import copied, first_start
from tests.whole.machine import Machine, running
from tests.whole.operator import Operator

pytestmark = pytest.mark.timeout(400)  # whoever comes first waits for the first start, or makes it
LIULIAN = "440310001001"
NEW, BASIC = "12900077001", "12900077002"
Window = Callable[..., Page]


@dataclass
class Carrier:
    """The phones of the demonstration, as the desk's page of the sandbox shows them."""

    officer: Operator

    def texts(self, number: str) -> list[str]:
        """What a phone received, the newest first."""
        page = self.officer.read(f"/desk/sandbox/?digits={number}")
        return [" ".join(html.tostring(e, method="text", encoding="unicode").split())
                for e in page.xpath("//p[contains(@class, 'bubble') and not(contains(@class, 'bubble-own'))]")]

    def has(self, number: str, words: str) -> str:
        """The text with these words, once it has come."""
        return until(lambda: next((text for text in self.texts(number) if re.search(words, text)), ""), f"{words} on {number}")

    def write(self, number: str, text: str) -> str:
        """Write a text from a phone; what comes back."""
        before = len(self.texts(number))
        self.officer.read("/desk/sandbox/")
        self.officer.post("form[action$=/write]", number=number, body=text)
        return until(lambda: [*self.texts(number), ""][0] if len(self.texts(number)) > before else "", f"an answer to {text}")


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    instance = tmp_path_factory.mktemp("residents") / "instance"
    with running(copied(first_start(tmp_path_factory), instance, ANLAN_SIMULATED_SPEAKERS="0")) as machine:
        yield machine
        assert machine.end() == 0
    assert "Traceback" not in machine.output, machine.output
    assert machine.strangers == ""


def test_a_night_of_somebody_new_of_a_basic_phone_and_of_the_screen_in_the_lobby(window: Window, machine: Machine,
                                                                                 snapshot: Callable) -> None:
    carrier = Carrier(Operator(machine.url, "viewer"))
    phone, screen = window(PHONE), window({"width": 1920, "height": 1080})
    screen.goto(f"{machine.url}/screen/{LIULIAN}/")
    expect(screen.locator("[data-calm]")).to_be_visible()
    found_the_way_in(phone, machine)
    subscribed_on_the_web(phone, machine, carrier)
    subscribed_by_text(carrier)
    number = Operator(machine.url, "approver").approve(Operator(machine.url, "approver").waiting(), "红色")
    warned_on_the_phone(phone, machine, carrier, number)
    shown_in_the_lobby(screen)
    snapshot(phone, "resident-warning")
    read_without_a_network(phone, machine, number)
    told_by_text_where_to_go(carrier)
    left_by_text(carrier)
    reported(phone, machine, snapshot)
    cleared(phone, screen, machine, carrier, number)
    saw_and_erased_what_is_kept(phone, machine)


def found_the_way_in(page: Page, machine: Machine) -> None:
    """The front page in both languages, and where one lives; it stays on the device."""
    for language in ("en", "zh"):
        page.goto(f"{machine.url}/{language}/")
        looked_at(page)
    page.goto(machine.url + f"/zh/communities/{LIULIAN}/")
    page.locator("[data-keep-button]").click()
    expect(page.locator("[data-kept-words]")).to_contain_text("已保存")
    for path in ("subscribe", "map", "screens", "notifications", "archive"):
        for language in ("zh", "en"):
            page.goto(f"{machine.url}/{language}/{path}/")
            looked_at(page)


def subscribed_on_the_web(page: Page, machine: Machine, carrier: Carrier) -> None:
    """A number, a code, a name typed in pinyin, quiet nights; a text says so."""
    page.goto(machine.url + "/zh/subscribe/")
    page.locator("a[href^='/subscribe/']").first.click()
    looked_at(page)
    page.fill("#phone", NEW)
    page.press("#phone", "Enter")
    looked_at(page)
    page.fill("#code", re.search(r"\d{6}", carrier.has(NEW, "验证码")).group())  # type: ignore[union-attr]
    page.press("#code", "Enter")
    page.wait_for_url("**/subscribe/choose/")
    looked_at(page)
    page.fill("#name", "liulian")
    page.locator("button[name=do][value=look]").click()
    expect(page.locator(f"#found input[value='{LIULIAN}']")).to_be_checked()
    page.locator(".sub-wishes > summary").click()
    page.locator("[name=quiet]").check()
    page.select_option("#quiet_from", "0")
    page.select_option("#quiet_to", "23")
    looked_at(page)
    page.locator("button[name=do][value=save]").click()
    page.wait_for_url("**/subscribe/?done=new")
    expect(page.locator("main")).to_contain_text("六联社区")
    looked_at(page)
    assert "退订" in carrier.has(NEW, "订阅")


def subscribed_by_text(carrier: Carrier) -> None:
    """In traditional characters and full-width signs, as some keyboards write."""
    assert "六联" in carrier.write(BASIC, "訂閱　六聯")
    assert "退订" in carrier.write(BASIC, "？")


def _reloaded_until(page: Page, there: Locator) -> None:
    """As by somebody who waits: the browser shows the page that it has kept where the server is slow to answer."""
    until(lambda: page.reload() and there.is_visible(), f"{there} is on the page")


def warned_on_the_phone(page: Page, machine: Machine, carrier: Carrier, number: str) -> None:
    """Red comes in quiet hours too; the front page puts it first, and the warning says what to do without a word more."""
    assert "红色" in carrier.has(NEW, "红色预警")
    assert "红色" in carrier.has(BASIC, "红色预警")
    until(lambda: number.encode() in machine.get("/feeds/index.json")[1], "the pages are out")
    for language in ("en", "zh"):
        page.goto(f"{machine.url}/{language}/")
        link = page.locator(f"a[href='/{language}/warnings/{number}/']").first
        _reloaded_until(page, link)
        link.click()
        page.wait_for_url(f"**/{language}/warnings/{number}/")
        looked_at(page)
    expect(page.locator(".todo li").first).to_be_visible()
    assert len(machine.get(f"/zh/warnings/{number}/")[1]) < 30 * 1024


def shown_in_the_lobby(screen: Page) -> None:
    """By itself, within a look or two."""
    expect(screen.locator("[data-alarm]").first).to_contain_text("红色预警", timeout=60_000)
    assert_accessible(screen, rules=AXE)


def read_without_a_network(page: Page, machine: Machine, number: str) -> None:
    """What was read, the community's page, shelters, guides: there, with the time at which they were kept."""
    page.evaluate("navigator.serviceWorker.ready")
    page.goto(f"{machine.url}/zh/warnings/{number}/")
    page.context.set_offline(True)
    for path in (f"/zh/warnings/{number}/", "/zh/", f"/zh/communities/{LIULIAN}/", "/zh/shelters/", "/zh/guides/"):
        page.goto(machine.url + path)
        expect(page.locator("[data-kept-banner]")).to_be_visible()
        expect(page.locator("[data-kept-banner]")).to_contain_text(re.compile(r"\d\d:\d\d"))
        looked_at(page)
    page.context.set_offline(False)


def told_by_text_where_to_go(carrier: Carrier) -> None:
    said = carrier.write(BASIC, "SHELTER liu lian")
    assert re.search(r"119|\d", said)
    assert "六联" in said or "Liulian" in said


def left_by_text(carrier: Carrier) -> None:
    assert "退订" in carrier.write(BASIC, "td")


def reported(page: Page, machine: Machine, snapshot: Callable) -> None:
    """A photo and a few words, sent when the network returns; staff answer; the code tells."""
    page.goto(machine.url + "/report/")
    looked_at(page)
    page.locator("[name=kind]").first.check()
    page.fill("#words", "小区北门地下通道积水，已漫过路沿。")
    page.fill("#community", "六联社区")
    page.set_input_files("#photos", {"name": "水.png", "mimeType": "image/png", "buffer": _picture()})
    page.locator("#photo-list img").wait_for()
    page.context.set_offline(True)
    page.locator("#send").click()
    expect(page.locator("#outbox")).to_contain_text("网络")
    page.context.set_offline(False)
    code = re.compile(r"[0-9A-Z]{4}[\s-]?[0-9A-Z]{4}[\s-]?[0-9A-Z]{4}")
    # Where it was sent within the press itself, the page goes on to one's own reports by itself, and the code stands there.
    expect(page.locator("main")).to_contain_text(code, timeout=60_000)
    officer = Operator(machine.url, "drafter")
    officer.read("/desk/reports/?view=all")  # whoever fills the form as fast as a test is among the doubtful
    assert "漫过路沿" in officer.text
    single = officer.page.xpath("//a[contains(@href, '/desk/reports/') and contains(., '漫过路沿')]/@href"
                                " | //tr[contains(., '漫过路沿')]//a[contains(@href, '/desk/reports/')]/@href")[0]
    officer.read(single)
    officer.post("form[action$=answer]", answer="已派人抽排，请绕行。")
    page.goto(machine.url + "/report/mine/")
    expect(page.locator("main")).to_contain_text("已派人抽排")
    expect(page.locator(".report-photos img")).to_be_visible()
    looked_at(page)
    snapshot(page, "resident-report")


def cleared(page: Page, screen: Page, machine: Machine, carrier: Carrier, number: str) -> None:
    """The all-clear reaches who was told and still wants to be; the page that is open says so by itself, the screen is calm."""
    page.goto(f"{machine.url}/zh/warnings/{number}/")
    before = len(carrier.texts(BASIC))
    draft = Operator(machine.url, "drafter").all_clear(number)
    Operator(machine.url, "approver").approve(draft)
    carrier.has(NEW, "解除")
    expect(screen.locator("[data-calm]")).to_be_visible(timeout=60_000)
    page.goto(f"{machine.url}/zh/warnings/{number}/")
    _reloaded_until(page, page.locator(".over-banner").first)
    looked_at(page)
    assert len(carrier.texts(BASIC)) == before, "nothing more is sent to a phone that left"


def saw_and_erased_what_is_kept(page: Page, machine: Machine) -> None:
    page.goto(machine.url + "/subscribe/")
    expect(page.locator(".sub-story li")).to_have_count(1)
    with page.expect_download() as taken:
        page.locator("button[name=format][value=json]").click()
    assert LIULIAN in taken.value.path().read_text()
    page.goto(machine.url + "/subscribe/erase/")
    looked_at(page)
    page.locator("input[type=text]").fill("注销")
    page.locator("main form button").last.click()
    page.wait_for_url("**/subscribe/erased/")
    looked_at(page)
    assert machine.number("SELECT count(*) FROM subscriber WHERE source = 'web' AND length(phone_sealed) > 0"
                          " AND created_at > (SELECT max(at) FROM audit_entry WHERE action = 'bulletin.issue')") == 0


def _picture() -> bytes:
    """A small PNG, made here."""
    def part(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + b"".join(bytes((x * 4, y * 4, 160)) for x in range(64)) for y in range(64))
    return (b"\x89PNG\r\n\x1a\n" + part(b"IHDR", struct.pack(">IIBBBBB", 64, 64, 8, 2, 0, 0, 0))
            + part(b"IDAT", zlib.compress(rows)) + part(b"IEND", b""))
