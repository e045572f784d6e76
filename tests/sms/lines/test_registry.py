"""Lines come from a file or from the settings; what is wrong with the file is said by line and field, without its values."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from portal import run
from portal.channels.sms.lines.registry import MOST_LINES, Unusable, configured, make_lines
from portal.channels.sms.lines.sandbox_line import SandboxLine
from portal.channels.sms.lines.twilio_line import TwilioLine
from portal.config import ROOT, Settings
from tests.sms.conftest import twilio_settings

GOOD = """
[[line]]
name = "main"
kind = "twilio"
weight = 3
account_sid = "AC1"
auth_token = "$MAIN_TOKEN"
sender = "+15005550006"
"""


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAIN_TOKEN", "s3cret-token")
    monkeypatch.setenv("SECOND_PASSWORD", "pa55word")


def of(tmp_path: Path, text: str) -> Settings:
    file = tmp_path / "lines.toml"
    file.write_text(text, "utf-8")
    return Settings(sms_lines=file)


def refusal(tmp_path: Path, text: str) -> str:
    with pytest.raises(Unusable) as caught:
        configured(of(tmp_path, text))
    said = caught.value.message
    assert "s3cret" not in said
    assert caught.value.exit_code == 2
    return said


def test_without_a_file_there_is_the_one_carrier_of_the_settings() -> None:
    (line,) = make_lines(Settings(sms_provider="sandbox", sms_rate=40), app=Flask("nobody"))
    assert isinstance(line, SandboxLine)
    assert (line.name, line.kind, line.by_number) == ("sandbox", "sandbox", False)
    (options,) = configured(twilio_settings("http://127.0.0.1:1", twilio_timeout=3, sms_rate=7))
    assert (options.name, options.rate, options.timeout) == ("twilio", 7, 3)  # type: ignore[attr-defined]
    assert isinstance(make_lines(twilio_settings("http://127.0.0.1:1"))[0], TwilioLine)


def test_a_file_names_lines_with_secrets_from_the_environment(tmp_path: Path) -> None:
    second = GOOD.replace("main", "second").replace('"$MAIN_TOKEN"', '"plain"')
    second += 'rate = 1\nunit = "segments"\nmax_in_flight = 5\n'
    main, other = configured(of(tmp_path, GOOD + second))
    assert (main.name, main.kind, main.weight, main.unit) == ("main", "twilio", 3, "messages")
    assert main.auth_token.get_secret_value() == "s3cret-token"  # type: ignore[attr-defined]
    assert (other.name, other.rate, other.unit, other.max_in_flight) == ("second", 1, "segments", 5)
    assert [line.name for line in make_lines(of(tmp_path, GOOD + second))] == ["main", "second"]
    assert "s3cret" not in repr(main)


def test_the_example_of_the_manual_can_be_used(tmp_path: Path) -> None:
    manual = (ROOT / "docs" / "carriers.md").read_text("utf-8")
    example = re.search(r"```toml\n(.*?)```", manual, re.S)
    assert example
    lines = configured(of(tmp_path, example[1]))
    assert [(line.name, line.kind) for line in lines] == [("main", "twilio"), ("long-code", "twilio"), ("second", "smpp")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD.replace('"twilio"', '"carrier-pigeon"'), r"^line 1 \(main\): kind: one of sandbox, smpp, twilio$"),
        (GOOD.replace("weight = 3", "weight = -3"), r"^line 1 \(main\): weight: input should be greater than 0$"),
        (GOOD.replace('"$MAIN_TOKEN"', '"$NO_SUCH_NAME"'), r"^line 1 \(main\): auth_token: the environment has no NO_SUCH_NAME$"),
        (GOOD.replace('sender = "+15005550006"', ""), r"^line 1 \(main\): messaging_service_sid or sender is needed$"),
        (GOOD + 'colour = "red"', r"^line 1 \(main\): colour: extra inputs are not permitted$"),
        (GOOD.replace('"main"', '"Main Line!"'), r"^line 1 \(Main Line!\): name: "),
        (GOOD + 'api_url = "carrier.example"', r"^line 1 \(main\): api_url: an address begins with http"),
        (GOOD + 'rate = "s3cret"', r"^line 1 \(main\): rate: "),
        (GOOD + GOOD, r"^two lines are called main$"),
        (GOOD + GOOD.replace("main", "two").replace("weight = 3", "weight = 0"), r"^line 2 \(two\): weight: "),
        ("", r"one to 50 tables \[\[line\]\] and nothing else$"),
        (GOOD.replace('"twilio"', '["twilio"]'), r"^line 1 \(main\): kind: one of"),
        (GOOD + 'api_url = "https://me:s3cret@carrier.example"', r"^line 1 \(main\): api_url: an address of plain characters"),
        (GOOD + 'api_url = "https://例.example"', r"^line 1 \(main\): api_url: an address of plain characters"),
        (GOOD + 'api_url = "https://carrier.example:99999"', r"^line 1 \(main\): api_url: port out of range"),
        ("other = 1\n" + GOOD, r"and nothing else$"),
        ("[[line]]\n", r"^line 1: kind: one of"),
        ("line = [1]", r"^line 1: it is no table$"),
        ("[[line", r"lines\.toml: "),
        ("".join(GOOD.replace("main", f"m{n}") for n in range(MOST_LINES + 1)), r"one to 50 tables"),
    ],
)
def test_what_is_wrong_is_said_by_line_and_field(tmp_path: Path, text: str, said: str) -> None:
    assert re.search(said, refusal(tmp_path, text))


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(Unusable, match=r"no-such\.toml: No such file"):
        configured(Settings(sms_lines=Path("/tmp/no-such.toml")))


@pytest.mark.parametrize("start", [run.run_web, run.run_scheduler])
def test_neither_web_nor_scheduler_starts_with_a_bad_file(tmp_path: Path, start: Callable[[Settings], None]) -> None:
    settings = of(tmp_path, "[[line]]\n").model_copy(update={"instance": tmp_path / "instance"})
    with pytest.raises(Unusable, match="line 1: kind"):
        start(settings)


def test_who_uses_the_sandbox_without_an_application_is_told() -> None:
    with pytest.raises(ValueError, match="of an application, and there is none"):
        make_lines(Settings(sms_provider="sandbox"))
