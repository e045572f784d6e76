"""Horns over a real broker: gone at issue, gone at the all-clear, and threads that end in the middle."""

import threading
from collections import Counter

import pytest
from sqlalchemy import func, select

from portal.channels.speakers.mqtt import MqttBridge
from portal.channels.speakers.simulator import Simulator
from portal.core.clock import utcnow
from portal.core.db import db
from portal.dispatch import answers, issue, progress
from portal.dispatch.bulk.office import Office
from portal.dispatch.channels import SpeakerChannel, WebChannel
from portal.dispatch.engine import Engine
from portal.dispatch.models import Receipt
from portal.regions import lookup
from portal.warnings.models import CANCEL
from tests import district
from tests.dispatch.offices import ToldLine
from tests.ends import ends
from tests.speakers.conftest import KEY, own_mosquitto  # noqa: F401  (fixture)
from tests.waiting import until

HORNS_ONLY = {"regions": [district.PINGSHAN], "area": None, "audiences": [], "channels": ["speakers"]}


def counts(bulletin, channel="speakers"):
    district.forget()
    return next(p for p in progress.of_bulletin(bulletin.id) if p.dispatch.channel == channel)


class District:
    """A portal's sending side with simulated horns in every community of a street."""

    def __init__(self, app, url):
        self.app, self.url = app, url
        district.settle_regions()
        self.communities = lookup.communities_under([district.PINGSHAN])
        district.speakers(*self.communities)
        self.addresses = [f"horn-{n}" for n in range(len(self.communities))]
        self.author, self.boss = district.drafter(), district.approver()
        self.box = answers.AnswerBox()
        self.heard = []
        self.bridge = MqttBridge(url, "anlan", KEY, on_answer=self._answer, on_state=lambda _: None,
                                 client_id="portal", ack_seconds=0.5)
        channels = {"speakers": SpeakerChannel({"mqtt": self.bridge}), "web": WebChannel(lambda: None)}
        self.engine = Engine(app, channels, box=self.box, alone=True)
        self.horns = []

    def _answer(self, answer):
        self.heard.append((answer.command_id, answer.address, answer.status, answer.device_at))
        self.box.put(answer)

    def switch_on(self, addresses):
        simulator = Simulator(self.url, "anlan", KEY.public_key(), addresses, pace=200.0)
        simulator.start()
        self.horns.append(simulator)
        assert simulator.wait_connected(len(addresses), 30)

    def issue(self, **changes):
        draft = district.submitted(self.author, target=HORNS_ONLY, **changes)
        return issue.issue(self.boss, draft.id, version=draft.version, content_hash=draft.content_hash)

    def said(self, bulletin, status):
        """How often each did it. What is only told again bears the moment of what it repeats."""
        return Counter(a for c, a, s, _moment in set(self.heard) if c == str(bulletin.id) and s == status)

    def close(self):
        self.engine.stop()
        self.bridge.close()
        for simulator in self.horns:
            simulator.stop()


@pytest.fixture
def town(make_app, own_mosquitto):  # noqa: F811
    app = make_app(retry_seconds=0.5)
    with app.app_context():
        made = District(app, own_mosquitto.url)
        yield made
        made.close()


def test_a_broker_that_is_gone_at_issue_is_shown_and_every_horn_speaks_once_when_it_is_back(town, own_mosquitto):  # noqa: F811
    own_mosquitto.kill()
    town.bridge.start()
    town.engine.start()
    alert = town.issue()
    until(lambda: counts(alert).dispatch.last_error == "broker", "the dispatch says nothing of the broker")
    assert counts(alert).ends == {}
    own_mosquitto.start()
    town.switch_on(town.addresses)
    everyone = len(town.addresses)
    until(lambda: counts(alert).ends == {"accepted": everyone}, "not every horn took the command")
    until(lambda: counts(alert).stages == {"finished": everyone}, f"answers are missing: {counts(alert).stages}")
    assert town.said(alert, "playing") == Counter(town.addresses)
    assert counts(alert).dispatch.state == "done"
    until(lambda: db.session.execute(select(func.count()).select_from(Receipt)).scalar_one() == 0, "receipts are left")


def test_a_horn_that_was_away_from_warning_to_all_clear_stays_silent_when_it_comes_back(town):
    away, here = town.addresses[0], town.addresses[1:]
    town.bridge.start()
    town.switch_on(here)
    town.engine.start()
    alert = town.issue()
    until(lambda: counts(alert).ends.get("accepted") == len(here), "the horns that are there did not take it")
    until(lambda: counts(alert).dispatch.last_error in ("silent", "offline"), "nobody missed the horn that is away")
    clear = town.issue(kind=CANCEL, warning_id=alert.warning_id)
    until(lambda: counts(clear).ends.get("accepted") == len(here), "the all-clear did not come")
    assert counts(alert).ends == {"accepted": len(here), "uncertain": 1}
    town.switch_on([away])
    until(lambda: counts(clear).dispatch.state == "done", "the horn that came back was not told")
    until(lambda: counts(clear).stages == {"finished": len(town.addresses)}, "answers are missing")
    assert town.said(clear, "playing") == Counter(here)
    assert town.said(alert, "playing") == Counter(here)


def test_a_broker_that_was_never_there_leaves_nothing_uncertain(town, own_mosquitto):  # noqa: F811
    own_mosquitto.kill()
    town.bridge.start()
    town.engine.start()
    alert = town.issue()
    until(lambda: counts(alert).dispatch.last_error == "broker", "the dispatch says nothing of the broker")
    clear = town.issue(kind=CANCEL, warning_id=alert.warning_id)
    until(lambda: counts(clear).dispatch.state == "done", "the all-clear never came to rest")
    assert counts(alert).ends == {"stopped": len(town.addresses)}
    assert counts(clear).planned == 0


def test_an_engine_that_ends_in_the_middle_gives_its_batches_back_and_the_next_one_doubles_nobody(make_app):
    app = make_app(batch_size=60, flush_size=20, lease_seconds=600)
    with app.app_context():
        district.settle_regions()
        district.subscribers(900)
        aim = {"regions": [district.DISTRICT], "area": None, "audiences": [], "channels": ["sms"]}
        draft = district.submitted(district.drafter(), target=aim)
        slow = [ToldLine(most=5, seconds=0.01), ToldLine(most=5, seconds=0.002)]
        channels = {"web": WebChannel(lambda: None)}
        first = Engine(app, channels, office=Office(app, slow[:1]))
        first.start()
        bulletin = issue.issue(district.approver(), draft.id, version=draft.version, content_hash=draft.content_hash)
        until(lambda: len(slow[0].taken) > 150, "the first engine sends nothing")
        first.stop()
        assert [t.name for t in threading.enumerate() if t.name.startswith(("dispatch", "sms-"))] == []
        sent = len(slow[0].taken)
        assert sent < 900
        assert counts(bulletin, "sms").ends == {"accepted": sent}
        second = Engine(app, channels, office=Office(app, slow[1:]))  # not alone: it finds no lease that has to lapse
        second.start()
        try:
            until(lambda: counts(bulletin, "sms").dispatch.state == "done", "the second engine does not finish")
        finally:
            second.stop()
        assert Counter(Counter(slow[0].taken + slow[1].taken).values()) == {1: 900}
        assert counts(bulletin, "sms").ends == {"accepted": 900}
        assert Counter(one.status for one in ends() if one.recipient_id > 0) == {"accepted": 900}
        assert utcnow() < bulletin.expires
