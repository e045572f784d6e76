"""A few moments of the fault suite, always the same: nobody is lost, few are doubled, nothing comes after its end. `make faults`
plays all of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.drills import CANCELLED, PLAIN, drill
from tests.faults.house import POSTGRESQL, SQLITE, Ground, ground

PEOPLE = 1000


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with ground(tmp_path_factory.mktemp("faults"), PEOPLE) as made:
        yield made


def test_a_keeper_a_database_and_a_worker_are_killed_and_everybody_is_told_few_of_them_twice(place: Ground) -> None:
    points = ["keeper_dies_in_a_write", "database_dies", "all_in_flight"]
    report = drill(place, POSTGRESQL, "few", 1, 3, story=PLAIN, only=points)
    assert report.wrong == []
    assert report.blows, "nothing was struck"
    assert report.ends == {"accepted": PEOPLE}


def test_workers_are_killed_around_an_all_clear_and_it_reaches_exactly_whom_the_warning_reached(place: Ground) -> None:
    report = drill(place, SQLITE, "few", 2, 3, story=CANCELLED, only=["all_in_flight", "while_sending"])
    assert report.wrong == []
    assert report.blows, "nothing was struck"
    assert report.recipients, "nobody was planned"
