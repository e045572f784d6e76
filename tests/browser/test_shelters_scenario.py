"""One evening, from the red warning to the closed road: an operator, a shelter's staff, a resident with a cheap phone."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from portal.shelters.demo import KEEPER
from tests.browser.steps import looked_at, sign_in
from tests.chromium import DESKTOP, PHONE, assert_accessible
from tests.waiting import until
from tests.whole.first_start import copied, first_start
from tests.whole.machine import Machine, running
from tests.whole.operator import Operator

LIULIAN = "440310001001"
HALL = "PS-N001"
PEOPLE = 40
CLOSED_RADIUS = 25
Window = Callable[..., Page]
pytestmark = pytest.mark.timeout(400)  # whoever comes first waits for the first start, or makes it
#: In the page of the way: the route of a layer from a place, as the page's own script finds it.
ROUTE = """async ([lon, lat]) => {
  const answer = await fetch("/fields/440310001001.json", {cache: "no-store"});
  const way = window.AnlanField.decode(await answer.json()).route(lon, lat, "water.walk", "zh");
  return {ok: way.ok, basis: way.basis, shelter: way.shelter && way.shelter.code, line: way.line, words: way.words};
}"""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """The demonstration, filled, without horns, which have tests of their own."""
    instance = tmp_path_factory.mktemp("shelters") / "instance"
    with running(copied(first_start(tmp_path_factory), instance, ANLAN_SIMULATED_SPEAKERS="0")) as machine:
        yield machine
        assert machine.end() == 0
    assert "Traceback" not in machine.output, machine.output
    assert machine.strangers == ""


def test_an_evening_of_heavy_rain(window: Window, machine: Machine, snapshot: Callable[[Page, str], None]) -> None:
    resident, english = window(PHONE), window(PHONE, "en-GB")
    before_anything_happens(resident, machine)
    number = Operator(machine.url, "approver").approve(Operator(machine.url, "approver").waiting(), "红色")
    opened_in_one_step(window(DESKTOP), machine, number)
    hall = reported_from_the_door(window(PHONE), machine)
    seen_by_a_resident(resident, machine, hall)
    seen_by_a_resident_in_english(english, machine)
    way = told_the_way(resident, machine)
    snapshot(resident, "scenario-route")
    where = closed_on_the_way(window(DESKTOP), machine, way)
    led_around(resident, machine, way, where)
    kept_without_a_network(resident, machine)
    snapshot(resident, "scenario-offline")


def before_anything_happens(page: Page, machine: Machine) -> None:
    """The list says that nothing is open, and offers the plan."""
    page.goto(machine.url + "/zh/shelters/water/")
    expect(page.locator("#open")).to_have_text("目前没有开放的避难场所")
    expect(page.locator("#plan")).to_be_visible()
    looked_at(page)


def opened_in_one_step(page: Page, machine: Machine, number: str) -> None:
    """From the desk's first page to the opened shelters: one link, one button."""
    sign_in(page, machine, "shelters")
    page.locator(f"#shelters-{number}").click()
    page.wait_for_url("**/desk/shelters/open?*")
    assert_accessible(page)  # at the top, where the bar of live warnings covers no tick
    proposed = page.locator("#open-form tbody input:checked").count()
    assert proposed >= 10
    page.locator("#open-button").click()
    expect(page.locator(".opening-decision h2")).to_contain_text(str(proposed))
    assert machine.number("SELECT count(*) FROM shelter WHERE status = 'opening'") == proposed


def reported_from_the_door(page: Page, machine: Machine) -> int:
    """The keeper signs in by a code, says “open” and how many are there; the id of the shelter."""
    page.goto(machine.url + "/staff/")
    looked_at(page)
    page.fill("#phone", KEEPER.removeprefix("+86"))
    page.press("#phone", "Enter")
    page.locator("#code").wait_for()
    page.fill("#code", until(lambda: _code(machine), "the code has come"))
    page.press("#code", "Enter")
    page.wait_for_url(machine.url + "/staff/")
    looked_at(page)
    hall = machine.number("SELECT id FROM shelter WHERE code = :c", c=HALL)
    page.locator(f"a[href='/staff/{hall}/']").first.click()
    page.wait_for_url(f"**/staff/{hall}/")
    looked_at(page)
    page.locator(".staff-steps button[value=open]").click()
    until(lambda: machine.number("SELECT count(*) FROM shelter WHERE code = :c AND status = 'open'", c=HALL), "it is open")
    expect(page.locator("#state")).to_contain_text("开放")
    page.fill("#occupancy", str(PEOPLE))
    page.locator(".staff-big[data-send]").click()
    until(lambda: machine.number("SELECT count(*) FROM shelter WHERE code = :c AND occupancy = :n", c=HALL, n=PEOPLE), "counted")
    expect(page.locator(".staff-people")).to_contain_text(str(PEOPLE))
    return hall


def _code(machine: Machine) -> str:
    bodies = [row[0] for row in machine.rows("SELECT body FROM sandbox_text")]
    found = [match.group() for body in bodies if "验证码" in body and (match := re.search(r"\d{6}", body))]
    return found[-1] if found else ""


def seen_by_a_resident(page: Page, machine: Machine, hall: int) -> None:
    """The list and the shelter's page say so within seconds; so does the feed."""
    def feed() -> dict[str, Any]:
        features = json.loads(machine.get("/feeds/shelters.geojson")[1])["features"]
        return next(f["properties"] for f in features if f["properties"]["code"] == HALL)

    until(lambda: (feed()["status"], feed()["occupancy"]) == ("open", PEOPLE), "the feed knows it")
    page.goto(machine.url + "/zh/shelters/water/")
    # As somebody does who waits: the browser shows the page that it has kept first, and again where the server is slow to answer.
    until(lambda: page.reload() and "现已开放" in page.locator("main").inner_text(), "the list says that it is open")
    expect(page.locator("#open")).to_have_text("现已开放")
    name = machine.rows("SELECT name_zh FROM shelter WHERE id = :i", i=hall)[0][0]
    expect(page.locator("section.open")).to_contain_text(name)
    looked_at(page)
    page.goto(f"{machine.url}/zh/shelters/{HALL}/")
    expect(page.locator("h1")).to_contain_text(name)
    expect(page.locator("main")).to_contain_text("开放")
    looked_at(page)


def seen_by_a_resident_in_english(page: Page, machine: Machine) -> None:
    page.goto(machine.url + "/en/shelters/water/")
    until(lambda: page.reload() and "Open now" in page.locator("main").inner_text(), "the list says that it is open")
    expect(page.locator("#open")).to_have_text("Open now")
    looked_at(page)
    page.goto(machine.url + "/en/route/#water")
    page.select_option("#community", LIULIAN)
    expect(page.locator("[data-answer]")).to_be_visible()
    expect(page.locator("[data-steps] li").first).to_be_visible()
    assert not re.search("[\u4e00-\u9fff]", page.locator("[data-answer]").inner_text())
    looked_at(page)


def told_the_way(page: Page, machine: Machine) -> dict[str, Any]:
    """From the middle of the community, in words; the shelter is one that is open. What the page's script found."""
    page.goto(machine.url + "/zh/route/#water")
    at = _middle(machine)
    way = until(lambda: (new := page.evaluate(ROUTE, at))["basis"] == "open" and new, "the field knows what is open")

    def told() -> bool:
        page.reload()
        page.select_option("#community", LIULIAN)
        expect(page.locator("[data-answer]")).to_be_visible()
        return page.locator("[data-basis]").is_hidden()

    until(told, "the page tells the way to what is open")
    looked_at(page)
    assert (way["ok"], way["basis"]) == (True, "open")
    assert machine.rows("SELECT status FROM shelter WHERE code = :c", c=way["shelter"])[0][0] == "open"
    shown = page.locator("[data-steps] li").all_inner_texts()
    assert len(shown) >= 2
    return way


def _middle(machine: Machine) -> list[float]:
    """The place that the page begins at for the community."""
    body = machine.rows("SELECT boundary FROM region WHERE code = :c", c=LIULIAN)
    ring = json.loads(body[0][0])["coordinates"][0]
    return [sum(p[i] for p in ring[:-1]) / (len(ring) - 1) for i in (0, 1)]


def closed_on_the_way(page: Page, machine: Machine, way: dict[str, Any]) -> tuple[float, float]:
    """The office closes a road half-way; where."""
    line = way["line"]
    lon, lat = line[len(line) // 2]
    sign_in(page, machine, "shelters", "/desk/obstructions/new")
    page.check("[name=kind][value=road_closed]")
    page.fill("#name_zh", "半途路段（测试）")
    page.check("[name=expires_mode][value='3']")
    page.check("[name=shape][value=point]")
    page.fill("#geometry", f"{lon:.6f}, {lat:.6f}")
    page.fill("#radius", str(CLOSED_RADIUS))
    page.locator("[name=do][value=save]").click()
    page.wait_for_url(re.compile("/desk/obstructions/[0-9a-f-]{36}/"))
    return lon, lat


def led_around(page: Page, machine: Machine, way: dict[str, Any], where: tuple[float, float]) -> None:
    """A few seconds later the way is another, and no part of it comes near what is closed."""
    at = _middle(machine)
    other = until(lambda: (new := page.evaluate(ROUTE, at)) and new["line"] != way["line"] and new, "the way has changed")
    if other["ok"]:
        assert min(_apart(where, a, b) for a, b in zip(other["line"], other["line"][1:], strict=False)) > CLOSED_RADIUS - 1
    page.reload()
    page.select_option("#community", LIULIAN)
    expect(page.locator("[data-answer]:visible, [data-nowhere]:visible").first).to_be_visible()


def _apart(point: tuple[float, float], a: list[float], b: list[float]) -> float:
    """Metres from a point to a piece of way."""
    x, y = ((p[0] - point[0]) * 102_700 for p in (a, b)), ((p[1] - point[1]) * 110_700 for p in (a, b))
    (ax, bx), (ay, by) = x, y
    dx, dy = bx - ax, by - ay
    share = max(0.0, min(1.0, -(ax * dx + ay * dy) / ((dx * dx + dy * dy) or 1.0)))
    return math.hypot(ax + share * dx, ay + share * dy)


def kept_without_a_network(page: Page, machine: Machine) -> None:
    """The network is gone: list, shelter and the way are still there, and say how old they are."""
    page.evaluate("async () => { await navigator.serviceWorker.ready; }")
    for path in ("/zh/shelters/water/", f"/zh/shelters/{HALL}/", "/zh/route/"):
        page.goto(machine.url + path, wait_until="networkidle")
    page.select_option("#community", LIULIAN)
    expect(page.locator("[data-answer]:visible, [data-nowhere]:visible").first).to_be_visible()
    page.context.set_offline(True)
    for path in (f"/zh/shelters/{HALL}/", "/zh/shelters/water/", "/zh/route/"):
        page.goto(machine.url + path)
        expect(page.locator("[data-kept-banner]")).to_contain_text("分钟前")
        expect(page.locator("h1")).to_be_visible()
    page.select_option("#community", LIULIAN)
    expect(page.locator("[data-answer]:visible, [data-nowhere]:visible").first).to_be_visible()
    page.context.set_offline(False)
