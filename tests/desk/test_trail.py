"""What the trail's page promises: acts in words, filters that stay, and a check that finds what was changed."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import lxml.html
import pytest
from flask import Flask
from sqlalchemy import update

import portal
from portal.core import audit
from portal.core.audit import SYSTEM, AuditEntry
from portal.core.clock import utcnow
from portal.core.db import transaction
from portal.desk import deeds, trail
from portal.identity.models import Account
from portal.identity.rights import ADMINISTRATOR, APPROVER
from tests import district
from tests.desk.conftest import Seat
from tests.district import DISTRICT

Sit = Callable[..., Seat]


@pytest.fixture
def reader(settled: Flask) -> Account:
    return district.approver("reader")


def note(count: int, action: str = "test.act", actor: audit.Actor = SYSTEM) -> None:
    with transaction() as session:
        for n in range(count):
            audit.append(session, actor, action, f"thing:{n}", {"n": n})


def rows(page: str) -> list[list[str]]:
    found = lxml.html.fromstring(page).xpath("//table[contains(@class, 'trail')]/tbody/tr")
    return [[" ".join(cell.text_content().split()) for cell in row] for row in found]


def appended_acts() -> set[str]:
    """Every act that the code appends by a literal name."""
    found = set()
    for path in Path(portal.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "append" and len(node.args) > 3 \
                    and isinstance(node.args[2], ast.Constant):
                found.add(node.args[2].value)
    return found


def test_every_act_that_the_code_writes_down_has_words() -> None:
    from portal.warnings.review import MOVES
    acts = appended_acts() | {f"draft.{verb}" for verb in MOVES if verb != "approve"}
    assert {"bulletin.issue", "identity.sign_in", "draft.submit"} <= acts
    assert acts - set(deeds.ACTS) == set()


def test_every_act_with_words_can_be_filtered_by() -> None:
    starts = tuple(start for _label, all_of_group in deeds.GROUPS.values() for start in all_of_group)
    assert [act for act in deeds.ACTS if not act.startswith(starts)] == []


def test_an_issue_is_told_in_words_with_a_way_to_its_page(reader: Account, seat: Sit) -> None:
    from portal.dispatch.issue import issue
    draft = district.submitted(district.drafter())
    bulletin = issue(reader, draft.id, version=draft.version, content_hash=draft.content_hash)
    page = seat(reader).get("/desk/trail/").text
    newest = rows(page)[0]
    assert newest[2:5] == ["reader", "approved and issued", f"bulletin {bulletin.warning_number} its story"]
    assert newest[5].startswith("kind Warning hazard Rainstorm tier Red …")
    links = lxml.html.fromstring(page).xpath("//table//a/@href")
    assert f"/desk/warnings/{bulletin.warning_number}/" in links
    assert f"/desk/drafts/{draft.id}/" in links
    assert bulletin.cap_sha256 in page
    story = rows(seat(reader).get(f"/desk/trail/?subject=draft:{draft.id}").text)
    assert [row[3] for row in story] == ["submitted a draft for approval", "wrote a draft"]
    zh = rows(seat(reader, "zh").get("/desk/trail/").text)[0]
    assert zh[3:5] == ["签发", f"预警信息 {bulletin.warning_number} 相关记录"]


def test_an_act_that_nobody_knows_is_shown_as_it_is(reader: Account, seat: Sit) -> None:
    note(1)
    assert rows(seat(reader).get("/desk/trail/").text)[0][2:5] == ["the portal itself", "test.act", "thing 0"]


def test_pages_follow_each_other_without_a_gap_and_keep_the_filters(reader: Account, seat: Sit) -> None:
    note(trail.PAGE + 5)
    note(3, "identity.sign_in", reader.actor)
    person, path, seen = seat(reader), "/desk/trail/?actor=system", []
    while path:
        page = person.get(path).text
        seen += [int(row[0]) for row in rows(page)]
        older = [a for a in lxml.html.fromstring(page).xpath("//a") if a.text_content() == "Older entries"]
        path = older[0].get("href") if older else ""
        assert not path or "actor=system" in path
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == len(set(seen)) == trail.PAGE + 6  # and the import of the regions
    assert {row[2] for row in rows(page)} == {"the portal itself"}


def test_filters_narrow_by_group_act_account_and_day(reader: Account, seat: Sit) -> None:
    note(2)
    note(1, "identity.sign_in", reader.actor)
    note(1, "draft.submit", reader.actor)
    with transaction() as session:
        session.execute(update(AuditEntry).where(AuditEntry.action == "draft.submit")
                        .values(at=utcnow().replace(year=2020, month=5, day=1, hour=17)))
    person = seat(reader)

    def acts(query: str) -> list[str]:
        return [row[3] for row in rows(person.get("/desk/trail/?" + query).text)]
    assert acts("act=accounts") == ["signed in"]
    assert acts("act=draft.submit") == ["submitted a draft for approval"]
    assert acts("actor=reader&act=drafts") == ["submitted a draft for approval"]
    assert acts("since=2020-05-02&until=2020-05-02") == ["submitted a draft for approval"]  # 01:00 in the district's zone
    assert acts("until=2020-05-01") == []
    assert len(acts("since=2026-99-99&before=-4")) == 5  # what is no day and no number narrows nothing
    assert "No entry matches." in person.get("/desk/trail/?actor=nobody").text


def test_a_whole_trail_is_said_to_be_whole(reader: Account, seat: Sit) -> None:
    note(2)
    assert "All 3 entries are whole and in order." in seat(reader).post("/desk/trail/verify").text


def test_a_changed_entry_is_found_and_shown_loudly(reader: Account, seat: Sit) -> None:
    note(3)
    with transaction() as session:
        session.execute(update(AuditEntry).where(AuditEntry.seq == 3).values(actor="somebody"))
    page = seat(reader).post("/desk/trail/verify").text
    alert = lxml.html.fromstring(page).xpath("//*[@role='alert'][not(@hidden)]")[0].text_content()
    assert "The trail was tampered with" in alert
    assert "entry 3 (test.act, thing:1) does not match" in alert


def test_only_who_may_manage_accounts_is_led_to_them(reader: Account, seat: Sit) -> None:
    admin = district.office("admin", (ADMINISTRATOR, DISTRICT, "red"), (APPROVER, DISTRICT, "red"))
    with transaction() as session:
        audit.append(session, reader.actor, "identity.sign_in", f"account:{reader.id}")
    url = f"/accounts/{reader.id}"
    assert url in seat(admin).get("/desk/trail/").text
    answer = seat(reader).get("/desk/trail/").text
    assert url not in answer
    assert rows(answer)[0][4].startswith("account reader")
