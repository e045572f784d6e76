"""At the desk lists come in and go back, one phone is looked up, and numbers go out only with a purpose and a password: all of it
in the trail, no number in an address, and nothing beyond the own region."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import quote_from_bytes

import lxml.html
import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from portal.core import audit
from portal.core.db import db
from portal.identity import passwords
from portal.identity.models import Account
from portal.identity.rights import DRAFTER, SUBSCRIBERS, VIEWER
from portal.run import LARGEST_BODY
from portal.subscribers import store, wishes
from portal.subscribers.models import ConsentEvent, Subscriber
from portal.subscribers.office import import_pages
from portal.subscribers.roster import batches
from tests import district
from tests.shelters.one_database import database_url  # noqa: F401  (nothing here is a matter of the database)
from tests.subscribers.office.conftest import ended, whole

TOP = "/desk/subscribers/"
LIULIAN, KENGZI = district.LIULIAN, "440310005001"
PHONE = "+8612900000001"


def words(answer: TestResponse) -> str:
    return " ".join(lxml.html.fromstring(answer.text).xpath("//main")[0].text_content().split())


def trail() -> list[tuple[str, str, dict]]:
    db.session.rollback()
    return [tuple(row) for row in db.session.execute(select(
        audit.AuditEntry.action, audit.AuditEntry.subject, audit.AuditEntry.details).where(
        audit.AuditEntry.action.like("subscriber%")).order_by(audit.AuditEntry.seq)).all()]


def person(number: str = PHONE) -> Subscriber:
    db.session.rollback()
    index = passwords.current_app.extensions["phones"].index(number)
    return db.session.execute(select(Subscriber).where(Subscriber.phone_index == index)).scalar_one()


def test_a_list_is_read_shown_taken_in_and_taken_back(
        settled: Flask, keeper: Account, seat: Callable[..., Any], brought: Callable[..., TestResponse]) -> None:
    browser = seat(keeper)
    page = brought(browser, f"phone,community\n12900000001,{LIULIAN}\n12900000002,月亮社区\n12900000003,{KENGZI}\n")
    assert "Waits for a yes" in words(page)
    assert "3No community of the district is called “月亮社区”." in words(page)
    at = page.request.path
    told = whole(browser, "GET", f"{at}faults.csv").text
    assert told.startswith("\ufeffLine,Why\r\n3,")
    refused = browser.send(f"{at}take", {**browser.form(page, "take"), "skip_bad": ""})
    assert refused.status_code == 409
    assert store.count_in([district.DISTRICT]) == {}
    assert browser.send(f"{at}take", {**browser.form(page, "take"), "skip_bad": "1"}).status_code == 303
    ended(settled)
    page = browser.get(at)
    assert "Taken in" in words(page)
    assert store.count_in([district.DISTRICT]) == {"zh": 2}
    assert "list.csv" in words(browser.get(f"{TOP}imports/"))
    assert browser.get(f"{at}now").headers.get("HX-Refresh") == "true"
    assert browser.send(f"{at}undo", {**browser.form(page, "undo"), "sure": ""}).status_code == 422
    assert browser.send(f"{at}undo", {**browser.form(page, "undo"), "sure": "1"}).status_code == 303
    ended(settled)
    assert "2 people have lost what the list had brought" in words(browser.get(at))
    assert store.count_in([district.DISTRICT]) == {}
    assert [action for action, _subject, _details in trail()] == [
        f"subscribers.{name}" for name in ("take", "done", "undo", "undone")]


def test_a_form_that_lacks_something_says_what_and_keeps_what_was_typed(
        keeper: Account, seat: Callable[..., Any], brought: Callable[..., TestResponse]) -> None:
    browser = seat(keeper)
    answer = brought(browser, "phone\n1\n", basis="", region_code="440399999999")
    assert answer.status_code == 422
    links = lxml.html.fromstring(answer.text).xpath("//*[@id='problems']//a")
    assert {link.get("href") for link in links} == {"#basis", "#region_code"}
    page = brought(browser, "phone\n12900000001\n", region_code=LIULIAN, audience="schools", language="en")
    assert "Take 1 person in" in words(page)
    dropped = browser.send(f"{page.request.path}drop", browser.form(page, "drop"))
    assert dropped.status_code == 303
    assert "Thrown away" in words(browser.get(page.request.path))
    assert "not CSV" not in words(page)
    assert "This is a workbook" in words(brought(browser, b"PK\x03\x04"))


def test_a_list_as_large_as_the_page_says_gets_through_the_web_server(keeper: Account, seat: Callable[..., Any]) -> None:
    assert import_pages.MOST_BYTES + 2**16 < LARGEST_BODY
    assert f"At most {import_pages.MOST_BYTES // 2**20} MB" in words(seat(keeper).get(f"{TOP}import"))


def test_a_page_shows_how_far_a_list_is_and_no_more_than_four_wait_at_once(
        keeper: Account, seat: Callable[..., Any], brought: Callable[..., TestResponse]) -> None:
    browser = seat(keeper)
    begun = [batches.begin(keeper, name=f"{n}.csv", basis="form") for n in range(batches.MOST_AT_ONCE)]
    batches.note(begun[0].id, rows=1234, bad=5, size=200, done=50)
    db.session.rollback()
    at = f"{TOP}imports/{uuid.UUID(begun[0].id)}/"
    page, piece = browser.get(at), browser.get(f"{at}now")
    for answer in (page, piece):
        assert "1,234 rows read, 5 of them cannot be taken." in answer.text
        assert '<progress max="200" value="50">' in answer.text
    assert '<noscript><meta http-equiv="refresh"' in page.text, "who has no scripts sees it too"
    assert "HX-Refresh" not in piece.headers
    refused = brought(browser, f"phone,community\n12900000001,{LIULIAN}\n")
    assert refused.status_code == 409
    assert "4 lists wait" in words(refused)
    assert browser.send(f"{at}drop", browser.form(page, "drop")).status_code == 303
    assert "Waits for a yes" in words(brought(browser, f"phone,community\n12900000001,{LIULIAN}\n"))


def test_a_phone_is_found_by_its_number_shown_masked_ended_and_erased_and_each_look_is_written_down(
        keeper: Account, seat: Callable[..., Any]) -> None:
    district.subscriber(PHONE, LIULIAN)
    browser = seat(keeper)
    form = browser.form(browser.get(TOP), "find")
    answer = browser.send(f"{TOP}find", {**form, "phone": "129 0000 0001"})
    assert answer.status_code == 303
    assert "0000" not in answer.location
    page = browser.get(answer.location)
    assert "+86129****0001" in words(page)
    assert "129 0000 0001" not in page.text
    assert PHONE not in page.text
    assert "Agreed to get texts" in words(page)
    assert browser.send(f"{TOP}find", {**form, "phone": "12900000009"}).status_code == 404
    assert browser.send(f"{TOP}find", {**form, "phone": "zzz"}).status_code == 422
    at = answer.location
    assert browser.send(f"{at}stop", {**browser.form(page, "stop"), "way": ""}).status_code == 422
    assert person().status == "active"
    assert browser.send(f"{at}stop", {**browser.form(page, "stop"), "way": "phone"}).status_code == 303
    assert person().status == "opted_out"
    assert store.phones([person().id]) == {}
    assert browser.send(f"{at}erase", {**browser.form(page, "erase"), "way": "letter"}).status_code == 303
    assert person().phone_sealed == b""
    assert browser.get(at).status_code == 404
    acts = [(action, details) for action, _subject, details in trail()]
    assert acts[:3] == [("subscriber.find", {}), ("subscriber.look", {}), ("subscriber.find", {})]
    assert ("subscriber.stop", {"way": "phone"}) in acts
    assert ("subscriber.erased", {"way": "letter"}) in acts
    assert not re.search(r"129\D?0000\D?000", str(trail()))
    kinds = db.session.execute(select(ConsentEvent.kind, ConsentEvent.source).order_by(ConsentEvent.id)).all()
    assert [tuple(one) for one in kinds] == [("subscribed", "demo"), ("opted_out", "desk"), ("erased", "desk")]


def test_whose_phone_a_list_is_just_taking_in_is_not_waited_for_with_the_trail_in_hand(
        keeper: Account, seat: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    class Held(Exception):
        sqlstate = "55P03"

    def held(*_given: object, **_named: object) -> None:
        raise OperationalError("update", {}, Held())

    one, browser = district.subscriber(PHONE, LIULIAN), seat(keeper)
    page = browser.get(f"{TOP}{one}/")
    monkeypatch.setattr(wishes, "leave", held)
    answer = browser.send(f"{TOP}{one}/stop", {**browser.form(page, "stop"), "way": "phone"})
    assert answer.status_code == 409
    assert "try again in a minute" in words(answer)
    assert person().status == "active"
    assert "subscriber.stop" not in [action for action, _subject, _details in trail()]


def test_who_would_end_the_texts_of_one_phone_after_another_is_stopped(keeper: Account, seat: Callable[..., Any]) -> None:
    one, browser = district.subscriber(PHONE, LIULIAN), seat(keeper)
    for act in ("stop", "erase"):
        form = browser.form(browser.get(f"{TOP}{one}/"), act)
        met = [browser.send(f"{TOP}{one}/{act}", {**form, "way": ""}).status_code for _n in range(31)]
        assert met == [422] * 30 + [429], act
    assert person().status == "active"


def test_nobody_sees_beyond_the_own_region_and_a_viewer_sees_figures_alone(
        settled: Flask, keeper: Account, seat: Callable[..., Any], brought: Callable[..., TestResponse]) -> None:
    one = district.subscriber(PHONE, KENGZI)
    district.subscriber("+8612900000002", LIULIAN, KENGZI)
    batch = brought(seat(keeper), f"phone,community\n12900000003,{LIULIAN}\n").request.path
    street = seat(district.office("street", (SUBSCRIBERS, district.PINGSHAN, "red")))
    assert street.get(f"{TOP}{one}/").status_code == 404
    assert street.get(batch).status_code == 404
    assert street.get(f"{TOP}9223372036854775808/").status_code == 404
    assert street.send(f"{TOP}find", {**street.form(street.get(TOP), "find"), "phone": PHONE}).status_code == 404
    assert "坑梓" not in words(street.get(TOP))
    for answer, field in ((exported(street, region=district.KENGZI), "region"), (exported(street, region=KENGZI), "region"),
                          (brought(street, "phone\n12900000004\n", region_code=KENGZI), "region_code")):
        assert answer.status_code == 422
        assert f"#{field}" in lxml.html.fromstring(answer.text).xpath("//*[@id='problems']//a/@href"), field
    viewer = seat(district.office("viewer", (VIEWER, district.DISTRICT, "red")))
    assert viewer.get(TOP).status_code == 200
    drafter = seat(district.office("drafter", (DRAFTER, district.DISTRICT, "red")))
    for path in (f"{TOP}{one}/", batch, f"{TOP}imports/", f"{TOP}import", f"{TOP}export/", f"{TOP}import/sample.csv"):
        assert viewer.get(path).status_code == drafter.get(path).status_code == 403
    assert drafter.get(TOP).status_code == 403
    ended(settled)


def exported(browser: Any, **fields: Any) -> TestResponse:
    form = browser.form(browser.get(f"{TOP}export/"), "export")
    values = {**form.to_dict(), "purpose": "drill by telephone", "sure": "1", "password": "a few words apart", **fields}
    return whole(browser, "POST", f"{TOP}export/", data=values)


def test_numbers_go_out_with_purpose_and_password_alone_and_the_trail_knows_before(
        settled: Flask, keeper: Account, seat: Callable[..., Any]) -> None:
    with db.session.begin_nested():
        account = db.session.get(Account, keeper.id)
        account.password = passwords.hashed("a few words apart")
    db.session.commit()
    district.subscriber(PHONE, LIULIAN, KENGZI, audiences=3)
    district.subscriber("+85251234567", LIULIAN, language="en")
    store.opt_out(district.subscriber("+8612900000003", LIULIAN), "sms")
    browser = seat(keeper)
    for fields in ({"purpose": ""}, {"sure": ""}, {"password": "wrong"}, {"region": "440399999999"}, {"status": "x"},
                   {"purpose": "ask 13800000000 and 13900000000"}):
        answer = exported(browser, **fields)
        assert answer.status_code == 422, fields
        assert "129" not in words(answer)
        assert PHONE not in answer.text
    assert [action for action, _s, _d in trail()] == []
    assert db.session.get(Account, keeper.id, populate_existing=True).failed_attempts == 1, "a wrong password counts"
    answer = exported(browser, region=district.PINGSHAN)
    assert answer.headers["Content-Disposition"] == 'attachment; filename="subscribers.csv"'
    db.session.rollback()
    assert db.session.get(Account, keeper.id, populate_existing=True).failed_attempts == 0
    lines = answer.text.removeprefix("\ufeff").splitlines()
    assert [one.rsplit(",", 1)[0] for one in lines[1:]] == [
        f"12900000001,{LIULIAN},residents;schools,zh,active,demo", f"0085251234567,{LIULIAN},residents,en,active,demo"]
    ((action, subject, details),) = trail()
    assert (action, subject, details["people"], details["purpose"]) == (
        "subscribers.export", f"region:{district.PINGSHAN}", 2, "drill by telephone")


def test_whatever_is_sent_is_answered_in_words(settled: Flask, keeper: Account, seat: Callable[..., Any]) -> None:
    settled.config["WTF_CSRF_ENABLED"] = False  # otherwise it is refused before it is read
    one, browser = district.subscriber(PHONE, LIULIAN), seat(keeper)
    names = ("phone", "way", "basis", "region_code", "audience", "language", "region", "status", "purpose", "sure", "password",
             "skip_bad")
    met = set()
    for text in ("9" * 30, "١٢٣", "%_\\' OR 1=1 --<script>", "\r\nSet-Cookie: a=b", "\ud800"):
        body = "&".join(f"{name}={quote_from_bytes(text.encode('utf-8', 'surrogatepass'))}" for name in names)
        for path in ("find", "import", "export/", f"{one}/stop", f"{one}/erase", f"{'9' * 30}/stop"):
            met.add(whole(browser, "POST", TOP + path, data=body, content_type="application/x-www-form-urlencoded").status_code)
    assert met <= {400, 404, 422}
    assert person().status == "active"


@pytest.mark.parametrize("path", ["", "imports/", "import", "export/"])
def test_pages_are_whole_in_both_languages(keeper: Account, seat: Callable[..., Any], path: str) -> None:
    for language, title in (("zh", "订阅"), ("en", "")):
        answer = seat(keeper, language).get(TOP + path)
        assert answer.status_code == 200
        assert title in answer.text
