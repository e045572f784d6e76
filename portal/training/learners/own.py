"""What a learner says of himself: a name, sealed; a community; whether he may be called. And the way out, which takes
everything along."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from flask import current_app
from flask_babel import lazy_gettext as _l
from sqlalchemy import delete, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from portal import current_settings
from portal.core import audit, keys
from portal.core.clock import utcnow
from portal.core.db import impatient, transaction
from portal.core.errors import Conflict, Invalid
from portal.core.sealing import OVERHEAD, TextSeal
from portal.training import standing
from portal.training.certificate_models import Certificate
from portal.training.exam_models import Attempt
from portal.training.learners import door
from portal.training.models import Learner

#: Characters of a name, after it was normalised.
LONGEST = 60
_ROOM = Learner.__table__.c.name_sealed.type.length - OVERHEAD  # type: ignore[attr-defined]
#: Planes of rare ideographs: Python may not know the newest of them, and they are names all the same.
_IDEOGRAPHS = range(0x20000, 0x40000)

#: Seconds that an erasure waits for what others hold: less than PostgreSQL takes to see that two wait for each other.
_PATIENCE = 0.5
_LOCKED = "55P03"
_BUSY = _l("Something of yours is being saved just now. Nothing was deleted; try again in a moment.")

#: What rooms do after a learner moved or said whether he may be called, in the same transaction: the row as it is now.
AFTER_CHANGE: list[Callable[[Session, Learner], None]] = []
#: What rooms do before a learner is erased, in the transaction of the erasure: give seats back, leave lists. Each is called
#: with the session and the learner, whose row is locked. One that raises stops the erasure, and nothing was changed.
BEFORE_ERASURE: list[Callable[[Session, Learner], None]] = []


# -- the name ------------------------------------------------------------------------------------------------
def clean(text: str) -> str:
    """A name as it is kept: NFC, one space between words, no invisible characters; ideographs stay, however rare. Raises
    Invalid at `name` where it is empty, too long, or holds what no name does."""
    kept = "".join(c for c in unicodedata.normalize("NFC", text) if unicodedata.category(c) != "Cf" or c in "\u200c\u200d")
    name = " ".join(kept.split())
    if not name:
        raise Invalid.one("name", _l("Type your name as it stands in your identity card or passport."))
    if len(name) > LONGEST or len(name.encode("utf-8", "replace")) > _ROOM:
        raise Invalid.one("name", _l("A name has at most %(n)s characters here.", n=LONGEST))
    if any(_is_no_character(c) for c in name) or not any(_is_letter(c) for c in name):
        raise Invalid.one("name", _l("This is not a name: it holds no letters, or characters that no other device can show."))
    return name


def _is_letter(character: str) -> bool:
    return unicodedata.category(character).startswith("L") or ord(character) in _IDEOGRAPHS


def _is_no_character(character: str) -> bool:
    """Controls, halves of characters, private and unassigned ones; the two joiners are part of names in some scripts."""
    return (unicodedata.category(character).startswith("C") and character not in "\u200c\u200d"
            and ord(character) not in _IDEOGRAPHS)


def seal() -> TextSeal:
    """The application's seal for names of learners."""
    found = current_app.extensions.get("learner_seal")
    if found is None:
        found = current_app.extensions["learner_seal"] = TextSeal(keys.phone_key(current_settings()), "learner")
    return found


def sealed(learner_id: int, text: str) -> bytes:
    """What belongs into `name_sealed`. Raises Invalid as :func:`clean` does."""
    return seal().seal(clean(text), _place(learner_id))


def name(learner: Learner) -> str | None:
    """The name that the learner, or a school's list, has given; None for none. Raises RuntimeError under another key."""
    if learner.name_sealed is None:
        return None
    try:
        return seal().open(learner.name_sealed, _place(learner.id))
    except InvalidTag as error:
        raise RuntimeError("the name of a learner cannot be opened: ANLAN_PHONE_KEY is not the key that sealed it, or it was"
                           " changed") from error


def set_name(session: Session, learner: Learner, text: str, *, actor: audit.Actor | None = None) -> None:
    """Keep a name in the caller's transaction; `actor` where it is not the learner who says it. The trail holds that it was
    given, not the name. What waited for a name is done. The same name again writes nothing. Raises Invalid at `name`."""
    wanted = clean(text)
    row = session.get(Learner, learner.id)
    if row is None or name(row) == wanted:
        return
    audit.serialise(session)  # before the row is locked: whoever holds the trail may want it
    row.name_sealed = seal().seal(wanted, _place(row.id))
    audit.append(session, actor or door.actor(row), "learner.name", f"learner:{row.id}")
    standing.touch_all(session, row.id)


def _place(learner_id: int) -> str:
    return f"learner.{learner_id}"


# -- where, and whether to be called --------------------------------------------------------------------------
def move(session: Session, learner: Learner, region_code: str | None, *, actor: audit.Actor | None = None) -> None:
    """Put a learner into a community, or into none; certificates and lists follow. The caller knows that there is one of this
    code. The trail holds that it was said, not where."""
    row = session.get(Learner, learner.id)
    if row is None or row.region_code == region_code:
        return
    audit.append(session, actor or door.actor(row), "learner.move", f"learner:{row.id}")
    row.region_code = region_code
    session.execute(update(Certificate).where(Certificate.learner_id == row.id).values(region_code=region_code))
    standing.touch_all(session, row.id)
    _tell(session, row)


def agree(session: Session, learner: Learner, *, on_call: bool) -> None:
    """The learner agrees to be called as a first responder, or takes that back. Saying the same again writes nothing."""
    row = session.get(Learner, learner.id)
    if row is None or (row.on_call_at is not None) == on_call:
        return
    audit.append(session, door.actor(row), "learner.on_call" if on_call else "learner.off_call", f"learner:{row.id}")
    row.on_call_at = utcnow() if on_call else None
    session.flush()
    _tell(session, row)


def _tell(session: Session, row: Learner) -> None:
    for after in tuple(AFTER_CHANGE):
        after(session, row)


# -- the way out ---------------------------------------------------------------------------------------------
def erase(learner: Learner) -> None:
    """Take a learner and all that hangs on him out of the database: progress, answers, exams, bookings, assessments, lists,
    sessions. Certificates stay, without a name, a community and whose they were, so that whoever holds one can still show
    it. Raises Conflict while an exam is under way, and where something of the learner is written just now; rooms may raise it
    too. Erasing twice changes nothing."""
    learner_id, actor = learner.id, door.actor(learner)
    try:
        with transaction() as session:
            audit.serialise(session)
            with impatient(_PATIENCE):
                _erase(session, learner_id, actor)
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", "") != _LOCKED:
            raise
        raise Conflict(_BUSY) from error


def _erase(session: Session, learner_id: int, actor: audit.Actor) -> None:
    row = _locked(session, learner_id)
    if row is None:
        return
    for before in tuple(BEFORE_ERASURE):
        before(session, row)
    session.flush()
    _without_name(session, learner_id)
    session.execute(delete(Learner).where(Learner.id == learner_id))  # the database takes along what refers to it
    audit.append(session, actor, "learner.erase", f"learner:{learner_id}")


def _locked(session: Session, learner_id: int) -> Learner | None:
    """The row, locked; None where it is gone. Whoever holds the trail waits for nobody: those for whom it would wait may
    wait for the trail. Raises Conflict where something of the learner is written just now, or an exam is under way."""
    mine = select(Learner).where(Learner.id == learner_id)
    row = session.execute(mine.with_for_update(skip_locked=True)).scalar_one_or_none()
    if row is None and session.execute(mine).scalar_one_or_none() is None:
        return None
    going_on = select(Attempt.id, Attempt.closes_at).where(Attempt.learner_id == learner_id, Attempt.ended_at.is_(None))
    if any(one.closes_at >= utcnow() for one in session.execute(going_on)):
        raise Conflict(_l("You are sitting an exam. Hand it in first, or wait until its time is over; then you can leave."))
    locked = session.execute(going_on.with_for_update(skip_locked=True)).all()
    if row is None or len(locked) < len(session.execute(going_on).all()):
        raise Conflict(_BUSY)
    return row


def _without_name(session: Session, learner_id: int) -> None:
    mine = update(Certificate).where(Certificate.learner_id == learner_id)
    session.execute(mine.values(learner_id=None, name_sealed=None, region_code=None))
