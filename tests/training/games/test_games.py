"""The children's games as everybody plays them: by links, with a picture at every step, and every way leads on."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import lxml.html
import pytest
from flask import Flask

from portal import create_app
from portal.config import Settings
from portal.core.db import db
from portal.site import course_pages
from portal.site.publish import root_of
from portal.training.content import reader
from portal.training.content.lint import lint
from portal.training.games import fill, shelf
from tests.training.conftest import CONTENT, SAMPLE, link_the_rest

LANGUAGES = ("zh", "en")
LARGEST_PICTURE = 20 * 1024


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


def test_the_reading_room_leads_to_the_games_where_there_are_some(played, site):
    for language in LANGUAGES:
        there = f"/{language}/games/"
        assert there in links(played, f"/{language}/courses/")
        assert there in links(played, f"/{language}/courses/children/")
        assert there not in links(played, f"/{language}/courses/sample/")
    course_pages.publish_courses(site)
    assert "/zh/games/" not in links(site, "/zh/courses/")
    assert not (base(site) / "zh" / "games").exists()


def test_a_changed_story_is_published_anew_and_a_game_that_was_taken_out_goes(played):
    settings = played.extensions["anlan"]
    course = settings.content / "courses" / "children"
    assert not course_pages.due(settings)
    bank = course / "banks" / "fire-at-home.en.md"
    words, count = re.subn(r"- \[[^]]*\]\(#stairs\)", "- [Take the stairs down, step by step](#stairs)",
                           bank.read_text(encoding="utf-8"))
    assert count
    bank.write_text(words, encoding="utf-8")
    assert course_pages.due(settings)
    outline = course / "course.yaml"
    outline.write_text(outline.read_text(encoding="utf-8").replace("games: [chi-101, chi-201, chi-301]", "games: [chi-101]"),
                       encoding="utf-8")
    course_pages.publish_courses(played)
    assert not course_pages.due(settings)
    assert "step by step" in page(played, "/en/games/fire-at-home/corridor/").text_content()
    assert len(page(played, "/en/games/").xpath("//ul[@class='games']//a")) == 1
    assert not (base(played) / "en" / "games" / "quake-at-school").exists()


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
