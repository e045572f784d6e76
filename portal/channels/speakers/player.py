"""The mouths of a horn: one that really speaks, and one that only takes the time that speaking would take."""

from __future__ import annotations

import logging
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from portal.channels.speakers import speech
from portal.channels.speakers.bridge import Command

log = logging.getLogger(__name__)
_GRACE = 2.0  # seconds that a child gets to end before it is killed


class Player(Protocol):
    """Plays one command at a time. Neither call blocks; `done` is called once (from any thread) with an empty code, or
    one that says why it failed; never after :meth:`stop` has returned, except for a call already on its way."""

    def play(self, command: Command, done: Callable[[str], None]) -> None: ...

    def stop(self) -> None: ...


class SilentPlayer:
    """Writes what would be said to the log and takes the time of it, `pace` times faster."""

    def __init__(self, pace: float = 1.0) -> None:
        self._pace = pace
        self._timer: threading.Timer | None = None

    def play(self, command: Command, done: Callable[[str], None]) -> None:
        self.stop()
        seconds = speech.spoken_seconds(command.text, command.language, command.repeats, command.tone) / self._pace
        log.info("would say %d times in %.1f s: %s", command.repeats, seconds, command.text)
        self._timer = threading.Timer(seconds, done, ("",))
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class SpeakingPlayer:
    """Speaks with espeak-ng through `aplay` or `paplay`; each sound is a child process that is ended to stop it."""

    def __init__(self, program: str, *, cantonese: bool = False) -> None:
        self._program, self._cantonese = program, cantonese
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._stopped = threading.Event()

    def play(self, command: Command, done: Callable[[str], None]) -> None:
        self.stop()
        self._stopped = stopped = threading.Event()
        threading.Thread(target=self._run, args=(command, done, stopped), name="speech", daemon=True).start()

    def stop(self) -> None:
        with self._lock:
            self._stopped.set()
            child, self._child = self._child, None
        if child is not None:
            _end(child)

    def _run(self, command: Command, done: Callable[[str], None], stopped: threading.Event) -> None:
        code = ""
        try:
            with tempfile.TemporaryDirectory(prefix="anlan-speech-") as directory:
                files = []
                voice = "yue" if self._cantonese and command.language.startswith("zh") else command.language
                pieces = speech.announcement(command.text, voice, command.tone, command.volume)
                for number, piece in enumerate(pieces):
                    files.append(Path(directory) / f"{number}.wav")
                    files[-1].write_bytes(piece)
                lead, message = (files[:1], files[1:]) if command.tone != "none" else ([], files)
                for file in lead + message * command.repeats:
                    if stopped.is_set() or not self._sound(file, stopped):
                        return
        except (RuntimeError, OSError) as error:
            log.error("the message could not be spoken: %s", error)
            code = "sound"
        if not stopped.is_set():
            done(code)

    def _sound(self, file: Path, stopped: threading.Event) -> bool:
        """Play one file; whether it came to its end unstopped. Raises RuntimeError when the program fails."""
        with self._lock:
            if stopped.is_set():
                return False
            child = self._child = subprocess.Popen([self._program, str(file)], stdin=subprocess.DEVNULL,
                                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        _, errors = child.communicate(timeout=3600)
        if stopped.is_set():
            return False
        if child.returncode:
            raise RuntimeError(f"{Path(self._program).name} ended with {child.returncode}: "
                               f"{errors.decode(errors='replace')[:200].strip()}")
        return True


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(_GRACE)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait(_GRACE)


def missing_for_sound() -> str:
    """What this machine lacks to speak, in words; empty when nothing."""
    if shutil.which("espeak-ng") is None:
        return "espeak-ng is not installed"
    if sound_program() is None:
        return "there is no sound card, or neither aplay nor paplay is installed"
    return ""


def sound_program() -> str | None:
    """aplay where the kernel knows a sound card, else paplay where a sound server answers, else None."""
    cards = Path("/proc/asound/cards")
    if (aplay := shutil.which("aplay")) and cards.exists() and "[" in cards.read_text():
        return aplay
    if (paplay := shutil.which("paplay")) and (pactl := shutil.which("pactl")):
        try:
            if subprocess.run([pactl, "info"], capture_output=True, timeout=5, check=False).returncode == 0:
                return paplay
        except subprocess.TimeoutExpired:
            return None
    return None
