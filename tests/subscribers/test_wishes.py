"""What somebody wants is kept as it was said, with its story; who leaves is told nothing, at once and for good."""

from __future__ import annotations

import threading

import pytest
from flask import Flask, current_app
from sqlalchemy import insert, select

from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.core.errors import Invalid
from portal.subscribers import store, wishes
from portal.subscribers.audiences import mask_of
from portal.subscribers.models import ConsentEvent, Given, Subscriber, SubscriberPass, SubscriberRegion
from portal.subscribers.store import NewSubscriber
from tests.district import told
from tests.subscribers.conftest import DISTRICT, FIRST, SECOND, STREET, THIRD

NUMBER = "+8612900000001"


def phone(number: str = NUMBER) -> tuple[bytes, bytes]:
    book = current_app.extensions["phones"]
    return book.index(number), book.seal(number)


def choose(number: str = NUMBER, source: str = "web", **values: object) -> int:
    said = {"region_codes": [FIRST]} | values
    with transaction() as session:
        return wishes.choose(session, *phone(number), wishes.check(said), source)


def story() -> list[tuple[str, str]]:
    return [(e.kind, e.source) for e in db.session.scalars(select(ConsentEvent).order_by(ConsentEvent.id))]


def row(number: str = NUMBER) -> Subscriber:
    found = wishes.find(phone(number)[0])
    assert found is not None
    return found


def reached(region: str = FIRST, language: str = "zh") -> list[int]:
    return list(store.phones(told(region, language)))


def test_what_is_said_comes_back_as_it_was_said(district: Flask) -> None:
    said = {"region_codes": [THIRD, FIRST], "audiences": ["schools", "carers"], "language": "en", "muted_kinds": ["pests", "sea"],
            "lowest_tier": "yellow", "quiet_from": "22", "quiet_to": "7"}
    choose(**said)
    assert wishes.of(row()) == wishes.check(said)
    assert wishes.told(wishes.of(row())) == {
        "regions": [FIRST, THIRD], "language": "en", "audiences": ["schools", "carers"], "without": ["sea", "pests"],
        "lowest_tier": "yellow", "quiet": [22, 7]}
    assert db.session.scalar(select(ConsentEvent.detail)) == wishes.told(wishes.of(row()))
    assert reached(THIRD, "en") == [row().id]


def test_a_street_stands_for_its_communities_and_what_cannot_be_wanted_is_named(district: Flask) -> None:
    assert wishes.check({"region_codes": STREET}).region_codes == (FIRST, SECOND)
    assert wishes.check({"region_codes": [DISTRICT, FIRST]}).region_codes == (FIRST, SECOND, THIRD)
    for values, field in (
        ({"region_codes": []}, "region_codes"),
        ({"region_codes": ["440399999999"]}, "region_codes"),
        ({"region_codes": [FIRST, "x"]}, "region_codes"),
        ({"region_codes": [FIRST] + [f"{n}" for n in range(100)]}, "region_codes"),
        ({"audiences": ["responders"]}, "audiences"),
        ({"audiences": []}, "audiences"),
        ({"language": "fr"}, "language"),
        ({"muted_kinds": ["dragons"]}, "kinds"),
        ({"muted_kinds": [*wishes.kinds.BY_KEY]}, "kinds"),
        ({"lowest_tier": "purple"}, "lowest_tier"),
        ({"quiet_from": "22"}, "quiet_from"),
        ({"quiet_from": "7", "quiet_to": "7"}, "quiet_from"),
        ({"quiet_from": "24", "quiet_to": "٧"}, "quiet_from"),
    ):
        with pytest.raises(Invalid) as refused:
            wishes.check({"region_codes": [FIRST]} | values)
        assert {problem.field for problem in refused.value.problems} == {field}, values


def test_each_change_is_told_once_with_its_source_and_none_where_nothing_changes(district: Flask) -> None:
    first = choose()
    assert choose() == first
    assert choose(region_codes=[SECOND], source="sms") == first
    assert wishes.leave(phone()[0], "sms")
    assert not wishes.leave(phone()[0], "sms")
    assert choose(source="web") == first
    assert story() == [("subscribed", "web"), ("changed", "sms"), ("opted_out", "sms"), ("subscribed", "web")]
    assert reached(FIRST) == [first]
    assert reached(SECOND) == []


def test_whoever_leaves_is_not_handed_over_though_the_batch_is_planned(district: Flask) -> None:
    one = choose()
    planned = told(FIRST, "zh")
    wishes.leave(phone()[0], "web")
    assert planned
    assert store.phones(planned) == {}
    choose()
    store.mark_invalid([one])  # a number that the carrier did not know is back once its holder has proved it
    assert reached() == []
    choose()
    assert reached() == [one]


def test_an_unknown_phone_that_leaves_is_remembered_and_no_list_brings_it_in(district: Flask) -> None:
    assert wishes.leave(*(phone()[0], "sms", phone()[1]))
    assert store.stopped([phone()[0]]) == {phone()[0]}
    assert store.add_many([NewSubscriber(NUMBER, "zh", 1, (FIRST,), "roster")]).left == 1
    assert reached() == []
    assert choose() == row().id
    assert reached() == [row().id]


def test_who_leaves_has_left_also_where_the_carrier_did_not_know_the_number(district: Flask) -> None:
    store.mark_invalid([choose()])
    assert wishes.leave(phone()[0], "sms")
    assert row().status == "opted_out"
    assert not wishes.leave(phone()[0], "sms"), "that is no news"


def test_what_is_lent_or_given_by_the_office_is_neither_shown_as_chosen_nor_lost(district: Flask) -> None:
    duty = mask_of(["responsible", "residents"])
    store.add_many([NewSubscriber(NUMBER, "zh", duty, (FIRST,), "roster")])
    with transaction() as session:
        session.execute(insert(SubscriberRegion).values(region_code=THIRD, subscriber_id=row().id))
        session.execute(insert(Given).values(subscriber_id=row().id, source="course", region_code=THIRD, region_given=True,
                                             audiences=mask_of(["responders"]), at=utcnow()))
        session.get(Subscriber, row().id).audiences |= mask_of(["responders"])
    assert wishes.of(row()) == wishes.check({"region_codes": [FIRST]})
    choose(region_codes=[SECOND], audiences=["carers"])
    assert row().audiences == mask_of(["responsible", "responders", "carers"])
    assert (reached(FIRST), reached(SECOND), reached(THIRD)) == ([], [row().id], [row().id])
    choose(region_codes=[SECOND, THIRD])
    assert db.session.scalar(select(Given.region_given)) is False
    assert wishes.of(row()).region_codes == (SECOND, THIRD)


@pytest.mark.parametrize("keep_mark", [True, False])
def test_erased_means_gone_and_the_mark_alone_keeps_lists_away(district: Flask, keep_mark: bool) -> None:
    assert not wishes.erase(phone()[0], "web")
    assert story() == []
    one = choose(quiet_from=22, quiet_to=7)
    with transaction() as session:
        session.add(SubscriberPass(token_hash="x", phone_index=phone()[0], phone_sealed=phone()[1], started_at=utcnow(),
                                   expires_at=utcnow()))
    assert wishes.erase(phone()[0], "web", keep_mark=keep_mark)
    kept = db.session.get(Subscriber, one, populate_existing=True)
    assert (kept.phone_sealed, kept.audiences, kept.quiet_from) == (b"", 0, None)
    assert not db.session.scalars(select(SubscriberRegion)).all()
    assert not db.session.scalars(select(SubscriberPass)).all()
    assert set(db.session.scalars(select(ConsentEvent.detail))) == {None}
    assert story()[-1] == ("erased", "web")
    assert store.add_many([NewSubscriber(NUMBER, "zh", 1, (FIRST,), "roster")]).left == int(keep_mark)
    assert (choose() == one) == keep_mark
    assert len(reached()) == 1


def test_two_who_choose_for_one_phone_at_once_are_one_subscriber_with_the_last_word(district: Flask) -> None:
    def one(region: str) -> None:
        with district.app_context():
            choose(region_codes=[region])

    threads = [threading.Thread(target=one, args=(region,)) for region in (FIRST, SECOND)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(db.session.scalars(select(Subscriber)).all()) == 1
    assert sorted(kind for kind, _source in story()) == ["changed", "subscribed"]
    assert len(wishes.of(row()).region_codes) == 1
