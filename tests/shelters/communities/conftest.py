"""A desk with the demonstration's regions, people with duties, and the sample of two communities."""

from __future__ import annotations

from pathlib import Path

from portal.identity.models import Account
from portal.identity.rights import SHELTERS, VIEWER
from portal.shelters.communities import importer
from tests import district
from tests.desk.conftest import seat, settled  # noqa: F401  (fixtures)
from tests.district import DISTRICT

SAMPLE = Path(__file__).with_name("sample.yaml")
LIUHE = "440310001002"


def keeper(region: str = DISTRICT, name: str = "keeper") -> Account:
    return district.office(name, (SHELTERS, region, "red"))


def viewer() -> Account:
    return district.office("viewer", (VIEWER, DISTRICT, "red"))


def bring_in() -> None:
    importer.import_file(SAMPLE)
