"""How devices are found for a dispatch, on both databases."""

from __future__ import annotations

import re

from sqlalchemy import func, select, text

from portal.channels.push import store
from portal.channels.push.models import PushDevice
from portal.core.db import db
from tests import district
from tests.push.browsers import COMMUNITY, OTHER, device, subscribed, subscription


def test_devices_are_found_by_community_language_and_tier_each_once(context, database_kind):
    district.settle_regions()
    here = [device((COMMUNITY,), tier=t, language=lang) for t in (0, 2, 4) for lang in ("zh", "en")]
    both = device((COMMUNITY, OTHER), tier=1)
    ids = {row.endpoint_hash: row.id for row in db.session.scalars(select(PushDevice))}

    def number(url: str) -> int:
        return ids[store._digest(url)]

    assert store.page(COMMUNITY, "zh", 4) == [number(here[0]), number(here[2]), number(here[4]), number(both)]
    assert store.page(COMMUNITY, "zh", 1) == [number(here[0]), number(both)]
    assert store.page(COMMUNITY, "zh", 4, after_id=number(here[0]), limit=1) == [number(here[2])]
    assert store.page(OTHER, "zh", 4) == [number(both)]
    assert store.count_in(["440310000000"], 4) == 7
    assert store.count_in([COMMUNITY, OTHER], 1) == 3
    assert store.count_in([OTHER], 0) == 0
    newest = max(ids.values())
    assert store.drop_many([next(url for url in (*here, both) if number(url) == newest)]) == 1
    device((COMMUNITY,))
    assert db.session.scalar(select(func.max(PushDevice.id))) > newest, "a number is never given twice"


def test_a_device_is_moved_and_forgotten_whole(context, database_kind):
    district.settle_regions()
    old, other = device((COMMUNITY, OTHER), tier=3), device((OTHER,))
    taken = subscribed(subscription())
    assert store.renew(old, taken)
    assert store.of(old) is None
    assert store.of(taken.address.url) == store.Wanted((COMMUNITY, OTHER), 3, "zh")
    assert store.renew(other, taken), "an address belongs to one device: the newest word counts"
    assert store.of(taken.address.url) == store.Wanted((OTHER,), 0, "zh")
    assert store.page(COMMUNITY, "zh", 4) == []
    (address, keys), = store.load(store.page(OTHER, "zh", 4)).values()
    assert (address, keys) == (taken.address.url, taken.keys)
    assert store.drop(address)
    assert not store.drop(address)
    assert store.count_in([district.DISTRICT], 4) == 0


def test_planning_reads_a_community_as_one_range(context, database_kind):
    query = store.page_query(COMMUNITY, "zh", 3, 0, 100).compile(
        dialect=db.engine.dialect, compile_kwargs={"literal_binds": True})
    if database_kind == "sqlite":
        plan = " ".join(str(tuple(row)) for row in db.session.execute(text(f"EXPLAIN QUERY PLAN {query}")))
        assert "SCAN" not in plan
        assert "region_code=? AND device_id>?" in plan
    else:
        # As many as make a difference, and figures of them: on empty tables any plan is as good as another.
        district.settle_regions()
        db.session.execute(text(
            "INSERT INTO push_device (id, endpoint_hash, sealed, host, language, lowest_tier, source_hash, created_at, seen_at)"
            " SELECT n, sha256(n::text::bytea), '', '', 'zh', 0, '', now(), now() FROM generate_series(1, 2000) n"))
        db.session.execute(text(
            "INSERT INTO push_device_region SELECT lpad((n % 50)::text, 12, '0'), n FROM generate_series(1, 2000) n"))
        db.session.execute(text("ANALYZE push_device, push_device_region"))
        db.session.execute(text("SET LOCAL enable_seqscan = off"))
        plan = " ".join(row[0] for row in db.session.execute(text(f"EXPLAIN {query}")))
        assert "Seq Scan" not in plan
        range_of_key = r"pk_push_device_region .*Index Cond: \(\(+region_code\)?(::text)? = .* AND \(device_id > 0\)\)"
        assert re.search(range_of_key, plan), plan
