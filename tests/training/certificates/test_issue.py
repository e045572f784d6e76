"""Granting, renewing, taking back: once each, on both databases, and never without reason."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.core.errors import Conflict, Forbidden, Invalid
from portal.identity.rights import TRAINER
from portal.training import courses_store
from portal.training.certificate_models import Certificate
from portal.training.certificates import credential, issue, renewal, serial, signing, status_list, store
from portal.training.exams import attempts, rules
from portal.training.learners import own
from portal.training.models import Enrolment, Learner
from portal.training.standing import Gates
from tests.district import DISTRICT, PINGSHAN, office
from tests.training.certificates.people import SLUG, certified, learner, pass_exam, pass_skill

REASON = "冒名顶替考试，经核实"


def only(learner_id):
    [found] = db.session.execute(select(Certificate).where(Certificate.learner_id == learner_id)).scalars().all()
    return found


def count():
    db.session.rollback()
    return db.session.execute(select(func.count()).select_from(Certificate)).scalar_one()


def acts():
    return [entry.action for entry in db.session.execute(select(audit.AuditEntry)).scalars() if "certificate" in entry.action]


def test_a_certificate_comes_with_the_last_gate_and_holds_what_was_earned(school):
    person = learner()
    pass_exam(person)
    assert count() == 0
    pass_skill(person)
    [one] = store.of_learner(person)
    assert one.state == store.VALID
    assert serial.is_whole(one.row.serial)
    assert issue.name_on(one.row) == "王小明"
    assert one.row.region_code == "440310001001"
    said = credential.read(signing.verify(issue.token_of(one.row), signing.trusted(school.extensions["anlan"])))
    assert (said.serial, said.issued_at, said.valid_until) == (one.row.serial, one.row.issued_at, one.row.valid_until)
    assert said.has_name("王小明")
    assert acts() == ["certificate.issue"]
    assert db.session.get(Enrolment, (person, SLUG)).certified_until == one.row.valid_until


def test_neither_names_nor_credentials_lie_open_in_the_database(school):
    one = only(certified(name="王小明"))
    stored = db.session.execute(select(Certificate.__table__)).one()
    assert all("王小明".encode() not in (value if isinstance(value, bytes) else str(value).encode()) for value in stored)
    assert "." not in one.credential


def test_whoever_gave_no_name_gets_it_when_the_name_is_given(school):
    person = learner(name=None)
    pass_exam(person)
    pass_skill(person)
    assert count() == 0
    with transaction() as session:
        own.set_name(session, session.get(Learner, person), "李雷")
    assert issue.name_on(only(person)) == "李雷"


def test_handing_in_the_exam_grants_it_and_keys_that_cannot_be_read_cost_nobody_his_exam(school, trainer, monkeypatch):
    monkeypatch.setattr(rules, "passes", lambda *_points: True)
    first, second = learner(1), learner(2)
    for person in (first, second):
        pass_skill(person)

    def sit(person):
        attempt, secret = attempts.start(person, SLUG)
        return attempts.submit(person, attempt.id, secret)

    assert sit(first).passed
    assert [one.state for one in store.of_learner(first)] == [store.VALID]
    with monkeypatch.context() as broken:
        broken.setattr(signing, "known", lambda _settings: (_ for _ in ()).throw(OSError("no disk")))
        assert sit(second).passed
    assert store.of_learner(second) == []
    assert issue.issue_due(trainer, SLUG, region_code=DISTRICT) == issue.Granted(1, 0, 0, 0)
    assert [one.state for one in store.of_learner(second)] == [store.VALID]


def test_asking_again_grants_nothing(school):
    person = certified()
    for _again in range(3):
        with transaction() as session:
            assert issue.issue_if_due(session, person, SLUG) is None
        pass_exam(person)
    assert count() == 1


def test_of_many_who_ask_at_once_one_grants(school):
    person = learner(name=None)
    pass_exam(person)
    pass_skill(person)
    with transaction() as session:
        session.get(Learner, person).name_sealed = own.sealed(person, "王小明")
    start, made, failed = threading.Barrier(4), [], []

    def ask():
        with school.app_context():
            start.wait()
            try:
                with transaction() as session:
                    made.append(issue.issue_if_due(session, person, SLUG))
            except Exception as error:
                failed.append(error)

    threads = [threading.Thread(target=ask) for _one in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert sum(one is not None for one in made) == 1
    assert count() == 1


# -- until when ----------------------------------------------------------------------------------------------
def test_a_certificate_holds_until_the_end_of_a_day_in_the_district(site_alone):
    for issued, months, until in (
            ("2026-11-25T03:00", 24, "2028-11-24T15:59:59"), ("2026-11-24T16:00", 24, "2028-11-24T15:59:59"),
            ("2026-11-24T15:59", 24, "2028-11-23T15:59:59"), ("2027-12-31T03:00", 2, "2028-02-28T15:59:59"),
            ("2026-12-05T03:00", 1, "2027-01-04T15:59:59"), ("2026-11-25T03:00", 0, None)):
        moment = datetime.fromisoformat(issued).replace(tzinfo=UTC)
        assert issue.end(moment, months, None) == (datetime.fromisoformat(until).replace(tzinfo=UTC) if until else None)


def test_whoever_renews_early_loses_no_day(site_alone):
    held = Certificate(valid_until=datetime(2028, 11, 24, 15, 59, 59, tzinfo=UTC))
    assert issue.end(datetime(2028, 9, 1, tzinfo=UTC), 24, held) == datetime(2030, 11, 24, 15, 59, 59, tzinfo=UTC)
    assert issue.end(datetime(2029, 9, 1, tzinfo=UTC), 24, held) == datetime(2031, 8, 31, 15, 59, 59, tzinfo=UTC)


# -- renewing ------------------------------------------------------------------------------------------------
def test_a_certificate_is_renewed_by_the_exam_once_its_time_has_come(school, clock):
    person = certified()
    first = only(person)
    exam = courses_store.current(SLUG)[1].exam
    assert attempts.standing(exam, attempts.past(person, SLUG)).hindrance == "passed"
    assert renewal.open_since(person, SLUG) is None
    clock.ahead = timedelta(days=690)  # within 90 days of the end
    assert renewal.open_since(person, SLUG) is not None
    assert attempts.standing(exam, attempts.past(person, SLUG)).may
    assert renewal.way(person, courses_store.current(SLUG)[1], renewal.open_since(person, SLUG)).exam
    pass_exam(person, clock())
    new, old = store.of_learner(person)
    assert (new.row.renews, new.state) == (first.id, store.VALID)
    assert (old.state, old.by) == (store.RENEWED, new.row.serial)
    assert new.row.valid_until > first.valid_until + timedelta(days=700)
    assert attempts.standing(exam, attempts.past(person, SLUG)).hindrance == "passed"
    assert acts() == ["certificate.issue", "certificate.renew"]
    pass_exam(person, clock())
    assert count() == 2


def test_an_exam_before_its_time_renews_nothing(school, clock):
    person = certified()
    clock.ahead = timedelta(days=600)
    pass_exam(person, clock())
    clock.ahead = timedelta(days=800)
    pass_exam(person, utcnow() + timedelta(days=605))
    assert count() == 1
    assert store.of_learner(person)[0].state == store.EXPIRED


def test_a_course_may_ask_for_skills_again(school, clock, change):
    change("course.yaml", "practical: [cpr]", "practical: [cpr]\nrenewal: {days_before: 30, exam: false, skills: [cpr]}")
    courses_store.sync()
    person = certified()
    assert renewal.gates(person, SLUG).skills_open == ()
    clock.ahead = timedelta(days=715)
    assert renewal.gates(person, SLUG) == Gates(theory=True, practical=False, skills_open=("cpr",))  # to be booked again
    pass_exam(person, clock())
    assert count() == 1
    pass_skill(person, clock())
    assert count() == 2
    assert renewal.gates(person, SLUG).skills_open == ()


def test_a_certificate_without_end_needs_no_renewal(school, clock, change):
    change("course.yaml", "validity_months: 24", "validity_months: 0")
    courses_store.sync()
    person = certified()
    clock.ahead = timedelta(days=9000)
    pass_exam(person, clock())
    assert (count(), only(person).valid_until, store.of_learner(person)[0].state) == (1, None, store.VALID)


# -- taking back ---------------------------------------------------------------------------------------------
def test_what_is_taken_back_is_not_granted_again_by_itself_and_can_be_given_back(school, trainer):
    person = certified()
    number = only(person).serial
    issue.revoke(trainer, number, REASON)
    assert store.by_serial(number).state == store.REVOKED
    assert db.session.get(Enrolment, (person, SLUG)).certified_until is None
    pass_exam(person)
    assert count() == 1
    assert store.revoked_places(only(person).status_index // status_list.SIZE) == [only(person).status_index % status_list.SIZE]
    with pytest.raises(Conflict):
        issue.revoke(trainer, number, REASON)
    issue.reinstate(trainer, number, "复核后撤销原决定")
    assert store.by_serial(number).state == store.VALID
    assert store.revoked_places(0) == []
    with pytest.raises(Conflict):
        issue.reinstate(trainer, number, REASON)
    assert acts() == ["certificate.issue", "certificate.revoke", "certificate.reinstate"]


def test_a_renewal_that_is_taken_back_is_not_granted_again_by_the_exam_that_earned_it(school, trainer, clock):
    person = certified()
    first = only(person)
    clock.ahead = timedelta(days=690)
    pass_exam(person, clock())
    renewed = store.of_learner(person)[0].row.serial
    issue.revoke(trainer, renewed, REASON)
    pass_exam(person, clock())
    assert renewal.open_since(person, SLUG) is None
    assert issue.issue_due(trainer, SLUG, region_code=DISTRICT).granted == 0
    assert count() == 2
    assert [store.by_serial(one).state for one in (renewed, first.serial)] == [store.REVOKED, store.VALID]
    issue.reinstate(trainer, renewed, "复核后撤销原决定")
    assert [store.by_serial(one).state for one in (renewed, first.serial)] == [store.VALID, store.RENEWED]


def test_who_has_no_name_or_had_it_taken_back_keeps_nobody_from_being_granted_by_hand(school, trainer, monkeypatch):
    monkeypatch.setattr(issue, "MOST_AT_ONCE", 1)
    issue.revoke(trainer, only(certified(1)).serial, REASON)
    waiting = [learner(number, None) for number in (2, 3, 4)]
    for person in waiting:
        pass_exam(person)
        pass_skill(person)
    with transaction() as session:
        for person in waiting[1:]:
            session.get(Learner, person).name_sealed = own.sealed(person, "李雷")
    assert issue.issue_due(trainer, SLUG, region_code=DISTRICT) == issue.Granted(1, 1, 1, 1)
    assert issue.issue_due(trainer, SLUG, region_code=DISTRICT) == issue.Granted(1, 1, 1, 0)
    assert issue.issue_due(trainer, SLUG, region_code=DISTRICT) == issue.Granted(0, 1, 1, 0)


def test_only_who_trains_for_the_district_takes_back_and_says_why(school, trainer):
    number = only(certified()).serial
    street = office("street", (TRAINER, PINGSHAN, "white"))
    for act in (lambda: issue.revoke(street, number, REASON), lambda: issue.reinstate(street, number, REASON),
                lambda: issue.reissue(street, number)):
        with pytest.raises(Forbidden):
            act()
    for reason in ("", "  ", "x", "长" * 301):
        with pytest.raises(Invalid):
            issue.revoke(trainer, number, reason)
    with pytest.raises(LookupError):
        issue.revoke(trainer, "23456789ABCD", REASON)
    assert store.by_serial(number).state == store.VALID


def test_a_corrected_name_replaces_the_certificate_with_the_same_dates(school, trainer):
    person = certified()
    old = only(person)
    with pytest.raises(Conflict):
        issue.reissue(trainer, old.serial)
    with transaction() as session:
        own.set_name(session, session.get(Learner, person), "王晓明")
    assert count() == 1
    new = issue.reissue(trainer, old.serial)
    assert (issue.name_on(new), new.issued_at, new.valid_until) == ("王晓明", old.issued_at, old.valid_until)
    replaced = store.by_serial(old.serial)
    assert (replaced.state, replaced.by) == (store.REPLACED, new.serial)
    assert not store.printed(store.by_serial(new.serial), "王晓明", "x", "", lambda moment: moment.date()).renewed
    for refused in (lambda: issue.reissue(trainer, old.serial), lambda: issue.reinstate(trainer, old.serial, REASON)):
        with pytest.raises(Conflict):
            refused()
    assert db.session.get(Enrolment, (person, SLUG)).certified_until == new.valid_until


# -- leaving -------------------------------------------------------------------------------------------------
def test_who_erases_himself_leaves_a_certificate_that_names_nobody(school, trainer):
    person = certified()
    number = only(person).serial
    own.erase(db.session.get(Learner, person))
    left = store.by_serial(number)
    assert left.state == store.VALID
    assert (left.row.learner_id, left.row.region_code, issue.name_on(left.row), issue.token_of(left.row)) == (None,) * 4
    issue.revoke(trainer, number, REASON)
    assert store.by_serial(number).state == store.REVOKED
    with pytest.raises(Conflict):
        issue.reissue(trainer, number)


@pytest.mark.parametrize(("name", "shown"), [("王小明", "王**"), ("Wang Xiaoming", "W**"), ("𠮷田", "𠮷**"), (" 李", "李**"),
                                              (None, ""), ("阿卜杜热西提·买买提", "阿**")])
def test_a_name_is_shown_to_strangers_by_its_first_character(name, shown):
    assert store.masked(name) == shown
