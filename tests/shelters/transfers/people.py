"""People who need help to leave, for tests: invented codes and initials, and an office that looks after them."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

import time_machine
from sqlalchemy import select

from portal.core.audit import AuditEntry
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.identity.models import Account
from portal.identity.rights import TRANSFERS
from portal.shelters.models import WAITING, TransferPerson, TransferRound
from portal.shelters.transfers import entries, rounds, steps
from portal.shelters.transfers.checks import Entry
from tests import district

LIULIAN, NEIGHBOUR, KENGZI = "440310001001", "440310001002", "440310005001"
NAME, PHONE, ADDRESS, HELPER_PHONE = "测试甲", "+8612900001234", "演示路1号2栋303", "+8612900005678"
SECRETS = (NAME, PHONE, ADDRESS, HELPER_PHONE, PHONE[3:], HELPER_PHONE[3:])


def staff(name: str = "liulian", *regions: str) -> Account:
    """An office with the duty of transfers over the regions (none named: Liulian Community)."""
    return district.office(name, *((TRANSFERS, code, "red") for code in regions or (LIULIAN,)))


def make_person(code: str = "T-1", **values: Any) -> TransferPerson:
    """A row as it is, without the rules in between."""
    row = TransferPerson(**({"code": code, "region_code": LIULIAN, "initials": "刘某", "source": "test",
                             "changed_at": utcnow()} | values))
    with transaction() as session:
        session.add(row)
    return row


def entry(code: str = "T-1", **values: Any) -> Entry:
    return Entry(**({"code": code, "region_code": LIULIAN, "initials": "测某", "people": 2, "name": NAME, "phone": PHONE,
                     "address": ADDRESS, "helper": "网格员", "helper_phone": HELPER_PHONE, "needs": ("wheelchair",),
                     "means": "wheelchair"} | values))


def person(account: Account, code: str = "T-1", **values: Any) -> TransferPerson:
    """Somebody added by the account, with everything sealed that can be."""
    return entries.add(account, entry(code, **values))


def start(account: Account, *regions: str, exercise: bool = False, family: str = "water", hours: float = 2) -> TransferRound:
    """A round that began an hour ago, with a deadline so many hours ahead of now."""
    deadline = utcnow() + timedelta(hours=hours)
    with time_machine.travel(utcnow() - timedelta(hours=1)):
        return rounds.start(account, rounds.Plan(regions or (LIULIAN,), family, exercise, deadline))


def seen(person_: TransferPerson, round_: TransferRound, state: str, before: str = WAITING, *, at: datetime | None = None,
         note: str = "", ref: str = "") -> steps.Observation:
    return steps.Observation(ref or str(uuid.uuid4()), person_.id, round_.id, state, before, at or utcnow(), note)


def fresh(person_: TransferPerson) -> TransferPerson:
    district.forget()
    found = db.session.get(TransferPerson, person_.id)
    assert found is not None
    return found


def trail(*actions: str) -> list[AuditEntry]:
    """The entries of these acts, oldest first."""
    district.forget()
    return list(db.session.execute(select(AuditEntry).where(AuditEntry.action.in_(actions)).order_by(AuditEntry.seq)).scalars())
