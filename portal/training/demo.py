"""The demonstration's training: what each room invents, in an order in which one can take up what the other left."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from portal.training.assessing import demo as assessing
from portal.training.certificates import demo as certificates
from portal.training.figures import demo as figures
from portal.training.groups import demo as groups
from portal.training.practicals import demo as practicals

Step = Callable[[str, str], AbstractContextManager[None]]


def seed(step: Step) -> None:
    """Bring in what is missing; a second start finds it there and is quick."""
    for room in (practicals, assessing, groups, certificates, figures):
        room.seed(step)
