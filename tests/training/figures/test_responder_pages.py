"""The page of responders says where they are missing, in words, on a map and in a file."""

import csv
import io

import lxml.html
import pytest
from sqlalchemy import event, update

from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.identity.rights import ADMINISTRATOR, DRAFTER, TRAINER, VIEWER
from portal.regions import lookup
from portal.regions.models import Region, RegionStamp
from portal.training.figures import responders
from portal.training.group_models import ResponderFigure
from tests import district
from tests.shelters.one_database import database_url  # noqa: F401  (nothing here is a matter of the database)
from tests.training.figures import rows

PAGE = "/desk/training/responders/"
HERE, NEXT = "440310001001", "440310001002"


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
        session.execute(update(RegionStamp).values(stamp="changed"))
    figures((HERE, "", 500))
    page = seats(seat, ADMINISTRATOR)[0].get(PAGE)
    shown = dict(tables(page)[1])[lookup.names([HERE])[HERE]["en"]]
    assert shown == ["—", "—", "500", "—", "—", "0", "residents unknown"]
    with transaction() as session:
        session.execute(update(Region).values(population=None))
        session.execute(update(RegionStamp).values(stamp="changed again"))
    text = seats(seat, VIEWER)[0].get(PAGE).text
    assert "the residents are not known: nobody can say" in text
    assert "Every community has as many" not in text


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


def test_the_page_asks_one_table_once(settled, seat):
    rows.learner(region_code=HERE)
    figures((HERE, "", 3), (HERE, "school", 2))
    desk, said = seats(seat, VIEWER)[0], []
    event.listen(db.engine, "before_cursor_execute", lambda _c, _cur, statement, *_rest: said.append(statement))
    assert desk.get(PAGE).status_code == 200
    tables_ = ("responder_figure", "certificate", "learner", "cohort")
    assert len([one for one in said if any(table in one for table in tables_)]) == 1


def test_who_may_see_people_is_led_to_those_whose_certificate_ends(settled, seat):
    figures((HERE, "", 3), (HERE, "ending", 2), ("440310005001", "", 3), ("440310005001", "ending", 2))
    local = seat(district.office("local", (TRAINER, district.PINGSHAN, "red")))
    links = lxml.html.fromstring(local.get(PAGE).text).xpath("//table//a/@href")
    assert [one.partition("region=")[2] for one in links] == [district.PINGSHAN, HERE]
    assert local.get(links[-1]).status_code == 200
    assert not lxml.html.fromstring(seats(seat, VIEWER)[0].get(PAGE).text).xpath("//table//a")
