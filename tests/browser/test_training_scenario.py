"""From the first lesson to the certificate that a stranger verifies by its QR code: a trainee with a cheap phone, a trainer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pypdfium2
import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import Page, expect

from portal import create_app
from portal.config import Settings
from portal.core.db import db
from portal.training.exam_models import Attempt
from portal.training.exams import attempts
from tests.browser.steps import looked_at, sign_in
from tests.chromium import DESKTOP, PHONE
from tests.training.exams.test_attempts import right
from tests.training.exams.test_browser import answer
from tests.waiting import until
from tests.whole.first_start import copied, first_start
from tests.whole.machine import Machine, running

COURSE = "first-responder"
NUMBER = "12900099091"
NAME = "欧阳𬭛"  # its last character stands in no common typeface
CUT = range(10, 20)
Window = Callable[..., Page]


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """The demonstration, filled, without horns, which have tests of their own."""
    instance = tmp_path_factory.mktemp("training") / "instance"
    with running(copied(first_start(tmp_path_factory), instance, ANLAN_SIMULATED_SPEAKERS="0")) as machine:
        yield machine
        assert machine.end() == 0
    assert "Traceback" not in machine.output, machine.output
    assert machine.strangers == ""


class Both:
    """A trainee's phone, and the same phone set to English: each page that is reached is looked at in both languages."""

    def __init__(self, window: Window, machine: Machine) -> None:
        self.page, self.english, self.machine = window(PHONE, accept_downloads=True), window(PHONE, "en-GB"), machine

    def look(self) -> None:
        looked_at(self.page)
        self.english.context.clear_cookies()
        self.english.context.add_cookies([one for one in self.page.context.cookies() if one["name"] != "session"])
        self.english.goto(self.page.url)
        looked_at(self.english)

    def go(self, path: str) -> Page:
        self.page.goto(self.machine.url + path)
        self.look()
        return self.page


@pytest.mark.timeout(400)  # some hundred taps, and each page in both languages
def test_from_the_first_lesson_to_the_certificate(window: Window, machine: Machine, tmp_path: Path,
                                                  snapshot: Callable[[Page, str], None]) -> None:
    trainee, trainer = Both(window, machine), window(DESKTOP)
    gets_in(trainee)
    reads_two_lessons(trainee)
    practises_and_reviews(trainee)
    passes_the_exam_though_the_network_goes(trainee)
    snapshot(trainee.page, "training-passed")
    session = published(trainer, machine)
    books(trainee, session)
    is_checked_in(trainee, trainer, session)
    is_assessed(trainer, machine, session)
    serial, paper = is_certified(trainee, tmp_path)
    snapshot(trainee.page, "training-certificate")
    verified(window(PHONE), machine, serial, paper)
    snapshot(trainer, "training-desk")


def gets_in(trainee: Both) -> None:
    page = trainee.go(f"/learn/courses/{COURSE}/")
    page.fill("#phone", NUMBER)
    page.press("#phone", "Enter")
    page.locator("#code").wait_for()
    page.fill("#code", until(lambda: _code(trainee.machine), "the code has come"))
    page.press("#code", "Enter")
    page.wait_for_url(f"**/learn/courses/{COURSE}/")
    trainee.look()


def _code(machine: Machine) -> str:
    bodies = [row[0] for row in machine.rows("SELECT body FROM sandbox_text")]
    found = [match.group() for body in bodies if "验证码" in body and (match := re.search(r"\d{6}", body))]
    return found[-1] if found else ""


def reads_two_lessons(trainee: Both) -> None:
    page = trainee.page
    page.get_by_role("button", name="开始学习").click()
    for _lesson in range(2):
        page.wait_for_selector(".learn-mark button")
        trainee.look()
        page.click(".learn-mark button")
    assert trainee.machine.number("SELECT count(*) FROM lesson_progress WHERE done_at IS NOT NULL AND learner_id = :l",
                                  l=_learner(trainee.machine)) == 2


def practises_and_reviews(trainee: Both) -> None:
    """Questions are answered by guessing until one is wrong; it comes again in the review."""
    page, machine = trainee.page, trainee.machine
    wrong = "SELECT count(*) FROM review_card WHERE learner_id = :l"
    for _question in range(30):
        page.goto(f"{machine.url}/learn/courses/{COURSE}/practice/fire/")
        _guess(page)
        if machine.number(wrong, l=_learner(machine)):
            break
    looked_at(page)
    assert machine.number(wrong, l=_learner(machine)) == 1
    trainee.go("/learn/review/")


def _guess(page: Page) -> None:
    while "/answers/" not in page.url:
        if page.query_selector("main form select"):
            for field in page.query_selector_all("main form select"):
                field.select_option(index=1, force=True)
        elif page.query_selector("main form input[type=text]"):
            page.fill("main form input[type=text]", "7")
        else:
            page.check("main form fieldset input >> nth=0", force=True)
        page.click("main form button[type=submit], main form button:not([type])")
        page.wait_for_load_state()


def passes_the_exam_though_the_network_goes(trainee: Both) -> None:
    page, machine = trainee.go(f"/learn/{COURSE}/exam/"), trainee.machine
    page.check("#ready")
    page.locator(".exam-big").click()
    page.wait_for_url("**/sit")
    looked_at(page)  # alone: a second phone would take the exam over
    rights = _rights(machine)
    assert len(rights) == 50
    for at, (kind, value) in rights.items():
        if at == CUT.start:
            _saved(page)
            page.context.set_offline(True)
        answer(page, at, kind, value)
        if at == CUT.stop - 1:
            expect(page.locator("#exam-state")).to_contain_text("10 题答案已保存在本机")
            page.context.set_offline(False)
    _saved(page)
    page.get_by_role("button", name="检查并交卷").click()
    expect(page.locator("h1")).to_have_text("确认交卷吗？")
    expect(page.locator("main")).to_contain_text("50 道题均已作答并保存")
    page.get_by_role("button", name="确认交卷").click()
    expect(page.locator(".exam-score")).to_contain_text("100 %")
    trainee.look()
    trainee.go(f"/learn/courses/{COURSE}/")
    expect(page.locator(".learn-road .learn-done")).to_have_count(1)


def _saved(page: Page) -> None:
    expect(page.locator("#exam-bar[data-state=saved]")).to_be_visible(timeout=30_000)


def _rights(machine: Machine) -> dict[int, tuple[str, Any]]:
    """Place → kind of fields and the right answer, from the machine's own database."""
    def look() -> dict[int, tuple[str, Any]]:
        app = create_app(Settings(instance=machine.instance, demo=True, surfaces="site"))
        with app.app_context():
            attempt = db.session.query(Attempt).filter_by(learner_id=_learner(machine)).one()
            found = {at: (attempts.answers.kind(q), right(q, d)) for at, (d, q) in enumerate(attempts.questions(attempt))}
            db.engine.dispose()
            return found
    with ThreadPoolExecutor(1) as elsewhere:  # Playwright has a loop in this thread
        return elsewhere.submit(look).result(60)


def _learner(machine: Machine) -> int:
    return machine.number("SELECT max(id) FROM learner WHERE tail = :t", t=NUMBER[-4:])


def published(page: Page, machine: Machine) -> str:
    """A session that begins in ten minutes, with all skills; its path."""
    sign_in(page, machine, "trainer")
    page.goto(machine.url + "/desk/training/")
    looked_at(page)
    page.goto(f"{machine.url}/desk/training/sessions/new?slug={COURSE}")
    begins = datetime.now(ZoneInfo("Asia/Shanghai")) + timedelta(minutes=10)
    for box in page.locator("[name=skills]").all():
        box.check()
    page.fill("#seats", "12")
    page.fill("#day", f"{begins:%Y-%m-%d}")
    page.fill("#begins", f"{begins:%H:%M}")
    page.fill("#ends", f"{begins + timedelta(hours=3):%H:%M}")
    page.fill("#place", "社区训练室")
    page.select_option("#region_code", "440310001001")
    looked_at(page)
    page.locator(".office-bar button").click()
    page.wait_for_url(re.compile(r"/desk/training/sessions/[0-9a-f-]{36}/"))
    looked_at(page)
    return page.url.rstrip("/").rpartition("/")[2]


def books(trainee: Both, session: str) -> None:
    page = trainee.go(f"/learn/sessions/of/{COURSE}/")
    page.locator(f"a[href$='/learn/sessions/{session}/']").click()
    page.wait_for_url(f"**/learn/sessions/{session}/")
    trainee.look()
    page.fill("#name", NAME)
    page.locator("form .learn-big").click()
    expect(page.locator(".notice-good").first).to_contain_text("已预约")
    trainee.look()


def is_checked_in(trainee: Both, trainer: Page, session: str) -> None:
    """By the code that the trainer's screen shows, as a camera reads it."""
    trainer.goto(f"{trainee.machine.url}/desk/training/sessions/{session}/attendance/")
    trainer.locator(".attend-qr svg").wait_for()
    looked_at(trainer)
    link = _qr(trainer.screenshot(full_page=True))  # not of the code's place, which is renewed every five seconds
    path = link[link.index("/learn/here/"):]
    trainee.page.goto(trainee.machine.url + path)
    looked_at(trainee.page)
    if (button := trainee.page.locator("#check-in button")).count():
        button.click()
    expect(trainee.page.locator("main .notice-good").first).to_contain_text("已签到")
    trainee.look()


def _qr(png: bytes) -> str:
    return zxingcpp.read_barcodes(Image.open(BytesIO(png)).convert("L"))[0].text


def is_assessed(page: Page, machine: Machine, session: str) -> None:
    """Every step of every skill is shown, and marked so."""
    learner, base = _learner(machine), f"{machine.url}/desk/training/sessions/{session}"
    skills = [row[0] for row in machine.rows("SELECT j.value FROM practical_session s, json_each(s.skills) j"
                                             " WHERE s.id = :i", i=session.replace("-", ""))]
    assert len(skills) == 7
    for skill in skills:
        page.goto(f"{base}/assess/{learner}/{skill}/")
        for shown in page.locator(".assess-yes").all():
            shown.click()
        if skill == skills[0]:
            looked_at(page)
        page.locator("#checklist .assess-big").click()
        page.wait_for_url(lambda url, skill=skill: f"/{skill}/" not in url)
    assert machine.number("SELECT count(*) FROM practical_assessment WHERE learner_id = :l AND passed", l=learner) == 7


def is_certified(trainee: Both, tmp_path: Path) -> tuple[str, Path]:
    """The certificate is there by itself; its serial, and the PDF that the phone took down."""
    page = trainee.go("/learn/certificates/")
    expect(page.locator(".cert-valid")).to_contain_text(NAME)
    with page.expect_download() as taken:
        page.locator("a[href$='.pdf']").first.click()
    paper = tmp_path / "certificate.pdf"
    taken.value.save_as(paper)
    trainee.go(f"/learn/courses/{COURSE}/")
    expect(page.locator(".learn-road .learn-done")).to_have_count(3)
    return trainee.machine.rows("SELECT serial FROM certificate WHERE learner_id = :l", l=_learner(trainee.machine))[0][0], paper


def verified(page: Page, machine: Machine, serial: str, paper: Path) -> None:
    """A stranger scans the code on the paper; and tries a serial that somebody made up."""
    document = pypdfium2.PdfDocument(paper)
    link = zxingcpp.read_barcodes(document[0].render(scale=3).to_pil().convert("L"))[0].text
    document.close()
    assert link.endswith(f"/v/{serial}")
    page.goto(machine.url + f"/v/{serial}")
    expect(page.locator(".verify-state")).to_contain_text("有效")
    expect(page.locator("main")).to_contain_text("欧")
    expect(page.locator("main")).not_to_contain_text(NAME)
    looked_at(page)
    page.goto(page.url.replace("/zh/", "/en/"))
    looked_at(page)
    forged = serial[:-1] + ("2" if serial[-1] != "2" else "3")
    page.goto(f"{machine.url}/zh/verify/{forged}/")
    expect(page.locator(".verify-refused")).to_be_visible()
    looked_at(page)
