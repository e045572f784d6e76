"""The desk's pages of item analysis: what they show, in which order, to whom, and with how many queries."""

from dataclasses import asdict

import lxml.html
import pytest
from sqlalchemy import event

from portal.core.db import db, transaction
from portal.identity.rights import ADMINISTRATOR, DRAFTER, TRAINER, VIEWER
from portal.training.figures import folding, question_pages
from portal.training.group_models import QuestionChoice, QuestionFigure
from tests import district
from tests.shelters.one_database import database_url  # noqa: F401  (nothing here is a matter of the database)
from tests.training.figures import rows
from tests.training.figures.test_folding import many
from tests.training.figures.test_measures import sums

LIST = "/desk/training/questions/"
FIGURES = {"fir-001": sums(0.6, 0.45), "fir-002": sums(0.97, 0.3), "fir-003": sums(0.5, -0.2), "fir-004": sums(0.1, 0.3, n=29),
           "fir-006": sums(0.3, 0.15, blank=60), "old-001": sums(0.5, 0.3)}


def keep(figures):
    with transaction() as session:
        session.add_all(QuestionFigure(slug="sample", question_id=question, rev=1, **asdict(one))
                        for question, one in figures.items())


@pytest.fixture
def trainer(loaded, seat):
    return seat(district.office("trainer", (TRAINER, district.PINGSHAN, "blue")))


def table(page):
    found = lxml.html.fromstring(page.text).xpath("//table[contains(@class, 'questions')]/tbody/tr")
    return {row.xpath("string(.//span[@class='mono'] | ./th[not(.//span[@class='mono'])]/text())").strip():
            [" ".join(cell.text_content().split()) for cell in row.xpath("./td")] for row in found}


def test_the_list_says_in_words_which_questions_to_look_at_the_worst_first(trainer):
    keep(FIGURES)
    page = trainer.get(LIST)
    assert page.status_code == 200
    shown = table(page)
    order = list(shown)
    assert order[:3] == ["fir-003", "fir-002", "fir-006"]
    assert shown["fir-003"] == ["400", "0.50", "−0.20", "0.0 %", "misleads"]
    assert shown["fir-002"][-1] == "too easy"
    assert shown["fir-006"][-1] == "tells apart weakly often left blank"
    assert shown["fir-001"][-1] == "nothing to note"
    assert shown["fir-004"][-1] == "too few answers"
    assert shown["fir-005"] == ["0", "—", "—", "—", "not asked yet"]
    assert "no longer in the course" in page.text
    assert "fir-009" not in shown, "a scenario stands in no exam"


ORDERS = [
    ("sort=facility", "fir-004"), ("sort=facility&turn=1", "fir-002"), ("sort=discrimination&turn=1", "fir-001"),
    ("sort=blank", "fir-006"), ("sort=n&turn=1", "fir-005"), ("sort=place", "fir-001"), ("show=marked&sort=facility", "fir-006"),
    ("sort=nonsense&module=nothing&course=none", "fir-003"),
]


def test_the_list_is_sorted_by_what_is_asked_for(trainer):
    keep(FIGURES)
    for query, first in ORDERS:
        assert next(iter(table(trainer.get(f"{LIST}?{query}")))) == first, query


def test_a_long_list_is_cut_into_pages_and_none_is_left_out(trainer, monkeypatch):
    keep(FIGURES)
    whole = list(table(trainer.get(LIST)))
    monkeypatch.setattr(question_pages, "PAGE", 4)
    found, path = [], LIST
    while path:
        page = trainer.get(path)
        found += table(page)
        assert len(table(page)) <= 4
        path = next(iter(lxml.html.fromstring(page.text).xpath("//a[@rel='next']/@href")), None)
    assert found == whole
    assert list(table(trainer.get(f"{LIST}?page=99"))) == whole[-1:]
    assert trainer.get(f"{LIST}?page=x").status_code == 200


def test_a_question_is_shown_with_its_key_how_often_each_was_chosen_and_its_earlier_keys(trainer):
    keep({"fir-001": sums(0.6, 0.45, n=100, blank=20)})
    with transaction() as session:
        session.add(QuestionFigure(slug="sample", question_id="fir-001", rev=0, n=7, blank=0, x=7, y=3, xx=0, yy=1, xy=0))
        session.add_all(QuestionChoice(slug="sample", question_id="fir-001", rev=1, choice=at, n=n)
                        for at, n in ((0, 20), (1, 60)))
    page = trainer.get(f"{LIST}sample/fir-001/")
    assert page.status_code == 200
    options = lxml.html.fromstring(page.text).xpath("//table[.//caption]/tbody/tr")
    cells = [[" ".join(cell.text_content().split()) for cell in row.xpath("./td")] for row in options]
    assert cells == [["wrong", "20", "25.0 %"], ["right", "60", "75.0 %"]]
    assert "/en/courses/sample/#m-fire" in page.text
    assert "/en/courses/sample/smoke/" in page.text
    history = lxml.html.fromstring(page.text).xpath("//section[@aria-labelledby='keys']//tbody/tr")
    assert [row.xpath("string(./td[1])") for row in history] == ["100", "7"]


def test_every_type_of_question_has_a_page(trainer):
    for n in range(1, 10):
        assert trainer.get(f"{LIST}sample/fir-00{n}/").status_code == 200


def test_questions_that_are_not_there_are_not_found(trainer):
    for path in ("sample/none/", "none/fir-001/", "media/" + "0" * 64 + ".svg", "media/short.png"):
        assert trainer.get(LIST + path).status_code == 404


def test_keys_are_shown_to_trainers_and_administrators_alone(loaded, seat):
    for role, status in ((TRAINER, 200), (ADMINISTRATOR, 200), (VIEWER, 403), (DRAFTER, 403)):
        desk = seat(district.office(role, (role, district.DISTRICT, "red")))
        for path in ("", "sample/fir-001/"):
            assert desk.get(LIST + path).status_code == status, role


def test_the_list_asks_the_figures_once_however_many_there_are(trainer, loaded, version):
    rows.attempts(rows.learner(), version, "sample", many(1, 40))
    folding.fold(loaded)
    said = []
    event.listen(db.engine, "before_cursor_execute", lambda _c, _cur, statement, *_rest: said.append(statement))
    assert trainer.get(LIST).status_code == 200
    asked = [one for one in said if "question_figure" in one or "exam_" in one or "question_choice" in one]
    assert len(asked) == 1
