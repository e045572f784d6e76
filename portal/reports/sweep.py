"""What is not needed any more goes: words, photos and telephones of reports that were closed long ago, and spam as a whole."""

from __future__ import annotations

from datetime import timedelta

from flask import Flask
from sqlalchemy import and_, delete, func, or_, select

from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import transaction
from portal.reports import mine
from portal.reports.models import CLOSED, SPAM, DangerReport

#: Spam is kept as long as somebody may notice that it was none.
SPAM_DAYS = 30
AT_ONCE, ROUNDS = 50, 40


def sweep(app: Flask) -> int:
    """Erase what is due; how many reports. In small transactions, so that a warning never waits for it."""
    erased = 0
    with app.app_context():
        for _round in range(ROUNDS):
            done = _some(app.extensions["anlan"].report_days)
            erased += done
            if done < AT_ONCE:
                break
    return erased


def _some(days: int) -> int:
    now = utcnow()
    old = and_(DangerReport.state.in_(CLOSED), DangerReport.state != SPAM, DangerReport.erased_at.is_(None),
               DangerReport.state_at < now - timedelta(days=days))
    latest = select(func.max(DangerReport.number)).scalar_subquery()  # its row stays, or the next report would get its number
    spam = and_(DangerReport.state == SPAM, DangerReport.state_at < now - timedelta(days=SPAM_DAYS),
                or_(DangerReport.erased_at.is_(None), DangerReport.number < latest))
    due = select(DangerReport).where(or_(old, spam)).order_by(DangerReport.number).limit(AT_ONCE)
    with transaction() as session:
        audit.serialise(session)
        rows, last = list(session.scalars(due.with_for_update())), session.scalar(select(func.max(DangerReport.number)))
        gone = [row.id for row in rows if row.state == SPAM and row.number != last]
        for row in rows:
            mine.erase(session, row)
            if row.id in gone:
                mine.note(session, row, "report.delete")
            else:
                mine.add(session, row, "erased")
                mine.note(session, row, "report.erase")
        session.flush()
        session.execute(delete(DangerReport).where(DangerReport.id.in_(gone)))
    return len(rows)

