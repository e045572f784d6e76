"""The demonstration's district in the test's database, and lists as bytes."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import pytest
from flask import Flask

from portal.core.db import db
from portal.subscribers.models import RosterImport
from portal.subscribers.roster import batches, running, staging, taking
from portal.subscribers.roster.rows import Said
from tests import district

LIULIAN, KENGZI = district.LIULIAN, "440310005001"
#: Numbers that no carrier assigns.
PHONE = "+861290000{:04d}".format


@pytest.fixture
def settled(context: Flask) -> Iterator[Flask]:
    district.settle_regions()
    yield context
    for thread in running.threads(context):
        thread.join(60)
    db.session.rollback()


@pytest.fixture
def staged(settled: Flask) -> Callable[..., RosterImport]:
    """Reads a list, which then waits."""

    def stage(text: str | bytes, said: Said | None = None, account: object = None) -> RosterImport:
        body = text if isinstance(text, bytes) else text.encode()
        batch = batches.begin(account, name="list.csv", basis="school form, 1 September")  # type: ignore[arg-type]
        return staging.stage(batch.id, io.BytesIO(body), said or Said())

    return stage


@pytest.fixture
def taken(staged: Callable[..., RosterImport]) -> Callable[..., RosterImport]:
    """Reads a list and takes it in, bad rows left out."""

    def take(text: str | bytes, said: Said | None = None) -> RosterImport:
        batch = staged(text, said)
        taking.ask(None, batch.id, skip_bad=True)
        return taking.take_in(batch.id)

    return take


def rows_of(*rows: str) -> str:
    return "\n".join(("phone,community,audiences,language", *rows)) + "\n"
