"""No telephone number leaves by the log, whoever writes it and in which form; what is no number stays readable."""

import io
import json
import logging
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.core import logs


@pytest.fixture
def told() -> Iterator[Callable[[str], io.StringIO]]:
    """`told(form)`: where the whole log goes from now on."""
    root, portal = logging.getLogger(), logging.getLogger("portal")
    before = root.handlers[:], root.level, portal.level

    def begin(form: str) -> io.StringIO:
        stream = io.StringIO()
        logs.set_up(form, detailed=True, stream=stream)
        return stream

    yield begin
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    portal.setLevel(before[2])


@pytest.mark.parametrize("form", ["text", "json"])
def test_numbers_are_masked_in_words_values_and_errors(form, told):
    stream = told(form)
    logs.events("portal.test").info("dispatch.first", to="+8613912345678", seconds=0.25)
    logging.getLogger("portal.other").warning("to %s by %s", "139 1234 5678", "https://x.example/?To=%2B447700900123")
    number = "8613912345678"
    try:
        raise ValueError(f"{number} is refused")
    except ValueError:
        logging.getLogger("portal.other").exception("it broke")
    text = stream.getvalue()
    assert text.count(logs.MASKED) == 4
    assert "1234" not in text
    assert "900123" not in text
    assert "dispatch.first" in text
    assert "0.25" in text
    assert "ValueError" in text


def test_each_line_of_json_is_one_event_with_its_name_and_time(told):
    stream = told("json")
    logs.events("portal.test").info("dispatch.first", lane=0)
    logging.getLogger("portal.other").warning("two\nlines")
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert (first["event"], first["lane"], first["level"], first["logger"]) == ("dispatch.first", 0, "info", "portal.test")
    assert first["at"].endswith("Z")
    assert second["event"] == "two\nlines"


def test_in_words_only_what_is_wrong_is_told_unless_more_is_asked_for(told):
    told("text")
    stream = io.StringIO()
    logs.set_up("text", detailed=False, stream=stream)
    logs.events("portal.quiet").info("dispatch.first")
    logs.events("portal.quiet").critical("alarm.raised")
    assert "dispatch.first" not in stream.getvalue()
    assert "CRITICAL portal.quiet: alarm.raised" in stream.getvalue()


@settings(max_examples=40)
@given(st.from_regex(r"\+[1-9][0-9]{7,14}", fullmatch=True) | st.from_regex(r"(86)?1[3-9][0-9]{9}", fullmatch=True),
       st.sampled_from(["", " ", "to ", "(", "\"", ":", "/"]), st.sampled_from(["", " ", ".", ")", "\"", "/x"]))
def test_any_number_is_masked_whatever_stands_around_it(number, before, after):
    assert number[-7:] not in logs.masked(f"{before}{number}{after}")


@pytest.mark.parametrize("text", [
    "440310001001", "019abd2c-1391-7234-8567-139123456789", "2026-11-25T23:26:18.308829+08:00", "0.13912345678",
    "SM13912345678abcdef", "batch 1234567 of 20000000", "1764112345678"])
def test_what_is_no_number_is_left(text):
    assert logs.masked(text) == text
