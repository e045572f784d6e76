"""The desk's pages of communities and paper in a real browser, at a phone's and a desk's width, in both languages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from portal import create_app
from portal.config import Settings
from portal.core.clock import utcnow
from portal.core.db import db
from portal.identity import demo as accounts
from portal.models import Base
from portal.shelters.models import PaperJob
from portal.shelters.paper import jobs
from tests import district
from tests.browser.conftest import serve, snapshot, window  # noqa: F401  (fixtures)
from tests.chromium import DESKTOP, PHONE, assert_accessible, assert_fits
from tests.district import LIULIAN
from tests.shelters.communities.conftest import bring_in

PAGES = {"communities": "/desk/communities/", "community": f"/desk/communities/{LIULIAN}/", "paper": "/desk/paper/",
         "card": f"/desk/paper/card?region={LIULIAN}"}


@pytest.fixture
def desk(serve: Callable[[Callable[[], Flask]], str], tmp_path: Path) -> tuple[str, list[Flask]]:  # noqa: F811
    """The address of a desk, and its application."""
    made: list[Flask] = []

    def make() -> Flask:
        app = create_app(Settings(instance=tmp_path, demo=True, database_url=f"sqlite:///{tmp_path / 'anlan.db'}",
                                  secret_key="test " * 10, phone_key="ab" * 32))
        with app.app_context():
            Base.metadata.create_all(db.engine)
            district.settle_regions()
            accounts.seed()
            bring_in()
        made.append(app)
        return app
    return serve(make), made


def sign_in(page: Page, desk: str) -> None:
    page.goto(desk + "/desk/")
    page.fill("[name=username]", "shelters")
    page.fill("[name=password]", accounts.PASSWORD)
    page.press("[name=password]", "Enter")
    page.wait_for_url(desk + "/desk/")


def looked_at(page: Page) -> None:
    assert_accessible(page)
    assert_fits(page)


@pytest.mark.parametrize(("size", "language"), [(PHONE, "zh-CN"), (DESKTOP, "en")])
def test_every_page_can_be_used_by_everybody(desk, window, snapshot, size, language):  # noqa: F811
    address, _made = desk
    page = window(size, language)
    sign_in(page, address)
    for name, path in PAGES.items():
        page.goto(address + path)
        page.evaluate("document.querySelectorAll('main details').forEach((part, n) => { part.open = n < 2 })")
        snapshot(page, f"{name}-{language[:2]}")
        looked_at(page)


def test_the_progress_moves_by_itself_until_the_file_is_there(desk, window, snapshot):  # noqa: F811
    address, [app] = desk
    page = window(DESKTOP, "en")
    sign_in(page, address)
    page.goto(address + PAGES["paper"])
    page.get_by_role("button", name="Make one PDF").click()
    page.wait_for_url("**/desk/paper/*-*/")
    expect(page.locator("#progress progress")).to_have_attribute("max", "75")
    looked_at(page)
    _in_thread(lambda: _half_done(app))
    expect(page.locator("#progress")).to_contain_text("being made")
    expect(page.locator("#progress")).to_contain_text("30 of 75 sheets")
    snapshot(page, "job-running")
    _in_thread(lambda: _given_up(app))
    _in_thread(lambda: jobs.run_next(app))
    expect(page.get_by_role("link", name="Download the PDF")).to_be_visible()
    snapshot(page, "job-done")
    looked_at(page)


def _half_done(app: Flask) -> None:
    with app.app_context(), jobs.transaction() as session:
        job = session.query(PaperJob).one()
        job.state, job.done, job.owner, job.started_at, job.beat_at = jobs.RUNNING, 30, "x", utcnow(), utcnow()


def _given_up(app: Flask) -> None:
    with app.app_context(), jobs.transaction() as session:
        session.query(PaperJob).one().beat_at = None


def _in_thread(work: Callable[[], object]) -> None:
    """The browser's event loop lives in this thread, where no application context can be left."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as elsewhere:
        elsewhere.submit(work).result(60)
