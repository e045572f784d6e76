"""What tells who somebody is, sealed in the person's row: name, telephones, address. Nothing else opens it."""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass

from cryptography.exceptions import InvalidTag
from flask import current_app

from portal import current_settings
from portal.core import keys
from portal.core.sealing import TextSeal
from portal.shelters.models import TransferPerson

#: Sealed fields and the most characters of each; its column is `<field>_sealed`.
FIELDS = {"name": 60, "phone": 20, "address": 200, "helper_phone": 20}


@dataclass(frozen=True, slots=True)
class Secrets:
    """The opened fields; telephones are E.164. Empty: not known."""

    name: str = ""
    phone: str = ""
    address: str = ""
    helper_phone: str = ""

    def __repr__(self) -> str:
        return "Secrets(…)"  # never into a log by way of an error's text


def seal() -> TextSeal:
    """The application's seal for people on lists."""
    found = current_app.extensions.get("transfer_seal")
    if found is None:
        found = current_app.extensions["transfer_seal"] = TextSeal(keys.phone_key(current_settings()), "transfer person")
    return found


def put(person: TransferPerson, secrets: Secrets) -> None:
    """Seal into the row, which must have its id; what is empty is stored as nothing."""
    for name, text in asdict(secrets).items():
        setattr(person, f"{name}_sealed", seal().seal(text, _place(person.id, name)) if text else None)


def opened(person: TransferPerson) -> Secrets:
    """Open the row. Callers have written the look into the trail before. Raises RuntimeError under another key."""
    return Secrets(**{name: _open(person, name) for name in FIELDS})


def _open(person: TransferPerson, name: str) -> str:
    sealed = getattr(person, f"{name}_sealed")
    try:
        return seal().open(sealed, _place(person.id, name)) if sealed else ""
    except InvalidTag as error:
        raise RuntimeError("a transfer list cannot be opened: ANLAN_PHONE_KEY is not the key that sealed it, or it was changed"
                           ) from error


def _place(person_id: uuid.UUID, name: str) -> str:
    return f"{name}:{person_id}"
