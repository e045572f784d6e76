"""What a learner has of himself here: a name, sealed; and the way out, which takes everything along."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from flask import current_app
from flask_babel import lazy_gettext as _l
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from portal import current_settings
from portal.core import audit, keys
from portal.core.clock import utcnow
from portal.core.db import transaction
from portal.core.errors import Conflict, Invalid
from portal.core.sealing import OVERHEAD, TextSeal
from portal.training.certificate_models import Certificate
from portal.training.exam_models import Attempt
from portal.training.learners import door
from portal.training.models import Learner

#: Characters of a name, after it was normalised.
LONGEST = 60
_ROOM = Learner.__table__.c.name_sealed.type.length - OVERHEAD  # type: ignore[attr-defined]
#: Planes of rare ideographs: Python may not know the newest of them, and they are names all the same.
_IDEOGRAPHS = range(0x20000, 0x40000)

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
    given, not the name. The same name again writes nothing. Raises Invalid at `name`."""
    wanted = clean(text)
    row = session.get(Learner, learner.id)
    if row is None or name(row) == wanted:
        return
    row.name_sealed = seal().seal(wanted, _place(row.id))
    audit.append(session, actor or door.actor(row), "learner.name", f"learner:{row.id}")


def _place(learner_id: int) -> str:
    return f"learner.{learner_id}"


# -- the way out ---------------------------------------------------------------------------------------------
def erase(learner: Learner) -> None:
    """Take a learner and all that hangs on him out of the database: progress, answers, exams, bookings, assessments, lists,
    sessions. Certificates stay, without a name, a community and whose they were, so that whoever holds one can still show
    it. Raises Conflict while an exam is under way; rooms may raise it too. Erasing twice changes nothing."""
    learner_id, actor = learner.id, door.actor(learner)
    with transaction() as session:
        # Locked before the trail, as whoever begins an exam or is assessed does: the other way round they wait for each other.
        row = session.execute(select(Learner).where(Learner.id == learner_id).with_for_update()).scalar_one_or_none()
        if row is None:
            return
        open_attempts = select(Attempt.closes_at).where(Attempt.learner_id == learner_id, Attempt.ended_at.is_(None))
        if any(at >= utcnow() for at in session.execute(open_attempts.with_for_update()).scalars()):
            raise Conflict(_l("You are sitting an exam. Hand it in first, or wait until its time is over; then you can leave."))
        for before in BEFORE_ERASURE:
            before(session, row)
        session.flush()
        _without_name(session, learner_id)
        session.execute(delete(Learner).where(Learner.id == learner_id))  # the database takes along what refers to it
        audit.append(session, actor, "learner.erase", f"learner:{learner_id}")


def _without_name(session: Session, learner_id: int) -> None:
    mine = update(Certificate).where(Certificate.learner_id == learner_id)
    session.execute(mine.values(learner_id=None, name_sealed=None, region_code=None))
