"""Whoever the people are and whatever the target is: the pieces of a plan name exactly whom the target means, each once, where,
how and as whom; whether they are looked up or read ahead."""

from __future__ import annotations

import uuid
from collections import Counter
from datetime import UTC, datetime

import hypothesis
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, insert, text

from portal.core.arrays import ById
from portal.core.db import db, transaction
from portal.core.i18n import LANGUAGES
from portal.dispatch.models import SMS
from portal.dispatch.planning import aimed
from portal.dispatch.planning.pieces import Job
from portal.subscribers import audiences, crowd
from portal.subscribers.matter import Matter, end_of_quiet
from portal.subscribers.models import Subscriber, SubscriberRegion

ZONE = "Asia/Shanghai"
AT = datetime(2026, 7, 1, 4, 30, tzinfo=UTC)
PLACES = [f"44031000100{n}" for n in range(1, 6)]

person = st.fixed_dictionaries({
    "language": st.sampled_from([*LANGUAGES, "fr"]),
    "audiences": st.sampled_from([1, 2, 3, 16, 129]),
    "status": st.sampled_from(["active", "active", "active", "opted_out", "invalid"]),
    "muted_kinds": st.sampled_from([0, 0, 1, 6]),
    "lowest_tier": st.integers(0, 4),
    "quiet_from": st.none() | st.integers(0, 23),
    "quiet_to": st.integers(0, 23),
    "homes": st.sets(st.sampled_from(PLACES), min_size=1),
})


def settle(people: list[dict]) -> None:
    with transaction() as session:
        session.execute(delete(SubscriberRegion))
        session.execute(delete(Subscriber))
        if people:
            session.execute(insert(Subscriber), [
                {name: value for name, value in one.items() if name != "homes"}
                | {"id": n, "phone_sealed": b"", "phone_index": str(n).encode(), "source": "test",
                   "created_at": AT, "changed_at": AT}
                for n, one in enumerate(people, 1)])
            session.execute(insert(SubscriberRegion), [{"region_code": code, "subscriber_id": n}
                                                       for n, one in enumerate(people, 1) for code in sorted(one["homes"])])


def sleeps(one: dict, hour: int | None) -> bool:
    begins, ends = one["quiet_from"], one["quiet_to"]
    if hour is None or begins is None or begins == ends:
        return False
    return begins <= hour < ends if begins < ends else hour >= begins or hour < ends


def meant(people: list[dict], places: list[str], mask: int, matter: Matter) -> dict[int, tuple]:
    """The same question asked of each person in turn."""
    found = {}
    for n, one in enumerate(people, 1):
        home = next((place for place in places if place in one["homes"]), None)
        wants = one["lowest_tier"] <= matter.tier and not one["muted_kinds"] & matter.kind
        able = one["status"] == "active" and one["language"] in LANGUAGES
        if home and wants and able and (not mask or one["audiences"] & mask):
            until = end_of_quiet(one["quiet_to"], AT, ZONE) if sleeps(one, matter.hour) else None
            found[n] = (home, one["language"], until)
    return found


def job_of(places: list[str], keys: list[str], matter: Matter) -> Job:
    aim = {"regions": places, "area": None, "audiences": keys, "channels": ["sms"]}
    return Job(uuid.uuid4(), SMS, 0, uuid.uuid4(), (), aim, tuple(places), matter, False, AT, ZONE)


@hypothesis.settings(max_examples=20, suppress_health_check=list(hypothesis.HealthCheck))
@given(
    people=st.just([]) | st.lists(person, min_size=9, max_size=25),
    places=st.lists(st.sampled_from(PLACES), unique=True, min_size=1),
    keys=st.lists(st.sampled_from([a.key for a in audiences.AUDIENCES]), unique=True, max_size=3),
    matter=st.builds(Matter, st.sampled_from([0, 1, 2]), st.integers(0, 4), st.none() | st.integers(0, 23)),
    limits=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    ahead=st.sampled_from([4, 9, 1000]),
    dearer=st.sampled_from([0, 1, 1000]),
)
def test_the_union_of_the_pieces_is_whom_the_target_means_each_once(context, people, places, keys, matter, limits, ahead, dearer):
    settle(people)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crowd, "RANGE", ahead)
        patch.setattr(crowd, "DEARER", dearer)
        reader, after, found, masks = aimed.Texts(job_of(places, keys, matter), ById("?")), (), [], Counter()
        for turn in range(500):
            piece = reader.read(after, limits[turn % len(limits)])
            for part in piece.parts:
                assert (np.diff(part.ids) > 0).all()
                found += [(int(i), (part.region_code, part.language, part.until)) for i in part.ids]
                masks.update(part.audiences)
            if piece.after is None:
                break
            after = piece.after
        else:
            pytest.fail("the plan never ended")
    wanted = meant(people, places, audiences.mask_of(keys), matter)
    assert sorted(found) == sorted(wanted.items())
    assert masks == Counter(people[n - 1]["audiences"] for n in wanted)
    db.session.rollback()


@pytest.mark.parametrize("ahead", [1, 3, 4, 1000])
def test_who_is_read_ahead_is_who_is_looked_up(context, monkeypatch, ahead):
    monkeypatch.setattr(crowd, "RANGE", ahead)
    kinds = ({"status": "active", "quiet_from": None}, {"status": "opted_out", "quiet_from": None},
             {"status": "active", "quiet_from": 1}, {"status": "active", "quiet_from": None})
    settle([{"language": LANGUAGES[n % 2], "audiences": 1 + n % 5, "muted_kinds": 0, "lowest_tier": 0, "quiet_to": 7,
             "homes": {PLACES[n % 2], PLACES[2]}, **kinds[n % 4]} for n in range(13)])
    reader = crowd.Crowd(5, Matter(1, 2, 3))
    looked_up = [[column.tolist() for column in reader.page(place, after, 4)] for place in PLACES for after in (0, 5, 12)]
    assert reader.worth_reading(10)
    for _ in range(100):
        if reader.is_read:
            break
        reader.read_ahead()
    assert reader.is_read
    assert not reader.worth_reading(10)
    assert [[column.tolist() for column in reader.page(place, after, 4)] for place in PLACES for after in (0, 5, 12)] == looked_up
    assert {code for _ids, codes in looked_up for code in codes} > {crowd.NOT_TOLD}


@hypothesis.settings(max_examples=40)
@given(st.lists(st.tuples(st.lists(st.integers(0, 2**40), unique=True, max_size=20), st.integers(1, 250)), max_size=6),
       st.lists(st.integers(0, 2**40), max_size=20))
def test_what_is_kept_by_id_is_what_was_set_last_however_ids_are_spread(sets, others):
    kept, plain = ById("<u4"), {}
    for ids, value in sets:
        kept.set(np.array(ids, dtype="<i8"), value)
        plain |= dict.fromkeys(ids, value)
    asked = np.array([*plain, *others, *(i + 1 for i in plain)], dtype="<i8")
    assert kept.get(asked).tolist() == [plain.get(int(i), 0) for i in asked]


def test_a_person_is_looked_up_by_key_and_a_community_is_a_range_of_the_index(context):
    settle([{"language": "zh", "audiences": 1, "status": "active", "muted_kinds": 0, "lowest_tier": 0, "quiet_from": None,
             "quiet_to": 0, "homes": {PLACES[n % 5]}} for n in range(400)])
    asked: list[str] = []

    class Told(crowd.Crowd):
        def page(self, *args):
            people = super().page(*args)
            asked.append(str(crowd.looked_up(self.range_of(*args), self._told, self._code).compile(
                db.engine, compile_kwargs={"literal_binds": True})))
            return people

    assert len(Told(1, Matter(1, 2, 3)).page(PLACES[0], 0, 50)[0]) == 50
    if db.engine.dialect.name == "sqlite":
        plan = " ".join(row[3] for row in db.session.execute(text("EXPLAIN QUERY PLAN " + asked[0])))
        assert "(region_code=? AND subscriber_id>?)" in plan
        assert "SEARCH subscriber USING INTEGER PRIMARY KEY" in plan
        assert "SCAN subscriber" not in plan
        return
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    plan = " ".join(row[0] for row in db.session.execute(text("EXPLAIN " + asked[0])))
    assert "Index Cond: (id = " in plan
    assert "Seq Scan on subscriber " not in plan
