"""An import that is killed in the middle of its writing leaves the shelters as they were."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from flask import Flask

from portal import current_settings
from portal.config import ROOT
from portal.core import audit
from portal.core.db import db, transaction
from portal.shelters.registry import exchange, store
from tests import district
from tests.shelters.places import make_shelter

#: Imports a file, and stops for ever after its second chunk was written and before the transaction ends.
CHILD = """
import sys, time
from pathlib import Path
from portal import create_app
from portal.config import Settings
from portal.shelters.registry import exchange
from portal.shelters.registry.exchange import comparing

url, instance, file, mark = sys.argv[1:]
chunks = 0
insert = comparing.Comparison._insert

def stop(self, fresh):
    global chunks
    insert(self, fresh)
    chunks += 1
    if chunks == 2:
        Path(mark).touch()
        time.sleep(600)

comparing.Comparison._insert = stop
app = create_app(Settings(instance=Path(instance), database_url=url, secret_key="test " * 10, phone_key="ab" * 32,
                          public_url="http://localhost", surfaces=("hooks",)))
with app.app_context(), open(file, "rb") as stream:
    exchange.apply(None, stream)
"""


def test_a_killed_import_leaves_the_former_shelters_and_can_be_run_again(context: Flask, tmp_path: Path) -> None:
    district.settle_regions()
    with transaction() as session:
        make_shelter(session, code="M000001", name_zh="原名")
    rows = [f"M{n:06d},新名,114.35,22.69,门||114.35|22.69|yes|24h" for n in range(1600)]
    file, mark = tmp_path / "shelters.csv", tmp_path / "mark"
    file.write_text("\n".join(["code,name_zh,longitude,latitude,entrances", *rows]), encoding="utf-8")
    settings = current_settings()
    child = subprocess.Popen([sys.executable, "-c", CHILD, settings.sqlalchemy_url, str(settings.instance), str(file), str(mark)],
                             cwd=ROOT)
    try:
        until = time.monotonic() + 60
        while not mark.exists():
            assert child.poll() is None, "the import ended before it was cut"
            assert time.monotonic() < until, "the import never came to its second chunk"
            time.sleep(0.02)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait(30)
    district.forget()
    assert [(s.code, s.name_zh, s.version, len(s.entrances)) for s in store.listing()] == [("M000001", "原名", 1, 1)]
    assert list(audit.verify(db.session)) == []
    with file.open("rb") as stream:
        report = exchange.apply(None, stream)
    assert (report.new, report.changed, report.written) == (1599, 1, True)
    district.forget()
    assert len(store.listing()) == 1600


def test_an_import_that_fails_at_its_end_leaves_nothing(context: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    district.settle_regions()
    file = tmp_path / "shelters.csv"
    file.write_text("\n".join(["code,name_zh", *(f"M{n:06d},名" for n in range(600))]), encoding="utf-8")

    def fail(*_: object) -> None:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(store, "wish", fail)
    with file.open("rb") as stream, pytest.raises(RuntimeError):
        exchange.apply(None, stream)
    district.forget()
    assert store.listing() == []
