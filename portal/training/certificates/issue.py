"""Granting certificates, and what becomes of them: renewed, taken back, given back, written anew under a corrected name.

A certificate is granted in the transaction in which the last gate opens. All of it happens behind the trail's lock, one after the
other, so that of two processes that find somebody due only the first one grants.
"""

from __future__ import annotations

import base64
import secrets
import uuid
from calendar import monthrange
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from cryptography.exceptions import InvalidTag
from flask_babel import lazy_gettext as _l
from sqlalchemy import ColumnElement, Select, exists, func, select, update
from sqlalchemy.orm import Session

from portal import current_settings
from portal.channels.sms import notices
from portal.core import audit
from portal.core.clock import from_local, local, utcnow
from portal.core.db import db, transaction, uuid7
from portal.core.errors import Conflict, Invalid
from portal.identity.models import Account
from portal.identity.rights import TRAINER, require_in
from portal.regions import codes
from portal.training import courses_store, standing
from portal.training.certificate_models import Certificate
from portal.training.certificates import credential, renewal, signing, status_list
from portal.training.certificates import serial as serials
from portal.training.content.values import Course
from portal.training.group_models import Cohort, CohortMember
from portal.training.learners import own
from portal.training.models import Enrolment, Learner

#: Characters of a reason.
LONGEST_REASON = 300
#: The reason of a certificate that was written anew.
REPLACED = "replaced"
SAME_NAME = _l("The name is still the one on the certificate. Correct the name first.")

#: People whom one press of a button reaches.
MOST_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Granted:
    """What came of granting by hand: certificates granted; people without a name; others who are not due after all, as after a
    revocation; whether `more` wait. Whoever cannot be granted one is counted, and takes nobody's turn."""

    granted: int
    nameless: int
    others: int
    more: int


# -- granting ------------------------------------------------------------------------------------------------
def issue_if_due(session: Session, learner_id: int, slug: str) -> Certificate | None:
    """Grant the certificate that a learner is due, in the caller's transaction: the first one when both gates are open, a
    further one when a renewal is done. None where nothing is due: no exam in the course, a gate closed, no name, one that still
    holds, or one that was taken back, be it a renewal, which only the desk gives back. Asking twice grants once."""
    audit.serialise(session)
    loaded = courses_store.current(slug)
    learner = session.get(Learner, learner_id, populate_existing=True)
    if loaded is None or learner is None or learner.name_sealed is None or loaded[1].exam is None:
        return None
    version_id, course = loaded
    before = renewal.held(learner_id, slug)
    if before is None:
        had = select(Certificate.id).where(Certificate.learner_id == learner_id, Certificate.slug == slug).limit(1)
        gates = standing.gates(learner_id, slug)
        if session.execute(had).first() is not None or not (gates.theory and gates.practical):
            return None
    elif renewal.taken_back(before) or not _is_renewed(before, learner_id, course):
        return None
    made = _make(session, learner, version_id, course, before)
    details = {"course": slug, "serial": made.serial} | ({"renews": str(before.id)} if before is not None else {})
    action = "certificate.renew" if before is not None else "certificate.issue"
    audit.append(session, audit.SYSTEM, action, _subject(made), details)
    standing.touch(session, learner_id, slug)
    return made


def enter(session: Session, learner: Learner, version_id: int, issued_at: datetime) -> Certificate:
    """Put a certificate into the books that was granted on an earlier day, as the demonstration does; whether it is due is not
    asked."""
    audit.serialise(session)
    made = _make(session, learner, version_id, courses_store.of(version_id), None, issued_at=issued_at.replace(microsecond=0))
    audit.append(session, audit.SYSTEM, "certificate.issue", _subject(made), {"course": made.slug, "serial": made.serial})
    standing.touch(session, learner.id, made.slug)
    return made


def _is_renewed(before: Certificate, learner_id: int, course: Course) -> bool:
    opens = renewal.opens_at(before, course)
    return opens is not None and opens <= utcnow() and renewal.way(learner_id, course, opens).done


def _make(session: Session, learner: Learner, version_id: int, course: Course, before: Certificate | None, *,
          issued_at: datetime | None = None, until: datetime | str | None = "by the course") -> Certificate:
    now, settings, name = utcnow().replace(microsecond=0), current_settings(), own.name(learner)
    if name is None:
        raise ValueError("a certificate has a name")
    made = Certificate(
        id=uuid7(), serial=_free_serial(session), learner_id=learner.id, slug=course.id, version_id=version_id,
        region_code=learner.region_code, issued_at=issued_at or now, renews=before.id if before is not None else None,
        status_index=status_list.free_place(lambda place: _taken(session, Certificate.status_index == place)))
    made.valid_until = end(made.issued_at, course.validity_months, before) if isinstance(until, str) else until
    made.name_sealed = own.seal().seal(name, _place(made))
    key, at = signing.known(settings)[-1], addresses()
    facts = credential.Facts(made.serial, f"urn:uuid:{made.id}", name, secrets.token_hex(16), made.issued_at, made.valid_until,
                             made.status_index)
    token = signing.sign(credential.build(facts, course, authority(), at, status_list.SIZE), key, at.key(key.thumbprint))
    made.credential = base64.b64encode(own.seal().seal(token, f"{_place(made)}.credential")).decode()
    session.add(made)
    session.flush()
    return made


def end(issued_at: datetime, months: int, before: Certificate | None) -> datetime | None:
    """The last second of the day until which a certificate of `months` holds, in the district's zone: the day before the same
    day that many months later; None for no end. What renews one that still holds counts from that one's end, so that nobody
    loses days by being early."""
    if not months:
        return None
    zone = current_settings().timezone
    begins = issued_at
    if before is not None and before.valid_until is not None and before.valid_until > issued_at:
        begins = before.valid_until + timedelta(seconds=1)
    day = local(begins, zone).date()
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    same = day.replace(year=year, month=month + 1, day=min(day.day, monthrange(year, month + 1)[1]))
    return from_local(datetime.combine(same, time()), zone) - timedelta(seconds=1)


def _free_serial(session: Session) -> str:
    while _taken(session, Certificate.serial == (made := serials.new())):
        pass  # once in 2 to the power of 54
    return made


def _taken(session: Session, where: Any) -> bool:
    return session.execute(select(Certificate.id).where(where).limit(1)).first() is not None


def issue_due(account: Account, slug: str, *, cohort_id: uuid.UUID | None = None, region_code: str = "") -> Granted:
    """Grant by hand what is due in a cohort or in a region, at most :data:`MOST_AT_ONCE`. Each is granted in a transaction of its
    own, so that a warning waits for none of it. Raises Forbidden outside of the account's duty."""
    cohort = db.session.get(Cohort, cohort_id) if cohort_id is not None else None
    require_in(account, TRAINER, [cohort.region_code if cohort is not None else region_code])
    course = (courses_store.current(slug) or (0, None))[1]
    if course is None or course.exam is None:
        return Granted(0, 0, 0, 0)
    due = _due(slug, course, cohort, region_code)
    named, had = Learner.name_sealed.is_not(None), _had(slug)
    ids = db.session.execute(due.where(named, ~had).order_by(Learner.id).limit(MOST_AT_ONCE + 1)).scalars().all()
    nameless, others = (db.session.execute(select(func.count()).select_from(due.where(*those).subquery())).scalar_one()
                        for those in ((~named, ~had), (had,)))
    granted = 0
    for learner_id in ids[:MOST_AT_ONCE]:
        with transaction() as session:
            granted += issue_if_due(session, learner_id, slug) is not None
    return Granted(granted, nameless, others + len(ids[:MOST_AT_ONCE]) - granted, len(ids) - min(len(ids), MOST_AT_ONCE))


def _due(slug: str, course: Course, cohort: Cohort | None, region_code: str) -> Select[int]:
    """Ids of those who did all that a course asks, in a cohort or else in a region, and hold no certificate of it."""
    gate = Enrolment.practical_at if course.checklists else Enrolment.theory_at
    due = select(Learner.id).join(Enrolment, Enrolment.learner_id == Learner.id).where(
        Enrolment.slug == slug, Enrolment.theory_at.is_not(None), gate.is_not(None), Enrolment.certified_until.is_(None))
    if cohort is not None:
        return due.join(CohortMember, CohortMember.learner_id == Learner.id).where(CohortMember.cohort_id == cohort.id)
    return due.where(Enrolment.region_code.between(*codes.code_range(region_code)))


def _had(slug: str) -> ColumnElement[bool]:
    """Whether a certificate was granted to the learner and taken back."""
    return exists().where(Certificate.learner_id == Learner.id, Certificate.slug == slug)


# -- what the desk does --------------------------------------------------------------------------------------
def revoke(account: Account, serial: str, reason: str) -> Certificate:
    """Take a certificate back. Raises Forbidden outside of the account's duty, Invalid at `reason`, Conflict where it is taken
    back already, LookupError for a serial that nobody has."""
    reason = check_reason(reason)
    with transaction() as session:
        one = _held_here(session, account, serial)
        if one.revoked_at is not None:
            raise Conflict(_l("This certificate was revoked already. Nothing was changed."))
        one.revoked_at, one.revoked_because = utcnow(), reason
        _did(session, account, "certificate.revoke", one, {"reason": reason})
        return one


def reinstate(account: Account, serial: str, reason: str) -> Certificate:
    """Give a certificate back that was revoked. Raises as :func:`revoke` does; Conflict also where another one took its place."""
    reason = check_reason(reason)
    with transaction() as session:
        one = _held_here(session, account, serial)
        if one.revoked_at is None:
            raise Conflict(_l("This certificate is not revoked. Nothing was changed."))
        if _taken(session, Certificate.renews == one.id):
            raise Conflict(_l("Another certificate took its place; that one counts."))
        one.revoked_at, one.revoked_because = None, ""
        _did(session, account, "certificate.reinstate", one, {"reason": reason})
        return one


def reissue(account: Account, serial: str, name: str | None = None) -> Certificate:
    """Write a certificate anew under the name that its holder has now, or under `name`, which the holder has then: same dates,
    another serial; the old one is replaced, and its verification says by which. Raises Forbidden, LookupError, Invalid at `name`;
    Conflict where it is revoked, replaced or nobody's any more, or the name is the same."""
    with transaction() as session:
        old = _held_here(session, account, serial)
        learner = session.get(Learner, old.learner_id) if old.learner_id is not None else None
        if old.revoked_at is not None or learner is None or _taken(session, Certificate.renews == old.id):
            raise Conflict(_l("This certificate can no longer be written anew: it was revoked or replaced, or its holder has"
                              " left."))
        if name is not None:
            own.set_name(session, learner, name, actor=account.actor)
        if own.name(learner) in (None, name_on(old)):
            raise Conflict(SAME_NAME)
        course = courses_store.of(old.version_id)
        new = _make(session, learner, old.version_id, course, old, issued_at=old.issued_at, until=old.valid_until)
        old.revoked_at, old.revoked_because = utcnow(), REPLACED
        _did(session, account, "certificate.reissue", new, {"replaces": old.serial, "serial": new.serial})
        return new


def _held_here(session: Session, account: Account, serial: str) -> Certificate:
    """Only who trains for the whole district takes back and gives back, wherever the holder lives."""
    require_in(account, TRAINER, [current_settings().district])
    audit.serialise(session)
    one = session.execute(select(Certificate).where(Certificate.serial == serial)).scalar_one_or_none()
    if one is None:
        raise LookupError(serial)
    return one


def _did(session: Session, account: Account, action: str, one: Certificate, details: dict[str, Any]) -> None:
    session.flush()
    audit.append(session, account.actor, action, _subject(one), {"course": one.slug, "serial": one.serial} | details)
    if one.learner_id is not None:
        standing.touch(session, one.learner_id, one.slug)


def check_reason(text: str) -> str:
    """The reason as it is kept. Raises Invalid at `reason`."""
    reason = " ".join(text.split())
    if len(reason) < 4:
        raise Invalid.one("reason", _l("Say why, in a few words: it is kept, and others will ask."))
    if len(reason) > LONGEST_REASON:
        raise Invalid.one("reason", _l("A reason has at most %(n)s characters.", n=LONGEST_REASON))
    return reason


# -- what is sealed ------------------------------------------------------------------------------------------
def name_on(one: Certificate) -> str | None:
    """The name as it was printed; None where the holder has left. Raises RuntimeError under another key."""
    return _opened(one.name_sealed, _place(one)) if one.name_sealed is not None else None


def token_of(one: Certificate) -> str | None:
    """The signed credential; None where the holder has left."""
    return _opened(base64.b64decode(one.credential), f"{_place(one)}.credential") if one.credential else None


def _opened(sealed: bytes, place: str) -> str:
    try:
        return own.seal().open(sealed, place)
    except InvalidTag as error:
        raise RuntimeError("a certificate cannot be opened: ANLAN_PHONE_KEY is not the key that sealed it, or it was"
                           " changed") from error


def _place(one: Certificate) -> str:
    return f"certificate.{one.id}"


def _subject(one: Certificate) -> str:
    return f"certificate:{one.serial}"


def addresses() -> credential.Addresses:
    return credential.Addresses(current_settings().base_url)


def authority() -> dict[str, str]:
    settings = current_settings()
    return {"zh": settings.authority_zh, "en": settings.authority_en}


# -- what happens elsewhere ----------------------------------------------------------------------------------
def after_touch(session: Session, learner_id: int, slug: str) -> None:
    """For :data:`portal.training.standing.AFTER_TOUCH`. The row was recounted just now: most who open a lesson are far from a
    certificate, and cost one look; who passed the exam and not yet the practical part, two."""
    row = session.get(Enrolment, (learner_id, slug))
    if row is None or row.theory_at is None:
        return
    if row.certified_until is None and row.practical_at is None and (
            loaded := courses_store.current(slug)) is not None and loaded[1].checklists:
        return  # the second gate is closed, and nothing is there to be renewed
    issue_if_due(session, learner_id, slug)


def before_erasure(session: Session, learner: Learner) -> None:
    """For :data:`portal.training.learners.own.BEFORE_ERASURE`: our copy of the credential goes, with the hash of the name, and
    what was still to be said to the phone."""
    for one in session.execute(select(Certificate.id).where(Certificate.learner_id == learner.id)).scalars():
        notices.withdraw(session, f"certificate.{one}.")
    session.execute(update(Certificate).where(Certificate.learner_id == learner.id).values(credential=""))


standing.AFTER_TOUCH.append(after_touch)
own.BEFORE_ERASURE.append(before_erasure)
