"""What a first start of the demonstration leaves behind, made once in a test run, for whoever needs a filled instance."""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
import shutil
from pathlib import Path

import pytest

from tests.whole.machine import Machine


@dataclasses.dataclass(frozen=True)
class Filled:
    """The instance directory that it left, what it said, how it ended."""

    instance: Path
    output: str
    seconds: float
    code: int
    leftovers: list[str]
    strangers: str
    port: int


def first_start(factory: pytest.TempPathFactory) -> Filled:
    """Start on nothing, and end in order. Of all workers that ask at the same time one does it, and the others wait."""
    folder = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # where the folders of all workers are
    said = folder / "first-start.json"
    with (folder / "first-start.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not said.exists():
            said.write_text(json.dumps(dataclasses.asdict(_start(folder / "first-start" / "instance")), default=str))
    values = json.loads(said.read_text())
    return Filled(**values | {"instance": Path(values["instance"])})


def copied(filled: Filled, instance: Path, **environment: str) -> Machine:
    """A machine on a copy of what the first start left."""
    shutil.copytree(filled.instance, instance, symlinks=True)
    return Machine(instance, **environment)


def _start(instance: Path) -> Filled:
    shutil.rmtree(instance.parent, ignore_errors=True)  # of one that failed
    machine = Machine(instance)
    machine.begin()
    try:
        seconds = machine.up()
        code = machine.end()
    finally:
        machine.close()
    return Filled(instance, machine.output, seconds, code, machine.leftovers(), machine.strangers, machine.port)
