"""One of several processes leads, another takes over, and who lost the lock stops by itself."""

from __future__ import annotations

import threading

import psycopg
import pytest
from sqlalchemy import make_url

from portal.core.leader import Lock, Lost, Stand
from tests.many.wire import Wire
from tests.waiting import until

NUMBER = 7_420_113_001_885_221_003  # its halves are both large: see how the lock looks for itself


class Part:
    """Counts how it was begun and ended."""

    made: list[Part]

    def __init__(self) -> None:
        self.state = "new"

    def start(self) -> None:
        self.state = "works"

    def stop(self) -> None:
        self.state = "ended"

    def abandon(self) -> None:
        self.state = "abandoned"


class Office:
    """A process that stands by or leads."""

    def __init__(self, url: str) -> None:
        self.parts: list[Part] = []
        self.stand = Stand(Lock(url, NUMBER), self._make)

    def _make(self) -> Part:
        self.parts.append(Part())
        return self.parts[-1]

    @property
    def works(self) -> bool:
        return any(part.state == "works" for part in self.parts)


@pytest.fixture
def url(postgres: str) -> str:
    return f"{postgres}postgres"


@pytest.fixture
def offices(url: str):
    made: list[Office] = []

    def make(at: str = url) -> Office:
        made.append(Office(at))
        made[-1].stand.start()
        return made[-1]

    yield make
    for office in made:
        office.stand.stop()


def test_one_leads_and_the_next_takes_over_when_it_ends(offices):
    first = offices()
    until(lambda: first.works, "the first leads")
    others = [offices(), offices()]
    until(lambda: all(other.stand._lock._connection for other in others), "the others stand by")
    assert not any(other.stand.leads for other in others)
    first.stand.stop()
    assert [part.state for part in first.parts] == ["ended"]
    until(lambda: any(other.works for other in others), "another leads")
    assert sum(other.works for other in others) == 1


def test_who_lost_its_connection_abandons_its_part_and_may_lead_again(offices, url):
    office = offices()
    until(lambda: office.works, "it leads")
    with psycopg.connect(make_url(url).set(drivername="postgresql").render_as_string(False), autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'anlan-leader'")
    until(lambda: office.parts[0].state == "abandoned", "the part is abandoned")
    until(lambda: len(office.parts) == 2 and office.works, "it leads again, with a new part")


def test_a_leader_that_is_cut_off_stops_before_another_can_lead(offices, url):
    """The wire carries nothing any more and says nothing: the server still holds the lock for the one that is cut off."""
    server = make_url(url)
    with Wire(server.host, server.port) as wire:
        cut = offices(server.set(port=wire.port).render_as_string(hide_password=False))
        until(lambda: cut.works, "it leads")
        spare = offices()
        until(lambda: spare.stand._lock._connection, "another stands by")
        both: list[bool] = []
        watching = threading.Event()

        def watch() -> None:
            while not watching.wait(0.02):
                both.append(spare.works and cut.works)

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            wire.freeze()
            until(lambda: cut.parts[0].state == "abandoned", "it stops by itself")
            assert not spare.works
            wire.cut()  # the server notices
            until(lambda: spare.works, "the other leads")
        finally:
            watching.set()
            watcher.join()
        assert not any(both)


def test_without_a_database_nobody_leads_and_nothing_hangs():
    lock = Lock("postgresql+psycopg://postgres@127.0.0.1:1/none", NUMBER)
    with pytest.raises(Lost):
        lock.take()
    assert not lock.held()


def test_a_part_that_cannot_be_made_leaves_the_lead_to_others(offices, url):
    broken = Office(url)

    def fail() -> Part:
        raise RuntimeError("no disk")

    broken.stand._make = fail
    broken.stand.start()
    try:
        other = offices()
        until(lambda: other.works, "the other leads")
        assert not broken.stand.leads
    finally:
        broken.stand.stop()
