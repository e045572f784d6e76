"""Dispatch without threads: tests take the planner's and the workers' steps themselves, in the order that they want."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import select, update

from portal.channels.sms.sandbox import SandboxProvider
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.dispatch import issue, plan, receipts, stop
from portal.dispatch.channels import SmsChannel, WebChannel, on_sms_receipts
from portal.dispatch.deliver import deliver_next
from portal.dispatch.models import Batch, Dispatch
from tests import district


class Workshop:
    """The dispatch of one test. `sent`: (subscriber id, text) of everything that the sandbox took."""

    def __init__(self) -> None:
        self.published = 0
        self.channels = {"sms": SmsChannel(SandboxProvider(50, on_sms_receipts)), "web": WebChannel(self._publish)}
        self.stopping = threading.Event()

    def _publish(self) -> None:
        self.published += 1

    def plan_all(self) -> None:
        """Plan until nothing is left that can be planned now."""
        for dispatch_id in plan.waiting_dispatches(db.session):
            for went_on in plan.plan(dispatch_id):
                if not went_on:
                    break

    def send_one(self, channel: str = "sms") -> bool:
        return deliver_next(channel, self.channels[channel], "test", self.stopping)

    def send_all(self, channel: str = "sms") -> None:
        while self.send_one(channel):
            pass

    def finish(self) -> None:
        """Plan, send, settle and fold until nothing moves any more."""
        for _ in range(200):
            self.plan_all()
            for channel in self.channels:
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
def workshop(context) -> Workshop:
    district.settle_regions()
    return Workshop()


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
