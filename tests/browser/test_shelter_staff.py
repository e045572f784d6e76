"""A shelter's staff with a phone: in by a code, and heard although the network is away."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from portal import create_app
from portal.channels.sms import phones
from portal.config import Settings
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.dispatch.issue import issue
from portal.identity.rights import SHELTERS
from portal.models import Base
from portal.shelters.living import keepers, opening, reports
from portal.shelters.models import Keeper, Shelter, StatusReport
from portal.warnings import bulletins
from tests import district
from tests.chromium import DESKTOP, PHONE, assert_accessible, assert_fits
from tests.shelters.places import make_shelter

NUMBER, OTHER = "+8612900000001", "+8612900000002"


class Served:
    """The application as it answers, and what a test asks its database."""

    def __init__(self, address: str, app: Flask) -> None:
        self.address, self.app = address, app

    def ask(self, question: Callable[[], Any]) -> Any:
        """Playwright keeps an event loop in this thread, so contexts live in another."""
        def inside() -> Any:
            with self.app.app_context():
                return question()
        with ThreadPoolExecutor(1) as elsewhere:
            return elsewhere.submit(inside).result(30)

    def code(self, number: str = NUMBER) -> str:
        return self.ask(lambda: re.search(r"\d{6}", phones.page(phones.Filter(digits=number))[0][0].body)[0])

    def shelter(self, code: str = "S1") -> Shelter:
        return self.ask(lambda: db.session.query(Shelter).filter_by(code=code).one())

    def reports(self) -> list[StatusReport]:
        return self.ask(lambda: db.session.query(StatusReport).order_by(StatusReport.id).all())

    def said_by_another(self, **values: Any) -> None:
        def act() -> None:
            with transaction() as session:
                shelter = session.query(Shelter).filter_by(code="S1").one()
                reports.report(session, shelter.id, ref=str(uuid.uuid4()), observed_at=utcnow(), source="keeper",
                               reporter="Back door", keeper_id=99, **values)
        self.ask(act)

    def leave_register(self) -> None:
        def act() -> None:
            with transaction() as session:
                session.query(Shelter).filter_by(code="S1").one().retired_at = utcnow()
        self.ask(act)


def settle() -> None:
    district.settle_regions()
    office = district.office("shelters", (SHELTERS, district.DISTRICT, "red"))
    with transaction() as session:
        first = make_shelter(session, code="S1", name_zh="坪山体育馆", name_en="Pingshan sports hall",
                             capacity_day=240, capacity_night=200)
        second = make_shelter(session, code="S2", name_zh="六联小学", name_en="Liulian primary school")
        make_shelter(session, code="S3", name_zh="未核实场所", name_en="Unchecked place", suitability={})
    for shelter, number, post in ((first, NUMBER, "正门"), (first, OTHER, "夜班"), (second, OTHER, "夜班")):
        keepers.add(office, shelter.id, phone=number, post=post, language="zh")


@pytest.fixture
def staff(serve: Callable[[Callable[[], Flask]], str], tmp_path: Path) -> Served:
    made: list[Flask] = []

    def make() -> Flask:
        app = create_app(Settings(instance=tmp_path, database_url=f"sqlite:///{tmp_path / 'anlan.db'}", secret_key="test " * 10,
                                  phone_key="ab" * 32))
        with app.app_context():
            Base.metadata.create_all(db.engine)
            settle()
        app.extensions["sms_courier"] = lambda work: work()
        made.append(app)
        return app
    return Served(serve(make), made[0])


def sign_in(page: Page, staff: Served, number: str = NUMBER) -> None:
    page.goto(f"{staff.address}/staff/")
    assert_accessible(page)
    page.fill("#phone", number)
    page.press("#phone", "Enter")
    assert_accessible(page)
    page.fill("#code", staff.code(number))
    page.press("#code", "Enter")
    page.wait_for_url(re.compile(r"/staff/(\d+/)?$"))


def until_kept(page: Page) -> None:
    expect(page.locator("[data-staff][data-kept='1']")).to_be_attached(timeout=15_000)


#: Heights in pixels of all that is tapped, and of what reports a next step or a number.
HEIGHTS = """() => {
  const of = (what) => [...document.querySelectorAll(what)].filter((e) => e.checkVisibility() && !e.matches(".hidden-visually"))
    .map((e) => e.getBoundingClientRect().height);
  return {all: of("main :is(button, a, summary, select, input:not([type=hidden]))"),
    reports: of(".staff-steps button, .staff-count button, .staff-big")};
}"""


def test_without_a_network_reports_are_kept_survive_a_closed_page_and_are_sent_later(staff, window, snapshot):
    page = window(PHONE)
    sign_in(page, staff)
    until_kept(page)
    assert_accessible(page)
    assert_fits(page)
    heights = page.evaluate(HEIGHTS)
    assert min(heights["all"]) >= 44
    assert min(heights["reports"]) >= 60, "what is pressed in the rain is large"
    snapshot(page, "staff-zh")
    page.context.set_offline(True)
    page.locator("button[name=status][value=open]").click()
    page.locator("[name=step][value='10']").click()
    page.locator(".staff-big[data-send]").click()
    expect(page.locator("#outbox-state")).to_have_text("2 条尚未发送")
    expect(page.locator("#outbox-list li")).to_have_count(2)
    assert staff.reports() == []
    page.reload()  # a phone that was put away: page and reports are still there
    expect(page.locator("h1")).to_have_text("坪山体育馆")
    expect(page.locator("#outbox-state")).to_have_text("2 条尚未发送")
    expect(page.locator("#age")).to_contain_text("无网络")
    assert_accessible(page)
    assert_fits(page)
    snapshot(page, "staff-offline-zh")
    page.context.set_offline(False)
    expect(page.locator("#outbox-state")).to_have_text("已全部发送", timeout=20_000)
    expect(page.locator("#outbox-list")).to_contain_text("已发送")
    expect(page.locator("#state")).to_contain_text("开放")
    shelter = staff.shelter()
    assert (shelter.status, shelter.occupancy, shelter.status_source) == ("open", 10, "keeper")
    assert len(staff.reports()) == 2
    page.reload()
    expect(page.locator("#age")).to_contain_text("最新")
    assert len(staff.reports()) == 2, "nothing is sent twice"


def test_a_status_that_changed_meanwhile_is_shown_to_both_and_settled_by_a_new_report(staff, window, snapshot):
    page = window(PHONE, language="en")
    sign_in(page, staff)
    page.context.set_offline(True)
    page.locator("button[name=status][value=open]").click()
    expect(page.locator("#outbox-list")).to_contain_text("not sent yet")
    staff.said_by_another(status="unsafe")
    page.context.set_offline(False)
    expect(page.locator("#outbox-list")).to_contain_text("contradicts another report", timeout=20_000)
    expect(page.locator("#now [role=alert]")).to_contain_text("Reports contradict each other")
    assert staff.shelter().status == "unsafe"
    assert_accessible(page)
    snapshot(page, "staff-conflict-en")
    page.locator("button[name=status][value=unsafe]").click()
    expect(page.locator("#now [role=alert]")).to_have_count(0)


def test_a_keeper_of_two_shelters_and_a_removed_one(staff, window, snapshot):
    page = window(PHONE)
    sign_in(page, staff, OTHER)
    expect(page.locator(".staff-item")).to_have_count(2)
    assert_accessible(page)
    assert_fits(page)
    until_kept(page)
    page.context.set_offline(True)
    page.reload()
    expect(page.locator("#age")).to_contain_text("无网络")
    expect(page.locator(".staff-item")).to_have_count(2)
    snapshot(page, "staff-list-zh")
    page.context.set_offline(False)
    page.get_by_text("六联小学").click()
    page.wait_for_url("**/staff/*/")

    def remove() -> None:
        with transaction() as session:
            session.query(Keeper).filter(Keeper.tail == OTHER[-4:]).update({"active": False})
    staff.ask(remove)
    page.reload()
    expect(page.locator("#phone")).to_be_visible()


def test_the_desk_opens_in_one_step_and_a_drill_is_marked_on_the_phone(staff, window, snapshot):
    def call(**changes: Any) -> str:
        accounts = {a.username: a for a in db.session.query(district.Account).all()}
        drafter, approver = accounts.get("drafter") or district.drafter(), accounts.get("approver") or district.approver()
        draft = district.submitted(drafter, hazard="11B01", **changes)
        made = issue(approver, draft.id, version=draft.version, content_hash=draft.content_hash)
        return str(made.id)
    bulletin, drill = staff.ask(call), staff.ask(lambda: call(exercise=True))
    office = window(DESKTOP)
    office.context.add_cookies([staff.ask(lambda: _cookie(staff))])
    office.goto(f"{staff.address}/desk/shelters/open?bulletin={bulletin}")
    expect(office.locator("#open-button")).to_contain_text("开放这 2 处")
    assert_accessible(office)
    assert_fits(office)
    snapshot(office, "opening-zh")
    office.locator("#open-button").click()
    expect(office.locator(".opening-decision")).to_contain_text("已短信通知 2 部")
    assert_accessible(office)
    snapshot(office, "opened-zh")
    office.set_viewport_size(PHONE)
    assert_fits(office)
    snapshot(office, "opened-zh")
    number = staff.ask(lambda: bulletins.get(uuid.UUID(bulletin)).warning_number)
    office.goto(f"{staff.address}/desk/warnings/{number}/")
    expect(office.locator("section:has(#shelters-offer)")).to_contain_text("2 处避难场所")
    office.goto(f"{staff.address}/desk/shelters/{staff.shelter().id}/keepers")
    assert_accessible(office)
    assert_fits(office)
    snapshot(office, "keepers-zh")

    def end() -> None:
        with transaction() as session:
            session.get(bulletins.Warning, bulletins.get(uuid.UUID(bulletin)).warning_id).state = "cancelled"

    def begin_drill() -> None:
        with transaction() as session:
            session.query(Shelter).update({"status": "closed"})
        account = db.session.query(district.Account).filter_by(username="shelters").one()
        opening.open_shelters(account, bulletins.get(uuid.UUID(drill)), [staff_id])
    staff_id = staff.shelter().id
    staff.ask(end)
    office.goto(f"{staff.address}/desk/shelters/open?bulletin={bulletin}")
    office.get_by_role("button", name="关闭全部 2 处避难场所").click()
    expect(office.locator("main")).to_contain_text("已通知关闭 2 处")
    staff.ask(begin_drill)
    page = window(PHONE)
    sign_in(page, staff)
    expect(page.locator(".staff-drill")).to_contain_text("演练")
    page.locator("button[name=status][value=open]").click()
    expect(page.locator("#outbox-list")).to_contain_text("已发送")
    snapshot(page, "staff-drill-zh")
    assert staff.reports()[-1].exercise
    assert staff.shelter().status == "closed"


def _cookie(staff: Served) -> dict[str, str]:
    """The cookie of a browser in which the office is signed in."""
    from portal.identity import sessions
    account = db.session.query(district.Account).filter_by(username="shelters").one()
    with transaction() as session:
        row = sessions.open_row(session, account)
    client = staff.app.test_client()
    with client.session_transaction() as held:
        held.update({"_user_id": account.fs_uniquifier, "_fresh": True, "desk_session": row.id.hex, "language": "zh"})
    return {"name": "anlan", "value": client.get_cookie("anlan").value, "url": staff.address}
