"""Responders are counted by what is valid now and where people live, and the page says where they are missing."""

import csv
import io
import random
from datetime import timedelta

import lxml.html
import pytest
from sqlalchemy import event, select, update

from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.identity.rights import ADMINISTRATOR, DRAFTER, TRAINER, VIEWER
from portal.regions import lookup
from portal.regions.models import Region
from portal.training.certificate_models import Certificate
from portal.training.figures import responders
from portal.training.figures.jobs import FiguresJob
from portal.training.group_models import ResponderFigure
from portal.training.models import CourseVersion, Learner
from tests import district
from tests.training.figures import rows

PAGE = "/desk/training/responders/"
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


@pytest.mark.parametrize(("residents", "expected"), [(None, 0), (0, 0), (1, 1), (200, 1), (201, 2), (10_000, 50)])
def test_the_need_of_a_community_is_rounded_up(residents, expected):
    assert responders.needed(residents, 200) == expected


def figures(*rows_):
    with transaction() as session:
        session.add_all(ResponderFigure(region_code=code, kind=kind, responders=n, at=utcnow()) for code, kind, n in rows_)


def seats(seat, *roles):
    return [seat(district.office(role, (role, district.DISTRICT, "red"))) for role in roles]


def tables(page):
    found = lxml.html.fromstring(page.text).xpath("//table[contains(@class, 'responders')]")
    return [[(row.xpath("string(./th/text())").strip(), [" ".join(c.text_content().split()) for c in row.xpath("./td")])
             for row in table.xpath("./tbody/tr")] for table in found]


def test_the_page_shows_where_most_are_missing_first_and_sums_that_hide_no_gap(settled, seat):
    here, there = lookup.get(HERE), lookup.get(NEXT)
    need = responders.needed(here.population, 200)
    figures((HERE, "", need + 50), (HERE, "ending", 7), (HERE, "school", 3), (NEXT, "", 1), ("", "", 4))
    page = seats(seat, VIEWER)[0].get(PAGE)
    assert page.status_code == 200
    streets, communities = tables(page)
    missing = [int(cells[4].replace(",", "")) for _name, cells in communities]
    assert missing == sorted(missing, reverse=True)
    shown = dict(communities)
    assert shown[here.name("en")][2:] == [f"{need + 50:,}", f"{(need + 50) / need * 100:.0f} %", "0", "7", "as many as needed"]
    assert shown[there.name("en")][-1] == "less than half"
    assert "nobody" in {cells[-1] for _name, cells in communities}
    name, whole = streets[-1]
    assert name == "All together"
    assert int(whole[4].replace(",", "")) == sum(missing), "what one community has too many fills no gap of another"
    assert int(whole[1].replace(",", "")) == sum(int(cells[1].replace(",", "")) for _name, cells in communities)
    drawn = lxml.html.fromstring(page.text).xpath("//figure//*[name()='path']/@fill")
    assert {"url(#class-met)", "url(#class-none)", "url(#class-below)"} <= set(drawn)


def test_a_community_whose_residents_are_unknown_is_not_said_to_have_enough(settled, seat):
    with transaction() as session:
        session.execute(update(Region).where(Region.code == HERE).values(population=None))
        from portal.regions.models import RegionStamp

        session.execute(update(RegionStamp).values(stamp="changed"))
    figures((HERE, "", 500))
    page = seats(seat, ADMINISTRATOR)[0].get(PAGE)
    shown = dict(tables(page)[1])[lookup.names([HERE])[HERE]["en"]]
    assert shown == ["—", "—", "500", "—", "—", "0", "residents unknown"]


def test_the_file_says_what_the_page_says(settled, seat):
    figures((HERE, "", 3), (HERE, "metro", 2), ("999999999999", "", 1))
    answer = seats(seat, TRAINER)[0].get(f"{PAGE}responders.csv")
    assert answer.data.startswith("\ufeff".encode())
    read = list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"))))
    assert len(read) == len(lookup.communities_under([district.DISTRICT])) + 1
    of = {one["Code"]: one for one in read}
    assert (of[HERE]["Certified responders"], of[HERE]["Metro stations"], of[HERE]["Schools"]) == ("3", "2", "0")
    assert of[""]["Certified responders"] == "1"


def test_district_figures_are_shown_to_their_duties_alone(settled, seat):
    for desk, status in zip(seats(seat, TRAINER, ADMINISTRATOR, VIEWER, DRAFTER), (200, 200, 200, 403), strict=True):
        assert [desk.get(PAGE + path).status_code for path in ("", "responders.csv")] == [status, status]


def test_the_page_asks_one_table_once(settled, seat, version):
    for _ in range(3):
        rows.certificate(rows.learner(region_code=HERE), version)
    responders.count(settled)
    desk, said = seats(seat, VIEWER)[0], []
    event.listen(db.engine, "before_cursor_execute", lambda _c, _cur, statement, *_rest: said.append(statement))
    assert desk.get(PAGE).status_code == 200
    tables_ = ("responder_figure", "certificate", "learner", "cohort")
    assert len([one for one in said if any(table in one for table in tables_)]) == 1


def test_one_part_of_the_job_that_fails_keeps_no_other(settled, version, monkeypatch):
    from portal.training.figures import folding

    monkeypatch.setattr(folding, "fold", lambda _app: 1 / 0)
    rows.certificate(rows.learner(region_code=HERE), version, days=timedelta(days=20).days)
    FiguresJob(settled)()
    assert kept()[HERE, ""] == 1
