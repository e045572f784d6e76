"""The first of the desk's pages of training: what waits for whom, and that a subdistrict's trainer sees his own."""

from __future__ import annotations

import re
from datetime import timedelta

import lxml.html
import pytest

from portal.core.clock import utcnow
from portal.core.db import transaction, uuid7
from portal.identity.rights import ADMINISTRATOR, DRAFTER, TRAINER, VIEWER
from portal.training.models import Enrolment
from portal.training.practical_models import ATTENDED, BOOKED, WAITING, Assessment, Booking
from portal.training.practicals import sessions
from tests import district
from tests.training.figures import rows

PAGE = "/desk/training/"
HERE, ELSEWHERE = "440310001001", "440310003001"


@pytest.fixture
def trainer(version, regions):
    return district.office("trainer", (TRAINER, district.DISTRICT, "blue"))


@pytest.fixture
def hold(trainer, version):
    """A session that begins in so many hours, for three of them, with bookings in these states."""
    def held(hours, *states, region=HERE):
        starts = utcnow() + timedelta(hours=hours)
        row = sessions.PracticalSession(id=uuid7(), made_at=utcnow(), version=1, state="planned")
        sessions.fill(row, sessions.Plan(slug="sample", skills=("cpr",), place="Hall", region_code=region, lon=None, lat=None,
                                         starts_at=starts, ends_at=starts + timedelta(hours=3), seats=2, trainer_id=trainer.id,
                                         note=""))
        learners = [rows.learner() for _state in states]
        with transaction() as session:
            session.add(row)
            session.flush()
            session.add_all(Booking(session_id=row.id, learner_id=one, state=state, asked_at=utcnow(), changed_at=utcnow())
                            for one, state in zip(learners, states, strict=True))
        return row.id, learners
    return held


def assessed(session_id, learner_id, assessor, version):
    with transaction() as session:
        session.add(Assessment(ref=str(uuid7()), session_id=session_id, learner_id=learner_id, slug="sample", skill="cpr",
                               version_id=version, assessor_id=assessor.id, steps={}, passed=True, seen_at=utcnow(),
                               received_at=utcnow()))


def waits(page):
    tasks = lxml.html.fromstring(page.text).xpath("//ul[contains(@class, 'tasks')]/li")
    return [" ".join(one.text_content().split()) for one in tasks]


def cells(page, heading):
    return [[" ".join(cell.text_content().split()) for cell in row] for row in
            lxml.html.fromstring(page.text).xpath(f"//section[.//h2[@id='{heading}']]//tbody/tr")]


def test_nothing_waits_where_nothing_happened(trainer, seat):
    page = seat(trainer).get(PAGE)
    assert page.status_code == 200
    assert waits(page) == []
    assert "Nothing waits for you." in page.text
    assert "None is planned." in page.text
    assert [row[1:] for row in cells(page, "far")] == [["0", "0", "0", "0"]]


def test_whoever_was_present_and_is_not_assessed_waits_for_it(trainer, seat, hold, version):
    past, (seen, missed) = hold(-30, ATTENDED, ATTENDED)
    hold(-2, ATTENDED)  # still going on
    hold(-24 * 8, ATTENDED)  # nothing can be said of it any more, so it waits for nobody
    assessed(past, seen, trainer, version)
    told = waits(seat(trainer).get(PAGE))
    assert len(told) == 1
    assert re.match("1 person was present on .+ and is not assessed", told[0])
    assessed(past, missed, trainer, version)
    assert waits(seat(trainer).get(PAGE)) == []


def test_sessions_of_seven_days_are_listed_and_who_waits_for_a_seat_is_counted(trainer, seat, hold):
    hold(5, BOOKED, BOOKED, WAITING)
    hold(24 * 8, BOOKED)
    hold(-40)
    page = seat(trainer).get(PAGE)
    assert waits(page) == ["1 person waits for a seat at a practical session"]
    assert [row[1:] for row in cells(page, "soon")] == [["Hall", "A sample course", "2 of 2 1 waits"]]


def test_certificates_that_end_soon_wait_unless_they_are_renewed_or_taken_back(trainer, seat, version):
    def granted(days, **values):
        return rows.certificate(rows.learner(), version, slug="sample", days=days, region_code=HERE, **values)
    granted(20)
    granted(300)
    granted(-1)
    granted(30, revoked_at=utcnow())
    granted(700, renews=granted(10))
    assert waits(seat(trainer).get(PAGE)) == ["1 certificate ends within 60 days"]


def test_each_learner_counts_as_far_as_he_came_and_a_subdistrict_sees_its_own(trainer, seat, hold, version):
    now = utcnow()
    far = {"theory_at": now, "practical_at": now, "certified_until": now + timedelta(days=1)}
    for region, came in ((HERE, {}), (HERE, far), (HERE, far | {"certified_until": now - timedelta(days=1)}),
                         (ELSEWHERE, {"theory_at": now}), (None, {})):
        learner = rows.learner(region_code=region)
        with transaction() as session:
            session.add(Enrolment(learner_id=learner, slug="sample", version_id=version, started_at=now, at=now,
                                  region_code=region, **came))
    hold(3, WAITING, region=ELSEWHERE)
    whole = seat(trainer).get(PAGE)
    assert [row[1:] for row in cells(whole, "far")] == [["5", "3", "2", "1"]]
    street = seat(district.office("street-trainer", (TRAINER, district.PINGSHAN, "blue"))).get(PAGE)
    assert [row[1:] for row in cells(street, "far")] == [["3", "2", "2", "1"]]
    assert cells(street, "soon") == []
    assert waits(street) == []
    assert cells(whole, "soon")
    assert waits(whole)


@pytest.mark.parametrize(("role", "status"), [(VIEWER, 200), (ADMINISTRATOR, 200), (DRAFTER, 403)])
def test_who_sees_figures_sees_no_tasks_about_people(role, status, trainer, seat, hold):
    hold(5, WAITING)
    page = seat(district.office("other", (role, district.DISTRICT, "red"))).get(PAGE)
    assert page.status_code == status
    assert waits(page) == []
    assert "training/gradebook" not in page.text
