"""What is kept of one phone, for whoever holds it: the state, what was chosen, what came by others, and the story of it all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from portal.core.clock import utcnow
from portal.core.db import db
from portal.subscribers import audiences as groups
from portal.subscribers import wishes
from portal.subscribers.models import ACTIVE, ConsentEvent, Given, Subscriber, SubscriberPass
from portal.subscribers.wishes import Wishes


@dataclass(frozen=True)
class Kept:
    """`row`, what its holder chose, and what came by others: audiences that nobody chooses for themselves, and communities for as
    long as something holds elsewhere."""

    row: Subscriber
    wishes: Wishes
    duties: tuple[groups.Audience, ...]
    lent_regions: tuple[str, ...]

    @property
    def is_told(self) -> bool:
        """Whether its holder gets what they chose."""
        return self.row.status == ACTIVE and bool(self.wishes.region_codes)


def kept(phone_index: bytes) -> Kept | None:
    """What is kept of the phone as a subscriber; None when nothing is."""
    row = wishes.find(phone_index)
    if row is None:
        return None
    chosen = wishes.of(row)
    lent = db.session.execute(select(Given.region_code).where(Given.subscriber_id == row.id, Given.region_given)
                              .order_by(Given.region_code)).scalars()
    duties = tuple(one for one in groups.AUDIENCES if row.audiences & ~chosen.audiences & 1 << one.bit)
    return Kept(row, chosen, duties, tuple(lent))


def story(subscriber_id: int, limit: int) -> list[ConsentEvent]:
    """The newest events of a subscriber, the newest first."""
    return list(db.session.execute(select(ConsentEvent).where(ConsentEvent.subscriber_id == subscriber_id)
                                   .order_by(ConsentEvent.id.desc()).limit(limit)).scalars())


def browsers(phone_index: bytes) -> Sequence[SubscriberPass]:
    """The browsers that proved this phone and may still look, the newest first."""
    return db.session.execute(select(SubscriberPass).where(SubscriberPass.phone_index == phone_index)
                              .order_by(SubscriberPass.started_at.desc())).scalars().all()


def forget_passes(session: Session) -> None:
    """Sessions that ran out go, with the number that they hold."""
    session.execute(delete(SubscriberPass).where(SubscriberPass.expires_at <= utcnow()))
