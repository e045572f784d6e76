"""Certificates as they stand: by serial, of a learner, with what became of each."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext
from sqlalchemy import select

from portal.core.clock import utcnow
from portal.core.db import db
from portal.training import courses_store
from portal.training.certificate_models import Certificate
from portal.training.certificates import issue, letters, sheet, status_list
from portal.training.content.values import Course
from portal.warnings.hazards import Phrase

#: How a certificate stands.
VALID, EXPIRED, REVOKED, REPLACED, RENEWED, UNKNOWN = "valid", "expired", "revoked", "replaced", "renewed", "unknown"
#: The state in a word, and the sign beside it.
WORDS = {VALID: _l("Valid"), EXPIRED: lazy_pgettext("certificate", "Expired"),
         REVOKED: _l("Revoked"), REPLACED: _l("Replaced by another certificate"), RENEWED: _l("Renewed by another certificate"),
         UNKNOWN: _l("Not known")}
SIGNS = {VALID: "✓", EXPIRED: "◷", REVOKED: "✕", REPLACED: "↪", RENEWED: "↻", UNKNOWN: "?"}


@dataclass(frozen=True, slots=True)
class Shown:
    """A certificate for eyes: `state` of the above, `by` the serial that took its place, `course` in the version of that day."""

    row: Certificate
    state: str
    by: str
    course: Course

    @property
    def title(self) -> Phrase:
        return self.course.title

    @property
    def word(self) -> Any:
        return WORDS[self.state]

    @property
    def sign(self) -> str:
        return SIGNS[self.state]


def state(row: Certificate, successor: Certificate | None, now: datetime) -> str:
    """`successor`: the certificate that renews or replaces this one, if there is one."""
    if row.revoked_at is not None:
        return REPLACED if row.revoked_because == issue.REPLACED and successor is not None else REVOKED
    if successor is not None and (successor.revoked_at is None or successor.revoked_because == issue.REPLACED):
        return RENEWED
    return EXPIRED if row.valid_until is not None and row.valid_until < now else VALID


def by_serial(serial: str) -> Shown | None:
    row = db.session.execute(select(Certificate).where(Certificate.serial == serial)).scalar_one_or_none()
    return shown([row])[0] if row is not None else None


def of_learner(learner_id: int, slug: str | None = None) -> list[Shown]:
    """All certificates of a learner, the newest first."""
    mine = select(Certificate).where(Certificate.learner_id == learner_id)
    if slug is not None:
        mine = mine.where(Certificate.slug == slug)
    return shown(db.session.execute(mine.order_by(Certificate.issued_at.desc(), Certificate.id.desc())).scalars().all())


def shown(rows: Sequence[Certificate]) -> list[Shown]:
    """Rows with their states; one query for all that took their places."""
    now, after = utcnow(), _successors(row.id for row in rows)
    found = []
    for row in rows:
        next_one = after.get(row.id)
        how = state(row, next_one, now)
        by = next_one.serial if next_one is not None and how in (RENEWED, REPLACED) else ""
        found.append(Shown(row, how, by, courses_store.of(row.version_id)))
    return found


def _successors(ids: Iterable[Any]) -> dict[Any, Certificate]:
    wanted = list(ids)
    if not wanted:
        return {}
    rows = db.session.execute(select(Certificate).where(Certificate.renews.in_(wanted))).scalars()
    return {row.renews: row for row in sorted(rows, key=lambda row: row.issued_at)}


def masked(name: str | None) -> str:
    """As much of a name as lets somebody who knows it recognise it: ``王**``, ``W**``; empty for none."""
    first = next((c for c in unicodedata.normalize("NFC", name or "") if not c.isspace()), "")
    return f"{first}**" if first else ""


def revoked_places(number: int) -> list[int]:
    """Places within the list `number` whose certificates are taken back, replaced ones too: nobody shall rely on them."""
    first = number * status_list.SIZE
    rows = select(Certificate.status_index).where(
        Certificate.revoked_at.is_not(None), Certificate.status_index.between(first, first + status_list.SIZE - 1))
    return [index - first for index in db.session.execute(rows).scalars()]


def printed(one: Shown, name: str, token: str, rare: str, day: Any) -> sheet.Printed:
    """What is printed; `day` makes a date in the district's zone of a moment."""
    course, row = one.course, one.row
    practice = bool(course.checklists)
    return sheet.Printed(
        name=name, title={"zh": course.title["zh"], "en": course.title["en"]}, hours=_hours(course),
        checked={"zh": "经理论考试和实操考核" if practice else "经理论考试",
                 "en": "its theory exam and practical assessments" if practice else "its theory exam"},
        authority=issue.authority(), serial=row.serial, issued=day(row.issued_at),
        until=day(row.valid_until) if row.valid_until is not None else None, renewed=_is_renewal(row),
        address=issue.addresses().certificate(row.serial), token=token, rare=rare)


def _is_renewal(row: Certificate) -> bool:
    """One that was written anew under another name has the moment of the one before, and is a renewal if that was one."""
    before: Certificate | None = row
    for _name in range(20):
        before = db.session.get(Certificate, before.renews) if before is not None and before.renews is not None else None
        if before is None or before.issued_at != row.issued_at:
            break
    return before is not None and before.issued_at != row.issued_at


def _hours(course: Course) -> dict[str, str]:
    parts = [("理论", "of theory", course.hours.theory), ("实操", "of practice", course.hours.practical),
             ("考核", "of assessment", course.hours.assessment)]
    there = [(zh, en, f"{hours.normalize():f}") for zh, en, hours in parts if hours]
    return {"zh": "、".join(f"{zh}{n}学时" for zh, _en, n in there), "en": ", ".join(f"{n} h {en}" for _zh, en, n in there)}


def lacking(name: str | None, rare: str) -> str:
    """The code points of a name that are printed as 〓; empty for none."""
    return letters.line(name, rare=rare).note if name else ""
