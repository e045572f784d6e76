"""The pages as browsers without scripts see them: a trainer's screen and phone, a learner's phone."""

from __future__ import annotations

import json
import re
from contextvars import Context
from datetime import timedelta

import lxml.html
import pytest
from flask_babel import force_locale

from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, transaction, uuid7
from portal.identity import sessions
from portal.identity.rights import DRAFTER
from portal.training.assessing import learner_pages, recording, results, rotating
from portal.training.assessing.rules import DISPUTED, PASSED
from portal.training.learners import door, own
from portal.training.practical_models import ATTENDED, BOOKED, LEFT, WAITING, Assessment
from tests import district
from tests.desk.conftest import Seat
from tests.training.assessing import one_school
from tests.training.assessing.conftest import make_session, seat, seen, state_of

filled, one_app, school = one_school.filled, one_school.one_app, one_school.school

BADLY = {"safe-scene": True, "call": False}


@pytest.fixture
def desk(school):
    """`desk(account)`: a browser in which the account is signed in."""
    def take(account, language="en") -> Seat:
        with transaction() as session:
            row = sessions.open_row(session, account)
        client = school.test_client()
        with Context().run(lambda: client.session_transaction()) as cookie:
            cookie.update({"_user_id": account.fs_uniquifier, "_fresh": True, "desk_session": row.id.hex, "language": language})
        return Seat(client)
    return take


@pytest.fixture
def phone(school):
    """`phone(learner)`: a browser in which the learner is signed in; None: nobody is."""
    def take(learner=None, language="en") -> Seat:
        client = school.test_client()
        with Context().run(lambda: client.session_transaction()) as cookie:
            cookie["language"] = language
        if learner is not None:
            client.set_cookie(door.COOKIE, door.begin(learner), path=door.PATH)
        return Seat(client)
    return take


def url(held, part: str) -> str:
    return f"/desk/training/sessions/{held.id}/{part}"


def shown(page) -> str:
    return re.search(r"attend-signs\"><strong>(\w{3}) (\w{3})<", page.text).expand(r"\1\2")


def plain(page) -> str:
    return " ".join(lxml.html.fromstring(page.text).text_content().split())


# -- attendance ----------------------------------------------------------------------------------------------
def test_the_screen_shows_a_code_that_a_learner_types_and_the_list_says_that_he_is_there(desk, phone, held, people, trainer):
    learner = people(1, "王一")
    seat(held, learner)
    screen, hand = desk(trainer), phone(learner)
    page = screen.get(url(held, "attendance/"))
    assert "http-equiv=\"refresh\"" in page.text
    assert "localhost/learn/here/" in page.text
    assert "0 present of 2 seats" in page.text
    got = hand.send("/learn/here/", hand.form(hand.get("/learn/here/"), "check-in").to_dict() | {"code": shown(page)})
    assert (got.status_code, got.location) == (303, "/learn/here/")
    assert "You are checked in." in hand.get("/learn/here/").text
    again = screen.get(url(held, "attendance/code"))
    assert "1 present of 2 seats" in again.text
    assert "by the code" in screen.get(url(held, "attendance/list")).text


def test_a_list_that_has_not_changed_is_not_sent_again(desk, held, people, trainer):
    seat(held, people(1))
    screen = desk(trainer)
    have = re.search(r"have=(\w+)", screen.get(url(held, "attendance/")).text)[1]
    assert screen.get(url(held, f"attendance/list?have={have}")).status_code == 204
    seat(held, people(2), WAITING)
    assert screen.get(url(held, f"attendance/list?have={have}")).status_code == 200


def test_who_scans_the_code_and_is_not_signed_in_comes_back_and_the_code_still_counts(phone, held, people, monkeypatch):
    learner = people(1)
    booking = seat(held, learner)
    hand = phone()
    got = hand.get(f"/learn/here/?c={rotating.code(held, utcnow())}")
    assert (got.status_code, got.location) == (302, "/learn/sign-in?next=/learn/here/")
    hand.client.set_cookie(door.COOKIE, door.begin(learner), path=door.PATH)
    later = utcnow() + timedelta(minutes=4)
    monkeypatch.setattr("portal.training.assessing.attendance.utcnow", lambda: later)
    page = hand.get("/learn/here/")
    form = hand.form(page, "check-in").to_dict()
    assert form["code"]
    assert hand.send("/learn/here/", form).status_code == 303
    assert state_of(booking) == ATTENDED


def test_a_wrong_code_is_refused_in_words_and_too_many_are_not_tried(phone, held, people):
    learner = people(1)
    booking = seat(held, learner)
    hand = phone(learner)
    form = hand.form(hand.get("/learn/here/"), "check-in").to_dict()
    answers = [hand.send("/learn/here/", form | {"code": f"WRNG{n:02}"}) for n in range(13)]
    assert [one.status_code for one in answers] == [422] * 12 + [429]
    assert "not valid now" in answers[0].text
    assert "WRNG00" in answers[0].text
    assert hand.send("/learn/here/", form | {"code": rotating.code(held, utcnow())}).status_code == 429
    assert state_of(booking) == BOOKED


def test_a_trainer_marks_takes_back_and_takes_in_by_forms(desk, held, people, trainer, passed):
    one, two = people(1, "王一"), people(2)
    booking = seat(held, one)
    screen = desk(trainer)
    page = screen.get(url(held, "attendance/"))
    form = screen.form(page, f"attendance/{one.id}").to_dict()
    assert screen.send(url(held, f"attendance/{one.id}"), form | {"mark": "present"}).location.endswith(f"#p-{one.id}")
    assert state_of(booking) == ATTENDED
    screen.send(url(held, f"attendance/{one.id}"), form | {"mark": "undo"})
    assert state_of(booking) == BOOKED
    walk_in = screen.form(page, "walk-in").to_dict()
    refused = screen.send(url(held, "attendance/walk-in"), walk_in | {"phone": "12900000002"})
    assert refused.status_code == 409
    assert "theory is not passed" in refused.text
    assert 'value="12900000002"' in refused.text
    passed.add(two.id)
    assert screen.send(url(held, "attendance/walk-in"), walk_in | {"phone": "12900000002"}).status_code == 303
    assert "Taken in" in screen.get(url(held, "attendance/")).text
    assert screen.send(url(held, "attendance/walk-in"), walk_in | {"phone": "nobody"}).status_code == 422


def test_who_has_no_duty_there_sees_nothing(desk, phone, held, there, stranger):
    elsewhere, other, nobody = desk(stranger), desk(district.office("drafter", (DRAFTER, district.DISTRICT, "red"))), phone()
    for part in ("attendance/", "attendance/code", "attendance/list", "assess/", "assess/1/cpr/"):
        answers = [one.get(url(held, part)).status_code for one in (elsewhere, other, nobody)]
        assert answers == [404, 403, 302], part


# -- assessing -----------------------------------------------------------------------------------------------
def test_a_checklist_is_filled_in_without_scripts_and_sent_twice_counts_once(desk, held, there, trainer):
    hand = desk(trainer)
    page = hand.get(url(held, "assess/"))
    assert "王一" in page.text
    assert "not assessed yet" in page.text
    path = url(held, f"assess/{there.id}/cpr/")
    form = hand.form(hand.get(path), "checklist").to_dict()
    assert (form["s-call"], form["s-safe-scene"]) == ("unseen", "unseen")
    assert "Nothing is marked" in hand.send(path, form).text
    for _time in range(2):
        assert hand.send(path, form | {"s-call": "yes", "s-safe-scene": "yes", "note": "calm"}).status_code == 303
    db.session.rollback()
    assert db.session.query(Assessment).count() == 1
    assert "Saved: passed." in hand.get(url(held, "assess/")).text
    assert hand.form(hand.get(path), "checklist")["s-call"] == "yes"


def test_a_phone_takes_the_list_and_sends_what_it_kept(desk, held, there, trainer, version):
    hand = desk(trainer)
    token = hand.get("/desk/training/assessing/session").json["csrf"]

    def send(path, body=None):
        return Context().run(lambda: hand.client.post(path, json=body, headers={"X-CSRFToken": token}))
    list_ = send(url(held, "assess/take")).json
    assert [(one["name"], one["present"], one["skills"]["cpr"]) for one in list_["people"]] == [
        ("王一", True, {"state": "unseen", "mine": None})]
    assert [step["id"] for step in list_["skills"][0]["steps"]] == ["safe-scene", "call"]
    db.session.rollback()
    took = db.session.query(audit.AuditEntry).filter(audit.AuditEntry.action == "assessment.take").one()
    assert took.details == {"people": 1}
    item = {"ref": str(uuid7()), "session": str(held.id), "learner": there.id, "skill": "cpr", "version": list_["version"],
            "steps": {"safe-scene": True, "call": True}, "note": "", "at": 1_000_000}
    body = {"session": str(held.id), "sent": 1_000_000 + 600_000, "seen": [item, item | {"ref": str(uuid7()), "skill": "x"}]}
    for outcome in ("taken", "again"):
        answer = send("/desk/training/assessing/sync", body).json
        assert [one["outcome"] for one in answer["results"]] == [outcome, "refused"]
        assert answer["results"][1]["message"]
        assert answer["people"][0]["skills"]["cpr"] == {"state": "passed", "mine": {
            "passed": True, "steps": {"safe-scene": True, "call": True}, "note": ""}}
        assert "name" not in json.dumps(answer["people"])
    db.session.rollback()
    (row,) = db.session.query(Assessment).all()
    assert timedelta(minutes=9) < row.received_at - row.seen_at < timedelta(minutes=12)  # by the phone's clock, which is wrong
    for wrong in ({}, [], {"session": "x", "sent": 1, "seen": []}, body | {"seen": [item | {"at": "x"}]},
                  body | {"seen": [item | {"steps": [1]}]}, body | {"seen": [item | {"ref": "1"}]}, body | {"sent": 1e400},
                  body | {"seen": [item | {"learner": 10**30}]}, body | {"seen": [item | {"version": -1}]}):
        assert send("/desk/training/assessing/sync", wrong).status_code in (200, 400)
    db.session.rollback()
    assert db.session.query(Assessment).count() == 1


def test_a_phone_whose_holder_is_signed_out_hears_so(phone, held):
    assert phone().get("/desk/training/assessing/session").status_code == 401


def test_the_page_that_a_phone_keeps_tells_of_nobody(desk, held, there, trainer):
    page = desk(trainer).get("/desk/training/assessing/offline")
    assert page.status_code == 200
    for word in ("王一", str(held.id), trainer.display_name, trainer.username, "csrf"):
        assert word not in page.text, word
    worker = desk(trainer).get("/desk/training/assessing/sw.js")
    assert worker.headers["Service-Worker-Allowed"] == "/desk/training/sessions/"


def test_a_form_about_somebody_who_has_no_seat_tells_nothing_of_him(desk, held, there, people, trainer):
    """The number of a learner is easily guessed; whoever has nothing to do with the session is a stranger to its trainer."""
    hand = desk(trainer)
    form = hand.form(hand.get(url(held, f"assess/{there.id}/cpr/")), "checklist").to_dict() | {"s-call": "yes"}
    for n, state in enumerate((None, WAITING, LEFT), 7):
        learner = people(n, "李不相干")
        if state:
            seat(held, learner, state)
        answer = hand.send(url(held, f"assess/{learner.id}/cpr/"), form)
        page = answer if state else hand.get(url(held, "assess/"))
        assert answer.status_code == (422 if state else 303)
        assert "has no seat" in page.text
        assert ("李不相干" in page.text, f"…{learner.tail}" in page.text) == (bool(state), bool(state))
        assert page.text.count('value="yes" checked') == bool(state)  # what was marked is kept


def test_whoever_is_erased_while_the_form_is_filled_in_is_told_to_the_assessor(desk, held, there, trainer, version):
    hand = desk(trainer)
    path = url(held, f"assess/{there.id}/cpr/")
    form = hand.form(hand.get(path), "checklist").to_dict() | {"s-call": "yes"}
    kept = seen(held, there, version)
    own.erase(there)
    assert hand.send(path, form).status_code == 303
    assert "all personal data deleted" in hand.get(url(held, "assess/")).text
    with force_locale("en"):
        (outcome,) = recording.record(trainer, [kept])  # as from a phone that was without a network
    assert (outcome.outcome, "all personal data deleted" in outcome.message) == ("refused", True)


# -- disputes ------------------------------------------------------------------------------------------------
def test_a_dispute_is_listed_for_both_and_settled_by_a_third(desk, held, there, trainer, second, third, version):
    recording.record(trainer, [seen(held, there, version, minute=1)])
    recording.record(second, [seen(held, there, version, minute=2, steps=BADLY)])
    assert results.skills(there.id, "sample")["cpr"].state == DISPUTED
    for account in (trainer, second):
        page = desk(account).get("/desk/training/disputes/")
        assert "Change my assessment" in page.text
        assert "Settle it" not in page.text
        assert "Assessors differ on 1 skill." in plain(desk(account).get(url(held, "assess/")))
    hand = desk(third)
    page = hand.get("/desk/training/disputes/")
    path = f"/desk/training/disputes/{held.id}/{there.id}/cpr"
    form = hand.form(page, "/cpr").to_dict()
    sheet = lxml.html.fromstring(page.text).xpath("//form//label[contains(., 'trainer')]/input/@value")[0]
    refused = hand.send(path, form | {"sheet": sheet, "reason": ""})
    assert refused.status_code == 422
    assert "Say in a few words why." in refused.text
    assert hand.send(path, form | {"sheet": sheet, "reason": "saw the recording"}).status_code == 303
    assert "Nothing is disputed." in hand.get("/desk/training/disputes/").text
    db.session.rollback()
    assert results.skills(there.id, "sample")["cpr"].state == PASSED
    assert hand.send(path, form | {"sheet": sheet, "reason": "once more"}).status_code == 409


# -- the learner ---------------------------------------------------------------------------------------------
def test_a_learner_sees_each_skill_and_what_is_missing(phone, held, there, trainer, version):
    hand = phone(there)
    assert "not assessed yet" in hand.get("/learn/courses/sample/skills/").text
    recording.record(trainer, [seen(held, there, version, minute=1, steps=BADLY, note="Speak louder")])
    page = plain(hand.get("/learn/courses/sample/skills/"))
    assert "not yet passed" in page
    assert "Not shown, or not seen:Calls 120Speak louder" in page
    recording.record(trainer, [seen(held, there, version, minute=2)])
    page = plain(hand.get("/learn/courses/sample/skills/"))
    assert "not yet passed" not in page
    assert "Not shown" not in page
    assert hand.get("/learn/courses/nothing/skills/").status_code == 404


def test_a_skill_is_for_its_learner_alone(phone, held, there, people, trainer, version):
    recording.record(trainer, [seen(held, there, version, note="secret")])
    assert "secret" not in phone(people(2)).get("/learn/courses/sample/skills/").text
    assert phone().get("/learn/courses/sample/skills/").status_code == 302


def test_a_dispute_tells_the_learner_to_wait_and_whose_fault_it_is_not(phone, held, there, trainer, second, version):
    recording.record(trainer, [seen(held, there, version, minute=1)])
    recording.record(second, [seen(held, there, version, minute=2, steps=BADLY)])
    page = plain(phone(there).get("/learn/courses/sample/skills/"))
    assert "assessors differ" in page
    assert "you need not do anything" in page
    assert "second office" not in page


def test_guesses_are_counted_for_each_learner_and_not_for_the_hall(phone, trainer, people):
    held = make_session(trainer.id, seats=30)
    answers = []
    for n in range(1, 16):
        learner = people(n)
        seat(held, learner)
        hand = phone(learner)
        form = hand.form(hand.get("/learn/here/"), "check-in").to_dict()
        answers.append(hand.send("/learn/here/", form | {"code": rotating.code(held, utcnow())}).status_code)
    assert answers == [303] * 15
    assert learner_pages.GUESSES


def test_the_page_of_the_course_tells_how_the_skills_stand(phone, held, there, trainer, version):
    hand = phone(there)
    hand.post("/learn/courses/sample/start", token_from="/learn/courses/sample/")
    recording.record(trainer, [seen(held, there, version)])
    page = hand.get("/learn/courses/sample/")
    assert "1 of 1 passed" in plain(page)
    assert "/learn/courses/sample/skills/" in page.text


def test_the_page_of_a_session_tells_of_a_dispute(desk, held, there, trainer, second, version):
    recording.record(trainer, [seen(held, there, version, minute=1)])
    recording.record(second, [seen(held, there, version, minute=2, steps=BADLY)])
    assert "Assessors differ on 1 skill." in plain(desk(trainer).get(f"/desk/training/sessions/{held.id}/"))


def test_who_has_a_seat_is_led_to_checking_in(phone, held, people):
    learner = people(1)
    seat(held, learner)
    assert "/learn/here/" in phone(learner).get(f"/learn/sessions/{held.id}/").text
