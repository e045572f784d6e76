"""An instance that was filled by a first start, from which each test takes a copy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.whole.first_start import Filled, copied, first_start
from tests.whole.machine import Machine


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    return first_start(tmp_path_factory)


@pytest.fixture
def make_machine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Machine]]:
    """`make_machine()` is a machine on a copy of the filled instance; `empty=True`: on a new one."""
    made: list[Machine] = []

    def make(*, empty: bool = False, **environment: str) -> Machine:
        instance = tmp_path / f"instance{len(made)}"
        made.append(Machine(instance, **environment) if empty
                    else copied(request.getfixturevalue("filled"), instance, **environment))
        return made[-1]

    yield make
    for machine in made:
        machine.close()
