"""The life of a report on either database, and two that come in the same moment."""

from __future__ import annotations

import threading
import uuid

from flask import Flask
from sqlalchemy import select

from portal.core import audit
from portal.core.db import db
from portal.identity.rights import DRAFTER
from portal.reports import listing, mine, photo, seals, taking, triage
from portal.reports.models import DangerReport
from tests import district
from tests.reports.conftest import POINT, jpeg, typed


def test_a_report_lives_the_same_on_both_databases(context: Flask) -> None:
    district.settle_regions()
    officer = district.office("officer", (DRAFTER, district.DISTRICT, "red"))
    one = taking.take(typed(point=POINT, community=""), [jpeg()] * photo.MOST).report
    two = taking.take(typed(point=POINT, community="")).report
    assert [row.report.id for row, _metres in listing.near(two, [district.DISTRICT])] == [one.id]
    assert (mine.photo(one, 2) or b"")[:3] == b"\xff\xd8\xff"
    mine.say(one, "more of it")
    triage.move(officer, one.id, 2, "accepted", "on our way")
    triage.merge(officer, two.id, 1, one.number)
    assert listing.counts([district.PINGSHAN])["open"] == 1
    assert listing.waiting(officer) == 0
    told = mine.of(db.session.get(DangerReport, two.id), "", "zh")
    assert [(s.kind, s.words) for s in told.steps] == [("received", ""), ("state", "on our way"), ("merged", "")]
    mine.withdraw(one)
    assert seals.words_of(db.session.get(DangerReport, one.id)) == ""
    assert list(audit.verify(db.session)) == []


def test_one_report_that_is_sent_several_times_in_the_same_moment_is_one(context: Flask) -> None:
    district.settle_regions()
    sent, codes, begin = typed(), [], threading.Barrier(3)

    def send() -> None:
        with context.app_context():
            begin.wait()
            codes.append(taking.take(sent).code)
    senders = [threading.Thread(target=send) for _n in range(3)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert len(codes) == 3
    assert len(set(codes)) == 1
    numbers = db.session.scalars(select(DangerReport.number)).all()
    assert numbers == [1]
    assert taking.take(typed(ref=str(uuid.uuid4()))).report.number == 2
