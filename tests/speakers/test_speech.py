"""What a horn says takes the time that the desk foretold, and sounds like no siren."""

from __future__ import annotations

import io
import os
import shutil
import threading
import wave
from pathlib import Path

import numpy as np
import pytest

from portal.channels.speakers import player, speech
from portal.channels.speakers.player import SilentPlayer, SpeakingPlayer
from tests.speakers.conftest import order
from tests.waiting import until

ZH = "坪山街道暴雨红色预警，预计未来三小时降雨将达一百毫米以上，请立即转移到安全地方，不要涉水，远离低洼路段。"
EN = "Red rainstorm warning for Pingshan. More than one hundred millimetres of rain are expected. Move to a safe place now."
needs_voice = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")


def seconds_of(data: bytes) -> float:
    with wave.open(io.BytesIO(data)) as file:
        return file.getnframes() / file.getframerate()


def test_the_estimate_follows_the_speech_rates_of_outdoor_horns() -> None:
    minute = "水" * 180
    assert speech.spoken_seconds(minute, "zh", 1, "none") == 60
    assert speech.spoken_seconds(" ".join(["word"] * 150), "en", 1, "none") == 60
    assert speech.spoken_seconds(minute, "zh", 3) == 3 * 60 + 2 * speech.GAP_SECONDS + speech.TONE_SECONDS + speech.GAP_SECONDS
    assert speech.spoken_seconds("", "zh", 3, "none") == 0


@needs_voice
@pytest.mark.parametrize(("text", "language"), [(ZH, "zh"), (EN, "en")])
def test_the_estimate_is_near_to_what_the_voice_takes(text: str, language: str) -> None:
    spoken = seconds_of(speech.render_speech(text, language))
    assert speech.spoken_seconds(text, language, 1, "none") == pytest.approx(spoken, rel=0.25)


@needs_voice
def test_the_voice_takes_any_words_as_words() -> None:
    assert seconds_of(speech.render_speech("--help\x00\x1b[2J", "zh")) > 0.2
    assert speech.voice_of("zh-CN")[0] == "cmn-latn-pinyin"
    assert speech.voice_of("yue")[0] == "yue"
    assert speech.voice_of("en-GB")[0] == "en"


def test_without_a_voice_there_is_no_preview(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_a, **_k: None)
    assert speech.render_speech(ZH, "zh") is None
    assert player.missing_for_sound() == "espeak-ng is not installed"


def test_a_voice_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(tmp_path / "espeak-ng", "exec sleep 60")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(RuntimeError, match="too long"):
        speech.render_speech(ZH, "zh", timeout=0.3)
    script(tmp_path / "espeak-ng", "echo no voice >&2; exit 3")
    with pytest.raises(RuntimeError, match="no voice"):
        speech.render_speech(ZH, "zh")


def test_the_tone_is_no_civil_defence_signal() -> None:
    rate = 22050
    tone = speech.attention_tone(rate).astype(float)
    assert len(tone) / rate == 3
    # Sirens are steady for 6, 24, 36 or 180 seconds; this one dies away within every half second.
    halves = [np.abs(part) for part in np.split(tone[: rate // 2 * 6], 6)]
    assert all(part[-2000:].max() < part[:2000].max() / 3 for part in halves)


@needs_voice
def test_an_announcement_is_a_tone_and_then_the_words_at_the_wanted_volume() -> None:
    tone, words = speech.announcement(ZH, "zh", "attention", 50)
    assert seconds_of(tone) == pytest.approx(speech.TONE_SECONDS + speech.GAP_SECONDS, abs=0.01)
    loud = speech.announcement(ZH, "zh", "none", 100)
    assert len(loud) == 1
    peak = [np.abs(np.frombuffer(wav[44:], "<i2").astype(int)).max() for wav in (words, loud[0])]
    assert peak[0] == pytest.approx(peak[1] / 2, rel=0.01)


def script(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


@needs_voice
def test_the_speaking_player_plays_tone_once_and_words_as_often_as_ordered(tmp_path: Path) -> None:
    script(tmp_path / "play", f'wc -c < "$1" >> {tmp_path}/sizes')
    ended: list[str] = []
    SpeakingPlayer(str(tmp_path / "play")).play(order(text=ZH, repeats=3), ended.append)
    until(lambda: ended, "it ends")
    sizes = (tmp_path / "sizes").read_text().split()
    assert (ended, len(sizes), len(set(sizes[1:])), sizes[0] != sizes[1]) == ([""], 4, 1, True)


@needs_voice
def test_stopping_ends_the_child_at_once_and_says_nothing(tmp_path: Path) -> None:
    script(tmp_path / "play", f"echo $$ > {tmp_path}/pid; exec sleep 60")
    ended: list[str] = []
    mouth = SpeakingPlayer(str(tmp_path / "play"))
    mouth.play(order(text=ZH), ended.append)
    until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip(), "it sounds")
    pid = int((tmp_path / "pid").read_text())
    mouth.stop()
    until(lambda: not Path(f"/proc/{pid}").exists(), "the child is gone")
    until(lambda: not [t for t in threading.enumerate() if t.name == "speech"], "its thread too")
    assert ended == []


@needs_voice
def test_a_broken_sound_card_is_reported(tmp_path: Path) -> None:
    script(tmp_path / "play", "echo no such device >&2; exit 1")
    ended: list[str] = []
    SpeakingPlayer(str(tmp_path / "play")).play(order(text=ZH), ended.append)
    until(lambda: ended, "it ends")
    assert ended == ["sound"]


def test_the_silent_player_takes_its_time_and_can_be_stopped() -> None:
    ended: list[str] = []
    silent = SilentPlayer(pace=1000)
    silent.play(order(text=ZH), ended.append)
    until(lambda: ended == [""], "it ends")
    slow = SilentPlayer()
    slow.play(order(text=ZH), ended.append)
    slow.stop()
    assert slow._timer is None
    assert ended == [""]
