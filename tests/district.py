"""A small district for tests: the demonstration's regions, offices with duties, subscribers, horns."""

from __future__ import annotations

import uuid
from datetime import timedelta
from pathlib import Path

from sqlalchemy import func, insert, select

from portal import current_settings
from portal.channels.speakers.models import Speaker
from portal.config import TIERS
from portal.core import audit
from portal.core.audit import AuditEntry
from portal.core.clock import utcnow
from portal.core.db import db, transaction, uuid7
from portal.core.i18n import LANGUAGES
from portal.identity.models import Account, Duty
from portal.identity.rights import APPROVER, DRAFTER
from portal.regions import demo as regions
from portal.regions import lookup
from portal.regions.models import Region, RegionStamp
from portal.subscribers import demo as people
from portal.subscribers import store
from portal.subscribers.crowd import NOT_TOLD, Crowd, language_of
from portal.subscribers.matter import Matter
from portal.warnings import drafts, hazards, review, words
from portal.warnings.models import ALERT, Draft

DISTRICT = "440310000000"
PINGSHAN, KENGZI = "440310001000", "440310005000"  # two streets
LIULIAN = "440310001001"  # a community of the first


#: What the import of them leaves: by where they were read, the rows, and what the trail says of it.
_imported: dict[Path, tuple[list[dict], dict]] = {}


def settle_regions() -> None:
    """What `regions.seed()` does. Reading and checking the same files is left out after the first time."""
    content = current_settings().content
    if db.session.scalar(select(func.count()).select_from(Region)) or db.session.get(RegionStamp, 1):
        with db.engine.connect() as aside:
            found = [dict(row) for row in aside.execute(select(Region.__table__).order_by(Region.code)).mappings()]
        if content not in _imported or found != _imported[content][0]:  # else it would change nothing
            regions.seed()
    elif content in _imported:
        rows, said = _imported[content]
        with transaction() as session:
            session.execute(insert(Region.__table__), rows)
            session.add(RegionStamp(id=1, stamp=str(uuid.uuid4())))
            audit.append(session, audit.SYSTEM, "regions.import", "regions:import", said)
    else:
        regions.seed()
        rows = [dict(row) for row in db.session.execute(select(Region.__table__).order_by(Region.code)).mappings()]
        said = db.session.scalars(select(AuditEntry.details).where(AuditEntry.action == "regions.import")).one()
        _imported[content] = (rows, said)
        db.session.rollback()  # the reading ends here: a checkpoint of the file would find it locked


def office(name: str, *duties: tuple[str, str, str]) -> Account:
    """An account with duties (role, region, highest tier)."""
    account = Account(
        id=uuid7(),
        username=name,
        display_name=f"{name} office",
        password=None,
        active=True,
        fs_uniquifier=name,
        created_at=utcnow(),
        duties=[Duty(role=r, region_code=c, highest_tier=t) for r, c, t in duties],
    )
    with transaction() as session:
        session.add(account)
    return account


def drafter(name: str = "drafter") -> Account:
    return office(name, (DRAFTER, DISTRICT, "red"))


def approver(name: str = "approver") -> Account:
    return office(name, (APPROVER, DISTRICT, "red"))


def subscribers(count: int) -> None:
    people.seed(DISTRICT, count)


def subscriber(number: str, *regions_: str, language: str = "zh", audiences: int = 1) -> int:
    """One subscriber; its id."""
    store.add_many([store.NewSubscriber(number, language, audiences, regions_, "demo")])
    return max(i for code in regions_ for i in told(code, language))


def told(code: str, language: str = "zh", mask: int = 0) -> list[int]:
    """Ids of those of a community whom a plan tells in a language of a red warning that nobody can leave out."""
    ids, codes = Crowd(mask, Matter(0, len(TIERS) - 1, None)).page(code, 0, 100_000)
    mine = (codes != NOT_TOLD) & (language_of(codes) == LANGUAGES.index(language))
    return [int(i) for i in ids[mine]]


def speakers(*codes: str) -> list[int]:
    """One horn in the middle of each community; their ids."""
    ids = []
    for n, code in enumerate(codes):
        west, south, east, north = lookup.box(code)
        row = Speaker(
            address=f"horn-{n}",
            bridge="mqtt",
            name_zh=f"{n}号喇叭",
            name_en=f"Horn {n}",
            region_code=code,
            longitude=(west + east) / 2,
            latitude=(south + north) / 2,
        )
        with transaction() as session:
            session.add(row)
        ids.append(row.id)
    return ids


def content(**changes) -> drafts.Content:
    """A red rainstorm warning for two streets, six hours, in the template's words."""
    now = utcnow()
    values: dict = {
        "kind": ALERT,
        "warning_id": None,
        "exercise": False,
        "hazard": "11B03",
        "tier": "red",
        "onset": None,
        "expires": now + timedelta(hours=6),
        "target": {"regions": [PINGSHAN, KENGZI], "area": None, "audiences": [], "channels": ["sms", "speakers"]},
    }
    values |= changes
    if "words" not in values:
        hazard = hazards.catalogue().get(values["hazard"])
        tier = values["tier"] if hazard.has(values["tier"]) else hazard.tiers[-1]
        values["words"] = words.first(
            values["kind"],
            hazard,
            tier,
            values["target"]["regions"],
            onset=values["onset"],
            expires=values["expires"],
            exercise=values["exercise"],
            settings=current_settings(),
        )
    return drafts.Content(**values)


def submitted(account: Account, **changes) -> Draft:
    draft = drafts.create(account, content(**changes))
    return review.move(account, draft.id, review.SUBMIT, version=draft.version)


def forget() -> None:
    """Let go of what the session has read."""
    db.session.rollback()
    db.session.expire_all()
