"""Several threads do the same work; when there is none, they do not all ask for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from flask import Flask

from portal.dispatch import engine as engine_module
from portal.dispatch.engine import HORN_THREADS, Engine
from portal.dispatch.events import Work, work
from portal.dispatch.models import SPEAKERS
from tests.waiting import until

PAUSE = 0.05


class Desk:
    """Notes who looks for work, and when; `answer` says what is found."""

    def __init__(self) -> None:
        self.looks: list[tuple[str, float]] = []
        self.answer: Callable[[], bool] = lambda: False

    def deliver_next(self, *_: object) -> bool:
        self.looks.append((threading.current_thread().name, time.monotonic()))
        return self.answer()


@pytest.fixture
def desk(context: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    made = Desk()
    monkeypatch.setattr(engine_module, "IDLE", PAUSE)
    monkeypatch.setattr(engine_module, "deliver_next", made.deliver_next)
    engine = Engine(context, {SPEAKERS: object()})  # type: ignore[dict-item]
    engine.start()
    yield made
    engine.stop()
    assert not [thread for thread in engine._threads if thread.is_alive()]


def test_of_those_who_have_nothing_to_do_one_at_a_time_looks_once_in_a_pause(desk):
    until(lambda: len({name for name, _at in desk.looks}) == HORN_THREADS, "all have begun")
    begun = len(desk.looks)
    until(lambda: len(desk.looks) >= begun + 20, "looks go on")
    at = sorted(moment for _name, moment in desk.looks[begun : begun + 20])
    assert at[-1] - at[0] >= 15 * PAUSE  # all four together would have looked so often in five pauses


def test_while_some_are_held_up_another_looks(desk):
    until(lambda: len({name for name, _at in desk.looks}) == HORN_THREADS, "all have begun")
    free, held = threading.Event(), set()

    def hold_up() -> bool:
        if len(held) < HORN_THREADS - 1:
            held.add(threading.current_thread().name)
            free.wait(60)
        return False

    desk.answer = hold_up
    until(lambda: len(held) == HORN_THREADS - 1, "all but one are held up")
    seen = len(desk.looks)
    until(lambda: len(desk.looks) > seen + 3, "the last one looks")
    assert not held & {name for name, _at in desk.looks[seen:]}
    free.set()


def test_a_signal_wakes_all_of_them(desk):
    until(lambda: len({name for name, _at in desk.looks}) == HORN_THREADS, "all have begun")
    gate, inside = threading.Barrier(HORN_THREADS + 1, timeout=60), iter(range(HORN_THREADS))

    def meet() -> bool:
        if next(inside, None) is not None:
            gate.wait()  # each of them must be here at one time
        return False

    desk.answer = meet
    until(lambda: work.send(Work("planned", channel=SPEAKERS)) is not None and gate.n_waiting == HORN_THREADS, "all of them came")
    gate.wait()
