"""Three machines, a broker and a database: whichever of them goes away and comes back, everybody is warned, and few twice."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask
from flask_babel import force_locale
from kombu import Connection
from kombu.exceptions import OperationalError
from sqlalchemy import select

from portal import create_app
from portal.core.clock import utcnow
from portal.core.db import db
from portal.dispatch import events, progress
from portal.dispatch.events import Work
from portal.dispatch.issue import issue
from portal.dispatch.many import broker
from portal.dispatch.many.listener import Listener
from portal.dispatch.many.ringer import MOST_AT_ONCE, Ringer
from portal.dispatch.models import Batch, Dispatch
from portal.doctor import machines
from portal.doctor.findings import OK, WARN
from portal.identity.models import Account
from portal.models import Base
from portal.warnings.models import Bulletin
from tests import district, rabbitmq
from tests.ends import ends
from tests.faults.cluster import Cluster
from tests.faults.nursery import Nursery
from tests.many.hall import MOST_DOUBLED, Hall, Process
from tests.many.machines import network
from tests.many.wire import Wire
from tests.postgres import free_port
from tests.sms.conftest import CarrierProcess, carrier, carrier_process  # noqa: F401  (fixtures)
from tests.waiting import LONGEST, until

PEOPLE = 1800
MACHINES = 3

pytestmark = pytest.mark.skipif(bool(rabbitmq.why_not()), reason=rabbitmq.why_not())


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    with network(MACHINES) as (address, machines), contextlib.ExitStack() as parts:
        server = rabbitmq.RabbitMQ(address)
        parts.callback(server.close)
        server.start()
        nursery = Nursery()
        parts.callback(nursery.close)
        made = Hall(address, machines, server, nursery, tmp_path_factory.mktemp("hall"))
        made.database = Cluster(address=address)
        parts.callback(made.database.close)
        yield made
        for process in made.processes:
            process.signal(signal.SIGKILL)


@pytest.fixture(scope="module")
def district_app(hall: Hall) -> Iterator[Flask]:
    """An office that issues, on the machine of the servers; its rings go to the broker."""
    assert hall.database is not None
    import psycopg

    with psycopg.connect(hall.database.url("postgres"), autocommit=True) as admin:
        admin.execute("CREATE DATABASE many")
    app = create_app(hall.settings(broker_url=hall.broker.url))
    with app.app_context():
        Base.metadata.create_all(db.engine)
        district.settle_regions()
        district.subscribers(PEOPLE)
        db.session.rollback()
        yield app
        db.session.rollback()
        db.engine.dispose()
    app.extensions["ringer"].close()


@pytest.fixture
def heard() -> Iterator[list[Work]]:
    rings: list[Work] = []

    def hear(sender: object) -> None:
        if isinstance(sender, Work) and sender.rung:
            rings.append(sender)

    events.work.connect(hear)
    yield rings
    events.work.disconnect(hear)


def _port_that_leads_nowhere() -> tuple[Wire, str]:
    wire = Wire("127.0.0.1", free_port())
    wire.freeze()
    return wire, f"amqp://anlan:secret-word@127.0.0.1:{wire.port}//"


def test_a_broker_that_says_nothing_delays_nobody(caplog):
    """Neither who announces work, nor the end of a process; and its address, which holds a password, stands in no log."""
    wire, url = _port_that_leads_nowhere()
    with wire, caplog.at_level("DEBUG"):
        ringer = Ringer(url)
        ringer.listen()
        try:
            begun = time.monotonic()
            for n in range(2000):
                events.work.send(Work("issue", n % 10))
            waited = time.monotonic() - begun
            until(lambda: ringer.failures, "the rings are given up", 30)
            assert sum(ringer._waiting.values()) <= MOST_AT_ONCE * broker.LANES  # what piles up is bounded
        finally:
            ringer.close()
    assert waited < broker.CONNECT_SECONDS  # nobody waited for the broker
    assert "secret-word" not in caplog.text


def test_a_ring_wakes_one_that_listens_and_a_stop_wakes_all(hall, heard):
    hall.broker.wait()
    ringer, listener = Ringer(hall.broker.url), Listener(hall.broker.url)
    listener.start()
    with Connection(hall.broker.url, connect_timeout=3) as another:  # process: Celery knows one listener in each
        stops = broker.stops_of_this_process()(another.default_channel)
        try:
            stops.declare()
            until(lambda: listener.up and heard, "the broker is heard, and all was looked at once", 30)
            ringer.listen()
            _rings(heard, Work("issue", 3), Work("issue", 3, rung=True))
            _rings(heard, Work("planned", 7, 4, "sms"), *[Work("planned", 7, channel="sms", rung=True)] * 4)
            _rings(heard, Work("planned", 5, 1000, "push"), *[Work("planned", 5, channel="push", rung=True)] * MOST_AT_ONCE)
            assert stops.get() is None
            _rings(heard, Work("stop", 2), Work("stop", 0, rung=True))
            until(stops.get, "another process hears of the stop", 30)
            events.work.send("something else")
            heard.clear()
            events.work.send(Work("issue", 1, rung=True))  # what was rung to us is not rung again
            assert len(heard) == 1
            _rings(heard, Work("issue", 99), Work("issue", 99, rung=True))  # less urgent than the last lane: it waits there
        finally:
            ringer.close()
            listener.stop()
            stops.delete()


def test_over_tls_the_broker_must_be_who_it_says(hall, monkeypatch):
    """Its certificate is trusted, and names the address that was asked for; there is no other way in."""
    hall.broker.wait()

    def lets_in(url: str) -> bool:
        asked = broker.make_celery(url, listening=False).connection_for_write()
        try:
            asked.ensure_connection(max_retries=1, timeout=3)
        except OperationalError:
            return False
        finally:
            asked.release()
        return True

    assert not lets_in(hall.broker.secure_url)
    monkeypatch.setenv("SSL_CERT_FILE", str(hall.broker.trust))
    assert lets_in(hall.broker.secure_url)
    with Wire(hall.broker.address, hall.broker.secure_port, "127.0.0.77") as elsewhere:
        assert not lets_in(f"amqps://{rabbitmq.USER}:{rabbitmq.PASSWORD}@127.0.0.77:{elsewhere.port}//")


def test_a_broker_that_refuses_us_is_said_once_and_without_the_password(hall, caplog):
    hall.broker.wait()
    url = hall.broker.url.replace(rabbitmq.PASSWORD, "secret-word")
    ringer, listener = Ringer(url), Listener(url)
    with caplog.at_level("DEBUG"):
        listener.start()
        ringer.listen()
        try:
            for lane in range(3):  # each is a try of its own
                lost = ringer.failures
                events.work.send(Work("issue", lane))
                until(lambda lost=lost: ringer.failures > lost, "the ring is lost", 30)
            until(lambda: "cannot be heard" in caplog.text, "the listener says it", 30)
            assert not listener.up
        finally:
            ringer.close()
            listener.stop()
    assert caplog.text.count("cannot be heard") == caplog.text.count("cannot be reached") == 1
    assert "secret-word" not in caplog.text


def test_the_doctor_says_whether_the_broker_and_a_lead_can_be_had(hall, district_app):
    hall.broker.wait()

    def found(check, **settings: object) -> list[tuple[str, str]]:
        with force_locale("en"):
            return [(finding.level, finding.message) for finding in check(hall.settings(**settings))]

    assert found(machines.waking) == []
    assert [level for level, _ in found(machines.waking, broker_url=hall.broker.url)] == [OK]
    dead, nowhere = _port_that_leads_nowhere()
    dead.close()
    (level, words), = found(machines.waking, broker_url=nowhere)
    assert level == WARN
    assert "secret-word" not in words
    assert [level for level, _ in found(machines.leading)] == [OK]
    assert found(machines.leading, database_url="") == []  # on SQLite there is one scheduler


def _rings(heard: list[Work], announced: Work, *expected: Work) -> None:
    """What is announced comes back as these rings, and no others."""
    heard.clear()
    events.work.send(announced)
    until(lambda: len(heard) >= len(expected), f"{announced} is heard", 30)
    assert tuple(heard) == expected


def test_a_worker_begins_by_a_ring_before_it_would_have_looked_by_itself(hall, district_app, carrier):  # noqa: F811
    """Its own next look is made to be long after this test; what is issued without a ring waits for the next one."""
    carrier.faults(callbacks=False)
    _, _, port = carrier.url.rpartition(":")
    hall.broker.wait()
    with Wire("127.0.0.1", int(port), hall.address) as to_carrier:
        first = _issued(district.PINGSHAN)
        worker = hall.begin("worker", hall.machines[0], to_carrier.port, patched={"portal.dispatch.engine:IDLE": LONGEST * 10})
        _done(first)  # by the look at its start
        until(lambda: hall.listeners() == 1, "the worker hears the broker")
        _done(_issued(district.PINGSHAN, 1))
        with events.work.muted():
            silent = _issued(district.PINGSHAN, 2)
        rung = _issued(district.PINGSHAN, 3)
        _done(rung)
        _done(silent)
        assert _sms(silent).dispatch.planned_at >= _sms(rung).dispatch.created_at
        worker.kill()


def _issued(region: str, minute: int = 0) -> Bulletin:
    """What two officers do; `minute`: in other words each time."""
    drafter, approver = (_officer(name) or make() for name, make in (
        ("drafter", district.drafter), ("approver", district.approver)))
    draft = district.submitted(drafter, expires=utcnow() + timedelta(hours=2, minutes=minute), target={
        "regions": [region], "area": None, "audiences": [], "channels": ["sms"]})
    return issue(approver, draft.id, version=draft.version, content_hash=draft.content_hash)


def _officer(name: str) -> Account | None:
    return db.session.execute(select(Account).where(Account.username == name)).scalar_one_or_none()


def _done(bulletin: Bulletin) -> None:
    until(lambda: _sms(bulletin).dispatch.state == "done", "all is sent")


def test_machines_go_and_come_back_and_everybody_is_warned(hall, district_app, carrier):  # noqa: F811
    carrier.faults(delay_ms=60, callbacks=False)
    _, _, port = carrier.url.rpartition(":")
    with Wire("127.0.0.1", int(port), hall.address) as to_carrier:
        workers = [hall.begin("worker", machine, to_carrier.port) for machine in hall.machines]
        hall.broker.wait()
        until(lambda: all(worker.works() for worker in workers), "three workers run")
        until(lambda: hall.listeners() == MACHINES, "three workers hear the broker")
        bulletin = _issued(district.DISTRICT, 4)

        _taken(carrier, 0.1)
        workers[0].kill()
        _taken(carrier, 0.2)
        hall.machines[1].unplug()
        _taken(carrier, 0.3)
        hall.broker.kill()
        _taken(carrier, 0.45)
        assert hall.database is not None
        hall.database.stop()
        hall.database.start()
        hall.machines[1].plug()
        hall.broker.start()
        until(lambda: _sms(bulletin).dispatch.state == "done", "all is sent", 120)

        found = _sms(bulletin)
        assert found.planned == PEOPLE
        assert found.ends == {"accepted": PEOPLE}
        assert _outcomes(bulletin) == (PEOPLE, PEOPLE)
        numbers = [message["to"] for message in carrier.messages()]
        assert len(set(numbers)) == PEOPLE
        # One killed, one cut off, and two that the database's end may have cost their leases.
        assert len(numbers) - PEOPLE <= 4 * MOST_DOUBLED
        hall.broker.wait()
        until(lambda: hall.listeners() == 2, "the two that are left hear the broker that was begun again")
        for worker in workers[1:]:
            worker.signal(signal.SIGTERM)
            until(lambda worker=worker: not worker.running, "it ends in an orderly way", 40)


def test_a_scheduler_stands_by_and_leads_when_the_leader_dies_or_is_cut_off(hall, district_app):
    clocks = [hall.begin("scheduler", machine, 9) for machine in hall.machines]
    until(lambda: sum(_leads(clock) for clock in clocks) == 1, "one leads")
    until(lambda: all(_leads(clock) or "standing by" in clock.said for clock in clocks), "the others stand by")
    first = next(clock for clock in clocks if _leads(clock))
    first.kill()
    others = [clock for clock in clocks if clock is not first]
    until(lambda: sum(_leads(clock) for clock in others) == 1, "another leads")
    second = next(clock for clock in others if _leads(clock))
    machine = hall.machines[clocks.index(second)]
    machine.unplug()
    try:
        until(lambda: not _leads(second), "who is cut off knows it", 30)
        last = next(clock for clock in others if clock is not second)
        until(lambda: _leads(last), "the last one leads", 30)
    finally:
        machine.plug()
    until(lambda: sum(_leads(clock) for clock in others) == 1, "still one")


def _leads(clock: Process) -> bool:
    """By what it last said."""
    said = [line for line in clock.said.splitlines() if "keeps the time" in line]
    return bool(said) and "this process" in said[-1]


def _taken(carrier: CarrierProcess, share: float) -> None:  # noqa: F811
    until(lambda: carrier.summary()["taken"] >= share * PEOPLE, f"{share:.0%} are handed over")


def _sms(bulletin) -> progress.Progress:
    def read() -> progress.Progress | None:
        db.session.rollback()
        with contextlib.suppress(Exception):  # the database may be away for a moment
            return next(p for p in progress.of_bulletin(bulletin.id) if p.dispatch.channel == "sms")
        return None

    return until(read, "the database answers", 30)


def _outcomes(bulletin) -> tuple[int, int]:
    """How many outcomes of text messages there are, and of how many people."""
    mine = select(Dispatch.id).where(Dispatch.bulletin_id == bulletin.id, Dispatch.channel == "sms")
    found = [one.recipient_id for one in ends(Batch.dispatch_id.in_(mine))]
    db.session.rollback()
    return len(found), len(set(found))
