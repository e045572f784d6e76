"""Messages that count as never sent, until the carrier tells what became of them.

A dispatch that is stopped or expires counts whom no worker has recorded as not sent, unless a worker may have been about it. If
a carrier reports of one of them, it has taken the message after all: the person counts as uncertain, and hears what comes later.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.core.clock import utcnow
from portal.dispatch import outcomes, tallies
from portal.dispatch.models import EXPIRED, STOPPED, Dispatch
from portal.subscribers.contacts import audiences_of

_COUNTED_AS = {STOPPED: tallies.STOPPED, EXPIRED: tallies.EXPIRED}


def went_out(session: Session, told: Iterable[Any]) -> dict[tuple[int, int], int]:
    """Give an outcome to those of whom a report tells and who have none, their batch being closed. `told`: rows with dispatch_id,
    region_code, language, batch_id, recipient_id, carrier, carrier_id. The audiences of those who got one, by batch and
    recipient."""
    told = list(told)
    if not told:
        return {}
    here = select(Dispatch.id, Dispatch.state).where(Dispatch.id.in_({r.dispatch_id for r in told}))
    states = {row.id: row.state for row in session.execute(here)}
    masks = audiences_of(sorted({r.recipient_id for r in told}))
    found: dict[tuple[int, int], int] = {}
    counts: dict[Any, Counter[tallies.Key]] = {}
    rows: dict[int, list[outcomes.Row]] = {}
    for r in told:
        key = _COUNTED_AS.get(states[r.dispatch_id])
        if key is None:
            continue
        mask = found[r.batch_id, r.recipient_id] = masks.get(r.recipient_id, 0)
        rows.setdefault(r.batch_id, []).append((r.recipient_id, tallies.UNCERTAIN, "", r.carrier_id, r.carrier, mask))
        counter = counts.setdefault(r.dispatch_id, Counter())
        counter[r.region_code, r.language, key, 0] -= 1  # as closing counted them
        counter[r.region_code, r.language, tallies.UNCERTAIN, mask] += 1
    outcomes.append(session, [(batch_id, outcomes.alike(theirs)) for batch_id, theirs in rows.items()], utcnow())
    for dispatch_id in sorted(counts):
        tallies.add(session, dispatch_id, counts[dispatch_id])
    return found
