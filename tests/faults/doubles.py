"""Who was sent to twice, and why: the carrier knows of each message whether the answer to it was heard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from tests.faults.house import MOST_DOUBLED

#: Seconds for which a process that was struck may have messages on their way.
NEAR = 2.0
#: What the carrier says of answers that nobody has heard, and of what is behind it.
LOST = {"cut": "the answer was cut", "not_json": "the answer was no answer", "unheard": "the answer came to nobody"}
UNWRITTEN = "answered, and struck before it was written"


@dataclass(frozen=True, order=True)
class Copy:
    """A message as the carrier took it. `lost`: why nobody can have known that it was taken; empty where it was heard; `port`:
    where its connection began, 0 where that is not known."""

    at: float
    lost: str = ""
    port: int = 0


def copy_of(message: dict[str, Any]) -> Copy:
    return Copy(message["at"], LOST.get(message["answer"], ""), message.get("port", 0))


@dataclass
class Blow:
    """One crash. `at`: unix time, when the carrier had taken what was on its way; `doubled`: who was sent to again because of it,
    found afterwards; `comes_back`: who was struck goes on later; `most`: how many it may double, 0 of one that only rings, keeps
    the time or answers browsers; `ports`: where the connections began that the struck process had to the carrier."""

    what: str
    at: float
    doubled: int = 0
    comes_back: bool = False
    most: int = MOST_DOUBLED
    ports: frozenset[int] = frozenset()


@dataclass
class Account:
    """`allowed`: doubles by their cause; `unexplained`: the others, none of which may be."""

    allowed: Counter[str] = field(default_factory=Counter)
    unexplained: int = 0
    wrong: list[str] = field(default_factory=list)

    def refuse(self, n: int, words: str) -> None:
        self.unexplained += n
        self.wrong.append(f"{n} were doubled {words}")


def _repeats(all_taken: Iterable[dict[str, list[Copy]]]) -> Iterator[tuple[Copy, Copy]]:
    for taken in all_taken:
        for copies in taken.values():
            yield from pairwise(sorted(copies))


def of_a_day(all_taken: Iterable[dict[str, list[Copy]]], *, most: int = 0) -> Account:
    """Whoever is sent to again had an answer that was lost; `most` may be so without that, since so much may be unwritten where
    somebody is struck. To be slow is no cause: a lone worker that stands still past its leases doubles nobody."""
    account, heard = Account(), 0
    for first, _again in _repeats(all_taken):
        if first.lost:
            account.allowed[first.lost] += 1
        else:
            heard += 1
    if unwritten := min(heard, most):
        account.allowed[UNWRITTEN] += unwritten
    if heard > most:
        account.refuse(heard - most, f"although the answer was heard, beside {dict(account.allowed)}")
    return account


def of_blows(all_taken: Iterable[dict[str, list[Copy]]], blows: Sequence[Blow]) -> Account:
    """Counts each repeat for the first blow after the time before, since whoever lives writes what he has sent; where there is
    none, for the last one before, when that is near or was of one that came back. Without any, the answer must have been lost.
    Where a blow struck soon after was of the very process that had sent the message, it is counted for that: two that are struck
    one right after the other each have their own unwritten."""
    account, left = Account(), 0
    ordered = [Blow("nothing at all", 0.0), *sorted((b for b in blows if b.most), key=lambda b: b.at)]
    times = np.array([b.at for b in ordered])
    for first, again in _repeats(all_taken):
        after = int(np.searchsorted(times, first.at))
        blow, last = ordered[min(after, len(times) - 1)], ordered[after - 1]
        blow = next((b for b in ordered[after:] if first.port in b.ports and b.at - first.at < NEAR), blow)
        if blow.at >= again.at or after == len(times):
            blow = last if last.comes_back or first.at - last.at < NEAR else ordered[0]
        if blow is not ordered[0]:
            blow.doubled += 1
            account.allowed[first.lost or UNWRITTEN] += 1
        elif first.lost:
            account.allowed[first.lost] += 1
        else:
            left += 1
    if left:
        account.refuse(left, "although nothing had happened and the answer was heard")
    for blow in blows:
        if blow.doubled > blow.most:
            account.allowed[UNWRITTEN] -= min(account.allowed[UNWRITTEN], blow.doubled - blow.most)
            account.refuse(blow.doubled - blow.most, f"after one “{blow.what}” beyond the {blow.most} that are promised")
    return account
