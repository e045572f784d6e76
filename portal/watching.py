"""The watch of each kind of process: what it is told of the parts that run beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from flask import Flask

from portal.core.leader import Stand
from portal.dispatch.watch import said
from portal.dispatch.watch.watch import Watch
from portal.services import Clock, Sender


class Hears(Protocol):
    """What listens at the broker."""

    up: bool


def watch(
    app: Flask, kind: str, *, sender: Sender | None = None, clock: Clock | Stand | None = None, heard: Sequence[Hears] = ()
) -> Watch:
    """The watch of a process of this kind (see `said`), with the parts that it runs. Start it last and stop it first."""
    return Watch(app, kind, office=_office(sender), leading=_leading(clock), broker=lambda: _broker(heard))


def _office(sender: Sender | None) -> Callable[[], said.OfficeState | None]:
    office = sender.engine.office if sender else None
    return office.state if office else lambda: None


def _leading(clock: Clock | Stand | None) -> Callable[[], bool]:
    """Where there can be no other, the clock leads."""
    if isinstance(clock, Stand):
        return lambda: clock.leads
    return lambda: clock is not None


def _broker(heard: Sequence[Hears]) -> str:
    if not heard:
        return said.NONE
    return said.UP if all(one.up for one in heard) else said.DOWN
