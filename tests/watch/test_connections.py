"""The doctor says in time that PostgreSQL will not let everybody in."""

from __future__ import annotations

from flask_babel import force_locale

from portal import current_settings
from portal.dispatch.watch import said
from portal.doctor import machines
from portal.doctor.findings import OK, WARN


def _found() -> list[tuple[str, str]]:
    with force_locale("en"):
        return [(one.level, one.message) for one in machines.connections(current_settings())]


def test_the_connections_that_processes_may_keep_are_counted(context, reported, database_kind):
    reported(said.SCHEDULER, name="one")
    if database_kind == "sqlite":
        assert _found() == []  # it has no connections to count
        return
    (level, words), = _found()
    assert level == OK
    assert " are in use." in words
    for n in range(15):
        reported(said.WORKER, name=f"worker {n}")
    reported(said.WORKER, 3600, name="gone")
    (level, words), = _found()
    assert level == WARN
    assert words.endswith(f"may keep {10 + 15 * 14}.")


def test_connections_that_are_nearly_used_up_are_told(context, database_kind, monkeypatch):
    monkeypatch.setattr(machines, "FULL", 0.0)
    assert [level for level, _ in _found()] == ([] if database_kind == "sqlite" else [WARN])
