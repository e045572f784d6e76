"""Paper for everybody: at one address, of the facts as they are, however many ask at once."""

from __future__ import annotations

import threading
from contextvars import Context

import pytest

from portal.shelters.communities import editing, store
from portal.shelters.paper import documents, shelf
from tests.district import LIULIAN
from tests.shelters.communities.conftest import keeper
from tests.shelters.one_database import database_url  # noqa: F401  (fixture)
from tests.shelters.paper import reading

PLAN = f"/paper/{LIULIAN}/plan-zh.pdf"


@pytest.fixture
def get(town):
    """Requests as from outside, of nobody who is signed in."""
    client = town.test_client()
    return lambda path, **headers: Context().run(client.get, path, headers=headers)


def test_everybody_may_take_a_sheet(get):
    for kind, language in zip(documents.KINDS, ("zh", "en", "zh"), strict=True):
        answer = get(f"/paper/{LIULIAN}/{kind}-{language}.pdf")
        assert (answer.status_code, answer.mimetype) == (200, "application/pdf")
        assert reading.qr(answer.data) == [f"http://localhost/{language}/communities/{LIULIAN}/"]


def test_who_has_it_already_is_told_so(get):
    first = get(PLAN)
    again = get(PLAN, **{"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert "max-age" in first.headers["Cache-Control"]


def test_other_facts_are_another_sheet_and_the_same_ones_come_from_the_shelf(get, town, monkeypatch):
    monkeypatch.setattr(shelf, "FRESH_SECONDS", 0)
    made, make = [], documents.make
    monkeypatch.setattr(documents, "make", lambda *args: made.append(args) or make(*args))
    first, again = get(PLAN), get(PLAN)
    assert (len(made), again.data) == (1, first.data)
    row = {"post_zh": "夜班室", "post_en": "Night room", "phone": "12345"}
    editing.save_posts(keeper(), LIULIAN, [row], store.stamp(LIULIAN, ["posts"]))
    changed = get(PLAN)
    assert "夜班室" in reading.text(changed.data)
    assert changed.headers["ETag"] != first.headers["ETag"]


def test_a_hundred_who_ask_at_once_make_one_sheet(get, monkeypatch):
    made, make, begun = [], documents.make, threading.Event()

    def slowly(*args):
        made.append(args)
        begun.wait(60)
        return make(*args)

    monkeypatch.setattr(documents, "make", slowly)
    answers = []
    readers = [threading.Thread(target=lambda: answers.append(get(PLAN))) for _n in range(100)]
    for reader in readers:
        reader.start()
    while len(answers) < 100 - shelf.MOST_WAITING - 1:
        threading.Event().wait(0.02)  # all but those who wait have been sent away
    begun.set()
    for reader in readers:
        reader.join(90)
    codes = [answer.status_code for answer in answers]
    assert len(made) == 1
    assert set(codes) <= {200, 503}
    assert 1 <= codes.count(200) <= shelf.MOST_WAITING + 1
    busy = next(answer for answer in answers if answer.status_code == 503)
    assert busy.headers["Retry-After"] == "5"


def test_the_shelf_holds_no_more_than_it_may(get, town, monkeypatch):
    monkeypatch.setattr(shelf, "MOST_FILES", 2)
    for kind in documents.KINDS:
        get(f"/paper/{LIULIAN}/{kind}-zh.pdf")
    folder = town.extensions["anlan"].instance / "paper"
    assert len(list(folder.iterdir())) == 2
    for path in folder.iterdir():
        path.unlink()
    assert get(PLAN).status_code == 200, "what was removed is made again"


def test_what_is_not_there_is_not_found(get):
    for path in (f"{LIULIAN}/poster-zh.pdf", f"{LIULIAN}/map-fr.pdf", "440310001000/map-zh.pdf", "x/map-zh.pdf",
                 f"{LIULIAN}/map-zh.pdf?family=rain"):
        assert get(f"/paper/{path}").status_code == 404, path


def test_a_sheet_for_other_hazards_is_asked_for_by_their_name(get):
    assert "滑坡、泥石流" in reading.text(get(f"/paper/{LIULIAN}/map-zh.pdf?family=slope").data)
