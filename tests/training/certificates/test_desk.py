"""The desk: certificates are found, listed a page at a time, granted by hand, and taken back in two steps by those who may."""

from __future__ import annotations

import uuid
from contextvars import Context
from datetime import timedelta

import lxml.html
import pytest
from sqlalchemy import event, select, text

from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.identity import sessions
from portal.identity.rights import TRAINER, VIEWER
from portal.training.certificate_models import Certificate
from portal.training.certificates import issue, listing, serial, store
from portal.training.learners import own
from portal.training.models import Learner
from tests.desk.conftest import Seat
from tests.district import DISTRICT, KENGZI, LIULIAN, PINGSHAN, office, settle_regions
from tests.training.certificates.people import SLUG, certified, learner, pass_exam, pass_skill

REASON = "冒名顶替考试，经核实"
PAGES = "/desk/training/certificates/"


class Trainer(Seat):
    def send(self, path, data, *, page):
        token = lxml.html.fromstring(self.get(page).text).xpath("//input[@name='csrf_token']")[0].value
        return super().send(path, {"csrf_token": token} | data)


@pytest.fixture
def here(site_alone):
    settle_regions()
    return site_alone


@pytest.fixture
def seat(here):
    """Somebody at the desk, in Chinese."""
    def of(region=DISTRICT, role=TRAINER):
        account = office(f"{role} {region}", (role, region, "white"))
        with transaction() as session:
            row = sessions.open_row(session, account)
        client = here.test_client()
        with Context().run(lambda: client.session_transaction()) as cookie:
            cookie.update({"_user_id": account.fs_uniquifier, "_fresh": True, "desk_session": row.id.hex, "language": "zh"})
        return Trainer(client)
    return of


def serial_of(person):
    [number] = db.session.execute(select(Certificate.serial).where(Certificate.learner_id == person)).scalars().all()
    return number


def test_a_certificate_is_found_by_its_serial_and_shows_its_holder(seat):
    number = serial_of(certified(name="王小明"))
    at = seat()
    assert at.get(f"{PAGES}?serial={serial.shown(number).lower()}").location == f"{PAGES}{number}/"
    page = at.get(f"{PAGES}{number}/").text
    for told in ("王小明", "有效", "示例课程", "颁发"):
        assert told in page
    assert at.get(f"{PAGES}?serial=23456").status_code == 404


def test_only_trainers_see_them_and_only_those_of_their_regions(seat):
    number = serial_of(certified(region=LIULIAN))
    assert seat(PINGSHAN).get(f"{PAGES}{number}/").status_code == 200
    elsewhere = seat(KENGZI)
    assert elsewhere.get(f"{PAGES}{number}/").status_code == 404
    assert elsewhere.get(f"{PAGES}?serial={number}").status_code == 404
    assert serial.shown(number) not in elsewhere.get(f"{PAGES}?region={LIULIAN}").text
    assert elsewhere.get(f"{PAGES}?region=unknown").status_code == 200
    assert seat(DISTRICT, VIEWER).get(PAGES).status_code == 403


def test_revoking_asks_for_a_reason_and_asks_twice(seat):
    person = certified()
    number = serial_of(person)
    at, path = seat(), f"{PAGES}{number}/"
    assert at.send(f"{path}revoke", {"reason": "x"}, page=path).status_code == 422
    sure = at.send(f"{path}revoke", {"reason": REASON}, page=path)
    assert "确定撤销这份证书" in sure.text
    assert store.by_serial(number).state == store.VALID
    assert at.send(f"{path}revoke", {"reason": REASON, "sure": "1"}, page=path).location == path
    db.session.rollback()
    assert store.by_serial(number).state == store.REVOKED
    page = at.get(path).text
    assert REASON in page
    assert "撤销" in page
    at.send(f"{path}reinstate", {"reason": "复核后撤销原决定", "sure": "1"}, page=path)
    db.session.rollback()
    assert store.by_serial(number).state == store.VALID


def test_a_street_sees_and_does_not_revoke(seat):
    number = serial_of(certified(region=LIULIAN))
    at, path = seat(PINGSHAN), f"{PAGES}{number}/"
    assert "只有全区" in at.get(path).text
    for act, fields in (("revoke", {"reason": REASON}), ("reinstate", {"reason": REASON}), ("anew", {"name": "王小朋"})):
        for sure in ({}, {"sure": "1"}):
            assert at.send(f"{path}{act}", fields | sure, page=path).status_code == 403
    assert store.by_serial(number).state == store.VALID


def test_a_name_is_corrected_and_the_certificate_written_anew(seat):
    person = certified(name="王小朋")
    number = serial_of(person)
    at, path = seat(), f"{PAGES}{number}/"
    assert "与证书不一致" not in at.get(path).text
    assert at.send(f"{path}anew", {"name": "王小朋"}, page=path).status_code == 409
    with transaction() as session:
        own.set_name(session, session.get(Learner, person), "王晓朋")
    assert "与证书不一致" in at.get(path).text
    assert at.send(f"{path}anew", {"name": " "}, page=path).status_code == 422
    sure = at.send(f"{path}anew", {"name": "王小明"}, page=path)
    assert "确定换发这份证书" in sure.text
    assert "王小朋 → 王小明" in sure.text
    assert store.by_serial(number).state == store.VALID
    form = next(one for one in lxml.html.fromstring(sure.text).forms if "sure" in dict(one.form_values()))
    moved = at.send(form.action, {"name": dict(form.form_values())["name"], "sure": "1"}, page=path).location
    assert "王小明" in at.get(moved).text
    assert "已换发新证" in at.get(path).text
    db.session.rollback()
    assert own.name(db.session.get(Learner, person)) == "王小明"


def test_a_character_that_is_printed_as_a_sign_is_told_to_the_desk(seat):
    number = serial_of(certified(name="王𠮷明"))
    at = seat()
    assert "U+20BB7" in at.get(f"{PAGES}{number}/").text
    assert "U+20BB7" in at.get(PAGES).text


def test_what_is_due_is_granted_by_hand_and_who_lacks_a_name_is_counted(seat):
    ready, nameless = learner(1, name=None), learner(2, name=None)
    for person in (ready, nameless):
        pass_exam(person)
        pass_skill(person)
    with transaction() as session:
        session.get(Learner, ready).name_sealed = own.sealed(ready, "李雷")
    at = seat()
    moved = at.send(f"{PAGES}grant", {"course": SLUG, "region": DISTRICT, "cohort": ""}, page=PAGES)
    page = at.get(moved.location).text
    assert "颁发了 1 份证书" in page
    assert "1 人尚未填写姓名" in page
    assert "李雷" in page


# -- lists ---------------------------------------------------------------------------------------------------
def test_lists_are_paged_without_losing_or_repeating_anybody(here):
    codes = [LIULIAN, LIULIAN, "440310005001", LIULIAN, "440310005001", None]
    for number, code in enumerate(codes):
        certified(number, name=f"学员{number}", region=code)

    def all_of(region, which=listing.ALL):
        found, after = [], ""
        while True:
            page = listing.page(SLUG, region, which, after=after, limit=2)
            found += [one.row.id for one in page.rows]
            if not (after := page.after):
                return found
    assert len(set(all_of(DISTRICT))) == len(all_of(DISTRICT)) == 5
    assert len(all_of(LIULIAN)) == 3
    assert len(all_of(KENGZI)) == 2
    assert len(all_of(listing.UNKNOWN)) == 1
    assert all_of(DISTRICT, listing.ENDING) == []
    with transaction() as session:
        for row in session.execute(select(Certificate)).scalars():
            row.valid_until = utcnow() + timedelta(days=10)
    assert len(set(all_of(DISTRICT, listing.ENDING))) == 5
    trainer = office("chief", (TRAINER, DISTRICT, "white"))
    for row in db.session.execute(select(Certificate)).scalars().all():
        issue.revoke(trainer, row.serial, REASON)
    assert len(set(all_of(DISTRICT, listing.REVOKED))) == 5
    assert listing.page(SLUG, DISTRICT, after="rubbish_x").rows
    assert listing.page(SLUG, DISTRICT, listing.ENDING, after=f"2026-01-01T00:00:00_{uuid.uuid4()}").rows == []


def test_a_list_asks_the_same_however_many_are_on_it(seat):
    at, counts, said = seat(), [], []

    def listen(_connection, _cursor, statement, *_rest):
        said.append(statement)

    certified(100)
    event.listen(db.engine, "before_cursor_execute", listen)
    try:
        for more in (range(0), range(1, 6)):
            for number in more:
                certified(100 + number)
            at.get(PAGES)
            said.clear()
            at.get(PAGES)
            counts.append(len(said))
    finally:
        event.remove(db.engine, "before_cursor_execute", listen)
    assert counts[0] == counts[1]


def test_each_list_goes_along_an_index(school):
    """On both databases, with nothing sorted or gone through that is not shown."""
    for region, which in ((DISTRICT, listing.ALL), (LIULIAN, listing.ALL), (listing.UNKNOWN, listing.ALL),
                          (DISTRICT, listing.ENDING), (DISTRICT, listing.REVOKED), (listing.UNKNOWN, listing.REVOKED)):
        for after in ("", f"{LIULIAN}_0199f5a0-0000-7000-8000-000000000001"):
            wanted = listing.statement(SLUG, region, which, after=after if which == listing.ALL else "")
            plan = _plan(wanted)
            assert "ix_certificate_" in plan, plan
            assert {listing.REVOKED: "_back", listing.ENDING: "_ends"}.get(which, "_region") in plan, plan
            assert "SCAN certificate" not in plan.replace("USING INDEX", ""), plan


def _plan(statement):
    compiled = statement.compile(db.engine, compile_kwargs={"literal_binds": True})
    if db.engine.dialect.name == "sqlite":
        return "\n".join(row[-1] for row in db.session.execute(text(f"EXPLAIN QUERY PLAN {compiled}")))
    db.session.execute(text("SET LOCAL enable_seqscan = off"))
    return "\n".join(row[0] for row in db.session.execute(text(f"EXPLAIN {compiled}")))
