"""Outcomes one by one, for tests: what the database keeps in pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import select

from portal.core.clock import utcnow
from portal.core.db import db
from portal.dispatch import outcomes
from portal.dispatch.models import Batch, OutcomePage

#: Of a statement of one's own that reads pages, for `spread`.
COLUMNS = ", ".join(f"outcome_page.{name}" for name in (
    "batch_id", "at", "status", "code", "carrier", "size", "recipients", "audiences", "carrier_ids"))


class End(NamedTuple):
    batch_id: int
    recipient_id: int
    status: str
    code: str
    carrier_id: str
    carrier: str
    audiences: int
    at: datetime


def spread(rows: Iterable[Sequence[Any]]) -> list[End]:
    """The ends of pages."""
    found = []
    for batch_id, at, status, code, carrier, size, recipients, audiences, carrier_ids in rows:
        numbers = carrier_ids.split("\n") if carrier_ids else [""] * size
        found += [End(batch_id, i, status, code, number, carrier, mask, at) for i, mask, number in zip(
            outcomes.unpacked(bytes(recipients), size).tolist(), outcomes.unpacked(bytes(audiences), size).tolist(), numbers,
            strict=True)]
    return found


def ends(*conditions: Any) -> list[End]:
    """All that there are of batches for which these conditions are true."""
    page = OutcomePage
    rows = db.session.execute(
        select(page.batch_id, page.at, page.status, page.code, page.carrier, page.size, page.recipients, page.audiences,
               page.carrier_ids).join(Batch, Batch.id == page.batch_id).where(*conditions).order_by(page.at)).all()
    return spread(rows)


def put(session: Any, batch_id: int, *given: tuple[int, str] | outcomes.Row) -> None:
    """Ends as if a worker had written them: (recipient, status) and what else is known."""
    rows = [(*one, *("", "", "", 0)[len(one) - 2 :]) for one in given]
    outcomes.append(session, [(batch_id, outcomes.alike(rows))], utcnow())  # type: ignore[arg-type]
