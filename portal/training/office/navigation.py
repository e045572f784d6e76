"""Which pages of training the desk has, and who sees which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import current_app, request, url_for
from flask_babel import lazy_gettext as _l

from portal.identity.models import Account
from portal.identity.rights import ADMINISTRATOR, TRAINER, VIEWER, has_role

#: Who sees figures and what says nothing of single people; who sees people.
ALL, PEOPLE = (TRAINER, ADMINISTRATOR, VIEWER), (TRAINER,)
#: Endpoint, name, and the duties of which one is needed, in the order in which they stand.
PAGES = (
    ("training_overview.index", _l("Overview"), ALL),
    ("training_sessions.index", _l("Sessions"), ALL),
    ("training_cohorts.index", _l("Cohorts"), PEOPLE),
    ("training_gradebook.index", _l("Gradebook"), PEOPLE),
    ("training_questions.index", _l("Questions"), (TRAINER, ADMINISTRATOR)),
    ("training_certificates.index", _l("Certificates"), PEOPLE),
    ("training_responders.index", _l("Responders"), ALL),
    ("training_exchange.index", _l("Exchange"), (TRAINER, ADMINISTRATOR)),
)
_TOP = "/desk/training/"
#: Pages that lie elsewhere, and the page that they are shown below.
BELOW = {"training_sessions.index": ("/desk/training/disputes/",), "training_gradebook.index": ("/desk/training/learners/",)}


@dataclass(frozen=True, slots=True)
class Item:
    """A link. `current`: "page" on the page itself, "true" on one below it, else empty."""

    path: str
    label: Any
    current: str


def items(account: Account | None) -> list[Item]:
    """The pages of this portal that the account may see."""
    if account is None:
        return []
    there = [(url_for(endpoint), label, BELOW.get(endpoint, ())) for endpoint, label, roles in PAGES
             if endpoint in current_app.view_functions and has_role(account, *roles)]
    return [Item(path, label, _current(path, below)) for path, label, below in there]


def _current(path: str, below: tuple[str, ...]) -> str:
    if request.path == path:
        return "page"
    return "true" if path != _TOP and request.path.startswith((path, *below)) else ""
