"""Lists of people: read from what spreadsheets write, all wrong rows named, taken in whole or not at all, on both databases."""

from __future__ import annotations

import threading

import pytest
from flask import current_app
from sqlalchemy import func, select

from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.core.errors import Conflict, Forbidden
from portal.training import courses_store
from portal.training.group_models import CohortMember
from portal.training.groups import cohorts, roster, roster_file, roster_out
from portal.training.learners import door, own
from portal.training.models import Enrolment, Learner, LearnerSession
from tests.district import LIULIAN
from tests.training.groups.conftest import listed, made, people, phone
from tests.waiting import until_somebody_waits_for_a_lock


def counted(table):
    db.session.rollback()
    return db.session.execute(select(func.count()).select_from(table)).scalar_one()


def read(rows, **heading):
    return roster_file.read(listed(rows, **heading).encode())


def find(number):
    db.session.rollback()
    index = current_app.extensions["phones"].index("+86" + number)
    return db.session.execute(select(Learner).where(Learner.phone_index == index)).scalar_one_or_none()


def join(number, name=None):
    """Somebody who came by himself; the learner's id."""
    book = current_app.extensions["phones"]
    with transaction() as session:
        row = Learner(phone_sealed=book.seal("+86" + number), phone_index=book.index("+86" + number), tail=number[-4:],
                      language="zh", joined_at=utcnow(), seen_at=utcnow())
        session.add(row)
        session.flush()
        if name:
            own.set_name(session, row, name)
    return row.id


def test_of_ten_thousand_rows_37_wrong_ones_are_all_named_and_nothing_is_taken_in(trainer, cohort):
    rows, wrong = people(10_000), {}
    faults = [(1, "12345", "phone"), (1, "", "phone"), (2, "x" * 60, "number"), (3, "无此社区", "community"),
              (0, "12345", "name"), (1, "1.29E+10", "phone"), (1, phone(7), "phone"), (2, "S8", "number")]
    for n in range(37):
        at, (column, text, field) = 100 + n * 260, faults[n % len(faults)]
        row = list(rows[at])
        row[column] = text
        rows[at], wrong[at + 2] = tuple(row), field
    report = roster.take_in(trainer, cohort.id, read(rows))
    assert {one.line: one.problems[0].field for one in report.faults.named} == wrong
    assert (report.rows, report.faults.count, report.at, len(wrong)) == (10_000, 37, None, 37)
    assert all(str(problem.message) for one in report.faults.named for problem in one.problems)
    assert (counted(Learner), counted(CohortMember)) == (0, 0)


def test_a_good_file_is_taken_in_whole_sealed_and_in_few_statements(trainer, cohort, statements):
    report = roster.take_in(trainer, cohort.id, read(people(1200)))
    assert (report.new, report.joined, report.members, report.faults.count) == (1200, 0, 0, 0)
    assert (counted(Learner), counted(CohortMember)) == (1200, 1200)
    assert len(statements) < 60  # 1,200 people in three chunks
    somebody = find(phone(77))
    assert own.name(somebody) == "甲77"
    assert "甲77".encode() not in somebody.name_sealed
    assert phone(77).encode() not in somebody.phone_sealed
    assert somebody.tail == phone(77)[-4:]


def test_a_list_goes_out_in_one_statement_for_each_five_hundred(trainer, cohort, statements):
    roster.take_in(trainer, cohort.id, read(people(600)))
    db.session.rollback()
    del statements[:]
    out = list(roster_out.rows(cohort.id))
    assert [row[:3] for row in out] == [(f"甲{n}", phone(n), f"S{n}") for n in range(1, 601)]
    assert len([one for one in statements if one.startswith("SELECT")]) == 2


def test_whoever_stands_in_a_list_has_agreed_to_nothing(trainer, cohort):
    roster.take_in(trainer, cohort.id, read(people(3)))
    assert [one.on_call_at for one in db.session.execute(select(Learner)).scalars()] == [None] * 3
    assert counted(Enrolment) == 0


def test_the_same_file_twice_adds_nobody(trainer, cohort):
    roster.take_in(trainer, cohort.id, read(people(5)))
    again = roster.take_in(trainer, cohort.id, read(people(7)))
    assert (again.new, again.members, again.added) == (2, 5, 2)
    assert (counted(Learner), counted(CohortMember)) == (7, 7)


def test_who_is_a_learner_is_joined_and_keeps_the_own_name_and_who_has_none_gets_the_lists(trainer, cohort):
    named, nameless = join(phone(1), "自己起的名"), join(phone(2))
    looked = roster.check(cohort, read(people(3)))
    report = roster.take_in(trainer, cohort.id, read(people(3)))
    assert (report.new, report.joined, report.kept, report.names_filled) == (1, 2, [2], 1)
    assert (looked.new, looked.joined, looked.kept, looked.names_filled) == (1, 2, [2], 1)
    db.session.rollback()
    assert own.name(db.session.get(Learner, named)) == "自己起的名"
    assert own.name(db.session.get(Learner, nameless)) == "甲2"


def test_a_community_of_the_list_is_taken_where_none_is_known_and_every_row_of_a_course_follows(trainer, cohort):
    without, version = join(phone(1)), courses_store.current("sample")[0]
    with transaction() as session:
        session.add(Enrolment(learner_id=without, slug="sample", version_id=version, started_at=utcnow(), at=utcnow()))
    rows = [("", phone(1), "", "六联社区"), ("", phone(2), "", LIULIAN)]
    assert roster.take_in(trainer, cohort.id, read(rows)).faults.count == 0
    db.session.rollback()
    assert [one.region_code for one in db.session.execute(select(Learner).order_by(Learner.id)).scalars()] == [LIULIAN] * 2
    assert db.session.get(Enrolment, (without, "sample"), populate_existing=True).region_code == LIULIAN


def test_a_number_of_another_member_is_wrong_and_one_of_another_cohort_is_not(trainer, cohort):
    roster.take_in(trainer, cohort.id, read(people(2)))
    other = made(trainer, "三年级二班")
    rows = [("乙", phone(50), "S1", "")]
    report = roster.take_in(trainer, cohort.id, read(rows))
    assert [(one.line, one.problems[0].field) for one in report.faults.named] == [(2, "number")]
    assert counted(CohortMember) == 2
    assert roster.take_in(trainer, other.id, read(rows)).new == 1


def test_what_an_import_added_can_be_taken_back_and_whoever_did_something_since_stays(trainer, cohort):
    joined = join(phone(1))
    roster.take_in(trainer, cohort.id, read(people(1, 9)))
    report = roster.take_in(trainer, cohort.id, read(people(4)))
    busy = find(phone(2))
    with transaction() as session:
        door.PASS.begin(session, busy.id)
    assert roster.take_back(trainer, cohort.id, report.at) == (4, 2)
    assert counted(CohortMember) == 1
    assert [find(phone(n)) is not None for n in (1, 2, 3, 4, 9)] == [True, True, False, False, True]
    assert db.session.get(Learner, joined) is not None


def test_whoever_leaves_a_cohort_and_never_came_leaves_the_portal(trainer, cohort):
    stays = join(phone(1))
    roster.take_in(trainer, cohort.id, read(people(2)))
    for number in (1, 2):
        assert cohorts.take_out(trainer, cohort.id, find(phone(number)).id)
    assert not cohorts.take_out(trainer, cohort.id, stays)
    assert [find(phone(n)) is not None for n in (1, 2)] == [True, False]


def test_a_trainer_of_another_street_and_an_ended_cohort_take_nobody_in(trainer, street_trainer, cohort):
    with pytest.raises(Forbidden):
        roster.take_in(street_trainer, cohort.id, read(people(1)))
    with pytest.raises(LookupError):
        cohorts.take_out(street_trainer, cohort.id, 1)
    cohorts.end(trainer, cohort.id, cohort.version)
    with pytest.raises(Conflict):
        roster.take_in(trainer, cohort.id, read(people(1)))
    assert counted(Learner) == 0


def test_the_same_list_twice_at_once_makes_nobody_twice_and_the_second_is_told(trainer, cohort, town, database_url, monkeypatch):
    fill, told = roster._fill, []

    def second():
        with town.app_context():
            try:
                told.append(roster.take_in(trainer, cohort.id, read(people(3))))
            except Conflict as conflict:
                told.append(conflict)

    thread = threading.Thread(target=second)

    def filled(session, later):
        fill(session, later)
        if not told and not thread.is_alive():
            thread.start()
            until_somebody_waits_for_a_lock(database_url)

    monkeypatch.setattr(roster, "_fill", filled)
    assert roster.take_in(trainer, cohort.id, read(people(3))).new == 3
    thread.join(60)
    assert (counted(Learner), counted(CohortMember)) == (3, 3)
    assert isinstance(told[0], Conflict) or (told[0].new, told[0].members) == (0, 3)


def test_whoever_signs_in_while_a_list_that_names_him_is_taken_in_is_one_learner_and_nobody_is_refused(
        trainer, cohort, town, database_url, monkeypatch):
    write, secrets = roster._write, []
    monkeypatch.setattr(door.codes, "check_code", lambda *_what: True)

    def come():
        with town.test_request_context():
            secrets.append(door.enter("+86" + phone(1), "123456"))

    thread = threading.Thread(target=come)

    def written(*what):
        write(*what)
        thread.start()
        until_somebody_waits_for_a_lock(database_url)

    monkeypatch.setattr(roster, "_write", written)
    assert roster.take_in(trainer, cohort.id, read(people(3))).new == 3
    thread.join(60)
    assert secrets[0]
    assert (counted(Learner), counted(LearnerSession)) == (3, 1)
    assert find(phone(1)).id == db.session.execute(select(LearnerSession.learner_id)).scalar_one()


def test_whoever_signs_in_while_his_list_is_taken_back_stays_or_is_made_anew(trainer, cohort, town, database_url, monkeypatch):
    report, secrets = roster.take_in(trainer, cohort.id, read(people(2))), []
    forget = cohorts.forget_unused
    monkeypatch.setattr(door.codes, "check_code", lambda *_what: True)

    def come():
        with town.test_request_context():
            secrets.append(door.enter("+86" + phone(1), "123456"))

    thread = threading.Thread(target=come)

    def forgotten(*what):
        thread.start()
        until_somebody_waits_for_a_lock(database_url)
        return forget(*what)

    monkeypatch.setattr(cohorts, "forget_unused", forgotten)
    assert roster.take_back(trainer, cohort.id, report.at) == (2, 2)
    thread.join(60)
    assert secrets[0]
    assert find(phone(1)).id == db.session.execute(select(LearnerSession.learner_id)).scalar_one()
