"""The demonstration: a district with people, horns, shelters, two past warnings and a draft that waits for approval."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime, timedelta

from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal import current_settings
from portal.channels.speakers import demo as speakers
from portal.channels.speakers import registry
from portal.core import audit
from portal.core.clock import local, utcnow
from portal.core.db import db, transaction
from portal.identity import demo as people
from portal.identity.models import Account
from portal.regions import demo as regions
from portal.regions import lookup
from portal.reports import demo as reports
from portal.shelters import demo as shelters
from portal.subscribers import demo as subscribers
from portal.subscribers.roster import demo as rosters
from portal.subscribing import demo as subscribing
from portal.training import demo as training
from portal.warnings import bulletins, drafts, hazards, review, words
from portal.warnings.models import ALERT, CANCEL, EDITING, ISSUED, SUBMITTED, Warning

Step = Callable[[str, str], AbstractContextManager[None]]

SUBSCRIBERS = 20_000
#: The act in the audit trail that says that everything is there.
FILLED = "demo.filled"
#: (hazard, tier, regions, days ago, hours in force): warnings that were, on the public page only.
PAST = (("11B03", "orange", ["440310003000", "440310002000"], 12, 5), ("11B01", "blue", ["440310000000"], 40, 20))
#: The draft that waits: 暴雨红色预警 for two streets.
WAITING = ("11B03", "red", ["440310001000", "440310005000"], 6)


def fill(app: Flask, step: Step) -> None:
    """Bring in what is missing; a second start finds all of it there and is quick."""
    with app.app_context():
        settings = current_settings()
        if lookup.get(settings.district) is None:
            with step("坪山区行政区划已导入", "regions of Pingshan imported"):
                regions.seed()
        people.seed()
        shelters.seed(step)  # also where an earlier version has filled the rest
        training.seed(step)
        rosters.seed(step)
        subscribing.seed(step)
        reports.seed(step)
        if _filled():
            return
        with step(f"{SUBSCRIBERS:,} 名演示订阅者", f"{SUBSCRIBERS:,} sandbox subscribers"):
            subscribers.seed(settings.district, SUBSCRIBERS)
        with step(
            f"{settings.simulated_speakers} 个模拟喇叭", f"{settings.simulated_speakers} simulated loudspeakers registered"
        ):
            speakers.seed(settings.simulated_speakers, settings.district)
        with step("两条历史预警和一份待审草稿", "two past warnings, one draft waiting for approval"):
            for past in PAST:
                _past_warning(*past)
            _waiting_draft(*WAITING)
            with transaction() as session:
                audit.append(session, audit.SYSTEM, FILLED, f"region:{settings.district}")


def _filled() -> bool:
    """Whether an earlier start came to its end. What a broken-off one left is taken up, not made twice."""
    return db.session.execute(select(audit.AuditEntry.seq).where(audit.AuditEntry.action == FILLED)).first() is not None


@contextlib.contextmanager
def horns(app: Flask, step: Step) -> Iterator[str]:
    """An embedded broker with simulated loudspeakers on it; its URL."""
    from portal.channels.speakers.broker import EmbeddedBroker
    from portal.channels.speakers.simulator import Simulator
    from portal.core import keys

    settings = app.extensions["anlan"]
    broker = EmbeddedBroker(settings.mqtt_embedded_port)
    with step("MQTT 服务已启动", "MQTT broker started"):
        url = broker.start()
    with app.app_context():
        addresses = list(registry.all_addresses("mqtt", demonstration=True))
    offline, failing = speakers.faults(addresses)
    simulator = Simulator(
        url, settings.mqtt_topic, keys.speaker_key(settings).public_key(), addresses, offline=offline, failing=failing
    )
    with step(f"{len(addresses)} 个模拟喇叭正在上线", f"{len(addresses)} simulated loudspeakers are connecting"):
        simulator.start()
    try:
        yield url
    finally:
        simulator.stop()
        broker.stop()


def _account(username: str) -> Account:
    return db.session.execute(select(Account).where(Account.username == username)).scalar_one()


def _content(
    kind: str,
    warning_id: uuid.UUID | None,
    hazard_code: str,
    tier: str,
    region_codes: list[str],
    begin: datetime | None,
    expires: datetime,
) -> drafts.Content:
    text = words.first(
        kind,
        hazards.catalogue().hazards[hazard_code],
        tier,
        region_codes,
        onset=begin,
        expires=expires,
        exercise=False,
        settings=current_settings(),
    )
    aim = {"regions": region_codes, "area": None, "audiences": [], "channels": ["sms", "speakers"]}
    return drafts.Content(kind, warning_id, False, hazard_code, tier, aim, None, expires, text)


def _whole_minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def _waiting_draft(hazard: str, tier: str, region_codes: list[str], hours: int) -> None:
    if drafts.listing(statuses=(SUBMITTED,)):
        return
    now = _whole_minute(utcnow())
    author = _account("drafter")
    left = drafts.listing(statuses=(EDITING,))
    draft = left[0] if left else drafts.create(
        author, _content(ALERT, None, hazard, tier, region_codes, now, now + timedelta(hours=hours)))
    review.move(author, draft.id, review.SUBMIT, version=draft.version)


def _past_warning(hazard: str, tier: str, region_codes: list[str], days: int, hours: int) -> None:
    """A warning as it would have been issued and ended then. It went nowhere but to the page: it has no dispatches."""
    if db.session.execute(select(Warning.id).where(Warning.hazard == hazard, Warning.tier == tier)).first():
        return
    begin = _whole_minute(utcnow() - timedelta(days=days))
    end = begin + timedelta(hours=hours)
    author, approver = _account("drafter"), _account("approver")
    first = _content(ALERT, None, hazard, tier, region_codes, begin, end + timedelta(hours=2))
    with transaction() as session:  # both or none: half of it would be a warning that simply expired
        warning_id = _frozen_then(session, author, approver, first, begin)
        last = _content(CANCEL, warning_id, hazard, tier, region_codes, end, end + timedelta(hours=3))
        _frozen_then(session, author, approver, last, end)


def _frozen_then(session: Session, author: Account, approver: Account, content: drafts.Content, moment: datetime) -> uuid.UUID:
    content = drafts.check(content, complete=False, settings=current_settings(), now=moment)
    draft = drafts.filed(author, content, moment)
    draft.status, draft.submitted_at, draft.submitted_by, draft.submitter_id = ISSUED, moment, author.display_name, author.id
    session.add(draft)
    session.flush()
    bulletin = bulletins.freeze(session, draft, approver, now=moment)
    audit.append(
        session,
        audit.SYSTEM,
        "demo.bulletin",
        f"bulletin:{bulletin.id}",
        {"sent": f"{local(moment, current_settings().timezone):%Y-%m-%d %H:%M}", "number": bulletin.warning_number},
    )
    return bulletin.warning_id
