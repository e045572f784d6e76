"""In which order rows are locked, and what is not waited for: writers, and who settles what was stopped, at one moment."""

from __future__ import annotations

from collections import deque

from sqlalchemy import event, select

from portal.channels.sms.lines.line import Letter
from portal.channels.sms.provider import ACCEPTED
from portal.core.clock import utcnow
from portal.core.db import db
from portal.dispatch import lease, stop
from portal.dispatch.bulk.parcel import Parcel
from portal.dispatch.models import Batch
from tests import district
from tests.dispatch.bulk.test_office import people
from tests.dispatch.conftest import dispatch_of
from tests.dispatch.test_engine import counts
from tests.ends import ends


def test_dispatches_are_locked_in_one_order_whatever_is_noted_in_which(workshop, issued):
    people(2)
    issued(hazard="11B01"), issued(hazard="11B03")
    workshop.plan_all()
    held = sorted(lease.claim_some("sms", "one", 2), key=lambda one: one.dispatch_id)
    first, last = (one.dispatch_id for one in held)
    lease._touches[first] = utcnow()  # of which was noted just now that it moves
    seen = []

    def saw(_connection, _cursor, statement, values, *_rest):
        if statement.startswith("UPDATE dispatch"):
            given = [str(value).replace("-", "") for value in (values.values() if isinstance(values, dict) else values)]
            seen.append(next(i for i in (first, last) if i.hex in given))

    event.listen(db.engine, "before_cursor_execute", saw)
    lease.record_many([
        lease.Results(held[0], parting=lease.Parting(2, error="20429")),
        lease.Results(held[1], [(int(held[1].pending[0]), ACCEPTED, "", "", "a", 1)], lease.Parting(1, error="20429"))])
    event.remove(db.engine, "before_cursor_execute", saw)
    assert seen == [first, last]


def test_what_is_settled_waits_for_no_worker_that_has_just_leased(workshop, issued, database_kind):
    people(2)
    bulletin = issued()
    workshop.plan_all()
    dispatch = dispatch_of(bulletin)
    stop.stop(district.approver("second"), dispatch.id)
    if database_kind == "postgresql":  # SQLite has one writer at a time
        with db.engine.begin() as other:
            other.execute(select(Batch.id).where(Batch.dispatch_id == dispatch.id).with_for_update())
            assert not stop.settle(dispatch.id, utcnow())
    assert stop.settle(dispatch.id, utcnow())
    assert counts(bulletin).ends == {"stopped": 2}


def test_who_is_answered_twice_for_has_one_end_and_blocks_nothing(workshop, issued):
    people(3)
    bulletin = issued()
    workshop.plan_all()
    held = lease.claim("sms", "one")
    one, two, three = ((int(i), ACCEPTED, "", "", "a", 1) for i in held.pending)
    parcel = Parcel(held, Letter("", held.expires_at, 1, ""), deque(), 3, 1e9)
    parcel.ends += [one, (one[0], "failed", "x", "", "a", 1)]
    first, _none = parcel.take(10)
    parcel.ends += [(one[0], "failed", "x", "", "a", 1), two, three]
    then, _none = parcel.take(10)
    assert (first, then) == ([one], [two, three])
    lease.record_many([lease.Results(held, first)])
    assert lease.record_many([lease.Results(held, [*first, *then, two], lease.Parting())], again=True) == set()
    assert counts(bulletin).ends == {"accepted": 3}
    there = [(end.recipient_id, end.status) for end in ends(Batch.id == held.batch_id)]
    assert there == [(int(i), ACCEPTED) for i in held.pending]


def test_a_batch_that_was_let_go_of_is_not_held_any_longer(workshop, issued):
    people(3)
    issued()
    workshop.plan_all()
    held = lease.claim("sms", "one")
    lease.give_back(held)
    due = db.session.execute(select(Batch.due_at).where(Batch.id == held.batch_id)).scalar_one()
    db.session.rollback()
    assert not lease.renew(held)  # as one does who did not know yet
    assert db.session.execute(select(Batch.due_at).where(Batch.id == held.batch_id)).scalar_one() == due
    db.session.rollback()
