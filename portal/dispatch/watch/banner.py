"""What every page of the desk says when something stands still; nothing when all is well."""

from __future__ import annotations

from datetime import datetime, timedelta

from flask_babel import gettext as _
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.dispatch.models import Worker
from portal.dispatch.watch import alarms, words
from portal.dispatch.watch.presence import is_near


def sentences(session: Session, now: datetime, seconds: int) -> list[str]:
    """One for each alarm that stands. When all processes fell silent, nobody is left to raise one: that is seen here."""
    found = [words.sentence(alarm) for alarm in alarms.standing(session)]
    last = session.execute(select(func.max(Worker.seen_at))).scalar()
    if last is not None and not is_near(last, now, timedelta(seconds=seconds)):
        found.insert(0, _("No process of this portal has reported for a while: nothing may be sent"))
    return found
