"""The pages work without scripts, tell strangers nothing, and put nothing of anybody into addresses."""

from __future__ import annotations

import re
import uuid

import lxml.html
import pytest
from flask import Flask

from portal.identity.rights import ADMINISTRATOR, APPROVER, DRAFTER, SHELTERS, VIEWER
from portal.shelters.models import ARRIVED, CONTACTED, REFUSED, UNREACHABLE
from portal.shelters.transfers import looks, rounds, steps, store
from tests import district
from tests.shelters.transfers.people import (
    ADDRESS,
    HELPER_PHONE,
    KENGZI,
    LIULIAN,
    NAME,
    NEIGHBOUR,
    PHONE,
    SECRETS,
    fresh,
    person,
    seen,
    staff,
    start,
    trail,
)

ROOT = "/desk/transfers/"
HERE = f"{ROOT}{LIULIAN}/"


@pytest.fixture
def app(desk_app: Flask) -> Flask:
    return desk_app


def addresses(text: str) -> str:
    return " ".join(re.findall(r'(?:href|action|src)="([^"]*)"', text))


def test_without_the_duty_no_page_says_anything_not_even_a_number(seat):
    account = staff()
    somebody, round_ = person(account), start(account)
    paths = [ROOT, HERE, HERE + "print", HERE + "removed", HERE + "new", ROOT + "import", ROOT + "rounds/new", ROOT + "offline",
             f"{ROOT}rounds/{round_.id}/", f"{ROOT}person/{somebody.id}/", f"{ROOT}person/{somebody.id}/edit"]
    everything = [(r, district.DISTRICT, "red") for r in (ADMINISTRATOR, APPROVER, DRAFTER, SHELTERS, VIEWER)]
    mighty, stranger = seat(district.office("mighty", *everything)), seat(staff("kengzi", KENGZI))
    for path in paths:
        assert mighty.get(path).status_code == 403, path
    for path in [p for p in paths if LIULIAN in p or "person" in p or str(round_.id) in p]:
        assert stranger.get(path).status_code == 404, path
    for page in (stranger.get(ROOT), stranger.get(ROOT + "rounds/new")):
        assert page.status_code == 200
        assert "Liulian" not in page.text
    for path in (f"{HERE}take", f"{ROOT}person/{somebody.id}/remove", f"{ROOT}rounds/{round_.id}/end"):
        assert mighty.post(path).status_code == 403
        assert stranger.post(path, ROOT + "import").status_code == 404
    assert mighty.get(ROOT + "session").status_code == 401
    assert trail(looks.LOOK, looks.LIST, looks.TAKE) == []


def test_the_list_shows_initials_and_needs_and_hides_the_rest(seat):
    account = staff()
    somebody = person(account)
    start(account)
    page = seat(account).get(HERE)
    assert page.status_code == 200
    assert page.headers["Cache-Control"] == "no-store"
    assert "测某" in page.text
    assert "Wheelchair user" in page.text
    assert [s for s in SECRETS if s in page.text] == []
    listed, = trail(looks.LIST)
    assert (listed.subject, listed.details) == (f"region:{LIULIAN}", {"people": 1})
    own = seat(account).get(f"{ROOT}person/{somebody.id}/")
    assert all(s in own.text for s in (NAME, ADDRESS, f'href="tel:{PHONE}"', f'href="tel:{HELPER_PHONE}"'))
    assert own.headers["Cache-Control"] == "no-store"
    assert NAME not in lxml.html.fromstring(own.text).findtext(".//title")
    for text in (page.text, own.text):
        assert [s for s in (*SECRETS[:1], ADDRESS, "测某", "T-1") if s in addresses(text)] == []


def test_a_search_is_posted_and_finds_by_initials_or_code(seat):
    account = staff()
    person(account), person(account, "T-2", initials="王某", name="")
    here = seat(account)
    assert 'method="post"' in re.search(r"<form[^>]*role=\"search\"", here.get(HERE).text)[0]
    for text, found, other in (("王", "T-2", "T-1"), ("t-1", "T-1", "T-2")):
        page = here.post(HERE, HERE, text=text)
        assert found in page.text
        assert other not in page.text
    assert "Nobody has these initials" in here.post(HERE, HERE, text="%").text


def test_buttons_move_a_person_on_and_pressing_twice_is_pressing_once(seat):
    account = staff()
    somebody, _round = person(account), start(account)
    here = seat(account)
    form = here.form(here.get(HERE), f"{somebody.id}/state")
    form["state"] = CONTACTED
    answer = here.send(f"{ROOT}person/{somebody.id}/state", form)
    assert answer.status_code == 302
    assert "#p-" in answer.headers["Location"]
    here.send(f"{ROOT}person/{somebody.id}/state", form)
    assert fresh(somebody).state == CONTACTED
    assert len(trail("transfer.state")) == 1


def test_a_refusal_without_a_word_is_asked_for_it_and_what_was_typed_stays(seat):
    account = staff()
    somebody, _round = person(account), start(account)
    here, path = seat(account), f"{ROOT}person/{somebody.id}/state"
    for back, where in (("list", HERE), ("person", f"{ROOT}person/{somebody.id}/")):
        form = here.form(here.get(where), f"{somebody.id}/state")
        assert form["back"] == back
        form["state"] = REFUSED
        answer = here.send(path, form)
        assert answer.status_code == 422
        assert "Say why in a few words." in answer.text
        form["note"] = "call 13800138000"
        answer = here.send(path, form)
        assert (answer.status_code, "call 13800138000" in answer.text) == (422, True)
    form["note"] = "does not want to leave the cat"
    assert here.send(path, form).status_code == 302
    assert fresh(somebody).state == REFUSED
    assert "1 household refused to leave" in here.get(HERE).text
    assert "Everybody is done with" not in here.get(HERE).text


def test_somebody_is_added_changed_removed_and_each_can_be_undone(seat):
    account = staff()
    here = seat(account)
    values = {"code": "N-1", "region_code": LIULIAN, "name": NAME, "phone": PHONE, "address": ADDRESS, "people": "3",
              "needs": "bedridden", "means": "ambulance"}
    bad = here.post(HERE + "new", HERE + "new", **(values | {"people": "none", "code": "13800138000"}))
    assert bad.status_code == 422
    assert {NAME, ADDRESS, "none"} <= set(lxml.html.fromstring(bad.text).xpath("//input/@value"))
    done = here.post(HERE + "new", HERE + "new", **values)
    assert "测某" in done.text
    somebody = next(p for p in db_people() if p.code == "N-1")
    edit = f"{ROOT}person/{somebody.id}/edit"
    form = here.form(here.get(edit), "entry")
    assert (form["name"], form["phone"], form["needs"]) == (NAME, PHONE, "bedridden")
    form["people"] = "4"
    changed = here.send(edit, form)
    assert fresh(somebody).people == 4
    assert here.send(edit, form).status_code == 409, "the version that was read is old now"
    undone = here.send(ROOT + "undo", here.form(changed, "/undo"))
    assert undone.status_code == 302
    assert fresh(somebody).people == 3
    gone = here.post(f"{ROOT}person/{somebody.id}/remove", f"{ROOT}person/{somebody.id}/", version=fresh(somebody).version)
    assert fresh(somebody).removed_at is not None
    assert "N-1" in here.get(HERE + "removed").text
    here.send(ROOT + "undo", here.form(gone, "/undo"))
    assert fresh(somebody).removed_at is None
    assert [e.action for e in trail("transfer.add", "transfer.change", "transfer.remove", "transfer.restore")] == [
        "transfer.add", "transfer.change", "transfer.change", "transfer.remove", "transfer.restore"]


def db_people():
    from portal.core.db import db
    district.forget()
    return db.session.execute(store.people_query([district.DISTRICT])).scalars().all()


def test_a_round_is_seen_before_it_is_started_and_a_drill_is_marked_everywhere(seat):
    account = staff()
    somebody = person(account)
    here = seat(account)
    form = {"regions": LIULIAN, "family": "wind", "exercise": "1", "mode": "2"}
    path = ROOT + "rounds/new"
    assert "Say whether it is real" in here.post(path, path, **(form | {"exercise": ""}), do="check").text
    foreseen = here.post(path, path, **form, do="check")
    assert "households 1, people 2" in foreseen.text
    assert store.open_rounds([LIULIAN]) == []
    sent = here.form(foreseen, "round")
    sent["do"] = "start"
    assert here.send(path, sent).status_code == 302
    district.forget()
    round_, = store.open_rounds([LIULIAN])
    assert round_.exercise
    for page in (ROOT, HERE, f"{ROOT}person/{somebody.id}/", f"{ROOT}rounds/{round_.id}/"):
        assert 'class="drill"' in here.get(page).text, page
    assert here.post(path, path, **form, do="start").status_code == 409
    assert here.post(f"{ROOT}rounds/{round_.id}/end", f"{ROOT}rounds/{round_.id}/").status_code == 302
    district.forget()
    assert rounds.get(round_.id).ended_at is not None


def test_the_overview_puts_late_communities_first_with_numbers_and_keeps_drills_apart(seat):
    street = staff("street", district.PINGSHAN)
    person(street), person(street, "T-2", region_code=NEIGHBOUR), person(street, "T-3", region_code="440310001003")
    start(street, LIULIAN)
    late = start(street, NEIGHBOUR, hours=-0.5)
    start(street, "440310001003", exercise=True)
    root = lxml.html.fromstring(seat(street).get(ROOT).text)
    real, drill = root.xpath("//table[contains(@class, 't-progress')]")
    rows = [r.xpath("string(th)") for r in real.xpath(".//tbody/tr")]
    assert len(rows) == 2
    assert "deadline passed" in real.xpath("string(.//tbody/tr[1])")
    assert real.xpath(".//tbody/tr[1]//a/@href") == [f"{ROOT}{NEIGHBOUR}/"]
    assert "0 of 1 households arrived" in real.xpath("string(.//tbody/tr[1])")
    assert len(drill.xpath(".//tbody/tr")) == 1
    assert late.deadline is not None


def test_contradictions_are_seen_in_the_list_and_settled_there(seat):
    one, two = staff("one"), staff("two")
    somebody, round_ = person(one), start(one)
    steps.record(one, [seen(somebody, round_, ARRIVED)])
    steps.record(two, [seen(somebody, round_, REFUSED, note="not at home")])
    here = seat(one)
    assert "contradict each other" in here.get(HERE + "?show=all").text
    form = here.form(here.get(f"{ROOT}person/{somebody.id}/"), f"{somebody.id}/state")
    form["state"] = ARRIVED
    here.send(f"{ROOT}person/{somebody.id}/state", form)
    assert "contradict each other" not in here.get(HERE + "?show=all").text


def test_print_and_file_need_a_reason_and_leave_it_in_the_trail(seat):
    account = staff()
    person(account, note="=1+1")
    here, path = seat(account), HERE + "print"
    assert NAME not in here.get(path).text
    assert here.post(path, path, reason="x", do="print").status_code == 422
    sheet = here.post(path, path, reason="typhoon transfer", do="print")
    assert all(s in sheet.text for s in (NAME, ADDRESS, PHONE))
    table = here.post(path, path, reason="typhoon transfer", do="csv")
    assert table.headers["Cache-Control"] == "no-store"
    assert NAME in table.text
    assert ",=1+1" not in table.text
    assert [(e.action, e.details["reason"], e.details["people"]) for e in trail(looks.PRINT, looks.EXPORT)] == [
        (looks.PRINT, "typhoon transfer", 1), (looks.EXPORT, "typhoon transfer", 1)]


def test_a_file_is_checked_first_and_travels_sealed_until_it_is_confirmed(seat):
    account, path = staff(), ROOT + "import"
    here = seat(account)
    body = f"编号,社区代码,姓名,电话,地址\nA-1,{LIULIAN},{NAME},{PHONE},{ADDRESS}\nA-2,{KENGZI},{NAME},,\n".encode("gb18030")

    def upload():
        import io
        return here.send(path, {**here.form(here.get(path), "upload"), "do": "check", "list": (io.BytesIO(body), "list.csv")})
    checked = upload()
    assert "Your duty does not cover this community." in checked.text
    assert [s for s in SECRETS if s in checked.text] == []
    assert db_people() == []
    form = here.form(checked, "confirm")
    assert form["do"] == "confirm"
    assert here.send(path, form).status_code == 302
    assert [p.code for p in db_people()] == ["A-1"]
    assert seat(staff("other")).send(path, form).status_code in (400, 409)
    again = upload()
    assert "There is nothing to import." in again.text


def test_nothing_of_anybody_is_logged_not_even_where_a_page_breaks(seat, monkeypatch, caplog):
    account = staff()
    somebody = person(account)
    start(account)
    here = seat(account)
    caplog.set_level("DEBUG")
    here.get(f"{ROOT}person/{somebody.id}/")
    here.post(HERE, HERE, text="测某")

    def break_(*_a, **_k):
        raise ValueError("broken")
    monkeypatch.setattr(steps, "history", break_)
    assert here.get(f"{ROOT}person/{somebody.id}/").status_code == 500
    assert "broken" in caplog.text
    assert [s for s in (*SECRETS, "测某") if s in caplog.text] == []


def test_ids_that_are_none_are_not_found_and_nonsense_breaks_nothing(seat):
    account = staff()
    start(account)
    here = seat(account)
    for path in (f"{ROOT}person/{uuid.uuid4()}/", f"{ROOT}rounds/{uuid.uuid4()}/", f"{ROOT}999999999999/", ROOT + "nonsense/"):
        assert here.get(path).status_code == 404, path
    assert here.get(HERE + "?show=nonsense&page=99999999999").status_code == 200
    assert here.post(f"{ROOT}person/{uuid.uuid4()}/state", HERE, ref="x", round="y").status_code == 400
    assert here.post(f"{ROOT}undo", HERE, undo="x").status_code == 409


def test_the_overview_of_shelters_tells_transfers_only_to_those_with_the_duty(seat):
    account = staff()
    first, second = person(account, people=2), person(account, "T-2", people=1)
    round_ = start(account)
    overview = "/desk/shelters/"
    stranger, other = seat(district.office("shelters", (SHELTERS, district.DISTRICT, "white"))), seat(staff("kengzi", KENGZI))
    assert "people have arrived" not in stranger.get(overview).text
    assert "people have arrived" not in other.get(overview).text
    page = seat(account).get(overview).text
    assert "0 of 3 people have arrived" in page
    assert ("DRILL" in page) is round_.exercise
    assert first.code not in page
    assert second.code not in page


def test_who_could_not_be_reached_stays_on_the_list_of_those_to_go_after(seat):
    account = staff()
    somebody, round_ = person(account), start(account)
    steps.record(account, [seen(somebody, round_, UNREACHABLE, note="nobody answers the door")])
    assert somebody.code in seat(account).get(HERE).text
    assert store.progress([LIULIAN])[0].open == 1
