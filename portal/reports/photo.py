"""Photos that residents send: looked at by content, made anew by a process of its own, never kept as they came."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask_babel import lazy_gettext as _l

from portal.core.errors import Invalid, Problem
from portal.reports import photo_child

MOST = 3
#: Bytes of one photo as it is sent.
LARGEST = 12 * 2**20
#: What making one anew may take; and how many are made at once by one process, and wait for that: whoever waits holds one of
#: its threads, and the others must go on answering.
MEMORY, SECONDS = 900 * 2**20, 10
AT_ONCE, MOST_WAITING, PATIENCE = 2, 2, 30.0

_room = threading.BoundedSemaphore(AT_ONCE)
_inside = threading.BoundedSemaphore(AT_ONCE + MOST_WAITING)
_CHILD = Path(photo_child.__file__)

WORDS: dict[str, Any] = {
    "type": _l("This file is no photo: JPEG, PNG and WebP can be sent."),
    "heic": _l("This photo is in a form (HEIC) that cannot be read here. Take it again with the camera setting “most compatible”,"
               " or send a screenshot of it."),
    "damaged": _l("This photo is damaged and cannot be read. Choose another, or send the report without it."),
    "tiny": _l("This picture is too small to see anything on it."),
    "large": _l("This photo is larger than %(most)s MB. Choose a smaller one, or send the report without it.",
                most=LARGEST // 2**20),
    "busy": _l("Many photos are coming in at the moment, and this one could not be taken. Try again in a minute, or send the"
               " report without it."),
}


class Busy(Invalid):
    """More photos come in than can be made anew: nothing is wrong with this one, and it may be sent again."""


@dataclass(frozen=True)
class Photo:
    """A photo as it is kept: JPEG bytes, the small one for lists beside it."""

    width: int
    height: int
    body: bytes
    small: bytes


def make(body: bytes) -> Photo:
    """The photo made anew: nothing of the file comes through but what is seen. Raises Invalid at `photos`, Busy."""
    if len(body) > LARGEST:
        raise _bad("large")
    try:
        photo_child.kind_of(body)  # before a process is begun for it
    except photo_child.Fault as fault:
        raise _bad(fault.key) from fault
    if not _inside.acquire(blocking=False):
        raise _busy()
    try:
        if not _room.acquire(timeout=PATIENCE):
            raise _busy()
        try:
            done = _child(body)
        finally:
            _room.release()
    finally:
        _inside.release()
    return _read(done)


def _child(body: bytes) -> subprocess.CompletedProcess[bytes]:
    # Nothing of the portal's environment, and so no secret, goes to the child.
    environment = {"PATH": os.environ.get("PATH", ""), "MALLOC_ARENA_MAX": "2", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-I", str(_CHILD), str(MEMORY), str(SECONDS)]
    try:
        return subprocess.run(command, input=body, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment,
                              timeout=SECONDS * 4, check=False)
    except subprocess.TimeoutExpired as error:
        raise _bad("damaged") from error


def _read(done: subprocess.CompletedProcess[bytes]) -> Photo:
    if done.returncode == 0 and len(done.stdout) > photo_child.HEAD.size:
        width, height, whole, small = photo_child.HEAD.unpack_from(done.stdout)
        begin = photo_child.HEAD.size
        return Photo(width, height, done.stdout[begin:begin + whole], done.stdout[begin + whole:begin + whole + small])
    if done.returncode == photo_child.FAULT:
        told = json.loads(done.stdout)
        raise _bad(str(told["fault"]), int(told["number"]))
    raise _bad("damaged")  # its time was up, or the file broke the program that reads it


def _busy() -> Busy:
    return Busy([Problem("photos", WORDS["busy"])])


def _bad(key: str, number: int = 0) -> Invalid:
    if key == "pixels":
        return Invalid.one("photos", _l("This photo has too many pixels (more than %(most)s million) to be read here. Make it"
                                        " smaller, or send a screenshot of it.", most=number))
    return Invalid.one("photos", WORDS.get(key, WORDS["damaged"]))
