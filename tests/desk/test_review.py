"""What the review page promises: an approval is of what was read, by who may, once."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from dataclasses import replace
from itertools import product

import lxml.html
import pytest
from flask import Flask
from sqlalchemy import delete, func, select

from portal import current_settings
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.desk import wording
from portal.identity.models import Account, Duty
from portal.identity.rights import APPROVER, DRAFTER
from portal.warnings import bulletins, drafts, hazards, review, words
from portal.warnings.models import EDITING, REJECTED, SUBMITTED, Bulletin, Draft
from tests import district
from tests.desk.conftest import Seat
from tests.district import DISTRICT, PINGSHAN

Sit = Callable[..., Seat]


def at(draft: Draft) -> str:
    return f"/desk/drafts/{draft.id}/"


def bulletins_there() -> int:
    district.forget()
    return db.session.scalar(select(func.count()).select_from(Bulletin)) or 0


def now(draft_id: uuid.UUID) -> Draft:
    district.forget()
    found = db.session.get(Draft, draft_id)
    assert found is not None
    return found


def read(seat: Seat, draft: Draft, confirm: str = "red") -> dict:
    form = seat.form(seat.get(at(draft)), "/approve")
    form["confirm"] = confirm
    return form


def take_duty(account: Account) -> None:
    with transaction() as session:
        session.execute(delete(Duty).where(Duty.account_id == account.id))


def test_of_two_approvals_in_the_same_second_exactly_one_issues(settled: Flask, seat: Sit) -> None:
    draft = district.submitted(district.drafter())
    seats = [seat(district.approver(name)) for name in ("one", "two")]
    forms = [read(s, draft) for s in seats]
    start, answers = threading.Barrier(2), [None, None]

    def press(n: int) -> None:
        start.wait(10)
        answers[n] = seats[n].send(at(draft) + "approve", forms[n])
    threads = [threading.Thread(target=press, args=(n,)) for n in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(a.status_code for a in answers) == [302, 409]
    loser = next(a for a in answers if a.status_code == 409)
    assert "issued" in loser.text
    assert "Load its present state" in loser.text
    assert bulletins_there() == 1


def test_an_approver_whose_duty_was_taken_away_since_issues_nothing(settled: Flask, seat: Sit) -> None:
    draft = district.submitted(district.drafter())
    account = district.approver()
    person = seat(account)
    form = read(person, draft)
    take_duty(account)
    assert person.send(at(draft) + "approve", form).status_code == 403
    assert bulletins_there() == 0
    assert now(draft.id).status == SUBMITTED


def test_nobody_approves_the_own_red_warning(settled: Flask, seat: Sit) -> None:
    both = district.office("both", (DRAFTER, DISTRICT, "red"), (APPROVER, DISTRICT, "red"))
    district.approver("neighbour")
    draft = district.submitted(both)
    person = seat(both)
    page = person.get(at(draft)).text
    assert "another person must approve it" in page
    assert "neighbour office" in page
    assert "/approve" not in page
    forged = person.post(at(draft) + "approve", version=draft.version, content_hash=draft.content_hash, confirm="red")
    assert forged.status_code == 403
    assert "another person must approve it" in forged.text
    assert bulletins_there() == 0


def test_an_approval_of_an_older_version_is_refused_and_shows_the_present_one(settled: Flask, seat: Sit) -> None:
    writer = district.drafter()
    draft = district.submitted(writer)
    person = seat(district.approver())
    form = read(person, draft)
    review.move(writer, draft.id, review.WITHDRAW, version=1)
    changed = district.content(target={"regions": [district.PINGSHAN], "area": None, "audiences": [], "channels": ["sms"]})
    draft = drafts.revise(writer, draft.id, 1, changed)
    review.move(writer, draft.id, review.SUBMIT, version=2)
    answer = person.send(at(draft) + "approve", form)
    assert answer.status_code == 409
    assert "Version 2" in answer.text
    assert "Load its present state" in answer.text
    form = read(person, now(draft.id))
    form["content_hash"] = "0" * 64
    assert person.send(at(draft) + "approve", form).status_code == 409
    assert bulletins_there() == 0


@pytest.mark.parametrize(("typed", "issues"), [("", False), ("orange", False), (" Red ", True)])
def test_red_is_issued_only_when_its_name_is_typed(settled: Flask, seat: Sit, typed: str, issues: bool) -> None:
    draft = district.submitted(district.drafter())
    person = seat(district.approver())
    answer = person.send(at(draft) + "approve", read(person, draft, typed))
    assert answer.status_code == (302 if issues else 422)
    assert bulletins_there() == int(issues)
    if not issues:
        root = lxml.html.fromstring(answer.text)
        assert root.xpath("//*[@id='problems']//a/@href") == ["#confirm"]
        assert root.get_element_by_id("confirm").value == typed


def test_a_returned_draft_goes_on_as_its_next_version_with_the_reason_on_top(settled: Flask, seat: Sit) -> None:
    account = district.drafter()
    draft = district.submitted(account)
    boss, writer = seat(district.approver()), seat(account)
    silent = boss.send(at(draft) + "return", boss.form(boss.get(at(draft)), "/return"))
    assert silent.status_code == 422
    assert now(draft.id).status == SUBMITTED
    form = boss.form(boss.get(at(draft)), "/return")
    form["reason"] = "Name the river.\n<b>Please</b>"
    assert boss.send(at(draft) + "return", form).status_code == 302
    for page in (writer.get(at(draft)), writer.get(at(draft) + "edit"), writer.get("/desk/drafts/")):
        assert "Name the river." in page.text
        assert "<b>Please</b>" not in page.text
    assert writer.fill(at(draft) + "edit", "submit", words__en__headline="Rainstorm on the river").status_code == 302
    again = now(draft.id)
    assert (again.version, again.status, again.review_reason) == (2, SUBMITTED, None)


def test_a_rejected_draft_is_over(settled: Flask, seat: Sit) -> None:
    account = district.drafter()
    draft = district.submitted(account)
    boss = seat(district.approver())
    boss.post(at(draft) + "reject", version=1, reason="Not for us")
    assert now(draft.id).status == REJECTED
    page = seat(account).get(at(draft)).text
    assert "Not for us" in page
    assert "/submit" not in page
    assert "/approve" not in page


def test_an_unfinished_draft_says_what_is_missing_and_cannot_be_submitted(settled: Flask, seat: Sit) -> None:
    account = district.drafter()
    words = district.content().words
    draft = drafts.create(account, district.content(words=words | {"en": {}},
                                                    target={"regions": [], "area": None, "audiences": []}))
    writer = seat(account)
    page = writer.get(at(draft))
    links = lxml.html.fromstring(page.text).xpath("//a/@href")
    assert at(draft) + "edit#words.en.sms" in links
    assert at(draft) + "edit#target.regions" in links
    assert "/submit" not in page.text
    assert writer.post(at(draft) + "submit", version=1).status_code == 422
    assert now(draft.id).status == EDITING


def test_a_drill_says_so_and_asks_for_no_typed_name(settled: Flask, seat: Sit) -> None:
    draft = district.submitted(district.drafter(), exercise=True)
    person = seat(district.approver(), "zh")
    page = person.get(at(draft)).text
    assert "演练" in page
    assert 'id="confirm"' not in page
    assert "Exercise" in page
    assert person.send(at(draft) + "approve", person.form(page, "/approve")).status_code == 302
    district.forget()
    assert db.session.scalars(select(Bulletin)).one().exercise


def test_the_horn_can_be_heard_before_approval(settled: Flask, seat: Sit) -> None:
    draft = district.submitted(district.drafter())
    person = seat(district.approver())
    page = person.get(at(draft)).text
    sound = person.get(at(draft) + "speech/zh.wav")
    assert ("<audio" in page) == (sound.status_code == 200)
    assert sound.status_code == 404 or sound.data[:4] == b"RIFF"
    assert person.get(at(draft) + "speech/xx.wav").status_code == 404


def test_what_changed_since_a_draft_was_returned_is_shown_side_by_side(settled: Flask, seat: Sit) -> None:
    author, account = district.drafter(), district.approver()
    draft = district.submitted(author)
    reader = seat(account)
    assert "Changed since" not in reader.get(at(draft)).text
    review.move(account, draft.id, review.RETURN, version=draft.version, reason="Name the river.")
    content = drafts.Content.of(now(draft.id))
    words = {language: dict(texts) for language, texts in content.words.items()}
    before = words["en"]["headline"]
    words["en"]["headline"] = before + " Ping river"
    made = drafts.revise(author, draft.id, 1, replace(content, tier="orange", words=words,
                                                      target=content.target | {"regions": [district.PINGSHAN]}))
    assert "Changed since version 1 was returned" in seat(author).get(at(draft)).text
    review.move(author, draft.id, review.SUBMIT, version=made.version)
    shown = lxml.html.fromstring(reader.get(at(draft)).text).xpath("//section[.//h2[@id='changes']]")[0]
    rows = {row.xpath("./th")[0].text_content(): row for row in shown.xpath(".//tbody/tr")}
    assert set(rows) == {"Tier", "Regions", "Headline (English)"}, list(rows)
    assert rows["Tier"].xpath(".//del")[0].text == "Red"
    assert rows["Tier"].xpath(".//ins")[0].text == "Orange"
    assert "Name the river." in shown.text_content()
    headline = rows["Headline (English)"]
    assert "".join(ins.text for ins in headline.xpath(".//ins")) == " Ping river"
    assert headline.xpath("./td")[0].text_content() == before
    assert headline.xpath(".//del") == []


def test_a_draft_that_is_submitted_again_as_it_was_says_so(settled: Flask, seat: Sit) -> None:
    author = district.drafter()
    draft = district.submitted(author)
    review.move(author, draft.id, review.WITHDRAW, version=draft.version)
    review.move(author, draft.id, review.SUBMIT, version=draft.version)
    page = seat(district.approver()).get(at(draft)).text
    assert "Changed since version 1 was withdrawn" in page
    assert "Nothing: it was submitted again as it was." in page


@pytest.mark.parametrize(("refusal", "said"), [
    ("areaDesc: missing", "暂无法生成：缺少要素“areaDesc”，请检查行政区域。"),
    ("incidents: a name may not hold a quotation mark", "暂无法生成：要素“incidents”无法容纳草稿内容，请联系管理员。")])
def test_why_there_is_no_cap_message_is_said_in_the_readers_language(
        settled: Flask, seat: Sit, monkeypatch: pytest.MonkeyPatch, refusal: str, said: str) -> None:
    def refuse(*_args: object, **_named: object) -> None:
        raise ValueError(refusal)
    draft = district.submitted(district.drafter())
    monkeypatch.setattr(bulletins, "foresee", refuse)
    page = seat(district.approver(), "zh").get(at(draft)).text
    assert said in page
    assert refusal not in page


def test_words_left_over_from_another_tier_are_pointed_out_before_approval(settled: Flask, seat: Sit) -> None:
    author, reader = district.drafter(), seat(district.approver())
    red = district.content()
    right, wrong = (drafts.create(author, c) for c in (red, replace(red, tier="orange")))
    assert "name another tier" not in reader.get(at(right)).text
    page = reader.get(at(wrong)).text
    assert "name another tier than Orange" in page
    assert "Headline (Chinese)" in page
    assert "Headline (English)" in page


def test_the_templates_never_seem_to_name_another_tier(settled: Flask) -> None:
    for hazard, kind in product(hazards.catalogue(), ("alert", "update", "cancel")):
        for tier in hazard.tiers:
            texts = words.first(kind, hazard, tier, [PINGSHAN], onset=None, expires=utcnow(), exercise=False,
                                previous_tier="red" if tier != "red" else "orange", settings=current_settings())
            assert wording.other_tier_named(texts, hazard.code, tier) == [], (hazard.code, kind, texts)
