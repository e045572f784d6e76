"""People who need help to leave, for tests: invented codes and initials."""

from __future__ import annotations

from typing import Any

from portal.core.clock import utcnow
from portal.core.db import transaction
from portal.identity.models import Account
from portal.identity.rights import TRANSFERS
from portal.shelters.models import TransferPerson
from tests import district

LIULIAN, NEIGHBOUR, KENGZI = "440310001001", "440310001002", "440310005001"


def staff(name: str = "liulian", *regions: str) -> Account:
    """An office with the duty of transfers over the regions (none named: Liulian Community)."""
    return district.office(name, *((TRANSFERS, code, "red") for code in regions or (LIULIAN,)))


def make_person(code: str = "T-1", **values: Any) -> TransferPerson:
    row = TransferPerson(**({"code": code, "region_code": LIULIAN, "initials": "刘某", "source": "test",
                             "changed_at": utcnow()} | values))
    with transaction() as session:
        session.add(row)
    return row
