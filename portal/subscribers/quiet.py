"""Who has quiet hours at this moment: they are told later, when it is nothing loud."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import select

from portal.core.db import db
from portal.subscribers.matter import Matter
from portal.subscribers.models import Subscriber
from portal.subscribers.store import CHUNK, batched_ids, page_query


def page(
    region_code: str,
    language: str,
    audience_mask: int,
    matter: Matter,
    *,
    after_id: int = 0,
    limit: int = CHUNK,
    excluded_regions: Sequence[str] = (),
) -> list[tuple[int, int]]:
    """As `store.page`, those whom it leaves out for their quiet hours: id, and the hour at which these end."""
    query = page_query(region_code, language, audience_mask, after_id, limit, excluded_regions)
    rows = db.session.execute(query.add_columns(Subscriber.quiet_to).where(matter.wanted(), matter.quiet()))
    return [(subscriber_id, hour) for subscriber_id, hour in rows]


def among(ids: Iterable[int], matter: Matter) -> dict[int, int]:
    """Those of `ids` that have quiet hours now: id → the hour at which these end."""
    found: dict[int, int] = {}
    for chunk in batched_ids(ids):
        rows = db.session.execute(select(Subscriber.id, Subscriber.quiet_to).where(Subscriber.id.in_(chunk), matter.quiet()))
        found.update((subscriber_id, int(hour)) for subscriber_id, hour in rows if hour is not None)
    return found
