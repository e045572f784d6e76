"""A SQLite file with the district's regions in it, made once and copied for each test: reading them in takes most of a test."""

from __future__ import annotations

import shutil
from pathlib import Path

from portal import create_app
from portal.config import Settings
from portal.core.db import db
from tests import district


def with_regions(empty: Path, folder: Path) -> Path:
    """The file, made of an empty one with all tables."""
    path = folder / "settled.db"
    shutil.copy(empty, path)
    app = create_app(Settings(instance=folder / "instance", database_url=f"sqlite:///{path}", secret_key="test " * 10,
                              phone_key="ab" * 32, public_url="http://localhost"))
    with app.app_context():
        district.settle_regions()
        db.session.connection().exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        db.session.close()
        db.engine.dispose()
    return path
