"""What somebody types for the card of a household, and the household that it makes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_babel import lazy_gettext as _l

from portal.core.errors import Invalid, Problem
from portal.shelters.paper.household import MOST_MEMBERS, Household, Member
from portal.shelters.registry import suitability

__all__ = ["MOST_MEMBERS", "household", "typed"]

#: Field → how many characters it may have.
FIELDS = {"family": 20, "number": 30, "head": 40, "people": 4, "phone": 30, "address": 120, "danger": 160, "origin": 200,
          "shelter": 20, "helper": 40, "helper_phone": 30}
MEMBER = {"name": 30, "sex": 10, "age": 10, "help": 40}


def typed(form: Mapping[str, str]) -> dict[str, Any]:
    """All fields as text, bounded; `members` a list of as many rows as the card has lines."""
    found: dict[str, Any] = {name: form.get(name, "")[:400] for name in FIELDS}
    found["members"] = [{name: form.get(f"members.{n}.{name}", "")[:200] for name in MEMBER} for n in range(MOST_MEMBERS)]
    return found


def household(code: str, values: Mapping[str, Any]) -> Household:
    """Raises Invalid at each field that is too long or cannot be."""
    problems: list[Problem] = []

    def text(value: str, field: str, most: int) -> str:
        value = " ".join(value.split())
        if len(value) > most or not value.isprintable():
            problems.append(Problem(field, _l("At most %(n)d characters find room here.", n=most)))
        return value

    said = {name: text(values[name], name, most) for name, most in FIELDS.items()}
    rows = [{name: text(row[name], f"members.{n}.{name}", most) for name, most in MEMBER.items()}
            for n, row in enumerate(values["members"])]
    if said["people"] and not (said["people"].isascii() and said["people"].isdigit()):
        problems.append(Problem("people", _l("A number of people is needed.")))
    if said["family"] and said["family"] not in suitability.families():
        problems.append(Problem("family", _l("Choose a group of hazards from the list.")))
    if said["shelter"] and not (said["shelter"].isascii() and said["shelter"].isdigit()):
        problems.append(Problem("shelter", _l("Choose a shelter from the list.")))
    if problems:
        raise Invalid(problems)
    members = tuple(Member(**row) for row in rows if any(row.values()))
    return Household(code, said["family"], said["number"], said["head"], said["people"], said["phone"], said["address"], members,
                     said["danger"], said["origin"], None, int(said["shelter"]) if said["shelter"] else None, said["helper"],
                     said["helper_phone"], filled=True)
