"""A trainee on a bus in a real browser: takes a course along, learns without a network, and all of it arrives once."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, Route, expect
from sqlalchemy import select

from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.training import courses_store
from portal.training.learners import door
from portal.training.models import Learner, LessonProgress, PracticeAnswer
from portal.training.offline import sync
from tests.chromium import PHONE, comes_true
from tests.training.conftest import SAMPLE, link_the_rest
from tests.training.learners.test_browser import School, judged, sign_in  # noqa: F401  (a fixture)

COURSE, PRACTICE = "/learn/courses/sample/", "/learn/courses/sample/practice/fire/"
#: What is left on the phone: courses, things that were done, caches, and workers of learning.
LEFT = """async () => {
  const asked = indexedDB.open("anlan-learn");
  const db = await new Promise(done => { asked.onsuccess = () => done(asked.result); });
  const count = name => new Promise(done => {
    db.transaction(name).objectStore(name).count().onsuccess = event => done(event.target.result);
  });
  const left = [await count("courses"), await count("standing"), await count("outbox")];
  db.close();
  const workers = await navigator.serviceWorker.getRegistrations();
  return [...left, (await caches.keys()).filter(name => name.startsWith("anlan-learn")).length,
          workers.filter(one => new URL(one.scope).pathname === "/learn/").length];
}"""


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[School]:
    folder = tmp_path_factory.mktemp("offline")
    shutil.copytree(SAMPLE, folder / "content" / "courses" / "sample")
    link_the_rest(folder / "content")
    shutil.copy(sqlite_template, folder / "anlan.db")
    made = School(folder)
    yield made
    made.close()


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    made = chromium.new_context(viewport=PHONE, locale="en")
    yield made
    made.close()


def inside(school: School, act: Callable[[], Any]) -> Any:
    """What `act` gives within the application. Playwright has a loop in this thread."""
    def there() -> Any:
        with school.app.app_context():
            return act()
    with ThreadPoolExecutor(1) as aside:
        return aside.submit(there).result()


def kept(school: School, *wanted: Any) -> list[tuple]:
    """Rows of the portal's database."""
    return inside(school, lambda: [tuple(row) for row in db.session.execute(select(*wanted))])


def goes(page: Page, address: str) -> None:
    """Go there, once more where the page began anew by itself at that moment: it does when somebody else is signed in."""
    try:
        page.goto(address)
    except Error as error:
        if "ERR_ABORTED" not in str(error):
            raise
        page.goto(address)


def enter(school: School, page: Page, number: str) -> None:
    """Signed in, without the way through a text message."""
    def begin() -> str:
        book = school.app.extensions["phones"]
        with transaction() as session:
            learner = session.execute(select(Learner).where(Learner.phone_index == book.index(number))).scalar_one_or_none()
            if learner is None:
                session.add(learner := Learner(phone_sealed=book.seal(number), phone_index=book.index(number), language="en",
                                               tail=number[-4:], joined_at=utcnow(), seen_at=utcnow()))
        return door.begin(learner)
    page.context.add_cookies([{"name": door.COOKIE, "value": inside(school, begin), "url": school.address + door.PATH}])


def says(page: Page, words: str) -> None:
    expect(page.locator("#offline-state")).to_contain_text(words)


def take_along(school: School, page: Page) -> None:
    page.goto(school.address + COURSE)
    start = page.locator("form[action$='/start'] button")
    if start.count():
        start.click()
        page.goto(school.address + COURSE)
    page.locator("#take-button").click()
    expect(page.locator("#take-remove")).to_be_visible()
    expect(page.locator("#take-state")).to_contain_text("version 2026.11")
    says(page, "Everything is sent")


def answer(page: Page) -> None:
    """Something, by the kind of form, to the question that stands there; then it is told."""
    form = page.locator(".learn-question")
    form.wait_for()
    if form.locator(".touch-order").count():
        form.locator("[data-way=down]").first.click()
    elif form.locator("select").count():
        for place, field in enumerate(form.locator("select").all()):
            field.select_option(index=place + 1)
    if form.locator("input[type=text]").count():
        form.locator("input[type=text]").fill("119")
    elif not form.locator("select").count():
        form.locator("input").first.check()
    form.locator("button.learn-big").click()
    page.locator(".learn-verdict").wait_for()


def test_a_course_is_learnt_without_a_network_and_everything_arrives_once(
        school: School, context: BrowserContext, sign_in: Callable[[Page, str], None]) -> None:  # noqa: F811
    page, seen = context.new_page(), list[str]()
    sign_in(page, "+8612900000081")
    page.goto(school.address + COURSE)
    expect(page.locator("#take-state")).to_contain_text("MB")
    take_along(school, page)
    judged(page, seen)
    context.set_offline(True)
    page.goto(school.address + COURSE)
    says(page, "No network")
    judged(page, seen)
    page.locator(".learn-lessons a").first.click()
    page.locator("article.lesson").wait_for()
    judged(page, seen)
    comes_true(page, "document.images.length === 1 && document.images[0].complete && document.images[0].naturalWidth > 0")
    page.locator(".learn-mark button").click()
    page.wait_for_url("**/extinguisher/")
    page.goto(school.address + PRACTICE)
    for n in (1, 2, 3):
        answer(page)
        says(page, "1 answer not yet sent" if n == 1 else f"{n} answers not yet sent")
        page.locator("#shell .learn-big").click()
    page.locator(".learn-question").wait_for()
    judged(page, seen)
    page.close()
    page = context.new_page()
    page.goto(school.address + "/learn/")
    says(page, "3 answers not yet sent · 1 lesson not yet sent")
    page.goto(school.address + "/learn/offline/en/")
    expect(page.locator("#shell h1")).to_have_text("Learning offline")
    judged(page, seen)
    page.locator("#shell-language").click()
    expect(page.locator("#offline-state")).to_contain_text("3 个答案尚未发送")
    page.goto(school.address + "/learn/sample/exam/")
    expect(page.locator("#shell")).to_contain_text("考试需要联网")
    assert kept(school, PracticeAnswer.ref) == []
    context.set_offline(False)
    expect(page.locator("#offline-state")).to_have_text("✓ 已全部发送")
    rows = kept(school, PracticeAnswer.ref, PracticeAnswer.question_id)
    assert len({ref for ref, _question in rows}) == len(rows) == 3
    assert len({question for _ref, question in rows}) == 3
    assert [lesson for lesson, done_at in kept(school, LessonProgress.lesson_id, LessonProgress.done_at) if done_at] == ["smoke"]
    page.goto(school.address + COURSE)
    expect(page.locator("#offline-state")).to_have_text("✓ Everything is sent")
    assert kept(school, PracticeAnswer.ref, PracticeAnswer.question_id) == rows
    assert len(seen) == 5


def test_signing_out_asks_while_something_is_unsent_and_leaves_nothing_for_the_next(
        school: School, context: BrowserContext, monkeypatch: pytest.MonkeyPatch) -> None:
    page = context.new_page()
    enter(school, page, "+8612900000082")
    take_along(school, page)
    context.set_offline(True)
    page.goto(school.address + PRACTICE)
    answer(page)
    says(page, "1 answer not yet sent")

    def broken(*_given: Any) -> Any:
        raise RuntimeError("the portal is in trouble")
    monkeypatch.setattr(sync, "take", broken)
    context.set_offline(False)
    page.goto(school.address + "/learn/")
    leave = page.locator("form[action$='/sign-out'] button")
    with page.expect_event("dialog") as asked:
        leave.click()
    assert asked.value.message.startswith("1 things that you did without a network are not sent yet.")
    asked.value.dismiss()
    assert page.evaluate(LEFT) == [1, 1, 1, 2, 1]
    with page.expect_event("dialog") as asked:
        leave.click()
    asked.value.accept()
    page.locator("#phone").wait_for()
    assert page.evaluate(LEFT) == [0, 0, 0, 0, 0]
    enter(school, page, "+8612900000083")
    page.goto(school.address + "/learn/offline/en/")
    expect(page.locator("#shell")).to_contain_text("There is no course on this phone")


def test_what_waits_is_tried_again_by_itself_where_a_network_that_came_back_carried_nothing(
        school: School, context: BrowserContext) -> None:
    page, before = context.new_page(), len(kept(school, PracticeAnswer.id))
    enter(school, page, "+8612900000086")
    take_along(school, page)
    context.set_offline(True)
    page.goto(school.address + PRACTICE)
    answer(page)
    asked, carries = list[str](), list[bool]()

    def network(route: Route) -> None:
        asked.append(route.request.url)
        if carries:
            route.continue_()
        else:
            route.abort()

    context.route("**/learn/offline/state*", network)
    with page.expect_request("**/learn/offline/state*"):
        context.set_offline(False)
    page.wait_for_timeout(2000)  # whatever else asks because the network is back has asked, in vain
    assert asked
    carries.append(True)
    says(page, "Everything is sent")  # nothing was pressed, and no page was opened
    assert len(kept(school, PracticeAnswer.id)) == before + 1


def test_what_one_did_waits_unseen_while_another_is_signed_in_and_arrives_when_he_is_back(
        school: School, context: BrowserContext) -> None:
    page, before = context.new_page(), len(kept(school, PracticeAnswer.id))
    enter(school, page, "+8612900000084")
    take_along(school, page)
    context.set_offline(True)
    page.goto(school.address + PRACTICE)
    answer(page)
    context.clear_cookies()  # the session is over, without a word
    context.set_offline(False)
    # By itself: the portal said that nobody is signed in. A question that the network swallowed has twenty seconds, and is then
    # asked again.
    page.locator("#phone").wait_for(timeout=90_000)
    says(page, "1 not yet sent. Sign in with the number that did it")
    context.set_offline(True)
    page.goto(school.address + COURSE)
    expect(page.locator("#shell h1")).to_have_text("You are signed out")
    context.set_offline(False)
    enter(school, page, "+8612900000085")
    goes(page, school.address + "/learn/")
    says(page, "From another number: 1 not yet sent")
    assert page.evaluate(LEFT)[:3] == [0, 0, 1]
    page.goto(school.address + COURSE)
    expect(page.locator("#take-button")).to_have_text("Download this course")
    page.locator("form[action$='/sign-out'] button").click()
    page.locator("#phone").wait_for()
    enter(school, page, "+8612900000084")
    goes(page, school.address + "/learn/")
    says(page, "Everything is sent")
    assert len(kept(school, PracticeAnswer.id)) == before + 1


def test_practice_on_the_phone_waits_from_the_first_page_of_an_exam_until_its_end(
        school: School, context: BrowserContext) -> None:
    page = context.new_page()
    enter(school, page, "+8612900000086")
    take_along(school, page)
    page.goto(school.address + "/learn/sample/exam/")
    page.locator("#ready").check()
    page.locator("form button.exam-big").click()
    page.wait_for_url("**/sit")
    context.set_offline(True)
    for path in (PRACTICE, "/learn/review/"):
        page.goto(school.address + path)
        expect(page.locator("#shell h1")).to_have_text("Practice and review wait until your exam is over")
    context.set_offline(False)
    page.goto(school.address + "/learn/sample/exam/sit")
    page.locator("button[value=finish]").click()
    page.locator("button[value=submit]").click()
    page.wait_for_url("**/result/**")
    context.set_offline(True)
    page.goto(school.address + PRACTICE)  # the phone has not heard yet that the exam is over
    expect(page.locator("#shell h1")).to_have_text("Practice and review wait until your exam is over")
    context.set_offline(False)
    page.goto(school.address + "/learn/")
    page.locator("#offline-bar[data-heard=ok]").wait_for()
    context.set_offline(True)
    page.goto(school.address + PRACTICE)
    kinds = set[str]()
    while len(kinds) < 3:  # also those that are pointed at, dragged, or go on
        form = page.locator(".learn-question")
        form.wait_for()
        kinds |= {name for name in ("touch-order", "touch-spot", "learn-now") if form.locator(f".{name}").count()}
        answer(page)
        page.locator("#shell .learn-big").click()
        page.locator(".learn-verdict").wait_for(state="detached")
    # Nothing is told of an answer that the phone cannot keep, for it would not count.
    page.goto(school.address + "/learn/review/")
    page.locator(".learn-question").wait_for()
    page.evaluate("""() => {
      IDBObjectStore.prototype.add = () => { throw new DOMException("full", "QuotaExceededError"); };
    }""")
    if page.locator(".learn-question fieldset input").count():
        page.locator(".learn-question fieldset input").first.check()
    elif page.locator(".learn-question input").count():
        page.locator(".learn-question input").fill("7")
    page.locator(".learn-question .learn-big").click()
    expect(page.locator(".learn-question [role=alert]")).to_contain_text("This phone could not keep this")
    assert not page.locator(".learn-verdict").count()


@pytest.mark.parametrize(("lacks", "words", "kept_nothing"), [
    ("Object.defineProperty(navigator, 'serviceWorker', {value: undefined})", "cannot show pages without a network", None),
    ("indexedDB.open = () => { throw new DOMException('private', 'SecurityError'); }", "keeps nothing", None),
    ("Cache.prototype.put = () => Promise.reject(new DOMException('full', 'QuotaExceededError'))", "no room for the", 0),
])
def test_a_browser_that_cannot_keep_a_course_says_so_and_all_else_works(
        school: School, context: BrowserContext, lacks: str, words: str, kept_nothing: int | None) -> None:
    context.add_init_script(lacks)
    page, errors = context.new_page(), list[str]()
    page.on("pageerror", lambda error: errors.append(str(error)))
    enter(school, page, f"+86129000000{90 + len(words) % 9}")
    goes(page, school.address + COURSE)
    if kept_nothing is not None:
        page.locator("#take-button").click()
        expect(page.locator("#take-error")).to_contain_text(words)
        expect(page.locator("#take-state")).to_contain_text("MB")
    else:
        expect(page.locator("#take-state")).to_contain_text(words)
    page.goto(school.address + PRACTICE)
    page.locator("fieldset input").first.check()
    page.locator(".learn-question button").click()
    page.wait_for_url("**/answers/**")
    page.locator("form[action$='/sign-out'] button").click()
    page.locator("#phone").wait_for()
    assert errors == []


def test_a_newer_version_is_offered_and_an_answer_to_the_old_one_counts_as_such(school: School, context: BrowserContext) -> None:
    page = context.new_page()
    enter(school, page, "+8612900000087")
    take_along(school, page)
    context.set_offline(True)
    page.goto(school.address + PRACTICE)
    answer(page)
    says(page, "1 answer not yet sent")
    course = school.app.extensions["anlan"].content / "courses" / "sample"
    for name, old, new in (("course.yaml", '"2026.11"', '"2026.12"'), ("banks/fire.en.md", "rev: 1", "rev: 2"),
                           ("banks/fire.zh.md", "rev: 1", "rev: 2")):
        (course / name).write_text((course / name).read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    inside(school, lambda: courses_store.sync(faulty=True))
    context.set_offline(False)
    says(page, "Everything is sent")
    page.goto(school.address + "/learn/offline/en/")
    expect(page.locator("#shell .learn-given")).to_contain_text("sent, of an old question")
    expect(page.locator("#shell .learn-card")).to_contain_text("There is a newer version: 2026.12")
    page.goto(school.address + COURSE)
    expect(page.locator("#take-button")).to_have_text("Download the newer version 2026.12")
    page.locator("#take-button").click()
    expect(page.locator("#take-state")).to_contain_text("version 2026.12")
    expect(page.locator("#take-button")).to_be_hidden()
