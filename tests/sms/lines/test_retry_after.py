"""A carrier that says when it wants to be asked again is understood in either form, and bounded."""

from __future__ import annotations

from datetime import timedelta
from email.utils import format_datetime
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.channels.retry_after import retry_after
from portal.channels.sms.lines.twilio_line import TwilioLine, _pause
from portal.core.clock import utcnow

NOON = "Sun, 06 Nov 2044 12:00:00 GMT"


@pytest.mark.parametrize(("text", "seconds"), [
    ("0", 0), ("30", 30), (" 7 ", 7), ("86400", 3600), ("9" * 60, 3600),
    (NOON, 0), ("Sun, 06 Nov 2044 12:01:30 GMT", 90), ("Sunday, 06-Nov-44 12:01:30 GMT", 90), ("Sun Nov  6 12:01:30 2044", 90),
    ("Sun, 06 Nov 2044 11:59:59 GMT", 0), ("Mon, 06 Nov 1950 12:00:00 GMT", 0), ("Mon, 07 Nov 2044 12:00:00 GMT", 3600),
])
def test_seconds_and_dates_are_read_and_never_more_than_an_hour_nor_less_than_nothing(text, seconds):
    assert retry_after(text, NOON, 3600) == seconds


@pytest.mark.parametrize("text", [
    "", "soon", "-5", "3.5", "1e9", "①", "٣", "9" * 70, "Sun, 99 Nov 2044 12:00:00 GMT", "Sun, 06 Nov 2044", "Sun",
    "2044-11-06T12:00:00Z",
    "Sat, 31 Dec 9999 23:59:59 -1200", "Mon, 01 Jan 10000 00:00:00 GMT", NOON + " " * 70 + "x",
])
def test_nonsense_says_nothing(text):
    assert retry_after(text, NOON, 3600) is None


@settings(max_examples=40)
@given(st.text(max_size=70), st.text(max_size=70))
def test_whatever_stands_there_breaks_nothing(text, date):
    assert retry_after(text, date, 60) is None or 0 <= retry_after(text, date, 60) <= 60


@pytest.mark.parametrize("date", ["", "soon"])
def test_where_the_answer_has_no_date_our_clock_serves(date):
    found = retry_after(format_datetime(utcnow() + timedelta(minutes=30), usegmt=True), date, 3600)
    assert found is not None
    assert 0 < found <= 1800  # some minutes may pass on a slow machine
    assert retry_after(format_datetime(utcnow() - timedelta(minutes=30), usegmt=True), date, 3600) == 0


@pytest.mark.parametrize(("status", "told"), [(429, "busy"), (503, "pause")])
def test_a_line_pauses_until_the_date_that_the_carrier_names(status, told):
    raw = f"HTTP/1.1 {status} X\r\nDate: {NOON}\r\nRetry-After: Sun, 06 Nov 2044 12:00:42 GMT\r\n\r\n".encode()
    assert _pause(raw) == 42
    asked = []
    governor = SimpleNamespace(busy=lambda _word, _took, after: asked.append(("busy", after)), trouble=lambda *_: None,
                               pause=lambda after: asked.append(("pause", after)))
    line = SimpleNamespace(governor=governor, _on_answer=lambda *answer: None)
    TwilioLine._refusal(line, None, status, raw, None, 0.1)
    assert asked == [(told, 42)]
