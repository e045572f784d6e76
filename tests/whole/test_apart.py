"""Web, worker and scheduler as processes of their own on PostgreSQL: together they do what `anlan run` does alone."""

from __future__ import annotations

import signal
from collections.abc import Callable

import psycopg

from tests.mosquitto import Mosquitto
from tests.waiting import until
from tests.whole.filing import issue_one_that_soon_ends
from tests.whole.machine import Machine, running
from tests.whole.operator import Operator

PARTS = {"web": "  web", "worker": "worker is running", "scheduler": "scheduler is running"}


def test_three_processes_on_postgresql_warn_and_clear_and_let_expire(
        make_machine: Callable[..., Machine], postgres: str) -> None:
    with psycopg.connect(postgres.replace("+psycopg", "") + "postgres", autocommit=True) as connection:
        connection.execute("CREATE DATABASE apart")
    shared = {"ANLAN_DATABASE_URL": f"{postgres}apart", "ANLAN_SIMULATED_SPEAKERS": "0"}
    whole = make_machine(empty=True, **shared)
    with running(whole):  # fills the empty database
        assert whole.end() == 0
    broker = Mosquitto().start()
    parts = {}
    try:
        for name, sign in PARTS.items():
            part = parts[name] = Machine(whole.instance, port=whole.port, ANLAN_MQTT_URL=broker.url, **shared)
            part.side = whole.side.with_name(f"{name}-beside")
            part.side.mkdir()
            part.begin(name).up(sign)
        approver = Operator(whole.url, "approver")
        number = approver.approve(approver.waiting(), "红色")
        _sent(whole, 1)
        warned = _phones(whole)
        assert len(warned) > 1000
        until(lambda: number in whole.get("/zh/")[1].decode(), "the page is out")
        last = whole.number("SELECT max(id) FROM sandbox_message")
        approver.approve(Operator(whole.url, "drafter").all_clear(number))
        _sent(whole, 2)
        assert _phones(whole, last) == warned
        short = issue_one_that_soon_ends(whole, seconds=8)
        until(lambda: whole.number("SELECT count(*) FROM warning WHERE number = :n AND state = 'expired'", n=short),
              "the scheduler lets it expire")
        for name, part in parts.items():
            assert part.end(signal.SIGTERM) == 0, name
            assert "Traceback" not in part.output, part.output
        assert whole.strangers == "", "all of them note it in the same file"
    finally:
        for part in parts.values():
            part.close()
        broker.close()


def _sent(machine: Machine, bulletins: int) -> None:
    until(lambda: machine.number("SELECT count(*) FROM dispatch WHERE channel = 'sms' AND state = 'done'") == bulletins,
          "all texts are out")


def _phones(machine: Machine, after: int = 0) -> list[bytes]:
    """Of the texts of bulletins: the demonstration's learners are reminded by text as well, sooner or later."""
    return sorted(bytes(row[0]) for row in machine.rows(
        "SELECT phone_index FROM sandbox_message WHERE id > :after"
        " AND split_part(ref, '/', 1) IN (SELECT CAST(id AS text) FROM batch)", after=after))
