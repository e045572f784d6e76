"""The desk while something is in force: readable by everybody, honest when contact is lost, calm while it moves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Page, Route, expect
from sqlalchemy import select

from portal import create_app
from portal.config import Settings
from portal.core.db import db, transaction
from portal.dispatch import plan
from portal.dispatch.issue import issue
from portal.dispatch.models import Batch, Dispatch
from portal.identity import demo as accounts
from portal.identity.models import Account
from portal.models import Base
from portal.warnings.models import CANCEL
from tests import district
from tests.chromium import DESKTOP, PHONE, assert_accessible, assert_fits
from tests.district import DISTRICT, LIULIAN
from tests.ends import put
from tests.waiting import until


def person(name: str) -> Account:
    return db.session.execute(select(Account).where(Account.username == name)).scalar_one()


def settle() -> None:
    """A red warning that is being sent with one failed horn, a drill, one that was cancelled, and a draft that waits."""
    district.settle_regions()
    accounts.seed()
    for n in range(3):
        district.subscriber(f"+861390000000{n}", LIULIAN, language="en" if n else "zh")
    district.speakers(LIULIAN, LIULIAN, LIULIAN)

    def out(**changes: object):
        draft = district.submitted(person("drafter"), **changes)
        return issue(person("approver"), draft.id, version=draft.version, content_hash=draft.content_hash)
    out(target={"regions": [DISTRICT], "area": None, "audiences": ["schools", "residents"], "channels": ["sms", "speakers"]})
    out(exercise=True, tier="orange")
    third = out(hazard="11B01", tier="blue")
    out(kind=CANCEL, warning_id=third.warning_id, hazard="11B01", tier="blue")
    district.submitted(person("drafter"))
    for dispatch_id in plan.waiting_dispatches(db.session):
        for went_on in plan.plan(dispatch_id):
            if not went_on:
                break
    with transaction() as session:
        batch = session.execute(select(Batch.id).where(Batch.channel == "speakers").order_by(Batch.id)).scalars().first()
        for ident, (status, code) in enumerate((("failed", "address"), ("accepted", "")), start=1):
            put(session, batch, (ident, status, code))
        for dispatch in session.execute(select(Dispatch).where(Dispatch.channel == "sms")).scalars():
            dispatch.last_error = "http_503"


@pytest.fixture
def desk(serve: Callable[[Callable[[], Flask]], str], tmp_path: Path) -> str:
    """The address of a desk. Tests ask for it before windows: these look at it until they close, and must close first."""
    def make() -> Flask:
        app = create_app(Settings(instance=tmp_path, demo=True, database_url=f"sqlite:///{tmp_path / 'anlan.db'}",
                                  secret_key="test " * 10, phone_key="ab" * 32))
        with app.app_context():
            Base.metadata.create_all(db.engine)
            settle()
        return app
    return serve(make)


def sign_in(page: Page, desk: str, name: str) -> None:
    page.goto(desk + "/desk/")
    page.fill("[name=username]", name)
    page.fill("[name=password]", accounts.PASSWORD)
    page.press("[name=password]", "Enter")
    page.wait_for_url(desk + "/desk/")


def numbers(page: Page) -> dict[str, str]:
    """Addresses of the three warnings, by what they are."""
    hrefs = page.locator("#board article a[id^=to-]").evaluate_all("all => all.map(a => a.getAttribute('href'))")
    past = page.locator("#board a[id^=past-]").evaluate_all("all => all.map(a => a.getAttribute('href'))")
    drill = next(h for h in hrefs if "-D" in h)
    return {"real": next(h for h in hrefs if h != drill), "drill": drill, "past": past[0]}


@pytest.mark.parametrize(("size", "language"), [(PHONE, "zh-CN"), (PHONE, "en-GB"), (DESKTOP, "zh-CN"), (DESKTOP, "en-GB")],
                         ids=["phone-zh", "phone-en", "desktop-zh", "desktop-en"])
def test_every_page_of_what_is_live_can_be_read_by_everybody(
        desk: str, window: Callable[..., Page], size: dict, language: str, snapshot: Callable[[Page, str], None]) -> None:
    page = window(size, language)
    sign_in(page, desk, "approver")
    to = numbers(page)
    paths = {"board": "/desk/", "warning": to["real"], "horns": to["real"] + "horns", "history": "/desk/warnings/",
             "registry": "/desk/horns/", "trail": "/desk/trail/", "status": "/desk/status/", "strays": "/desk/status/receipts/"}
    #: Language changes no structure: barriers are looked for once in each window, and once in each language.
    whole = (size, language) in ((PHONE, "zh-CN"), (DESKTOP, "en-GB"))
    if whole:  # the same pieces in other states: once in each is enough
        paths |= {"drill": to["drill"], "over": to["past"], "drills": "/desk/warnings/?show=drills",
                  "registry-none": "/desk/horns/?text=nothing", "trail-none": "/desk/trail/?until=2001-01-01"}
    for name, path in paths.items():
        page.goto(desk + path)
        if name in ("warning", "trail"):
            page.locator("details").evaluate_all("all => all.forEach(d => d.open = true)")
        if whole:
            assert_accessible(page)
        assert_fits(page)
        snapshot(page, f"{name}-{language}")
    page.goto(desk + to["real"])
    page.locator("a[id^=stop-]").first.click()
    page.wait_for_load_state()
    assert_fits(page)
    if whole:
        assert_accessible(page)
    page.goto(desk + "/desk/trail/")
    page.locator("form[action*='/trail/verify'] button").click()
    expect(page.locator(".notice-good")).to_be_visible()
    if whole:
        assert_accessible(page)


def test_what_was_opened_stays_open_and_the_focus_stays_while_numbers_change(desk: str, window: Callable[..., Page]) -> None:
    page = window(DESKTOP, "en-GB")
    sign_in(page, desk, "approver")
    page.goto(desk + numbers(page)["real"])
    words = page.locator("section[aria-labelledby=issued] details").first
    words.locator("summary").click()
    link = page.locator("a[id^=stop-]").first
    link.focus()
    ident = link.get_attribute("id")
    for _ in range(2):
        with page.expect_response(lambda answer: answer.url.endswith("/progress")) as answer:
            pass
        answer.value.finished()
    expect(page.locator("#progress")).to_be_visible()
    expect(page.locator(".htmx-request, .htmx-swapping, .htmx-settling")).to_have_count(0)
    assert words.get_attribute("open") is not None
    assert page.evaluate("document.activeElement.id") == ident
    expect(page.locator("#summary")).to_contain_text("Text messages: 0 of 3 taken.")
    assert page.locator("#progress [hx-swap-oob]").count() == 0


def test_the_bar_says_when_it_lost_the_server_and_forgets_it_when_it_is_back(desk: str, window: Callable[..., Page]) -> None:
    page = window(PHONE, "en-GB")
    sign_in(page, desk, "viewer")
    expect(page.locator("#live-lost")).to_be_hidden()
    page.context.set_offline(True)
    expect(page.locator("#live-lost")).to_be_visible()
    expect(page.locator("#live-lost")).to_contain_text("No contact with the server since")
    assert_accessible(page)
    assert_fits(page)
    page.context.set_offline(False)
    expect(page.locator("#live-lost")).to_be_hidden(timeout=25_000)


def test_without_scripts_the_board_and_a_warning_still_tell_everything(desk: str, window: Callable[..., Page]) -> None:
    page = window(PHONE, "en-GB", java_script_enabled=False)
    sign_in(page, desk, "approver")
    expect(page.locator("#live")).to_contain_text("as of")
    page.locator("#live .live-item").first.click()
    expect(page.locator("#progress")).to_contain_text("still to be sent")
    page.locator("a[id^=stop-]").first.click()
    page.locator(".button-danger").click()
    expect(page.locator(".notice-good")).to_contain_text("Stopped.")


def test_what_is_pressed_while_the_numbers_move_is_not_lost(desk: str, window: Callable[..., Page]) -> None:
    page = window(PHONE, "en-GB")
    sign_in(page, desk, "approver")
    draft = page.locator("#board a[id^=draft-]").first
    address = draft.get_attribute("href")
    held: list[Route] = []
    page.route("**/desk/now", lambda route: held.append(route) if not held else route.continue_())
    until(lambda: page.wait_for_timeout(20) or held, "it looks again")
    draft.hover()
    page.mouse.down()
    with page.expect_response("**/desk/now") as answer:
        held[0].continue_()
    answer.value.finished()
    page.wait_for_timeout(200)  # in which the answer would have been put there
    page.mouse.up()
    page.wait_for_url(f"**{address}")


def test_a_press_whose_end_nobody_told_holds_nothing_up(desk: str, window: Callable[..., Page]) -> None:
    page = window(PHONE, "en-GB")
    sign_in(page, desk, "approver")
    page.locator("#board a[id^=draft-]").first.hover()
    page.mouse.down()
    page.evaluate("document.getElementById('board').dataset.old = '1'")
    expect(page.locator("#board")).not_to_have_attribute("data-old", "1")
    page.mouse.move(1, 1)
    page.mouse.up()
