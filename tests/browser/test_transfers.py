"""A community's officer with a phone: every page is looked at, and a taken list works without a network."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import delete, select

from portal.core.audit import AuditEntry
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.identity.models import Account, DeskSession
from portal.shelters.models import ARRIVED, CONTACTED, REFUSED, WAITING, TransferEvent, TransferPerson, TransferRound
from portal.shelters.transfers import steps
from tests.browser.test_desk_compose import sign_in
from tests.browser.test_unsaved_words import Desk
from tests.chromium import DESKTOP, PHONE, assert_accessible, assert_fits, comes_true
from tests.shelters.transfers import people
from tests.shelters.transfers.people import ADDRESS, LIULIAN, NAME, person, seen, start
from tests.shelters.transfers.people import PHONE as NUMBER

HERE, OFFLINE = f"/desk/transfers/{LIULIAN}/", "/desk/transfers/offline"
CODE = "四面八方-2026"
#: Things to tap that are lower than 44 pixels.
SMALL = """() => [...document.querySelectorAll("main :is(button, a.button, summary, .tabs a, select, input):not([type=checkbox], "
    + "[type=radio], [type=hidden])")].filter((e) => e.checkVisibility()).map((e) => [e.outerHTML.slice(0, 90),
    e.getBoundingClientRect().height]).filter(([, height]) => height < 44)"""


class Town(Desk):
    def account(self, name: str = "community") -> Account:
        return db.session.execute(select(Account).where(Account.username == name)).scalar_one()

    def states(self) -> dict[str, str]:
        return self.within(lambda: {p.code: p.state for p in db.session.execute(select(TransferPerson)).scalars()})

    def told(self, action: str) -> list[dict]:
        return self.within(lambda: [e.details for e in db.session.execute(
            select(AuditEntry).where(AuditEntry.action == action)).scalars()])


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    made = Town(tmp_path_factory.mktemp("town"))
    yield made
    made.close()


@pytest.fixture
def town(served: Town) -> Town:
    """Three people of Liulian, and a real round that began an hour ago. Ask for it before `window`."""
    def fill() -> bool:
        with transaction() as session:
            for table in (TransferEvent, TransferRound, TransferPerson):
                session.execute(delete(table))
        account = served.account()
        person(account, "T-1", longitude=114.33, latitude=22.70)
        person(account, "T-2", initials="王某", name="", phone="", means="car", needs=("bedridden", "alone"))
        person(account, "T-3", initials="A. B.", name="", families=("slope",))
        start(account)
        return True
    served.within(fill)
    return served


def take(page: Page, town: Town) -> None:
    sign_in(page, town.address, "community", HERE)
    page.locator("#take summary").click()
    page.fill("#take-pin", CODE)
    page.fill("#take-again", CODE)
    page.locator("#take-form button").click()
    page.wait_for_url("**" + OFFLINE)
    open_(page)


def open_(page: Page, code: str = CODE) -> None:
    page.fill("#pin", code)
    page.locator("#unlock button").click()
    if code == CODE:
        expect(page.locator("#view-list")).to_be_visible()


def press(page: Page, code: str, state: str, note: str = "") -> None:
    card = page.locator("#people > li", has_text=code)
    if note:
        card.locator("details:has([data-state]) summary").click()
        card.locator("input").fill(note)
    card.locator(f"[data-state={state}]").click()


def kept_bytes(page: Page) -> str:
    """All that the browser keeps of the list, as text."""
    return page.evaluate("""async () => {
        const done = (asked) => new Promise((yes, no) => { asked.onsuccess = () => yes(asked.result); asked.onerror = no; });
        const said = (value) => value.byteLength === undefined ? JSON.stringify(value) : new TextDecoder().decode(value);
        const db = await done(indexedDB.open("anlan-transfers"));
        let text = JSON.stringify({...localStorage}) + JSON.stringify({...sessionStorage});
        for (const name of db.objectStoreNames)
            for (const row of await done(db.transaction(name).objectStore(name).getAll()))
                text += Object.entries(row).map(([key, value]) => key + said(value)).join(" ");
        for (const name of await caches.keys()) {
            const cache = await caches.open(name);
            for (const request of await cache.keys()) text += request.url + await (await cache.match(request)).text();
        }
        db.close();
        return text;
    }""")


@pytest.mark.parametrize(("size", "language"), [(PHONE, "zh-CN"), (DESKTOP, "en-GB")])
def test_every_page_has_no_barrier_and_fits(town: Town, window: Callable[..., Page], snapshot: Callable[[Page, str], None],
                                            size: dict, language: str) -> None:
    page = window(size, language)
    sign_in(page, town.address, "community", "/desk/transfers/")
    someone = town.within(lambda: db.session.execute(select(TransferPerson.id).where(TransferPerson.code == "T-1")).scalar_one())
    round_ = town.within(lambda: db.session.execute(select(TransferRound.id)).scalar_one())
    paths = {"overview": "/desk/transfers/", "people": HERE, "person": f"/desk/transfers/person/{someone}/",
             "edit": f"/desk/transfers/person/{someone}/edit", "round": f"/desk/transfers/rounds/{round_}/",
             "round-new": "/desk/transfers/rounds/new", "import": "/desk/transfers/import", "print": HERE + "print",
             "removed": HERE + "removed", "offline": OFFLINE}
    for name, path in paths.items():
        page.goto(town.address + path)
        if name == "people":
            expect(page.locator("#take")).to_be_visible()
            page.locator("#take summary").click()
            page.locator(".t-told summary").first.click()
        if name == "offline":
            expect(page.locator("#view-none")).to_be_visible()
        assert_accessible(page)
        assert_fits(page)
        assert page.evaluate(SMALL) == [], name
        snapshot(page, f"transfers-{name}-{language[:2]}")
    page.goto(town.address + HERE + "print")
    page.fill("#reason", "台风转移演示")
    page.locator("[name=do][value=print]").click()
    expect(page.locator(".t-sheet")).to_contain_text(ADDRESS)
    assert_accessible(page)
    assert_fits(page)
    snapshot(page, f"transfers-sheet-{language[:2]}")
    page.goto(town.address + "/desk/transfers/rounds/new")
    page.check("[name=exercise][value='1']")
    page.check("[name=family][value=wind]")
    page.locator("[name=do][value=check]").click()
    assert_accessible(page)
    snapshot(page, f"transfers-refused-{language[:2]}")


def test_a_taken_list_works_without_a_network_after_a_reload_and_sends_by_itself(
        town: Town, window: Callable[..., Page], snapshot: Callable[[Page, str], None]) -> None:
    page = window(PHONE)
    take(page, town)
    assert [d["people"] for d in town.told("transfer.take")] == [3]
    kept = kept_bytes(page)
    assert len(kept) > 1000
    assert [s for s in (NAME, NUMBER, ADDRESS, "王某", "T-2", CODE) if s in kept] == []
    page.context.set_offline(True)
    page.goto(town.address + HERE)  # no network: the kept page stands in
    open_(page)
    expect(page.locator("#people > li")).to_have_count(2)
    assert page.locator(f"a[href='tel:{NUMBER}']").count() == 1
    press(page, "T-1", ARRIVED)
    press(page, "T-2", REFUSED, "不愿离开家中宠物")
    expect(page.locator("#waiting")).to_contain_text("2")
    assert [s for s in ("宠物", NAME) if s in kept_bytes(page)] == []
    page.locator("#show-all").click()
    assert_accessible(page)
    assert_fits(page)
    snapshot(page, "transfers-taken-offline")
    page.reload()
    open_(page)
    expect(page.locator("#waiting")).to_contain_text("2")
    assert town.states() == {"T-1": WAITING, "T-2": WAITING, "T-3": WAITING}
    page.context.set_offline(False)
    page.evaluate("window.dispatchEvent(new Event('online'))")
    expect(page.locator("#waiting")).to_have_text("已全部发送。")
    assert town.states() == {"T-1": ARRIVED, "T-2": REFUSED, "T-3": WAITING}
    page.locator("#send").click()
    expect(page.locator("#contact")).to_contain_text("最近联系")
    assert len(town.told("transfer.state")) == 2


def test_a_reason_half_written_stays_whatever_else_is_shown_meanwhile(town: Town, window: Callable[..., Page]) -> None:
    page = window(PHONE)
    take(page, town)
    card = page.locator("#people > li", has_text="T-2")
    card.locator("details:has([data-state]) summary").click()
    card.locator("input").press_sequentially("不愿离开")
    page.evaluate("document.querySelector('#people > li [data-state=arrived]').click()")  # a step of T-1, kept before it is shown
    expect(page.locator("#people > li")).to_have_count(1)
    page.keyboard.type("家中")
    expect(card.locator("input")).to_have_value("不愿离开家中")

    def another() -> bool:
        row = db.session.execute(select(TransferPerson).where(TransferPerson.code == "T-2")).scalar_one()
        round_ = db.session.execute(select(TransferRound)).scalar_one()
        steps.record(people.staff("neighbour"), [seen(row, round_, CONTACTED, at=utcnow())])
        return True
    town.within(another)
    page.locator("#send").evaluate("(button) => button.click()")
    expect(card.locator(".t-state")).to_have_class(re.compile("t-contacted"))
    page.keyboard.type("宠物")
    expect(card.locator("input")).to_have_value("不愿离开家中宠物")
    card.locator(f"[data-state={REFUSED}]").click()
    expect(card).to_have_count(0)
    expect(page.locator("#waiting")).to_have_text("已全部发送。")
    assert town.states()["T-2"] == REFUSED
    page.locator("#show-all").click()
    expect(card.locator("input")).to_have_value("")  # a reason that was given is not kept for the next step


def test_contradictions_sign_out_and_strangers_are_told_and_nothing_is_lost(town: Town, window: Callable[..., Page]) -> None:
    page = window(PHONE)
    take(page, town)
    page.context.set_offline(True)
    press(page, "T-1", ARRIVED)

    def another() -> bool:
        other = people.staff("another")
        row = db.session.execute(select(TransferPerson).where(TransferPerson.code == "T-1")).scalar_one()
        round_ = db.session.execute(select(TransferRound)).scalar_one()
        steps.record(other, [seen(row, round_, REFUSED, at=utcnow() - timedelta(minutes=5), note="不愿离开")])
        with transaction() as session:
            session.execute(delete(DeskSession))
        return True
    town.within(another)
    page.context.set_offline(False)
    page.locator("#send").click()
    expect(page.locator("#sign-in")).to_be_visible()
    expect(page.locator("#waiting")).to_contain_text("1")
    page.locator("#sign-in a").click()
    page.fill("[name=username]", "community")
    page.fill("[name=password]", "anlan-demo-1")
    page.press("[name=password]", "Enter")
    page.wait_for_url("**" + OFFLINE)
    open_(page)
    expect(page.locator("#waiting")).to_have_text("已全部发送。")
    page.locator("#show-all").click()
    expect(page.locator("#people .t-conflict")).to_have_count(1)
    assert town.states()["T-1"] == ARRIVED, "the newest observation counts"


def test_wrong_codes_time_and_signing_out_leave_nothing_behind(town: Town, window: Callable[..., Page]) -> None:
    page = window(PHONE)
    take(page, town)
    page.reload()
    for left in (4, 3, 2, 1):
        open_(page, "wrong-code")
        expect(page.locator("#pin-error")).to_contain_text(str(left))
    open_(page, "wrong-code")
    expect(page.locator("#view-none")).to_be_visible()
    page.context.set_offline(True)
    page.goto(town.address + HERE)
    expect(page.locator("#why-none")).to_contain_text("没有网络")
    page.context.set_offline(False)
    page.goto(town.address + HERE)
    count = "async () => [await AnlanCopy.pending(), Boolean(await AnlanCopy.about()), (await caches.keys()).length]"
    page.evaluate("() => AnlanCopy.keep('123456', {taken: Date.now() - 25 * 3600e3, expires: Date.now() - 1, account: 'x'})")
    page.reload()
    comes_true(page, "async () => !(await AnlanCopy.about())")
    page.evaluate("() => AnlanCopy.keep('123456', {taken: Date.now(), expires: Date.now() + 1e6, account: 'x'})")
    assert page.evaluate(count)[1]
    page.goto(town.address + "/desk/")  # whoever signs out on whatever page of the desk leaves no list
    page.locator("form[action$='/sign-out'] button").click()
    page.wait_for_url("**/sign-in*")
    sign_in(page, town.address, "community", HERE)
    assert page.evaluate(count) == [0, False, 0]
