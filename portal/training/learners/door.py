"""The door of the learners' pages: a phone proves itself by a one-time code, and gets a cookie of its own.

Whoever proves a phone is a learner from then on: the same phone index as a subscriber's, no password.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any

from flask import current_app, g, jsonify, redirect, request, url_for
from sqlalchemy import select

from portal.channels.sms import codes
from portal.channels.sms.passes import Pass
from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, insert_into, transaction
from portal.core.i18n import select_language
from portal.core.phones import PhoneBook
from portal.subscribers import store as subscribers
from portal.training.models import Learner, LearnerSession

PURPOSE = "learner"
COOKIE, PATH = "anlan_learner", "/learn/"
#: A course of weeks, on one's own phone, without a code each time.
LASTS = timedelta(days=60)
#: Sessions of one learner.
MOST = 6
PASS = Pass(LearnerSession, "learner_id", COOKIE, PATH, lasts=LASTS, most=MOST)
#: How exactly the time of the last visit is kept.
SEEN_EVERY = timedelta(hours=1)


def ask(phone: str) -> None:
    """Send a code to the phone (E.164). Raises Invalid at `phone` when codes were asked for too often."""
    codes.send_code(phone, PURPOSE, select_language())


def enter(phone: str, code: str) -> str | None:
    """The secret for the cookie, when the code is right: of the learner with this phone, who is made now if there is none."""
    if not codes.check_code(phone, PURPOSE, code):
        return None
    book: PhoneBook = current_app.extensions["phones"]
    index = book.index(phone)
    _language, communities = subscribers.known([index]).get(index, ("", []))
    mine = select(Learner.id).where(Learner.phone_index == index)
    with transaction() as session:
        new = insert_into(session, Learner).on_conflict_do_nothing().returning(Learner.id).values(
            phone_sealed=book.seal(phone), phone_index=index, tail=phone[-4:], language=select_language(),
            region_code=communities[0] if len(communities) == 1 else None, joined_at=utcnow(), seen_at=utcnow())
        # Before the trail: a list that is just taken in may have made this learner, and waits for the trail before it ends.
        joined = None if session.execute(mine).scalar() else session.execute(new).scalar()
        audit.serialise(session)
        learner_id = joined or session.execute(mine).scalar()
        if learner_id is None:  # and was taken back in the same moment
            learner_id = joined = session.execute(new).scalar_one()
        if joined is not None:
            audit.append(session, audit.Actor(None, f"learner {joined}"), "learner.join", f"learner:{joined}")
        return PASS.begin(session, learner_id)


def begin(learner: Learner) -> str:
    """Begin a session; the secret for the cookie."""
    with transaction() as session:
        return PASS.begin(session, learner.id)


def actor(learner: Learner) -> audit.Actor:
    """Who acts, for the trail: a number, not a person."""
    return audit.Actor(None, f"learner {learner.id}")


def here() -> Learner | None:
    """Whose phone sent this request, or None. Asked of the database once per request."""
    if "learner" not in g:
        g.learner = _find()
    return g.learner


def required(view: Callable[..., Any]) -> Callable[..., Any]:
    """A view for learners: it gets the :class:`Learner` first. Others go to the door, and programs hear 401."""
    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        learner = here()
        if learner is not None:
            return view(learner, *args, **kwargs)
        if request.accept_mimetypes.best_match(["text/html", "application/json"]) == "application/json":
            return jsonify(sign_in=True), 401
        target = request.full_path.rstrip("?") if request.method == "GET" else None
        return redirect(url_for("learners.sign_in", next=target))
    return guarded


def leave() -> None:
    """End the session of this request."""
    PASS.end()
    g.pop("learner", None)


def _find() -> Learner | None:
    now, key = utcnow(), PASS.key()
    if not key:
        return None
    signed_in = select(Learner).join(LearnerSession, LearnerSession.learner_id == Learner.id).where(
        LearnerSession.token_hash == key, LearnerSession.expires_at > now)
    learner = db.session.execute(signed_in).scalar_one_or_none()
    if learner is not None and learner.seen_at < now - SEEN_EVERY:
        with transaction() as session:
            learner = session.get(Learner, learner.id)
            if learner is not None:
                learner.seen_at = now
    return learner
