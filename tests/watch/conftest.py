"""A dispatch whose steps the test takes itself, and processes that have reported of themselves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest

from portal.channels.sms.lines.line import CLOSED, LineState
from portal.core.clock import utcnow
from portal.core.db import transaction
from portal.dispatch.models import Worker
from portal.dispatch.watch import said
from tests.desk.conftest import seat, settled  # noqa: F401  (fixtures)
from tests.dispatch.conftest import issued, workshop  # noqa: F401  (fixtures)


def line(name: str = "east", **changes: object) -> LineState:
    values: dict = {"name": name, "kind": "twilio", "circuit": CLOSED, "in_flight": 8, "window": 20, "rate": 40.0, "latency": 0.2,
                    "troubles": 0.0, "weight": 1.0, "pause": 0.0, "last_error": ""}
    return LineState(**(values | changes))


def office(**changes: object) -> SimpleNamespace:
    """How a sending office stands, as the bulk engine tells it."""
    values: dict = {"lanes": {0: 2}, "waiting": 500, "in_flight": 8, "unwritten": 30, "lease_age": 1.5, "accepted": 1200,
                    "failed": 3, "retried": 5, "lost_leases": 0, "keeper_restarts": 0,
                    "lines": [line()]}
    return SimpleNamespace(**(values | changes))


@pytest.fixture
def reported(context) -> Callable[..., None]:
    """`reported(kind, seconds=0, …)`: a process that reported so many seconds ago."""

    def make(kind: str = said.WORKER, seconds: float = 0, *, name: str = "", leading: bool = False, at: datetime | None = None,
             **changes: object) -> None:
        seen = (at or utcnow()) - timedelta(seconds=seconds)
        lately = {"keeper_lately": changes.pop("keeper_lately", 0)}  # the watch's own, not the office's
        state = said.of_office(office(**changes)) | lately if kind in said.SENDERS else {}
        with transaction() as session:
            session.add(Worker(name=name or f"{kind}:host:1", kind=kind, started_at=seen - timedelta(hours=1), seen_at=seen,
                               state=state | {"leading": leading}))

    return make
