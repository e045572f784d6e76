"""What officers see of notifications: how many devices a draft would reach, its words on them, what became of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import timedelta

from flask import Flask
from flask_babel import force_locale

from portal.channels.push import provider as push
from portal.core.clock import utcnow
from portal.core.db import db
from portal.desk import state
from portal.dispatch import issue, plan, progress, stop
from portal.dispatch.deliver import deliver_next
from portal.dispatch.models import PUSH
from portal.dispatch.notification import PushChannel
from tests import district
from tests.desk.conftest import Seat, seat, settled  # noqa: F401
from tests.push.browsers import COMMUNITY, device
from tests.shelters.one_database import database_url  # noqa: F401

TARGET = {"regions": [district.PINGSHAN], "area": None, "audiences": [], "channels": ["push", "sms"]}


class Answers(push.Provider):
    """A push service that gives these answers, one after the other."""

    def __init__(self, *answers: tuple[str, str]) -> None:
        self._answers = answers

    def send(self, payload: bytes, notes: Sequence[push.Note], *, on_result: Callable[[push.Result], None], **_rest) -> None:
        for one, (status, code) in zip(notes, self._answers, strict=True):
            on_result(push.Result(one.ref, status, code))

    def close(self) -> None: ...


def test_officers_see_how_many_devices_there_are_what_they_show_and_what_became_of_it(
        settled: Flask, seat: Callable[..., Seat]) -> None:  # noqa: F811
    for tier in (0, 0, 2, 4):
        device((COMMUNITY,), tier=tier)
    author, boss = district.drafter(), district.approver()
    draft = district.submitted(author, target=TARGET, tier="yellow")
    officer = seat(boss)
    page = officer.get(f"/desk/drafts/{draft.id}/").text
    assert "<dt>Devices with notifications</dt><dd>3</dd>" in page
    assert "3 devices with notifications" in page, "the button says it too"
    assert "Notification</h4>" in page
    compose = seat(author).get("/desk/compose/").text
    assert 'name="target.channels" value="push" checked' in compose

    bulletin = issue.issue(boss, draft.id, version=draft.version, content_hash=draft.content_hash)
    for dispatch_id in plan.waiting_dispatches(db.session):
        list(plan.plan(dispatch_id))
    answers = Answers((push.ACCEPTED, ""), (push.GONE, "410"), (push.FAILED, "403"))
    assert deliver_next(PUSH, PushChannel(answers), "test", threading.Event())
    stop.sweep()
    page = officer.get(f"/desk/warnings/{bulletin.warning_number}/").text
    for words in ("Notifications on devices", "taken by the push service", "turned off on the device",
                  "the browser does not take notifications any more", "an administrator must check its key (403)",
                  "1 recipient could not be reached."):
        assert words in page
    found = next(p for p in progress.of_bulletin(bulletin.id) if p.dispatch.channel == PUSH)
    assert (found.planned, found.accepted, found.ends["opted_out"], found.ends["failed"]) == (3, 1, 1, 1)
    rows = officer.get(f"/desk/warnings/{bulletin.warning_number}/reach/{found.dispatch.id}")
    assert rows.status_code == 286, "nothing more is heard of it, so the page does not look again"
    assert '<td class="numeric">—</td>' in rows.text
    with force_locale("en"):
        said = state.troubles(found, utcnow() + timedelta(days=1))
    assert [words for words in said if "heard" in words] == [], "a push service has no receipts to wait for"


def test_a_district_without_devices_is_not_told_of_it_as_of_a_trouble(settled: Flask) -> None:  # noqa: F811
    author, boss = district.drafter(), district.approver()
    draft = district.submitted(author, target=TARGET)
    bulletin = issue.issue(boss, draft.id, version=draft.version, content_hash=draft.content_hash)
    for dispatch_id in plan.waiting_dispatches(db.session):
        list(plan.plan(dispatch_id))
    found = next(p for p in progress.of_bulletin(bulletin.id) if p.dispatch.channel == PUSH)
    assert (found.planned, found.dispatch.state) == (0, "done")
    assert state.troubles(found, utcnow()) == []
