"""Nothing is kept longer than it is needed: what tells who a removed person was is wiped."""

from __future__ import annotations

import uuid
from datetime import timedelta

from flask import Flask
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import transaction
from portal.shelters.models import TransferEvent, TransferPerson

#: So long a removal can be undone.
KEPT = timedelta(days=30)
_CHUNK = 200


def sweep(app: Flask) -> int:
    """Wipe those who were removed more than :data:`KEPT` ago: everything sealed, initials, place, helper, notes. The code,
    the community and the states stay, for the counts of past rounds. How many were wiped; a second time none."""
    wiped = 0
    with app.app_context():
        while True:
            with transaction() as session:
                ids = _due(session)
                if not ids:
                    break
                session.execute(update(TransferPerson).where(TransferPerson.id.in_(ids)).values(
                    name_sealed=None, phone_sealed=None, address_sealed=None, helper_phone_sealed=None, initials="",
                    longitude=None, latitude=None, helper="", note="", needs=[], version=TransferPerson.version + 1)
                    .execution_options(synchronize_session=False))
                session.execute(update(TransferEvent).where(TransferEvent.person_id.in_(ids)).values(note="")
                                .execution_options(synchronize_session=False))
                audit.append(session, audit.SYSTEM, "transfer.wipe", "transfers:removed", {"people": len(ids)})
            wiped += len(ids)
    return wiped


def _due(session: Session) -> list[uuid.UUID]:
    """Some who are due, locked: who is brought back at this moment is either back, and not wiped, or finds what is wiped."""
    due = select(TransferPerson.id).where(TransferPerson.removed_at < utcnow() - KEPT, TransferPerson.initials != "")
    return list(session.execute(due.order_by(TransferPerson.id).limit(_CHUNK).with_for_update()).scalars())
