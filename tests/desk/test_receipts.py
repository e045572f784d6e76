"""What carriers reported later, as the desk tells it: by audience, failures apart, silence and strays in words."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import lxml.html
import pytest
from flask import Flask
from sqlalchemy import update

from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.desk import state
from portal.dispatch import progress, receipts, tallies
from portal.dispatch.issue import issue
from portal.dispatch.models import Dispatch, Tally
from portal.identity.models import Account
from portal.warnings.models import Bulletin
from tests import district
from tests.desk.test_live import dispatch_of, of

RESIDENTS, SCHOOLS = 1, 2


class Told:
    """A bulletin of whose text messages counts are made up: (audiences, key) → how many."""

    def __init__(self) -> None:
        author, boss = district.drafter(), district.approver()
        self.viewer: Account = boss
        draft = district.submitted(author)
        self.bulletin: Bulletin = issue(boss, draft.id, version=draft.version, content_hash=draft.content_hash)

    def counts(self, **given: dict[int, int]) -> None:
        dispatch = dispatch_of(self.bulletin)
        with transaction() as session:
            session.execute(Tally.__table__.delete())
            counter = Counter({(district.LIULIAN, "zh", key.replace("__", "/"), mask): n
                               for key, masks in given.items() for mask, n in masks.items()})
            tallies.add(session, dispatch.id, counter)

    def part(self) -> progress.Progress:
        district.forget()
        return next(p for p in progress.of_bulletin(self.bulletin.id) if p.dispatch.channel == "sms")


def text_of(page: str) -> str:
    """What stands on the page, pieces apart by a space."""
    return " ".join(" ".join(lxml.html.fromstring(page).itertext()).split())


@pytest.fixture
def told(settled: Flask) -> Told:
    return Told()


def rows(page: str, group: str) -> dict[str, list[str]]:
    found = lxml.html.fromstring(f"<table>{page}</table>").xpath(f"//tr[contains(@class, '{group}')]")
    return {r.xpath("string(th)"): [c.text_content() for c in r.xpath("td")] for r in found}


def test_reach_by_audience_counts_whoever_belongs_to_two_in_both_and_says_so(told, seat) -> None:
    told.counts(planned={RESIDENTS: 10, RESIDENTS | SCHOOLS: 3, SCHOOLS: 2}, accepted={RESIDENTS: 9, RESIDENTS | SCHOOLS: 3},
                stage__delivered={RESIDENTS: 5, RESIDENTS | SCHOOLS: 3})
    found = progress.by_audience(dispatch_of(told.bulletin).id)
    assert {key: found[key]["planned"] for key in found} == {"residents": 13, "schools": 5}
    assert found["schools"] == {"planned": 5, "accepted": 3, "stage/delivered": 3}
    assert told.part().planned == 15
    page = seat(told.viewer).get(of(told.bulletin))
    assert rows(page.text, "by-audience") == {"Residents": ["13", "12", "8", "0", "0", "1"],
                                              "Schools and kindergartens": ["5", "3", "3", "0", "0", "2"]}
    assert "who belongs to two counts in both" in text_of(page.text)
    chinese = seat(told.viewer, "zh").get(of(told.bulletin)).text
    assert "分人群：同属两类人群的，两类各计一次" in text_of(chinese)


def test_of_whom_no_audience_is_known_there_is_no_row(told, seat) -> None:
    told.counts(planned={0: 7}, accepted={0: 7})
    assert progress.by_audience(dispatch_of(told.bulletin).id) == {"": {"planned": 7, "accepted": 7}}
    assert rows(seat(told.viewer).get(of(told.bulletin)).text, "by-audience") == {}


def test_refused_undelivered_and_failed_on_the_way_stand_apart_with_their_reasons(told, seat) -> None:
    told.counts(planned={1: 20}, accepted={1: 14}, failed={1: 6}, stage__sent={1: 1}, stage__delivered={1: 8},
                stage__undelivered={1: 3}, stage__failed={1: 2},
                **{"reason__failed:21612": {1: 6}, "reason__undelivered:30003": {1: 3},
                   f"reason__{receipts.FAILED_LATER}:30008": {1: 2}, "reason__undelivered:30005": {1: -1}})
    said = text_of(seat(told.viewer).get(of(told.bulletin)).text)
    for words in ("refused by the carrier 6", "not delivered 3", "failed on the way 2", "on the way 1", "delivered 8",
                  "6 refused by the carrier: no route to this number (21612)",
                  "3 not delivered: the phone is off or out of reach (30003)",
                  "2 failed on the way: failed on the way for an unknown reason (30008)"):
        assert words in said, words
    assert "30005" not in said


def test_what_was_only_sent_on_is_told_when_its_time_is_over(told, seat) -> None:
    told.counts(planned={1: 5}, accepted={1: 5}, stage__sent={1: 3}, stage__delivered={1: 1})
    now = utcnow()
    for ago, wanted in ((30, (0, 0)), (61, (1, 3))):
        with transaction() as session:
            session.execute(update(Dispatch).values(last_at=now - timedelta(minutes=ago)))
        part = told.part()
        assert (state.silent(part, now), state.unfinished(part, now)) == wanted
    said = text_of(seat(told.viewer).get(of(told.bulletin)).text)
    assert "3 were sent on by the carrier, and nothing final was heard of them." in said
    assert "Nothing was heard of 1 that was taken." in said


def test_reports_of_no_message_of_ours_are_listed_a_page_at_a_time_and_nothing_in_them_is_run(told, seat) -> None:
    path = "/desk/status/receipts/"
    assert "There are none." in text_of(seat(told.viewer).get(path).text)
    receipts.record_many([(10**6, n, "undelivered", "30003", "twilio", f"SM{n}") for n in range(1, 60)])
    receipts.record_many([(10**6, 60, "failed", "<b>x", "twilio", "<script>1</script>")])
    while receipts.fold():
        pass
    db.session.rollback()
    page = seat(told.viewer).get(path)
    said = text_of(page.text)
    assert "60 reports are kept." in said
    assert "1000000/60" in said
    assert "the phone is off or out of reach (30003)" in said
    assert "<script>1</script>" not in page.text
    assert "SM10 " not in said
    older = next(link for _e, _a, link, _p in lxml.html.fromstring(page.text).iterlinks() if "before=" in link)
    assert "SM10 " in text_of(seat(told.viewer).get(older).text)
    for odd in ("?before=x", "?before=-1", f"?before={10**30}"):
        assert seat(told.viewer).get(path + odd).status_code == 200


def test_nobody_sees_them_without_signing_in(settled: Flask) -> None:
    assert settled.test_client().get("/desk/status/receipts/").status_code == 302
