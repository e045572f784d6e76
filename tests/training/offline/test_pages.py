"""What a phone may fetch to learn without a network, and what it may send."""

from __future__ import annotations

import gzip
import json
import re
import shutil
from contextvars import Context

import pytest

from portal import create_app
from portal.config import Settings
from portal.core.db import db
from portal.training import courses_store
from portal.training.content.values import Scenario
from portal.training.exams import attempts
from portal.training.learners import practice
from portal.training.models import Learner, PracticeAnswer
from portal.training.offline import bundle, pages
from tests.shelters.living.one_database import database_url  # noqa: F401
from tests.training.learners.conftest import OTHER, LearnerPhone
from tests.training.offline.phone import STATIC, run
from tests.training.test_grading import best

COURSE, STATE, SYNC = "/learn/offline/courses/sample", "/learn/offline/state?slugs=sample", "/learn/offline/sync"
JSON = {"Accept": "application/json"}


def ask(phone, path):
    return Context().run(lambda: phone.client.get(path, headers=JSON))


def send(phone, things, *, token=None, **more):
    state = ask(phone, STATE).get_json()
    body = {"who": state["learner"], "sent": 1000, "slugs": ["sample"], "things": things} | more
    headers = JSON | {"X-CSRFToken": state["csrf"] if token is None else token}
    return Context().run(lambda: phone.client.post(SYNC, json=body, headers=headers))


def answer(version_id, question, given):
    return {"ref": practice.new_ref(), "kind": "answer", "slug": "sample", "version_id": version_id, "question": question,
            "rev": 1, "answer": given, "at": 500}


def count():
    db.session.rollback()
    return db.session.query(PracticeAnswer).count()


def sit():
    db.session.rollback()
    return attempts.start(db.session.query(Learner).one().id, "sample")


@pytest.fixture(scope="module")
def passer_by(tmp_path_factory, sqlite_template):
    """A browser that nobody has signed in with; what it asks for does not depend on what is loaded."""
    folder = tmp_path_factory.mktemp("instance")
    shutil.copy(sqlite_template, folder / "anlan.db")
    app = create_app(Settings(instance=folder, surfaces="site", public_url="http://localhost"))
    yield Passer(app.test_client())
    with app.app_context():
        db.engine.dispose()


class Passer:
    def __init__(self, client):
        self.client = client

    def get(self, path):
        return Context().run(self.client.get, path)


# -- what holds nobody's data --------------------------------------------------------------------------------
def test_the_page_without_a_network_is_the_same_for_everybody(phone):
    paths = ("/learn/offline/zh/", "/learn/offline/en/")
    before = [phone.get(path).text for path in paths]
    assert phone.get("/learn/offline/").location == paths[1]
    phone.sign_in()
    assert [phone.get(path).text for path in paths] == before
    for page, language in zip(before, ("zh-CN", "en"), strict=True):
        assert f'<html lang="{language}"' in page
        assert 'name="csrf_token"' not in page


def test_the_worker_comes_from_the_folder_that_it_serves_and_keeps_all_that_the_page_loads(passer_by):
    got = passer_by.get("/learn/sw.js")
    assert got.headers["Content-Type"].startswith("text/javascript")
    assert got.headers["Cache-Control"] == "no-cache"
    head = json.loads(re.match(r"self\.ANLAN = (.*);\n", got.text)[1])
    for page in head["pages"].values():
        loaded = set(re.findall(r'(?:src|href)="(/[^"]+\.(?:js|css|svg)[^"]*)"', passer_by.get(page).text))
        assert loaded == set(head["files"]), "the worker takes no page that does not ask for its files"
    for path in [*head["files"], *head["pages"].values(), head["store"], head["sync"]]:
        assert passer_by.get(path).status_code == 200, path
    assert {head["store"], head["sync"]} <= set(head["files"])


def test_the_workers_version_changes_with_what_the_page_says(passer_by, monkeypatch):
    before = passer_by.get("/learn/sw.js").text
    assert passer_by.get("/learn/sw.js").text == before
    monkeypatch.setattr(pages, "OF_OTHERS", pages.OF_OTHERS[:-1])
    assert passer_by.get("/learn/sw.js").text != before


def test_a_file_is_kept_by_what_is_in_it(passer_by):
    path = re.search(r'"(/learn/offline/static/store.js[^"]+)"', passer_by.get("/learn/offline/zh/").text)[1]
    assert "immutable" in passer_by.get(path).headers["Cache-Control"]
    for other in (path.partition("?")[0], f"{path}0"):
        assert "immutable" not in passer_by.get(other).headers.get("Cache-Control", "")


# -- a course to take along ----------------------------------------------------------------------------------
def test_nothing_is_given_to_nobody(passer_by):
    for path in (COURSE, COURSE + "/about", STATE):
        assert ask(passer_by, path).status_code == 401
        assert passer_by.get(path).location.startswith("/learn/sign-in")


def test_a_course_comes_whole_in_both_languages_and_as_large_as_it_was_said_to_be(phone, sample):
    phone.sign_in()
    about, got = ask(phone, COURSE + "/about").get_json(), ask(phone, COURSE)
    packed = Context().run(lambda: phone.client.get(COURSE, headers=JSON | {"Accept-Encoding": "gzip"}))
    course = got.get_json()
    assert f"const FORM = {course['form']};" in (STATIC / "store.js").read_text(encoding="utf-8")
    pictures = {url: len(phone.get(url).data) for url, _bytes in course["pictures"]}
    assert dict(course["pictures"]) == pictures
    assert pictures
    assert gzip.decompress(packed.data) == got.data
    assert len(packed.data) < len(got.data) / 2
    assert about["bytes"] == len(got.data) + sum(pictures.values())
    assert (about["version"], course["version"]) == (sample[1].version, sample[1].version)
    assert [one["id"] for module in course["modules"] for one in module["lessons"]] == [one.id for one in sample[1].lessons]
    assert set(re.findall(r'/learn/media/[^"\\]+', got.text)) == set(pictures)
    for module, here in zip(course["modules"], sample[1].modules, strict=True):
        for question, one in zip(module["questions"], here.questions, strict=True):
            assert all(question["words"][language] for language in ("zh", "en"))
            assert (question["id"], question["rev"]) == (one.id, one.rev)


def test_a_course_that_is_taken_along_tells_nothing_of_whoever_takes_it(school, phone):
    phone.sign_in()
    one = ask(phone, COURSE).data
    send(phone, [answer(courses_store.current("sample")[0], "fir-001", 0)])
    other = LearnerPhone(school, OTHER)
    other.sign_in()
    assert ask(other, COURSE).data == one == ask(phone, COURSE).data
    assert ask(phone, "/learn/offline/courses/none").status_code == 404


def test_every_question_of_the_real_courses_can_be_answered_rightly_on_the_phone(school):
    courses_store.sync(faulty=True)
    for course in _real():
        version_id = _load(course)
        with school.test_request_context():
            made = bundle.of(version_id)
        whole = json.loads(made.body)
        known = {question["id"]: question for module in whole["modules"] for question in module["questions"]}
        asked = [one for module in course.modules for one in module.questions]
        got = run("grade", "grading.js", tables={"strip": whole["strip"], "fold": whole["fold"]},
                  ask=[[known[one.id], best(one)] for one in asked])["grades"]
        assert [one.id for one, (_n, _d, right, _feedback) in zip(asked, got, strict=True) if not right] == []
        assert any(isinstance(one, Scenario) for one in asked)
        assert made.size < 2_500_000, course.id


def _real():
    from portal.training.content.reader import read
    from tests.training.conftest import CONTENT
    return [course for folder in sorted((CONTENT / "courses").iterdir()) if (course := read(folder).course)]


def _load(course):
    from portal.core.clock import utcnow
    from portal.core.db import transaction
    from portal.training import course_codec
    from portal.training.models import CourseVersion
    with transaction() as session:
        row = CourseVersion(slug=course.id, version=course.version[:40], sha256="0" * 64, data=course_codec.write(course),
                            loaded_at=utcnow())
        session.add(row)
    return row.id


# -- exams ---------------------------------------------------------------------------------------------------
def test_while_the_exam_is_under_way_no_key_leaves_and_the_phone_hears_that_practice_waits(phone, sample):
    phone.sign_in()
    assert ask(phone, STATE).get_json()["courses"]["sample"]["sits"] is False
    attempt, secret = sit()
    got = ask(phone, COURSE)
    assert (got.status_code, got.get_json()) == (409, {"state": "exam"})
    assert ask(phone, STATE).get_json()["courses"]["sample"]["sits"] is True
    said = send(phone, [answer(sample[0], "fir-001", 1)]).get_json()
    assert said["results"][0] | {"ref": ""} == {"ref": "", "outcome": "later", "right": None, "old": False, "message": ""}
    assert said["courses"]["sample"]["sits"] is True
    db.session.rollback()
    attempts.submit(attempt.learner_id, attempt.id, secret)
    assert ask(phone, COURSE).status_code == 200
    assert ask(phone, STATE).get_json()["courses"]["sample"]["sits"] is False


def test_the_page_of_an_exam_tells_the_phone_that_practice_waits(phone):
    phone.sign_in()
    page = phone.get("/learn/sample/exam/").text
    assert "pause.js" not in page
    phone.submit(page, ready="1")
    assert re.search(r'pause\.js[^>]+data-slug="sample"', phone.get("/learn/sample/exam/sit").text)


# -- sending -------------------------------------------------------------------------------------------------
def test_what_a_phone_sends_counts_once_and_is_shown_to_its_learner(phone, sample):
    phone.sign_in()
    things = [answer(sample[0], "fir-001", 0), answer(sample[0], "fir-002", 1),
              {"ref": practice.new_ref(), "kind": "lesson", "slug": "sample", "lesson": "smoke", "done": True, "at": 900}]
    for _time in range(2):
        got = send(phone, things).get_json()
        assert [(one["ref"], one["outcome"], one["right"]) for one in got["results"]] == [
            (things[0]["ref"], "taken", False), (things[1]["ref"], "taken", True), (things[2]["ref"], "taken", None)]
    assert count() == 2
    state = got["courses"]["sample"]
    assert (state["lessons"], state["answers"]) == (["smoke"], {"fir-001": False, "fir-002": True})
    assert list(state["due"]) == ["fir-001"]
    assert "2 of 9 questions answered, 1 right" in " ".join(phone.get("/learn/courses/sample/").text.split())


def test_what_one_learner_did_never_counts_for_another(school, phone, sample):
    phone.sign_in()
    mine = ask(phone, STATE).get_json()["learner"]
    other = LearnerPhone(school, OTHER)
    other.sign_in()
    got = send(other, [answer(sample[0], "fir-001", 1)], who=mine)
    assert got.status_code == 409
    assert count() == 0


def test_what_cannot_be_understood_is_refused(phone):
    phone.sign_in()
    assert [send(phone, wrong).status_code for wrong in (None, 3)] == [422, 422]
    for more in ({"sent": "x"}, {"sent": None}, {"slugs": 3}, {"slugs": None}):
        assert send(phone, [], **more).status_code == 422, more
    assert send(phone, [], who=None).status_code == 409


def test_sending_needs_a_token_a_session_and_bounds(phone, sample):
    assert Context().run(lambda: phone.client.post(SYNC, json={}, headers=JSON)).status_code in (400, 401)
    phone.sign_in()
    assert send(phone, [answer(sample[0], "fir-001", 1)], token="wrong").status_code == 400
    assert send(phone, ["x" * pages.LARGEST]).status_code == 413
    assert count() == 0
    assert ask(phone, "/learn/offline/state?slugs=" + ",".join(f"c{n}" for n in range(99))).get_json()["courses"] == {
        f"c{n}": None for n in sorted(range(99), key=lambda n: f"c{n}")[:30]}


# -- the files -----------------------------------------------------------------------------------------------
NEWER = (r"\?\?", r"\?\.[a-zA-Z(\[]", r"catch\s*\{", r"\{\s*\.\.\.", r",\s*\.\.\.", r"\.flat(?:Map)?\(", r"replaceAll",
         r"\bfor await\b", r"\.finally\(", r"Object\.fromEntries", r"\\p\{", r"\bBigInt\b", r"\d_\d", r"\.at\(",
         r"allSettled", r"#[a-z]+\s*[=(]")
REFUSED = (r"\beval\(", r"\bFunction\(", r"\.style\b", r"setAttribute\(\"on", r"document\.write")


@pytest.mark.parametrize("path", sorted(STATIC.glob("*.js")), ids=lambda path: path.name)
def test_scripts_are_such_as_old_phones_read_and_the_policy_of_pages_allows(path):
    text = re.sub(r"(?m)^\s*(?://|/?\*).*$", "", path.read_text(encoding="utf-8"))
    text = re.sub(r'"(?:[^"\\\n]|\\.)*"|`[^`]*`', '""', text)
    assert [found for found in (*NEWER, *REFUSED) if re.search(found, text)] == []


@pytest.mark.parametrize("bad", [{"answer": "\ud83d"}, {"answer": ["\0"]}, {"slug": "sample\0"}, {"slug": "\udc00"},
                                 {"at": 10**400}])
def test_one_thing_that_cannot_be_kept_holds_up_no_other(phone, sample, bad):
    phone.sign_in()
    things = [answer(sample[0], "fir-007", "119") | bad, answer(sample[0], "fir-001", 1)]
    got = send(phone, things, slugs=["sample", "a\0", "\ud800"])
    assert got.status_code == 200
    assert [one["outcome"] for one in got.get_json()["results"]] == ["taken" if "at" in bad else "refused", "taken"]
    assert list(got.get_json()["courses"]) == ["sample"]
