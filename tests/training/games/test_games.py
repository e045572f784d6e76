"""The children's games as everybody plays them: by links, with a picture at every step, and every way leads on."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import lxml.html
import pytest
from flask import Flask
from playwright.sync_api import Browser, expect
from waitress import create_server

from portal import create_app
from portal.config import Settings
from portal.core.db import db
from portal.site import course_pages
from portal.site.publish import root_of
from portal.training.content import reader
from portal.training.content.lint import lint
from portal.training.games import fill, shelf
from tests import serving
from tests.chromium import PHONE, assert_accessible, assert_fits
from tests.training.conftest import CONTENT, SAMPLE, link_the_rest

LANGUAGES = ("zh", "en")
LARGEST_PICTURE = 20 * 1024
CHOICES = ".play-ways a, .play-on a, .games a, .play-back"


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Flask]:
    """A site with the children's course and one without games, published once."""
    folder = tmp_path_factory.mktemp("games")
    for name, source in (("children", CONTENT / "courses" / "children"), ("sample", SAMPLE)):
        shutil.copytree(source, folder / "content" / "courses" / name)
    link_the_rest(folder / "content")
    shutil.copy(sqlite_template, folder / "anlan.db")
    app = create_app(Settings(instance=folder, surfaces="site", public_url="http://localhost", content=folder / "content"))
    course_pages.publish_courses(app)
    yield app
    with app.app_context():
        db.engine.dispose()


def base(app: Flask) -> Path:
    return root_of(app.extensions["anlan"]) / "current"


def page(app: Flask, path: str) -> lxml.html.HtmlElement:
    return lxml.html.fromstring((base(app) / path.strip("/") / "index.html").read_text(encoding="utf-8"))


def games(app: Flask) -> tuple[shelf.Game, ...]:
    return shelf.read(app.extensions["anlan"].content)


def links(app: Flask, path: str) -> list[str]:
    return [str(href) for href in page(app, path).xpath("//main//a/@href")]


@pytest.mark.parametrize("language", LANGUAGES)
def test_from_its_card_every_step_and_every_end_of_each_game_is_reached_by_links_alone(played, language):
    cards = page(played, f"/{language}/games/").xpath("//ul[@class='games']//a/@href")
    assert cards == [f"/{language}/games/{game.id}/" for game in games(played)]
    assert len(cards) == 3
    for game, start in zip(games(played), cards, strict=True):
        reached, waiting = set(), [start]
        while waiting:
            path = waiting.pop().partition("#")[0]
            if path in reached:
                continue
            reached.add(path)
            waiting += [str(href) for href in page(played, path).xpath("//ul[@class='play-ways']//a/@href")]
        assert len(reached) == len(game.scenario.nodes)


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_choice_leads_to_what_came_of_it(played, language):
    for game in games(played):
        for node in game.scenario.nodes:
            here = page(played, f"/{language}{fill.address(game, node)}")
            shown = {str(a.text_content()): str(a.get("href")) for a in here.xpath("//ul[@class='play-ways']//a")}
            assert len(shown) == len(node.ways)
            for one in fill.choices(game, node):
                path, _hash, mark = one.href.partition("#")
                said, = page(played, f"/{language}{path}").xpath(f"//*[@id='{mark}']")
                plain = re.sub(r"[*_]", "", one.way.feedback[language])
                assert " ".join(plain.split()) in " ".join(said.text_content().split())


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_step_shows_a_small_picture_with_words_for_those_who_do_not_see_it(played, language):
    for game in games(played):
        for node in game.scenario.nodes:
            pictures = page(played, f"/{language}{fill.address(game, node)}").xpath("//div[@class='play-scene']//img")
            assert pictures
            for picture in pictures:
                assert len(picture.get("alt")) >= 10
                assert (base(played) / picture.get("src").lstrip("/")).stat().st_size < LARGEST_PICTURE


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_end_says_what_to_remember_leads_to_playing_again_and_after_a_slip_back_to_the_choice(played, language):
    for game in games(played):
        for node in game.scenario.nodes:
            found = page(played, f"/{language}{fill.address(game, node)}")
            assert bool(found.xpath("//div[@class='play-keep']")) == (not node.ways)
            if node.ways:
                continue
            assert f"/{language}/games/{game.id}/" in found.xpath("//ul[@class='play-on']//a/@href")
            back = found.xpath("//a[@class='play-back']/@href")
            assert len(back) == (0 if node.outcome == "good" else len(fill.came(game, node)))


def test_no_page_of_a_game_needs_a_script_of_its_own(played):
    for language in LANGUAGES:
        plain = page(played, f"/{language}/courses/").xpath("//script/@src")
        for path in (base(played) / language / "games").rglob("index.html"):
            found = lxml.html.fromstring(path.read_text(encoding="utf-8"))
            assert found.xpath("//script/@src") == plain
            assert not found.xpath("//form | //button")


def test_of_the_banks_nothing_but_the_games_is_published(played):
    course = reader.read(played.extensions["anlan"].content / "courses" / "children").course
    named = set(course.games)
    public = "".join(path.read_text(encoding="utf-8") for path in base(played).rglob("*.html"))
    others = [q for module in course.modules for q in module.questions if q.id not in named]
    assert others
    for question in others:
        assert question.id not in public
        first = re.sub(r"[*_]", "", question.words["zh"]).splitlines()[0]
        assert first not in public


def test_the_reading_room_leads_to_the_games_where_there_are_some(played):
    for language in LANGUAGES:
        there = f"/{language}/games/"
        assert there in links(played, f"/{language}/courses/")
        assert there in links(played, f"/{language}/courses/children/")
        assert there not in links(played, f"/{language}/courses/sample/")


def test_a_changed_story_is_published_anew_and_a_game_that_was_taken_out_goes(site, change):
    settings = site.extensions["anlan"]
    change("course.yaml", "practical: [cpr]\n", "practical: [cpr]\ngames: [fir-009]\n")
    course_pages.publish_courses(site)
    assert not course_pages.due(settings)
    change("banks/fire.zh.md", "门把手是烫的。", "门把手很烫很烫。")
    assert course_pages.due(settings)
    course_pages.publish_courses(site)
    assert not course_pages.due(settings)
    assert "门把手很烫很烫" in page(site, "/zh/games/fire/").text_content()
    change("course.yaml", "games: [fir-009]\n", "")
    course_pages.publish_courses(site)
    assert not (base(site) / "zh" / "games").exists()
    assert "/zh/games/" not in links(site, "/zh/courses/")


@pytest.mark.parametrize(("named", "advice"), [
    ("[nothing]", "nothing is no scenario of this course"), ("[fir-001]", "fir-001 is no scenario of this course"),
    ("[fir-009]", "the node begin of fir-009 has no picture"), ("[]", "games: has 0 items"), ("fir-009", "games: must be a list"),
])
def test_a_game_that_cannot_be_played_is_told(content, change, named, advice):
    change("course.yaml", "practical: [cpr]\n", f"practical: [cpr]\ngames: {named}\n")
    found = [str(fault) for fault in lint(content)[1]]
    assert any(advice in fault for fault in found), found
    assert all("course.yaml:" in fault for fault in found)


def test_a_game_that_is_no_scenario_is_left_out_and_the_others_stay(content, change):
    change("course.yaml", "practical: [cpr]\n", "practical: [cpr]\ngames: [fir-001, fir-009]\n")
    assert [(game.id, game.scenario.id) for game in shelf.read(content)] == [("fire", "fir-009")]


# -- in a browser ---------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def address(played) -> Iterator[str]:
    server = create_server(played, host="127.0.0.1", port=0)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.effective_port}"
    serving.end(server, thread)


def test_a_game_is_played_by_tapping_without_a_script_and_a_slip_leads_back(address: str, chromium: Browser) -> None:
    context = chromium.new_context(viewport=PHONE, has_touch=True, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}/zh/games/")
    page.locator(".games a").first.tap()
    for words, said in (("端一盆水泼过去", "火会跳得更高"), ("再去接一盆水", "离火太近啦")):
        expect(page.get_by_role("link", name=words)).to_be_visible()
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
