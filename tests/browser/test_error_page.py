"""A page that does not exist says so in the visitor's language, to everyone, in any window."""

import pytest
from flask import Flask

from portal import create_app
from portal.config import Settings
from tests.chromium import DESKTOP, PHONE, assert_accessible, assert_fits


@pytest.fixture
def address(tmp_path, serve) -> str:
    return serve(lambda: create_app(Settings(instance=tmp_path, surfaces="site")))


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize(("language", "words"), [
    ("zh-CN", "页面不存在"), ("en-GB", "This page does not exist")])
def test_a_missing_page_says_so_in_the_visitors_language(address, window, snapshot, size, language, words):
    page = window(size, language=language)
    answer = page.goto(f"{address}/no-such-page")
    assert answer.status == 404
    assert page.locator("h1").inner_text() == words
    assert page.locator("html").get_attribute("lang") == ("zh-CN" if language == "zh-CN" else "en")
    assert_fits(page)
    assert_accessible(page)
    snapshot(page, f"missing-{language}")


def test_barriers_are_told_in_words(serve, page_desktop):
    app = Flask(__name__)
    body = "<!doctype html><title>x</title><img src='data:,'><div style='width:3000px'>x"
    app.add_url_rule("/", "home", lambda: body)
    page_desktop.goto(serve(lambda: app))
    with pytest.raises(AssertionError, match=r"image-alt \(critical\)"):
        assert_accessible(page_desktop)
    with pytest.raises(AssertionError, match="wider than its window"):
        assert_fits(page_desktop)
