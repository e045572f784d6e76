"""A shelter's staff with a phone whose network is bad: what is pressed is neither lost nor sent against their will."""

# ruff: noqa: F811  (arguments of tests are named after the fixture that comes from beside this file)

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Route, expect

from portal.core.db import transaction
from portal.shelters.models import Keeper
from tests.browser.test_shelter_staff import OTHER, sign_in, staff, until_kept  # noqa: F401  (a fixture: staff)
from tests.chromium import PHONE, comes_true
from tests.waiting import until

HOLD = """(bad) => { const real = window.fetch, cut = () => Promise.reject(new TypeError("cut"));
    let asked = 0;
    window.fetch = (url, options) => {
        if (!options?.headers?.["X-Anlan-Fresh"]) return real(url, options);
        asked += 1;
        if (asked === 1) return new Promise((done) => { window.letGo = () => done(bad ? cut() : real(url, options)); });
        return asked <= bad ? cut() : real(url, options);
    }; }"""  # the first attempt hangs until it is let go; of the first `bad` nothing comes
#: The page looks by itself every half minute; so soon means that it did not wait for that.
SOON = 20_000


def test_a_network_that_comes_back_while_an_attempt_hangs_or_carries_nothing_yet_is_tried_again_soon(staff, window):
    page = window(PHONE, language="en")
    sign_in(page, staff)
    page.evaluate(HOLD, 3)
    page.locator("button[name=status][value=open]").click()
    expect(page.locator("#outbox-list")).to_contain_text("not sent yet")
    page.evaluate("() => { window.dispatchEvent(new Event('online')); window.letGo(); }")
    expect(page.locator("#outbox-list")).to_contain_text(re.compile(r"· sent \d"), timeout=SOON)
    assert [one.status for one in staff.reports()] == ["open"]


def test_however_long_nothing_came_through_a_network_that_comes_back_is_tried_again_soon(staff, window):
    page = window(PHONE, language="en")
    page.clock.install()
    sign_in(page, staff)
    page.evaluate("""() => { const real = window.fetch;
        window.bad = true; window.tried = 0;
        window.fetch = (url, options) => {
            if (!options?.headers?.["X-Anlan-Fresh"]) return real(url, options);
            window.tried += 1;
            return window.bad ? Promise.reject(new TypeError("cut")) : real(url, options);
        }; }""")
    page.locator("button[name=status][value=open]").click()
    for n in range(1, 7):  # until it waits for half a minute each time
        comes_true(page, f"() => window.tried >= {n}")
        page.clock.run_for(31_000)
    before = page.evaluate("() => { window.dispatchEvent(new Event('online')); return window.tried; }")
    assert before >= 6
    expect(page.locator("#outbox-list")).to_contain_text("not sent yet")
    page.evaluate("() => { window.bad = false; }")
    page.clock.run_for(3_000)
    expect(page.locator("#outbox-list")).to_contain_text(re.compile(r"· sent \d"))


def test_what_is_pressed_while_a_report_is_on_its_way_goes_right_after_it(staff, window):
    page = window(PHONE, language="en")
    sign_in(page, staff)
    page.evaluate(HOLD, 0)
    page.locator("button[name=status][value=open]").click()
    page.locator("button[name=status][value=full]").click()
    expect(page.locator("#outbox-list li")).to_have_count(2)
    page.evaluate("() => window.letGo()")
    expect(page.locator("#outbox-list")).not_to_contain_text("not sent yet", timeout=SOON)
    assert [one.status for one in staff.reports()] == ["open", "full"]


def test_what_is_taken_back_while_an_attempt_hangs_is_not_sent_and_what_is_on_its_way_is_not_taken_back(staff, window):
    page = window(PHONE, language="en")
    sign_in(page, staff)
    page.evaluate(HOLD, 0)
    page.locator("button[name=status][value=open]").click()
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#outbox-list li")).to_have_count(0)
    held: list[Route] = []
    page.route("**/report", lambda route: held.append(route))
    page.locator("button[name=status][value=full]").click()
    expect(page.locator("#outbox-list")).to_contain_text("not sent yet")
    page.evaluate("() => window.letGo()")
    until(lambda: page.wait_for_timeout(20) or held, "the report is on its way")
    expect(page.locator("#outbox-list button")).to_have_count(0)
    held[0].continue_()
    expect(page.locator("#outbox-list")).to_contain_text(re.compile(r"· sent \d"))
    assert [one.status for one in staff.reports()] == ["full"]


def test_what_is_pressed_while_the_page_renews_itself_is_not_lost(staff, window):
    page = window(PHONE, language="en")
    sign_in(page, staff)
    expect(page.locator("#age")).to_contain_text("Up to date")
    before = page.locator("#now").get_attribute("data-made")
    page.locator("button[name=status][value=open]").hover()
    page.mouse.down()
    with page.expect_response(re.compile(r"/now")) as answer:
        page.evaluate("() => { window.dispatchEvent(new Event('online')); }")
    answer.value.finished()
    page.wait_for_timeout(300)  # in which the answer would have been put there
    page.mouse.up()
    expect(page.locator("#outbox-list")).to_contain_text(re.compile(r"· sent \d"))
    assert [one.status for one in staff.reports()] == ["open"]
    expect(page.locator("#now")).not_to_have_attribute("data-made", before)  # let go, it is renewed


def test_more_people_than_places_are_asked_for_and_what_waits_outlives_the_session(staff, window):
    page = window(PHONE, language="en")
    sign_in(page, staff)
    asked: list[str] = []

    def answer(dialog: Any) -> None:
        asked.append(dialog.message)
        dialog.dismiss() if len(asked) == 1 else dialog.accept()
    page.on("dialog", answer)
    page.fill("#occupancy", "260")
    page.press("#occupancy", "Enter")
    assert asked == ["260 people are more than the 240 places. Is that right?"]
    assert staff.reports() == []
    page.locator(".staff-big[data-send]").click()
    expect(page.locator(".staff-people")).to_contain_text("260")
    page.context.set_offline(True)
    page.locator("button[name=status][value=full]").click()
    expect(page.locator("#outbox-list")).to_contain_text("not sent yet")
    staff.leave_register()
    page.context.set_offline(False)
    expect(page.locator("#outbox-state")).to_contain_text("Sign in again", timeout=20_000)
    expect(page.locator("#outbox-list")).to_contain_text("Full")
    expect(page.locator("#outbox-door a")).to_be_visible()


def test_a_report_that_is_refused_stays_with_its_reason_until_it_is_taken_off(staff, window):
    page = window(PHONE, language="en")
    sign_in(page, staff)
    page.context.set_offline(True)
    page.locator("button[name=status][value=full]").click()
    expect(page.locator("#outbox-list")).to_contain_text("not sent yet")
    page.evaluate("""() => { const key = "anlan.staff.outbox", items = JSON.parse(localStorage.getItem(key));
        items[0].observed_at = "2020-01-01T00:00:00Z"; localStorage.setItem(key, JSON.stringify(items)); }""")
    page.context.set_offline(False)
    expect(page.locator("#outbox-list")).to_contain_text("not taken: This report is more than 48 hours old", timeout=20_000)
    assert staff.reports() == []
    page.reload()
    page.get_by_role("button", name="Take off the list").click()
    expect(page.locator("#outbox-list li")).to_have_count(0)


def test_what_waits_for_a_shelter_that_one_no_longer_keeps_says_so_in_words(staff, window):
    page = window(PHONE, language="en")
    sign_in(page, staff, OTHER)
    page.get_by_text("Pingshan sports hall").click()
    page.wait_for_url(re.compile(r"/staff/\d+/$"))
    until_kept(page)
    page.context.set_offline(True)
    page.locator("button[name=status][value=full]").click()
    expect(page.locator("#outbox-list")).to_contain_text("not sent yet")

    def remove() -> None:
        with transaction() as session:
            session.query(Keeper).filter(Keeper.tail == OTHER[-4:], Keeper.shelter_id == 1).update({"active": False})
    staff.ask(remove)
    page.context.set_offline(False)
    expect(page.locator("#outbox-list")).to_contain_text("not taken: You no longer keep this shelter.", timeout=20_000)
    assert staff.reports() == []
