"""Whatever a list says, in whatever order, and whoever is there already: who gets what is what a plain model says."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from portal.core.db import db
from portal.subscribers import store
from portal.subscribers.audiences import AUDIENCES
from portal.subscribers.models import RosterImport, Subscriber, SubscriberRegion
from portal.subscribers.store import NewSubscriber
from tests.subscribers.roster.conftest import KENGZI, LIULIAN, rows_of

PLACES = (LIULIAN, KENGZI, "440310001002")
KEYS = [one.key for one in AUDIENCES]
_turn = itertools.count()

row = st.tuples(st.integers(0, 4), st.sets(st.sampled_from(PLACES), min_size=1), st.sets(st.sampled_from(KEYS), min_size=1),
                st.sampled_from(["zh", "en"]))


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(row, max_size=5), st.sets(st.integers(0, 4)), st.lists(row, min_size=1, max_size=12))
def test_a_list_gives_to_each_what_a_plain_model_gives(settled: Flask, taken: Callable[..., RosterImport], there: list,
                                                       gone: set, rows: list) -> None:
    turn, book = next(_turn), settled.extensions["phones"]
    number = lambda n: f"+861290{turn:04d}{n:03d}"  # noqa: E731
    bits = lambda keys: sum(1 << KEYS.index(key) for key in keys)  # noqa: E731
    store.add_many(NewSubscriber(number(n), language, bits(keys), tuple(places), "demo") for n, places, keys, language in there)
    for n in gone:
        store.opt_out(book.index(number(n)), "sms")
    model: dict[int, list] = {}
    for source in (there, rows):
        for n, places, keys, language in source:
            left = source is rows and n in gone and any(n == one[0] for one in there)
            known = model.setdefault(n, [language, 0, set()])
            if not left:
                known[1] |= bits(keys)
                known[2] |= places
    text = rows_of(*(f"{number(n)[3:]},{';'.join(sorted(places))},{';'.join(sorted(keys))},{language}"
                     for n, places, keys, language in rows))
    batch = taken(text)
    assert batch.state == "done"
    db.session.rollback()
    found = {}
    for n in model:
        one = db.session.execute(select(Subscriber).where(Subscriber.phone_index == book.index(number(n)))).scalar_one()
        regions = select(SubscriberRegion.region_code).where(SubscriberRegion.subscriber_id == one.id)
        found[n] = [one.language, one.audiences, set(db.session.execute(regions).scalars())]
    assert found == model
    assert batch.people == len({n for n, *_rest in rows}) == batch.new + batch.gained + batch.same + batch.left
