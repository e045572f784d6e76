"""Subscribing on the web: by a code, without a script, without a password; seen, changed, left and erased by the same means."""

from __future__ import annotations

import csv
import io
import json
from contextlib import nullcontext
from datetime import timedelta
from urllib.parse import quote, urlsplit

import lxml.html
import pytest
from flask import Flask
from sqlalchemy import select, update

from portal.channels.sms import codes, notices, segments
from portal.channels.sms import kept as sms
from portal.channels.sms.models import OneTimeCode, SmsNotice
from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.core.phones import mask
from portal.identity.limits import limiter
from portal.regions import lookup
from portal.subscribers import own, store, wishes
from portal.subscribers.audiences import mask_of
from portal.subscribers.models import ConsentEvent, Given, Subscriber, SubscriberPass, SubscriberRegion
from portal.subscribing import copy, demo, form, words
from portal.subscribing.pages import CHANGES
from portal.subscribing.sweep import sweep
from tests.district import DISTRICT, KENGZI, LIULIAN, told
from tests.subscribing.conftest import Phone

OTHER = "440310005001"


def reached(region: str, language: str = "en") -> set[str]:
    db.session.rollback()  # what was read before is of an older moment
    return set(store.phones(told(region, language)).values())


def last_entry() -> audit.AuditEntry:
    db.session.rollback()
    return db.session.scalars(select(audit.AuditEntry).order_by(audit.AuditEntry.seq.desc())).first()


def problems(answer) -> str:
    (box,) = lxml.html.fromstring(answer.text).xpath("//*[@id='problems']")
    return " ".join(box.text_content().split())


def test_a_new_phone_proves_itself_chooses_and_is_told_from_then_on(phone: Phone) -> None:
    phone.sign_in()
    page = phone.get("/subscribe/")
    assert "Step 3 of 3" in page.text
    assert mask(phone.number) in page.text
    assert phone.number not in page.text
    assert phone.kept() is None
    answer = phone.choose(region_codes=[LIULIAN, OTHER], audiences=["residents", "carers"], kinds=["weather", "quake"],
                          lowest_tier="yellow", quiet="1", quiet_from="22", quiet_to="7")
    assert (answer.status_code, urlsplit(answer.location).path) == (303, "/subscribe/")
    page = phone.get(answer.location)
    assert "You are subscribed" in page.text
    assert "22:00–07:00" in page.text
    assert wishes.told(phone.kept().wishes) == {
        "regions": [LIULIAN, OTHER], "language": "en", "audiences": ["residents", "carers"], "lowest_tier": "yellow",
        "without": [k for k in wishes.kinds.BY_KEY if k not in ("weather", "quake")], "quiet": [22, 7]}
    assert phone.number in reached(LIULIAN) & reached(OTHER)
    (event,) = db.session.scalars(select(ConsentEvent).where(ConsentEvent.subscriber_id == phone.kept().row.id))
    assert (event.kind, event.source, event.detail["regions"]) == ("subscribed", "web", [LIULIAN, OTHER])
    assert "subscribed</strong> on this website" in page.text


def test_the_welcome_says_how_to_leave_once_and_in_two_segments(phone: Phone) -> None:
    phone.sign_in()
    for _again in range(2):
        phone.choose(region_codes=[LIULIAN, OTHER])
        phone.send("/subscribe/leave", page="/subscribe/")
    phone.choose(region_codes=[LIULIAN])
    notices.send_due(phone.app)
    (welcome, _code) = phone.texts()
    with transaction() as session:  # as if it were another day
        session.execute(update(SmsNotice).values(ref=SmsNotice.ref + ".before"))
    phone.choose(region_codes=[LIULIAN, OTHER])
    notices.send_due(phone.app)
    assert len(phone.texts()) == 2, "who changes what they are told is welcomed already"
    assert "Reply STOP" in welcome
    assert "https://warn.example/subscribe/" in welcome
    for node in lookup.current().nodes.values():
        for language in ("zh", "en"):
            said = wishes.Wishes((node.code,) * 20, 1, language)
            body = words.welcome(said, "https://warning.pingshan.example/subscribe/")
            assert segments.count(("【坪山应急】" if language == "zh" else "") + body).segments <= 2, body
            assert ("退订回复TD" in body) == (language == "zh")


def test_who_comes_back_finds_the_form_as_it_was_left_and_each_change_in_the_story(phone: Phone) -> None:
    phone.sign_in().choose(region_codes=[LIULIAN], quiet="1", quiet_from="23", quiet_to="6", kinds=["weather"], language="zh")
    phone.send("/subscribe/sign-out")
    assert "Step 1 of 3" in phone.get("/subscribe/").text
    phone.later(minutes=2)
    before = phone.sign_in().form()
    assert (before["region_codes"], before["kinds"], before["language"]) == ([LIULIAN], ["weather"], ["zh"])
    assert (before["quiet"], before["quiet_from"], before["quiet_to"]) == (["1"], ["23"], ["6"])
    answer = phone.choose(lowest_tier="orange")
    page = lxml.html.fromstring(phone.get(answer.location).text)
    assert "Your changes are saved" in page.text_content()
    told = [" ".join(line.text_content().split()) for line in page.xpath("//ol[@class='sub-story']/li")]
    assert len(told) == 2
    assert "wishes changed on this website" in told[0]
    assert told[0].endswith("from Orange on · quiet 23:00–06:00")
    phone.choose()
    assert len(own.story(phone.kept().row.id, 10)) == 2
    assert len(phone.texts()) == 2, "a change is confirmed on the page, not by a text"


def test_whatever_is_sent_is_answered_in_words(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(phone.app.config, "WTF_CSRF_ENABLED", False)
    phone.sign_in()
    names = [*phone.form(), "longitude", "latitude", "do", "region", "sure", "format", "lang", "done"]
    for odd in ("99999999999999999999999", "١٢٣", "%_' OR 1=1 --<script>", "\r\nSet-Cookie: a=b", "-1", "x" * 5000, "\ud800"):
        body = "&".join(f"{name}={quote(odd, errors='surrogatepass')}" for name in names)
        for path in ("choose/", "copy", "erase/", "sign-in", "code"):
            for asked in (body, body + "&do=look", body + "&do=save") if path == "choose/" else (body,):
                answer = phone.post(f"/subscribe/{path}", asked.replace("do=" + quote(odd, errors="surrogatepass"), "x="))
                assert answer.status_code in (200, 302, 400, 422, 429), (path, odd[:20])
        for path in ("", "choose/", "erase/", "erased/", "sign-in"):
            assert phone.get(f"/subscribe/{path}?{body}").status_code in (200, 400)
        limiter.reset()
    assert phone.kept() is None


def test_a_name_is_looked_for_and_everything_that_was_ticked_stays(phone: Phone) -> None:
    phone.sign_in()
    answer = phone.choose(do="look", name="kengzi", audiences=["carers"], quiet="1", quiet_from="1", region_codes=[LIULIAN])
    root = lxml.html.fromstring(answer.text)
    assert answer.status_code == 200
    assert root.xpath("//*[@id='chosen']//input/@value") == [LIULIAN]
    assert KENGZI in root.xpath("//*[@id='found']//input/@value")
    assert root.xpath("//input[@name='audiences'][@checked]/@value") == ["carers"]
    assert root.xpath("//input[@name='quiet'][@checked]")
    assert root.xpath("//select[@name='quiet_from']/option[@selected]/@value") == ["1"]
    every = root.xpath("//input[@name='region_codes']/@value")
    assert len(every) == len(set(every))
    assert set(lookup.communities_under([DISTRICT])) <= set(every)
    answer = phone.choose(name="kengzi", looked="kengzi", region_codes=[KENGZI])
    assert answer.status_code == 303
    assert phone.kept().wishes.region_codes == tuple(lookup.communities_under([KENGZI]))


def test_a_name_that_leaves_no_doubt_is_ticked_already_in_other_letters_too(phone: Phone) -> None:
    phone.sign_in()
    node = lookup.get(LIULIAN)
    for typed in (node.name_zh, node.name_en, node.pinyin, LIULIAN):
        root = lxml.html.fromstring(phone.choose(do="look", name=typed, region_codes=[]).text)
        assert root.xpath("//*[@id='found']//input[@checked]/@value") == [LIULIAN], typed


def test_a_name_that_was_typed_and_not_looked_for_is_asked_about_before_anything_is_saved(phone: Phone) -> None:
    phone.sign_in()
    answer = phone.choose(name="kengzi", region_codes=[LIULIAN])
    assert answer.status_code == 422
    assert "Tick what you mean by “kengzi”" in problems(answer)
    assert phone.kept() is None
    answer = phone.choose(do="look", name="Nowhere at all", region_codes=[LIULIAN])
    assert "No community is called that" in problems(answer)


def test_a_position_finds_the_community_and_one_outside_says_so(phone: Phone) -> None:
    phone.sign_in()
    west, south, east, north = lookup.box(LIULIAN)
    points = [(west + (east - west) * x / 10, south + (north - south) * y / 10) for x in range(1, 10) for y in range(1, 10)]
    lon, lat = next(point for point in points if lookup.at_point(*point) == LIULIAN)
    root = lxml.html.fromstring(phone.choose(do="here", longitude=f"{lon:.5f}", latitude=f"{lat:.5f}").text)
    assert root.xpath("//input[@name='region_codes'][@checked]/@value") == [LIULIAN]
    for odd in ("0", "nan", "1e999", "x", ""):
        answer = phone.choose(do="here", longitude=odd, latitude=odd)
        assert answer.status_code == 422
        assert "in none of the district's communities" in problems(answer)


def test_what_cannot_be_taken_is_said_in_both_languages_and_what_was_typed_stays(portal: Flask, phone: Phone) -> None:
    phone.sign_in()
    answer = phone.choose(region_codes=[], kinds=[], quiet="1", quiet_from="7", quiet_to="7")
    assert answer.status_code == 422
    for said in ("Choose at least one community", "Leave at least one kind", "two different hours"):
        assert said in problems(answer)
    root = lxml.html.fromstring(answer.text)
    for link in root.xpath("//*[@id='problems']//a/@href"):
        assert root.xpath(f"//*[@id='{link[1:]}']"), link
    assert not root.xpath("//input[@name='kinds'][@checked]")
    answer = phone.send("/subscribe/choose/?lang=zh", phone.form() | {"region_codes": []}, page="/subscribe/choose/?lang=zh")
    assert "请至少选择一个社区" in problems(answer)


def test_leaving_takes_one_press_and_holds_at_once_and_one_may_come_back(phone: Phone) -> None:
    phone.sign_in().choose(region_codes=[LIULIAN])
    db.session.rollback()
    planned = told(LIULIAN, "en")
    page = phone.get(phone.send("/subscribe/leave", page="/subscribe/").location)
    assert "You have left" in page.text
    assert planned
    db.session.rollback()
    assert phone.number not in store.phones(planned).values()
    assert phone.form()["region_codes"] == [LIULIAN]
    phone.choose()
    assert phone.number in reached(LIULIAN)
    assert [e.kind for e in reversed(db.session.scalars(
        select(ConsentEvent).where(ConsentEvent.subscriber_id == phone.kept().row.id).order_by(ConsentEvent.id)).all())] == [
            "subscribed", "opted_out", "subscribed"]


def test_who_is_told_only_what_a_certificate_lends_may_leave_as_well(phone: Phone) -> None:
    with transaction() as session:
        row = Subscriber(phone_index=phone.index, phone_sealed=phone.app.extensions["phones"].seal(phone.number), language="en",
                         audiences=mask_of(["responders"]), status="active", source="course", created_at=utcnow(),
                         changed_at=utcnow())
        session.add(row)
        session.flush()
        session.add(SubscriberRegion(region_code=LIULIAN, subscriber_id=row.id))
        session.add(Given(subscriber_id=row.id, source="course", region_code=LIULIAN, audiences=row.audiences, region_given=True,
                          at=utcnow()))
    page = phone.sign_in().get("/subscribe/")
    assert "gets only what was set" in page.text
    assert lxml.html.fromstring(page.text).xpath("//form[contains(@action, '/subscribe/leave')]")
    assert "You have left" in phone.get(phone.send("/subscribe/leave", page="/subscribe/").location).text
    assert phone.number not in reached(LIULIAN)
    assert not lxml.html.fromstring(phone.get("/subscribe/").text).xpath("//form[contains(@action, '/subscribe/leave')]")


def test_a_subscriber_has_their_data_shown_as_a_table_and_as_json(phone: Phone) -> None:
    phone.sign_in().choose(region_codes=[LIULIAN])
    phone.writes("help", "Liulian")
    got = phone.send("/subscribe/copy", {"format": "json"}, page="/subscribe/")
    everything = json.loads(got.data)
    assert got.headers["Cache-Control"] == "no-store"
    assert everything["phone"].replace(" ", "") == phone.number
    assert everything["wishes"]["regions"] == [LIULIAN]
    assert everything["names_of_regions"][LIULIAN]["zh"] == lookup.get(LIULIAN).name_zh
    assert [(e["kind"], e["source"]) for e in everything["history"]] == [("subscribed", "web")]
    assert len(everything["browsers"]) == 1
    assert [(one["door"], bool(one["used_at"])) for one in everything["codes_asked_for"]] == [("subscriber", True)]
    assert [(one["taken_for"], one["answer"]) for one in everything["texts_from_this_phone"]] == [("help", "Liulian")]
    table = phone.send("/subscribe/copy", {"format": "csv"}, page="/subscribe/")
    rows = dict(csv.reader(io.StringIO(table.data.decode("utf-8-sig"))))
    assert rows["wishes.regions"] == LIULIAN
    assert rows["history.1.kind"] == "subscribed"
    assert not [value for value in rows.values() if value[:1] in "=+-@\t" and value]
    entry = last_entry()
    assert entry.action == "subscriber.download"
    assert phone.number[-4:] not in json.dumps(entry.details) + entry.subject + entry.actor


def test_a_table_holds_nothing_that_a_spreadsheet_would_run() -> None:
    body = copy.as_csv({"a": "=1+1", "b": ["@x", "y"], "c": [{"d": "-2"}], "e": None}).decode("utf-8-sig")
    assert list(csv.reader(io.StringIO(body)))[1:] == [["a", "'=1+1"], ["b", "'@x; y"], ["c.1.d", "'-2"], ["e", ""]]


def test_erasing_asks_once_more_and_leaves_no_number_and_no_session(phone: Phone) -> None:
    phone.sign_in().choose(region_codes=[LIULIAN])
    phone.writes("help", "Liulian")
    one = phone.kept().row.id
    answer = phone.send("/subscribe/erase/", {"sure": "yes", "forget": "1"}, page="/subscribe/erase/")
    assert answer.status_code == 422
    assert "name=\"forget\" value=\"1\" aria-describedby=\"forget-hint\" checked" in answer.text
    answer = phone.send("/subscribe/erase/", {"sure": " erase "}, page="/subscribe/erase/")
    assert answer.status_code == 303
    assert "Your data are erased" in phone.get(answer.location).text
    assert "Step 1 of 3" in phone.get("/subscribe/").text
    assert phone.kept().row.phone_sealed == b""
    assert [one.answer for one in sms.texts_of(phone.index)] == [""]
    notices.send_due(phone.app)
    assert len(phone.texts()) == 1, "a code, and no welcome after everything was erased"
    assert phone.kept().row.id == one
    assert phone.number not in reached(LIULIAN)
    entry = last_entry()
    assert (entry.action, entry.subject) == ("subscriber.erase", f"subscriber:{one}")


def test_a_link_from_a_community_proposes_it_through_the_door(phone: Phone) -> None:
    root = lxml.html.fromstring(phone.get(f"/subscribe/?region={LIULIAN}&lang=zh").text)
    assert root.get("lang") == "zh-CN"
    fields = dict(root.xpath("//form[contains(@action, 'sign-in')]")[0].form_values())
    assert fields["region"] == LIULIAN
    phone.send("/subscribe/sign-in", {"phone": phone.number, "region": LIULIAN})
    answer = phone.send("/subscribe/code", {"phone": phone.number, "code": phone.code(), "region": LIULIAN})
    root = lxml.html.fromstring(phone.get(answer.location).text)
    assert root.xpath("//*[@id='found']//input[@checked]/@value") == [LIULIAN]
    for odd in ("//evil.example", "x", "440310001001'", "440399999999"):
        assert not lxml.html.fromstring(phone.get(f"/subscribe/choose/?region={odd}").text).xpath("//*[@id='found']")


def test_codes_that_are_guessed_are_stopped_in_words_and_the_right_one_no_longer_opens(phone: Phone) -> None:
    phone.send("/subscribe/sign-in", {"phone": phone.number})
    right = phone.code()
    wrong = f"{(int(right) + 1) % 1_000_000:06d}"
    for _guess in range(codes.GUESSES):
        answer = phone.send("/subscribe/code", {"phone": phone.number, "code": wrong})
        assert "This code does not open the door" in problems(answer)
    assert phone.send("/subscribe/code", {"phone": phone.number, "code": right}).status_code == 422
    most = int(codes.CHECK_LIMIT.split()[0])
    page = lxml.html.fromstring(phone.get("/subscribe/sign-in").text)
    token = {"csrf_token": page.xpath("//input[@name='csrf_token']")[0].value}
    for _guess in range(most - codes.GUESSES - 1):
        phone.post("/subscribe/code", token | {"phone": phone.number, "code": wrong})
    answer = phone.send("/subscribe/code", {"phone": phone.number, "code": wrong})
    assert answer.status_code == 429
    assert "Wait a few minutes" in answer.text


def test_thirty_phones_behind_one_address_get_in(portal: Flask, phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(portal.config, "WTF_CSRF_ENABLED", False)
    held = [Phone(portal) for _one in range(30)]
    for one in held:
        assert one.post("/subscribe/sign-in", {"phone": one.number}).status_code == 200
    for one in held:
        assert one.post("/subscribe/code", {"phone": one.number, "code": one.code()}).status_code == 302


def test_many_changes_of_one_browser_are_stopped_and_others_are_not(portal: Flask, phone: Phone) -> None:
    phone.sign_in()
    fields = phone.form() | {"csrf_token": lxml.html.fromstring(phone.get("/subscribe/choose/").text).xpath(
        "//input[@name='csrf_token']")[0].value, "region_codes": ["x"], "name": ""}
    answers = [phone.post("/subscribe/leave", fields).status_code
               for _again in range(int(CHANGES.split()[0]) + 1)]
    assert set(answers[:-1]) == {303}
    assert answers[-1] == 429
    assert Phone(portal).sign_in().choose(region_codes=[LIULIAN]).status_code == 303


def test_a_large_district_is_searched_and_not_listed(portal: Flask, phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(form, "MOST_LISTED", 3)
    places = form.offered(form.Typed(name=LIULIAN), "en", DISTRICT)
    assert places.streets == []
    assert LIULIAN in [offer.code for offer in places.found]


def test_the_demonstration_has_residents_with_a_story_and_a_second_start_changes_nothing(portal: Flask) -> None:
    db.session.rollback()
    for _start in range(2):
        demo.seed(lambda _zh, _en: nullcontext())
        kept = {number: own.kept(demo._index(number)) for number in (demo.PARENT, demo.VISITOR, demo.LEFT)}
        assert [one.is_told for one in kept.values()] == [True, True, False]
        assert [[e.kind for e in own.story(one.row.id, 9)] for one in kept.values()] == [
            ["changed", "subscribed"], ["subscribed"], ["opted_out", "subscribed"]]


def test_what_ran_out_goes_by_itself(portal: Flask, phone: Phone) -> None:
    phone.sign_in().choose(region_codes=[LIULIAN])
    with transaction() as session:
        session.execute(update(SubscriberPass).where(SubscriberPass.phone_index == phone.index).values(expires_at=utcnow()))
        session.execute(update(OneTimeCode).where(OneTimeCode.phone_index == phone.index).values(
            expires_at=utcnow() - codes.KEPT - timedelta(seconds=1)))
    assert "Step 1 of 3" in phone.get("/subscribe/").text
    sweep(portal)
    db.session.rollback()
    assert own.browsers(phone.index) == []
    assert not db.session.scalars(select(OneTimeCode).where(OneTimeCode.phone_index == phone.index)).all()
