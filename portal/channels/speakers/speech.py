"""What a horn says, and how long that takes: the estimate for the preview, the voice, the attention tone."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import wave

import numpy as np

TONE_SECONDS = 3.0
#: Between the tone and the speech, and between repetitions.
GAP_SECONDS = 2.5
#: Outdoor horns echo, so they speak slower than the news: 160 to 200 characters a minute; about 150 words in English.
CHARACTERS_PER_MINUTE = 180
WORDS_PER_MINUTE = 150
PAUSE_SECONDS = 0.25  # of a comma or a full stop
RENDER_TIMEOUT = 20.0

#: espeak-ng's voice and speed for each language. The speeds were measured to give the rates above. Plain `cmn`
#: reads some characters as English, `cmn-latn-pinyin` does not.
VOICES = {"zh": ("cmn-latn-pinyin", 140), "yue": ("yue", 140), "en": ("en", 130)}

_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_WORD = re.compile(r"[A-Za-z][A-Za-z'’\-]*")
_DIGIT = re.compile(r"\d")
_PAUSE = re.compile(r"[，。；：！？、,;:!?]|\.(?=\s|$)")


def spoken_seconds(text: str, language: str = "zh", repeats: int = 1, tone: str = "attention") -> float:
    """About how long a horn takes to say `text` `repeats` times, tone and gaps included, in seconds."""
    characters = len(_HAN.findall(text)) + len(_DIGIT.findall(text))
    words = len(_WORD.findall(text))
    if language == "en":
        once = words * 60 / WORDS_PER_MINUTE + characters * 60 / CHARACTERS_PER_MINUTE
    else:
        once = (characters + 2 * words) * 60 / CHARACTERS_PER_MINUTE
    once += PAUSE_SECONDS * max(0, len(_PAUSE.findall(text)) - 1)
    lead = TONE_SECONDS + GAP_SECONDS if tone != "none" else 0.0
    if not text.strip():
        return lead
    return round(lead + repeats * once + (repeats - 1) * GAP_SECONDS, 1)


def voice_of(language: str) -> tuple[str, int]:
    """espeak-ng's voice and speed for a language tag; Chinese for one that it does not know."""
    short = language.lower().split("-")[0].split("_")[0]
    return VOICES.get(short, VOICES["zh"])


def render_speech(text: str, language: str, timeout: float = RENDER_TIMEOUT) -> bytes | None:
    """`text` once, as WAV bytes (mono, 16 bit), from espeak-ng in a child process; None where it is not installed.

    Raises RuntimeError when it fails or takes longer than `timeout` seconds.
    """
    program = shutil.which("espeak-ng")
    if program is None:
        return None
    voice, speed = voice_of(language)
    # The text goes through standard input: no option and no file name can be smuggled in, and `ps` shows nothing.
    command = [program, "-v", voice, "-s", str(speed), "--stdin", "--stdout", "-b", "1"]
    try:
        done = subprocess.run(command, input=_readable(text).encode(), capture_output=True, timeout=timeout, check=True)
    except subprocess.TimeoutExpired as error:
        raise RuntimeError("espeak-ng took too long") from error
    except subprocess.CalledProcessError as error:
        raise RuntimeError(f"espeak-ng failed: {error.stderr.decode(errors='replace')[:200].strip()}") from error
    rate, samples = _read_wav(done.stdout)
    return write_wav(samples, rate)


def _readable(text: str) -> str:
    return "".join(c if c.isprintable() or c == "\n" else " " for c in text)


def _read_wav(data: bytes) -> tuple[int, np.ndarray]:
    # A WAV written to a pipe has no true length in its header, so the wave module would over-read.
    at = data.find(b"data")
    if data[:4] != b"RIFF" or at < 0:
        raise RuntimeError("espeak-ng gave no sound")
    rate = int.from_bytes(data[24:28], "little")
    body = data[at + 8:]
    return rate, np.frombuffer(body[: len(body) // 2 * 2], dtype="<i2")


def write_wav(samples: np.ndarray, rate: int) -> bytes:
    """16-bit mono samples as a WAV file."""
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return target.getvalue()


def attention_tone(rate: int = 22050, seconds: float = TONE_SECONDS) -> np.ndarray:
    """The attention tone: two bells, a third apart, in turn every half second, each dying away.

    Nothing like the civil-defence signals (long steady sirens of 36, 24 or 6 seconds, or three minutes), which must
    never be heard for weather.
    """
    step = rate // 2
    at = np.arange(step) / rate
    bells = [np.sin(2 * np.pi * f * at) * np.exp(-3.5 * at) * np.minimum(1, at * 200) for f in (988.0, 784.0)]
    count = int(np.ceil(seconds * 2))
    return (np.concatenate([bells[i % 2] for i in range(count)])[: int(rate * seconds)] * 22000).astype("<i2")


def announcement(text: str, language: str, tone: str, volume: int) -> list[bytes]:
    """WAV pieces in the order in which they sound: the lead (tone and gap, where there is a tone), then the message
    with the gap after it, to be played as often as ordered. Raises RuntimeError when there is no voice."""
    pieces, scale, rate = [], volume / 100, 22050
    if tone != "none":
        lead = np.concatenate([attention_tone(rate), np.zeros(int(rate * GAP_SECONDS), "<i2")])
        pieces.append(write_wav(lead * scale, rate))
    if text.strip():
        speech = render_speech(text, language)
        if speech is None:
            raise RuntimeError("espeak-ng is not installed")
        rate, samples = _read_wav(speech)
        gap = np.zeros(int(rate * GAP_SECONDS), "<i2")
        pieces.append(write_wav(np.concatenate([samples * scale, gap]), rate))
    return pieces
