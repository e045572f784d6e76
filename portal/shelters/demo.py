"""The demonstration's shelters: streets, places, low roads, communities, a transfer list, and a phone for shelter staff.

All of it is invented and says so. An instance that was filled before there were shelters gets them too; what somebody
changed, ended or removed afterwards is not brought back.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select

from portal import current_settings
from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.core.errors import Conflict
from portal.core.phones import DEMONSTRATION_PREFIX
from portal.identity.listing import holders
from portal.identity.rights import SHELTERS
from portal.shelters import models
from portal.shelters.registry import store

Step = Callable[[str, str], AbstractContextManager[None]]

#: The act in the trail that says that all of it is there.
FILLED = "demo.shelters"
#: Signs in to the staff's pages; see `portal.core.phones` on why nobody can have it.
KEEPER = f"{DEMONSTRATION_PREFIX}00000001"
#: What the phone keeps: a hall, a school and a park of one community.
KEPT = ("PS-N001", "PS-N026", "PS-W001")
#: Shelters of which nobody ever said a word, those that are closed, and one that is not safe.
SILENT, CLOSED, UNSAFE = ("PS-N010", "PS-N031", "PS-W013", "PS-W020"), ("PS-N036", "PS-W015"), ("PS-N028",)
_REFS = uuid.UUID("6f2b4d1e-7c55-4f0a-9d38-1c0e5a7b2f10")


def seed(step: Step) -> None:
    """Bring in what is missing; a second start finds all of it there and is quick."""
    if _filled():
        return
    directory = current_settings().content / "shelters"
    with step("演示路网已导入", "streets of the demonstration imported"):
        _roads(directory / "roads.osm.pbf")
    with step("72 处避难场所、40 个积水点、25 个社区档案", "72 shelters, 40 waterlogging points, 25 communities' files"):
        _shelters(directory / "shelters.csv")
        _obstructions(directory / "waterlogging.geojson")
        _communities(directory / "communities.yaml")
        _transfers(directory / "transfers.csv")
        _states()
        _keeper()
    with transaction() as session:
        audit.append(session, audit.SYSTEM, FILLED, f"region:{current_settings().district}")


def _filled() -> bool:
    return db.session.execute(select(audit.AuditEntry.seq).where(audit.AuditEntry.action == FILLED)).first() is not None


def _roads(path: Path) -> None:
    from portal.shelters.roads import osm
    from portal.shelters.roads import store as roads

    if roads.newest() is None:
        roads.save(osm.read(path), source=f"{path.name}: 演示数据 demonstration", licence="CC0-1.0", demonstration=True,
                   sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def _shelters(path: Path) -> None:
    from portal.shelters.registry import exchange

    if store.by_code(KEPT[0]) is None:
        with path.open("rb") as file:
            report = exchange.apply(None, file, "csv", name=path.name)
        if not report.written:
            raise RuntimeError(f"the demonstration's shelters cannot be imported: {report.faults[0]}")


def _obstructions(path: Path) -> None:
    from portal.shelters.roads import obstruction_import, obstructions

    if not obstructions.listing(utcnow(), state="", limit=1).total:
        plan = obstruction_import.apply(None, path, demonstration=True)
        if not plan.written:
            raise RuntimeError(f"the demonstration's waterlogging points cannot be imported: {plan.fatal or plan.bad[0].reason}")


def _communities(path: Path) -> None:
    from portal.shelters.communities import importer

    if problems := importer.import_file(path).problems:
        raise RuntimeError(f"the demonstration's communities cannot be imported: {problems[0]}")


def _transfers(path: Path) -> None:
    from portal.shelters.transfers import importer

    report = importer.import_rows(lambda: [path.read_bytes()], demonstration=True)
    if not report.written:
        raise RuntimeError("the demonstration's transfer list cannot be imported: check it with anlan transfers import --check")


def _states() -> None:
    """Most stand by, as on any ordinary day; none is open."""
    from portal.shelters.living import reports

    now = utcnow()
    with transaction() as session:
        for number, shelter in enumerate(store.listing()):
            if not shelter.demonstration or shelter.code in SILENT or shelter.status is not None:
                continue
            status = (models.CLOSED if shelter.code in CLOSED else models.UNSAFE if shelter.code in UNSAFE else models.STANDBY)
            reports.report(
                session, shelter.id, ref=str(uuid.uuid5(_REFS, shelter.code)), status=status, occupancy=0, source="import",
                observed_at=now - timedelta(minutes=37 * (number % 60)), reporter="演示 demonstration")


def _keeper() -> None:
    """The phone with which a newcomer can be shelter staff."""
    from portal.shelters.living import keepers

    account = next(iter(holders(SHELTERS, [current_settings().district], "blue")), None)
    for code in KEPT:
        shelter = store.by_code(code)
        if shelter is not None and account is not None:
            try:
                keepers.add(account, shelter.id, phone=KEEPER, post="演示值守岗", language="zh")
            except Conflict:
                continue  # it is there already
