"""What an officer does at the desk, step by step, in a real browser; each page on the way is looked at."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from portal.identity.demo import PASSWORD
from tests.chromium import assert_accessible, assert_fits
from tests.ends import COLUMNS, spread
from tests.waiting import until
from tests.whole.machine import Machine

TABS = 400  # a keyboard user is lost long before


def looked_at(page: Page) -> None:
    """No barrier, nothing beyond the window's side. At the page's end, so that a bar that floats above it covers nothing."""
    page.wait_for_load_state()  # a page that has just been asked for has no element yet
    page.evaluate("window.scrollTo(0, document.documentElement.scrollHeight)")
    assert_accessible(page)
    assert_fits(page)


#: Windows in which the form for signing in was looked at: it is the same for everybody.
_SEEN: set[tuple[int, str]] = set()


def sign_in(page: Page, machine: Machine, name: str, to: str = "/desk/") -> None:
    page.goto(machine.url + to)
    window = (page.viewport_size["width"], page.evaluate("document.documentElement.lang"))
    if window not in _SEEN:
        looked_at(page)
        _SEEN.add(window)
    page.fill("[name=username]", name)
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")
    page.wait_for_url(machine.url + to)


def approve(page: Page, confirm: str = "") -> str:
    """Approve the draft on the screen; the number of its warning."""
    looked_at(page)
    if confirm:
        page.fill("#confirm", confirm)
    page.locator("form[action$='/approve'] button").click()
    page.wait_for_url("**/desk/warnings/*/")
    return page.url.rstrip("/").rpartition("/")[2]


def all_clear(page: Page, number: str) -> str:
    """From the page of the live warning to the submitted draft of its all-clear; the path of that draft."""
    page.locator(f"a[href$='/warnings/{number}/cancel']").first.click()
    page.wait_for_url("**/cancel")
    looked_at(page)
    page.locator("[name=do][value=submit]").click()
    page.wait_for_url("**/desk/drafts/*/")
    looked_at(page)
    return page.url


def wait_for_all(machine: Machine, number: str, position: int) -> int:
    """Wait until a bulletin's texts are all out, its page is published and its horns have answered; how many texts."""
    where = {"number": number, "position": position}
    of = ("FROM dispatch d JOIN bulletin b ON b.id = d.bulletin_id WHERE b.warning_number = :number"
          " AND b.position = :position AND d.channel = ")
    until(lambda: machine.number(f"SELECT count(*) {of} 'sms' AND d.state = 'done'", **where) == 1, "all texts are out")
    until(lambda: machine.number(f"SELECT count(*) {of} 'web' AND d.state <> 'done'", **where) == 0, "the page is out")
    sums = ("SELECT coalesce(sum(n), 0) FROM tally t JOIN dispatch d ON d.id = t.dispatch_id JOIN bulletin b"
            " ON b.id = d.bulletin_id WHERE b.warning_number = :number AND b.position = :position AND ")
    silent = machine.number("SELECT count(*) FROM speaker WHERE state = 'offline'")
    until(lambda: machine.number(f"{sums} d.channel = 'speakers' AND t.key = 'planned'", **where)
          - machine.number(f"{sums} d.channel = 'speakers' AND t.key IN ('accepted', 'failed')", **where) <= silent,
          "all horns that are there have answered")
    return machine.number(f"{sums} d.channel = 'sms' AND t.key = 'accepted'", **where)


def told(machine: Machine, number: str, position: int) -> list[bytes]:
    """The phones that a bulletin reached, each as often as it did."""
    return sorted(bytes(row[0]) for row in machine.rows(
        "SELECT m.phone_index FROM sandbox_message m"
        " JOIN batch ON batch.id = CAST(substr(m.ref, 1, instr(m.ref, '/') - 1) AS INTEGER)"
        " JOIN dispatch d ON d.id = batch.dispatch_id JOIN bulletin b ON b.id = d.bulletin_id"
        " WHERE b.warning_number = :number AND b.position = :position", number=number, position=position))


def horns_heard(machine: Machine, number: str, position: int) -> set[int]:
    return {one.recipient_id for one in spread(machine.rows(
        f"SELECT {COLUMNS} FROM outcome_page JOIN batch ON batch.id = batch_id JOIN dispatch d ON d.id = batch.dispatch_id"
        " JOIN bulletin b ON b.id = d.bulletin_id WHERE d.channel = 'speakers' AND status = 'accepted'"
        " AND b.warning_number = :number AND b.position = :position", number=number, position=position))}


# -- without a mouse ---------------------------------------------------------------------------------------
def tab_to(page: Page, selector: str) -> None:
    """Press Tab until the element has the focus; within a group of radio buttons, the arrow keys."""
    page.locator(selector).first.wait_for(state="attached")
    for _ in range(TABS):
        found = page.evaluate("""selector => {
            const now = document.activeElement, wanted = document.querySelector(selector);
            if (now === wanted) return "here";
            return wanted.type === "radio" && now.type === "radio" && now.name === wanted.name ? "group" : "";
        }""", selector)
        if found == "here":
            return
        page.keyboard.press("ArrowDown" if found == "group" else "Tab")
    raise AssertionError(f"{selector} cannot be reached by the keyboard on {page.url}")


def choose(page: Page, selector: str) -> None:
    """Tick or choose by keys alone."""
    tab_to(page, selector)
    if not page.locator(selector).is_checked():
        page.keyboard.press("Space")
    expect(page.locator(selector)).to_be_checked()


def write(page: Page, selector: str, text: str) -> None:
    tab_to(page, selector)
    page.keyboard.press("Control+A")
    page.keyboard.type(text)


def press(page: Page, selector: str) -> None:
    tab_to(page, selector)
    page.keyboard.press("Enter")


def compose_by_keys(page: Page, machine: Machine, *, regions: dict[str, str], tier: str, drill: bool = False) -> str:
    """A rainstorm warning for `regions` (what is typed into the search → code), up to the submitted draft; its address."""
    page.goto(machine.url + "/desk/compose/")
    if drill:
        choose(page, "[name=exercise][value='1']")
    choose(page, "[name=hazard][value='11B03']")
    page.locator(f"[name=tier][value={tier}]").wait_for()  # comes in by itself once the hazard is chosen
    choose(page, f"[name=tier][value={tier}]")
    for typed, code in regions.items():
        write(page, "#find", typed)
        choose(page, f"[name='target.regions'][value='{code}']")
        page.keyboard.press("Shift+Tab")
        while page.evaluate("document.activeElement.id") != "find":
            page.keyboard.press("Shift+Tab")
    expect(page.locator("[id='words.zh.sms']")).not_to_have_value("")
    expect(page.locator("#reach strong").first).to_be_visible()
    looked_at(page)
    press(page, ".bar [name=do][value=preview]")
    page.wait_for_url("**/desk/drafts/*/")
    looked_at(page)
    press(page, "form[action$='/submit'] button")
    expect(page.locator("form[action$='/withdraw']")).to_be_visible()
    return page.url
