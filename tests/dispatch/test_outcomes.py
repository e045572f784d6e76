"""Outcomes come out of their pages as they went in, and are found there by whom they concern."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.dispatch import outcomes
from portal.dispatch.models import OutcomePage
from tests.ends import COLUMNS, spread

_EDGES = [2**bits + step for bits in (0, 7, 8, 15, 16, 31, 32, 62) for step in (-1, 0, 1)]
ids = st.sampled_from(_EDGES) | st.integers(0, 2**63 - 1) | st.integers(0, 300)
words = st.sampled_from(["", "SM1", "a\nb", "\0", "🚨", "\ud800", "n" * 70, "短信" * 40]) | st.text(max_size=70)
one_row = st.tuples(ids, st.sampled_from(["accepted", "failed", "uncertain"]), st.sampled_from(["", "30003", "x\ny"]), words,
                    st.sampled_from(["", "east"]), st.integers(0, 2**40) | st.sampled_from([0, 1, 5]))
rows = st.lists(one_row, min_size=1, max_size=30, unique_by=lambda row: row[0])


@settings(max_examples=300)
@given(values=st.lists(st.integers(-(2**63), 2**63 - 1) | st.sampled_from(_EDGES + [-one for one in _EDGES]), min_size=1))
def test_numbers_are_the_same_however_narrow_they_are_packed(values):
    long = outcomes.packed(values)
    assert outcomes.unpacked(long, len(values)).tolist() == values
    assert len(long) <= 8 * len(values)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(given_rows=rows, more=rows)
def test_each_end_is_read_as_it_was_written_and_found_by_its_recipient(context, given_rows, more):
    now = utcnow()
    more = [row for row in more if row[0] not in {one[0] for one in given_rows}]
    with transaction() as session:
        session.execute(OutcomePage.__table__.delete())
        outcomes.append(session, [(1, outcomes.alike(given_rows)), (2, outcomes.alike(given_rows))], now)
        outcomes.append(session, [(1, outcomes.alike(more))], now + timedelta(seconds=1))
    wanted = {row[0]: row for row in (*given_rows, *more)}
    assert sorted(outcomes.recorded(db.session, 1).tolist()) == sorted(wanted)
    found = outcomes.ends_of(db.session, {1: wanted.keys(), 3: {1}})
    assert found == {(1, i): outcomes.End(row[1], row[5]) for i, row in wanted.items()}
    for recipient in (*wanted, 4):
        pages = list(outcomes.pages(db.session, [1, 2], outcomes.may_name(db.session, recipient)))
        there = [page.batch_id for page in pages if recipient in page.recipients]
        assert there == [1] * (recipient in wanted) + [2] * (recipient in {row[0] for row in given_rows})
    read = spread(db.session.connection().exec_driver_sql(f"SELECT {COLUMNS} FROM outcome_page WHERE batch_id = 1").all())
    db.session.rollback()
    assert {one.recipient_id: (one.status, one.carrier, one.audiences) for one in read} == {
        i: (row[1], row[4], row[5]) for i, row in wanted.items()}
    for one in read:  # each its own number, as both databases take it
        said = wanted[one.recipient_id][3]
        plain = said.encode("utf-8", "replace").decode().replace("\0", "").replace("\n", " ")
        assert one.carrier_id == plain[: outcomes.LONGEST_CARRIER_ID]


def test_the_same_ends_are_refused_a_second_time(context):
    ends = [(5, "accepted", "", "N5", "a", 1), (6, "failed", "x", "", "a", 1)]
    with transaction() as session:
        outcomes.append(session, [(7, outcomes.alike(ends))], utcnow())
    with pytest.raises(Exception, match=r"(?i)unique|duplicate"), transaction() as session:
        outcomes.append(session, [(7, outcomes.alike(ends))], utcnow())
    db.session.rollback()
    assert np.array_equal(np.sort(outcomes.recorded(db.session, 7)), [5, 6])
    db.session.rollback()
