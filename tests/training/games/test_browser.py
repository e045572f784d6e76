"""A child with a phone: taps from picture to picture without a script, and goes by keys."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect
from waitress import create_server

from tests.chromium import assert_accessible, assert_fits
from tests.training.games.test_games import played  # noqa: F401

PHONE = {"width": 390, "height": 844}
CHOICES = ".play-ways a, .play-on a, .games a, .play-back"


@pytest.fixture(scope="module")
def address(played) -> Iterator[str]:  # noqa: F811
    server = create_server(played, host="127.0.0.1", port=0)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.effective_port}"
    server.close()
    thread.join(10)


def test_a_game_is_played_by_tapping_without_a_script_and_a_slip_leads_back(address: str, chromium: Browser) -> None:
    context = chromium.new_context(viewport=PHONE, has_touch=True, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}/zh/games/")
    page.locator(".games a").first.tap()
    for words, said in (("端一盆水泼过去", "火会跳得更高"), ("再去接一盆水", "离火太近啦")):
        low = [box["height"] for one in page.locator(CHOICES).all() if one.is_visible() and (box := one.bounding_box())]
        assert min(low) >= 60
        page.get_by_role("link", name=words).tap()
        expect(page.locator(".play-said:visible")).to_have_count(1)
        expect(page.locator(".play-said:visible")).to_contain_text(said)
    expect(page.locator(".play-end")).to_contain_text("没关系")
    page.locator(".play-back:visible").tap()
    page.get_by_role("link", name="马上往后退").tap()
    for words in ("牵着奶奶的手", "走楼梯", "书包不要了", "一起打119"):
        page.get_by_role("link", name=words).tap()
    expect(page.locator(".play-end")).to_contain_text("平安无事")
    page.get_by_role("link", name="再玩一次").tap()
    expect(page).to_have_url(f"{address}/zh/games/fire-at-home/")
    context.close()


@pytest.mark.parametrize(("language", "width"), [("zh", 390), ("en", 1280)])
def test_its_pages_are_for_everybody_and_a_choice_is_made_by_keys(address: str, chromium: Browser, language: str,
                                                                 width: int) -> None:
    context = chromium.new_context(viewport={"width": width, "height": 844})
    page = context.new_page()
    for path in ("games/", "games/rain-on-the-way/", "games/rain-on-the-way/hole/#water-2"):
        page.goto(f"{address}/{language}/{path}")
        assert_accessible(page, rules={})
        assert_fits(page)
    page.goto(f"{address}/{language}/games/rain-on-the-way/")
    page.locator(".play-ways a").last.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".play-said:visible")).to_have_count(1)
    context.close()
