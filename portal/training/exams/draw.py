"""Which questions an attempt asks, in which order, and how their options are shuffled: a pure function of a stored seed.

Everything is put in the order of a hash of the seed and its name. So the draw is even, the same on every machine and in every
version of Python, and does not depend on the order in which a bank lists its questions.

What stands at which place of a shuffled list is all that a page or a reply tells. The places in the bank would be the key of
an ordering or matching question.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from portal.training.content.values import TRUEFALSE, Choice, Hotspot, Matching, Ordering, Question


class TooFew(Exception):
    """A bank has fewer questions fit for an exam than are to be drawn. `module` is its id."""

    def __init__(self, module: str, wanted: int, there: int) -> None:
        self.module, self.wanted, self.there = module, wanted, there
        super().__init__(f"{module}: {wanted} wanted, {there} there")


@dataclass(frozen=True, slots=True)
class Drawn:
    """A question of an attempt. `order[i]`: which of the bank's options, items, areas or left-hand sides is shown at place i.
    `other[i]`: the same for the right-hand sides of a matching question."""

    id: str
    module: str
    order: tuple[int, ...] = ()
    other: tuple[int, ...] = ()

    def stored(self) -> list[Any]:
        return [self.id, self.module, list(self.order), list(self.other)]

    @classmethod
    def restored(cls, stored: Sequence[Any]) -> Drawn:
        name, module, order, other = stored
        return cls(name, module, tuple(order), tuple(other))


def draw(blueprint: Mapping[str, int], banks: Mapping[str, Sequence[Question]], seed: str) -> tuple[Drawn, ...]:
    """The questions of an attempt, from all modules mixed, of those that fit an exam. Raises :class:`TooFew`."""
    chosen: list[tuple[str, Question]] = []
    for module, count in blueprint.items():
        fit = {question.id: question for question in banks.get(module, ()) if question.fits_exam}
        if len(fit) < count:
            raise TooFew(module, count, len(fit))
        ranked = sorted(fit, key=lambda name, module=module: _rank(seed, "drawn", module, name))  # type: ignore[misc]
        chosen += [(module, fit[name]) for name in ranked[:count]]
    chosen.sort(key=lambda one: _rank(seed, "order", one[0], one[1].id))
    return tuple(_shuffled(seed, module, question) for module, question in chosen)


def _shuffled(seed: str, module: str, question: Question) -> Drawn:
    size, other = 0, 0
    if isinstance(question, Choice):
        size = len(question.options)
    elif isinstance(question, Ordering):
        size = len(question.items)
    elif isinstance(question, Matching):
        size = other = len(question.pairs)
    elif isinstance(question, Hotspot):
        size = len(question.areas)
    order = tuple(range(size)) if question.type == TRUEFALSE else _permutation(size, seed, question.id, "left")
    if isinstance(question, Ordering) and order == tuple(range(size)):
        order = (*order[1:], order[0])  # what is to be put in order is not shown in order
    return Drawn(question.id, module, order, _permutation(other, seed, question.id, "right"))


def _permutation(size: int, *names: str) -> tuple[int, ...]:
    return tuple(sorted(range(size), key=lambda at: _rank(*names, str(at))))


def _rank(*names: str) -> bytes:
    return hashlib.sha256("\0".join(names).encode()).digest()
