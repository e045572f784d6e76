"""Whence the form of a new obstruction can come filled in: other rooms that know of obstructions put themselves in here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.orm import Session

from portal.identity.models import Account
from portal.shelters.models import Obstruction
from portal.shelters.office.obstruction_form import Typed


@dataclass(frozen=True)
class Origin:
    """`fill`: the form for what the account may see under an id, else None. `made`: remembers what became of it, in the
    transaction that makes the obstruction. `links`: the (label, address) of what an obstruction was made of, as far as the
    account may see it."""

    fill: Callable[[Account, str], Typed | None]
    made: Callable[[Session, Account, str, Obstruction], None]
    links: Callable[[Account, Obstruction], list[tuple[str, str]]]


#: By the word in front of the colon of ``?from=report:12``.
ORIGINS: dict[str, Origin] = {}


def read(text: str) -> tuple[Origin, str] | None:
    """The origin and the id that ``report:12`` names; None when there is none of that name."""
    name, _colon, number = text[:60].partition(":")
    return (ORIGINS[name], number) if name in ORIGINS else None


def links(account: Account, row: Obstruction) -> list[tuple[str, str]]:
    return [link for origin in ORIGINS.values() for link in origin.links(account, row)]
