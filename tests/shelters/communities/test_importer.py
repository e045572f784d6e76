"""Communities come in from a content file: whole or not at all, twice without a change, never over what staff entered."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from portal.core import audit
from portal.core.db import db, transaction
from portal.shelters.communities import importer, store, words
from portal.shelters.models import CommunityPost, RiskPoint
from tests import district
from tests.district import LIULIAN

SAMPLE = Path(__file__).with_name("sample.yaml")
LIUHE = "440310001002"


@pytest.fixture(autouse=True)
def _regions(context):
    district.settle_regions()


def test_what_the_file_says_is_what_is_kept():
    report = importer.import_file(SAMPLE)
    assert (report.communities, report.posts, report.risks, report.haves, report.problems) == (2, 3, 2, 6, [])
    first, second = store.posts(LIULIAN)
    assert (first.post("zh"), first.post("en")) == ("社区防汛责任人", "Flood officer of the community")
    assert first.phone == "129 0000 0101"
    assert (second.task("en"), second.phone) == ("", "0755 8462 0001")
    slope, underpass = store.risk_points(LIULIAN)
    assert (slope.kind, slope.people, slope.longitude) == ("slope", 46, 114.352)
    assert slope.checked_at == datetime(2026, 5, 10, 16, tzinfo=UTC), "the day is one of the district's zone"
    assert (underpass.name("en"), underpass.people, underpass.longitude) == ("Underpass", None, None)


def test_there_are_always_ten_and_what_nobody_said_is_unknown():
    importer.import_file(SAMPLE)
    for code in (LIULIAN, LIUHE, "440310001003"):
        assert [h.item for h in store.ten(code)] == list(words.TEN)
    known = store.known([LIULIAN])[LIULIAN]
    assert [h.item for h in known.there] == ["organisation", "speakers", "shelter"]
    assert [h.item for h in known.missing] == ["alarms"]
    assert len(known.unknown) == 6
    assert {h.answer for h in store.ten(LIUHE)} == {"unknown"}


def test_the_same_file_twice_changes_nothing():
    importer.import_file(SAMPLE)
    before, entries = store.stamp(LIULIAN), len(list(db.session.execute(select(audit.AuditEntry)).scalars()))
    again = importer.import_file(SAMPLE)
    assert (again.changed, store.stamp(LIULIAN)) == (0, before)
    assert len(list(db.session.execute(select(audit.AuditEntry)).scalars())) == entries


def test_a_check_changes_nothing():
    report = importer.import_file(SAMPLE, check=True)
    assert (report.communities, report.changed) == (2, 0)
    assert not store.posts(LIULIAN)


def test_what_the_file_no_longer_names_goes(tmp_path):
    importer.import_file(SAMPLE)
    path = tmp_path / "communities.yaml"
    path.write_text('demonstration: true\ncommunities:\n  - code: "440310001001"\n')
    importer.import_file(path)
    assert not store.posts(LIULIAN)
    assert not store.risk_points(LIULIAN)
    assert store.posts(LIUHE), "a community that the file does not name stays"


def test_the_demonstration_never_replaces_what_staff_entered():
    importer.import_file(SAMPLE)
    with transaction() as session:
        for row in [*session.execute(select(CommunityPost).where(CommunityPost.region_code == LIULIAN)).scalars(),
                    *session.execute(select(RiskPoint)).scalars()]:
            row.demonstration = False
            if isinstance(row, CommunityPost):
                row.phone = "12345"
            else:
                row.people = 7
    report = importer.import_file(SAMPLE)
    assert report.left == 4
    assert {post.phone for post in store.posts(LIULIAN)} == {"12345"}
    assert {risk.people for risk in store.risk_points(LIULIAN)} == {7}


FAULTS = [
    ("129 0000 0101", "no number", "communities.1.posts.1.phone: is no telephone number"),
    ("0755-8462 0001", "13800000000", "communities.1.posts.2.phone: is a mobile number: write `mobile: true`"),
    ("kind: slope", "kind: volcano", "communities.1.risks.1.kind: must be one of slope"),
    ("lon: 114.352\n        lat: 22.701", "lon: 22.701\n        lat: 114.352", "risks.1.lon: longitude and latitude seem to be"),
    ("LL-R02", "LL-R01", "communities.1.risks.2.code: stands twice"),
    ("there: false", "there: perhaps", "communities.1.ten.alarms.there: must be true or false"),
    ("lighting: {", "lamps: {", "communities.1.ten.lamps: unknown key"),
    ("people: 46", "people: many", "communities.1.risks.1.people: must be a number of people"),
    ("checked: 2026-05-11\n      - code", "checked: May\n      - code", "must be a day as 2026-05-11"),
    ("en: Underpass", "en: ''", "communities.1.risks.2.name.en: is empty"),
    ("440310001002", "440310001000", "communities.2.code: 440310001000 is no community that is known here"),
]


def test_each_fault_is_named_with_its_place_and_nothing_comes_in(tmp_path):
    text = SAMPLE.read_text()
    for old, new, _said in FAULTS:
        assert old in text
        text = text.replace(old, new, 1)
    path = tmp_path / "communities.yaml"
    path.write_text(text)
    problems = importer.import_file(path).problems
    for _old, _new, said in FAULTS:
        assert [p for p in problems if said in p and p.startswith("communities.yaml:")], (said, problems)
    assert len(problems) == len(FAULTS)
    assert not store.posts(LIULIAN)


def test_a_community_that_stands_twice_and_a_place_outside_are_named(tmp_path):
    path = tmp_path / "communities.yaml"
    path.write_text(SAMPLE.read_text().replace(LIUHE, LIULIAN).replace("lon: 114.352", "lon: 100.5"))
    problems = importer.import_file(path).problems
    assert any("stands twice" in p for p in problems)
    assert any("100.5, 22.701 lies in no community" in p for p in problems)
