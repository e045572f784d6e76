"""Telling keepers by text message that their shelter is to be opened: once per decision, with what came of it.

What was told stands in the audit trail beside the decision: `opening.texts_begin` before the first message leaves, so that
no second request sends them again, and `opening.texts` with the counts afterwards.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidTag
from flask import current_app
from flask_babel import force_locale
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select

from portal import current_settings
from portal.channels.sms import aside
from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.core.errors import Conflict
from portal.core.phones import PhoneBook
from portal.identity.models import Account
from portal.shelters.living import keepers
from portal.shelters.living.opening import OPENED, may_open
from portal.shelters.models import Keeper, Opening
from portal.shelters.registry import store
from portal.warnings import bulletins, hazards

BEGIN, DONE = "opening.texts_begin", "opening.texts"
#: Keepers told at once, and the seconds that it may take.
MOST, SECONDS = 500, 25
#: After this a telling that never ended (its process was stopped) may be done again.
ABANDONED = timedelta(minutes=2)
LASTS = timedelta(hours=6)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Told:
    """`state`: none, running, broken (begun and never ended) or done. `sent` were taken by the carrier; `failed` are the
    keepers that were not; `left_out`: keepers beyond what is told at once."""

    state: str
    at: datetime | None = None
    sent: int = 0
    failed: tuple[int, ...] = ()
    left_out: int = 0


def told(opening: Opening) -> Told:
    """How far telling the keepers of a decision has come."""
    entries = _entries(opening)
    if not entries:
        return Told("none")
    last = entries[-1]
    if last.action == BEGIN:
        return Told("running" if last.at > utcnow() - ABANDONED else "broken", last.at)
    done: dict[str, Any] = last.details
    sent = sum(int(e.details.get("sent", 0)) for e in entries if e.action == DONE)
    return Told("done", last.at, sent, tuple(done.get("failed", ())), int(done.get("left_out", 0)))


def tell(account: Account, opening: Opening, *, again: bool = False) -> Told:
    """Text the active keepers of the opened shelters that the account's duty covers, unless that was done or is being done:
    then nothing is sent. `again` tells those whom the last time did not reach. Keepers of other shelters stay as not reached.
    Outside any transaction; the carrier's faults are counted, not raised."""
    if opening.decision != OPENED:
        raise Conflict(_l("Only opening is told to keepers."))
    with transaction() as session:
        audit.serialise(session)
        before = told(opening)
        if before.state == "running" or (before.state == "done" and not (again and before.failed)):
            return before
        audit.append(session, _actor(account), BEGIN, _subject(opening), {"number": opening.warning_number})
    found = keepers.of_shelters(opening.shelter_ids, MOST + 1)
    if before.failed:
        found = [k for k in found if k.id in before.failed]
    left_out = keepers.count_of(opening.shelter_ids) - MOST if len(found) > MOST else 0
    own = {s.id for s in store.by_ids(opening.shelter_ids).values() if may_open(account, s)}
    failed, sent = _send(opening, [k for k in found[:MOST] if k.shelter_id in own])
    failed |= {k.id for k in found[:MOST] if k.shelter_id not in own}
    with transaction() as session:
        audit.append(session, _actor(account), DONE, _subject(opening), {
            "number": opening.warning_number, "sent": sent, "failed": sorted(failed), "left_out": left_out,
            "exercise": opening.exercise})
    return told(opening)


def _send(opening: Opening, found: list[Keeper]) -> tuple[set[int], int]:
    """Who was not reached, and how many messages were taken. A phone that keeps several shelters gets one message."""
    book: PhoneBook = current_app.extensions["phones"]
    groups: dict[str, dict[str, list[Keeper]]] = defaultdict(lambda: defaultdict(list))
    failed: set[int] = set()
    for keeper in found:
        try:
            groups[keeper.language][book.open(bytes(keeper.phone_sealed))].append(keeper)
        except InvalidTag:  # sealed under a key that was lost since
            failed.add(keeper.id)
    sent, expires_at = 0, utcnow() + LASTS
    for language, phones in groups.items():
        numbers = {str(n): phone for n, phone in enumerate(phones)}
        taken = dict.fromkeys(numbers, aside.NOT_TAKEN)
        try:
            taken = aside.send(_body(opening, language), numbers, expires_at=expires_at, seconds=SECONDS / len(groups))
        except Exception as error:  # whatever the carrier's library throws; its text may hold numbers
            log.error("keepers could not be told: %s", type(error).__name__)
        sent += sum(outcome == aside.TAKEN for outcome in taken.values())
        failed |= {k.id for key, phone in numbers.items() if taken[key] != aside.TAKEN for k in phones[phone]}
    return failed, sent


def _body(opening: Opening, language: str) -> str:
    bulletin = bulletins.get(opening.bulletin_id)
    hazard = hazards.catalogue().name(bulletin.hazard, language) if bulletin else ""
    tier = hazards.TIER_NAMES[bulletin.tier][language] if bulletin else ""
    url = f"{current_settings().base_url}/staff/"
    with force_locale(language):
        if opening.exercise:
            text = _("DRILL, DRILL: warning %(number)s (%(hazard)s, %(tier)s). Act as if to open your shelter, and report at"
                     " %(url)s. There is no real danger.", tier=tier, hazard=hazard, number=opening.warning_number, url=url)
        else:
            text = _("Warning %(number)s (%(hazard)s, %(tier)s): open your shelter now, and report its state at %(url)s",
                     tier=tier, hazard=hazard, number=opening.warning_number, url=url)
        return aside.signed(text, language)


def _entries(opening: Opening) -> list[audit.AuditEntry]:
    query = select(audit.AuditEntry).where(
        audit.AuditEntry.subject == _subject(opening), audit.AuditEntry.action.in_((BEGIN, DONE)))
    return list(db.session.execute(query.order_by(audit.AuditEntry.seq)).scalars())


def _subject(opening: Opening) -> str:
    return f"opening:{opening.id}"


def _actor(account: Account) -> audit.Actor:
    return audit.Actor(str(account.id), account.display_name)
