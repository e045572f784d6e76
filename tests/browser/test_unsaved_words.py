"""Nothing typed is lost: sessions end, servers fall silent, pages are reloaded, and the words are still there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
import waitress
from flask import Flask
from playwright.sync_api import Page, expect
from sqlalchemy import delete, select, update

from portal import create_app
from portal.config import Settings
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.identity import demo as accounts
from portal.identity.models import Account, DeskSession, Duty
from portal.identity.rights import DRAFTER
from portal.models import Base
from portal.warnings.models import Draft
from tests import district, serving
from tests.browser.test_desk_compose import sign_in
from tests.chromium import DESKTOP, PHONE, assert_accessible, assert_fits
from tests.district import KENGZI, PINGSHAN

HEADLINE = "[id='words.zh.headline']"
RESTORE, DISCARD = "#unsaved button:not(.button-quiet)", "#unsaved .button-quiet"


class Desk:
    """A desk whose database the test can reach. One for all tests of this file; each begins without drafts."""

    def __init__(self, folder: Path) -> None:
        with ThreadPoolExecutor(1) as elsewhere:
            self.app = elsewhere.submit(self._make, folder).result(60)
        self.server = waitress.create_server(self.app, host="127.0.0.1", port=0, threads=4)
        self.thread = threading.Thread(target=self.server.run, name="served", daemon=True)
        self.thread.start()
        self.address = f"http://127.0.0.1:{self.server.effective_port}"

    @staticmethod
    def _make(folder: Path) -> Flask:
        app = create_app(Settings(instance=folder, demo=True, database_url=f"sqlite:///{folder / 'anlan.db'}",
                                  secret_key="test " * 10, phone_key="ab" * 32))
        with app.app_context():
            Base.metadata.create_all(db.engine)
            district.settle_regions()
            accounts.seed()
        return app

    def close(self) -> None:
        serving.end(self.server, self.thread)
        assert not self.thread.is_alive()

    def within(self, act: Callable[[], object]) -> object:
        """Act on the database in a thread of its own: the test's thread belongs to the browser."""
        found: list[object] = []

        def run() -> None:
            with self.app.app_context():
                found.append(act())
        thread = threading.Thread(target=run)
        thread.start()
        thread.join(30)
        assert found, "the act on the database failed"
        return found[0]

    def leave_idle(self) -> None:
        def act() -> bool:
            with transaction() as session:
                session.execute(update(DeskSession).values(seen_at=utcnow() - timedelta(hours=2)))
            return True
        self.within(act)

    def headlines(self) -> list[str]:
        return self.within(lambda: [d.words["zh"]["headline"] for d in db.session.scalars(select(Draft))])


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    made = Desk(tmp_path_factory.mktemp("desk"))
    yield made
    made.close()


@pytest.fixture
def desk(served: Desk) -> Desk:
    """Ask for it before `window`: the browser then ends before the server."""
    def clear() -> bool:
        with transaction() as session:
            session.execute(delete(Draft))
        return True
    served.within(clear)
    return served


def type_a_warning(page: Page, headline: str) -> None:
    page.check("[name=hazard][value='11B03']")
    page.check("[name=tier][value=red]")
    page.check(f"#tree [value='{KENGZI}']")
    expect(page.locator("[id='words.zh.sms']")).not_to_have_value("")
    page.fill(HEADLINE, headline)


def let_it_keep(page: Page) -> None:
    """What the page does a moment after typing, at once."""
    page.evaluate("window.dispatchEvent(new Event('pagehide'))")


def kept(page: Page) -> int:
    return page.evaluate("Object.keys(localStorage).filter((k) => k.startsWith('anlan.unsaved.')).length")


def test_when_the_session_ends_while_typing_the_words_are_kept_put_back_after_signing_in_and_saved(
        desk: Desk, window: Callable[..., Page], snapshot: Callable[[Page, str], None]) -> None:
    page = window(PHONE)
    page.on("dialog", lambda dialog: dialog.accept())
    sign_in(page, desk.address, "drafter", "/desk/compose/")
    type_a_warning(page, "坑梓街道河水上涨")
    desk.leave_idle()
    page.locator(".bar [value=save]").click()
    expect(page.locator("#contact a")).to_be_visible()  # signed out: the page stays
    assert desk.headlines() == []
    snapshot(page, "compose-signed-out")
    sign_in(page, desk.address, "drafter", "/desk/compose/")
    assert page.locator(HEADLINE).input_value() == "", "nothing is put back by itself"
    expect(page.locator(RESTORE)).to_be_visible()
    assert_accessible(page)
    assert_fits(page)
    snapshot(page, "compose-restore")
    page.locator(RESTORE).click()
    expect(page.locator(HEADLINE)).to_have_value("坑梓街道河水上涨")
    expect(page.locator("[name=tier][value=red]")).to_be_checked()
    expect(page.locator(f"#tree [value='{KENGZI}']")).to_be_checked()
    page.locator(".bar [value=save]").click()
    page.wait_for_url("**/edit")
    assert desk.headlines() == ["坑梓街道河水上涨"]
    assert kept(page) == 0, "a save clears what was kept"


def test_signing_in_again_in_another_tab_is_enough_to_go_on_where_one_was(desk: Desk, window: Callable[..., Page]) -> None:
    page = window(DESKTOP)
    sign_in(page, desk.address, "drafter", "/desk/compose/")
    type_a_warning(page, "第一次填写")
    desk.leave_idle()
    page.locator(".bar [value=save]").click()
    expect(page.locator("#contact a")).to_be_visible()
    sign_in(page.context.new_page(), desk.address, "drafter", "/desk/")
    page.locator(".bar [value=save]").click()
    page.wait_for_url("**/edit")
    assert desk.headlines() == ["第一次填写"]


def test_when_the_server_is_down_at_saving_the_page_stays_says_so_and_a_reload_brings_the_words_back(
        desk: Desk, window: Callable[..., Page], snapshot: Callable[[Page, str], None]) -> None:
    page = window(DESKTOP)
    page.on("dialog", lambda dialog: dialog.accept())
    sign_in(page, desk.address, "drafter", "/desk/compose/")
    type_a_warning(page, "服务器中断时填写")
    page.route("**/*", lambda route: route.abort("connectionrefused"))
    page.locator(".bar [value=save]").click()
    expect(page.locator("#contact")).to_contain_text("无法连接服务器")
    expect(page.locator(HEADLINE)).to_have_value("服务器中断时填写")
    snapshot(page, "compose-no-contact")
    page.unroute("**/*")
    page.reload()
    page.locator(RESTORE).click()
    expect(page.locator("#contact")).to_be_hidden()
    page.locator(".bar [value=save]").click()
    page.wait_for_url("**/edit")
    assert desk.headlines() == ["服务器中断时填写"]


def test_another_account_on_the_same_machine_neither_sees_the_words_nor_leaves_them_there(
        desk: Desk, window: Callable[..., Page]) -> None:
    def second_drafter() -> bool:
        account = db.session.scalars(select(Account).where(Account.username == "approver")).one()
        with transaction() as session:
            session.add(Duty(account_id=account.id, role=DRAFTER, region_code=PINGSHAN, highest_tier="red"))
        return True
    page = window(DESKTOP)
    page.on("dialog", lambda dialog: dialog.accept())
    sign_in(page, desk.address, "drafter", "/desk/compose/")
    type_a_warning(page, "只给自己看的话")
    desk.leave_idle()
    let_it_keep(page)
    assert kept(page) == 1
    desk.within(second_drafter)
    sign_in(page, desk.address, "approver", "/desk/compose/")
    expect(page.locator("#unsaved")).to_be_hidden()
    assert "只给自己看的话" not in page.evaluate("JSON.stringify(localStorage)")


def test_leaving_unsaved_words_asks_first_and_discarding_what_was_kept_is_for_good(
        desk: Desk, window: Callable[..., Page]) -> None:
    page, asked = window(DESKTOP), []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept())[0])
    sign_in(page, desk.address, "drafter", "/desk/compose/")
    page.goto(desk.address + "/desk/drafts/")
    assert asked == [], "an untouched page may be left"
    page.goto(desk.address + "/desk/compose/")
    page.fill(HEADLINE, "还没有保存")
    page.locator(".desk-nav a[href$='/desk/drafts/']").click()
    page.wait_for_url("**/desk/drafts/")
    assert asked == ["beforeunload"]
    page.goto(desk.address + "/desk/compose/")
    page.locator(DISCARD).click()
    expect(page.locator("#unsaved")).to_be_hidden()
    page.reload()
    expect(page.locator("#unsaved")).to_be_hidden()


def test_kept_words_older_than_the_saved_draft_say_so_and_after_a_day_they_are_gone(
        desk: Desk, window: Callable[..., Page]) -> None:
    page = window(DESKTOP, "en-GB")
    page.on("dialog", lambda dialog: dialog.accept())
    sign_in(page, desk.address, "drafter", "/desk/compose/")
    type_a_warning(page, "一")
    page.locator(".bar [value=save]").click()
    page.wait_for_url("**/edit")
    page.fill(HEADLINE, "二")
    let_it_keep(page)
    other = page.context.new_page()
    other.goto(page.url)
    other.fill(HEADLINE, "三")
    other.locator(".bar [value=save]").click()
    expect(other.locator(".notice-good")).to_be_visible()
    page.reload()
    expect(page.locator(HEADLINE)).to_have_value("三")
    expect(page.locator("#unsaved")).to_contain_text("version 2")
    page.evaluate("""() => { for (const key of Object.keys(localStorage)) {
        const entry = JSON.parse(localStorage[key]); entry.at -= 25 * 3600e3; localStorage[key] = JSON.stringify(entry); } }""")
    page.reload()
    expect(page.locator("#unsaved")).to_be_hidden()
    assert kept(page) == 0
