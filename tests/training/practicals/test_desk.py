"""The desk's pages: a trainer publishes, changes and calls off; who may not sees no names and no buttons that fail."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta

import lxml.html
import pytest
from flask import url_for

from portal.core.clock import local, utcnow
from portal.core.db import db, transaction
from portal.identity.rights import DRAFTER, TRAINER
from portal.training.practical_models import CANCELLED, PracticalSession
from portal.training.practicals import booking
from tests import district

ZONE = "Asia/Shanghai"
HOME = "/desk/training/sessions/"


@pytest.fixture
def school(school_on_sqlite):
    return school_on_sqlite


@pytest.fixture
def at_desk(trainer, seat):
    return seat(trainer)


def row_of(answer):
    district.forget()
    return db.session.get(PracticalSession, uuid.UUID(re.search(r"sessions/([0-9a-f-]{36})/", answer.location)[1]))


def typed(**changes):
    starts = local(utcnow(), ZONE) + timedelta(days=3)
    return {"skills": "cpr", "place": "区应急培训中心  2 楼", "region_code": district.LIULIAN, "point": "", "seats": "2",
            "day": f"{starts:%Y-%m-%d}", "begins": "14:30", "ends": "17:30", "note": "带水"} | changes


def fill(browser, path, **fields):
    values = browser.form(browser.get(path), "session")
    for name, value in typed(**fields).items():
        values.setlist(name, [value] if value is not None else [])
    return browser.send(path, values)


def test_a_session_is_published_changed_and_called_off(at_desk, learners, trainer):
    answer = fill(at_desk, HOME + "new")
    assert answer.status_code == 302, answer.text
    row, (who,) = row_of(answer), learners(name="欧阳一")
    starts = local(row.starts_at, ZONE)
    assert (starts.hour, starts.minute, row.ends_at - row.starts_at) == (14, 30, timedelta(hours=3))
    assert (row.place, row.skills, row.trainer_id, row.seats) == ("区应急培训中心 2 楼", ["cpr"], trainer.id, 2)
    booking.book(who, row.id)
    page = at_desk.get(answer.location).text
    assert "欧阳一" in page
    assert "1 of 2" in page
    with at_desk.client.application.test_request_context():
        for endpoint in ("training_attendance.show", "training_assessing.show"):
            assert url_for(endpoint, session_id=row.id) in page
    changed = fill(at_desk, f"{HOME}{row.id}/edit", place="体育馆", begins="22:00", ends="01:00")
    assert changed.status_code == 302, changed.text
    assert row_of(changed).ends_at - row_of(changed).starts_at == timedelta(hours=3), "a course by night ends the next day"
    form = at_desk.form(at_desk.get(f"{HOME}{row.id}/cancel"), "cancel")
    assert "Say why" in at_desk.send(f"{HOME}{row.id}/cancel", form).text
    with transaction() as session:
        session.get(PracticalSession, row.id).version += 1  # somebody changed it meanwhile
    stale = at_desk.send(f"{HOME}{row.id}/cancel", {**form.to_dict(), "reason": "停电"})
    assert "Somebody else has changed this session" in stale.text
    form = at_desk.form(stale, "cancel")
    form["reason"] = "停电"
    assert at_desk.send(f"{HOME}{row.id}/cancel", form).status_code == 302
    page = at_desk.get(f"{HOME}{row.id}/").text
    assert "1 person is told by SMS" in page
    assert "停电" in page
    assert row_of(changed).state == CANCELLED
    assert at_desk.get(f"{HOME}{row.id}/edit").location == f"{HOME}{row.id}/"


def test_what_is_wrong_comes_back_as_it_was_typed(at_desk):
    answer = fill(at_desk, HOME + "new", day="tomorrow", begins="", seats="many", point="here", note="<b>x")
    assert answer.status_code == 422
    root = lxml.html.fromstring(answer.text)
    assert set(root.xpath("//div[@id='problems']//a/@href")) == {"#day", "#begins", "#seats", "#point"}
    assert {anchor[1:] for anchor in root.xpath("//div[@id='problems']//a/@href")} <= set(root.xpath("//@id"))
    assert root.xpath("//input[@name='day']/@value") == ["tomorrow"]
    assert root.xpath("//textarea[@name='note']")[0].text == "<b>x"
    assert "&lt;b&gt;x" in answer.text
    rules = fill(at_desk, HOME + "new", ends="14:31", region_code="", skills=None)
    assert rules.status_code == 422
    assert set(lxml.html.fromstring(rules.text).xpath("//div[@id='problems']//a/@href")) == {"#ends", "#region_code", "#skills"}


def test_a_skill_that_left_the_course_stays_with_its_session_until_it_is_unticked(at_desk, publish):
    practical = publish()
    with transaction() as session:
        session.get(PracticalSession, practical.id).skills = ["cpr", "gone"]
    page = at_desk.get(f"{HOME}{practical.id}/edit").text
    assert lxml.html.fromstring(page).xpath("//input[@name='skills'][@checked]/@value") == ["cpr", "gone"]
    form = at_desk.form(page, "session")
    form["note"] = "x"
    assert at_desk.send(f"{HOME}{practical.id}/edit", form).status_code == 302
    district.forget()
    assert db.session.get(PracticalSession, practical.id).skills == ["cpr", "gone"]
    assert fill(at_desk, f"{HOME}{practical.id}/edit").status_code == 302
    district.forget()
    assert db.session.get(PracticalSession, practical.id).skills == ["cpr"]


def test_two_trainers_who_change_one_session_do_not_overwrite_each_other(at_desk, publish, trainer, seat):
    path = f"{HOME}{publish().id}/edit"
    late = at_desk.form(at_desk.get(path), "session")
    assert fill(seat(trainer), path, seats="9").status_code == 302
    late["place"] = "另一处"
    answer = at_desk.send(path, late)
    assert answer.status_code == 409
    assert "另一处" in answer.text
    assert "Somebody else has changed this session" in answer.text


def test_names_are_for_trainers_of_the_region(school, publish, learners, trainer, stranger, viewer, seat):
    practical, (who,) = publish(), learners(name="欧阳一")
    booking.book(who, practical.id)
    path = f"{HOME}{practical.id}/"
    street = district.office("street", (TRAINER, district.PINGSHAN, "red"))
    for account, sees in ((trainer, True), (street, True), (stranger, False), (viewer, False)):
        page = seat(account).get(path)
        assert page.status_code == 200
        assert ("欧阳一" in page.text, "/edit" in page.text, "/cancel" in page.text) == (sees, sees, sees)
    for account in (stranger, viewer):
        browser = seat(account)
        assert browser.get(path + "edit").status_code == 403
        assert browser.post(path + "cancel", version="1", reason="x").status_code == 403
    assert seat(viewer).get(HOME + "new").status_code == 403
    drafter = seat(district.office("drafter", (DRAFTER, district.DISTRICT, "red")))
    assert drafter.get(HOME).status_code == 403
    assert 'href="/desk/training/' not in drafter.get("/desk/drafts/").text


def test_lists_tell_coming_from_past_and_lead_on(at_desk, publish, trainer):
    rows = [publish(place=f"Hall {n}", starts_at=utcnow().replace(second=0, microsecond=0) + timedelta(days=2, hours=n))
            for n in range(27)]
    with transaction() as session:
        row = session.get(PracticalSession, rows[0].id)
        row.starts_at, row.ends_at = utcnow() - timedelta(days=2), utcnow() - timedelta(days=1)
    first = at_desk.get(HOME).text
    places = re.findall(r"Hall \d+", first)
    assert places == [f"Hall {n}" for n in range(1, 26)]
    more = lxml.html.fromstring(first).xpath("//a[text()='More']/@href")[0]
    assert re.findall(r"Hall \d+", at_desk.get(more).text) == ["Hall 26"]
    past = at_desk.get(HOME + "?when=past").text
    assert re.findall(r"Hall \d+", past) == ["Hall 0"]
    assert "No session matches" in at_desk.get(f"{HOME}?region={district.KENGZI}").text
    nav = lxml.html.fromstring(first).xpath("//nav[contains(@class, 'office-nav')]//a[@aria-current='page']/text()")
    assert nav == ["Sessions"]
    assert lxml.html.fromstring(first).xpath("//nav[contains(@class, 'desk-nav')]//a[@aria-current]/text()") == ["Training"]


def test_a_street_trainer_publishes_in_the_own_street_only(seat, trainer, stranger):
    browser = seat(stranger)
    page = browser.get(HOME + "new").text
    assert district.LIULIAN not in page
    assert "440310005001" in page
    answer = fill(browser, HOME + "new", region_code=district.LIULIAN)
    assert answer.status_code in (403, 422)
    assert fill(browser, HOME + "new", region_code="440310005001", trainer_id=str(stranger.id)).status_code == 302
