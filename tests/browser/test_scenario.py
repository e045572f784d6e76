"""The whole thing as its users meet it: one `anlan run`, officers at their desks, residents at their phones."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lxml import etree
from playwright.sync_api import Page, expect

from tests.browser import steps
from tests.browser.steps import looked_at, sign_in
from tests.chromium import DESKTOP, PHONE
from tests.waiting import until
from tests.whole.filing import issue_one_that_soon_ends
from tests.whole.first_start import copied, first_start
from tests.whole.machine import Machine, running

PINGSHAN, KENGZI, BILING = "440310001000", "440310005000", "440310003000"
CAP = "{urn:oasis:names:tc:emergency:cap:1.2}"
ATOM = "{http://www.w3.org/2005/Atom}"
SCHEMAS = Path(__file__).resolve().parents[3] / "shared" / "cap"
PAGE_BYTES = 30 * 1024
Window = Callable[..., Page]
pytestmark = pytest.mark.timeout(400)  # whoever comes first waits for the first start, or makes it


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """One district for all of this file."""
    with running(copied(first_start(tmp_path_factory), tmp_path_factory.mktemp("scenario") / "instance")) as machine:
        yield machine
        assert machine.end() == 0
    assert "Traceback" not in machine.output, machine.output
    assert machine.strangers == ""


# -- what residents see ------------------------------------------------------------------------------------
def read_by_residents(window: Window, machine: Machine, number: str, words: str) -> None:
    """Front page and warning page as they are without any script; the page is light."""
    page = window(PHONE, java_script_enabled=False)
    page.goto(machine.url + "/zh/")
    page.locator(f"a[href='/zh/warnings/{number}/']").first.click()
    expect(page.locator("h1")).to_contain_text(words)
    expect(page.locator(".todo li").first).to_be_visible()
    fresh = window(PHONE)
    sizes: list[int] = []
    fresh.on("requestfinished", lambda request: sizes.append(request.sizes()["responseBodySize"]))
    fresh.goto(f"{machine.url}/zh/warnings/{number}/", wait_until="networkidle")
    looked_at(fresh)
    print(f"warning page {number}: {sum(sizes)} bytes in {len(sizes)} answers")
    assert 0 < sum(sizes) < PAGE_BYTES
    english = window(PHONE, "en-GB")
    english.goto(f"{machine.url}/en/warnings/{number}/")
    looked_at(english)


def read_by_programs(machine: Machine, number: str, kind: str) -> None:
    """The newest bulletin stands in the feed with its frozen bytes; GeoJSON holds what is in force."""
    identifier, frozen = machine.rows(
        "SELECT identifier, cap FROM bulletin WHERE warning_number = :n ORDER BY position DESC LIMIT 1", n=number)[0]
    status, document = machine.get(f"/cap/{identifier}.xml")
    assert (status, document) == (200, bytes(frozen))
    alert = etree.fromstring(document)
    assert alert.findtext(f"{CAP}msgType") == kind
    assert alert.findtext(f"{CAP}status") == "Actual"
    feed = etree.fromstring(machine.get("/feeds/cap.atom")[1])
    newest = feed.find(f"{ATOM}entry")
    assert newest is not None
    assert any(str(link.get("href")).endswith(f"/cap/{identifier}.xml") for link in newest.findall(f"{ATOM}link"))
    live = json.loads(machine.get("/feeds/warnings.geojson")[1])
    assert (number in json.dumps(live)) == (kind != "Cancel")


def watched(page: Page, machine: Machine, number: str, position: int = 1) -> int:
    """The approver watches the progress by itself come to its end; how many texts went out."""
    count = steps.wait_for_all(machine, number, position)
    assert count > 1000
    expect(page.locator("#progress")).to_contain_text(f"{count:,}", timeout=20_000)
    looked_at(page)
    page.locator("#progress a[href*='/horns']").first.click()
    page.wait_for_url("**/horns*")
    looked_at(page)
    page.go_back()
    page.wait_for_url(f"**/warnings/{number}/")
    return count


def ended_by_all_clear(window: Window, machine: Machine, approver: Page, size: dict, number: str) -> None:
    """The drafter writes the all-clear, the approver approves it, and exactly those who were warned hear it."""
    writer = window(size)
    sign_in(writer, machine, "drafter", f"/desk/warnings/{number}/")
    looked_at(writer)
    draft = steps.all_clear(writer, number)
    approver.goto(draft)
    assert steps.approve(approver) == number
    watched(approver, machine, number, position=2)
    warned = steps.told(machine, number, 1)
    assert len(set(warned)) == len(warned), "nobody was warned twice"
    assert steps.told(machine, number, 2) == warned
    assert steps.horns_heard(machine, number, 2) == steps.horns_heard(machine, number, 1)
    resident = window(size, java_script_enabled=False)
    resident.goto(f"{machine.url}/zh/warnings/{number}/")
    expect(resident.locator(".over-banner")).to_contain_text("已解除")
    expect(resident).to_have_title(re.compile("^［已结束］"))
    read_by_programs(machine, number, "Cancel")


def test_the_first_click_of_a_newcomer_warns_two_streets_and_the_all_clear_follows(window: Window, machine: Machine) -> None:
    page = window(PHONE)
    sign_in(page, machine, "approver")
    looked_at(page)
    page.locator("main a").first.click()
    page.wait_for_url("**/desk/drafts/*/")
    expect(page.locator(".bubble").first).to_contain_text("暴雨红色预警")
    text = page.locator(".bubble").first.inner_text()
    number = steps.approve(page, "红色")
    watched(page, machine, number)
    page.goto(machine.url + "/desk/sandbox/")
    looked_at(page)
    page.select_option("#text-language", "zh")
    page.locator("form[role=search] button").click()
    page.wait_for_url("**language=zh*")
    looked_at(page)
    expect(page.locator(".phone .bubble").first).to_have_text(text)
    read_by_residents(window, machine, number, "暴雨红色")
    read_by_programs(machine, number, "Alert")
    ended_by_all_clear(window, machine, page, PHONE, number)


def test_a_warning_is_written_by_the_keyboard_alone_and_goes_all_the_way(window: Window, machine: Machine) -> None:
    writer = window(DESKTOP)
    sign_in(writer, machine, "drafter", "/desk/compose/")
    draft = steps.compose_by_keys(writer, machine, regions={"kengzi": KENGZI, "坪山街道": PINGSHAN}, tier="red")
    approver = window(DESKTOP)
    sign_in(approver, machine, "approver")
    looked_at(approver)
    approver.locator(f"main a[href='{draft.removeprefix(machine.url)}']").click()
    approver.wait_for_url(draft)
    number = steps.approve(approver, "红色")
    watched(approver, machine, number)
    go_on = window(DESKTOP)
    sign_in(go_on, machine, "viewer")
    looked_at(go_on)
    expect(go_on.locator("#live")).to_contain_text("暴雨")
    read_by_residents(window, machine, number, "暴雨红色")
    read_by_programs(machine, number, "Alert")
    ended_by_all_clear(window, machine, approver, DESKTOP, number)


def test_a_streets_officer_is_offered_the_own_street_and_no_red(window: Window, machine: Machine) -> None:
    page = window(PHONE)
    sign_in(page, machine, "street", "/desk/compose/")
    page.check("[name=hazard][value='11B03']")
    expect(page.locator("[name=tier][value=orange]")).to_be_visible()
    assert page.locator("[name=tier][value=red]").count() == 0
    codes = page.locator("[name='target.regions']").evaluate_all("boxes => boxes.map(box => box.value)")
    assert PINGSHAN in codes
    assert all(code.startswith(PINGSHAN[:9]) for code in codes)
    looked_at(page)


def test_a_drill_stays_a_drill_from_the_first_word_to_the_last(window: Window, machine: Machine) -> None:
    writer = window(DESKTOP, "en-GB")
    sign_in(writer, machine, "drafter", "/desk/compose/")
    before = machine.get("/feeds/cap.atom")[1], machine.get("/feeds/warnings.geojson")[1]
    draft = steps.compose_by_keys(writer, machine, regions={"biling": BILING}, tier="orange", drill=True)
    expect(writer.locator(".drill").first).to_have_text("Drill")
    approver = window(DESKTOP, "en-GB")
    sign_in(approver, machine, "approver")
    approver.goto(draft)
    number = steps.approve(approver)
    count = steps.wait_for_all(machine, number, 1)
    expect(approver.locator("#progress")).to_contain_text(f"{count:,}", timeout=20_000)
    looked_at(approver)
    for path in (f"/desk/warnings/{number}/", "/desk/"):
        approver.goto(machine.url + path)
        expect(approver.locator("main .drill").first).to_be_visible()
        expect(approver.locator("#live .live-drill")).to_contain_text("Drill")
        looked_at(approver)
    approver.goto(machine.url + "/desk/warnings/")
    expect(approver.locator("main")).not_to_contain_text(number)
    bodies = {row[0] for row in machine.rows(
        "SELECT DISTINCT x.body FROM sandbox_text x JOIN sandbox_message m ON m.text_id = x.id JOIN batch"
        " ON batch.id = CAST(substr(m.ref, 1, instr(m.ref, '/') - 1) AS INTEGER) JOIN dispatch d ON d.id = batch.dispatch_id"
        " JOIN bulletin b ON b.id = d.bulletin_id WHERE b.warning_number = :n", n=number)}
    assert len(bodies) == 2
    assert all("【演练】" in body or "EXERCISE" in body for body in bodies)
    cap = bytes(machine.rows("SELECT cap FROM bulletin WHERE warning_number = :n", n=number)[0][0])
    identifier = machine.rows("SELECT identifier FROM bulletin WHERE warning_number = :n", n=number)[0][0]
    assert etree.fromstring(cap).findtext(f"{CAP}status") == "Exercise"
    for path in (f"/zh/warnings/{number}/", f"/en/warnings/{number}/", f"/cap/{identifier}.xml"):
        assert machine.get(path)[0] == 404
    for path in ("/zh/", "/en/", "/zh/archive/", "/feeds/index.json"):
        assert number not in machine.get(path)[1].decode()
    assert (machine.get("/feeds/cap.atom")[1], machine.get("/feeds/warnings.geojson")[1]) == before


def test_a_warning_past_its_time_is_over_by_itself_and_the_page_says_so(window: Window, machine: Machine) -> None:
    number = issue_one_that_soon_ends(machine, seconds=20)
    page = window(PHONE)
    path = f"/zh/warnings/{number}/"
    until(lambda: machine.get(path)[0] == 200, "the page is out")
    page.goto(machine.url + path)
    expect(page.locator(".is-past")).to_have_count(0)
    until(lambda: machine.number("SELECT count(*) FROM warning WHERE number = :n AND state = 'expired'", n=number), "expired")
    until(lambda: "is-past" in machine.get(path)[1].decode(), "the page says so")
    page.reload()
    expect(page.locator(".over-banner")).to_contain_text("已失效")
    looked_at(page)
    assert number not in machine.get("/feeds/warnings.geojson")[1].decode()
    late = machine.number("SELECT count(*) FROM sandbox_message WHERE at > expires_at")
    assert late == 0


@pytest.mark.skipif(not SCHEMAS.exists(), reason="the CAP schemas lie outside the repository and are absent")
def test_every_cap_document_that_was_published_is_valid(machine: Machine) -> None:
    feed = etree.fromstring(machine.get("/feeds/cap.atom")[1])
    documents = [str(link.get("href")) for link in feed.iter(f"{ATOM}link") if link.get("type") == "application/cap+xml"]
    assert len(documents) >= 4  # the two past warnings and their all-clears at least
    for name in ("CAP-v1.2.xsd", "cap12_extended.xsd"):
        schema = etree.XMLSchema(etree.parse(SCHEMAS / name))
        for document in documents:
            schema.assertValid(etree.fromstring(machine.get("/cap/" + document.rpartition("/")[2])[1]))
