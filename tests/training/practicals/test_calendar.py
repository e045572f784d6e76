"""A calendar file that calendars read: RFC 5545."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.config import Settings
from portal.training.practical_models import CANCELLED, PLANNED, PracticalSession
from portal.training.practicals import calendar

STARTS = datetime(2026, 12, 1, 9, 30, tzinfo=ZoneInfo("Asia/Shanghai"))
words = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\r\t,;\\"), max_size=200)


@pytest.fixture(autouse=True)
def at_home(monkeypatch):
    monkeypatch.setattr(calendar, "current_settings", lambda: Settings(public_url="https://learn.example/"))


def session(**changes):
    return PracticalSession(**({"id": uuid.UUID(int=7), "slug": "sample", "skills": ["cpr"], "place": "hall", "version": 1,
                                "starts_at": STARTS, "ends_at": STARTS + timedelta(hours=3), "state": PLANNED, "lon": None,
                                "lat": None} | changes))


def made(practical=None, summary="s", description="d"):
    return calendar.text(practical or session(), summary=summary, description=description, url="https://learn.example/learn/",
                         now=datetime(2026, 11, 1, tzinfo=UTC))


def read(text):
    """Name → value of the event, unfolded and unescaped."""
    unfolded = text.replace("\r\n ", "")
    pairs = (line.partition(":")[::2] for line in unfolded.split("\r\n") if line)
    return {name: re.sub(r"\\(.)", lambda m: "\n" if m[1] in "nN" else m[1], value) for name, value in pairs}


def test_times_are_in_utc_and_the_entry_is_one_entry_for_ever():
    event, moved = read(made()), read(made(session(version=3, starts_at=STARTS + timedelta(days=1))))
    assert (event["DTSTART"], event["DTEND"]) == ("20261201T013000Z", "20261201T043000Z")
    assert event["UID"] == moved["UID"] == "practical-00000000-0000-0000-0000-000000000007@learn.example"
    assert (event["SEQUENCE"], moved["SEQUENCE"]) == ("0", "2")
    assert event["DTSTAMP"] == "20261101T000000Z"
    assert (event["STATUS"], read(made(session(state=CANCELLED)))["STATUS"]) == ("CONFIRMED", "CANCELLED")
    assert "GEO" not in event
    assert read(made(session(lon=114.35, lat=22.69)))["GEO"] == "22.690000;114.350000"


@given(place=words, summary=words, description=words)
@settings(max_examples=40)
def test_whatever_is_typed_comes_back_and_no_line_is_too_long(place, summary, description):
    text = made(session(place=place), summary, description)
    assert text.endswith("\r\n")
    assert "\n" not in text.replace("\r\n", "")
    assert "\r" not in text.replace("\r\n", "")
    lines = text.split("\r\n")
    assert max(len(line.encode()) for line in lines) <= 75
    event = read(text)
    typed = {"LOCATION": place, "SUMMARY": summary, "DESCRIPTION": description}
    assert {name: event[name] for name in typed} == {
        name: value.replace("\r\n", "\n").replace("\r", "\n") for name, value in typed.items()}
    assert [line for line in text.replace("\r\n ", "").split("\r\n") if line.startswith(("BEGIN:", "END:"))] == [
        "BEGIN:VCALENDAR", "BEGIN:VEVENT", "END:VEVENT", "END:VCALENDAR"]
