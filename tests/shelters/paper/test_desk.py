"""The desk's pages of paper, as a community's officer uses them; and the card of a household, of which nothing is kept."""

from __future__ import annotations

import logging

import pytest
from sqlalchemy import inspect, select, text

from portal.core import audit
from portal.core.db import db
from portal.identity.rights import SHELTERS, TRANSFERS, VIEWER
from portal.shelters.paper import jobs
from tests import district
from tests.district import DISTRICT, LIULIAN
from tests.shelters.communities.conftest import LIUHE
from tests.shelters.one_database import database_url  # noqa: F401  (fixture)
from tests.shelters.paper import reading

SECRETS = {"head": "张无名", "address": "禾丰新村九栋九零九", "phone": "13899998888", "helper": "李某某",
           "helper_phone": "13677776666", "members.0.name": "赵小某", "members.0.help": "轮椅出行"}


@pytest.fixture
def officer(town, seat):
    return seat(district.office("officer", (TRANSFERS, LIULIAN, "red")), "zh")


@pytest.fixture
def keeper(town, seat):
    return seat(district.office("keeper", (SHELTERS, DISTRICT, "red")), "en")


def test_from_the_form_to_the_file(town, keeper):
    page = keeper.get("/desk/paper/")
    assert "All 25 communities of my duty" in page.text
    answer = keeper.post("/desk/paper/", "/desk/paper/", kinds=["map"], where="some", region_codes=[LIULIAN, LIUHE],
                         language="zh", family="wind")
    assert answer.status_code == 302
    here = answer.location
    waiting = keeper.get(here).text
    assert "waiting" in waiting
    assert "Look again" in waiting, "without scripts there is a link"
    assert keeper.get(f"{here}now").status_code == 200
    jobs.run_next(town)
    last = keeper.get(f"{here}now")
    assert last.status_code == 286, "the page stops asking"
    assert "Download the PDF" in last.text
    file = keeper.get(f"{here}paper.pdf")
    assert (file.mimetype, file.headers["Cache-Control"]) == ("application/pdf", "no-store")
    assert reading.sizes(file.data) == [reading.A4] * 2
    assert "台风" in reading.text(file.data)


def test_a_job_can_be_cancelled_and_asked_for_again(town, keeper):
    here = keeper.post("/desk/paper/", "/desk/paper/", kinds=["card"], where="all", language="en", family="").location
    assert keeper.post(f"{here}cancel", here).status_code == 302
    page = keeper.get(here).text
    assert "cancelled" in page
    assert "Make it again" in page
    again = keeper.post(f"{here}retry", here)
    assert again.location != here
    assert keeper.post(f"{here}cancel", here).status_code == 302, "over already: said on the page, no error"
    assert "This job is over already." in keeper.get(here).text


def test_what_is_wrong_is_said_and_what_was_chosen_stays(keeper):
    answer = keeper.post("/desk/paper/", "/desk/paper/", where="some", region_codes=[LIUHE], language="en", family="wind")
    assert answer.status_code == 422
    assert "Choose at least one kind of paper." in answer.text
    assert f'value="{LIUHE}" checked' in answer.text


def test_all_communities_and_some_of_them_at_once_is_asked_back(keeper):
    chosen = {"kinds": ["map"], "where": "all", "region_codes": [LIUHE], "language": "en", "family": ""}
    answer = keeper.post("/desk/paper/", "/desk/paper/", **chosen)
    assert answer.status_code == 422
    assert "say which you mean" in answer.text


def test_nobody_sees_the_jobs_of_other_regions(town, keeper, officer, seat):
    here = keeper.post("/desk/paper/", "/desk/paper/", kinds=["card"], where="all", language="en", family="").location
    for path in (here, f"{here}now", f"{here}paper.pdf"):
        assert officer.get(path).status_code == 404
    viewer = seat(district.office("viewer", (VIEWER, DISTRICT, "red")))
    assert viewer.get("/desk/paper/").status_code == 403
    assert officer.get(f"/desk/paper/card?region={LIUHE}").status_code == 403


def _everything() -> str:
    """All that the database holds, as text."""
    found = []
    for table in inspect(db.engine).get_table_names():
        found += [str(row) for row in db.session.execute(text(f'SELECT * FROM "{table}"'))]
    return "\n".join(found)


def test_a_filled_card_says_what_was_typed_and_nothing_of_it_is_kept(town, officer, caplog):
    caplog.set_level(logging.DEBUG)
    form = {"region": LIULIAN, "language": "zh", "people": "3", "family": "slope", **SECRETS}
    answer = officer.post("/desk/paper/card", "/desk/paper/card", **form)
    assert (answer.mimetype, answer.headers["Cache-Control"]) == ("application/pdf", "no-store")
    assert reading.sizes(answer.data) == [reading.A4]
    printed = reading.text(answer.data)
    for secret in SECRETS.values():
        assert secret in printed, secret
    assert "滑坡、泥石流" in printed
    district.forget()
    kept = _everything() + caplog.text + "".join(
        p.read_bytes().decode("utf-8", "replace") for p in (town.extensions["anlan"].instance).rglob("*") if p.is_file())
    for secret in SECRETS.values():
        assert secret not in kept, secret
    [entry] = db.session.execute(select(audit.AuditEntry).where(audit.AuditEntry.action == "paper.card")).scalars()
    assert (entry.subject, entry.details) == (f"region:{LIULIAN}", {"language": "zh"})


def test_a_wrong_field_of_the_card_is_named_and_the_rest_stays(officer):
    answer = officer.post("/desk/paper/card", "/desk/paper/card", region=LIULIAN, language="zh", people="many", address="x" * 130,
                          **{"members.0.name": "赵<小>某"})
    assert answer.status_code == 422
    for word in ("请填写人数。", "这里最多填写120个字符。", "赵&lt;小&gt;某"):
        assert word in answer.text, word


def test_a_rare_character_in_a_name_is_a_box_that_the_card_tells_of(officer):
    answer = officer.post("/desk/paper/card", "/desk/paper/card", region=LIULIAN, language="zh", head="𠮷某")
    printed = reading.text(answer.data)
    assert "□某" in printed
    assert "U+20BB7" in printed
