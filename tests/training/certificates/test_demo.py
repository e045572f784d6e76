"""The demonstration's certificates: one in every state at least, and a second start brings no more."""

from __future__ import annotations

from contextlib import nullcontext

from sqlalchemy import select

from portal.core.db import db
from portal.training.certificate_models import Certificate
from portal.training.certificates import demo, issue, store
from tests.district import DISTRICT, office, settle_regions


def test_the_demonstration_shows_every_state_once_and_a_second_start_adds_nothing(site_alone, monkeypatch):
    monkeypatch.setattr(demo, "COURSE", "sample")
    monkeypatch.setattr(demo, "PEOPLE", (("周晓岚", 12), ("王𠮷安", 33), ("杨思远", 690), ("何一帆", 840)))
    settle_regions()
    office("trainer", ("trainer", DISTRICT, "white"))
    for _start in range(2):
        demo.seed(lambda _zh, _en: nullcontext())
        found = store.shown(db.session.execute(select(Certificate)).scalars().all())
        assert {one.state for one in found} == set(store.WORDS) - {store.UNKNOWN}
        assert len(found) == 4 + 3 + 2
    assert {issue.name_on(one.row) for one in found if one.state == store.REPLACED} == {demo.WRITTEN_WRONG}
