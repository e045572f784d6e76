"""The door of the learners' pages: a phone proves itself by a one-time code, and gets a cookie of its own.

Whoever proves a phone is a learner from then on: the same phone index as a subscriber's, no password. The cookie holds a random
secret; the database holds its hash.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any

from flask import Response, current_app, g, jsonify, redirect, request, url_for
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from portal.channels.sms import codes
from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.core.i18n import select_language
from portal.core.phones import PhoneBook
from portal.subscribers import store as subscribers
from portal.training.models import Learner, LearnerSession

PURPOSE = "learner"
COOKIE, PATH = "anlan_learner", "/learn/"
#: A course of weeks, on one's own phone, without a code each time.
LASTS = timedelta(days=60)
#: Sessions of one learner; the oldest end when more begin.
MOST = 6
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
    with transaction() as session:
        audit.serialise(session)  # two answers with one code cannot both make a learner
        learner = session.execute(select(Learner).where(Learner.phone_index == index)).scalar_one_or_none()
        if learner is None:
            learner = Learner(phone_sealed=book.seal(phone), phone_index=index, tail=phone[-4:], language=select_language(),
                              region_code=communities[0] if len(communities) == 1 else None, joined_at=utcnow(),
                              seen_at=utcnow())
            session.add(learner)
            session.flush()
            audit.append(session, actor(learner), "learner.join", f"learner:{learner.id}")
        return _begin(session, learner)


def begin(learner: Learner) -> str:
    """Begin a session; the secret for the cookie."""
    with transaction() as session:
        return _begin(session, learner)


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
    with transaction() as session:
        session.execute(delete(LearnerSession).where(LearnerSession.token_hash == _hashed(request.cookies.get(COOKIE, ""))))
    g.pop("learner", None)


def hand_over(response: Response, secret: str) -> Response:
    """Set the cookie; with an empty secret, take it back."""
    if secret:
        response.set_cookie(COOKIE, secret, max_age=int(LASTS.total_seconds()), path=PATH, httponly=True, samesite="Lax",
                            secure=request.is_secure)
    else:
        response.delete_cookie(COOKIE, path=PATH, httponly=True, samesite="Lax", secure=request.is_secure)
    return response


def _begin(session: Session, learner: Learner) -> str:
    now, secret = utcnow(), secrets.token_urlsafe(32)
    session.execute(delete(LearnerSession).where(LearnerSession.expires_at <= now))
    mine = select(LearnerSession.token_hash).where(LearnerSession.learner_id == learner.id)
    old = session.execute(mine.order_by(LearnerSession.started_at.desc()).offset(MOST - 1)).scalars().all()
    session.execute(delete(LearnerSession).where(LearnerSession.token_hash.in_(old)))
    session.add(LearnerSession(token_hash=_hashed(secret), learner_id=learner.id, started_at=now, expires_at=now + LASTS))
    return secret


def _find() -> Learner | None:
    secret, now = request.cookies.get(COOKIE, ""), utcnow()
    if not secret or len(secret) > 100:
        return None
    row = db.session.get(LearnerSession, _hashed(secret))
    if row is None or row.expires_at <= now:
        return None
    learner = db.session.get(Learner, row.learner_id)
    if learner is not None and learner.seen_at < now - SEEN_EVERY:
        with transaction() as session:
            learner = session.get(Learner, row.learner_id)
            if learner is not None:
                learner.seen_at = now
    return learner


def _hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
