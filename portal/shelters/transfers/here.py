"""What every page of transfers asks first: who is here, which community, and where its people are to go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import abort

from portal.core.i18n import select_language
from portal.identity.guard import current_account
from portal.identity.models import Account
from portal.regions import codes, lookup
from portal.shelters.models import TransferPerson, TransferRound
from portal.shelters.registry.suitability import families
from portal.shelters.transfers import rights, way


def account_here() -> Account:
    account = current_account()
    if account is None:
        abort(401)
    return account


def community(account: Account, code: str) -> Any:
    """The community of the address; 404 for what is none, and for what lies beyond the duty: there is nothing to see."""
    node = lookup.get(code) if codes.is_code(code) else None
    if node is None or node.level != "community" or not rights.sees(account, code):
        abort(404)
    return node


def family_name(key: str) -> str:
    family = families().get(key)
    return family.name(select_language()) if family else key


def region_name(code: str) -> str:
    node = lookup.get(code)
    return node.name(select_language()) if node else code


def family_for(round_: TransferRound | None, person: TransferPerson) -> str:
    """The hazard for which a way is told: the round's, else the first of the person's own, else the first of all."""
    return round_.family if round_ else (person.families or list(families()) or [""])[0]


def goals_of(listed: Sequence[TransferPerson], round_: TransferRound | None, *, with_steps: bool = False) -> dict[Any, way.Goal]:
    """Where each is to go."""
    by_family: dict[str, list[TransferPerson]] = {}
    for person in listed:
        by_family.setdefault(family_for(round_, person), []).append(person)
    found: dict[Any, way.Goal] = {}
    for family, some in by_family.items():
        found |= way.goals(some, family, select_language(), with_steps=with_steps)
    return found
