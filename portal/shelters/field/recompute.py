"""Computes the field again when something changed: once, whoever asks, and never by two processes at the same time."""

from __future__ import annotations

import logging
import secrets
import time
from datetime import datetime, timedelta

from flask import Flask
from sqlalchemy import case, or_, update
from sqlalchemy.orm import Session

from portal.core.clock import utcnow
from portal.core.db import transaction
from portal.shelters.field import facts as gathering
from portal.shelters.field import made, store, wish
from portal.shelters.field.compute import compute
from portal.shelters.models import FieldWish
from portal.shelters.roads import store as roads

log = logging.getLogger(__name__)
#: Who died while computing is replaced after so long; who failed tries again after RETRY.
LEASE, RETRY = timedelta(seconds=60), timedelta(seconds=30)


def if_due(app: Flask) -> bool:
    """Compute the field where it is due and nobody else does; whether there is a new version. A failure leaves the old field,
    is logged and kept in the wish, and is tried again later; it is never raised."""
    with app.app_context():
        now = utcnow()
        row = wish.state()
        if _waits_after_failure(row, now):
            return False
        if wish.is_due(row, now):
            return _in_turn(now, row.reason if row and row.wanted > row.done else "time")
        return _is_outdated(now) and _in_turn(now, "form")


def now(reason: str) -> bool:
    """Compute it at once, also when nobody asked; whether there is a new version. False also when another process computes.
    Needs the application's context."""
    with transaction() as session:
        wish.ask(session, reason)
    return _in_turn(utcnow(), reason)


def _waits_after_failure(row: FieldWish | None, at: datetime) -> bool:
    return row is not None and row.failed_at is not None and bool(row.error) and at - row.failed_at < RETRY


def _is_outdated(at: datetime) -> bool:
    """Whether the newest version is one that this program cannot read or would make otherwise, as after an upgrade: nothing
    changed then, and nobody asks. One that was made just now is left alone: whoever made it may be of a newer program."""
    newest = store.newest_key()
    if newest is None or at - newest[1] < RETRY:
        return False
    return gathering.form_of(newest[0]) < made.FORM or store.current() is None


def _in_turn(at: datetime, reason: str) -> bool:
    holder = secrets.token_hex(8)
    if (wanted := _claim(holder, at)) is None:
        return False
    try:
        return _compute(holder, wanted, reason)
    except Exception as error:  # whatever it is: the old field stays in use, and people see why
        log.exception("the field could not be computed; the old one stays in use")
        _failed(holder, error)
        return False


def _claim(holder: str, at: datetime) -> int | None:
    """The number of wishes that the computation will know of, or None when somebody else computes."""
    with transaction() as session:
        free = or_(FieldWish.lease_until.is_(None), FieldWish.lease_until < at)
        return session.execute(
            update(FieldWish).where(FieldWish.id == wish.ROW, free).values(lease_by=holder, lease_until=at + LEASE)
            .returning(FieldWish.wanted).execution_options(synchronize_session=False)).scalar_one_or_none()


def _compute(holder: str, wanted: int, reason: str) -> bool:
    road = roads.newest()
    graph = roads.current() if road else None
    began = time.perf_counter()
    if road is None or graph is None:
        return _settle(holder, wanted, None)
    facts, next_at = gathering.gather(graph, utcnow())
    key = gathering.key_of(facts, road.id)
    newest = store.newest_key()
    if newest is not None and newest[0] == key and store.current() is not None:
        return _settle(holder, wanted, next_at)
    field = compute(graph, facts)
    data = made.to_bytes(field)
    took = time.perf_counter() - began
    with transaction() as session:
        if not _is_mine(session, holder, wanted, next_at):
            log.warning("another process took over while the field was computed; this one is dropped")
            return False
        row = store.add(session, field, graph_id=road.id, key=key, reason=reason, seconds=round(took, 3), data=data)
    log.info("field %s: %s, %.2f s, %s bytes", row.version, reason, took, len(data))
    return True


def _settle(holder: str, wanted: int, next_at: datetime | None) -> bool:
    """Nothing new came of it: the wish is fulfilled."""
    with transaction() as session:
        _is_mine(session, holder, wanted, next_at)
    return False


def _is_mine(session: Session, holder: str, wanted: int, next_at: datetime | None) -> bool:
    """Give the lease back with what was done; False when it was lost meanwhile."""
    later = FieldWish.wanted > wanted
    settled = session.execute(
        update(FieldWish).where(FieldWish.id == wish.ROW, FieldWish.lease_by == holder)
        .values(done=wanted, next_at=next_at, lease_by="", lease_until=None, error="", failed_at=None,
                first_at=case((later, FieldWish.last_at), else_=None)).returning(FieldWish.id)
        .execution_options(synchronize_session=False))
    return settled.scalar_one_or_none() is not None


def _failed(holder: str, error: Exception) -> None:
    """The kind of error and where it came from; never its text, which may hold what people typed."""
    trace, where = error.__traceback__, ""
    while trace is not None:
        where = f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}"
        trace = trace.tb_next
    with transaction() as session:
        session.execute(
            update(FieldWish).where(FieldWish.id == wish.ROW, FieldWish.lease_by == holder)
            .values(lease_by="", lease_until=None, error=f"{type(error).__name__} in {where}"[:300], failed_at=utcnow())
            .execution_options(synchronize_session=False))
