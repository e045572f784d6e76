"""Responders are counted by what is valid now and where people live."""

import random

import pytest
from sqlalchemy import select, update

from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.regions import lookup
from portal.training.certificate_models import Certificate
from portal.training.figures import responders
from portal.training.figures.jobs import FiguresJob
from portal.training.group_models import ResponderFigure
from portal.training.models import CourseVersion, Learner
from tests import district
from tests.training.figures import rows

HERE, NEXT = "440310001001", "440310001002"


@pytest.fixture
def version(settled):
    row = CourseVersion(slug="first-responder", version="1", sha256="", data={}, loaded_at=utcnow())
    with transaction() as session:
        session.add(row)
    return row.id


def kept():
    db.session.rollback()
    found = db.session.execute(select(ResponderFigure.region_code, ResponderFigure.kind, ResponderFigure.responders)).all()
    return {(code, kind): n for code, kind, n in found}


def test_who_counts_is_who_holds_a_valid_certificate_of_a_responders_course(settled, version):
    first = rows.learner(region_code=HERE)
    rows.certificate(first, version)
    rows.certificate(first, version, days=10)  # the older one of somebody who has renewed
    rows.certificate(rows.learner(region_code=HERE), version, days=None)
    rows.certificate(rows.learner(region_code=HERE), version, days=30)
    rows.certificate(rows.learner(region_code=NEXT), version)
    rows.certificate(rows.learner(region_code=None), version)
    rows.certificate(rows.learner(region_code=HERE), version, days=-1)
    rows.certificate(rows.learner(region_code=HERE), version, revoked_at=utcnow())
    rows.certificate(rows.learner(region_code=HERE), version, slug="children")
    rows.certificate(None, version)  # of somebody who erased himself
    responders.count(settled)
    assert kept() == {(HERE, ""): 3, (HERE, "ending"): 1, (NEXT, ""): 1, ("", ""): 1}


def test_kinds_of_place_count_each_person_once_a_kind(settled, version):
    pupil, both, nobody = (rows.learner(region_code=HERE) for _ in range(3))
    for one in (pupil, both):
        rows.certificate(one, version)
    rows.cohort("school", pupil, both, nobody)
    rows.cohort("school", both)
    rows.cohort("mall", both)
    responders.count(settled)
    assert kept() == {(HERE, ""): 2, (HERE, "school"): 2, (HERE, "mall"): 1}


def test_a_count_forgets_what_is_no_longer_so(settled, version):
    made = rows.learner(region_code=HERE)
    rows.certificate(made, version)
    responders.count(settled)
    with transaction() as session:
        session.execute(update(Learner).where(Learner.id == made).values(region_code=NEXT))
    responders.count(settled)
    assert kept() == {(NEXT, ""): 1}
    with transaction() as session:
        session.execute(update(Certificate).values(revoked_at=utcnow()))
    responders.count(settled)
    assert kept() == {}


def test_many_are_counted_as_each_one_in_turn_would_be(settled, version):
    chance, places = random.Random(5), [*lookup.communities_under([district.DISTRICT])[:4], None]
    expected: dict[str, int] = {}
    for _ in range(40):
        place, days = chance.choice(places), [chance.choice([-5, 200, 300]) for _ in range(chance.randint(1, 2))]
        made = rows.learner(region_code=place)
        for one in days:
            rows.certificate(made, version, days=one)
        if max(days) > 0:
            expected[place or ""] = expected.get(place or "", 0) + 1
    responders.count(settled)
    assert {code: n for (code, kind), n in kept().items() if kind == ""} == expected


def test_one_part_of_the_job_that_fails_keeps_no_other(settled, version, monkeypatch):
    from portal.training.figures import folding

    monkeypatch.setattr(folding, "fold", lambda _app: 1 / 0)
    rows.certificate(rows.learner(region_code=HERE), version, days=20)
    FiguresJob(settled)()
    assert kept()[HERE, ""] == 1
