"""Paper for many communities at once: made once, also when whoever makes it dies, and never after it was cancelled."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.core.errors import Conflict, Forbidden, Invalid
from portal.identity.rights import SHELTERS, TRANSFERS, VIEWER
from portal.shelters.models import PaperJob
from portal.shelters.paper import documents, jobs
from tests import district
from tests.district import DISTRICT, KENGZI, LIULIAN, PINGSHAN
from tests.shelters.paper import reading

BOTH = [LIULIAN, "440310001002"]


@pytest.fixture
def keeper(town):
    return district.office("keeper", (SHELTERS, DISTRICT, "red"))


def fresh(job: PaperJob) -> PaperJob:
    district.forget()
    found = jobs.get(job.id)
    assert found
    return found


def test_a_job_makes_one_file_of_all_sheets_and_says_how_far_it_is(database_kind, town, keeper):
    job = jobs.ask(keeper, ["map", "card"], [PINGSHAN], "zh")
    assert (job.total, job.state, len(job.region_codes)) == (10, "waiting", 5)
    assert jobs.seconds_left(job, utcnow()) >= 1
    assert jobs.run_next(town)
    made = fresh(job)
    assert (made.state, made.done, made.owner) == ("done", 10, "")
    pdf = jobs.data(job.id)
    assert made.size == len(pdf)
    assert reading.sizes(pdf) == [reading.A4] * 10
    assert "六联社区疏散路线图" in reading.text(pdf, 0)
    assert not jobs.run_next(town), "nothing is made twice"


def test_a_job_whose_maker_died_is_taken_up_again_and_what_the_dead_one_writes_late_is_lost(database_kind, town, keeper):
    job = jobs.ask(keeper, ["plan"], BOTH, "en")
    dead = jobs._Making(*jobs._claim(utcnow()))
    assert fresh(job).state == "running"
    assert not jobs.run_next(town), "it lives, as far as anybody knows"
    with transaction() as session:
        session.execute(update(PaperJob).values(beat_at=utcnow() - jobs.LEASE - timedelta(seconds=1)))
    assert jobs.run_next(town)
    made = jobs.data(job.id)
    dead._finish(b"late", "")
    assert jobs.data(job.id) == made
    assert fresh(job).state == "done"
    with pytest.raises(jobs._Taken):
        dead._write(done=1)


def test_two_workers_never_make_the_same_job(database_kind, town, keeper):
    jobs.ask(keeper, ["plan"], BOTH, "zh")
    now = utcnow()
    assert jobs._claim(now) is not None
    assert jobs._claim(now) is None


def test_a_cancelled_job_is_not_made_and_one_that_is_cancelled_meanwhile_stops(town, keeper, monkeypatch):
    first = jobs.ask(keeper, ["plan"], BOTH, "zh")
    jobs.cancel(keeper, first.id)
    assert not jobs.run_next(town)
    second = jobs.ask(keeper, ["plan"], [DISTRICT], "zh")
    drawn, draw = [], documents.draw_into
    monkeypatch.setattr(jobs, "_BEAT_SECONDS", 0)

    def cancelled_in_between(document, kind, facts):
        drawn.append(facts.code)
        if len(drawn) == 2:
            jobs.cancel(keeper, second.id)
        return draw(document, kind, facts)

    monkeypatch.setattr(documents, "draw_into", cancelled_in_between)
    assert jobs.run_next(town)
    assert len(drawn) == 2
    assert (fresh(second).state, jobs.data(second.id)) == ("cancelled", None)
    with pytest.raises(Conflict):
        jobs.cancel(keeper, second.id)


def test_what_fails_is_named_the_rest_is_made_and_only_that_is_tried_again(town, keeper, monkeypatch):
    draw = documents.draw_into

    def broken(document, kind, facts):
        if facts.code == LIULIAN and kind == "map":
            document.sheet().text(10, 10, "half of a sheet")
            raise ZeroDivisionError
        return draw(document, kind, facts)

    with monkeypatch.context() as bad:
        bad.setattr(documents, "draw_into", broken)
        job = jobs.ask(keeper, ["map", "plan"], BOTH, "en")
        jobs.run_next(town)
    made = fresh(job)
    assert made.state == "done"
    assert [(f.code, f.kind, f.why) for f in jobs.failures(made)] == [(LIULIAN, "map", "ZeroDivisionError")]
    pdf = jobs.data(job.id)
    assert len(reading.sizes(pdf)) == 3
    assert not any("half of a sheet" in reading.text(pdf, n) for n in range(3))
    again = jobs.retry(keeper, job.id)
    assert (again.kinds, again.region_codes) == (["map"], [LIULIAN])
    jobs.run_next(town)
    assert "Liulian Community: evacuation map" in reading.text(jobs.data(again.id))


def test_a_job_of_which_nothing_can_be_made_has_failed_and_can_be_made_again(town, keeper, monkeypatch):
    job = jobs.ask(keeper, ["card"], BOTH, "zh")
    with monkeypatch.context() as bad:
        bad.setattr(jobs.source, "Source", lambda *_args: 1 / 0)
        jobs.run_next(town)
    assert (fresh(job).state, fresh(job).error) == ("failed", "broken")
    assert jobs.retry(keeper, job.id).region_codes == sorted(BOTH)


def test_files_go_after_seven_days_and_what_is_not_done_stays(town, keeper):
    old, waiting = (jobs.ask(keeper, ["card"], [LIULIAN], "zh").id for _n in range(2))
    jobs.run_next(town)
    assert jobs.remove_old(utcnow() + timedelta(days=6)) == 0
    assert jobs.remove_old(utcnow() + timedelta(days=8)) == 1
    district.forget()
    assert jobs.get(old) is None
    assert jobs.get(waiting) is not None


def test_who_may_print_what(town):
    street = district.office("street", (SHELTERS, PINGSHAN, "red"))
    community = district.office("community", (TRANSFERS, LIULIAN, "red"))
    viewer = district.office("viewer", (VIEWER, DISTRICT, "red"))
    mine = jobs.ask(street, ["card"], [PINGSHAN], "zh")
    jobs.ask(community, ["card"], [LIULIAN], "zh")
    for account, code in ((street, KENGZI), (community, PINGSHAN), (viewer, LIULIAN)):
        with pytest.raises(Forbidden):
            jobs.ask(account, ["card"], [code], "zh")
    with pytest.raises(Forbidden):
        jobs.cancel(community, mine.id)
    assert len(jobs.listing(street)) == 2
    assert [j.region_codes for j in jobs.listing(community)] == [[LIULIAN]]
    assert jobs.listing(viewer) == []


@pytest.mark.parametrize(("kinds", "codes", "language", "family", "field"), [
    ([], [LIULIAN], "zh", "", "kinds"), (["poster"], [LIULIAN], "zh", "", "kinds"), (["map"], [], "zh", "", "region_codes"),
    (["map"], ["nowhere"], "zh", "", "region_codes"), (["map"], [LIULIAN], "fr", "", "language"),
    (["map"], [LIULIAN], "zh", "rain", "family")])
def test_what_cannot_be_made_is_refused_at_its_field(town, keeper, kinds, codes, language, family, field):
    with pytest.raises(Invalid) as refusal:
        jobs.ask(keeper, kinds, codes, language, family)
    assert [p.field for p in refusal.value.problems] == [field]


def test_nobody_fills_the_queue_alone_and_no_file_is_endless(town, keeper, monkeypatch):
    for _n in range(jobs.MOST_OPEN):
        jobs.ask(keeper, ["card"], [LIULIAN], "zh")
    with pytest.raises(Invalid):
        jobs.ask(keeper, ["card"], [LIULIAN], "zh")
    monkeypatch.setattr(jobs, "MOST_SHEETS", 3)
    with pytest.raises(Invalid) as refusal:
        jobs.ask(district.office("other", (SHELTERS, DISTRICT, "red")), ["card", "map"], BOTH, "zh")
    assert refusal.value.problems[0].field == "region_codes"


def test_the_trail_says_who_asked_for_what(town, keeper):
    job = jobs.ask(keeper, ["card"], [PINGSHAN], "zh")
    jobs.cancel(keeper, job.id)
    found = db.session.execute(select(audit.AuditEntry).where(audit.AuditEntry.subject == f"paper:{job.id}")).scalars().all()
    assert [e.action for e in found] == ["paper.ask", "paper.cancel"]
    assert found[0].details["regions"] == [PINGSHAN]
