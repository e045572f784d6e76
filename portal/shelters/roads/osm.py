"""The walkable graph of a file of OpenStreetMap (`.osm.pbf`, `.osm`), read in a child process with bounded memory and time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask_babel import lazy_gettext as _l

from portal.core.errors import Invalid
from portal.shelters.roads import osm_child
from portal.shelters.roads.graph import Graph, from_bytes

SUFFIXES = (".osm.pbf", ".pbf", ".osm", ".osm.gz", ".osm.bz2")
_ROOT = Path(__file__).resolve().parents[3]
#: A graph is a few bytes per node; more is no graph of ours.
_LARGEST_ANSWER = 400 * 2**20


@dataclass(frozen=True)
class Limits:
    """What a file may cost: its size, the child's memory and time, and how much of everything it may hold."""

    bytes: int = 300 * 2**20
    memory: int = 3 * 2**30
    seconds: int = 300
    ways: int = 400_000
    refs: int = 4_000_000
    nodes: int = 20_000_000


WORDS: dict[str, Any] = {
    "unreadable": _l("The file cannot be read as OpenStreetMap data: it is cut off or damaged. Nothing was changed."),
    "empty": _l("The file holds no way on which people walk. Nothing was changed."),
}


def read(path: Path, limits: Limits | None = None) -> Graph:
    """The graph, its `summary` telling what was counted. Raises Invalid, in words, for whatever is wrong with the file."""
    limits = limits or Limits()
    if not path.name.lower().endswith(SUFFIXES):
        raise _bad(_l("The name of the file must end in .osm.pbf or .osm."))
    try:
        size = path.stat().st_size
    except OSError as error:
        raise _bad(_l("The file cannot be opened.")) from error
    if size > limits.bytes:
        raise _bad(_l("The file is larger than %(most)s MB. Cut out the district first.", most=limits.bytes // 2**20))
    return _graph(_child(path, limits), limits)


def _child(path: Path, limits: Limits) -> subprocess.CompletedProcess[bytes]:
    numbers = (limits.memory, limits.seconds, limits.ways, limits.refs, limits.nodes)
    # Nothing of the portal's environment, and so no secret, goes to the child; one thread each, because threads take room.
    environment = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(_ROOT), "OPENBLAS_NUM_THREADS": "1",
                   "OMP_NUM_THREADS": "1", "OSMIUM_POOL_THREADS": "1", "MALLOC_ARENA_MAX": "2", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", osm_child.__name__, str(path.resolve()), *map(str, numbers)]
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              env=environment, timeout=limits.seconds * 2, check=False)
    except subprocess.TimeoutExpired as error:
        raise _bad(_too_long(limits)) from error


def _graph(done: subprocess.CompletedProcess[bytes], limits: Limits) -> Graph:
    if done.returncode == 0 and len(done.stdout) <= _LARGEST_ANSWER:
        try:
            return from_bytes(done.stdout)
        except ValueError as error:
            raise _bad(WORDS["unreadable"]) from error
    if done.returncode == osm_child.FAULT:
        told = json.loads(done.stdout)
        raise _bad(_words(str(told["fault"]), int(told["number"]), limits))
    if done.returncode == -24:  # SIGXCPU: its time was up
        raise _bad(_too_long(limits))
    raise _bad(_l("The file broke the program that reads it (it is damaged, or made to do harm). Nothing was changed."))


def _words(key: str, number: int, limits: Limits) -> Any:
    if key == "ways":
        return _l("The file holds more than %(most)s ways. Cut out the district first.", most=f"{number:,}")
    if key == "nodes":
        return _l("The file holds more than %(most)s points. Cut out the district first.", most=f"{number:,}")
    if key == "memory":
        return _l("Reading the file takes more than %(most)s MB of memory. Cut out the district first.",
                  most=limits.memory // 2**20)
    return WORDS.get(key, WORDS["unreadable"])


def _too_long(limits: Limits) -> Any:
    return _l("Reading the file takes longer than %(most)s seconds. Nothing was changed.", most=limits.seconds)


def _bad(message: Any) -> Invalid:
    return Invalid.one("file", message)
