"""The learners' pages: what one may book, near first; a seat, the queue, a way back, and an entry for the calendar."""

from __future__ import annotations

from datetime import timedelta

import lxml.html
import pytest
from sqlalchemy import select

from portal.core.db import db, transaction
from portal.training import courses_store
from portal.training.learners import learning, own
from portal.training.models import Learner
from portal.training.practical_models import BOOKED, PracticalSession
from portal.training.practicals import booking, sessions
from tests import district
from tests.training.learners.conftest import NUMBER, LearnerPhone
from tests.training.practicals.conftest import pass_theory, plan, states

HOME = "/learn/sessions/"


@pytest.fixture
def school(school_on_sqlite):
    return school_on_sqlite


@pytest.fixture
def phone(school):
    school.extensions["sms_courier"] = lambda work: work()
    made = LearnerPhone(school, NUMBER).sign_in()
    learning.enrol(me().id, "sample", courses_store.current("sample")[0])
    return made


def me():
    db.session.rollback()
    return db.session.execute(select(Learner).where(Learner.tail == NUMBER[-4:])).scalar_one()


def named(theory=True):
    with transaction() as session:
        own.set_name(session, me(), "张伟")
    if theory:
        pass_theory(me().id)


def link_to(practical):
    return f"{HOME}{practical.id}/"


def test_before_the_theory_the_page_says_what_is_missing_and_where_it_is_done(phone, publish):
    practical = publish()
    for page in (phone.get(HOME).text, phone.get(link_to(practical)).text):
        assert "theory" in page
        assert 'href="/learn/sample/exam/"' in page
    assert link_to(practical) in phone.get(HOME).text, "one may look"
    assert "Book a seat" not in phone.get(link_to(practical)).text
    answer = phone.post(link_to(practical) + "book", {"name": "张伟"}, page=link_to(practical))
    assert answer.status_code == 409
    assert own.name(me()) is None


def test_the_name_is_asked_for_first_and_then_one_has_a_seat(phone, publish):
    named_yet, practical = pass_theory(me().id), publish()
    assert named_yet is None
    page = phone.get(link_to(practical)).text
    assert 'name="name"' in page
    assert phone.submit(page, name=" ").status_code == 422
    refused = phone.submit(page, name="12345")
    assert refused.status_code == 422
    assert 'value="12345"' in refused.text
    answer = phone.submit(page, name="张 伟")
    assert (answer.status_code, answer.location) == (303, link_to(practical))
    assert states(practical.id) == {me().id: BOOKED}
    assert own.name(me()) == "张 伟"
    page = phone.get(link_to(practical)).text
    assert "You have a seat." in page
    assert "you have a seat" in phone.get(HOME).text
    assert "calendar.ics" in page
    assert 'name="name"' not in page


def test_a_full_session_has_a_queue_and_the_place_in_it_is_shown(phone, publish, learners):
    named()
    practical, (one, two) = publish(seats=1), learners(2)
    for who in (one, two):
        booking.book(who, practical.id)
    page = phone.get(link_to(practical)).text
    assert "Join the waiting list" in page
    phone.submit(page)
    assert "You wait for a seat: place 2." in phone.get(link_to(practical)).text
    assert "place 2" in phone.get(HOME).text
    assert phone.get(link_to(practical) + "calendar.ics").status_code == 404
    booking.leave(two, practical.id)
    booking.leave(one, practical.id)
    page = phone.get(link_to(practical)).text
    assert "You have a seat." in page
    phone.submit(page)
    assert "You have given it back" in phone.get(link_to(practical)).text
    assert states(practical.id)[me().id] == "left"


def test_what_clashes_is_named_and_led_to(phone, publish):
    named()
    first = publish(place="Hall A")
    booking.book(me(), first.id)
    second = publish(place="Hall B", starts_at=first.starts_at + timedelta(hours=1))
    page = phone.get(link_to(second)).text
    assert "another session at that time" in page
    assert link_to(first) in page
    assert "Book a seat" not in page


def test_near_ones_come_first(phone, publish, stranger):
    named()
    with transaction() as session:
        session.get(Learner, me().id).region_code = "440310005001"
    here = publish(place="Hall here")
    far = sessions.publish(stranger, plan(stranger, region_code="440310005001", place="Hall near",
                                          starts_at=here.starts_at + timedelta(days=9)))
    page = phone.get(HOME).text
    assert page.index("Hall near") < page.index("Hall here")
    assert link_to(far) in phone.get("/learn/sessions/of/sample/").text
    assert phone.get("/learn/sessions/of/none/").status_code == 404


def test_the_calendar_file_is_the_own_booking(phone, publish, learners):
    named()
    practical = publish(note="带水; 穿运动鞋")
    booking.book(me(), practical.id)
    got = phone.get(link_to(practical) + "calendar.ics")
    assert got.content_type == "text/calendar; charset=utf-8"
    assert f"DTSTART:{practical.starts_at:%Y%m%dT%H%M%SZ}\r\n" in got.text
    assert "SUMMARY:Practical session: A sample course\r\n" in got.text
    assert f"URL:http://localhost/learn/sessions/{practical.id}/" in got.text.replace("\r\n ", "")
    assert "no-store" in got.headers["Cache-Control"]


def test_what_was_called_off_says_why_and_who_else_booked_is_nobodys_business(phone, publish, learners, trainer):
    named()
    practical, (other,) = publish(), learners(name="欧阳一")
    for who in (me(), other):
        booking.book(who, practical.id)
    assert "欧阳一" not in phone.get(link_to(practical)).text
    sessions.cancel(trainer, practical.id, 1, "停电")
    for path in (HOME, link_to(practical)):
        assert "停电" in phone.get(path).text
    assert "Give the seat back" not in phone.get(link_to(practical)).text
    assert lxml.html.fromstring(phone.get(HOME).text).xpath("//h2[@id='mine']")


def test_a_session_that_began_meanwhile_is_said_plainly(phone, publish):
    named()
    practical = publish()
    page = phone.get(link_to(practical)).text
    with transaction() as session:
        row = session.get(PracticalSession, practical.id)
        row.starts_at -= timedelta(days=3, hours=1)
    answer = phone.submit(page)
    assert answer.status_code == 409
    assert "has begun" in answer.text
    assert district.LIULIAN not in answer.text
