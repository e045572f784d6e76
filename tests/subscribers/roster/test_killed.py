"""A process that is killed while a list becomes subscribers leaves nothing of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select

from portal.config import Settings
from portal.core.db import db
from portal.subscribers.models import ConsentEvent, RosterRow, Subscriber, SubscriberRegion
from portal.subscribers.roster import batches, running
from tests.subscribers.roster.conftest import LIULIAN, rows_of

#: The command, killed by itself in the middle: the machine does it no better.
KILLED = """
import os, signal, sys
from portal.subscribers.roster import taking
taking._widen = lambda *given: os.kill(os.getpid(), signal.SIGKILL)
from portal.cli import main
main(["subscribers", "import", sys.argv[1], "--basis", "form"])
"""


def test_a_killed_import_leaves_nothing(settled: Flask, make_settings: Callable[..., Settings], tmp_path: Path,
                                        monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "list.csv"
    file.write_text(rows_of(*(f"1290000{n:04d},{LIULIAN},," for n in range(50))))
    settings = make_settings()
    environment = {**os.environ, "ANLAN_INSTANCE": str(settings.instance), "ANLAN_DATABASE_URL": settings.database_url,
                   "ANLAN_SECRET_KEY": settings.secret_key.get_secret_value(), "ANLAN_SURFACES": "hooks",
                   "ANLAN_PHONE_KEY": settings.phone_key.get_secret_value()}
    db.session.rollback()
    done = subprocess.run([sys.executable, "-c", KILLED, str(file)], env=environment, capture_output=True, text=True,
                          check=False, timeout=300)
    assert done.returncode == -signal.SIGKILL, done.stderr
    (batch,) = db.session.execute(select(batches.RosterImport)).scalars().all()
    assert (batch.state, batch.rows) == ("writing", 50)
    monkeypatch.setattr(batches, "SILENCE", -batches.SILENCE)
    running.sweep(settled)
    db.session.rollback()
    for table in (Subscriber, SubscriberRegion, ConsentEvent, RosterRow):
        assert db.session.scalar(select(func.count()).select_from(table)) == 0, table
    found = batches.get(batch.id)
    assert found is not None
    assert found.state == "cut_off"
