"""Whoever keeps a community's facts changes one part at a time, sees what is wrong, and overwrites nobody unseen."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from portal.core import audit
from portal.core.db import db
from portal.core.errors import Conflict, Forbidden, Invalid
from portal.shelters.communities import editing, store
from tests.district import KENGZI, LIULIAN
from tests.shelters.communities.conftest import LIUHE, bring_in, keeper
from tests.shelters.one_database import database_url  # noqa: F401  (fixture)

POST = {"post_zh": "社区值班室", "post_en": "Duty room", "task_zh": "", "task_en": "", "phone": "0755-84620009"}
RISK = {"kind": "slope", "name_zh": "南坡", "name_en": "South slope", "longitude": "", "latitude": "", "people": ""}


@pytest.fixture(autouse=True)
def _sample(settled):
    bring_in()


def seen(part: str, code: str = LIULIAN) -> str:
    return store.stamp(code, [part])


def entries(action: str) -> list[audit.AuditEntry]:
    return list(db.session.execute(select(audit.AuditEntry).where(audit.AuditEntry.action == action)).scalars())


def wrong(call) -> dict[str, str]:
    with pytest.raises(Invalid) as refusal:
        call()
    return {p.field: str(p.message) for p in refusal.value.problems}


def test_posts_stand_in_the_order_in_which_they_were_saved_and_the_trail_holds_no_number():
    account = keeper()
    assert editing.save_posts(account, LIULIAN, [POST, {}, POST | {"post_zh": "巡查员", "phone": "12345"}], seen("posts")) == 2
    assert [(p.post_zh, p.phone, p.demonstration) for p in store.posts(LIULIAN)] == [
        ("社区值班室", "0755 8462 0009", False), ("巡查员", "12345", False)]
    [entry] = entries("community.posts")
    assert entry.details == {"posts": 2}
    assert entry.subject == f"region:{LIULIAN}"


def test_a_mobile_number_is_published_only_when_somebody_says_that_it_is_the_posts():
    account, mobile = keeper(), POST | {"phone": "13812345678"}
    assert "手机号码" in wrong(lambda: editing.save_posts(account, LIULIAN, [mobile], seen("posts")))["posts.0.phone"]
    editing.save_posts(account, LIULIAN, [mobile | {"mobile": "1"}], seen("posts"))
    assert store.posts(LIULIAN)[0].phone == "138 1234 5678"


def test_each_field_of_a_post_is_told_what_is_wrong_and_nothing_changes():
    account, before = keeper(), store.stamp(LIULIAN)
    bad = [POST, POST | {"phone": "call me", "post_zh": ""}, POST | {"phone": "", "post_en": "x" * 121, "task_zh": "\x07"}]
    assert set(wrong(lambda: editing.save_posts(account, LIULIAN, bad, seen("posts")))) == {
        "posts.1.phone", "posts.1.post_zh", "posts.2.phone", "posts.2.post_en", "posts.2.task_zh"}
    assert store.stamp(LIULIAN) == before


def test_who_saw_an_older_state_is_told_and_overwrites_nothing():
    account, old = keeper(), seen("posts")
    editing.save_posts(account, LIULIAN, [POST], old)
    with pytest.raises(Conflict):
        editing.save_posts(account, LIULIAN, [POST | {"phone": "110"}], old)
    assert store.posts(LIULIAN)[0].phone == "0755 8462 0009"
    editing.save_ten(account, LIULIAN, {}, seen("ten"))


def test_nobody_changes_a_community_beyond_their_duty():
    account = keeper(KENGZI)
    for save, rows, part in ((editing.save_posts, [POST], "posts"), (editing.save_risks, [RISK], "risks"),
                             (editing.save_ten, {}, "ten")):
        with pytest.raises(Forbidden):
            save(account, LIULIAN, rows, seen(part))


def test_a_new_risk_point_gets_a_code_of_its_own_and_one_that_is_ticked_goes():
    account = keeper()
    rows = [RISK, {"code": "LL-R01", "remove": "1"}, RISK | {"code": "LL-R02", "name_zh": "下穿通道", "people": "1,200"}]
    assert editing.save_risks(account, LIULIAN, rows, seen("risks")) == 2
    found = {r.code: r for r in store.risk_points(LIULIAN)}
    assert set(found) == {"LL-R02", "001001-R01"}
    assert found["LL-R02"].people == 1200
    assert found["001001-R01"].longitude is None


def test_a_risk_point_of_another_community_cannot_be_drawn_over():
    account = keeper()
    editing.save_risks(account, LIUHE, [RISK], seen("risks", LIUHE))
    [theirs] = store.risk_points(LIUHE)
    with pytest.raises(Conflict):
        editing.save_risks(account, LIULIAN, [RISK | {"code": theirs.code}], seen("risks"))
    assert store.risk_points(LIUHE)[0].name_zh == "南坡"


def test_each_field_of_a_risk_point_is_told_what_is_wrong(settled):
    faults = [({"longitude": "22.701", "latitude": "114.352"}, "longitude", "swapped"),
              ({"longitude": "10", "latitude": "50"}, "longitude", "outside"), ({"longitude": "114.352"}, "longitude", "degrees"),
              ({"people": "many"}, "people", "number"), ({"kind": "volcano"}, "kind", "danger"),
              ({"checked": "2999-01-01"}, "checked", "that day"), ({"checked": "yesterday"}, "checked", "A day")]
    account = keeper()
    with settled.test_request_context("/", headers={"Accept-Language": "en"}):
        found = wrong(lambda: editing.save_risks(account, LIULIAN, [RISK | change for change, _f, _s in faults], seen("risks")))
    assert list(found) == [f"risks.{n}.{field}" for n, (_change, field, _said) in enumerate(faults)]
    for message, (_change, _field, said) in zip(found.values(), faults, strict=True):
        assert said in message


def test_an_answer_keeps_who_gave_it_and_when_and_the_others_stay_as_they_were():
    account = keeper()
    rows = {have.item: {"answer": have.answer, "note_zh": have.note_zh, "note_en": have.note_en} for have in store.ten(LIULIAN)}
    rows["organisation"]["checked"] = rows["speakers"]["checked"] = "2026-05-11"
    rows["alarms"] = {"answer": "there", "note_zh": "新铜锣", "note_en": "A new gong"}
    assert editing.save_ten(account, LIULIAN, rows, seen("ten")) == {"alarms": "there"}
    alarms = {h.item: h for h in store.ten(LIULIAN)}["alarms"]
    assert (alarms.there, alarms.checked_by, alarms.demonstration) == (True, "keeper office", False)
    assert alarms.checked_at is not None
    assert {h.item: h for h in store.ten(LIULIAN)}["speakers"].demonstration
    assert entries("community.ten")[0].details == {"answers": {"alarms": "there"}}
    assert editing.save_ten(account, LIULIAN, rows, seen("ten")) in ({}, {"alarms": "there"})
