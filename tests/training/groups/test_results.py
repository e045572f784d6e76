"""Practical results from a file: whole or not at all, by whoever imports them, and what follows for each learner."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from portal.core import audit
from portal.core.db import db, transaction
from portal.core.errors import Forbidden
from portal.training import courses_store, standing
from portal.training.groups import cohorts, results, results_file, roster, roster_file, tables
from portal.training.models import Enrolment, Learner
from portal.training.practical_models import Assessment, Booking, PracticalSession
from tests.training.groups.conftest import listed, people, phone
from tests.training.test_standing import attempt

HEADING = "学号,手机号,技能,结果,日期"


@pytest.fixture
def members(trainer, cohort):
    """Learner by number, of a cohort of 12 of whom all but the last have passed the theory."""
    roster.take_in(trainer, cohort.id, roster_file.read(listed(people(12)).encode()))
    db.session.rollback()
    ids = dict(enumerate(db.session.execute(select(Learner.id).order_by(Learner.id)).scalars(), 1))
    with transaction() as session:
        session.add_all([attempt(one, 1, 90, 5, passed=True) for one in list(ids.values())[:-1]])
        standing.recount(session, ids.values(), "sample")
    return ids


def read(rows):
    return results_file.read(listed(rows, HEADING).encode("gbk"), courses_store.current("sample")[1])


def counted(table):
    db.session.rollback()
    return db.session.execute(select(func.count()).select_from(table)).scalar_one()


def row(learner_id):
    db.session.rollback()
    return db.session.get(Enrolment, (learner_id, "sample"), populate_existing=True)


def test_results_become_assessments_of_the_importer_and_open_the_gate(trainer, cohort, members, monkeypatch):
    told = []
    monkeypatch.setattr(standing, "AFTER_TOUCH", [lambda _session, learner_id, _slug: told.append(learner_id)])
    file = read([("S1", "", "cpr", "通过", "2026-11-02"), ("", phone(2), "成人心肺复苏", "合格", "2026/11/2"),
                 ("S3", phone(3), "Adult CPR", "未通过", "20261103")])
    assert results.check(trainer, cohort, file).people == 3
    assert counted(Assessment) == 0
    report = results.take_in(trainer, cohort, file)
    assert (report.rows, report.passed, report.failed, report.faults.count, report.done) == (3, 2, 1, 0, True)
    assert [row(members[n]).practical_at is not None for n in (1, 2, 3)] == [True, True, False]
    assert sorted(told) == [members[n] for n in (1, 2, 3)]
    said = list(db.session.execute(select(Assessment)).scalars())
    assert {one.assessor_id for one in said} == {trainer.id}
    assert sorted(db.session.execute(select(PracticalSession.seats)).scalars()) == [1, 2]  # as many as were there
    assert counted(Booking) == 3
    assert db.session.query(audit.AuditEntry).filter_by(action="results.import").one().details["passed"] == 2


def test_the_same_file_again_changes_nothing_and_a_corrected_one_counts(trainer, cohort, members):
    rows = [("S1", "", "cpr", "未通过", "2026-11-02"), ("S2", "", "cpr", "通过", "2026-11-02")]
    results.take_in(trainer, cohort, read(rows))
    again = results.take_in(trainer, cohort, read(rows))
    assert (again.unchanged, again.people, counted(Assessment)) == (2, 0, 2)
    for word, passed in (("通过", True), ("未通过", False), ("通过", True)):
        results.take_in(trainer, cohort, read([("S1", "", "cpr", word, "2026-11-02")]))
        assert (row(members[1]).practical_at is not None) is passed
    assert counted(PracticalSession) == 1


def test_one_wrong_row_and_nothing_is_taken_in_and_each_is_named(trainer, cohort, members):
    rows = [("S1", "", "cpr", "通过", ""), ("S99", "", "cpr", "通过", ""), ("S2", "", "swim", "通过", ""),
            ("S3", "", "cpr", "也许", ""), ("S4", "", "cpr", "通过", "2099-01-01"), ("S5", "", "cpr", "通过", "昨天"),
            ("", "", "cpr", "通过", ""), ("S6", phone(7), "cpr", "通过", ""), ("S1", "", "cpr", "未通过", ""),
            ("S12", "", "cpr", "通过", ""), ("S8", phone(99), "cpr", "通过", ""), ("", "123", "cpr", "通过", "")]
    report = results.take_in(trainer, cohort, read(rows))
    assert [one.line for one in report.faults.in_order()] == list(range(3, 14))
    assert not report.done
    assert (counted(Assessment), counted(PracticalSession)) == (0, 0)
    assert row(members[1]).practical_at is None


def test_another_street_brings_no_results_and_no_more_rows_than_a_file_may_have(street_trainer, trainer, cohort, members,
                                                                               monkeypatch):
    with pytest.raises(Forbidden):
        results.take_in(street_trainer, cohort, read([("S1", "", "cpr", "通过", "")]))
    assert cohorts.get(street_trainer, cohort.id) is None
    monkeypatch.setattr(results_file, "MOST_ROWS", 2)
    with pytest.raises(tables.Unreadable):
        read([(f"S{n}", "", "cpr", "通过", "") for n in range(1, 4)])


def test_a_sample_file_is_right_but_for_its_people(trainer, cohort, members):
    for language in ("zh", "en"):
        found = results_file.read(b"".join(results_file.sample(courses_store.current("sample")[1], language)),
                                  courses_store.current("sample")[1])
        assert (len(found.rows), found.faults.count) == (1, 0)
