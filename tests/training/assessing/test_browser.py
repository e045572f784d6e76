"""A trainer's phone and a learner's at a session: checked in by the code on the screen, assessed without a network, sent once."""

from __future__ import annotations

import io
import os
import shutil
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect
from waitress import create_server

from portal import create_app
from portal.config import Settings
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.identity import sessions
from portal.identity.models import Account
from portal.identity.rights import TRAINER
from portal.training import courses_store
from portal.training.assessing import recording
from portal.training.learners import door, own
from portal.training.models import Learner
from portal.training.practical_models import ATTENDED, BOOKED, LEFT, WAITING, Assessment, Booking
from tests import district, serving
from tests.chromium import DESKTOP, PHONE, assert_accessible, assert_fits
from tests.training.assessing.conftest import make_session, seat
from tests.training.conftest import CONTENT, SAMPLE

#: Things to tap that are lower than 44 pixels.
SMALL = """() => [...document.querySelectorAll(
    "main :is(button, a.button, summary, select, input):not([type=hidden], [type=radio])")]
    .filter((e) => e.checkVisibility()).map((e) => [e.outerHTML.slice(0, 90), e.getBoundingClientRect().height])
    .filter(([, height]) => height < 43.5)"""
PICKS = """() => [...document.querySelectorAll(".assess-pick, .assess-big")].map((e) => e.getBoundingClientRect().height)"""


class Served:
    """The application as it answers, and what a test asks of it: in another thread, for Playwright has a loop in this."""

    def __init__(self, address: str, app: Any) -> None:
        self.address, self.app = address, app

    def ask(self, question: Callable[[], Any]) -> Any:
        def inside() -> Any:
            with self.app.app_context():
                return question()
        with ThreadPoolExecutor(1) as elsewhere:
            return elsewhere.submit(inside).result(60)

    def at_desk(self, name: str) -> list[dict]:
        """The cookies of an account that is signed in."""
        def begin() -> str:
            account = db.session.query(Account).filter_by(username=name).one()
            with transaction() as session:
                row = sessions.open_row(session, account)
            client = self.app.test_client()
            with client.session_transaction() as kept:
                kept.update({"_user_id": account.fs_uniquifier, "_fresh": True, "desk_session": row.id.hex})
            return client.get_cookie(self.app.config["SESSION_COOKIE_NAME"]).value
        return [{"name": self.app.config["SESSION_COOKIE_NAME"], "value": self.ask(begin), "url": self.address}]

    def as_learner(self, learner_id: int) -> list[dict]:
        secret = self.ask(lambda: door.begin(db.session.get(Learner, learner_id)))
        return [{"name": door.COOKIE, "value": secret, "url": self.address + door.PATH}]

    def assessments(self) -> list[tuple[str, bool]]:
        return self.ask(lambda: [(one.ref, one.passed) for one in db.session.query(Assessment).order_by(Assessment.id)])


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("practical")
    shutil.copytree(SAMPLE, folder / "content" / "courses" / "sample")
    for path in CONTENT.iterdir():
        if path.is_dir() and path.name != "courses":
            (folder / "content" / path.name).symlink_to(path)
    shutil.copy(sqlite_template, folder / "anlan.db")
    app = create_app(Settings(instance=folder, surfaces="site,desk", demo=True, public_url="http://localhost",
                              content=folder / "content"))
    with app.app_context():
        courses_store.sync(faulty=True)
        district.settle_regions()
        for name in ("trainer", "second", "third"):
            district.office(name, (TRAINER, district.DISTRICT, "red"))
    server = create_server(app, host="127.0.0.1", port=0, threads=6)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield Served(f"http://127.0.0.1:{server.effective_port}", app)
    serving.end(server, thread)
    with app.app_context():
        db.engine.dispose()


class Afternoon:
    """A session that is going on: 王一 has a seat, 李二 is there, one without a name waits."""

    def __init__(self, served: Served) -> None:
        def fill() -> None:
            account = db.session.query(Account).filter_by(username="trainer").one()
            held = make_session(account.id, seats=8)
            booked, there, waits = (self._learner(served.app, name) for name in ("王一", "李二", ""))
            self.booking = seat(held, booked, BOOKED).id
            seat(held, there, ATTENDED)
            seat(held, waits, WAITING)
            db.session.rollback()
            self.held, self.booked, self.there = held.id, booked.id, there.id
        served.ask(fill)
        self.url = f"{served.address}/desk/training/sessions/{self.held}"

    def _learner(self, app: Any, name: str) -> Learner:
        book, phone = app.extensions["phones"], f"+8612900{uuid.uuid4().int % 10**6:06}"
        with transaction() as session:
            learner = Learner(phone_sealed=book.seal(phone), phone_index=book.index(phone), tail=phone[-4:], language="zh",
                              joined_at=utcnow(), seen_at=utcnow())
            session.add(learner)
            session.flush()
            if name:
                own.set_name(session, learner, name)
        return learner


@pytest.fixture
def afternoon(served: Served) -> Afternoon:
    return Afternoon(served)


@pytest.fixture
def window(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Opens a browser of somebody; scripts that break fail the test."""
    made: list[BrowserContext] = []
    wrong: list[str] = []

    def opened(cookies: list[dict], size: dict = PHONE, language: str = "zh-CN", **options: Any) -> Page:
        context = chromium.new_context(viewport=size, locale=language, timezone_id="Asia/Shanghai", **options)
        context.set_default_timeout(20_000)
        context.add_cookies(cookies)
        made.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        return page
    yield opened
    for context in made:
        context.close()
    assert not wrong, wrong


def look(page: Page, name: str) -> None:
    assert_accessible(page)
    assert_fits(page)
    assert page.evaluate(SMALL) == [], name
    if folder := os.environ.get("ANLAN_SNAPSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def scanned(screen: Page) -> str:
    """What a camera reads from the screen."""
    whole = screen.screenshot()  # of the page: the part with the code is replaced every few seconds
    (code,) = zxingcpp.read_barcodes(Image.open(io.BytesIO(whole)))
    return code.text


def test_a_learner_checks_in_by_the_code_on_the_trainers_screen(served, afternoon, window):
    screen = window(served.at_desk("trainer"), DESKTOP)
    screen.goto(f"{afternoon.url}/attendance/")
    expect(screen.locator("#code")).to_contain_text("已到 1 人")
    look(screen, "attendance-zh-1280")
    phone = window(served.as_learner(afternoon.booked))
    phone.goto(scanned(screen).replace("http://localhost", served.address))
    expect(phone.locator(".notice-good")).to_contain_text("您已签到")
    look(phone, "here-zh-390")
    expect(screen.locator("#code")).to_contain_text("已到 2 人")  # by itself
    expect(screen.locator(f"#p-{afternoon.booked}")).to_contain_text("扫码签到")
    assert served.ask(lambda: db.session.get(Booking, afternoon.booking).attended_by) == "code"


def mark(page: Page, step: str, value: str) -> None:
    page.locator(f"input[name='s-{step}'][value={value}]").check()


def assess(page: Page, learner: int, call: str = "yes") -> None:
    page.locator(f"#p-{learner} .assess-skill").click()
    mark(page, "safe-scene", "yes")
    mark(page, "call", call)
    page.locator(".assess-big").click()
    expect(page.locator(f"#p-{learner}")).to_be_visible()


def test_a_checklist_is_filled_in_without_a_network_and_sent_once_when_it_is_back(served, afternoon, window):
    before = len(served.assessments())
    page = window(served.at_desk("trainer"))
    page.goto(f"{afternoon.url}/assess/")
    expect(page.locator("#app")).to_be_visible()
    page.wait_for_selector("html[data-kept='1']", state="attached")
    expect(page.locator("#kept")).to_contain_text("名单于")
    look(page, "assess-list-zh-390")
    page.context.set_offline(True)
    page.reload()
    person = page.locator(f"#p-{afternoon.there}")
    expect(person).to_contain_text("李二")
    expect(page.locator("#contact")).to_contain_text("无法连接服务器")
    person.locator(".assess-skill").click()
    expect(page.locator(".assess-pick").first).to_be_visible()
    assert min(page.evaluate(PICKS)) >= 60
    mark(page, "safe-scene", "yes")
    expect(page.locator(".assess-result")).to_contain_text("必须项 1/1")
    expect(page.locator(".assess-result")).to_contain_text("尚未达到通过标准")
    look(page, "assess-checklist-offline-zh-390")
    page.reload()  # what is half filled in is kept
    mark(page, "call", "yes")
    expect(page.locator(".assess-result")).to_contain_text("✓ 已达到通过标准")
    page.locator(".assess-big").click()
    expect(page.locator("#waiting")).to_have_text("1 项尚未发送")
    expect(person).to_contain_text("尚未发送")
    look(page, "assess-unsent-zh-390")
    # The browser is closed and opened again, still without a network: it is all there.
    context = page.context
    page.close()
    page = context.new_page()
    page.goto(f"{afternoon.url}/assess/")
    expect(page.locator("#waiting")).to_have_text("1 项尚未发送")
    assert len(served.assessments()) == before
    # The answer to what was sent is lost on the way; it is sent again and counts once.
    lost: list[int] = []

    def lose(route: Any) -> None:
        if lost:
            route.continue_()
        else:
            lost.append(route.fetch().status)
            route.abort()
    page.route("**/assessing/sync", lose)
    context.set_offline(False)
    page.locator("#send").click()
    expect(page.locator("#waiting")).to_have_text("已全部发送。")
    assert lost == [200]
    assert [passed for _ref, passed in served.assessments()[before:]] == [True]
    expect(page.locator(f"#p-{afternoon.there}")).to_contain_text("通过")
    # Names go at sign-out.
    assert "李二" in page.evaluate("JSON.stringify({...localStorage})")
    page.goto(f"{afternoon.url}/attendance/")
    page.locator("form[action$='/sign-out'] button").click()
    page.wait_for_url("**/sign-in*")
    assert "anlan.assess.list" not in page.evaluate("JSON.stringify({...localStorage})")
    assert "李二" not in page.evaluate("JSON.stringify({...localStorage})")


def test_what_is_refused_and_what_differs_is_shown_and_nothing_is_dropped(served, afternoon, window):
    page = window(served.at_desk("trainer"), language="en-GB")
    page.goto(f"{afternoon.url}/assess/")
    page.wait_for_selector("html[data-kept='1']", state="attached")
    page.context.set_offline(True)
    assess(page, afternoon.there)
    expect(page.locator("#waiting")).to_have_text("1 not yet sent")

    def meanwhile() -> None:
        """A second assessor saw it otherwise, and the presence of the learner was taken back and given again."""
        second = db.session.query(Account).filter_by(username="second").one()
        recording.record(second, [recording.Seen(str(uuid.uuid4()), afternoon.held, afternoon.there, "cpr",
                                                 courses_store.current("sample")[0], {"safe-scene": False, "call": True}, "",
                                                 utcnow() - timedelta(minutes=1))])
    served.ask(meanwhile)
    page.context.set_offline(False)
    page.locator("#send").click()
    expect(page.locator("#said")).to_contain_text("another assessor differ")
    expect(page.locator(f"#p-{afternoon.there}")).to_contain_text("assessors differ")
    look(page, "assess-differ-en-390")

    def taken_back() -> None:
        with transaction() as session:
            session.query(Booking).filter_by(learner_id=afternoon.there).update({"state": LEFT})
    served.ask(taken_back)
    before = len(served.assessments())
    assess(page, afternoon.there, "no")
    expect(page.locator("#refused-box")).to_contain_text("has no seat at the session")
    look(page, "assess-refused-en-390")
    assert len(served.assessments()) == before
    page.reload()
    expect(page.locator("#refused")).to_contain_text("has no seat at the session")  # it is not dropped


def test_one_that_cannot_be_read_holds_up_no_other(served, afternoon, window):
    page = window(served.at_desk("trainer"), language="en-GB")
    page.goto(f"{afternoon.url}/assess/")
    page.wait_for_selector("html[data-kept='1']", state="attached")
    page.context.set_offline(True)
    before = len(served.assessments())
    assess(page, afternoon.there)
    page.evaluate("""() => { const [one] = AnlanAssessments.out();
        AnlanAssessments.add({...one, ref: AnlanAssessments.ref(), steps: "broken"}); }""")
    page.context.set_offline(False)
    page.locator("#send").click()
    expect(page.locator("#refused-box")).to_contain_text("could not be understood")
    expect(page.locator("#waiting")).to_have_text("Everything is sent.")
    assert [passed for _ref, passed in served.assessments()[before:]] == [True]


@pytest.mark.parametrize(("size", "language", "name"), [(PHONE, "en-GB", "en-390"), (DESKTOP, "zh-CN", "zh-1280")])
def test_every_page_has_no_barrier_and_fits(served, afternoon, window, size, language, name):
    page = window([*served.at_desk("third"), *served.as_learner(afternoon.there)], size, language)
    version = served.ask(lambda: courses_store.current("sample")[0])

    def differ() -> None:
        for account, call in (("trainer", True), ("second", None)):
            recording.record(db.session.query(Account).filter_by(username=account).one(), [recording.Seen(
                str(uuid.uuid4()), afternoon.held, afternoon.there, "cpr", version, {"safe-scene": True, "call": call},
                "手的位置不稳" if call is None else "", utcnow() - timedelta(minutes=1))])
    served.ask(differ)
    for path in ("attendance/", "assess/", f"assess/{afternoon.there}/cpr/"):
        page.goto(f"{afternoon.url}/{path}")
        look(page, f"{path.split('/')[0]}{'-form' if 'cpr' in path else ''}-{name}")
    page.goto(f"{served.address}/desk/training/disputes/")
    expect(page.locator(".dispute").first).to_be_visible()
    look(page, f"disputes-{name}")
    for path in ("here/", "courses/sample/skills/"):
        page.goto(f"{served.address}/learn/{path}")
        look(page, f"{path.split('/')[-2]}-{name}")
    page.goto(f"{served.address}/desk/training/assessing/offline")
    look(page, f"offline-{name}")
