"""Update and all-clear: exactly those to whom something went out, each in their language, through who carried it."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from pathlib import Path

import pytest
from sqlalchemy import select, update

from portal import current_settings
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.dispatch import outcomes, plan
from portal.dispatch.models import BATCH_DONE, DONE, Batch, Dispatch, Tally
from portal.dispatch.planning import told
from portal.dispatch.planning.pieces import REACHED
from portal.dispatch.recipients import unpack
from portal.subscribers.models import Subscriber
from portal.warnings.models import CANCEL, UPDATE
from tests import district
from tests.dispatch.conftest import dispatch_of

AIM = {"regions": [district.PINGSHAN], "area": None, "audiences": [], "channels": ["sms"]}
STATUSES = ("accepted", "failed", "accepted", "uncertain", "invalid", "accepted", "opted_out", "expired")
CARRIERS = ("east", "east", "west")


def batches(bulletin) -> list[Batch]:
    mine = select(Batch).where(Batch.dispatch_id == dispatch_of(bulletin).id).order_by(Batch.id)
    return list(db.session.scalars(mine.execution_options(populate_existing=True)))


def went_out(bulletin) -> dict[int, tuple[str, str, str, int]]:
    """End a dispatch: an outcome for everybody, of all kinds, by two carriers. Those reached: region, language, carrier and
    audiences by id."""
    masks = dict(db.session.execute(select(Subscriber.id, Subscriber.audiences)).all())
    rows, reached = [], {}
    for batch in batches(bulletin):
        for i in unpack(batch.recipients).tolist():
            status, carrier = STATUSES[i % len(STATUSES)], CARRIERS[i % len(CARRIERS)]
            rows.append((batch.id, [(i, status, "", "", carrier, masks[i])]))
            if status in REACHED:
                reached[i] = (batch.region_code, batch.language, carrier, masks[i])
    with transaction() as session:
        mine = dispatch_of(bulletin).id
        outcomes.append(session, [(batch_id, outcomes.alike(theirs)) for batch_id, theirs in rows], utcnow())
        session.execute(update(Batch).where(Batch.dispatch_id == mine).values(state=BATCH_DONE))
        session.execute(update(Dispatch).where(Dispatch.id == mine).values(state=DONE, ended_at=utcnow()))
    return reached


def named(bulletin) -> list[tuple[int, tuple[str, str, str]]]:
    return [(int(i), (b.region_code, b.language, b.carrier)) for b in batches(bulletin) for i in unpack(b.recipients)]


@pytest.mark.parametrize("slices", ["one", "many"])
def test_the_all_clear_reaches_whom_it_concerns_in_their_language_by_their_carrier(workshop, issued, monkeypatch, slices):
    monkeypatch.setattr(told, "BATCHES", 200 if slices == "one" else 2)
    district.subscribers(700)
    alert = issued(target=AIM)
    workshop.plan_all()
    reached = went_out(alert)
    with transaction() as session:  # whatever they choose afterwards: it was said to them in that language
        session.execute(update(Subscriber).where(Subscriber.id % 5 == 0).values(language="en", audiences=64))
    cancel = issued(kind=CANCEL, warning_id=alert.warning_id, target=AIM)
    workshop.plan_all()
    assert Counter(named(cancel)) == Counter({(i, where[:3]): 1 for i, where in reached.items()})
    found: Counter = Counter()
    for region, language, mask, n in db.session.execute(select(Tally.region_code, Tally.language, Tally.audiences, Tally.n).where(
            Tally.dispatch_id == dispatch_of(cancel).id, Tally.key == "planned")):
        found[region, language, mask] += n
    assert found == Counter((region, language, mask) for region, language, _carrier, mask in reached.values())
    if slices == "one":
        assert len(batches(cancel)) <= len(batches(alert)) * len(set(CARRIERS)), "small rests of batches go together"


def test_an_all_clear_waits_until_what_it_ends_is_at_rest(workshop, issued):
    district.subscribers(100)
    alert = issued(target=AIM)
    workshop.plan_all()
    reached = went_out(alert)
    with transaction() as session:
        session.execute(update(Dispatch).where(Dispatch.id == dispatch_of(alert).id).values(ended_at=None))
    cancel = issued(kind=CANCEL, warning_id=alert.warning_id, target=AIM)
    steps = plan.plan(dispatch_of(cancel).id)
    assert False in islice(steps, 50)
    assert dispatch_of(cancel).planned_at is None
    with transaction() as session:
        session.execute(update(Dispatch).where(Dispatch.id == dispatch_of(alert).id).values(ended_at=utcnow()))
    assert list(steps) == []
    assert {i for i, _where in named(cancel)} == set(reached)
    assert dispatch_of(cancel).planned_at is not None


def test_an_update_asks_first_who_carried_what_it_replaces_where_there_are_several(context, workshop, issued, monkeypatch):
    monkeypatch.setattr(plan, "SLICE", 60)
    monkeypatch.setitem(context.extensions, "anlan", current_settings().model_copy(update={"sms_lines": Path("lines.toml")}))
    district.subscribers(600)
    alert = issued(target=AIM)
    workshop.plan_all()
    reached = went_out(alert)
    later = issued(kind=UPDATE, warning_id=alert.warning_id, target=AIM | {"regions": [district.LIULIAN, district.KENGZI]})
    workshop.plan_all()
    found = named(later)
    assert Counter(i for i, _where in found).most_common(1)[0][1] == 1
    assert {i for i, _where in found} >= set(reached)
    for i, (region, language, carrier) in found:
        if i not in reached:
            assert carrier == ""
        elif reached[i][0] == region:
            assert (language, carrier) == reached[i][1:3]
    assert {carrier for _i, (region, _language, carrier) in found if region == district.LIULIAN} == {"", "east", "west"}


def test_an_update_asks_any_carrier_for_its_target_and_the_first_ones_for_those_told_before(workshop, issued, monkeypatch):
    monkeypatch.setattr(told, "BATCHES", 3)
    district.subscribers(600)
    alert = issued(target=AIM)
    workshop.plan_all()
    reached = went_out(alert)
    later = issued(kind=UPDATE, warning_id=alert.warning_id, target=AIM | {"regions": [district.KENGZI, district.LIULIAN]})
    for dispatch_id in plan.waiting_dispatches(db.session):
        for _ in range(500):  # each slice by another planner
            steps = plan.plan(dispatch_id)
            if next(steps, "ended") == "ended":
                break
            steps.close()
    found = named(later)
    assert Counter(i for i, _where in found).most_common(1)[0][1] == 1
    aimed = {i for i, (_region, _language, carrier) in found if not carrier}
    assert {i for i, where in reached.items() if where[0] == district.LIULIAN} <= aimed
    outside = {i: where for i, where in found if where[2]}
    assert outside == {i: where[:3] for i, where in reached.items() if i not in aimed}
    assert {carrier for _region, _language, carrier in outside.values()} == {"east", "west"}
