"""Dispatch without threads: tests take the planner's and the workers' steps themselves, in the order that they want."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import select, update

from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.dispatch import issue, plan, receipts, stop
from portal.dispatch.channels import WebChannel
from portal.dispatch.deliver import deliver_next
from portal.dispatch.models import Batch, Dispatch
from tests import district
from tests.dispatch.offices import SmsDesk


class Workshop:
    """The dispatch of one test. `over`: lines that take the place of the sandbox."""

    def __init__(self) -> None:
        self.published = 0
        self.channels = {"web": WebChannel(self._publish)}
        self.stopping = threading.Event()
        self._texts: SmsDesk | None = None

    def over(self, *lines) -> SmsDesk:
        """Send text messages over these lines from now on; without any, over those of the settings."""
        self.close()
        self._texts = SmsDesk(lines)
        return self._texts

    def close(self) -> None:
        if self._texts:
            self._texts.close()
            self._texts = None

    def _publish(self) -> None:
        self.published += 1

    def plan_all(self) -> None:
        """Plan until nothing is left that can be planned now."""
        for dispatch_id in plan.waiting_dispatches(db.session):
            for went_on in plan.plan(dispatch_id):
                if not went_on:
                    break

    def send_one(self, channel: str = "sms") -> bool:
        if channel == "sms":
            return (self._texts or self.over()).send_one()
        return deliver_next(channel, self.channels[channel], "test", self.stopping)

    def send_all(self, channel: str = "sms") -> None:
        while self.send_one(channel):
            pass

    def finish(self) -> None:
        """Plan, send, settle and fold until nothing moves any more."""
        for _ in range(200):
            self.plan_all()
            for channel in ("sms", *self.channels):
                self.send_all(channel)
            while receipts.fold():
                pass
            stop.sweep()
            if not plan.waiting_dispatches(db.session):
                return
        raise AssertionError("the dispatch never came to rest")

    def due_now(self) -> None:
        """Let pauses and leases be over."""
        with transaction() as session:
            session.execute(update(Batch).values(due_at=utcnow()))


@pytest.fixture
def workshop(context) -> Iterator[Workshop]:
    district.settle_regions()
    made = Workshop()
    yield made
    made.close()


@pytest.fixture
def issued(workshop) -> Callable:
    """Issue content as `district.content(**changes)`; gives the bulletin."""
    people = {}

    def make(**changes):
        people.setdefault("author", None)
        if people["author"] is None:
            people["author"], people["boss"] = district.drafter(), district.approver()
        draft = district.submitted(people["author"], **changes)
        return issue.issue(people["boss"], draft.id, version=draft.version, content_hash=draft.content_hash)

    return make


def dispatch_of(bulletin, channel: str = "sms") -> Dispatch:
    return db.session.execute(
        select(Dispatch)
        .where(Dispatch.bulletin_id == bulletin.id, Dispatch.channel == channel)
        .execution_options(populate_existing=True)
    ).scalar_one()
