"""Drafts and review: who may do what, and what an approval is of."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import delete, func, select

from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.core.errors import Conflict, Forbidden, Invalid
from portal.dispatch import issue
from portal.dispatch.models import Dispatch
from portal.identity.models import Duty
from portal.identity.rights import APPROVER, DRAFTER
from portal.warnings import drafts, review
from portal.warnings.models import Bulletin, Draft, Warning
from tests import district


@pytest.fixture(autouse=True)
def _regions(context):
    district.settle_regions()


def fields(error: pytest.ExceptionInfo) -> set[str]:
    return {p.field for p in error.value.problems}


def approve(account, draft):
    return issue.issue(account, draft.id, version=draft.version, content_hash=draft.content_hash)


def test_a_warning_goes_from_draft_to_bulletin_in_one_step_of_another_person():
    draft = district.submitted(district.drafter())
    bulletin = approve(district.approver(), draft)
    district.forget()
    stored = db.session.get(Bulletin, bulletin.id)
    assert stored.snapshot["words"] == draft.words
    assert stored.draft_hash == draft.content_hash
    assert {d.channel for d in db.session.execute(select(Dispatch)).scalars()} == {"sms", "speakers", "web"}
    assert db.session.execute(select(Warning)).scalar_one().state == "in_force"
    assert list(audit.verify(db.session)) == []
    assert [e.action for e in db.session.execute(select(audit.AuditEntry).order_by(audit.AuditEntry.seq)).scalars()][-3:] == [
        "draft.create",
        "draft.submit",
        "bulletin.issue",
    ]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"hazard": "99Z99", "words": {}}, "hazard"),
        ({"tier": "white"}, "tier"),
        ({"hazard": "11B15", "tier": "blue", "words": {}}, "tier"),
        ({"expires": utcnow() - timedelta(hours=1), "words": {}}, "expires"),
        ({"onset": utcnow() + timedelta(hours=9), "expires": utcnow() + timedelta(hours=8)}, "expires"),
        ({"expires": utcnow() + timedelta(days=30)}, "expires"),
        ({"target": {"regions": ["999999999999"], "area": None, "audiences": []}}, "target.regions"),
        ({"target": {"regions": [district.PINGSHAN], "area": None, "audiences": ["kings"]}}, "target.audiences"),
        (
            {
                "target": {
                    "regions": [],
                    "area": {
                        "type": "Polygon",
                        "coordinates": [[[114.30, 22.65], [114.40, 22.75], [114.40, 22.65], [114.30, 22.75], [114.30, 22.65]]],
                    },
                    "audiences": [],
                }
            },
            "target.area",
        ),
        (
            {
                "target": {
                    "regions": [],
                    "area": {
                        "type": "Polygon",
                        "coordinates": [[[22.65, 114.30], [22.75, 114.40], [22.65, 114.40], [22.65, 114.30]]],
                    },
                    "audiences": [],
                }
            },
            "target.area",
        ),
    ],
    ids=[
        "unknown hazard",
        "tier that rainstorm lacks",
        "hail has no blue",
        "past expiry",
        "expiry before onset",
        "too long",
        "unknown region",
        "unknown audience",
        "self-crossing area",
        "latitude and longitude swapped",
    ],
)
def test_bad_content_is_refused_at_its_field_and_nothing_is_stored(changes, field):
    account = district.drafter()
    with pytest.raises(Invalid) as error:
        drafts.create(account, district.content(**changes))
    assert field in fields(error)
    district.forget()
    assert db.session.execute(select(func.count()).select_from(Draft)).scalar_one() == 0


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("description", "小心<script>alert(1)</script>"),
        ("instruction", "stay &amp; wait"),
        ("sms", "【坪山应急】a\x07b"),
        ("headline", "暴雨\u202e红色"),
        ("speaker", "请立即避险🌀"),
        ("sms", "【坪山应急】" + "雨" * 665),
        ("headline", "长" * 161),
    ],
    ids=[
        "html",
        "entity",
        "control character",
        "direction override",
        "sign that cannot be spoken",
        "eleven segments",
        "too long",
    ],
)
def test_words_that_a_channel_cannot_carry_are_refused_at_their_field(field, text):
    words = district.content().words
    words["zh"] = words["zh"] | {field: text}
    with pytest.raises(Invalid) as error:
        drafts.create(district.drafter(), district.content(words=words))
    assert fields(error) == {f"words.zh.{field}"}


def test_emoji_may_be_in_a_text_message():
    words = district.content().words
    words["zh"] = words["zh"] | {"sms": "【坪山应急】请回家🏠"}
    assert drafts.create(district.drafter(), district.content(words=words)).words["zh"]["sms"].endswith("🏠")


def test_a_draft_may_be_incomplete_but_is_not_submitted_so():
    account = district.drafter()
    draft = drafts.create(account, district.content(words={}, target={"regions": [], "area": None, "audiences": []}))
    with pytest.raises(Invalid) as error:
        review.move(account, draft.id, review.SUBMIT, version=1)
    assert "target.regions" in fields(error)
    assert db.session.get(Draft, draft.id, populate_existing=True).status == "editing"


def test_a_street_officer_can_neither_target_another_street_nor_go_beyond_the_duty():
    officer = district.office("street", (DRAFTER, district.PINGSHAN, "orange"))
    aim = {"regions": [district.PINGSHAN], "area": None, "audiences": []}
    assert drafts.create(officer, district.content(tier="orange", target=aim)).tier == "orange"
    with pytest.raises(Forbidden):
        drafts.create(officer, district.content(tier="red", target=aim))
    with pytest.raises(Forbidden):
        drafts.create(officer, district.content(tier="orange"))
    across = {"type": "Circle", "center": [114.36, 22.70], "radius": 9000}
    with pytest.raises(Forbidden):
        drafts.create(officer, district.content(tier="orange", target={"regions": [], "area": across, "audiences": []}))


def test_nobody_approves_red_alone():
    both = district.office("both", (DRAFTER, district.DISTRICT, "red"), (APPROVER, district.DISTRICT, "red"))
    draft = district.submitted(both)
    with pytest.raises(Forbidden):
        approve(both, draft)
    other = district.drafter()
    mixed = drafts.create(other, district.content())
    mixed = drafts.revise(both, mixed.id, mixed.version, district.content(tier="red", expires=utcnow() + timedelta(hours=5)))
    mixed = review.move(other, mixed.id, review.SUBMIT, version=mixed.version)
    with pytest.raises(Forbidden):  # a part of the words is the approver's own
        approve(both, mixed)
    yellow = district.submitted(both, tier="yellow")
    assert approve(both, yellow).tier == "yellow"


def test_an_approval_is_of_exactly_the_version_seen():
    author, boss = district.drafter(), district.approver()
    seen = district.submitted(author)
    version, digest = seen.version, seen.content_hash
    review.move(author, seen.id, review.WITHDRAW, version=version)
    drafts.revise(author, seen.id, version, district.content(expires=utcnow() + timedelta(hours=2)))
    review.move(author, seen.id, review.SUBMIT, version=version + 1)
    with pytest.raises(Conflict):
        issue.issue(boss, seen.id, version=version, content_hash=digest)
    with pytest.raises(Conflict):
        issue.issue(boss, seen.id, version=version + 1, content_hash=digest)
    district.forget()
    assert db.session.execute(select(func.count()).select_from(Bulletin)).scalar_one() == 0


def test_words_changed_behind_the_portals_back_are_not_issued():
    draft = district.submitted(district.drafter())
    with transaction() as session:
        row = session.get(Draft, draft.id)
        row.words = row.words | {"zh": row.words["zh"] | {"sms": "【坪山应急】nothing happens"}}
    with pytest.raises(Conflict):
        approve(district.approver(), draft)


def test_two_approvals_in_the_same_second_issue_once(context):
    draft = district.submitted(district.drafter())
    bosses = [district.approver(f"approver{n}").id for n in range(4)]
    seen = {"draft_id": draft.id, "version": draft.version, "content_hash": draft.content_hash}
    barrier, results = threading.Barrier(4), []

    def click(account_id):
        from portal.identity.models import Account

        with context.app_context():
            account = db.session.get(Account, account_id)
            barrier.wait()
            try:
                results.append(issue.issue(account, **seen))
            except Conflict as conflict:
                results.append(conflict)

    threads = [threading.Thread(target=click, args=(b,)) for b in bosses]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert sum(isinstance(r, Bulletin) for r in results) == 1
    assert sum(isinstance(r, Conflict) for r in results) == 3
    district.forget()
    assert db.session.execute(select(func.count()).select_from(Bulletin)).scalar_one() == 1
    assert db.session.execute(select(func.count()).select_from(Dispatch)).scalar_one() == 3


def test_a_duty_removed_between_view_and_click_counts():
    draft, boss = district.submitted(district.drafter()), district.approver()
    assert review.APPROVE in review.possible_moves(boss, draft, review.current_settings())
    with transaction() as session:
        session.execute(delete(Duty).where(Duty.account_id == boss.id))
    with pytest.raises(Forbidden):
        approve(boss, draft)


def test_returning_and_rejecting_need_a_reason_and_keep_it():
    author, boss = district.drafter(), district.approver()
    draft = district.submitted(author)
    with pytest.raises(Invalid):
        review.move(boss, draft.id, review.RETURN, version=draft.version, reason="  ")
    review.move(boss, draft.id, review.RETURN, version=draft.version, reason="缺少转移路线")
    again = db.session.get(Draft, draft.id, populate_existing=True)
    assert (again.status, again.review_reason) == ("editing", "缺少转移路线")
    review.move(author, draft.id, review.SUBMIT, version=draft.version)
    review.move(boss, draft.id, review.REJECT, version=draft.version, reason="重复")
    with pytest.raises(Conflict):
        approve(boss, draft)


@pytest.mark.parametrize("verb", review.MOVES)
@pytest.mark.parametrize("status", ["editing", "submitted", "rejected", "discarded", "issued"])
def test_only_the_moves_of_the_table_are_possible(verb, status):
    author, boss = district.drafter(), district.approver()
    draft = drafts.create(author, district.content())
    with transaction() as session:
        session.get(Draft, draft.id).status = status
    actor = author if review.MOVES[verb].role == DRAFTER else boss

    def act():
        if verb == review.APPROVE:
            return approve(actor, draft)
        return review.move(actor, draft.id, verb, version=draft.version, reason="r")

    if review.MOVES[verb].source == status:
        act()
        assert db.session.get(Draft, draft.id, populate_existing=True).status == review.MOVES[verb].to
    else:
        with pytest.raises(Conflict):
            act()


def test_two_people_editing_one_draft_do_not_overwrite_each_other():
    author, colleague = district.drafter(), district.drafter("colleague")
    draft = drafts.create(author, district.content())
    drafts.revise(colleague, draft.id, 1, district.content(tier="orange"))
    with pytest.raises(Conflict):
        drafts.revise(author, draft.id, 1, district.content(tier="yellow"))
    assert db.session.get(Draft, draft.id, populate_existing=True).tier == "orange"


def test_a_drill_is_marked_on_every_channel_and_needs_one_person():
    both = district.office("both", (DRAFTER, district.DISTRICT, "red"), (APPROVER, district.DISTRICT, "red"))
    bulletin = approve(both, district.submitted(both, exercise=True))
    for language, mark in (("zh", "演练"), ("en", "EXERCISE")):
        for field in ("headline", "sms"):
            assert mark in bulletin.snapshot["words"][language][field]
    assert "演练" in bulletin.snapshot["words"]["zh"]["speaker"]
    assert b"<status>Exercise</status>" in bulletin.cap
    assert bulletin.warning_number.split("-")[1].startswith("D")
    assert "web" not in {d.channel for d in db.session.execute(select(Dispatch)).scalars()}


def test_bulletins_of_one_second_have_different_identifiers(monkeypatch):
    moment = utcnow()
    monkeypatch.setattr(issue, "utcnow", lambda: moment)
    author, boss = district.drafter(), district.approver()
    made = [approve(boss, district.submitted(author)) for _ in range(3)]
    assert len({b.identifier for b in made}) == 3
    assert len({b.warning_number for b in made}) == 3
