"""A plan that lasts: people move and leave, the planner is replaced, and still nobody is forgotten and nobody is told twice."""

from __future__ import annotations

from collections import Counter

import pytest
from sqlalchemy import delete, insert, select, update

from portal.core.db import db, transaction
from portal.dispatch import plan, tallies
from portal.dispatch.models import Batch, Dispatch, Tally
from portal.dispatch.recipients import unpack
from portal.regions import lookup
from portal.subscribers.models import Subscriber, SubscriberRegion
from tests import district
from tests.dispatch.conftest import dispatch_of

AIM = {"regions": [district.KENGZI, district.PINGSHAN], "area": None, "audiences": [], "channels": ["sms"]}


@pytest.fixture
def places(workshop) -> list[str]:
    return [*lookup.communities_under([district.KENGZI]), *lookup.communities_under([district.PINGSHAN])]


@pytest.fixture
def few(places, monkeypatch) -> list[str]:
    """Two people a slice, four in each of the communities."""
    monkeypatch.setattr(plan, "SLICE", 2)
    for n in range(4 * len(places)):
        district.subscriber(f"+86129100{n:05d}", places[n % len(places)], language="en" if n % 3 == 0 else "zh")
    return places


def batches(bulletin, channel="sms") -> list[Batch]:
    mine = select(Batch).where(Batch.dispatch_id == dispatch_of(bulletin, channel).id).order_by(Batch.id)
    return list(db.session.scalars(mine.execution_options(populate_existing=True)))


def named(bulletin) -> list[int]:
    return [int(i) for batch in batches(bulletin) for i in unpack(batch.recipients)]


def at_home(*places: str) -> list[int]:
    return sorted(db.session.scalars(select(SubscriberRegion.subscriber_id).where(SubscriberRegion.region_code.in_(places))))


def step(bulletin) -> bool:
    """One slice by a planner of its own."""
    steps = plan.plan(dispatch_of(bulletin).id)
    went_on = next(steps, None)
    steps.close()
    return went_on is not None


def to_its_end(bulletin) -> None:
    for _ in range(300):
        if dispatch_of(bulletin).planned_at:
            return
        step(bulletin)
    pytest.fail("the plan never ended")


def test_batches_stand_in_the_order_of_danger_and_that_order_is_fixed_when_planning_begins(workshop, issued, few):
    bulletin = issued(target=AIM, tier="yellow")
    assert step(bulletin)
    assert dispatch_of(bulletin).places.split() == few, "as the target names the streets"
    issued(target=AIM | {"regions": [few[-1]]})  # a red warning for the last of them
    to_its_end(bulletin)
    assert list(dict.fromkeys(batch.region_code for batch in batches(bulletin))) == few
    later = issued(target=AIM, tier="yellow", hazard="11B01")
    to_its_end(later)
    assert list(dict.fromkeys(batch.region_code for batch in batches(later))) == [few[-1], *few[:-1]]


def test_who_joins_a_later_community_while_it_is_planned_is_told_once_and_who_joins_an_earlier_one_is_told(workshop, issued, few):
    early, late = at_home(few[0])[0], at_home(few[-1])[0]
    bulletin = issued(target=AIM)
    while early not in named(bulletin) or len(named(bulletin)) < 6:
        assert step(bulletin)
    assert late not in named(bulletin)
    with transaction() as session:
        session.execute(insert(SubscriberRegion), [{"region_code": few[-1], "subscriber_id": early},
                                                   {"region_code": few[0], "subscriber_id": late}])
    to_its_end(bulletin)
    assert Counter(named(bulletin)) == Counter(set(at_home(*few)))


def test_who_moves_from_a_planned_community_into_another_is_told_once(workshop, issued, few):
    early = at_home(few[0])[0]
    bulletin = issued(target=AIM)
    everybody = set(at_home(*few))
    while early not in named(bulletin):
        assert step(bulletin)
    with transaction() as session:
        session.execute(delete(SubscriberRegion).where(SubscriberRegion.subscriber_id == early))
        session.execute(insert(SubscriberRegion), [{"region_code": few[-1], "subscriber_id": early}])
    to_its_end(bulletin)
    assert Counter(named(bulletin)) == Counter(everybody)


def test_a_plan_that_an_older_version_began_is_planned_to_its_end(workshop, issued, few):
    bulletin = issued(target=AIM)
    for _ in range(4):
        assert step(bulletin)
    begun = named(bulletin)
    with transaction() as session:
        session.execute(update(Dispatch).where(Dispatch.id == dispatch_of(bulletin).id)
                        .values(cursor='["target", "440310001001", "zh", 17]', places=""))
    to_its_end(bulletin)
    assert named(bulletin)[: len(begun)] == begun
    assert Counter(named(bulletin)) == Counter(at_home(*few))


def test_whom_a_plan_names_is_counted_by_region_language_and_audience(workshop, issued, monkeypatch):
    monkeypatch.setattr(plan, "SLICE", 150)
    district.subscribers(900)
    bulletin = issued(target=AIM | {"audiences": ["schools", "carers", "residents"]})
    workshop.plan_all()
    where = {int(i): batch.region_code for batch in batches(bulletin) for i in unpack(batch.recipients)}
    people = db.session.execute(select(Subscriber.id, Subscriber.language, Subscriber.audiences)).all()
    wanted = Counter((where[i], language, mask) for i, language, mask in people if i in where)
    rows = db.session.execute(select(Tally.region_code, Tally.language, Tally.audiences, Tally.n).where(
        Tally.dispatch_id == dispatch_of(bulletin).id, Tally.key == tallies.PLANNED)).all()
    found: Counter = Counter()
    for region, language, mask, n in rows:
        found[region, language, mask] += n
    assert found == wanted
    assert len({mask for _region, _language, mask in found}) > 4
    assert dispatch_of(bulletin).moved_at is not None


def test_no_channel_waits_for_anothers_last_batch_before_its_first(workshop, issued, few):
    district.speakers(*few)
    bulletin = issued(target=AIM | {"channels": ["sms", "speakers"]})
    touched = []
    for _ in range(3):
        (first, *_others) = plan.waiting_dispatches(db.session)
        touched.append(db.session.get_one(Dispatch, first).channel)
        steps = plan.plan(first)
        assert next(steps, None) is not False
        steps.close()
    assert touched == ["web", "speakers", "sms"]
    assert batches(bulletin)
    assert dispatch_of(bulletin, "speakers").planned_at is None, "its other slices come after"
