"""Looks at people's names: each stands in the trail, with how many were seen and not who."""

from __future__ import annotations

from typing import Any

from portal.core import audit
from portal.core.db import transaction
from portal.identity.models import Account


def at_list(account: Account, subject: str, people: int, **told: Any) -> None:
    """A list of names was shown; an empty one is no look."""
    if people:
        noted(account, "learner.list", subject, people=people, **told)


def at_one(account: Account, learner_id: int) -> None:
    noted(account, "learner.look", f"learner:{learner_id}")


def noted(account: Account, action: str, subject: str, **told: Any) -> None:
    """One entry of the trail, by itself."""
    with transaction() as session:
        audit.append(session, account.actor, action, subject, {name: value for name, value in told.items() if value})
