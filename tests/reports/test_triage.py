"""What staff are promised: they see their regions' reports, decide once, and what becomes of a report is known on both sides."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Any

import lxml.html
import pytest
from flask import Flask
from sqlalchemy import delete, func, select, update
from werkzeug.datastructures import MultiDict

from portal.channels.sms.models import SmsNotice
from portal.core import audit
from portal.core.audit import AuditEntry
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.core.errors import Conflict, Forbidden, Invalid
from portal.identity.models import Account
from portal.identity.rights import ADMINISTRATOR, DRAFTER, SHELTERS
from portal.regions import lookup
from portal.reports import links, listing, mine, states, taking, triage
from portal.reports.models import NEW, STATES, DangerReport
from portal.shelters.models import Obstruction
from portal.shelters.roads import obstructions
from portal.warnings import drafts
from tests import district
from tests.reports.conftest import PHONE, POINT, Resident, fresh, jpeg, text_of, typed


def report(**values: Any) -> DangerReport:
    return taking.take(typed(**values)).report


def proved(**values: Any) -> DangerReport:
    made = report(phone=PHONE, **values)
    with transaction() as session:
        session.execute(update(DangerReport).where(DangerReport.id == made.id).values(phone_proved_at=utcnow()))
    return fresh(made)


def notices(one: DangerReport) -> int:
    return db.session.scalar(select(func.count()).where(SmsNotice.ref.startswith(f"report.{one.id}."))) or 0


@pytest.fixture(scope="module")
def street(portal: Flask) -> Account:
    return district.office("kengzi", (DRAFTER, district.KENGZI, "yellow"))


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("wanted", STATES)
def test_a_report_goes_only_where_the_table_lets_it(portal: Flask, officer: Account, state: str, wanted: str) -> None:
    one = report()
    with transaction() as session:
        session.execute(update(DangerReport).where(DangerReport.id == one.id).values(state=state))
    if wanted in states.MOVES[state]:
        assert triage.move(officer, one.id, 1, wanted, "a word").state == wanted
        assert fresh(one).state_by == "officer office"
    else:
        with pytest.raises(Conflict):
            triage.move(officer, one.id, 1, wanted, "a word")
        assert fresh(one).state == state


def test_nobody_sees_or_decides_beyond_their_regions(portal: Flask, officer: Account, street: Account,
                                                     seat: Callable[..., Any]) -> None:
    one = taking.take(typed(words="only for Pingshan street"), [jpeg()]).report
    desk = seat(street)
    assert "only for Pingshan" not in desk.get("/desk/reports/?view=all").text
    assert "only for Pingshan" not in desk.get(f"/desk/reports/?number={one.number}").text
    for path in (f"/desk/reports/{one.number}/", f"/desk/reports/{one.number}/photo/0"):
        assert desk.get(path).status_code == 403
    for act in (lambda: triage.move(street, one.id, 1, "accepted"), lambda: triage.answer(street, one.id, "hello"),
                lambda: triage.reveal(street, one.id), lambda: triage.merge(street, one.id, 1, 1),
                lambda: triage.set_region(street, one.id, 1, district.KENGZI)):
        with pytest.raises(Forbidden):
            act()
    assert "only for Pingshan" not in desk.get(f"/desk/reports/?view=all&region={district.PINGSHAN}").text
    own = report(community=district.KENGZI)
    with pytest.raises(Forbidden):  # whose answers its reporter would read
        triage.merge(street, own.id, 1, one.number)
    roads = district.office("roads", (SHELTERS, district.KENGZI, "white"))
    path = f"/desk/obstructions/new?from=report:{one.number}"
    assert "立交桥下" not in seat(roads).get(path).text
    assert links.ORIGINS["report"].fill(officer, str(one.number)) is not None
    assert links.ORIGINS["report"].fill(roads, str(one.number)) is None
    keeper = district.office("keeper", (SHELTERS, district.DISTRICT, "white"))  # reads, sets obstructions, decides nothing
    assert "only for Pingshan" in seat(keeper).get(f"/desk/reports/{one.number}/").text
    with pytest.raises(Forbidden):
        triage.move(keeper, one.id, 1, "accepted")
    assert fresh(one).state == NEW


def test_two_who_decide_at_once_and_a_reporter_who_adds_something_are_noticed(portal: Flask, officer: Account,
                                                                              seat: Callable[..., Any]) -> None:
    one, desk = report(), seat(officer)
    page = desk.get(f"/desk/reports/{one.number}/")
    sent = desk.form(page, "/move")
    mine.say(one, "and now a child is in the water")
    sent["state"] = "declined"
    sent["words"] = "We cannot see it from here"
    answer = desk.send(f"/desk/reports/{one.number}/move", sent)
    assert answer.status_code == 409
    assert "a child is in the water" in text_of(answer)
    assert "We cannot see it from here" in answer.text
    assert fresh(one).state == NEW
    with pytest.raises(Invalid) as refused:
        triage.move(officer, one.id, 2, "declined", " ")
    assert refused.value.problems[0].field == "words"


def test_an_answer_is_read_with_the_code_and_told_to_a_proved_telephone(portal: Flask, officer: Account,
                                                                        seat: Callable[..., Any]) -> None:
    first, second = proved(), report(phone=PHONE)
    desk = seat(officer)
    page = desk.get(f"/desk/reports/{first.number}/")
    sent = desk.form(page, "/answer")
    sent["answer"] = "The pump is on its way"
    assert desk.send(f"/desk/reports/{first.number}/answer", sent).status_code == 302
    told = mine.of(fresh(first), "", "en")
    assert [step.words for step in told.steps if step.kind == "answer"] == ["The pump is on its way"]
    assert notices(first) == 1
    triage.answer(officer, second.id, "Thank you")
    assert notices(second) == 0  # a number that nobody proved is not written to
    mine.forget_phone(first)
    assert notices(first) == 0  # nor is one that was taken away
    triage.keep_note(officer, first.id, "rang the pump house")
    assert "pump house" not in repr(mine.of(fresh(first), "", "en").steps)
    assert "rang the pump house" in desk.get(f"/desk/reports/{first.number}/").text


def test_reports_of_one_danger_become_one_and_all_their_reporters_are_answered(portal: Flask, officer: Account,
                                                                               seat: Callable[..., Any]) -> None:
    first = proved(point=POINT, kind="slope")
    second = proved(point="114.3462,22.6911", kind="slope")
    far = report(point="114.3560,22.6911", kind="slope")
    third = report(kind="slope", community=fresh(first).region_code, point="")
    near = [row.report.number for row, _metres in listing.near(fresh(second), [district.DISTRICT])]
    assert near[0] == first.number
    assert third.number in near
    assert far.number not in near
    page = seat(officer).get(f"/desk/reports/{second.number}/")
    assert f"Merge this one into no. {first.number}" in page.text
    triage.merge(officer, third.id, 1, second.number)
    triage.merge(officer, second.id, fresh(second).version, first.number)
    assert fresh(third).duplicate_of == fresh(second).duplicate_of == first.id
    triage.answer(officer, first.id, "The slope is fenced off")
    for one in (second, third):
        steps = mine.of(fresh(one), "", "en").steps
        assert "The slope is fenced off" in [s.words for s in steps]
        assert seat(officer).get(f"/desk/reports/{one.number}/").status_code == 200
    assert (notices(first), notices(second), notices(third)) == (1, 1, 0)
    triage.move(officer, first.id, fresh(first).version, "resolved")
    mine.say(fresh(second), "stones are falling again")  # it wakes the report that stays, which had been closed
    assert fresh(first).state == NEW
    assert f"the reporter of no. {second.number} added something" in text_of(seat(officer).get(f"/desk/reports/{first.number}/"))
    for number in (second.number, 0, 10**8):
        with pytest.raises(Invalid):
            triage.merge(officer, far.id, fresh(far).version, number)


def test_an_obstruction_is_made_of_a_report_with_its_form_filled_in(portal: Flask, officer: Account, street: Account,
                                                                    seat: Callable[..., Any]) -> None:
    one, desk = report(point=POINT, place="Ring road bridge", words="secret words of a resident"), seat(officer)
    path = f"/desk/obstructions/new?from=report:{one.number}"
    page = desk.get(path)
    assert 'value="waterlogging" checked' in re.sub(r"\s+", " ", page.text)
    assert "114.346, 22.691" in page.text
    assert "Ring road bridge" in page.text
    assert "secret words" not in page.text
    (form,) = lxml.html.fromstring(page.text).xpath("//form[contains(@class, 'office-form')]")
    sent = MultiDict(form.form_values())
    sent["do"], sent["effect"] = "save", ""  # as usual for its kind, which lxml reads as "on"
    answer = desk.send(path, sent)
    assert answer.status_code == 302, text_of(answer)
    known = fresh(one)
    made = obstructions.get(uuid.UUID(answer.headers["Location"].rstrip("/").rpartition("/")[2]))
    assert isinstance(made, Obstruction)
    assert (known.obstruction_id, known.state) == (made.id, "acting")
    assert f"/desk/reports/{one.number}/" in desk.get(f"/desk/obstructions/{made.id}/").text
    assert f"/desk/obstructions/{made.id}/" in desk.get(f"/desk/reports/{one.number}/").text
    assert f"/desk/reports/{one.number}/" not in seat(street).get(f"/desk/obstructions/{made.id}/").text
    assert "Ring road bridge" not in desk.get("/desk/obstructions/new?from=report:99999999").text


def test_a_draft_is_begun_with_a_report_within_the_duty_and_without_its_words(portal: Flask, officer: Account, street: Account,
                                                                              seat: Callable[..., Any]) -> None:
    one, desk = report(point=POINT, words="secret words of a resident"), seat(officer)
    sent = desk.form(desk.get(f"/desk/reports/{one.number}/"), "/draft")
    assert sent["hazard"] == "11A02"
    sent["tier"] = "yellow"
    answer = desk.send(f"/desk/reports/{one.number}/draft", sent)
    assert answer.status_code == 302, text_of(answer)
    known = fresh(one)
    made = drafts.get(uuid.UUID(answer.headers["Location"].split("/")[3]))
    assert made is not None
    assert made.target["area"]["center"] == [114.346, 22.691]
    assert "secret words" not in str(made.words)
    assert made.words["zh"]["sms"]
    assert known.draft_id == made.id
    assert f"/desk/reports/{one.number}/" in desk.get(f"/desk/drafts/{made.id}/").text
    assert desk.get(f"/desk/drafts/{made.id}/edit").status_code == 200
    here = report(community=district.KENGZI, place="somewhere in the street")
    desk = seat(street)
    sent = desk.form(desk.get(f"/desk/reports/{here.number}/"), "/draft")
    sent["tier"] = "red"
    refused = desk.send(f"/desk/reports/{here.number}/draft", sent)
    assert refused.status_code in (403, 422)
    assert fresh(here).draft_id is None
    assert list(audit.verify(db.session)) == []


def test_a_draft_near_the_border_of_a_duty_aims_at_the_community(portal: Flask, officer: Account) -> None:
    one = report(point=POINT, community="")
    own = district.office("community", (DRAFTER, one.region_code, "yellow"))
    assert links.make_draft(officer, one, "11A02", "yellow").target["area"]["center"] == [114.346, 22.691]
    area = {"type": "Circle", "center": [114.346, 22.691], "radius": links.DRAFT_METRES}
    assert len(lookup.touched_by(area)) > 1, "the circle reaches into other communities"
    aim = links.make_draft(own, fresh(one), "11A02", "yellow").target
    assert (aim["regions"], aim["area"]) == ([one.region_code], None)


def test_who_was_answered_before_the_merging_is_told_of_the_answer_after_it(portal: Flask, officer: Account) -> None:
    first, second = proved(kind="tree"), proved(kind="tree")
    triage.answer(officer, second.id, "We are looking")
    triage.merge(officer, second.id, fresh(second).version, first.number)
    before = fresh(second).version
    while fresh(first).version < before:
        triage.answer(officer, first.id, "It is being cut up")  # each at a version that the other had before
    assert notices(second) == 1 + notices(first)
    with transaction() as session:
        session.execute(delete(DangerReport).where(DangerReport.id == first.id))  # as spam is, in the end
    mine.say(fresh(second), "it still lies there")


def test_handing_over_leaves_it_with_those_who_look_after_the_place(portal: Flask, officer: Account, street: Account,
                                                                    seat: Callable[..., Any]) -> None:
    one, desk = report(community=district.KENGZI), seat(street)
    sent = desk.form(desk.get(f"/desk/reports/{one.number}/"), "/region")
    sent["region"] = district.LIULIAN
    answer = desk.send(f"/desk/reports/{one.number}/region", sent)
    assert answer.headers["Location"] == "/desk/reports/"  # it is no longer theirs
    assert fresh(one).region_code == district.LIULIAN
    with pytest.raises(Invalid):
        triage.set_region(officer, one.id, fresh(one).version, "110101001001")


def test_a_telephone_is_masked_and_looking_at_it_is_in_the_trail(portal: Flask, officer: Account,
                                                                 seat: Callable[..., Any]) -> None:
    one, desk = report(phone=PHONE), seat(officer)
    page = desk.get(f"/desk/reports/{one.number}/")
    assert PHONE not in page.text
    assert "+86129****0021" in page.text
    shown = desk.send(f"/desk/reports/{one.number}/reveal", desk.form(page, "/reveal"))
    assert PHONE in shown.text
    assert PHONE not in desk.get(f"/desk/reports/{one.number}/").text
    fresh(one)
    deeds = db.session.scalars(select(AuditEntry.action).where(AuditEntry.subject == f"report:{one.number}")).all()
    assert deeds == ["report.receive", "report.reveal"]
    trail = seat(district.office("chief", (ADMINISTRATOR, district.DISTRICT, "red"))).get("/desk/trail/")
    assert "looked at the telephone of a resident" in text_of(trail)
    assert f'href="/desk/reports/{one.number}/"' in trail.text
    assert PHONE not in trail.text


def test_the_list_shows_what_waits_and_keeps_what_is_doubtful_apart(portal: Flask, officer: Account,
                                                                    seat: Callable[..., Any]) -> None:
    desk = seat(officer)
    report(words="a real danger here"), report(words="buy cheap things now", trap="x")
    assert "a real danger here" in desk.get("/desk/reports/").text
    assert "buy cheap things" not in desk.get("/desk/reports/").text
    assert "buy cheap things" in desk.get("/desk/reports/?view=doubtful").text
    for query in ("?view=nothing&kind=%00&page=-1", "?number=abc", "?region=999999999999", "?page=99999999999999999999"):
        assert desk.get(f"/desk/reports/{query}").status_code in (200, 400), query
    assert desk.get("/desk/reports/99999999999999999999/").status_code == 404


def test_nothing_of_a_report_is_public(portal: Flask) -> None:
    one = report(words="nobody else may read this", point=POINT)
    stranger = Resident(portal)
    for path in ("/report/", "/report/follow", "/report/regions.json", f"/report/mine/{one.number}/photo/0", "/report/mine/",
                 f"/desk/reports/{one.number}/"):
        assert "nobody else may read" not in stranger.get(path).text
