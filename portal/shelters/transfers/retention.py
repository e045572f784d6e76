"""Nothing is kept longer than it is needed: what tells who a removed person was is wiped."""

from __future__ import annotations

from datetime import timedelta

from flask import Flask
from sqlalchemy import select, update

from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.shelters.models import TransferEvent, TransferPerson

#: So long a removal can be undone.
KEPT = timedelta(days=30)
_CHUNK = 200


def sweep(app: Flask) -> int:
    """Wipe those who were removed more than :data:`KEPT` ago: everything sealed, initials, place, helper, notes. The code,
    the community and the states stay, for the counts of past rounds. How many were wiped; a second time none."""
    wiped = 0
    with app.app_context():
        while ids := _due():
            with transaction() as session:
                session.execute(update(TransferPerson).where(TransferPerson.id.in_(ids)).values(
                    name_sealed=None, phone_sealed=None, address_sealed=None, helper_phone_sealed=None, initials="",
                    longitude=None, latitude=None, helper="", note="", needs=[], version=TransferPerson.version + 1)
                    .execution_options(synchronize_session=False))
                session.execute(update(TransferEvent).where(TransferEvent.person_id.in_(ids)).values(note="")
                                .execution_options(synchronize_session=False))
                audit.append(session, audit.SYSTEM, "transfer.wipe", "transfers:removed", {"people": len(ids)})
            wiped += len(ids)
        db.session.rollback()
    return wiped


def _due() -> list[object]:
    db.session.rollback()
    return list(db.session.execute(select(TransferPerson.id).where(
        TransferPerson.removed_at < utcnow() - KEPT, TransferPerson.initials != "").limit(_CHUNK)).scalars())
