"""What staff do with reports: look, decide, answer, merge. Whoever drafts warnings for a community triages its reports; one of no
known community is the whole district's matter. Each act is in the trail, and none of them tells what a resident wrote."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from flask_babel import force_locale
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal import current_settings
from portal.channels.sms import notices
from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import transaction
from portal.core.errors import Conflict, Invalid
from portal.identity.models import Account
from portal.identity.rights import DRAFTER, SHELTERS, may_in, require_in
from portal.regions import codes, lookup
from portal.reports import mine, seals, states
from portal.reports.models import DUPLICATE, NEW, DangerReport

LONGEST = 500
#: Until when a reporter is told of an answer by text message; and how many are told of one report.
TELL_UNTIL, MOST_TOLD = timedelta(hours=24), 50


#: Who may read reports; of them only the first decides about one, and only the second makes an obstruction of it.
READERS = (DRAFTER, SHELTERS)


def may(account: Account, report: DangerReport) -> bool:
    """Whether the account triages this report."""
    return may_in(account, DRAFTER, [report.region_code])


def may_see(account: Account, report: DangerReport) -> bool:
    return any(may_in(account, role, [report.region_code]) for role in READERS)


def _locked(session: Session, account: Account, report_id: uuid.UUID, version: int | None) -> DangerReport:
    """Raises Forbidden, Conflict. `version` None: whatever happened meanwhile does not matter."""
    row = mine.locked(session, report_id)
    require_in(account, DRAFTER, [row.region_code])
    if version is not None and row.version != version:
        raise Conflict(_l("Somebody else worked on this report, or its reporter added something, while you had it open. Nothing"
                          " was changed: look at it as it is now."))
    return row


def _note(session: Session, account: Account, row: DangerReport, action: str, **details: Any) -> None:
    row.version += 1
    audit.append(session, account.actor, action, f"report:{row.number}", {"region": row.region_code, **details})


def tidy(words: str, field: str, *, needed: bool = True) -> str:
    """What staff wrote, in its one form. Raises Invalid at `field`."""
    words = "\n".join(" ".join(line.split()) for line in words.replace("\r\n", "\n").strip().split("\n")).strip()
    if needed and len(words) < 2:
        raise Invalid.one(field, _l("Write a few words."))
    if len(words) > LONGEST:
        raise Invalid.one(field, _l("This is longer than %(most)s signs: shorten it.", most=LONGEST))
    return words


def move(account: Account, report_id: uuid.UUID, version: int, state: str, words: str = "") -> DangerReport:
    """Take a step of `states.MOVES`; `words` are told to the reporter with it. Raises Invalid, Forbidden, Conflict."""
    words = tidy(words, "words", needed=state in states.NEEDS_WORDS)
    with transaction() as session:
        row = _locked(session, account, report_id, version)
        if state not in states.MOVES[row.state]:
            raise Conflict(_l("This step is not possible from where the report stands now."))
        row.duplicate_of = None
        _set(row, account, state)
        mine.add(session, row, "state", words, state=state, account=account.display_name)
        _note(session, account, row, "report.state", stands=state)
        if words:
            _tell(session, row)
    return row


def _set(row: DangerReport, account: Account, state: str) -> None:
    row.state, row.state_at, row.state_by = state, utcnow(), account.display_name


def answer(account: Account, report_id: uuid.UUID, words: str) -> DangerReport:
    """Say something to the reporter, and to those whose reports were merged into it. Raises Invalid, Forbidden, Conflict."""
    words = tidy(words, "answer")
    with transaction() as session:
        row = _locked(session, account, report_id, None)
        mine.add(session, row, "answer", words, account=account.display_name)
        _note(session, account, row, "report.answer")
        _tell(session, row)
    return row


def keep_note(account: Account, report_id: uuid.UUID, words: str) -> DangerReport:
    """Write down something for colleagues only. Raises Invalid, Forbidden, Conflict."""
    words = tidy(words, "note")
    with transaction() as session:
        row = _locked(session, account, report_id, None)
        mine.add(session, row, "note", words, account=account.display_name)
        _note(session, account, row, "report.note")
    return row


def _tell(session: Session, row: DangerReport) -> None:
    """Tell by text message those who confirmed their telephone that there is an answer; what it says is behind the code."""
    told = [row, *session.scalars(select(DangerReport).where(DangerReport.duplicate_of == row.id).limit(MOST_TOLD))]
    for one in told:
        if one.phone_sealed is None or one.phone_proved_at is None:
            continue
        with force_locale(one.language):
            body = _("There is an answer to your report no. %(number)d. Read it with your code: %(url)s", number=one.number,
                     url=f"{current_settings().base_url}/report/follow")
        # Of which report the answer is, and which of its: one that was merged had answers of its own before.
        notices.queue(session, f"{mine.notice_ref(one)}{row.number}.{row.version}", one.phone_sealed, body, utcnow() + TELL_UNTIL)


def merge(account: Account, report_id: uuid.UUID, version: int, into_number: int) -> DangerReport:
    """Say that it tells of the same as another report, which stays; its reporter reads the other's answers from now on. Reports
    that were merged into it go along. Raises Invalid, Forbidden, Conflict."""
    with transaction() as session:
        row = _locked(session, account, report_id, version)
        target = session.scalar(select(DangerReport).where(DangerReport.number == into_number).with_for_update())
        if target is None or target.id == row.id:
            raise Invalid.one("into", _l("There is no other report with this number."))
        require_in(account, DRAFTER, [target.region_code])
        if target.state == DUPLICATE:
            raise Invalid.one("into", _l("That report was itself merged into another: give the number of that one."))
        if row.state == DUPLICATE:
            raise Conflict(_l("This step is not possible from where the report stands now."))
        for other in session.scalars(select(DangerReport).where(DangerReport.duplicate_of == row.id).with_for_update()):
            other.duplicate_of = target.id
        row.duplicate_of = target.id
        _set(row, account, DUPLICATE)
        mine.add(session, row, "merged", about=str(target.number), account=account.display_name)
        mine.add(session, target, "note", "", about=f"merged:{row.number}", account=account.display_name)
        _note(session, account, row, "report.merge", into=target.number)
    return row


def set_region(account: Account, report_id: uuid.UUID, version: int, region_code: str) -> DangerReport:
    """Hand it to the community where it belongs. The account needs no duty there: whoever sees that it is elsewhere must be able
    to hand it over. Raises Invalid, Forbidden, Conflict."""
    node = lookup.get(region_code) if codes.is_code(region_code) else None
    if node is None or not codes.contains(current_settings().district, region_code):
        raise Invalid.one("region", _l("Choose a community of the district."))
    with transaction() as session:
        row = _locked(session, account, report_id, version)
        before, row.region_code = row.region_code, node.code
        mine.add(session, row, "region", about=node.code, account=account.display_name)
        _note(session, account, row, "report.region", before=before)
    return row


def reveal(account: Account, report_id: uuid.UUID) -> str:
    """The reporter's telephone, to call it; that somebody looked is in the trail. Raises Forbidden, Conflict."""
    with transaction() as session:
        row = _locked(session, account, report_id, None)
        number = seals.phone_of(row)
        if not number:
            raise Conflict(_l("The reporter left no telephone, or took it away."))
        mine.add(session, row, "revealed", account=account.display_name)
        _note(session, account, row, "report.reveal")
    return number


def link(session: Session, account: Account, report_id: uuid.UUID, *, obstruction_id: uuid.UUID | None = None,
         draft_id: uuid.UUID | None = None) -> DangerReport:
    """Remember what became of it, in the caller's transaction. A new report counts as being dealt with from then on. The account
    needs its duty for what was made, and sees the report; no duty for drafts is asked again. Raises Conflict."""
    row = mine.locked(session, report_id)
    kind, made = ("obstruction", obstruction_id) if obstruction_id else ("draft", draft_id)
    row.obstruction_id, row.draft_id = obstruction_id or row.obstruction_id, draft_id or row.draft_id
    mine.add(session, row, kind, about=str(made), account=account.display_name)
    if "acting" in states.MOVES[row.state] and row.state in (NEW, "accepted"):
        _set(row, account, "acting")
        mine.add(session, row, "state", state="acting", account=account.display_name)
    _note(session, account, row, f"report.{kind}", made=str(made))
    return row
