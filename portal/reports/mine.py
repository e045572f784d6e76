"""What a reporter sees of a report, and may do with it: whoever has the code, and nobody else."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flask_babel import lazy_gettext as _l
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from portal.channels.sms import codes as texts
from portal.channels.sms import notices
from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.core.errors import Conflict, Invalid
from portal.core.phones import mask, parse
from portal.reports import codes, place, seals
from portal.reports.models import CLOSED, DECLINED, DUPLICATE, NEW, RESOLVED, DangerReport, ReportEvent, ReportPhoto

#: The door of one-time codes that prove a reporter's telephone.
PURPOSE = "report"
#: What a reporter may add to one report.
MOST_SAID, LONGEST_SAID = 10, 500
#: What of a report's story the reporter reads.
TOLD = ("received", "state", "answer", "said", "merged", "proved", "erased")


@dataclass(frozen=True)
class Step:
    """A line of the story. `state` where it changed."""

    kind: str
    state: str | None
    words: str
    at: datetime


@dataclass(frozen=True)
class Mine:
    """A report as its reporter sees it. `phone` is masked."""

    report: DangerReport
    code: str
    words: str
    place: str
    community: str
    phone: str
    steps: list[Step]
    photos: list[int]

    @property
    def may_say(self) -> bool:
        return self.report.erased_at is None and sum(s.kind == "said" for s in self.steps) < MOST_SAID


def find(code: str) -> DangerReport | None:
    """The report that a code, as `codes.read` gives it, belongs to."""
    if not code:
        return None
    return db.session.scalar(select(DangerReport).where(DangerReport.code_hash == codes.code_hash(code)))


def of(report: DangerReport, code: str, language: str) -> Mine:
    """Everything that its reporter may see. What staff answered to the report that this one was merged into is among it."""
    phone = seals.phone_of(report)
    return Mine(report, code, seals.words_of(report), seals.place_of(report), place.label(report.region_code, language),
                mask(phone) if phone else "", _steps(report), _photos(report.id))


def _steps(report: DangerReport) -> list[Step]:
    ids = [report.id] + ([report.duplicate_of] if report.state == DUPLICATE and report.duplicate_of else [])
    rows = db.session.scalars(select(ReportEvent).where(ReportEvent.report_id.in_(ids), ReportEvent.kind.in_(TOLD))
                              .order_by(ReportEvent.at, ReportEvent.id))
    # Of the other reporter's story only what staff say of the danger itself.
    return [Step(row.kind, row.state, seals.event_of(row), row.at) for row in rows
            if row.report_id == report.id or row.kind in ("answer", "state")]


def _photos(report_id: uuid.UUID) -> list[int]:
    return list(db.session.scalars(select(ReportPhoto.position).where(ReportPhoto.report_id == report_id)
                                   .order_by(ReportPhoto.position)))


def photo(report: DangerReport, position: int, *, small: bool = False) -> bytes | None:
    """One photo as JPEG."""
    row = db.session.scalar(select(ReportPhoto).where(ReportPhoto.report_id == report.id, ReportPhoto.position == position))
    return seals.photo_of(row, small=small) if row is not None else None


# -- acts ----------------------------------------------------------------------------------------------------
def locked(session: Session, report_id: uuid.UUID) -> DangerReport:
    """The report as it is now, held until the transaction ends, after the trail's place in the queue. Raises Conflict."""
    audit.serialise(session)
    row = session.execute(select(DangerReport).where(DangerReport.id == report_id).with_for_update()
                          .execution_options(populate_existing=True)).scalar_one_or_none()
    if row is None:
        raise Conflict(_l("This report does not exist any more."))
    return row


def add(session: Session, report: DangerReport, kind: str, words: str = "", *, state: str | None = None, about: str = "",
        account: str = "") -> ReportEvent:
    """Write a step of the story, in the caller's transaction."""
    row = ReportEvent(report_id=report.id, kind=kind, state=state, words_sealed=seals.event(report.id, words), about=about,
                      account=account, at=utcnow())
    session.add(row)
    return row


def note(session: Session, report: DangerReport, action: str, **details: object) -> None:
    """An act of the reporter, or of the clock, in the trail."""
    audit.append(session, audit.SYSTEM, action, f"report:{report.number}", {"region": report.region_code, **details})


def say(report: DangerReport, words: str) -> None:
    """The reporter adds something. What staff had closed is new again: the danger may still be there. Raises Invalid."""
    words = " ".join(words.split())
    if not 2 <= len(words) <= LONGEST_SAID:
        raise Invalid.one("say", _l("Write what is new, in at most %(most)s signs.", most=LONGEST_SAID))
    with transaction() as session:
        row = locked(session, report.id)
        said = session.scalar(select(func.count()).where(ReportEvent.report_id == row.id, ReportEvent.kind == "said")) or 0
        if said >= MOST_SAID or row.erased_at is not None:
            raise Invalid.one("say", _l("Nothing more can be added to this report. Send a new one if the danger is a new one."))
        add(session, row, "said", words)
        _wake(session, row)
        if row.state == DUPLICATE and (main := session.get(DangerReport, row.duplicate_of, with_for_update=True)) is not None:
            add(session, main, "note", about=f"said:{row.number}")
            _wake(session, main)
        note(session, row, "report.said")


def _wake(session: Session, row: DangerReport) -> None:
    """Let staff see that there is something new: whoever has it open reads it before deciding."""
    row.version += 1
    if row.state in (RESOLVED, DECLINED):
        row.state, row.state_at, row.state_by = NEW, utcnow(), ""
        add(session, row, "state", state=NEW)


def number_to_prove(report: DangerReport, phone: str) -> str:
    """The telephone that was typed, the report's own where nothing was, in E.164. Raises Invalid."""
    if report.erased_at is not None:
        raise _erased()
    number = _number(phone) if phone.strip() else seals.phone_of(report)
    if not number:
        raise Invalid.one("phone", _l("Write your mobile number."))
    return number


def _erased() -> Invalid:
    return Invalid.one("", _l("What you wrote was erased, and your telephone with it. If there is more to say, send a new"
                              " report."))


def send_code(number: str, language: str) -> None:
    """Send a code that proves the telephone. Raises Invalid where there were too many."""
    texts.send_code(number, PURPOSE, language)


def _number(typed: str) -> str:
    try:
        return parse(typed.strip())
    except ValueError as error:
        raise Invalid.one("phone", _l("This cannot be a phone number. Write it as 13800000000 or +8613800000000.")) from error


def prove(report: DangerReport, number: str, code: str) -> None:
    """The telephone is the reporter's, if the code is right. Raises Invalid."""
    number = _number(number)
    if not texts.check_code(number, PURPOSE, code):
        raise Invalid.one("code", _l("This code is wrong, older than 10 minutes, or was tried too often. Try again, or ask for a"
                                     " new one."))
    with transaction() as session:
        row = locked(session, report.id)
        if row.erased_at is not None:  # nothing would erase the telephone once more
            raise _erased()
        row.phone_sealed, row.phone_index, row.phone_proved_at = seals.book().seal(number), seals.book().index(number), utcnow()
        row.doubtful = False
        add(session, row, "proved")
        note(session, row, "report.prove")


def forget_phone(report: DangerReport) -> None:
    """Take the telephone away; the report stays."""
    with transaction() as session:
        row = locked(session, report.id)
        row.phone_sealed = row.phone_index = row.phone_proved_at = None
        notices.withdraw(session, notice_ref(row))
        note(session, row, "report.forget_phone")


def withdraw(report: DangerReport) -> None:
    """Erase all that the reporter wrote and photographed. Where staff did not close it yet, it is closed."""
    with transaction() as session:
        row = locked(session, report.id)
        if row.erased_at is not None:
            return
        erase(session, row)
        if row.state not in CLOSED:
            row.state, row.state_at, row.state_by = DECLINED, utcnow(), ""
        row.version += 1
        add(session, row, "erased")
        note(session, row, "report.withdraw")


def erase(session: Session, row: DangerReport) -> None:
    """Take away what tells of people: words, photos, telephone, the exact point. What kind of danger it was, in which community,
    and what became of it stays, for the figures."""
    session.execute(delete(ReportPhoto).where(ReportPhoto.report_id == row.id))
    notices.withdraw(session, notice_ref(row))
    written = select(ReportEvent).where(ReportEvent.report_id == row.id, ReportEvent.words_sealed.is_not(None))
    for event in session.scalars(written):
        event.words_sealed = None
    row.words_sealed = row.place_sealed = row.phone_sealed = row.phone_index = row.phone_proved_at = None
    row.longitude = row.latitude = None
    row.photos, row.erased_at = 0, utcnow()


def notice_ref(row: DangerReport) -> str:
    """How the refs of text messages about a report begin."""
    return f"report.{row.id}."


def read_codes(cookie: str) -> Sequence[str]:
    """The codes in the cookie of a phone, the newest first."""
    return [code for part in cookie[:200].split(".") if (code := codes.read(part))]
