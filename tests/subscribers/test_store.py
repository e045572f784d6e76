"""Subscribers come in once, are found by community, audience and language, and leave for good."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import select

from portal.core.db import db, transaction
from portal.core.errors import Invalid
from portal.subscribers import store
from portal.subscribers.audiences import mask_of
from portal.subscribers.models import ConsentEvent, Subscriber, SubscriberRegion
from portal.subscribers.store import Added, NewSubscriber
from tests.district import told
from tests.subscribers.conftest import DISTRICT, FIRST, OTHER_STREET, SECOND, STREET, THIRD

RESIDENTS, SCHOOLS = mask_of(["residents"]), mask_of(["schools"])


def person(serial: int, *regions: str, language: str = "zh", audiences: int = RESIDENTS) -> NewSubscriber:
    return NewSubscriber(f"+86129{serial:08d}", language, audiences, regions or (FIRST,), "roster")


def ids_by_number(*serials: int) -> list[int]:
    opened = {
        number: i for i, number in store.phones(db.session.scalars(select(Subscriber.id)).all()).items()
    }
    return [opened[f"+86129{serial:08d}"] for serial in serials]


def test_a_stream_larger_than_a_chunk_comes_in_whole_and_each_phone_once(context: Flask) -> None:
    rows = [person(n) for n in range(2500)]
    assert store.add_many(iter(rows)) == Added(new=2500)
    assert store.add_many(iter([*rows[:10], person(9999)])) == Added(new=1, known=10)
    assert store.count_in([FIRST]) == {"zh": 2501}
    events = db.session.execute(select(ConsentEvent.kind, ConsentEvent.source)).all()
    assert len(events) == 2501
    assert set(events) == {("subscribed", "roster")}


def test_a_known_phone_gains_regions_and_audiences_and_keeps_its_language(context: Flask) -> None:
    store.add_many([person(1, FIRST, language="en")])
    store.add_many([person(1, SECOND), person(1, THIRD, audiences=SCHOOLS)])
    (found,) = db.session.scalars(select(Subscriber)).all()
    assert (found.language, found.audiences) == ("en", RESIDENTS | SCHOOLS)
    assert store.known([found.phone_index]) == {found.phone_index: ("en", [FIRST, SECOND, THIRD])}


@pytest.mark.parametrize(
    ("row", "field"),
    [
        (NewSubscriber("13800000000", "zh", 1, (FIRST,), "roster"), "rows.3.number"),
        (NewSubscriber("+8612900000009", "fr", 1, (FIRST,), "roster"), "rows.3.language"),
        (NewSubscriber("+8612900000009", "zh", 0, (FIRST,), "roster"), "rows.3.audiences"),
        (NewSubscriber("+8612900000009", "zh", 1, (), "roster"), "rows.3.regions"),
        (NewSubscriber("+8612900000009", "zh", 1, ("4403",), "roster"), "rows.3.regions"),
    ],
)
def test_a_row_that_cannot_be_taken_is_named_and_its_chunk_changes_nothing(
    context: Flask, row: NewSubscriber, field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        store.add_many([person(1), person(2), row])
    assert refused.value.problems[0].field == field
    assert store.count_in([DISTRICT]) == {}


def test_counting_takes_each_person_once_by_language_audience_and_subtree(context: Flask) -> None:
    store.add_many(
        [
            person(1, FIRST),
            person(2, FIRST, SECOND),
            person(3, SECOND, THIRD, language="en"),
            person(4, THIRD, audiences=SCHOOLS),
            person(5, "440311001001"),
        ]
    )
    assert store.count_in([FIRST, SECOND]) == {"zh": 2, "en": 1}
    assert store.count_in([STREET, FIRST, SECOND]) == {"zh": 2, "en": 1}
    assert store.count_in([DISTRICT], SCHOOLS) == {"zh": 1}
    assert store.count_in([DISTRICT], SCHOOLS | RESIDENTS) == {"zh": 3, "en": 1}
    assert store.count_in([OTHER_STREET, FIRST]) == {"zh": 3, "en": 1}
    assert store.count_in([]) == {}


def test_somebody_who_left_is_in_no_count_no_page_and_no_list_of_phones_and_no_import_brings_them_back(
    context: Flask,
) -> None:
    store.add_many([person(n) for n in range(1, 6)])
    one, two, three, four, five = ids_by_number(1, 2, 3, 4, 5)
    assert store.opt_out(context.extensions["phones"].index("+8612900000001"), "twilio") == 1
    assert store.opt_out([two, one], "web") == 1, "the first had left already"
    assert store.mark_invalid([three]) == 1
    with transaction() as session:
        assert store.opt_out(four, "sms", session=session) == 1
    assert store.phones([one, two, three, four, five]) == {five: "+8612900000005"}
    assert told(FIRST, "zh") == [five]
    assert store.count_in([FIRST]) == {"zh": 1}
    assert store.add_many([person(n) for n in range(1, 6)]) == Added(known=1, left=4)
    assert store.count_in([FIRST]) == {"zh": 1}
    events = db.session.execute(
        select(ConsentEvent.subscriber_id, ConsentEvent.kind, ConsentEvent.source)
        .where(ConsentEvent.kind != "subscribed")
        .order_by(ConsentEvent.id)
    ).all()
    assert events == [
        (one, "opted_out", "twilio"),
        (two, "opted_out", "web"),
        (three, "invalid", "carrier"),
        (four, "opted_out", "sms"),
    ]


def test_a_number_is_nowhere_readable_in_the_database(context: Flask) -> None:
    store.add_many([person(12345678)])
    row = db.session.execute(select(Subscriber.phone_sealed, Subscriber.phone_index)).one()
    assert all(b"12345678" not in bytes(value) for value in row)


def test_another_phone_key_is_told_as_such(context: Flask) -> None:
    from portal.core.phones import PhoneBook

    store.add_many([person(1)])
    ids = db.session.scalars(select(Subscriber.id)).all()
    context.extensions["phones"] = PhoneBook(b"x" * 32)
    with pytest.raises(RuntimeError, match="ANLAN_PHONE_KEY"):
        store.phones(ids)


def test_the_communities_of_a_person_are_rows_of_their_own(context: Flask) -> None:
    store.add_many([person(1, FIRST, SECOND)])
    assert db.session.scalars(
        select(SubscriberRegion.region_code).order_by(SubscriberRegion.region_code)
    ).all() == [FIRST, SECOND]
