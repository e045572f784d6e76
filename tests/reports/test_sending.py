"""What residents are promised: a report is taken once, in words that tell what is wrong, followed by a code, and private."""

from __future__ import annotations

import io
import subprocess
import threading
import uuid
from contextvars import Context
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, update

from portal import create_app
from portal.channels.sms import codes as texts
from portal.config import Settings
from portal.core.audit import AuditEntry
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.core.errors import Invalid
from portal.identity.limits import limiter
from portal.reports import codes, mine, pages, photo, photo_child, seals, sweep, taking, uploads
from portal.reports.models import DangerReport, ReportEvent, ReportPhoto
from tests import district
from tests.reports.conftest import PHONE, POINT, Resident, fresh, jpeg, last_code, text_of, typed
from tests.waiting import until


def count() -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(DangerReport)) or 0


def newest() -> DangerReport:
    db.session.rollback()
    found = db.session.scalar(select(DangerReport).order_by(DangerReport.number.desc()).limit(1))
    assert found is not None
    return found


def test_a_report_without_a_script_is_taken_and_followed_by_its_code(portal: Flask, resident: Resident) -> None:
    sent = resident.send(words="Water to the knee\nunder the bridge", phone="12900000021", place="Bridge on the ring road",
                         photos=[jpeg(), jpeg(90, 60)])
    assert sent.status_code == 302
    page = text_of(resident.get("/report/mine/"))
    report = newest()
    assert not report.doubtful
    assert (report.region_code, report.photos, report.state) == (district.LIULIAN, 2, "new")
    assert seals.words_of(report) == "Water to the knee\nunder the bridge"
    assert "It has arrived, and waits for a decision." in page
    code = codes.shown(mine.read_codes(resident.client.get_cookie("anlan_reports", path="/report/").value)[0])
    assert code in page
    other = Resident(portal)
    entered = other.post("/report/follow", other.fields(other.get("/report/follow"), "/follow") | {
        "code": " " + code.lower().replace("0", "o") + " "})
    assert entered.status_code == 302
    assert "Water to the knee" in text_of(other.get("/report/mine/"))
    photo = other.get(f"/report/mine/{report.number}/photo/1")
    assert (photo.mimetype, photo.data[:3]) == ("image/jpeg", b"\xff\xd8\xff")
    assert "sandbox" in photo.headers["Content-Security-Policy"]


def test_nothing_of_a_report_is_readable_at_rest_or_in_the_trail(portal: Flask) -> None:
    secret = "王先生家楼下的墙裂开了 12900000021"
    report = taking.take(typed(words=secret, place="和平路七号", phone=PHONE), [jpeg()]).report
    rows = db.session.execute(select(DangerReport.__table__).where(DangerReport.__table__.c.id == report.id)).all()
    rows += db.session.execute(select(ReportPhoto.__table__).where(ReportPhoto.__table__.c.report_id == report.id)).all()
    kept = repr(rows).encode()
    for plain in ("王先生", "和平路", "2900000021", "JFIF"):
        assert plain not in repr(rows)
        assert plain.encode() not in b"".join(v for row in rows for v in row if isinstance(v, bytes))
    assert codes.of_ref(uuid.uuid4()).encode() not in kept
    trail = db.session.scalars(select(AuditEntry).where(AuditEntry.subject == f"report:{report.number}")).all()
    assert [entry.action for entry in trail] == ["report.receive"]
    assert trail[0].details == {"danger": "water", "region": district.LIULIAN, "photos": 1, "doubtful": False}


def test_a_report_that_is_sent_twice_is_one_and_has_one_code(portal: Flask) -> None:
    first = typed()
    once, before = taking.take(first), count()
    again = taking.take(first, [jpeg()])
    assert (again.report.id, again.code, again.again, count()) == (once.report.id, once.code, True, before)


def test_another_report_typed_into_the_form_of_the_first_is_another(portal: Flask) -> None:
    first = typed()
    once = taking.take(first)
    other = taking.Typed(**(first.__dict__ | {"words": "现在电线也掉下来了"}))
    second = taking.take(other)
    assert second.report.id != once.report.id
    assert second.code != once.code
    assert taking.take(other).report.id == second.report.id


def test_what_is_wrong_is_said_at_its_field_and_what_was_typed_stays(portal: Flask, resident: Resident) -> None:
    before = count()
    page = resident.send(kind="", words="我", community="", place="", point="", phone="12")
    assert page.status_code == 422
    said = text_of(page)
    for words in ("Choose what it is", "Write in a few words", "Say where it is", "cannot be a phone number"):
        assert words in said
    page = resident.send(words="Some long words of mine", community="no such place", place="Ring road 7",
                         photos=[b"PK\x03\x04" * 99])
    assert page.status_code == 422
    assert "This file is no photo" in text_of(page)
    assert "Some long words of mine" in page.text
    assert 'value="Ring road 7"' in page.text
    assert count() == before


def test_a_name_of_several_places_is_asked_about(portal: Flask, resident: Resident) -> None:
    page = resident.send(community="liu", words="Water in the underpass", place="", point="")
    assert page.status_code == 422
    assert "choose one" in text_of(page)
    assert page.text.count('type="radio" name="community"') == 3  # two of that name, and neither
    assert "Water in the underpass" in page.text
    assert resident.send(page, community=district.LIULIAN, words="Water in the underpass").status_code == 302
    assert newest().region_code == district.LIULIAN


@pytest.mark.parametrize(("written", "expected"), [
    ("六联社区", district.LIULIAN), ("liulian", district.LIULIAN), (district.LIULIAN, district.LIULIAN),
    ("坪山街道 六联社区", district.LIULIAN), ("Liulian Community, Pingshan Subdistrict", district.LIULIAN)])
def test_a_community_is_understood_as_people_write_it(portal: Flask, written: str, expected: str) -> None:
    assert taking.take(typed(community=written)).report.region_code == expected


def test_a_point_decides_the_community_and_one_outside_the_district_is_refused(portal: Flask) -> None:
    report = taking.take(typed(community="", place="", point=POINT)).report
    assert report.region_code.startswith("440310")
    assert report.region_code != district.DISTRICT
    for point in ("113.0,23.0", "nan,22.6", "1e400,2", "114.3", "a,b"):
        with pytest.raises(Invalid) as refused:
            taking.take(typed(community="", place="", point=point))
        assert [p.field for p in refused.value.problems] == ["point"]
    elsewhere = taking.take(typed(community="", place="某某工业园北门")).report  # nobody knows in which community that is
    assert elsewhere.region_code == district.DISTRICT


def test_a_form_that_is_too_large_keeps_the_words(portal: Flask, resident: Resident) -> None:
    big = jpeg() + bytes(uploads.LARGEST)
    page = resident.send(words="Words that must not be lost", place="Ring road", photos=[big])
    assert page.status_code == 413
    assert "The photos are too large" in text_of(page)
    assert "Words that must not be lost" in page.text
    assert 'value="Ring road"' in page.text


def test_a_form_that_has_grown_old_keeps_the_words(portal: Flask, resident: Resident) -> None:
    before = count()
    page = resident.send(words="Words of an hour ago", csrf_token="forged", photos=[jpeg()])
    assert (page.status_code, count()) == (400, before)
    assert "Words of an hour ago" in page.text
    assert resident.send(page).status_code == 302


def test_what_a_machine_fills_in_is_kept_apart_and_not_lost(portal: Flask, resident: Resident) -> None:
    assert resident.send(website="http://buy.example").status_code == 302  # it learns nothing
    assert newest().doubtful
    resident.send(seconds="1")
    assert newest().doubtful
    resident.send(words="see http://a.example and http://b.example")
    assert newest().doubtful


def test_a_flood_is_bounded_per_address_per_phone_and_for_the_whole_site(
        portal: Flask, resident: Resident, monkeypatch: pytest.MonkeyPatch) -> None:
    for _n in range(taking.PHONE_MOST[0][0]):
        taking.take(typed(phone="12900000099"))
    with pytest.raises(taking.Full) as refused:
        taking.take(typed(phone="12900000099"))
    assert refused.value.problems[0].field == "phone"
    taking.take(typed())  # without the number it is taken

    monkeypatch.setitem(portal.extensions, "anlan", portal.extensions["anlan"].model_copy(update={"reports_per_hour": 3}))
    page = resident.send(words="One more in a flood of reports")
    assert page.status_code == 429
    assert "call 119 or 110 now" in text_of(page)
    assert "One more in a flood of reports" in page.text
    monkeypatch.undo()

    limiter.reset()
    assert pages.SEND_LIMIT.startswith("30 per 10 minutes")  # a whole school behind one address
    monkeypatch.setattr(pages, "SEND_LIMIT", "3 per 10 minutes")
    assert [resident.send(kind="").status_code for _n in range(4)] == [422, 422, 422, 429]


def test_photos_that_take_long_leave_the_server_threads_to_answer_with(portal: Flask, resident: Resident,
                                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    assert portal.extensions["anlan"].web_threads / 2 >= photo.AT_ONCE + photo.MOST_WAITING
    begun, go_on, told = threading.Semaphore(0), threading.Event(), list[int]()

    def slowly(_body: bytes) -> subprocess.CompletedProcess[bytes]:
        begun.release()
        go_on.wait(300)
        return subprocess.CompletedProcess([], photo_child.FAULT, b'{"fault": "damaged", "number": 0}')

    monkeypatch.setattr(photo, "_child", slowly)
    monkeypatch.setattr(photo, "PATIENCE", 300.0)
    page = resident.get("/report/")
    crowd = [threading.Thread(target=lambda: told.append(Resident(portal).send(photos=[jpeg()]).status_code))
             for _n in range(photo.AT_ONCE + photo.MOST_WAITING)]
    for one in crowd:
        one.start()
    try:
        for _n in range(photo.AT_ONCE):
            assert begun.acquire(timeout=60)
        until(lambda: not photo._inside._value, "all places are taken")
        answer = resident.send(page, photos=[jpeg()], words="One photo too many")
    finally:
        go_on.set()
    for one in crowd:
        one.join(60)
    assert answer.status_code == 429  # a script keeps it, and sends it again
    assert "Try again in a minute" in text_of(answer)
    assert "One photo too many" in answer.text
    assert told == [422] * len(crowd)


def test_when_no_more_photos_can_be_kept_the_words_are_taken_alone(portal: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(portal.extensions, "anlan", portal.extensions["anlan"].model_copy(update={"report_photos": 0}))
    taken = taking.take(typed(), [jpeg()])
    assert (taken.without, taken.report.photos) == (1, 0)


def test_a_phone_without_a_network_sends_later_and_says_when_it_was_seen(portal: Flask, resident: Resident) -> None:
    token = resident.get("/report/token").json
    seen = (utcnow() - timedelta(hours=5)).replace(microsecond=0)
    sent = {"csrf_token": token["token"], "ref": str(uuid.uuid4()), "kind": "tree", "words": "大树倒在路上", "point": POINT,
            "seconds": "80", "observed_at": seen.isoformat()}
    answers = [resident.post("/report/", sent | {"photos": (io.BytesIO(jpeg()), "photo.jpg")}, content_type="multipart/form-data",
                             headers={"Accept": "application/json"}) for _again in range(2)]
    assert [a.status_code for a in answers] == [200, 200]
    assert answers[0].json == answers[1].json
    assert newest().observed_at == seen
    refused = resident.post("/report/", sent | {"ref": str(uuid.uuid4()), "kind": ""}, headers={"Accept": "application/json"})
    assert refused.status_code == 422
    assert refused.json["refused"][0]["field"] == "kind"


def test_a_code_that_is_guessed_opens_nothing_and_is_limited(portal: Flask, resident: Resident) -> None:
    page = resident.get("/report/follow")
    answers = [resident.post("/report/follow", resident.fields(page, "/follow") | {"code": f"0000-0000-{n:04d}"}).status_code
               for n in range(41)]
    assert set(answers) == {422, 429}
    assert resident.get("/report/mine/").status_code == 302
    assert resident.get("/report/mine/1/photo/0").status_code == 404
    assert resident.client.get_cookie("anlan_reports", path="/report/") is None


def test_a_telephone_is_proved_by_a_code_and_raises_trust(portal: Flask, resident: Resident) -> None:
    resident.send(seconds="1")
    report = newest()
    assert report.doubtful
    page = resident.act(f"/report/mine/{report.number}/code", phone="12900000021")
    assert "on its way to your phone" in text_of(page)
    sent = resident.fields(page, "/prove")
    wrong = resident.post(f"/report/mine/{report.number}/prove", sent | {"code": "000000"})
    assert wrong.status_code == 422
    assert fresh(report).phone_proved_at is None
    assert resident.post(f"/report/mine/{report.number}/prove", sent | {"code": last_code()}).status_code == 302
    proved = fresh(report)
    assert proved.phone_proved_at is not None
    assert not proved.doubtful
    assert "+86129****0021" in resident.get("/report/mine/").text
    assert PHONE not in resident.get("/report/mine/").text


def test_a_reporter_adds_something_takes_the_number_away_and_withdraws(portal: Flask, resident: Resident) -> None:
    resident.send(phone="12900000022", photos=[jpeg()])
    report = newest()
    at = f"/report/mine/{report.number}/"
    assert resident.act(at + "say", say="Now it is a metre deep").status_code == 302
    assert "Now it is a metre deep" in text_of(resident.get("/report/mine/"))
    assert resident.act(at + "forget_phone").status_code == 302
    assert fresh(report).phone_sealed is None
    assert resident.act(at + "withdraw").status_code == 302
    gone = fresh(report)
    assert (gone.words_sealed, gone.place_sealed, gone.longitude, gone.photos, gone.state) == (None, None, None, 0, "declined")
    assert db.session.scalar(select(func.count()).where(ReportPhoto.report_id == gone.id)) == 0
    assert db.session.scalars(select(ReportEvent.words_sealed).where(ReportEvent.report_id == gone.id)).all().count(None) == 3
    assert "metre deep" not in resident.get("/report/mine/").text
    assert resident.post(at + "code", resident.fields(resident.get("/report/mine/"), "/forget") | {
        "phone": "12900000022"}).status_code == 422
    texts.send_code("+8612900000022", mine.PURPOSE, "en")
    with pytest.raises(Invalid):  # nothing would erase the telephone a second time
        mine.prove(gone, "12900000022", last_code("+8612900000022"))
    assert fresh(gone).phone_sealed is None
    assert resident.act(at + "forget").status_code == 302
    assert resident.get("/report/mine/").headers["Location"] == "/report/follow"


def test_old_reports_lose_their_words_and_spam_goes_as_a_whole(portal: Flask) -> None:
    closed, spam, waiting = (taking.take(typed(phone=f"1290000003{n}"), [jpeg()]).report for n in range(3))
    with transaction() as session:
        for report, state, days in ((closed, "resolved", 181), (spam, "spam", 31), (waiting, "new", 400)):
            session.execute(update(DangerReport).where(DangerReport.id == report.id).values(
                state=state, state_at=utcnow() - timedelta(days=days)))
    number = spam.number
    Context().run(sweep.sweep, portal)
    kept = fresh(closed)
    assert (kept.words_sealed, kept.phone_sealed, kept.phone_index, kept.photos) == (None, None, None, 0)
    assert kept.erased_at is not None
    assert db.session.scalar(select(DangerReport).where(DangerReport.number == number)) is None
    assert fresh(waiting).words_sealed is not None
    assert Context().run(sweep.sweep, portal) == 0
    last = taking.take(typed(), [jpeg()]).report
    with transaction() as session:
        session.execute(update(DangerReport).where(DangerReport.id == last.id).values(
            state="spam", state_at=utcnow() - timedelta(days=31)))
    assert [Context().run(sweep.sweep, portal) for _again in range(2)] == [1, 0]
    assert (fresh(last).words_sealed, fresh(last).photos) == (None, 0)
    key = last.id
    assert taking.take(typed()).report.number == last.number + 1  # the trail calls no two reports alike
    assert Context().run(sweep.sweep, portal) == 1
    db.session.rollback()
    assert db.session.scalar(select(DangerReport.id).where(DangerReport.id == key)) is None


def test_without_a_database_there_is_a_form_and_the_words_stay(tmp_path: Path) -> None:
    app = create_app(Settings(instance=tmp_path, database_url=f"sqlite:///{tmp_path}/missing/anlan.db", secret_key="test " * 10))
    resident = Resident(app)
    page = resident.get("/report/")
    assert page.status_code == 200
    answer = resident.send(page, words="The bridge is gone", community="", place="Ring road 7")
    assert answer.status_code == 503
    assert "call 119 or 110 now" in text_of(answer)
    assert "The bridge is gone" in answer.text
    assert 'value="Ring road 7"' in answer.text


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.dictionaries(
    st.sampled_from(["kind", "words", "point", "community", "place", "phone", "ref", "opened", "seconds", "observed_at",
                     "website"]),
    st.text(max_size=40), max_size=6))
def test_whatever_is_typed_is_answered_in_words(portal: Flask, resident: Resident, values: dict[str, str]) -> None:
    limiter.reset()
    assert resident.send(**values).status_code in (302, 400, 422)


def test_the_page_is_in_both_languages_and_bounded_in_what_it_lists(portal: Flask) -> None:
    page = Resident(portal, "zh").get("/report/")
    assert "上报隐患" in page.text
    assert "积水" in page.text
    assert "Report a danger" in Resident(portal, "zh").get("/report/?lang=en").text
    assert len(page.data) < 40_000
