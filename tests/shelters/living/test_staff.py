"""The staff's pages as a phone without scripts sees them."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from portal.channels.sms import codes
from portal.channels.sms.models import OneTimeCode
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.shelters.living import door, keepers, opening, reports
from portal.shelters.models import KeeperSession, Shelter, StatusReport
from tests.shelters.living.conftest import OTHER, PHONE, Phone
from tests.shelters.living.one_database import database_url  # noqa: F401
from tests.shelters.places import make_shelter


def shown(shelter):
    db.session.rollback()
    return db.session.get(Shelter, shelter.id, populate_existing=True)


def url(shelter, end=""):
    return f"/staff/{shelter.id}/{end}"


def test_a_code_lets_a_keeper_in_and_a_stranger_gets_the_same_answer(district_, keeper):
    known, stranger = Phone(district_, PHONE), Phone(district_, OTHER)
    answers = [one.send("/staff/sign-in", {"phone": one.number}).text.replace(one.number, "") for one in (known, stranger)]
    one, other = (re.sub(r'name="csrf_token" value="[^"]*"', "", answer) for answer in answers)
    assert one == other
    wrongs = [one.send("/staff/code", {"phone": one.number, "code": "000000"}) for one in (known, stranger)]
    assert {w.status_code for w in wrongs} == {422}
    assert wrongs[0].text.count("This code does not open") == wrongs[1].text.count("This code does not open") == 1
    got = known.send("/staff/code", {"phone": PHONE, "code": known.code()})
    assert got.status_code == 302
    cookie = next(v for k, v in got.headers if k == "Set-Cookie" and v.startswith("anlan_staff="))
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/staff/" in cookie
    assert known.get("/staff/").status_code == 302
    secret = cookie.split("=", 1)[1].split(";")[0]
    assert secret not in db.session.execute(select(KeeperSession.token_hash)).scalars().all()


def test_whoever_asks_again_too_soon_can_still_type_the_code_that_is_on_its_way(district_, keeper):
    one, other = Phone(district_, PHONE), Phone(district_, PHONE)
    one.send("/staff/sign-in", {"phone": PHONE})
    got = other.send("/staff/sign-in", {"phone": PHONE})
    assert got.status_code == 422
    assert "less than a minute ago" in got.text
    assert "on its way" not in got.text
    assert other.send("/staff/code", {"phone": PHONE, "code": one.code()}).status_code == 302


@pytest.mark.parametrize(("scheme", "secure"), [("https", True), ("http", False)])
def test_over_https_the_cookie_is_for_https_only(district_, scheme, secure):
    with district_.test_request_context("/staff/", base_url=f"{scheme}://localhost"):
        answer = door.PASS.hand_over(district_.response_class(), "secret")
    assert ("Secure" in answer.headers["Set-Cookie"]) is secure


def test_no_page_and_no_report_without_a_code(district_, shelter):
    one = Phone(district_, OTHER)
    assert one.get(url(shelter)).location.endswith("/staff/sign-in")
    assert one.send(url(shelter, "report"), {"status": "open"}).location.endswith("/staff/sign-in")
    assert one.send(url(shelter, "report"), {"status": "open"}, json=True).status_code == 401
    assert one.get(url(shelter, "now")).status_code == 401
    assert shown(shelter).status is None


def test_a_form_without_its_token_does_nothing(phone, shelter):
    got = phone.client.post(url(shelter, "report"), data={"status": "open", "ref": str(uuid.uuid4())})
    assert got.status_code == 400
    assert shown(shelter).status is None


def test_one_tap_reports_a_status_and_pressing_twice_counts_once(phone, shelter):
    fields = phone.fields(url(shelter), "status") | {"status": "open"}
    for _ in range(2):
        assert phone.send(url(shelter, "report"), fields, page=url(shelter)).status_code == 302
    assert (shown(shelter).status, shown(shelter).status_source) == ("open", "keeper")
    assert db.session.execute(select(func.count()).select_from(StatusReport)).scalar_one() == 1
    page = phone.get(url(shelter)).text
    assert "Front door" in page
    assert PHONE[-8:] not in page


def test_what_comes_next_stands_first(phone, shelter):
    order = [phone.get(url(shelter)).text.index(f'value="{key}"') for key in ("opening", "open", "standby", "closed")]
    assert order == sorted(order)
    with transaction() as session:
        reports.report(session, shelter.id, ref=str(uuid.uuid4()), status="closing", observed_at=utcnow(), source="desk",
                       reporter="district")
    order = [phone.get(url(shelter)).text.index(f'value="{key}"') for key in ("closed", "open", "standby", "unsafe")]
    assert order[0] == min(order)


@pytest.mark.parametrize(("typed", "step", "people"), [("12", "0", 12), ("12", "-10", 2), ("3", "-10", 0), ("", "10", 10),
                                                      ("１２", "+1", 13), ("1,2", "0", 12)])
def test_buttons_count_without_a_script(phone, shelter, typed, step, people):
    fields = phone.fields(url(shelter), "count") | {"occupancy": typed, "step": step}
    assert phone.send(url(shelter, "report"), fields, page=url(shelter)).status_code == 302
    assert shown(shelter).occupancy == people


def test_more_people_than_places_are_asked_for_and_then_taken(phone, shelter):
    fields = phone.fields(url(shelter), "count") | {"occupancy": "260", "step": "0"}
    got = phone.send(url(shelter, "report"), fields, page=url(shelter))
    assert got.status_code == 422
    assert "260 people are more than the 240 places" in got.text
    assert shown(shelter).occupancy is None
    again = phone.send(url(shelter, "report"), fields | {"over": "1"}, page=url(shelter))
    assert again.status_code == 302
    assert shown(shelter).occupancy == 260
    assert "More people than places" in phone.get(url(shelter)).text


def test_what_was_typed_is_kept_when_it_is_refused(phone, shelter):
    got = phone.send(url(shelter, "report"), phone.fields(url(shelter), "note") | {"note": "<b>" + "x" * 300}, page=url(shelter))
    assert got.status_code == 422
    assert "at most 300 characters" in got.text
    assert "&lt;b&gt;xxx" in got.text


def test_the_last_report_is_undone_by_a_report_that_restores(phone, shelter):
    def report(**fields):
        base = phone.fields(url(shelter), "status")
        assert phone.send(url(shelter, "report"), base | fields, page=url(shelter)).status_code == 302
    report(status="open")
    assert "Undo my last report" not in phone.get(url(shelter)).text
    report(status="full")
    shown(shelter)
    of = reports.history(shelter.id)[0].id
    pressed = {"of": of, "ref": str(uuid.uuid4())}
    for _twice in range(2):
        assert phone.send(url(shelter, "undo"), pressed, page=url(shelter)).status_code == 302
    assert shown(shelter).status == "open"
    assert len(reports.history(shelter.id)) == 3
    assert "can no longer be undone" in phone.send(url(shelter, "undo"), {"of": of, "ref": str(uuid.uuid4())},
                                                   page=url(shelter)).text


def test_closed_by_mistake_is_undone_with_the_head_count(phone, shelter):
    for fields in ({"status": "open", "occupancy": "40"}, {"status": "closed"}):
        base = phone.fields(url(shelter), "status")
        assert phone.send(url(shelter, "report"), base | fields, page=url(shelter)).status_code == 302
    assert (shown(shelter).status, shown(shelter).occupancy) == ("closed", None)
    of = reports.history(shelter.id)[0].id
    phone.send(url(shelter, "undo"), {"of": of, "ref": str(uuid.uuid4())}, page=url(shelter))
    assert (shown(shelter).status, shown(shelter).occupancy) == ("open", 40)


def test_a_late_phone_is_heard_with_its_own_time_and_told_what_became_of_it(phone, shelter, office):
    seen = phone.fields(url(shelter), "status")["seen_id"]
    with transaction() as session:
        reports.report(session, shelter.id, ref=str(uuid.uuid4()), status="unsafe", observed_at=utcnow(), source="desk",
                       reporter="district")
    at = (utcnow() - timedelta(minutes=30)).isoformat()
    late = {"ref": str(uuid.uuid4()), "status": "open", "observed_at": at, "seen_id": seen}
    first = phone.send(url(shelter, "report"), late, page=url(shelter), json=True)
    again = phone.send(url(shelter, "report"), late, page=url(shelter), json=True)
    assert first.json == again.json
    assert (first.json["applied"], first.json["conflict"]) == (False, True)
    assert shown(shelter).status == "unsafe"
    assert "Reports contradict each other" in phone.get(url(shelter)).text


@pytest.mark.parametrize(("fields", "words"), [
    ({"observed_at": "yesterday"}, "cannot be read"), ({"observed_at": "2026-01-01T00:00:00"}, "cannot be read"),
    ({"observed_at": "2020-01-01T00:00:00Z"}, "48 hours"), ({"observed_at": "2199-01-01T00:00:00Z"}, "clock of the phone"),
    ({"status": "", "occupancy": "many"}, "in digits"), ({"ref": ""}, "no number of its own"), ({"exercise": "1"}, "no drill"),
    ({"observed_at": "0001-01-01T00:00:00+14:00"}, "48 hours"),
    ({"observed_at": "9999-12-31T23:59:59-12:00"}, "clock of the phone"),
    ({"observed_at": "9999-12-31T23:59:59Z", "valid": "48"}, "clock of the phone"),
])
def test_what_cannot_be_taken_is_refused_in_words_to_page_and_script(phone, shelter, fields, words):
    base = {"ref": str(uuid.uuid4()), "status": "open"} | fields
    got = phone.send(url(shelter, "report"), base, page=url(shelter), json=True)
    assert got.status_code == 422
    assert words in " ".join(got.json["refused"])
    assert words in phone.send(url(shelter, "report"), base, page=url(shelter)).text
    assert shown(shelter).status is None


def test_a_removed_keeper_is_out_at_once(phone, keeper, shelter, office):
    keepers.remove(office, shelter.id, keeper.id)
    assert phone.get(url(shelter)).location.endswith("/staff/sign-in")
    assert phone.send(url(shelter, "report"), {"status": "open", "ref": str(uuid.uuid4())}, json=True).status_code == 401
    assert shown(shelter).status is None
    assert db.session.execute(select(KeeperSession)).first() is None


def test_a_keeper_of_two_shelters_chooses_and_reaches_no_third(phone, shelter, office):
    with transaction() as session:
        second, third = make_shelter(session, name_en="School"), make_shelter(session, name_en="Park")
    kept = keepers.add(office, second.id, phone=PHONE, post="Gate", language="en")
    page = phone.get("/staff/").text
    assert "Sports hall" in page
    assert "School" in page
    assert "Park" not in page
    assert phone.get(url(third)).status_code == 404
    assert phone.send(url(third, "report"), {"status": "open", "ref": str(uuid.uuid4())}, page=url(shelter),
                      json=True).status_code == 403
    keepers.remove(office, second.id, kept.id)
    assert phone.get(url(second)).status_code == 404
    assert phone.get(url(shelter)).status_code == 200


def test_signing_out_and_time_end_a_session(phone, shelter):
    other = Phone(phone.client.application, PHONE)
    with transaction() as session:
        session.execute(update(KeeperSession).values(expires_at=utcnow() - timedelta(seconds=1)))
    assert phone.get(url(shelter)).status_code == 302
    assert other.get(url(shelter)).status_code == 302


def test_signing_out_ends_the_session_on_the_server(phone, shelter):
    cookie = phone.client.get_cookie("anlan_staff", path="/staff/").value
    assert phone.send("/staff/sign-out", page=url(shelter)).status_code == 302
    phone.client.set_cookie("anlan_staff", cookie, path="/staff/")
    assert phone.get(url(shelter)).status_code == 302


def test_in_a_drill_reports_are_marked_and_the_public_state_stays(phone, shelter, office, bulletin):
    drill = bulletin(exercise=True)
    before = phone.fields(url(shelter), "status")
    opening.open_shelters(office, drill, [shelter.id])
    page = phone.get(url(shelter)).text
    assert "This is a drill" in page
    late = before | {"status": "open", "ref": str(uuid.uuid4())}
    assert "A drill has begun here" in phone.send(url(shelter, "report"), late, page=url(shelter)).text
    fields = phone.fields(url(shelter), "status") | {"status": "open"}
    assert fields["exercise"] == "1"
    assert phone.send(url(shelter, "report"), fields, page=url(shelter)).status_code == 302
    assert shown(shelter).status is None
    assert reports.history(shelter.id)[0].exercise


def test_a_drills_report_that_comes_after_the_drill_stays_a_drills(phone, shelter, office, bulletin):
    drill = bulletin(exercise=True)
    made = opening.open_shelters(office, drill, [shelter.id])
    fields = phone.fields(url(shelter), "status") | {"status": "open", "observed_at": utcnow().isoformat()}
    opening.close_for(office, drill.warning_id, seen=made.id)
    got = phone.send(url(shelter, "report"), fields, page=url(shelter), json=True)
    assert (got.status_code, got.json["exercise"]) == (200, True)
    assert shown(shelter).status is None


def test_an_address_that_asks_for_too_many_codes_is_stopped_whatever_the_numbers(district_, keeper, monkeypatch):
    monkeypatch.setattr(codes, "MOST_UNUSED", ((20, timedelta(minutes=10)),))
    one = Phone(district_, PHONE)
    answers = [one.send("/staff/sign-in", {"phone": f"+86129{n:08d}"}) for n in range(21)]
    assert [answer.status_code for answer in answers] == [200] * 20 + [422]
    assert "Many codes were asked for from your network" in answers[-1].text


def test_the_page_says_when_messages_do_not_go_out_and_an_earlier_code_still_opens(district_, keeper):
    class Down:
        def send(self, *_args, **_more):
            raise TimeoutError

    one, stranger = Phone(district_, PHONE), Phone(district_, OTHER)
    one.send("/staff/sign-in", {"phone": PHONE})
    code = one.code()
    with transaction() as session:
        session.execute(update(OneTimeCode).values(sent_at=utcnow() - timedelta(minutes=2)))
    district_.extensions["sms_aside"] = Down()
    assert "Text messages do not go out" in one.send("/staff/sign-in", {"phone": PHONE}).text
    assert "Text messages do not go out" in stranger.send("/staff/sign-in", {"phone": OTHER}).text
    assert one.send("/staff/code", {"phone": PHONE, "code": code}).status_code == 302


def test_the_worker_reaches_the_staffs_folder_and_is_asked_for_anew(district_):
    got = Phone(district_, PHONE).get("/staff/sw.js")
    assert got.content_type.startswith("text/javascript")
    assert got.headers["Cache-Control"] == "no-cache"
