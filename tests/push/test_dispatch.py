"""Notifications as a channel of dispatch: whom they reach, in which words, once, in order, and how they end."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select

from portal.channels.push import provider as push
from portal.channels.push import services, store
from portal.channels.push.encryption import LONGEST
from portal.channels.push.models import PushDevice
from portal.channels.push.webpush import WebPush
from portal.core.clock import utcnow
from portal.core.db import db
from portal.dispatch import progress, stop
from portal.dispatch.deliver import deliver_next
from portal.dispatch.models import PUSH
from portal.dispatch.notification import PushChannel, payload
from portal.warnings import target
from portal.warnings.models import CANCEL, UPDATE
from tests import district
from tests.dispatch.conftest import Workshop, dispatch_of, issued  # noqa: F401
from tests.push.browsers import device
from tests.push.service import PushService, note
from tests.shelters.one_database import database_url  # noqa: F401

TARGET = {"regions": [district.PINGSHAN], "area": None, "audiences": [], "channels": ["push"]}
ELSEWHERE = "440310005001"


@pytest.fixture
def app(make_app: Callable[..., Flask], push_service: PushService) -> Flask:
    return make_app(push_services=push_service.url, retry_seconds=0.01, flush_size=1, max_in_flight=1)


@pytest.fixture
def workshop(context: Flask) -> Iterator[Workshop]:
    district.settle_regions()
    made = Workshop()
    provider = WebPush(context.extensions["anlan"])
    made.channels[PUSH] = PushChannel(provider)
    yield made
    made.close()
    provider.close()


@pytest.fixture
def browser(context: Flask, push_service: PushService) -> Callable[..., dict]:
    """A browser that asked for notifications; gives its subscription."""

    def make(*regions: str, tier: int = 0, language: str = "zh") -> dict:
        made = push_service.new()[0]
        keys = note(0, made).keys
        address = services.check(made["endpoint"], (push_service.url,))
        store.put(store.Subscription(address, keys), store.Wanted(regions or (district.LIULIAN,), tier, language), "192.0.2.1")
        return made

    return make


def of(bulletin) -> progress.Progress:
    return next(p for p in progress.of_bulletin(bulletin.id) if p.dispatch.channel == PUSH)


def test_devices_of_the_place_are_told_in_their_language_with_the_words_that_were_approved(
        workshop, issued, browser, push_service):  # noqa: F811
    zh, en, away, quiet = browser(), browser(language="en"), browser(ELSEWHERE), browser(tier=4)
    twice = browser(district.LIULIAN, "440310001002")
    bulletin = issued(target=TARGET, tier="orange")
    workshop.finish()
    message, = push_service.told(zh)
    words = bulletin.snapshot["words"]
    told = message["payload"]
    assert (told["title"], told["body"]) == (words["zh"]["headline"], words["zh"]["sms"])
    assert told["url"] == f"/zh/warnings/{bulletin.warning_number}/"
    assert (told["end"], told["n"], told["id"]) == (int(bulletin.expires.timestamp()), 1, bulletin.warning_id.hex)
    assert (message["urgency"], message["topic"]) == ("high", bulletin.warning_id.hex)
    assert abs(message["ttl"] - (bulletin.expires - utcnow()).total_seconds()) < 60
    assert push_service.told(en)[0]["payload"]["title"] == words["en"]["headline"]
    assert len(push_service.told(twice)) == 1, "who chose two communities is told once"
    assert push_service.told(away) == push_service.told(quiet) == []
    found = of(bulletin)
    assert (found.planned, found.accepted, found.pending) == (3, 3, 0)
    assert dispatch_of(bulletin, PUSH).ended_at is not None
    assert push_service.all()["wrong"] == []


def test_an_update_and_an_all_clear_reach_those_who_were_told_and_take_its_place(
        workshop, issued, browser, push_service):  # noqa: F811
    told, late = browser(tier=3), None
    alert = issued(target=TARGET, tier="orange")
    workshop.finish()
    late = browser()
    update = issued(kind=UPDATE, warning_id=alert.warning_id, target=TARGET, tier="yellow")
    workshop.finish()
    clear = issued(kind=CANCEL, warning_id=alert.warning_id, target=TARGET, tier="yellow")
    workshop.finish()
    assert [m["payload"]["n"] for m in push_service.told(told)] == [1, 2, 3], "also below the tier that it asked for"
    assert [m["payload"]["n"] for m in push_service.told(late)] == [2, 3]
    assert {m["topic"] for m in push_service.told(told)} == {alert.warning_id.hex}
    assert push_service.told(told)[2]["payload"]["kind"] == "cancel"
    assert (of(update).planned, of(clear).planned) == (2, 2)


def test_a_drill_is_marked_wakes_nobody_and_leads_to_no_page_of_a_warning(workshop, issued, browser, push_service):  # noqa: F811
    here, english = browser(), browser(language="en")
    issued(target=TARGET, tier="red", exercise=True)
    workshop.finish()
    message, = push_service.told(here)
    assert message["payload"]["title"].startswith("【演练】")
    assert (message["payload"]["drill"], message["payload"]["url"], message["urgency"]) == (True, "/zh/", "normal")
    assert push_service.told(english)[0]["payload"]["title"].startswith("EXERCISE: ")


def test_devices_that_are_gone_or_turned_off_are_written_down_and_not_kept(workshop, issued, browser, push_service):  # noqa: F811
    here, gone, unknown, off = browser(), browser(), browser(), browser()
    push_service.behave(gone, "410")
    push_service.behave(unknown, "404")
    bulletin = issued(target=TARGET)
    workshop.plan_all()
    assert store.drop(off["endpoint"]), "after the plan and before the sending"
    workshop.finish()
    found = of(bulletin)
    assert (found.accepted, found.ends["opted_out"], found.reasons) == (1, 3, {("opted_out", "gone"): 2})
    assert push_service.told(off) == []
    assert store.of(here["endpoint"]) is not None
    assert db.session.scalar(select(func.count()).select_from(PushDevice)) == 1


def test_a_browser_that_gets_another_address_while_the_old_one_is_told_to_be_gone_is_kept(
        workshop, issued, browser, push_service):  # noqa: F811
    here, new = browser(), push_service.new()[0]
    issued(target=TARGET)
    workshop.plan_all()

    class Moves(push.Provider):
        def send(self, payload, notes, *, on_result, **_rest) -> None:
            address = services.check(new["endpoint"], (push_service.url,))
            assert store.renew(here["endpoint"], store.Subscription(address, note(0, new).keys))
            on_result(push.Result(notes[0].ref, push.GONE, "410"))

        def close(self) -> None: ...

    assert deliver_next(PUSH, PushChannel(Moves()), "test", threading.Event())
    assert store.of(new["endpoint"]) is not None


def test_what_fails_for_a_moment_is_tried_again_until_it_is_taken(workshop, issued, browser, push_service):  # noqa: F811
    here, trouble = browser(), browser()
    push_service.behave(trouble, "503")
    bulletin = issued(target=TARGET)
    workshop.plan_all()
    assert workshop.send_one(PUSH)
    assert (of(bulletin).accepted, of(bulletin).pending) == (1, 1)
    assert dispatch_of(bulletin, PUSH).last_error == "503"
    push_service.behave(trouble, "")
    workshop.due_now()
    workshop.finish()
    assert (len(push_service.told(here)), len(push_service.told(trouble))) == (1, 1)
    assert of(bulletin).accepted == 2


def test_what_is_stopped_or_over_is_not_sent_any_more(workshop, issued, browser, push_service):  # noqa: F811
    here = browser()
    bulletin = issued(target=TARGET)
    workshop.plan_all()
    stop.stop(district.approver("third"), dispatch_of(bulletin, PUSH).id)
    workshop.finish()
    assert push_service.told(here) == []
    assert of(bulletin).ends == {"stopped": 1}
    late = issued(target=TARGET)
    workshop.plan_all()
    stop.sweep(late.expires + timedelta(seconds=1))
    workshop.finish()
    assert push_service.told(here) == []
    assert of(late).ends == {"expired": 1}


def test_a_bulletin_for_others_than_residents_goes_to_no_device(workshop, issued, browser, push_service):  # noqa: F811
    here = browser()
    issued(target=TARGET | {"audiences": ["schools"]})
    workshop.finish()
    assert push_service.told(here) == []
    issued(target=TARGET | {"audiences": ["schools", "residents"]})
    workshop.finish()
    assert len(push_service.told(here)) == 1


def dies_in_the_middle(workshop) -> None:
    """A worker that is gone with a batch in its hands, and whose lease has lapsed."""
    class Dies:
        def deliver(self, lease, found, **_rest) -> None:
            raise SystemExit

    with pytest.raises(SystemExit):
        deliver_next(PUSH, Dies(), "dead", threading.Event())
    workshop.due_now()


def test_a_worker_that_died_leaves_nobody_untold(workshop, issued, browser, push_service):  # noqa: F811
    browsers = [browser() for _ in range(3)]
    bulletin = issued(target=TARGET)
    workshop.plan_all()
    dies_in_the_middle(workshop)
    workshop.finish()
    assert [len(push_service.told(b)) for b in browsers] == [1, 1, 1]
    assert of(bulletin).accepted == 3


def test_whoever_a_worker_that_died_may_have_told_is_told_of_the_end(workshop, issued, browser, push_service):  # noqa: F811
    """It speaks to push services in no order, so that it may have been anybody of its batch."""
    browsers = [browser() for _ in range(4)]
    alert = issued(target=TARGET)
    workshop.plan_all()
    dies_in_the_middle(workshop)
    issued(kind=CANCEL, warning_id=alert.warning_id, target=TARGET)
    workshop.finish()
    assert of(alert).ends == {"uncertain": 4}
    assert [[m["payload"]["kind"] for m in push_service.told(b)] for b in browsers] == [["cancel"]] * 4


def test_long_words_are_cut_to_what_a_push_service_takes_and_say_so(workshop, issued):  # noqa: F811
    words = {"zh": {"headline": "暴雨" * 60, "description": "长" * 1900, "instruction": "", "sms": "", "speaker": ""},
             "en": {"headline": "", "description": "x" * 1900, "instruction": "", "sms": "", "speaker": ""}}
    bulletin = issued(target=TARGET)
    bulletin.snapshot = bulletin.snapshot | {"words": words}
    for language, most in (("zh", 600), ("en", 600)):
        packed = payload(bulletin, language)
        told = json.loads(packed)
        assert len(packed) <= LONGEST
        assert told["title"]
        assert told["body"].endswith("…")
        assert len(told["body"]) == most
    db.session.expire_all()


def test_where_no_push_service_is_named_nothing_is_planned_for_devices(make_app: Callable[..., Flask]):
    with make_app(push_services="").app_context():
        district.settle_regions()
        from portal.dispatch import issue
        draft = district.submitted(district.drafter(), target=TARGET)
        bulletin = issue.issue(district.approver(), draft.id, version=draft.version, content_hash=draft.content_hash)
        assert {p.dispatch.channel for p in progress.of_bulletin(bulletin.id)} == {"web"}
        device((district.LIULIAN,))
        assert target.reach(target.normalise(TARGET, complete=True)).devices == 0, "the desk promises none"
