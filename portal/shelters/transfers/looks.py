"""Looks at transfers: asked whether they are allowed, written into the trail, and only then given."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import Select
from sqlalchemy.orm import Session

from portal.core import audit
from portal.core.db import transaction
from portal.core.errors import Invalid
from portal.identity.models import Account
from portal.shelters.models import TransferPerson
from portal.shelters.transfers import rights, store, vault
from portal.shelters.transfers.vault import Secrets

LIST, LOOK, PRINT, EXPORT, TAKE, SYNC = (
    "transfer.list", "transfer.look", "transfer.print", "transfer.export", "transfer.take", "transfer.sync")
SHORTEST_REASON, LONGEST_REASON = 4, 200


def at_list(account: Account, region_code: str, query: Select[TransferPerson], limit: int = store.MOST_LISTED,
            **told: Any) -> list[TransferPerson]:
    """The first people that `query` finds, sealed as they are; one entry with their number. Raises Forbidden."""
    return _look(account, LIST, region_code, query, told, limit)


def to_print(account: Account, region_code: str, query: Select[TransferPerson], reason: str,
             act: str = PRINT) -> list[tuple[TransferPerson, Secrets]]:
    """The people with what is sealed, for paper or a file. Raises Forbidden, and Invalid without a reason."""
    why = reason_of(reason)
    return [(p, vault.opened(p)) for p in _look(account, act, region_code, query, {"reason": why})]


def to_take(account: Account, region_code: str, query: Select[TransferPerson],
            hours: int) -> list[tuple[TransferPerson, Secrets]]:
    """The people with what is sealed, for a copy that a phone carries for so many hours. Raises Forbidden."""
    return [(p, vault.opened(p)) for p in _look(account, TAKE, region_code, query, {"hours": hours})]


def at_person(account: Account, person_id: uuid.UUID) -> tuple[TransferPerson, Secrets] | None:
    """Somebody with what is sealed. None when there is nobody, or nobody whom the account may see: strangers learn not
    even that there is somebody."""
    with transaction() as session:
        found = visible(session, account, person_id)
        if found is None:
            return None
        audit.append(session, account.actor, LOOK, subject(found), {"region_code": found.region_code})
        return found, vault.opened(found)


def visible(session: Session, account: Account, person_id: uuid.UUID, *, lock: bool = False) -> TransferPerson | None:
    """The person's row when the account may see it."""
    found = session.get(TransferPerson, person_id, with_for_update=lock or None, populate_existing=True)
    return found if found is not None and rights.sees(account, found.region_code) else None


def subject(person: TransferPerson) -> str:
    return f"transfer:{person.code}"


def reason_of(text: str) -> str:
    """The reason in its one form. Raises Invalid (`reason`)."""
    why = " ".join(text.split())
    if len(why) < SHORTEST_REASON:
        raise Invalid.one("reason", _("Say why: the reason is written into the audit trail."))
    if len(why) > LONGEST_REASON:
        raise Invalid.one("reason", _("At most %(n)d characters.", n=LONGEST_REASON))
    return why


def _look(account: Account, act: str, region_code: str, query: Select[TransferPerson], told: dict[str, Any],
          limit: int = store.MOST_LISTED) -> list[TransferPerson]:
    rights.require(account, [region_code])
    with transaction() as session:
        bounded = query.where(store.within([region_code])).limit(limit)
        found: Sequence[TransferPerson] = session.execute(bounded).scalars().all()
        audit.append(session, account.actor, act, f"region:{region_code}",
                     {"people": len(found)} | {k: v for k, v in told.items() if v})
    return list(found)
