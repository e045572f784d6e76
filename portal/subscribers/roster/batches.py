"""A list's batch: what is known of one import while it lives and ever after. It holds counts, and no number."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from portal import current_settings
from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, transaction, uuid7
from portal.core.errors import Conflict, Invalid
from portal.identity.models import Account
from portal.identity.rights import SUBSCRIBERS, may_in, regions_for
from portal.subscribers.models import RosterFault, RosterImport

READING, READY, REFUSED, WRITING, DONE = "reading", "ready", "refused", "writing", "done"
UNDOING, UNDONE, DROPPED, CUT_OFF = "undoing", "undone", "dropped", "cut_off"
#: What is under way and changes by itself.
MOVING = (READING, WRITING, UNDOING)
#: How long a list that was read waits for a yes, and how long what came in can be taken back.
WAITS, UNDO_WITHIN = timedelta(hours=2), timedelta(days=7)
#: Somebody who works on a list says so more often than this; who is silent for longer was ended.
SILENCE = timedelta(minutes=3)
#: Lists that are read or wait at one time.
MOST_AT_ONCE = 4
LONGEST_BASIS = 200
#: Batches among which those of somebody's duty are looked for: of years.
_LOOKED_THROUGH = 5000
_COUNTS = ("size", "done", "rows", "bad", "people", "new", "gained", "same", "left", "taken_back", "kept")


def basis_of(text: str) -> str:
    """Where the people of a list said yes, in one line. Raises Invalid at `basis`."""
    basis = " ".join(text.split())
    if not basis or not basis.isprintable():
        raise Invalid.one("basis", _l("Say where these people agreed to get texts, as by a form and its date."))
    if len(basis) > LONGEST_BASIS:
        raise Invalid.one("basis", _l("Say it in at most %(n)s characters.", n=LONGEST_BASIS))
    if sum(c.isdigit() for c in basis) > 12:
        raise Invalid.one("basis", _l("No telephone numbers belong here."))
    return basis


def begin(account: Account | None, *, name: str, basis: str) -> RosterImport:
    """A new batch, whose list is about to be read. `account` None: somebody who owns the machine. Raises Conflict when too many
    are under way."""
    now = utcnow()
    batch = RosterImport(
        id=uuid7().hex, state=READING, name="".join(c for c in name if c.isprintable())[-80:], sha256="", basis=basis,
        actor_id=account.actor.id if account else None, actor=account.actor.name if account else audit.SYSTEM.name,
        region_codes=regions_for(account, SUBSCRIBERS) if account else None, started_at=now, beat_at=now, told=True,
        **dict.fromkeys(_COUNTS, 0))
    with transaction() as session:
        audit.serialise(session)  # who counts, counts alone
        open_ones = select(RosterImport.id).where(RosterImport.state.in_((READING, READY)), RosterImport.beat_at > now - WAITS)
        if account is not None and len(session.execute(open_ones.limit(MOST_AT_ONCE)).all()) >= MOST_AT_ONCE:
            raise Conflict(_l("%(n)s lists wait or are being read already. Take one in, or throw one away.", n=MOST_AT_ONCE))
        session.add(batch)
    return batch


def get(batch_id: str, account: Account | None = None) -> RosterImport | None:
    """A batch as it is now; None for what is none, or lies beyond the account's duty."""
    batch = db.session.get(RosterImport, batch_id, populate_existing=True)
    return batch if batch is not None and (account is None or sees(account, batch)) else None


def sees(account: Account, batch: RosterImport) -> bool:
    return may_in(account, SUBSCRIBERS, batch.region_codes or [current_settings().district])


def listing(account: Account, limit: int = 50) -> list[RosterImport]:
    """The latest batches within the account's duty, newest first."""
    latest = select(RosterImport).order_by(RosterImport.started_at.desc(), RosterImport.id.desc()).limit(_LOOKED_THROUGH)
    with db.session.execute(latest.execution_options(yield_per=limit)) as found:  # read on only for whom most is not theirs
        return list(islice((one for one in found.scalars() if sees(account, one)), limit))


def faults(batch_id: str, *, after: int = 0, limit: int = 100) -> Sequence[RosterFault]:
    """Rows that cannot be taken, by line."""
    return db.session.execute(select(RosterFault).where(RosterFault.import_id == batch_id, RosterFault.line > after).order_by(
        RosterFault.line).limit(limit)).scalars().all()


def lock(session: Session, batch_id: str) -> RosterImport | None:
    """The batch, held until the transaction ends."""
    return session.execute(select(RosterImport).where(RosterImport.id == batch_id).with_for_update().execution_options(
        populate_existing=True)).scalar_one_or_none()


def lock_after_trail(session: Session, batch_id: str) -> RosterImport | None:
    """The trail, then the batch, held until the transaction ends; only looked at while somebody works on all of its rows. Whoever
    has the trail must not wait for that: it may take minutes, and warnings would wait behind. Nobody begins such work without
    the trail, so that the state that is seen stays."""
    audit.serialise(session)
    batch = session.get(RosterImport, batch_id, populate_existing=True)
    return batch if batch is None or batch.state in (WRITING, UNDOING) else lock(session, batch_id)


def note(batch_id: str, **values: Any) -> None:
    """Write down how far it is; whoever does so lives."""
    with transaction() as session:
        session.execute(update(RosterImport).where(RosterImport.id == batch_id).values(beat_at=utcnow(), **values)
                        .execution_options(synchronize_session=False))


def can_be_taken_back(batch: RosterImport, now: datetime) -> bool:
    return batch.state == DONE and batch.written_at is not None and now < batch.written_at + UNDO_WITHIN


def subject(batch_id: str) -> str:
    return f"list:{batch_id}"
