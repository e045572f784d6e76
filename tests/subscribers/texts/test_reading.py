"""Whatever way a word is written, it is the same word; and nobody needs the right one to be left in peace."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.shelters.public import by_text  # noqa: F401  (registers its word, as an application does)
from portal.subscribers.texts import reading
from portal.subscribers.texts.commands import COMMANDS


@pytest.fixture(autouse=True)
def no_places(monkeypatch: pytest.MonkeyPatch) -> None:
    """Places are looked for elsewhere: here only Kengzi is one."""
    monkeypatch.setattr(reading.match, "find", lambda text: [reading.match.Match("4", "坑梓", "Kengzi", "pinyin")]
                        if text == "kengzi" else [])


def key(body: str) -> tuple[str, str]:
    command, _word, rest = reading.read(body)
    return (command.key if command else "", rest)


@pytest.mark.parametrize(("bodies", "command", "rest"), [
    (["订阅 坑梓", "订阅坑梓", "訂閱 坑梓", "訂閱：坑梓。", "【订阅】坑梓", "“订阅”坑梓", "订 阅　坑梓", "我要订阅坑梓",
      "定阅+坑梓", "DY 坑梓", "dy坑梓", "ＳＵＢ　坑梓", "sub 坑梓", "Sub坑梓"], "join", "坑梓"),
    (["SUB Kengzi", "sub kengzi", "subKENGZI", "ＳＵＢ　Ｋｅｎｇｚｉ", "Subscribe to Kengzi", "please sub Kengzi", "SUB: Kengzi!",
      "dingyue kengzi", "\tsub\n kengzi\r\n"], "join", "kengzi"),
    (["退订", "退訂", "退 订", "退定", "請退訂", "TD", "td", "ｔｄ", "T", "t", "STOP", "stop.", "Ｓｔｏｐ", "S T O P", "STOPALL",
      "unsubscribe", "cancel", "End", "QUIT", "取消订阅", "别再发了退订", "tuiding", "please unsubscribe me",
      "取消", "请不要再发了", "不想再收到短信", "plz, no more texts"], "leave", ""),
    (["帮助", "幫助", "HELP", "help?", "ｈｅｌｐ", "?", "？", "info", "h"], "help", ""),
    (["避难 坑梓", "避難坑梓", "避难所 坑梓", "BN 坑梓", "shelter 坑梓", "SHELTER坑梓"], "shelter", "坑梓"),
    (["查询", "查詢", "STATUS", "cx", "我的订阅", "查看", "My subscription"], "status", ""),
    (["只订 坑梓", "only 坑梓"], "only", "坑梓"),
    (["删除", "刪除", "ERASE"], "erase", ""),
])
def test_a_word_is_read_in_every_script_width_case_and_spacing(bodies: list[str], command: str, rest: str) -> None:
    for body in bodies:
        found, after = key(body)
        assert found == command, body
        assert not rest or after == rest, body


@pytest.mark.parametrize("body", ["subway", "tdx", "today", "ending", "不要退订", "别退订", "t 恤", "你好", "cancel my order",
                                  "heat", "my house is on fire", "我的房子着火了", "查看积水", "希望别再发生内涝", "不要停止发送",
                                  "停车场在哪"])
def test_what_only_looks_like_a_word_is_none(body: str) -> None:
    assert key(body)[0] == ""


def test_a_place_keeps_letters_that_only_look_like_a_polite_word() -> None:
    assert [key(body) for body in ("Tongle", "topping village", "to SUB Kengzi")] == [
        ("", "tongle"), ("", "topping village"), ("join", "kengzi")]


def test_an_answer_is_in_the_language_of_the_text() -> None:
    for body, language in (("订阅 Kengzi", "zh"), ("SUB 坑梓", "zh"), ("SUB Kengzi", "en"), ("hello", "en"), ("TD", None),
                           ("?", None), ("123", None), ("💥", None)):
        assert reading.language_of(body, reading.read(body)[1]) == language, body


@settings(max_examples=40)
@given(st.text(max_size=300))
def test_no_text_breaks_it(body: str) -> None:
    command, _word, rest = reading.read(body)
    assert command is None or command in COMMANDS.values()
    assert len(rest) <= 4 * reading.MOST
