"""An instance that was filled by a first start, from which each test takes a copy."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.whole.machine import Machine


@dataclass(frozen=True)
class Filled:
    """What a first start left behind: its instance directory, what it said, how it ended."""

    instance: Path
    output: str
    seconds: float
    code: int
    leftovers: list[str]
    strangers: str
    port: int


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    machine = Machine(tmp_path_factory.mktemp("first") / "instance")
    machine.begin()
    try:
        seconds = machine.up()
        code = machine.end()
    finally:
        machine.close()
    return Filled(machine.instance, machine.output, seconds, code, machine.leftovers(), machine.strangers, machine.port)


@pytest.fixture
def make_machine(filled: Filled, tmp_path: Path) -> Iterator[Callable[..., Machine]]:
    """`make_machine()` is a machine on a copy of the filled instance; `empty=True`: on a new one."""
    made: list[Machine] = []

    def make(*, empty: bool = False, **environment: str) -> Machine:
        instance = tmp_path / f"instance{len(made)}"
        if not empty:
            shutil.copytree(filled.instance, instance, symlinks=True)
        made.append(Machine(instance, **environment))
        return made[-1]

    yield make
    for machine in made:
        machine.close()
