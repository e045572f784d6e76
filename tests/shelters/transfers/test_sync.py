"""What a phone takes and sends: only for the duty, with a trace, and the same report twice is one."""

from __future__ import annotations

import re
import uuid
from contextvars import Context
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask

from portal.core.clock import utcnow
from portal.shelters.models import ARRIVED, CONTACTED, REFUSED, WAITING
from portal.shelters.transfers import looks, rounds, steps
from tests.shelters.transfers.people import ADDRESS, KENGZI, LIULIAN, NAME, PHONE, fresh, person, seen, staff, start, trail

ROOT = "/desk/transfers/"


@pytest.fixture
def app(desk_app: Flask) -> Flask:
    return desk_app


def event(somebody, round_, state, seen_=WAITING, ago=0.0, **more):
    return {"ref": str(uuid.uuid4()), "person": str(somebody.id), "round": str(round_.id), "state": state, "seen": seen_,
            "note": "", "at": -ago} | more


def send(here, *events, sent=0.0, region=LIULIAN, **more):
    token = here.get(ROOT + "session").json["csrf"]
    return Context().run(here.client.post, ROOT + "sync", json={"region": region, "sent": sent, "events": list(events), **more},
                         headers={"X-CSRFToken": token})


def take(here, region=LIULIAN):
    token = here.get(ROOT + "session").json["csrf"]
    return Context().run(here.client.post, f"{ROOT}{region}/take", headers={"X-CSRFToken": token})


def test_a_list_is_taken_whole_with_its_end_and_a_trace(seat):
    account = staff()
    somebody, round_ = person(account), start(account, exercise=True)
    answer = take(seat(account))
    assert answer.headers["Cache-Control"] == "no-store"
    taken = answer.json
    one, = taken["people"]
    assert (one["name"], one["phone"], one["address"], one["state"]) == (NAME, PHONE, ADDRESS, WAITING)
    assert (taken["round"]["id"], taken["round"]["exercise"], taken["left_out"]) == (str(round_.id), True, 0)
    assert taken["expires"] - taken["taken"] == 24 * 3600 * 1000
    assert [(e.subject, e.details) for e in trail(looks.TAKE)] == [(f"region:{LIULIAN}", {"people": 1, "hours": 24})]
    assert fresh(somebody).state == WAITING


def test_what_a_phone_sends_is_written_once_however_often_it_is_sent(seat):
    account = staff()
    somebody, round_ = person(account), start(account)
    here = seat(account)
    one, two = event(somebody, round_, CONTACTED, ago=60_000), event(somebody, round_, ARRIVED, CONTACTED, ago=30_000)
    first = send(here, one, two).json
    assert [r["outcome"] for r in first["results"]] == [steps.APPLIED, steps.APPLIED]
    assert first["people"] == [{"id": str(somebody.id), "state": ARRIVED, "conflict": False}]
    again = send(here, one, two).json
    assert [r["outcome"] for r in again["results"]] == [steps.KNOWN, steps.KNOWN]
    assert len(trail("transfer.state")) == 2


def test_a_phone_whose_clock_is_wrong_by_days_reports_at_the_right_moment(seat):
    account = staff()
    somebody, round_ = person(account), start(account)
    wrong = 1_000_000_000_000.0
    send(seat(account), event(somebody, round_, CONTACTED, at=wrong - 600_000), sent=wrong)
    ago = utcnow() - fresh(somebody).state_at
    assert timedelta(minutes=9, seconds=30) < ago < timedelta(minutes=12)


def test_reports_of_a_drill_that_is_over_are_kept_and_said_to_change_nothing(seat):
    account = staff()
    somebody, drill = person(account), start(account, exercise=True)
    rounds.end(account, drill.id)
    start(account)
    answer = send(seat(account), event(somebody, drill, ARRIVED)).json
    assert answer["results"][0]["outcome"] == steps.OVER
    assert "round was over" in answer["results"][0]["message"]
    assert fresh(somebody).state == WAITING


def test_strangers_take_nothing_send_nothing_and_are_told_nothing(seat):
    account, stranger = staff(), staff("kengzi", KENGZI)
    somebody, round_ = person(account), start(account)
    assert take(seat(stranger)).status_code == 404
    answer = send(seat(stranger), event(somebody, round_, ARRIVED)).json
    assert answer["results"][0]["state"] == ""
    assert answer["people"] == []
    assert "round" not in answer
    assert fresh(somebody).state == WAITING
    assert trail(looks.TAKE, looks.LIST) == []


def test_nobody_sends_without_a_session_or_without_a_token(seat, settled):
    account = staff()
    client = settled.test_client()
    assert Context().run(client.get, ROOT + "session").status_code == 401
    here = seat(account)
    bare = Context().run(here.client.post, ROOT + "sync", json={"region": LIULIAN, "sent": 0, "events": []})
    assert bare.status_code == 400
    assert Context().run(here.client.post, f"{ROOT}{LIULIAN}/take").status_code == 400


def test_nonsense_is_refused_whole(seat):
    account = staff()
    somebody, round_ = person(account), start(account)
    here = seat(account)
    for bad in ({"ref": "x"}, {"person": None}, {"at": "now"}, {"round": 7}):
        assert send(here, event(somebody, round_, CONTACTED), event(somebody, round_, ARRIVED, **bad)).status_code == 400, bad
    assert send(here, region=None).status_code == 200
    for note in ("不去\0", "\ud800", "\u202e"):
        answer = send(here, event(somebody, round_, REFUSED, note=note))
        assert answer.json["results"][0]["outcome"] == steps.REFUSED
    assert Context().run(here.client.post, ROOT + "sync", data="[", content_type="application/json",
                         headers={"X-CSRFToken": here.get(ROOT + "session").json["csrf"]}).status_code == 400
    assert fresh(somebody).state == WAITING


def test_more_than_a_phone_may_send_at_once_is_left_for_the_next_time(seat):
    account = staff()
    somebody, round_ = person(account), start(account)
    many = [event(somebody, round_, WAITING, ago=1.0) for _ in range(steps.MOST + 5)]
    assert len(send(seat(account), *many).json["results"]) == steps.MOST


def test_the_page_that_phones_keep_holds_nobodys_data_and_its_worker_serves_only_transfers(seat):
    account = staff()
    person(account)
    start(account)
    here = seat(account)
    page = here.get(ROOT + "offline").text
    assert [s for s in (NAME, PHONE, ADDRESS, "测某", "T-1", LIULIAN, account.display_name, account.username) if s in page] == []
    worker = here.get(ROOT + "sw.js")
    assert worker.mimetype == "text/javascript"
    assert "Service-Worker-Allowed" not in worker.headers
    script = Path("portal/shelters/transfers/static/worker.js").read_text(encoding="utf-8")
    assert set(re.findall(r"\.put\((\w+)", script)) == {"PAGE"}, "nothing but the page itself is put aside"


def test_a_report_seen_by_another_office_in_between_is_marked(seat):
    one, two = staff("one"), staff("two")
    somebody, round_ = person(one), start(one)
    steps.record(one, [seen(somebody, round_, ARRIVED)])
    answer = send(seat(two), event(somebody, round_, CONTACTED)).json
    assert answer["results"][0]["conflict"]
    assert answer["people"][0]["conflict"]
