"""The desk as keepers of shelters see it. One kind of database is enough: the rules below are tested on both."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import lxml.html
import pytest
from flask import Flask

from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.identity.models import Account
from portal.identity.rights import SHELTERS
from portal.shelters.roads import obstructions
from portal.shelters.roads import store as roads
from tests import district
from tests.desk.conftest import Seat, seat  # noqa: F401  (fixtures)
from tests.district import DISTRICT, PINGSHAN
from tests.shelters.grid import grid
from tests.shelters.places import make_shelter
from tests.shelters.roads.obstacles import middle, values
from tests.shelters.template import with_regions


@pytest.fixture(scope="session")
def settled_template(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_regions(sqlite_template, tmp_path_factory.mktemp("settled"))


@pytest.fixture
def database_url(settled_template: Path, tmp_path: Path) -> str:
    path = tmp_path / "anlan.db"
    shutil.copy(settled_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def settled(context: Flask) -> Flask:
    """The application with the demonstration's regions, which its database had from the beginning."""
    return context


@pytest.fixture
def keeper(settled: Flask) -> Account:
    return district.office("keeper", (SHELTERS, DISTRICT, "white"))


@pytest.fixture
def street(settled: Flask) -> Account:
    return district.office("street", (SHELTERS, PINGSHAN, "white"))


@pytest.fixture
def sit(keeper: Account, seat: Callable[..., Seat]) -> Seat:  # noqa: F811
    """The keeper at the desk, in English."""
    return seat(keeper)


@pytest.fixture
def town(keeper: Account) -> None:
    """A grid of streets in the middle of one community, one open shelter in a corner of it, and its field."""
    from portal.shelters.field import recompute

    lon, lat = middle()
    graph = grid(12, 12, lon - 0.005, lat - 0.005)
    roads.save(graph, source="test")
    now = utcnow()
    with transaction() as session:
        make_shelter(session, code="s-1", name_zh="一号", name_en="First", longitude=float(graph.lon[0]),
                     latitude=float(graph.lat[0]), status="open", status_at=now, occupancy=20, occupancy_at=now,
                     capacity_day=100_000, capacity_night=100_000)
    recompute.now("test")


def sent_by(page: str, name: str) -> dict[str, str]:
    """What a browser would send of the form that has a field `name`."""
    form = next(f for f in lxml.html.fromstring(page).forms if name in f.fields)
    empty = {e.name: "" for e in form.xpath(".//input[@type='radio'][@checked][@value='']")}  # lxml takes these for "on"
    return dict(form.form_values()) | empty


def obstruction(account: Account | None = None, **changes):
    """One that cuts, as the rules make it."""
    row = obstructions.create(account, values(**changes))
    db.session.expire_all()
    return row
