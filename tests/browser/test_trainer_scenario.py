"""What a trainer does at the desk: a school's list, the gradebook, questions that mislead, responders, certificates, exchange."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.steps import looked_at, sign_in
from tests.chromium import DESKTOP, PHONE
from tests.whole.first_start import copied, first_start
from tests.whole.machine import Machine, running

Window = Callable[..., Page]
pytestmark = pytest.mark.timeout(400)  # whoever comes first waits for the first start, or makes it
COURSE = "first-responder"
LIST = "姓名,手机号,学号\n周一帆,129 0009 9101,2026-01\n吴小满,12900099102,2026-02\n郑知夏,1290009910,2026-03\n"
GIFT = (
    "::q1::夜里闻到很重的燃气味，先做什么？ {\n=关阀、开窗、到室外打电话#对。\n~开灯看看#会打火。\n~打开抽油烟机#会打火。\n}\n\n"
    "::q2::说说你的经历。 {}\n")
PAGES = ("", "sessions/", "cohorts/", "gradebook/", f"questions/?course={COURSE}", "responders/", "certificates/", "exchange/",
         "disputes/")


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """The demonstration, filled, without horns, which have tests of their own."""
    instance = tmp_path_factory.mktemp("trainer") / "instance"
    with running(copied(first_start(tmp_path_factory), instance, ANLAN_SIMULATED_SPEAKERS="0")) as machine:
        yield machine
        assert machine.end() == 0
    assert "Traceback" not in machine.output, machine.output
    assert machine.strangers == ""


@pytest.fixture
def trainer(window: Window, machine: Machine) -> Page:
    page = window(DESKTOP, accept_downloads=True)
    sign_in(page, machine, "trainer")
    return page


def test_a_schools_list_becomes_a_cohort_whose_gradebook_says_who_lacks_what(trainer: Page, machine: Machine,
                                                                            tmp_path: Path) -> None:
    page = trainer
    page.goto(machine.url + "/desk/training/cohorts/new")
    page.fill("#name", "坪山中学高一（3）班")
    page.select_option("#kind", "school")
    page.select_option("#region_code", "440310001001")
    page.select_option("#slug", COURSE)
    looked_at(page)
    page.locator("#cohort button").click()
    page.wait_for_url("**/desk/training/cohorts/*/import")
    cohort = page.url.removesuffix("import")
    page.set_input_files("#list", {"name": "班级.csv", "mimeType": "text/csv", "buffer": LIST.encode("gb18030")})
    page.locator("#upload button").click()
    expect(page.locator("main tbody tr").filter(has_text="不是有效的手机号")).to_contain_text("4")
    expect(page.locator("#confirm")).to_have_count(0)  # one wrong row, and nothing is taken in
    looked_at(page)
    mended = LIST.replace("1290009910,", "12900099103,").encode()
    page.set_input_files("#list", {"name": "班级.csv", "mimeType": "text/csv", "buffer": mended})
    page.locator("#upload button").click()
    looked_at(page)
    page.locator("#confirm button").click()
    expect(page.locator("#undo")).to_be_visible()
    page.goto(cohort)
    expect(page.locator("main")).to_contain_text("郑知夏")
    looked_at(page)
    page.locator(f"a[href*='gradebook/?cohort={cohort.rstrip('/').rpartition('/')[2]}']").click()
    expect(page.locator("tbody tr")).to_have_count(3)
    looked_at(page)
    page.locator("tbody th a").first.click()
    page.wait_for_url("**/desk/training/learners/*/")
    looked_at(page)
    page.goto(cohort)
    with page.expect_download() as taken:
        page.locator("form[action$='roster.csv'] button").click()
    taken.value.save_as(tmp_path / "roster.csv")
    with (tmp_path / "roster.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    assert [row[0] for row in rows[1:]] == ["周一帆", "吴小满", "郑知夏"]


def test_a_question_that_misleads_is_found_and_read(trainer: Page, machine: Machine) -> None:
    page = trainer
    page.goto(f"{machine.url}/desk/training/questions/?course={COURSE}")
    worst = page.locator("table.questions tbody tr").first
    expect(worst).to_contain_text("反向区分")
    worst.locator("a").first.click()
    page.wait_for_url("**/desk/training/questions/*/*/")
    looked_at(page)


def test_a_bank_of_another_program_is_looked_at_and_handed_back(trainer: Page, machine: Machine) -> None:
    page = trainer
    page.goto(machine.url + "/desk/training/exchange/")
    page.select_option("#into", f"{COURSE}/fire")
    page.set_input_files("#file", {"name": "bank.gift", "mimeType": "text/plain", "buffer": GIFT.encode()})
    page.locator("#bring button").click()
    expect(page.locator("main")).to_contain_text("夜里闻到很重的燃气味")
    refused = page.locator("main tbody tr").filter(has_text="问答题")
    expect(refused.first).to_contain_text("7")  # nobody could mark an essay, which is said with its line
    looked_at(page)
    with page.expect_download() as taken:
        page.locator("#take button").click()
    assert taken.value.suggested_filename.endswith(".zip")


@pytest.mark.parametrize(("size", "language"), [(DESKTOP, "zh-CN"), (PHONE, "en-GB")])
def test_each_page_of_training_is_open_to_everybody(window: Window, machine: Machine, size: dict, language: str) -> None:
    page = window(size, language)
    sign_in(page, machine, "trainer")
    for path in PAGES:
        page.goto(f"{machine.url}/desk/training/{path}")
        expect(page.locator("main h1")).to_be_visible()
        looked_at(page)
