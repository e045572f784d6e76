"""One application with published files for a module's questions: what they ask changes nothing."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

from flask import Flask

from portal import create_app
from portal.config import Settings
from portal.core.clock import utcnow
from portal.core.db import db
from portal.site.publish import publish
from portal.warnings.models import ALERT, CANCEL, UPDATE
from tests.site.records import record

JULY, AUGUST = datetime(2025, 7, 1, 4, tzinfo=UTC), datetime(2025, 8, 10, 4, tzinfo=UTC)
HERE, ELSEWHERE = ({"code": "440310001000", "zh": "坪山街道", "en": "Pingshan Subdistrict"},
                   {"code": "440310006000", "zh": "龙田街道", "en": "Longtian Subdistrict"})


def published(template: Path, folder: Path) -> Flask:
    """Two warnings in force (red here, blue elsewhere), 62 past ones of two months, and a drill."""
    shutil.copy(template, folder / "anlan.db")
    app = create_app(Settings(instance=folder / "instance", database_url=f"sqlite:///{folder / 'anlan.db'}",
                              secret_key="test " * 10, phone_key="ab" * 32, public_url="http://localhost"))
    now = utcnow()
    with app.app_context():
        record("20261122-01", kinds=(ALERT, UPDATE), areas=(HERE,))
        record("20261122-02", tier="blue", areas=(ELSEWHERE,), issued=now - timedelta(minutes=30))
        record("20261122-D01", exercise=True)
        for n in range(60):
            record(f"20250810-{n + 1:02}", tier="yellow", issued=AUGUST + timedelta(minutes=n), kinds=(ALERT, CANCEL))
        record("20250701-01", tier="orange", issued=JULY, areas=(ELSEWHERE,))
        record("20250701-02", tier="white", issued=JULY + timedelta(hours=1), areas=(HERE,))
    publish(app)
    return app


def copied(app: Flask, folder: Path) -> Flask:
    """The same in a folder of its own, to be changed."""
    before = app.extensions["anlan"]
    with app.app_context():
        db.session.connection().exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        db.session.close()
    shutil.copytree(before.instance, folder / "instance", symlinks=True)
    shutil.copy(before.instance.parent / "anlan.db", folder / "anlan.db")
    return create_app(before.model_copy(update={"instance": folder / "instance",
                                                "database_url": f"sqlite:///{folder / 'anlan.db'}"}))
