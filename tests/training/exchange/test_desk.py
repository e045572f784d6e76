"""The desk's page of exchange: a file is looked at and handed back as files of the course; only who may see keys sees them."""

from __future__ import annotations

import base64
import io
import random
import re
import zipfile

import lxml.html
import pytest

from portal.core.audit import AuditEntry
from portal.core.db import db
from portal.identity.rights import ADMINISTRATOR, DRAFTER, TRAINER, VIEWER
from portal.training import courses_store
from tests import district
from tests.desk.conftest import seat, settled  # noqa: F401  (fixtures)
from tests.training.exchange.test_import import ONE

PAGE = "/desk/training/exchange/"


@pytest.fixture
def app(make_app, content):
    return make_app(content=content)


@pytest.fixture
def loaded(context):
    courses_store.sync()
    return context


@pytest.fixture
def trainer(loaded, seat):  # noqa: F811
    return seat(district.office("trainer", (TRAINER, district.PINGSHAN, "blue")))


def look(client, text, **more):
    form = {"form": "gift", "language": "en", "into": "sample/fire", "file": (io.BytesIO(text.encode()), "bank.gift"), **more}
    return send(client, "", form)


def send(client, path, data):
    return client.send(PAGE + path, {"csrf_token": token(client), **data})


def token(client):
    found = lxml.html.fromstring(client.get("/desk/drafts/").text).xpath("//input[@name='csrf_token']")
    return found[0].value


def the_form(page):
    form: dict = {}
    for name, value in lxml.html.fromstring(page.text).get_element_by_id("take").form_values():
        form.setdefault(name, []).append(value)
    del form["csrf_token"]
    return form


def test_what_was_looked_at_is_what_is_handed_over_and_who_took_it_is_written_down(trainer, course):
    before = (course / "banks" / "fire.en.md").read_bytes()
    page = look(trainer, f"{ONE}\n::Essay::Write.{{}}\n")
    assert page.status_code == 200
    assert "an essay: nobody is there to mark it" in page.text
    assert "Smoke rises." in page.text
    done = send(trainer, "files", the_form(page) | {"objective": "smoke.1"})
    assert (done.status_code, done.mimetype) == (200, "application/zip")
    with zipfile.ZipFile(io.BytesIO(done.data)) as archive:
        assert sorted(archive.namelist()) == ["sample/banks/fire.en.md", "sample/banks/fire.zh.md"]
        text = archive.read("sample/banks/fire.zh.md").decode()
    assert "[[translate]] Smoke rises." in text
    assert "to-choose" not in text
    assert (course / "banks" / "fire.en.md").read_bytes() == before
    db.session.rollback()
    (entry,) = db.session.query(AuditEntry).filter_by(action="course.import").all()
    assert (entry.subject, entry.details) == ("course:sample", {"taken": 1, "untaken": 1})


def test_both_languages_leave_nothing_to_translate(trainer):
    other = (io.BytesIO("烟往上走。{T#不对。#对。####烟是热的。}\n".encode()), "zh.gift")
    done = send(trainer, "files", the_form(look(trainer, ONE, other=other)))
    with zipfile.ZipFile(io.BytesIO(done.data)) as archive:
        assert "烟往上走。" in (text := archive.read("sample/banks/fire.zh.md").decode())
    assert "[[" not in text


def test_two_files_of_the_greatest_size_are_looked_at_and_handed_over(trainer):
    padding = base64.b64encode(random.Random(1).randbytes(3 * 2**20 * 3 // 4 - 3000)).decode()  # hardly to be packed
    text = f"// {padding}\n\n{ONE}\n"
    page = look(trainer, text, other=(io.BytesIO(text.encode()), "zh.gift"))
    assert page.status_code == 200
    assert send(trainer, "files", the_form(page)).mimetype == "application/zip"


@pytest.mark.parametrize(("form", "status", "words"), [
    ({"file": (io.BytesIO(b""), "a.gift")}, 422, "Choose a file."),
    ({"into": "nowhere/fire"}, 422, "Choose a course or a module."),
    ({"into": "sample/water"}, 422, "no module water"),
    ({"form": "word"}, 422, "Choose one of these."),
    ({"form": "moodle"}, 422, "well-formed XML"),
    ({"file": (io.BytesIO("火".encode("gbk")), "a.gift")}, 422, "UTF-8")])
def test_what_is_wrong_is_said_at_its_place(trainer, form, status, words):
    answer = look(trainer, ONE, **form)
    assert answer.status_code == status
    assert words in lxml.html.fromstring(answer.text).get_element_by_id("problems").text_content()


def test_a_file_that_was_altered_or_is_anothers_is_not_handed_over(loaded, trainer, seat):  # noqa: F811
    form = the_form(look(trainer, ONE))
    altered = form | {"kept": form["kept"][0][:-8] + "AAAAAAA="}
    assert send(trainer, "files", altered).status_code == 422
    other = seat(district.office("second", (TRAINER, district.PINGSHAN, "blue")))
    assert send(other, "files", form).status_code == 422


@pytest.mark.parametrize(("kind", "name"), [("qti3", "sample-fire-en.qti3.zip"), ("qti21", "sample-fire-en.qti21.zip"),
                                            ("gift", "sample-fire-en.gift.txt")])
def test_questions_go_out_in_each_form_and_who_took_them_is_written_down(trainer, kind, name):
    done = send(trainer, "export", {"from": "sample/fire", "out_language": "en", "kind": kind})
    assert done.status_code == 200
    assert re.search('filename="(.*)"', done.headers["Content-Disposition"])[1] == name
    assert done.headers["Cache-Control"] == "no-store"
    db.session.rollback()
    (entry,) = db.session.query(AuditEntry).filter_by(action="course.export").all()
    assert (entry.subject, entry.details["kind"], entry.details["module"]) == ("course:sample", kind, "fire")
    assert send(trainer, "export", {"from": "sample/fire", "out_language": "en", "kind": "x"}).status_code == 422


@pytest.mark.parametrize("role", [VIEWER, DRAFTER])
def test_nobody_without_the_duty_sees_a_key(loaded, seat, role):  # noqa: F811
    client = seat(district.office("other", (role, district.PINGSHAN, "blue")))
    assert client.get(PAGE).status_code == 403
    assert look(client, ONE).status_code == 403
    for path in ("files", "export"):
        assert send(client, path, {"from": "sample/", "out_language": "en", "kind": "gift"}).status_code == 403


def test_an_administrator_may_and_the_navigation_leads_there(loaded, seat):  # noqa: F811
    client = seat(district.office("admin", (ADMINISTRATOR, district.PINGSHAN, "blue")))
    page = client.get(PAGE)
    assert page.status_code == 200
    assert f'href="{PAGE}" aria-current="page"' in page.text
