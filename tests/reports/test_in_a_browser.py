"""The whole way in a real browser: the phone's own place, a smaller photo, the network gone and back, an answer."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Page, Route, expect
from sqlalchemy import select

from portal import create_app
from portal.config import Settings
from portal.core.db import db, transaction
from portal.identity import sessions
from portal.identity.models import Account
from portal.identity.rights import DRAFTER
from portal.models import Base
from portal.reports import seals, triage
from portal.reports.models import DangerReport, ReportPhoto
from tests import district
from tests.browser.conftest import serve, window  # noqa: F401
from tests.chromium import DESKTOP, PHONE, assert_accessible, assert_fits
from tests.reports.conftest import jpeg
from tests.waiting import until

HERE = {"geolocation": {"longitude": 114.346, "latitude": 22.691}, "permissions": ["geolocation"]}


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
            return elsewhere.submit(inside).result(60)

    def reports(self) -> list[tuple[DangerReport, str, list[tuple[int, int]]]]:
        def act() -> Any:
            found = db.session.scalars(select(DangerReport).order_by(DangerReport.number)).all()
            sizes = {r.id: [(p.width, p.height) for p in db.session.scalars(
                select(ReportPhoto).where(ReportPhoto.report_id == r.id))] for r in found}
            return [(r, seals.words_of(r), sizes[r.id]) for r in found]
        return self.ask(act)

    def cookie(self) -> dict[str, Any]:
        """Of a browser in which the officer is signed in."""
        def act() -> str:
            account = _officer()
            with transaction() as session:
                row = sessions.open_row(session, account)
            signer = self.app.session_interface.get_signing_serializer(self.app)  # type: ignore[attr-defined]
            return signer.dumps({"_user_id": account.fs_uniquifier, "_fresh": True, "desk_session": row.id.hex})
        return {"name": "session", "value": self.ask(act), "url": self.address}


def _officer() -> Any:
    return db.session.scalar(select(Account))


@pytest.fixture
def portal_(serve: Callable[[Callable[[], Flask]], str], tmp_path: Path) -> Served:  # noqa: F811
    made: list[Flask] = []

    def make() -> Flask:
        app = create_app(Settings(instance=tmp_path, database_url=f"sqlite:///{tmp_path / 'anlan.db'}", secret_key="test " * 10,
                                  phone_key="ab" * 32))
        with app.app_context():
            Base.metadata.create_all(db.engine)
            district.settle_regions()
            district.office("officer", (DRAFTER, district.DISTRICT, "red"))
        made.append(app)
        return app
    address = serve(make)
    return Served(address, made[0])


def fill(page: Page, words: str) -> None:
    page.check("input[name=kind][value=water]")
    page.fill("#words", words)


def test_a_danger_is_reported_without_a_network_and_answered(portal_: Served, window: Callable[..., Page],  # noqa: F811
                                                             tmp_path: Path) -> None:
    page = window(PHONE, "zh-CN", **HERE)
    page.goto(f"{portal_.address}/report/")
    page.wait_for_selector("html[data-kept]", state="attached")  # the worker has what the form needs
    assert_fits(page)
    assert_accessible(page)

    page.context.set_offline(True)
    page.reload()
    fill(page, "下穿通道积水到膝盖")
    page.click("#here")
    expect(page.locator("#point")).to_have_value("114.346000,22.691000")
    page.click("#map-open")
    page.locator("#map .leaflet-interactive:not([d='M0 0'])").first.wait_for()  # a community of those that are in view
    page.locator("#map").click(position={"x": 60, "y": 100})
    expect(page.locator("#point")).not_to_have_value("114.346000,22.691000")
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(jpeg(2400, 1800, comment=b"where it was taken"))
    page.set_input_files("#photos", [str(photo)])
    page.locator("#photo-list img").wait_for()
    page.click("#send")
    expect(page.locator("#outbox-list li")).to_have_count(1)
    page.locator(".report-waiting").wait_for()
    page.reload()  # the browser was closed in between
    page.locator(".report-waiting").wait_for()
    assert portal_.reports() == []

    page.context.set_offline(False)
    page.locator(".report-sent").wait_for()
    ((report, words, sizes),) = portal_.reports()
    assert (words, sizes) == ("下穿通道积水到膝盖", [(1600, 1200)])
    page.reload()
    expect(page.locator(".report-sent")).to_have_count(1)
    assert len(portal_.reports()) == 1  # sent once

    portal_.ask(lambda: triage.answer(_officer(), report.id, "抽水车已出发"))
    page.click("#outbox-list a")
    expect(page.locator("article")).to_contain_text("抽水车已出发")
    expect(page.locator("#outbox")).to_be_hidden()
    assert_fits(page)
    assert_accessible(page)

    page.goto(f"{portal_.address}/report/?lang=en")
    fill(page, "No")
    page.fill("#place", "Ring road 7")
    page.click("#send")
    expect(page.locator("#problems")).to_contain_text("Write in a few words")
    expect(page.locator("#place")).to_have_value("Ring road 7")
    page.fill("#words", "Now the cellar is full of water")
    page.click("#send")
    page.wait_for_url("**/report/mine/")
    assert [words for _r, words, _s in portal_.reports()] == ["下穿通道积水到膝盖", "Now the cellar is full of water"]

    page.goto(f"{portal_.address}/report/")  # a network that has just come back carries nothing yet
    page.evaluate("""() => { const real = window.fetch;
        let bad = 2;
        window.fetch = (url, options) => String(url).includes("token") && bad-- > 0
            ? Promise.reject(new TypeError("cut")) : real(url, options); }""")
    fill(page, "The subway is full of water")
    page.fill("#place", "Ring road 8")
    page.click("#send")
    page.locator(".report-waiting").wait_for()
    expect(page.locator(".report-waiting")).to_have_count(0, timeout=30_000)  # it used to wait for a minute
    assert page.locator(".report-sent").count()
    assert [words for _r, words, _s in portal_.reports()][2:] == ["The subway is full of water"]

    page.goto(f"{portal_.address}/report/")
    page.evaluate("void (IDBObjectStore.prototype.put = () => { throw new Error('this browser keeps nothing') })")
    fill(page, "A tree lies on the road")
    page.fill("#place", "Ring road 9")
    page.set_input_files("#photos", [str(photo)])
    page.locator("#photo-list img").wait_for()
    page.click("#send")
    page.wait_for_url("**/report/mine/**")
    assert [(words, sizes) for _r, words, sizes in portal_.reports()][3:] == [("A tree lies on the road", [(1600, 1200)])]

    for size in (PHONE, DESKTOP):
        desk = window(size, "en")
        desk.context.add_cookies([portal_.cookie()])  # type: ignore[list-item]
        for path in ("", "1/"):
            desk.goto(f"{portal_.address}/desk/reports/{path}{'' if path else '?view=all'}")
            assert_fits(desk)
            if size is DESKTOP:
                assert_accessible(desk)


def test_a_photo_that_is_still_being_made_smaller_goes_with_its_report_and_with_no_other(
        portal_: Served, window: Callable[..., Page], tmp_path: Path) -> None:  # noqa: F811
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(jpeg(800, 600))
    held: list[Route] = []
    page = window(PHONE, "zh-CN")
    page.route("**/report.js*", lambda route: held.append(route))
    page.goto(f"{portal_.address}/report/", wait_until="commit")
    page.set_input_files("#photos", [str(photo)])  # before the script runs
    until(lambda: page.wait_for_timeout(20) or held, "the script is asked for")
    held[0].continue_()
    page.locator("#photo-list img").wait_for()
    fill(page, "下穿通道积水到膝盖")
    page.fill("#place", "环城路 7 号")
    page.evaluate("""() => { const real = window.createImageBitmap;
        const later = new Promise((done) => { window.goOn = done; });
        window.createImageBitmap = async (file) => { await later; return real(file); }; }""")
    page.set_input_files("#photos", [str(photo)])  # a large one on a slow phone
    page.click("#send")
    page.evaluate("window.goOn()")
    page.wait_for_url("**/report/mine/")
    assert [(words, sizes) for _r, words, sizes in portal_.reports()] == [("下穿通道积水到膝盖", [(800, 600), (800, 600)])]


def test_a_photo_that_the_phone_cannot_make_smaller_in_time_holds_no_report_up(
        portal_: Served, window: Callable[..., Page], tmp_path: Path) -> None:  # noqa: F811
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(jpeg(800, 600))
    page = window(PHONE, "zh-CN")
    page.goto(f"{portal_.address}/report/")
    page.evaluate("void (window.createImageBitmap = () => new Promise(() => {}))")
    fill(page, "下穿通道积水到膝盖")
    page.fill("#place", "环城路 7 号")
    page.set_input_files("#photos", [str(photo)])
    page.click("#send")
    page.wait_for_url("**/report/mine/", timeout=60_000)
    assert [sizes for _r, _words, sizes in portal_.reports()] == [[(800, 600)]]
