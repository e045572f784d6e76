"""What those who booked are told by SMS, each in the own language: that the session changed or is called off, that a seat became
free, that it is soon. Queued in the transaction of what is told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask_babel import force_locale
from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal import current_settings
from portal.channels.sms import notices
from portal.training import courses_store
from portal.training.models import Learner
from portal.training.practical_models import BOOKED, PracticalSession
from portal.web.show import when

#: Characters of a reason that stand in a text message.
LONGEST_REASON = 120
CHANGED, CALLED_OFF, MOVED_UP, SOON = "changed", "off", "up", "soon"


def tell(session: Session, practical: PracticalSession, kind: str, states: Mapping[int, str], mark: str, *,
         not_after: datetime, reason: str = "") -> int:
    """Queue a text of one kind to learners (id → how the booking stands), in that order; how many. `mark` tells this time from
    the other times at which the same is said: said twice with one mark, it is sent once."""
    rows = session.execute(select(Learner.id, Learner.phone_sealed, Learner.language).where(Learner.id.in_(list(states)))).all()
    turn = {learner_id: place for place, learner_id in enumerate(states)}  # a database gives rows in any order
    bodies: dict[tuple[str, str], str] = {}
    for learner_id, phone_sealed, language in sorted(rows, key=lambda row: turn[row.id]):
        key = (language, states[learner_id])
        if key not in bodies:
            bodies[key] = body(practical, kind, states[learner_id], language, reason)
        notices.queue(session, f"{beginning(practical, learner_id)}{kind}.{mark}", phone_sealed, bodies[key], not_after)
    return len(rows)


def beginning(practical: PracticalSession, learner_id: int | None = None) -> str:
    """How the refs of everything begin that is said of a session, or to one learner of it."""
    return f"prac.{practical.id.hex}." + ("" if learner_id is None else f"{learner_id}.")


def body(practical: PracticalSession, kind: str, state: str, language: str, reason: str = "") -> str:
    """The words, in one of the portal's languages."""
    with force_locale(language):
        values: dict[str, Any] = {"course": _cut(title(practical.slug, language), 60), "time": when(practical.starts_at),
                                  "place": _cut(practical.place, 80)}
        page = f"{current_settings().base_url}/learn/sessions/"
        values["url"] = page if kind == CALLED_OFF else f"{page}{practical.id}/"
        if kind == CALLED_OFF:
            return _("The practical session “%(course)s” (%(time)s, %(place)s) does not take place: %(reason)s Other sessions:"
                     " %(url)s", reason=_sentence(_cut(reason, LONGEST_REASON)), **values)
        if kind == MOVED_UP:
            return _("A seat became free and is yours: practical session “%(course)s”, %(time)s, %(place)s. If you cannot come,"
                     " please give it back: %(url)s", **values)
        if kind == SOON:
            return _("Reminder: practical session “%(course)s”, %(time)s, %(place)s. If you cannot come, please give the seat"
                     " back: %(url)s", **values)
        if state == BOOKED:
            return _("Your practical session “%(course)s” has changed: now %(time)s, %(place)s. Your seat is kept. If you cannot"
                     " come, please give it back: %(url)s", **values)
        return _("The practical session “%(course)s” for which you wait has changed: now %(time)s, %(place)s. More: %(url)s",
                 **values)


def title(slug: str, language: str) -> str:
    """The course's name; its key where it was never loaded here."""
    loaded = courses_store.current(slug)
    return loaded[1].title[language] if loaded else slug


def _cut(text: str, longest: int) -> str:
    """A text message has its limits; the page that it leads to says all."""
    return text if len(text) <= longest else text[:longest - 1] + "…"


def _sentence(text: str) -> str:
    return text if text.endswith((".", "。", "!", "！", "?", "？", "…")) else text + _(".")


def withdraw(session: Session, practical: PracticalSession, learner_id: int | None = None) -> None:
    """Nothing that waits is said any more, to one learner or to all of a session."""
    notices.withdraw(session, beginning(practical, learner_id))
