"""The desk's pages of cohorts, rosters and the gradebook, as a browser without scripts uses them."""

from __future__ import annotations

import io
import shutil
from contextvars import Context

import lxml.html
import pytest

from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.identity import sessions
from portal.identity.rights import TRAINER, VIEWER
from portal.training import courses_store, standing
from portal.training.exams import attempts
from portal.training.group_models import Cohort, CohortMember
from portal.training.groups import here
from portal.training.learners import own
from portal.training.models import Learner
from tests import district
from tests.desk.conftest import Seat
from tests.training.conftest import change, content, course  # noqa: F401  (fixtures)
from tests.training.exams.test_attempts import all_right
from tests.training.groups.conftest import listed, made, people, phone
from tests.training.test_standing import attempt as attempt_of

COHORTS, BOOK = "/desk/training/cohorts/", "/desk/training/gradebook/"


@pytest.fixture
def database_url(sqlite_template, tmp_path):
    """What pages say: what they ask the database is tried on both kinds by the other tests."""
    shutil.copy(sqlite_template, tmp_path / "anlan.db")
    return f"sqlite:///{tmp_path / 'anlan.db'}"


@pytest.fixture
def desk(make_app, content):  # noqa: F811
    app = make_app(content=content, surfaces=("desk",))
    with app.app_context():
        courses_store.sync()
        district.settle_regions()
        yield app


@pytest.fixture
def account(desk):
    return district.office("trainer", (TRAINER, district.DISTRICT, "blue"))


@pytest.fixture
def seat(desk, account):
    return _seat(desk, account)


def _seat(desk, account):
    with transaction() as session:
        row = sessions.open_row(session, account)
    client = desk.test_client()
    with Context().run(lambda: client.session_transaction()) as cookie:
        cookie.update({"_user_id": account.fs_uniquifier, "_fresh": True, "desk_session": row.id.hex, "language": "en"})
    return Seat(client)


def tree(page):
    return lxml.html.fromstring(page.text)


def upload(seat, cohort_id, text, what="list"):
    path = f"{COHORTS}{cohort_id}/import"
    token = tree(seat.get(path)).xpath("//input[@name='csrf_token']")[0].value
    data = {"csrf_token": token, "do": "check", what: (io.BytesIO(text.encode("gbk")), "list.csv")}
    return Context().run(lambda: seat.client.post(path, data=data, content_type="multipart/form-data"))


def save(seat, path, values):
    """A file that comes in pieces, all of them."""
    return Context().run(lambda: seat.client.post(path, data=values, buffered=True))


def learner_named(name):
    return next(one.id for one in db.session.query(Learner) if own.name(one) == name)


def confirm(seat, cohort_id, page, form="confirm"):
    values = seat.form(page, form)
    return seat.send(f"{COHORTS}{cohort_id}/import" if form == "confirm" else f"{COHORTS}{cohort_id}/undo", values)


def test_a_cohort_is_made_listed_changed_and_ended(seat, account):
    values = seat.form(seat.get(COHORTS + "new"), "cohort")
    refused = seat.send(COHORTS + "new", values)
    assert refused.status_code == 422
    assert len(tree(refused).xpath("//*[@class='field-error']")) == 4
    for name, value in {"name": " 坪山  一班 ", "kind": "school", "region_code": district.LIULIAN, "slug": "sample"}.items():
        values[name] = value
    landed = seat.send(COHORTS + "new", values).location
    assert landed.endswith("/import")
    cohort = db.session.query(Cohort).one()
    assert (cohort.name, cohort.version) == ("坪山 一班", 1)
    assert "坪山 一班" in seat.get(COHORTS).text
    page = f"{COHORTS}{cohort.id}/"
    edit = seat.form(seat.get(page + "edit"), "cohort")
    edit["name"] = "二班"
    assert seat.send(page + "edit", edit).status_code == 302
    edit["name"] = "三班"
    late = seat.send(page + "edit", edit)
    assert late.status_code == 409
    assert "三班" in late.text
    shown = seat.get(page)
    assert "二班" in shown.text
    seat.send(page + "end", seat.form(shown, "/end"))
    assert "二班" not in seat.get(COHORTS).text
    assert "二班" in seat.get(COHORTS + "?ended=1").text
    seat.send(page + "end", seat.form(seat.get(page), "/end"))
    assert "二班" in seat.get(COHORTS).text


def test_a_list_is_checked_then_taken_in_then_taken_back(seat, account):
    cohort = made(account)
    looked = upload(seat, cohort.id, listed(people(3)))
    assert looked.status_code == 200
    assert db.session.query(CohortMember).count() == 0
    taken = confirm(seat, cohort.id, looked)
    assert taken.status_code == 200
    db.session.rollback()
    assert db.session.query(CohortMember).count() == 3
    members = seat.get(f"{COHORTS}{cohort.id}/")
    assert "甲2" in members.text
    assert phone(2) not in members.text
    assert confirm(seat, cohort.id, taken, "undo").status_code == 302
    db.session.rollback()
    assert (db.session.query(CohortMember).count(), db.session.query(Learner).count()) == (0, 0)


def test_whoever_is_taken_out_is_asked_about_first_and_one_who_would_be_deleted_is_named_as_such(seat, account):
    cohort = made(account)
    confirm(seat, cohort.id, upload(seat, cohort.id, listed(people(2))))
    stays, goes = (learner_named(name) for name in ("甲1", "甲2"))
    with transaction() as session:
        standing.touch(session, stays, "sample")
    page = f"{COHORTS}{cohort.id}/"
    links = [one for one in tree(seat.get(page)).xpath("//a/@href") if "/take-out/" in one]
    assert len(links) == 2
    for link, learner_id, told in ((f"{page}take-out/{stays}", stays, "kept"), (f"{page}take-out/{goes}", goes, "deleted")):
        asked = seat.get(link)
        assert link in links
        assert told in asked.text
        assert db.session.query(CohortMember).filter_by(learner_id=learner_id).count() == 1
        seat.send(link, seat.form(asked, "take-out"))
        db.session.rollback()
        assert db.session.query(CohortMember).filter_by(learner_id=learner_id).count() == 0
        assert (db.session.get(Learner, learner_id) is None) == (told == "deleted")
        assert seat.get(link).status_code == 302
    assert seat.get(f"{page}take-out/{2**64}").status_code == 302


def test_wrong_rows_are_named_with_line_and_reason_and_there_is_no_button_to_take_them_in(seat, account):
    cohort = made(account)
    rows = [*people(3), ("乙", "12", "S9", ""), ("丙", phone(1), "S10", "")]
    page = upload(seat, cohort.id, listed(rows))
    assert page.status_code == 422
    lines = [[cell.text_content() for cell in row.xpath("td")] for row in tree(page).xpath("//table[@id='faults']/tbody/tr")]
    assert [line for line, _why in lines] == ["5", "6"]
    assert all(why.strip() for _line, why in lines)
    assert not tree(page).xpath("//form[@id='confirm']")
    assert upload(seat, cohort.id, "姓名,年龄\n甲,3\n").status_code == 422
    assert upload(seat, cohort.id, listed(people(1)), what="other").status_code == 422


def test_a_checked_file_is_of_one_account_one_cohort_and_half_an_hour(seat, account, desk, monkeypatch):
    cohort, other = made(account), made(account, "二班")
    looked = upload(seat, cohort.id, listed(people(1)))
    values = seat.form(looked, "confirm")
    assert seat.send(f"{COHORTS}{other.id}/import", values).status_code == 422
    second = _seat(desk, district.office("second", (TRAINER, district.DISTRICT, "blue")))
    theirs = seat.form(second.get(f"{COHORTS}{cohort.id}/import"), "upload")["csrf_token"]
    assert second.send(f"{COHORTS}{cohort.id}/import", {**values, "csrf_token": theirs}).status_code == 422
    monkeypatch.setattr(here, "utcnow", lambda: utcnow() + here.LASTS * 2)
    assert seat.send(f"{COHORTS}{cohort.id}/import", values).status_code == 422
    db.session.rollback()
    assert db.session.query(CohortMember).count() == 0


def test_the_list_goes_out_as_it_comes_in_and_no_cell_is_a_formula(seat, account):
    cohort = made(account)
    rows = [("=王小明", phone(1), "-7", district.LIULIAN), ("李", phone(2), "", "")]
    confirm(seat, cohort.id, upload(seat, cohort.id, listed(rows)))
    page = f"{COHORTS}{cohort.id}/"
    file = save(seat, page + "roster.csv", seat.form(seat.get(page), "/roster.csv"))
    lines = file.data.decode("utf-8-sig").splitlines()
    assert file.data.startswith(b"\xef\xbb\xbf")
    assert lines[1:] == [f"'=王小明,{phone(1)},'-7,{district.LIULIAN}", f"李,{phone(2)},,"]
    again = upload(seat, cohort.id, file.data.decode("utf-8-sig"))
    assert again.status_code == 200
    assert tree(again).xpath("string(//dl[@class='counts']/div[4]/dd)") == "2"
    assert Context().run(lambda: seat.client.get(COHORTS + "sample.csv", buffered=True)).status_code == 200


def test_the_gradebook_shows_how_each_stands_and_who_lacks_what(seat, account):
    cohort = made(account)
    confirm(seat, cohort.id, upload(seat, cohort.id, listed(people(2))))
    db.session.rollback()
    learner = db.session.query(Learner).order_by(Learner.id).first()
    attempt, secret = attempts.start(learner.id, "sample")
    attempts.submit(learner.id, attempt.id, secret, all_right(attempt))
    book = seat.get(f"{BOOK}?cohort={cohort.id}")
    assert "100 %" in book.text
    lacking = seat.get(f"{BOOK}?cohort={cohort.id}&lacks=theory").text
    assert ("甲1" in lacking, "甲2" in lacking) == (False, True)
    file = save(seat, BOOK + "gradebook.csv", seat.form(book, "/gradebook.csv")).data.decode("utf-8-sig").splitlines()
    assert len(file) == 3
    assert file[1].startswith(f"S1,甲1,{phone(1)[-4:]},")
    assert ",100," in file[1]
    region = seat.get(f"{BOOK}?course=sample&region=unknown").text
    assert ("甲1" in region, "甲2" in region) == (True, False)  # who has not begun stands in no course


def test_the_page_of_one_learner_tells_all_and_corrects_a_name(seat, account):
    cohort = made(account)
    confirm(seat, cohort.id, upload(seat, cohort.id, listed(people(1))))
    db.session.rollback()
    learner = db.session.query(Learner).one()
    attempt, secret = attempts.start(learner.id, "sample")
    attempts.submit(learner.id, attempt.id, secret, all_right(attempt))
    path = f"/desk/training/learners/{learner.id}/"
    page = seat.get(path)
    assert "甲1" in page.text
    assert "100 %" in page.text
    assert cohort.name in page.text
    values = seat.form(page, "correct")
    values["name"] = "12"
    assert seat.send(path + "name", values).status_code == 422
    values["name"] = "王小明"
    assert seat.send(path + "name", values).status_code == 302
    db.session.rollback()
    assert own.name(db.session.get(Learner, learner.id, populate_existing=True)) == "王小明"
    acts = [(one.actor, one.action) for one in db.session.query(audit.AuditEntry).filter(
        audit.AuditEntry.action.in_(("learner.look", "learner.name")))]
    assert ("trainer", "learner.look") in acts
    assert ("trainer", "learner.name") in acts


def test_no_name_and_no_number_gets_into_the_trail(seat, account):
    cohort = made(account)
    confirm(seat, cohort.id, upload(seat, cohort.id, listed([("王小明", phone(1), "秘密一号", "")])))
    seat.get(f"{BOOK}?cohort={cohort.id}")
    save(seat, f"{COHORTS}{cohort.id}/roster.csv", seat.form(seat.get(f"{COHORTS}{cohort.id}/"), "/roster.csv"))
    db.session.rollback()
    told = [(one.action, str(one.details)) for one in db.session.query(audit.AuditEntry)]
    assert {"cohort.create", "roster.import", "learner.list", "roster.export"} <= {action for action, _details in told}
    assert not [one for one in told if any(word in one[1] for word in ("王小明", phone(1), "秘密"))]


def test_another_street_sees_neither_cohort_nor_learner_and_without_the_duty_nobody_sees_anything(seat, account, desk):
    cohort = made(account)
    confirm(seat, cohort.id, upload(seat, cohort.id, listed(people(1))))
    db.session.rollback()
    learner = db.session.query(Learner).one()
    with transaction() as session:
        session.get(Learner, learner.id).region_code = district.LIULIAN
    other = _seat(desk, district.office("street", (TRAINER, district.KENGZI, "blue")))
    paths = [f"{COHORTS}{cohort.id}/", f"{COHORTS}{cohort.id}/edit", f"{COHORTS}{cohort.id}/import",
             f"/desk/training/learners/{learner.id}/"]
    assert [other.get(path).status_code for path in paths] == [404] * 4
    assert cohort.name not in other.get(COHORTS).text
    for query in (f"cohort={cohort.id}", f"course=sample&region={district.LIULIAN}", "course=sample&region=unknown"):
        shown = other.get(f"{BOOK}?{query}")
        assert shown.status_code == 200
        assert "甲1" not in shown.text
    viewer = _seat(desk, district.office("viewer", (VIEWER, district.DISTRICT, "red")))
    assert [viewer.get(path).status_code for path in (*paths, COHORTS, BOOK)] == [403] * 6
    assert seat.get(f"/desk/training/learners/{2**70}/").status_code == 404


def test_one_more_attempt_is_asked_for_on_the_learners_page_when_all_are_used(seat, account):
    cohort = made(account)
    confirm(seat, cohort.id, upload(seat, cohort.id, listed(people(1))))
    db.session.rollback()
    learner = db.session.query(Learner).one()
    with transaction() as session:
        session.add_all([attempt_of(learner.id, n, 10, n, passed=False) for n in (1, 2, 3)])
        standing.recount(session, [learner.id], "sample")
    path = f"/desk/training/learners/{learner.id}/"
    values = seat.form(seat.get(path), "more-sample")
    assert seat.send(path + "more/sample", values).status_code == 422
    values["reason"] = "ill on that day"
    assert seat.send(path + "more/sample", values).status_code == 302
    assert not tree(seat.get(path)).xpath("//form[@id='more-sample']")
    assert seat.send(path + "more/sample", values).status_code == 409
