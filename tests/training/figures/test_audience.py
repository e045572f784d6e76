"""Certified responders who agreed are told as responders in their community, and nothing that they chose is touched."""

from datetime import timedelta

import pytest
from sqlalchemy import delete, select, update

from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.dispatch.models import Batch
from portal.dispatch.recipients import unpack
from portal.subscribers import store
from portal.subscribers.audiences import mask_of
from portal.subscribers.models import ConsentEvent, Given, Subscriber, SubscriberRegion
from portal.training import courses_store, standing
from portal.training.certificate_models import Certificate
from portal.training.figures import audience
from portal.training.learners import own
from portal.training.models import CourseVersion, Enrolment, Learner
from tests import district
from tests.dispatch.conftest import dispatch_of, issued, workshop  # noqa: F401
from tests.training.conftest import content, course  # noqa: F401
from tests.training.figures import rows

HERE, THERE = district.LIULIAN, "440310005001"
RESPONDERS, RESIDENTS = mask_of(["responders"]), mask_of(["residents"])


@pytest.fixture
def version(context):
    row = CourseVersion(slug="first-responder", version="1", sha256="", data={}, loaded_at=utcnow())
    with transaction() as session:
        session.add(row)
    return row.id


@pytest.fixture
def responder(context, version):
    """`responder("+86129…", region, certified=days, agreed=True)`: a learner; the id."""
    book = context.extensions["phones"]

    def make(number, region=HERE, *, certified=90, agreed=True, slug="first-responder"):
        now = utcnow()
        made = rows.learner(phone_index=book.index(number), phone_sealed=book.seal(number), region_code=region,
                            on_call_at=now if agreed else None)
        with transaction() as session:
            session.add(Enrolment(learner_id=made, slug=slug, version_id=version, started_at=now, at=now, region_code=region,
                                  certified_until=None if certified is None else now + timedelta(days=certified)))
        return made
    return make


def number(n):
    return f"+86129{n:08d}"


def change(table, key, **values):
    with transaction() as session:
        session.execute(update(table).where(key).values(**values))


def subscriber(context, of):
    db.session.rollback()
    found = db.session.execute(select(Subscriber).where(Subscriber.phone_index == context.extensions["phones"].index(of))
                               .execution_options(populate_existing=True)).scalar_one_or_none()
    regions = db.session.execute(select(SubscriberRegion.region_code).where(SubscriberRegion.subscriber_id == found.id)
                                 .order_by(SubscriberRegion.region_code)).scalars().all() if found else None
    return found, regions


def story(subscriber_id):
    rows_ = db.session.execute(select(ConsentEvent.kind, ConsentEvent.source).where(ConsentEvent.subscriber_id == subscriber_id)
                               .order_by(ConsentEvent.id)).all()
    return [tuple(one) for one in rows_]


def test_a_warning_to_the_responders_of_a_region_reaches_exactly_them(workshop, issued, context, responder):  # noqa: F811
    """By the way that a warning goes: the desk's target, the plan, the batches."""
    in_it = [responder(number(n)) for n in range(1, 4)]
    responder(number(4), THERE)
    responder(number(5), certified=-1)
    responder(number(6), certified=None)
    responder(number(7), agreed=False)
    responder(number(8), slug="enterprise-safety")
    own = district.subscriber(number(9), HERE, audiences=RESPONDERS)
    district.subscriber(number(10), HERE, audiences=RESIDENTS)
    district.subscriber(number(1), HERE, audiences=RESIDENTS)  # one who is certified has subscribed as a resident
    left = district.subscriber(number(11), HERE, audiences=RESIDENTS)
    store.opt_out(left, "web")
    responder(number(11))
    assert audience.refresh_all(context) == 4
    assert audience.refresh_all(context) == 0
    bulletin = issued(target={"regions": [HERE], "area": None, "audiences": ["responders"], "channels": ["sms"]})
    workshop.plan_all()
    batches = db.session.execute(select(Batch.recipients).where(Batch.dispatch_id == dispatch_of(bulletin).id)).scalars().all()
    reached = [int(i) for packed in batches for i in unpack(packed)]
    expected = [subscriber(context, number(n))[0].id for n in range(1, len(in_it) + 1)]
    assert sorted(reached) == sorted([*expected, own])
    assert set(store.phones(reached).values()) == {number(1), number(2), number(3), number(9)}


@pytest.mark.parametrize("end", ["consent", "certificate", "erased"])
def test_what_was_given_is_taken_back_when_it_ends(context, responder, end):
    made = responder(number(1))
    with transaction() as session:
        assert audience.refresh(session, made)
    row, places = subscriber(context, number(1))
    assert (row.audiences, places, row.status, row.source) == (RESPONDERS, [HERE], "active", "course")
    if end == "consent":
        change(Learner, Learner.id == made, on_call_at=None)
        with transaction() as session:
            assert audience.refresh(session, made)
    else:
        if end == "certificate":
            change(Enrolment, Enrolment.learner_id == made, certified_until=utcnow() - timedelta(seconds=1))
        else:
            with transaction() as session:
                session.execute(delete(Learner).where(Learner.id == made))
        assert audience.refresh_all(context) == 1
    row, places = subscriber(context, number(1))
    assert (row.audiences, places) == (0, [])
    assert district.told(HERE, "zh") == [], "nothing at all reaches them, not even what goes to everybody"
    assert story(row.id) == [("subscribed", "course"), ("withdrawn", "course")]
    assert db.session.execute(select(Given)).all() == []


def test_it_follows_at_once_when_somebody_is_certified_agrees_moves_or_leaves(make_app, content):  # noqa: F811
    """By the ways of the rooms where it happens, not by the job."""
    app = make_app(content=content, responder_courses=("sample",))
    with app.app_context():
        courses_store.sync()
        version_id, book = courses_store.current("sample")[0], app.extensions["phones"]
        made = rows.learner(phone_index=book.index(number(1)), phone_sealed=book.seal(number(1)), region_code=HERE)

        def act(do):
            with transaction() as session:
                do(session, session.get(Learner, made))
            row, places = subscriber(app, number(1))
            return row and (row.audiences, places)

        def touch(session, _learner):
            standing.touch(session, made, "sample")

        assert act(lambda session, one: own.agree(session, one, on_call=True)) is None
        held = rows.certificate(made, version_id, slug="sample")
        assert act(touch) == (RESPONDERS, [HERE])
        assert act(lambda session, one: own.move(session, one, THERE)) == (RESPONDERS, [THERE])
        assert act(lambda session, one: own.agree(session, one, on_call=False)) == (0, [])
        assert act(lambda session, one: own.agree(session, one, on_call=True)) == (RESPONDERS, [THERE])
        change(Certificate, Certificate.id == held, revoked_at=utcnow())
        assert act(touch) == (0, [])
        change(Certificate, Certificate.id == held, revoked_at=None)
        assert act(touch) == (RESPONDERS, [THERE])
        own.erase(db.session.get(Learner, made))
        assert subscriber(app, number(1)) == (None, None)


@pytest.mark.parametrize("kept", ["opted out", "chosen", "own"])
def test_whoever_leaves_takes_the_number_along_unless_there_is_a_reason_to_keep_it(context, responder, kept):
    if kept == "own":
        district.subscriber(number(1), HERE, audiences=RESIDENTS)
    gone, stays = responder(number(2)), responder(number(1))
    audience.refresh_all(context)
    row, _places = subscriber(context, number(1))
    if kept == "opted out":
        store.opt_out(row.id, "sms")
    elif kept == "chosen":
        store.add_many([store.NewSubscriber(number(1), "zh", RESIDENTS, (HERE,), "web")])
    before, _places = subscriber(context, number(2))
    sealed, id_ = before.phone_sealed, before.id
    for one in (gone, stays):
        own.erase(db.session.get(Learner, one))
    assert subscriber(context, number(2)) == (None, None)
    left = db.session.get(Subscriber, id_, populate_existing=True)
    assert left.phone_sealed != sealed
    assert store.phones([id_]) == {}
    assert story(id_) == [("subscribed", "course"), ("withdrawn", "course")]
    assert subscriber(context, number(1))[0].status == ("opted_out" if kept == "opted out" else "active")
    responder(number(2))
    assert audience.refresh_all(context) == 1, "who comes back is taken in again"


def test_an_own_subscription_stays_as_it_was(context, responder):
    own = district.subscriber(number(1), THERE, audiences=RESIDENTS)
    made = responder(number(1))
    audience.refresh_all(context)
    row, places = subscriber(context, number(1))
    assert (row.id, row.audiences, places) == (own, RESIDENTS | RESPONDERS, sorted([HERE, THERE]))
    change(Learner, Learner.id == made, on_call_at=None)
    audience.refresh_all(context)
    row, places = subscriber(context, number(1))
    assert (row.audiences, places, row.status, row.source) == (RESIDENTS, [THERE], "active", "demo")


def test_who_had_chosen_the_same_keeps_it(context, responder):
    district.subscriber(number(1), HERE, audiences=RESPONDERS)
    made = responder(number(1))
    assert audience.refresh_all(context) == 0, "there is nothing to give"
    change(Learner, Learner.id == made, on_call_at=None)
    audience.refresh_all(context)
    row, places = subscriber(context, number(1))
    assert (row.audiences, places) == (RESPONDERS, [HERE])


def test_what_is_chosen_afterwards_is_not_taken_back(context, responder):
    made = responder(number(1))
    audience.refresh_all(context)
    store.add_many([store.NewSubscriber(number(1), "zh", RESPONDERS, (HERE,), "web")])
    change(Learner, Learner.id == made, on_call_at=None)
    audience.refresh_all(context)
    row, places = subscriber(context, number(1))
    assert (row.audiences, places) == (RESPONDERS, [HERE])


def test_who_opted_out_stays_out_whatever_the_course_says(context, responder):
    made = responder(number(1))
    audience.refresh_all(context)
    row, _places = subscriber(context, number(1))
    assert store.opt_out(row.id, "sms") == 1
    with transaction() as session:
        audience.refresh(session, made)
    assert audience.refresh_all(context) == 0
    assert district.told(HERE, "zh") == []
    change(Learner, Learner.id == made, on_call_at=None)
    audience.refresh_all(context)
    row, _places = subscriber(context, number(1))
    assert (row.status, row.audiences) == ("opted_out", 0)
    assert store.add_many([store.NewSubscriber(number(1), "zh", 1, (HERE,), "roster")]).left == 1


def test_who_moves_is_told_in_the_new_community_alone(context, responder):
    made = responder(number(1))
    audience.refresh_all(context)
    change(Learner, Learner.id == made, region_code=THERE)
    audience.refresh_all(context)
    row, places = subscriber(context, number(1))
    assert (row.audiences, places) == (RESPONDERS, [THERE])


def test_who_agrees_again_is_taken_in_again(context, responder):
    made = responder(number(1))
    audience.refresh_all(context)
    change(Learner, Learner.id == made, on_call_at=None)
    audience.refresh_all(context)
    change(Learner, Learner.id == made, on_call_at=utcnow())
    assert audience.refresh_all(context) == 1
    assert len(district.told(HERE, "zh", RESPONDERS)) == 1


def test_many_are_taken_in_a_chunk_at_a_time_and_two_jobs_at_once_tell_one_story(context, responder, monkeypatch):
    from concurrent.futures import ThreadPoolExecutor

    from portal.subscribers import given

    monkeypatch.setattr(given, "CHUNK", 3)
    for n in range(1, 11):
        responder(number(n))
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _n: audience.refresh_all(context), range(2)))
    db.session.rollback()
    assert len(district.told(HERE, "zh", RESPONDERS)) == 10
    events = db.session.execute(select(ConsentEvent.subscriber_id)).scalars().all()
    assert len(events) == len(set(events)) == 10
