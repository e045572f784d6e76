"""The status page says in plain words, in both languages, how fast it goes, when it will be through, and what stands still."""

from __future__ import annotations

import functools
import re
from contextvars import Context
from datetime import timedelta

import lxml.html
import pytest
from flask import Flask
from flask_babel import force_locale
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from portal.channels.sms.lines.line import OPEN
from portal.core import i18n
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.desk import state, status_words
from portal.dispatch.models import Dispatch, StrayReceipt, Worker
from portal.dispatch.watch import alarms, facts, outlook, rules, said
from portal.dispatch.watch.rules import Finding
from portal.identity.rights import VIEWER
from tests import district
from tests.dispatch.conftest import dispatch_of
from tests.watch.conftest import line, office


def _text(seat, path: str = "/desk/status/") -> str:
    page = seat.get(path)
    assert page.status_code == 200
    return " ".join(str(lxml.html.fromstring(page.text).xpath("string()")).split())


@pytest.fixture
def people(workshop, issued):
    district.subscribers(50)
    bulletin = issued()
    workshop.plan_all()
    return bulletin


def test_it_says_how_many_the_carrier_accepts_and_when_all_is_sent(people, workshop, reported, seat):
    planned = next(p.planned for p in facts.gather(db.session, utcnow()).open if p.dispatch.channel == "sms")
    reported(said.WORKER, lines=[line("east", rate=planned / 300), line("west", rate=planned / 300)])  # 150 seconds in all
    reported(said.SCHEDULER, leading=True)
    viewer = district.office("viewer", (VIEWER, district.DISTRICT, "red"))
    page = lxml.html.fromstring(seat(viewer).get("/desk/status/").text)
    assert page.xpath("//noscript//meta[@http-equiv='refresh']")  # without scripts it looks again by itself
    rate = status_words.rounded(planned / 150 * 60)
    assert f"The carrier accepts about {rate} a minute; all sent in about 3 minutes." in _text(seat(viewer))
    chinese = _text(seat(viewer, "zh"))
    assert f"运营商每分钟接收约 {rate} 条，预计约 3 分钟发完。" in chinese
    assert people.warning_number in chinese
    assert "一切正常" in chinese


def test_what_goes_before_is_counted_in(people, issued, workshop, reported):
    issued(tier="yellow")
    workshop.plan_all()
    reported(said.WORKER, lines=[line(rate=10)])
    red, yellow = [o for o in outlook.outlooks(facts.gather(db.session, utcnow())) if o.progress.dispatch.channel == "sms"]
    assert red.progress.dispatch.id == dispatch_of(people).id
    assert red.seconds == pytest.approx(red.moving / 10)
    assert yellow.seconds == pytest.approx((red.moving + yellow.moving) / 10)


def test_without_lines_the_rate_is_what_was_measured_and_only_while_it_goes_on(people, workshop):
    def look(first: float, last: float) -> outlook.Outlook:
        now = utcnow()
        with transaction() as session:
            session.execute(update(Dispatch).where(Dispatch.channel == "sms").values(
                first_at=now - timedelta(seconds=first), last_at=now - timedelta(seconds=last)))
        return next(o for o in outlook.outlooks(facts.gather(db.session, now)) if o.progress.dispatch.channel == "sms")

    workshop.send_one()
    going = look(20, 10)
    assert going.rate == pytest.approx(going.progress.accepted / 10)
    assert look(60, 50).rate is None


@pytest.mark.parametrize("written", [True, False], ids=["as the dispatch knows", "as its lines know"])
def test_a_carrier_that_takes_nothing_is_told_with_its_reason(people, reported, seat, written):
    reported(said.WORKER, lines=[line(rate=0, circuit=OPEN, pause=12, last_error="http_503", troubles=1)])
    if written:
        with transaction() as session:
            session.execute(update(Dispatch).values(last_error="http_503"))
    text = _text(seat(district.office("viewer", (VIEWER, district.DISTRICT, "red"))))
    assert "Nothing is taken at present: the carrier has a fault of its own (http_503)." in text
    assert "takes none, tries again in 12 s" in text
    assert "accepts about" not in text


def test_an_alarm_stands_on_every_page_of_the_desk_and_ends_with_its_cause(settled, seat, reported):
    reported(said.SCHEDULER, leading=True)
    viewer = seat(district.office("viewer", (VIEWER, district.DISTRICT, "red")))
    alarms.settle([Finding(rules.WORKERS)], [Finding(rules.WORKERS)], utcnow())
    for path in ("/desk/", "/desk/live", "/desk/status/"):
        assert "No process that sends is running" in _text(viewer, path)
    assert "Start “anlan worker”" in _text(viewer)
    alarms.settle([], [], utcnow())
    assert "No process that sends is running" not in _text(viewer, "/desk/live")
    assert "No process that sends is running" in _text(viewer)  # among the past ones


def test_when_all_processes_fell_silent_the_desk_itself_says_so(settled, seat, reported):
    viewer = seat(district.office("viewer", (VIEWER, district.DISTRICT, "red")))
    assert "has reported for a while" not in _text(viewer, "/desk/")
    reported(said.RUN, 300, leading=True)
    assert "No process of this portal has reported for a while" in _text(viewer, "/desk/")
    assert "gone since" in _text(viewer)


def test_processes_lanes_and_reports_of_unknown_messages_are_shown(people, reported, seat):
    reported(said.WORKER, in_flight=321, unwritten=123)
    now = utcnow()
    with transaction() as session:
        session.add(StrayReceipt(carrier="east", carrier_id="x", batch_id=0, recipient_id=0, status="delivered", code="", at=now))
    page = lxml.html.fromstring(seat(district.office("viewer", (VIEWER, district.DISTRICT, "red"))).get("/desk/status/").text)
    cells = {cell.get("data-label"): cell.text_content() for cell in page.xpath("//section[@aria-labelledby='processes']//td")}
    assert (cells["in flight"], cells["not yet written"]) == ("321", "123")
    assert page.xpath("string(//dt[.='Reports of unknown messages']/following-sibling::dd)") == "1"
    assert page.xpath("string(//section[@aria-labelledby='lanes']//th[@scope='row'])") == "Red"


def test_nobody_who_is_not_signed_in_sees_it(settled):
    assert Context().run(settled.test_client().get, "/desk/status/").status_code == 302
    assert Context().run(settled.test_client().get, "/desk/status/now").status_code == 302


@functools.cache
def _words() -> Flask:
    """An application without a database, for words alone."""
    app = Flask("words")
    i18n.init_app(app, "Asia/Shanghai")
    return app


_UNITS = {"minute": 60, "minutes": 60, "min": 60, "h": 3600, "day": 86400, "days": 86400}


@settings(max_examples=40)
@given(st.floats(0, 30 * 86400))
def test_a_time_to_come_is_never_told_too_short_and_never_much_too_long(seconds):
    with _words().app_context(), force_locale("en"):
        text = status_words.about(seconds)
    told = 60 if text == "less than a minute" else \
        sum(int(n) * _UNITS[unit] for n, unit in re.findall(r"(\d+) (\w+)", text))
    assert seconds <= told <= max(60, seconds * 1.5 + 60)


@pytest.mark.parametrize(("value", "text"), [
    (0, "0"), (0.4, "1"), (7, "7"), (39.6, "40"), (43_217, "43,000"), (1_000_000, "1,000,000")])
def test_rates_have_two_figures_that_count(value, text):
    with _words().app_context(), force_locale("en"):
        assert status_words.rounded(value) == text


def test_a_line_over_several_processes_is_one_line(context, reported):
    shut = line("west", rate=0, circuit=OPEN, pause=9, last_error="auth")
    reported(said.WORKER, name="a", lines=[line(rate=30, latency=0.1), shut])
    reported(said.WORKER, name="b", lines=[line(rate=10, latency=0.5)])
    reported(said.WORKER, 3600, name="dead", lines=[line(rate=1000)])
    newer = said.of_office(office(lines=[line(rate=10, latency=0.5)]))
    newer["lines"][0]["colour"] = "blue"  # a newer release may tell more
    with transaction() as session:
        session.execute(update(Worker).where(Worker.name == "b").values(state=newer))
    now = utcnow()
    east, west = said.lines(outlook.here(facts.gather(db.session, now).processes, now))
    assert (east.rate, east.users, east.shut) == (40, 2, 0)
    assert east.latency == pytest.approx(0.2, abs=0.001)
    assert (west.circuit, west.shut, west.pause, west.last_error) == (OPEN, 1, 9, "auth")


@pytest.mark.parametrize(("seconds", "took", "to_come"), [
    (0.42, "0.4 s", "1 s"), (99.2, "99.2 s", "100 s"), (100, "1 min 40 s", "2 min"), (495, "8 min 15 s", "9 min"),
    (540, "9 min", "9 min"), (3599.6, "1 h", "1 h"), (8043, "2 h 14 min", "2 h 15 min")])
def test_long_times_are_told_in_minutes(seconds, took, to_come):
    with _words().app_context(), force_locale("en"):
        assert (state.took(seconds), state.to_come(seconds)) == (took, to_come)


def test_a_process_that_is_gone_is_told_beside_all_that_is_well(settled, reported, seat):
    reported(said.SCHEDULER, leading=True)
    reported(said.WORKER)
    viewer = seat(district.office("viewer", (VIEWER, district.DISTRICT, "red")))
    assert "without having said so" not in _text(viewer)
    reported(said.WORKER, 300, name="worker:host:2")
    assert "All is well." in _text(viewer)
    assert "1 process is gone without having said so." in _text(viewer)
    rows = lxml.html.fromstring(viewer.get("/desk/status/").text).xpath("//section[@aria-labelledby='processes']//tbody/tr")
    held = {row.xpath("string(th)"): [cell.text for cell in row.xpath("td[contains(@class,'numeric')]")] for row in rows}
    assert held["scheduler:host:1"] == ["—", "—"]  # it sends nothing
    assert held["worker:host:1"] == ["8", "30"]
