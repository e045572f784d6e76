"""Whoever asks what was sent to them sees it, and nothing of others."""

from __future__ import annotations

from portal.dispatch import to_one
from portal.subscribers import store
from tests import district
from tests.district import KENGZI, PINGSHAN


def test_what_was_sent_to_one_is_found_among_all_batches(workshop, issued, monkeypatch):
    monkeypatch.setattr(to_one, "CHUNK", 2)
    district.subscribers(60)
    here, left = (district.subscriber(f"+8612900000{n}", district.LIULIAN) for n in (901, 902))
    first = issued(target={"regions": [PINGSHAN], "area": None, "audiences": [], "channels": ["sms"]})
    workshop.plan_all()
    store.opt_out(left, "sms")
    workshop.finish()
    issued(target={"regions": [KENGZI], "area": None, "audiences": [], "channels": ["sms"]})
    workshop.finish()
    last = issued(target={"regions": [PINGSHAN, KENGZI], "area": None, "audiences": [], "channels": ["sms"]})
    workshop.finish()
    assert [(one.bulletin_id, one.status) for one in to_one.texts_to(here)] == [(last.id, "accepted"), (first.id, "accepted")]
    assert [(one.bulletin_id, one.status) for one in to_one.texts_to(left)] == [(first.id, "opted_out")]
    assert [one.bulletin_id for one in to_one.texts_to(here, most=1)] == [last.id]
    assert to_one.texts_to(10**9) == []
