"""Planning: exactly the target, once, in batches, and it goes on where it was cut off."""

import random
from collections import Counter

import numpy as np
import pytest
from sqlalchemy import select

from portal.core.db import db
from portal.dispatch import plan, progress, stop
from portal.dispatch.models import Batch
from portal.dispatch.recipients import unpack
from portal.identity.rights import APPROVER
from portal.regions import codes, lookup
from portal.subscribers import store
from portal.subscribers.audiences import mask_of
from portal.subscribers.models import Subscriber, SubscriberRegion
from portal.warnings.models import CANCEL, UPDATE
from tests import district
from tests.dispatch.conftest import dispatch_of
from tests.ends import ends


def planned(bulletin, channel="sms"):
    rows = db.session.execute(select(Batch).where(Batch.dispatch_id == dispatch_of(bulletin, channel).id)).scalars()
    return [int(i) for b in rows for i in unpack(b.recipients)]


def reached(bulletin):
    return sorted(one.recipient_id for one in ends(Batch.dispatch_id == dispatch_of(bulletin).id) if one.status == "accepted")


def expected(regions, audiences=()):
    """The same question asked of every row in turn."""
    mask = mask_of(audiences)
    living = {
        s.id
        for s in db.session.execute(select(Subscriber)).scalars()
        if s.status == "active" and (not mask or s.audiences & mask)
    }
    inside = {
        r.subscriber_id
        for r in db.session.execute(select(SubscriberRegion)).scalars()
        if any(codes.contains(region, r.region_code) for region in regions)
    }
    return living & inside


@pytest.mark.parametrize("seed", range(4))
def test_the_plan_is_the_target_and_everybody_is_in_it_once(workshop, issued, seed):
    chance = random.Random(seed)
    district.subscribers(1500)
    for unwilling in chance.sample(range(1, 1500), 40):
        store.opt_out(unwilling, source="test")
    every = [
        district.DISTRICT,
        *[n.code for n in lookup.children(district.DISTRICT)],
        *lookup.communities_under([district.DISTRICT]),
    ]
    for _ in range(3):
        regions = chance.sample(every, chance.randint(1, 5))
        audiences = chance.sample(["residents", "schools", "construction", "carers"], chance.randint(0, 2))
        bulletin = issued(target={"regions": regions, "area": None, "audiences": audiences, "channels": ["sms"]})
        workshop.plan_all()
        found = planned(bulletin)
        assert Counter(found).most_common(1)[0][1] == 1 if found else True
        assert set(found) == expected(regions, audiences)
        assert progress.of_bulletin(bulletin.id)[0].planned == len(found)


def test_what_is_stopped_while_it_is_planned_is_planned_no_further_and_stays_stopped(workshop, issued, monkeypatch):
    monkeypatch.setattr(plan, "SLICE", 20)
    district.subscribers(300)
    bulletin = issued()
    steps = plan.plan(dispatch_of(bulletin).id)
    assert next(steps)
    before = len(planned(bulletin))
    assert 0 < before < 300
    stop.stop(district.office("boss", (APPROVER, district.DISTRICT, "red")), dispatch_of(bulletin).id)
    assert list(steps) == []
    assert list(plan.plan(dispatch_of(bulletin).id)) == [], "nor by whoever takes it up again"
    workshop.finish()
    assert len(planned(bulletin)) == before
    sms = next(p for p in progress.of_bulletin(bulletin.id) if p.dispatch.channel == "sms")
    assert (sms.dispatch.state, sms.ends) == ("stopped", {"stopped": before})


def test_of_two_who_plan_at_once_one_goes_on_and_everybody_is_named_once(workshop, issued, monkeypatch):
    monkeypatch.setattr(plan, "SLICE", 20)
    district.subscribers(300)
    bulletin = issued(target={"regions": [district.DISTRICT], "area": None, "audiences": [], "channels": ["sms"]})
    one, other = plan.plan(dispatch_of(bulletin).id), plan.plan(dispatch_of(bulletin).id)
    assert next(one)
    assert next(other), "it goes on where the first one stands"
    assert next(one) is False, "and the first one sees that somebody else is further, and waits"
    assert list(other)
    assert list(one) == []
    assert Counter(planned(bulletin)) == Counter(expected([district.DISTRICT]))


def test_a_plan_whose_planner_died_is_taken_up_by_who_waited_for_it(workshop, issued, monkeypatch):
    monkeypatch.setattr(plan, "SLICE", 20)
    monkeypatch.setattr(plan, "STANDSTILL", 0.0)
    district.subscribers(300)
    bulletin = issued(target={"regions": [district.DISTRICT], "area": None, "audiences": [], "channels": ["sms"]})
    one, other = plan.plan(dispatch_of(bulletin).id), plan.plan(dispatch_of(bulletin).id)
    assert next(one)
    assert next(other)
    other.close()
    assert next(one) is False
    assert all(one)
    assert Counter(planned(bulletin)) == Counter(expected([district.DISTRICT]))


def test_a_drawn_area_addresses_the_communities_that_it_touches(workshop, issued):
    district.subscribers(1000)
    west, south, east, north = lookup.box(district.LIULIAN)
    circle = {"type": "Circle", "center": [(west + east) / 2, (south + north) / 2], "radius": 50}
    bulletin = issued(target={"regions": [], "area": circle, "audiences": [], "channels": ["sms"]})
    workshop.plan_all()
    touched = lookup.touched_by(circle)
    assert touched
    assert len(touched) < 5
    assert set(planned(bulletin)) == expected(touched)


def test_a_plan_that_is_cut_off_goes_on_where_it_ended(workshop, issued, monkeypatch):
    monkeypatch.setattr(plan, "SLICE", 20)
    district.subscribers(1200)
    bulletin = issued()
    dispatch = dispatch_of(bulletin)
    cuts = 0
    while plan.waiting_dispatches(db.session):
        steps = plan.plan(dispatch.id)
        next(steps, None)  # one slice, then the planner is gone
        steps.close()
        cuts += 1
        if cuts > 500:
            pytest.fail("the plan never ended")
        if dispatch_of(bulletin).planned_at:
            break
        workshop_others = [d for d in plan.waiting_dispatches(db.session) if d == dispatch.id]
        if not workshop_others:
            break
    assert cuts > 5
    found = planned(bulletin)
    assert len(found) == len(set(found))
    assert set(found) == expected([district.PINGSHAN, district.KENGZI])


def test_batches_are_bounded_and_of_one_language(make_app):
    app = make_app(batch_size=37)
    with app.app_context():
        from tests.dispatch.conftest import Workshop

        district.settle_regions()
        district.subscribers(800)
        draft = district.submitted(district.drafter())
        from portal.dispatch.issue import issue

        bulletin = issue(district.approver(), draft.id, version=draft.version, content_hash=draft.content_hash)
        Workshop().plan_all()
        languages = dict(db.session.execute(select(Subscriber.id, Subscriber.language)).all())
        for batch in db.session.execute(select(Batch).where(Batch.dispatch_id == dispatch_of(bulletin).id)).scalars():
            ids = unpack(batch.recipients)
            assert 0 < len(ids) == batch.size <= 37
            assert {languages[int(i)] for i in ids} == {batch.language}


def test_horns_are_planned_whole_in_chosen_regions_and_exactly_inside_a_drawn_area(workshop, issued):
    communities = lookup.communities_under([district.DISTRICT])
    ids = district.speakers(*communities)
    bulletin = issued()
    workshop.plan_all()
    wanted = {i for i, code in zip(ids, communities, strict=True) if code[:9] in (district.PINGSHAN[:9], district.KENGZI[:9])}
    assert set(planned(bulletin, "speakers")) == wanted
    west, south, east, north = lookup.box(district.LIULIAN)
    circle = {"type": "Circle", "center": [(west + east) / 2, (south + north) / 2], "radius": 30}
    drawn = issued(target={"regions": [], "area": circle, "audiences": [], "channels": ["speakers"]})
    workshop.plan_all()
    assert planned(drawn, "speakers") == [ids[communities.index(district.LIULIAN)]]


def test_the_all_clear_goes_to_exactly_those_who_were_sent_the_warning(workshop, issued):
    district.subscribers(900)
    alert = issued()
    workshop.plan_all()
    for _ in range(4):
        workshop.send_one()  # some batches only; the rest is unsent when the all-clear comes
    sent = reached(alert)
    assert sent
    assert len(sent) < len(planned(alert))
    newcomer = district.subscriber("+8610099999999", district.LIULIAN)
    cancel = issued(kind=CANCEL, warning_id=alert.warning_id)
    workshop.finish()
    assert sorted(planned(cancel)) == sent
    assert newcomer not in planned(cancel)
    assert reached(alert) == sent  # nothing more of the warning went out
    counts = {p.dispatch.channel: p for p in progress.of_bulletin(alert.id)}["sms"]
    assert counts.ends["stopped"] == len(planned(alert)) - len(sent)
    assert counts.pending == 0


def test_an_update_goes_to_the_new_target_and_to_those_who_were_sent_the_old(workshop, issued):
    district.subscribers(900)
    alert = issued(target={"regions": [district.PINGSHAN], "area": None, "audiences": [], "channels": ["sms"]})
    workshop.finish()
    update = issued(
        kind=UPDATE,
        warning_id=alert.warning_id,
        tier="orange",
        target={"regions": [district.KENGZI], "area": None, "audiences": [], "channels": ["sms"]},
    )
    workshop.finish()
    found = planned(update)
    assert len(found) == len(set(found))
    assert set(found) == expected([district.KENGZI]) | set(reached(alert))
    cancel = issued(kind=CANCEL, warning_id=alert.warning_id)
    workshop.finish()
    assert sorted(planned(cancel)) == sorted(set(reached(alert)) | set(reached(update)))


def test_the_all_clear_waits_for_a_worker_that_is_still_sending(workshop, issued):
    from portal.dispatch import lease

    district.subscribers(400)
    alert = issued()
    workshop.plan_all()
    held = lease.claim("sms", "other")
    cancel = issued(kind=CANCEL, warning_id=alert.warning_id)
    workshop.plan_all()
    assert dispatch_of(cancel).state == "planning"
    assert not lease.renew(held)  # the worker learns that it is to stop
    first = [lease.Ended(int(i), "accepted") for i in held.pending[:3]]
    lease.finish(held, first, left=len(held.pending) - 3, retry_after=None, error="")
    workshop.finish()
    assert sorted(planned(cancel)) == sorted(e.recipient_id for e in first)


def test_who_was_in_flight_at_a_dead_worker_hears_the_all_clear_too(workshop, issued):
    from portal.dispatch import lease

    district.subscribers(400)
    alert = issued()
    workshop.plan_all()
    held = lease.claim("sms", "dead")
    lease.record(held, [lease.Ended(int(held.pending[0]), "accepted")])
    cancel = issued(kind=CANCEL, warning_id=alert.warning_id)
    workshop.due_now()  # its lease lapses
    workshop.finish()
    ends = {p.dispatch.channel: p for p in progress.of_bulletin(alert.id)}["sms"].ends
    assert ends["uncertain"] == len(held.pending) - 1  # all of this small batch may have been in flight
    assert np.array_equal(np.sort(held.pending), np.array(sorted(planned(cancel))))
