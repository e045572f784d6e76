"""The pages of strangers and of learners: a certificate is verified by serial and by file, and no more is told than is needed."""

from __future__ import annotations

import io
import json
import re
from contextvars import Context
from datetime import timedelta
from pathlib import Path

import lxml.html
import pytest
from joserfc.jwk import RSAKey

from portal.core.db import db, transaction
from portal.site import pages as site
from portal.training.certificates import badge, credential, issue, serial, sheet, signing, status_list, store
from portal.training.learners import door, own
from portal.training.models import Learner
from tests.training.certificates.conftest import AT, AUTHORITY, facts
from tests.training.certificates.people import certified, learner, pass_exam, pass_skill

REASON = "冒名顶替考试，经核实"
STATIC = Path(site.__file__).parent / "static"


@pytest.fixture
def school(site_alone):
    """What is shown does not depend on the database."""
    return site_alone


@pytest.fixture
def visitor(school):
    client = school.test_client()

    class Visitor:
        def get(self, path, **headers):
            return Context().run(lambda: client.get(path, headers=headers))

        def send(self, path="/zh/verify/", **data):
            return Context().run(lambda: client.post(path, data=data, content_type="multipart/form-data"))

        def file(self, body, name="x"):
            return self.send(file=(io.BytesIO(body if isinstance(body, bytes) else body.encode()), name))

        def text(self, answer):
            return " ".join(lxml.html.fromstring(answer.text).xpath("//main")[0].text_content().split())

    return Visitor()


@pytest.fixture
def row(school):
    [shown] = store.of_learner(certified(name="王小明"))
    return shown.row


@pytest.fixture
def day():
    return lambda moment: moment.date()


# -- by serial -----------------------------------------------------------------------------------------------
def test_the_code_on_paper_leads_to_what_a_stranger_needs_and_to_nothing_else(school, visitor, row):
    moved = visitor.get(f"/v/{row.serial}", **{"Accept-Language": "zh"})
    assert moved.location == f"/zh/verify/{row.serial}/"
    answer = visitor.get(moved.location)
    text = visitor.text(answer)
    assert answer.status_code == 200
    for told in ("有效", "王**", "示例课程", serial.shown(row.serial), "有效期至", "发证日期"):
        assert told in text
    person = db.session.get(Learner, row.learner_id)
    for kept in ("小明", str(row.id), person.tail, "440310001001", "Set-Cookie", row.credential[:20]):
        assert kept not in answer.text + str(answer.headers)
    assert answer.headers["X-Robots-Tag"] == "noindex"
    assert 'name="robots" content="noindex"' in answer.text
    assert "Valid" in visitor.text(visitor.get(f"/en/verify/{row.serial}/"))


def test_a_serial_may_be_typed_as_people_type(visitor, row):
    pasted = f"https://a-rather-long-name.of-an-authority.example/v/{row.serial}/"
    for typed in (serial.shown(row.serial).lower(), f" {row.serial} ", pasted):
        assert visitor.get("/zh/verify/?serial=" + typed.replace(" ", "%20")).location == f"/zh/verify/{row.serial}/"


def test_what_is_no_serial_leads_to_words_whatever_it_is_made_of(visitor):
    for typed in ("//", "https://evil.example/" + "x" * 60, "a/b", "%3Fx%23y"):
        answer = visitor.get(visitor.get(f"/zh/verify/?serial={typed}").location)
        assert answer.status_code == 404
        assert "校验位不符" in visitor.text(answer)


def test_a_forged_serial_is_told_in_words(visitor, row):
    number = row.serial
    wrong = number[:-1] + serial.ALPHABET[(serial.ALPHABET.index(number[-1]) + 1) % 31]
    turned = number[1] + number[0] + number[2:] if number[0] != number[1] else number[:-1]
    for forged, words in ((wrong, "校验位不符"), (turned, "校验位不符"), (number[:-1], "校验位不符"), ("9" * 39, "校验位不符"),
                          ("<script>alert(1)", "校验位不符"), (serial.new(), "从未颁发过此编号")):
        answer = visitor.get(f"/zh/verify/{forged}/")
        assert answer.status_code == 404
        assert words in visitor.text(answer)
        assert "伪造" in visitor.text(answer)
        assert "<script>alert" not in answer.text
        assert "王**" not in answer.text


def test_each_state_is_a_word(school, visitor, row, trainer, clock):
    path = f"/zh/verify/{row.serial}/"
    assert "✓ 有效" in visitor.text(visitor.get(path))
    issue.revoke(trainer, row.serial, REASON)
    revoked = visitor.text(visitor.get(path))
    assert "✕ 已撤销" in revoked
    assert REASON not in revoked
    issue.reinstate(trainer, row.serial, REASON)
    with transaction() as session:
        own.set_name(session, session.get(Learner, row.learner_id), "王晓明")
    new = issue.reissue(trainer, row.serial)
    replaced = visitor.text(visitor.get(path))
    assert "已换发新证" in replaced
    assert serial.shown(new.serial) in replaced
    clock.ahead = timedelta(days=800)
    assert "已过期" in visitor.text(visitor.get(f"/zh/verify/{new.serial}/"))
    pass_exam(row.learner_id, clock())
    renewed = visitor.text(visitor.get(f"/zh/verify/{new.serial}/"))
    assert "已续证" in renewed
    assert serial.shown(store.of_learner(row.learner_id)[0].row.serial) in renewed


def test_whoever_left_is_named_to_nobody(visitor, row):
    token = issue.token_of(row)
    own.erase(db.session.get(Learner, row.learner_id))
    for text in (visitor.text(visitor.get(f"/zh/verify/{row.serial}/")), visitor.text(visitor.file(token))):
        assert "✓ 有效" in text
        assert "姓名已应持证人要求删除" in text
        assert "王" not in text


def test_no_phone_keeps_an_answer_that_may_have_changed(visitor, row):
    answer = visitor.get(f"/zh/verify/{row.serial}/")
    assert answer.headers["Cache-Control"] == "no-store"
    ours = re.search(r"var OURS = /(.+?)/, GUIDE", (STATIC / "sw.js").read_text())[1].replace("\\/", "/")
    assert re.match(ours, "/zh/guides/fire/")
    assert not re.match(ours, f"/zh/verify/{row.serial}/")
    assert not re.match(ours, f"/v/{row.serial}")


# -- by credential -------------------------------------------------------------------------------------------
def test_every_carrier_is_verified_by_its_signature(visitor, row, day):
    token, shown = issue.token_of(row), store.by_serial(row.serial)
    document = sheet.pdf(store.printed(shown, "王小明", token, "", day))
    drawing = badge.svg("示例课程", "A sample course", row.serial, None, token)
    for answer in (visitor.file(document), visitor.file(drawing), visitor.file(token), visitor.send(text=token)):
        text = visitor.text(answer)
        assert answer.status_code == 200
        assert "✓ 有效" in text
        assert "核对一致，凭证未被篡改" in text
        assert "王**" in text


def test_a_credential_says_how_it_stands_now(visitor, row, trainer):
    token = issue.token_of(row)
    issue.revoke(trainer, row.serial, REASON)
    assert "✕ 已撤销" in visitor.text(visitor.file(token))


def test_what_is_forged_changed_or_none_is_told_apart(visitor, row, key, sample_course):
    token, mine = issue.token_of(row), RSAKey.generate_key(2048)
    head, body, signature = token.split(".")
    foreign = signing.sign(credential.build(facts(serial=serial.new()), sample_course, AUTHORITY, AT, status_list.SIZE),
                           signing.Key(mine.thumbprint(), mine, True), AT.key(mine.thumbprint()))
    other = f"{head}.{body[:-4]}{'AAAA' if body[-4:] != 'AAAA' else 'BBBB'}.{signature}"
    for sent, words in ((foreign, "不是本单位签发的"), (other, "已被篡改"), ("hello", "没有凭证"),
                        (b"\x89PNG\r\n\x1a\n", "没有凭证"),
                        (b"x" * 1_600_000, "过大"), (f"%PDF-1.5\n{token}\n{foreign}\n", "多个凭证")):
        answer = visitor.file(sent)
        assert answer.status_code == 422, words
        assert words in visitor.text(answer)
        assert "王**" not in answer.text
    assert "请选择文件" in visitor.text(visitor.send(text=""))


def test_a_genuine_credential_that_is_not_in_the_books_is_not_called_valid(visitor, school, key, sample_course):
    token = signing.sign(credential.build(facts(serial=serial.new()), sample_course, AUTHORITY, AT, status_list.SIZE), key,
                         AT.key(key.thumbprint))
    text = visitor.text(visitor.file(token))
    assert "登记簿中没有这份证书" in text
    assert "有效 " not in text.replace("有效期", "")


def test_a_credential_that_says_something_else_than_the_books_does_not_count_more_than_they(visitor, row, key, sample_course):
    made = credential.build(facts(serial=row.serial), sample_course, AUTHORITY, AT, status_list.SIZE)
    made["credentialSubject"]["achievement"]["name"] = "外科主任医师 / Chief surgeon"
    text = visitor.text(visitor.file(signing.sign(made, key, AT.key(key.thumbprint))))
    assert "外科" not in text
    assert store.by_serial(row.serial).title["zh"] in text


def test_whoever_tries_many_serials_is_stopped(visitor, row):
    answers = {visitor.get(f"/zh/verify/{serial.new()[:-1]}/").status_code for _one in range(45)}
    assert answers == {404, 429}


# -- for programs --------------------------------------------------------------------------------------------
def test_a_program_verifies_with_what_is_published(school, visitor, row, trainer):
    keys = visitor.get("/.well-known/jwks.json").json
    token = issue.token_of(row)
    said = credential.read(signing.verify(token, signing.trusted_of(keys)))
    from portal.core.keys import from_base64url

    header = json.loads(from_base64url(token.split(".")[0]))
    one = visitor.get(header["kid"].removeprefix("https://warn.example")).json
    assert one == keys["keys"][0]
    assert not {"d", "p", "q"} & set(one)
    profile = visitor.get(said.issuer.removeprefix("https://warn.example")).json
    assert (profile["id"], profile["type"]) == (said.issuer, ["Profile"])

    def revoked():
        answer = visitor.get(said.status_list.removeprefix("https://warn.example"))
        assert answer.content_type == "application/vc+jwt"
        listed = signing.verify(answer.text, signing.trusted_of(keys))
        assert listed["type"] == ["VerifiableCredential", "BitstringStatusListCredential"]
        assert listed["credentialSubject"]["type"] == "BitstringStatusList"
        return status_list.is_set(listed["credentialSubject"]["encodedList"], said.status_index)

    assert not revoked()
    issue.revoke(trainer, row.serial, REASON)
    assert revoked()
    assert visitor.get("/credentials/status/10").status_code == 404
    assert visitor.get("/.well-known/keys/none.json").status_code == 404


# -- of learners ---------------------------------------------------------------------------------------------
@pytest.fixture
def phone(school):
    """A learner's phone, signed in."""
    def of(person):
        client = school.test_client()
        client.set_cookie(door.COOKIE, door.begin(db.session.get(Learner, person)), path=door.PATH)
        return lambda path: Context().run(lambda: client.get(path, headers={"Accept-Language": "zh"}))
    return of


def test_a_learner_takes_along_what_he_earned_and_nobody_elses(visitor, row, phone):
    get, path = phone(row.learner_id), f"/learn/certificates/{row.serial}"
    page = get("/learn/certificates/").text
    for told in ("有效", "王小明", serial.shown(row.serial), f"{path}.pdf", f"{path}.svg", f"{path}.jwt", "可办理续证"):
        assert told in page
    for ending, kind in (("pdf", "application/pdf"), ("svg", "image/svg+xml"), ("jwt", "text/plain")):
        answer = get(f"{path}.{ending}")
        assert answer.content_type.startswith(kind)
        assert "attachment" in answer.headers["Content-Disposition"]
        assert "✓ 有效" in visitor.text(visitor.file(answer.data))
    other = phone(learner(2))
    assert serial.shown(row.serial) not in other("/learn/certificates/").text
    assert other(f"{path}.pdf").status_code == 404
    assert visitor.get(f"{path}.pdf").location.startswith("/learn/sign-in")


def test_a_learner_reads_what_is_missing(school, phone):
    person = learner(name=None)
    get = phone(person)
    assert "没有参加" in get("/learn/certificates/").text
    pass_exam(person)
    page = get("/learn/certificates/").text
    assert "✓ 理论考试已合格" in page
    assert "/learn/sessions/of/sample/" in page
    assert "尚未合格的实操项目" in page
    assert "尚未填写证书上的姓名" in page
    pass_skill(person)
    assert "/learn/me/" in get("/learn/certificates/").text


def test_a_learner_reads_that_he_may_renew_and_that_something_was_taken_back(row, phone, trainer, clock):
    get = phone(row.learner_id)
    clock.ahead = timedelta(days=700)
    assert "提前续证不会损失有效期" in get("/learn/certificates/").text
    issue.revoke(trainer, row.serial, REASON)
    page = get("/learn/certificates/").text
    assert REASON in page
    assert "续证：" not in page
    assert get(f"/learn/certificates/{row.serial}.pdf").status_code == 404
