"""`anlan run` as a newcomer and an unkind operating system meet it."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable

from portal.config import Settings
from portal.identity.demo import PASSWORD, SAMPLES
from tests.waiting import LONGEST, until
from tests.whole.first_start import Filled
from tests.whole.machine import Machine, running
from tests.whole.operator import Operator

#: The texts of bulletins. The demonstration's learners are reminded by text as well, sooner or later.
OF_BULLETINS = "FROM sandbox_message WHERE CAST(substr(ref, 1, instr(ref, '/') - 1) AS INTEGER) IN (SELECT id FROM batch)"
TEXTS = f"SELECT count(*) {OF_BULLETINS}"
#: What a kill may send twice: what was recorded and not answered, or answered and not yet written.
BOUND = Settings.model_fields["most_doubled"].default


def test_a_first_start_says_where_it_is_and_who_can_sign_in(filled: Filled) -> None:
    print(f"first start: {filled.seconds:.1f} s")
    for path in ("/zh/", "/desk/"):
        assert f"http://localhost:{filled.port}{path}" in filled.output
    assert PASSWORD in filled.output
    for sample in SAMPLES:
        assert f"    {sample.username} " in filled.output
    assert "20,000" in filled.output
    assert "195" in filled.output
    assert "Traceback" not in filled.output
    assert (filled.code, filled.leftovers) == (0, [])


def test_it_reaches_for_nobody_beyond_this_machine(filled: Filled) -> None:
    assert filled.strangers == ""


def test_the_guard_against_strangers_bites(make_machine: Callable[..., Machine]) -> None:
    machine = make_machine(empty=True)
    code = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=5)"
    done = subprocess.run([sys.executable, "-c", code], env=machine.environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "192.0.2.1" in machine.strangers


def test_a_second_start_keeps_everything_and_a_second_one_on_its_instance_is_refused_in_words(
        filled: Filled, make_machine: Callable[..., Machine]) -> None:
    machine = make_machine()
    queries = ("SELECT id, version FROM draft ORDER BY id", "SELECT number FROM warning ORDER BY number",
               "SELECT count(*) FROM subscriber WHERE source = 'demo'", "SELECT count(*) FROM speaker",
               "SELECT count(*) FROM account", "SELECT count(*) FROM audit_entry")
    before = [machine.rows(query) for query in queries]
    assert len(before[1]) == 2
    assert before[2][0][0] == 20_000
    begun = time.monotonic()
    with running(machine):
        print(f"second start: {time.monotonic() - begun:.1f} s")
        assert [machine.rows(query) for query in queries] == before
        assert machine.get("/zh/")[0] == 200

        second = Machine(machine.instance)
        second.side = machine.side.with_name("second-beside")
        second.side.mkdir()
        second.begin()
        assert second.process.wait(LONGEST) == 1
        assert "Another `anlan run` is at work" in second.output
        assert "ANLAN_INSTANCE" in second.output
        assert "Traceback" not in second.output
        assert machine.get("/zh/")[0] == 200
        assert [machine.rows(query) for query in queries] == before
    assert machine.strangers == ""


def _ended(machine: Machine, how: int) -> None:
    """Ask it to end in the middle of its work: nothing is left behind."""
    assert machine.end(how) == 0
    assert "Traceback" not in machine.output
    assert "ERROR" not in machine.output
    assert machine.output.rstrip().endswith("已停止 Stopped.")
    assert machine.leftovers() == []
    held = machine.number("SELECT count(*) FROM batch WHERE lease_owner IS NOT NULL AND state = 'ready'")
    assert held == 0, "batches are given back at an orderly end"


def test_it_ends_when_asked_and_leaves_nothing_behind(make_machine: Callable[..., Machine]) -> None:
    """By Ctrl-C. By SIGTERM: see the all-clear below."""
    machine = make_machine()
    with running(machine):
        approver = Operator(machine.url, "approver")
        approver.approve(approver.waiting(), "红色")
        until(lambda: machine.number(TEXTS) > 0, "first texts are out")
        _ended(machine, signal.SIGINT)
    with running(machine):  # the port can be had again at once
        _all_sent(machine)
    assert machine.number(f"SELECT count(*) - count(DISTINCT phone_index) {OF_BULLETINS}") == 0, "nobody hears twice"


def test_a_start_that_was_ended_or_killed_is_taken_up_again(make_machine: Callable[..., Machine]) -> None:
    machine = make_machine(empty=True)
    machine.begin()
    until(lambda: "database ready" in machine.output, "the start is under way")
    assert machine.end() == 0
    assert "Traceback" not in machine.output
    assert machine.output.rstrip().endswith("已停止 Stopped.")
    assert machine.leftovers() == []
    for sign in ("database ready", "sandbox subscribers"):
        machine.begin()
        until(lambda sign=sign: sign in machine.output, "the start is under way")
        machine.kill()
        assert "Ctrl-C" not in machine.output, "it was killed during its start"
    with running(machine):
        assert machine.number("SELECT count(*) FROM subscriber WHERE source = 'demo'") == 20_000
        assert machine.number("SELECT count(*) FROM speaker") == 195
        assert machine.number("SELECT count(*) FROM warning") == 2
        assert machine.number("SELECT count(*) FROM draft WHERE status = 'submitted'") == 1


def test_a_busy_port_is_refused_in_words(make_machine: Callable[..., Machine]) -> None:
    machine = make_machine()
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", machine.port))
        sock.listen()
        machine.begin()
        assert machine.process.wait(LONGEST) == 1
    assert f"Port {machine.port}" in machine.output
    assert "PORT=" in machine.output
    assert "Traceback" not in machine.output


def test_a_kill_in_the_middle_loses_nobody_and_the_all_clear_reaches_exactly_those_who_were_told_though_it_was_ended_in_between(
        make_machine: Callable[..., Machine]) -> None:
    machine = make_machine()
    with running(machine):
        approver = Operator(machine.url, "approver")
        number = approver.approve(approver.waiting(), "红色")
        until(lambda: machine.number(TEXTS) > 1000, "many texts are out")
        machine.kill()
    at_kill = machine.number(TEXTS)
    with running(machine):
        planned = _all_sent(machine)
        assert at_kill < planned, "the kill came in the middle"
        told = _phones(machine)
        assert len(told) == planned
        doubled = machine.number(TEXTS) - planned
        print(f"killed after {at_kill} of {planned}: {doubled} doubled, bound {BOUND}")
        assert doubled <= BOUND
        assert "Traceback" not in machine.output

        drafter, approver = Operator(machine.url, "drafter"), Operator(machine.url, "approver")
        last = machine.number("SELECT max(id) FROM sandbox_message")
        assert approver.approve(drafter.all_clear(number)) == number
        until(lambda: machine.number(f"{TEXTS} AND id > :last", last=last) > 0, "first texts of the all-clear are out")
        _ended(machine, signal.SIGTERM)
    with running(machine):
        _all_sent(machine)
        assert _phones(machine, after=last) == told
        assert machine.number(f"{TEXTS} AND id > :last", last=last) == planned, "each once"
        assert machine.end() == 0
    assert "Traceback" not in machine.output


def _phones(machine: Machine, after: int = 0) -> set[bytes]:
    return {bytes(row[0]) for row in machine.rows(f"SELECT phone_index {OF_BULLETINS} AND id > :after", after=after)}


def _all_sent(machine: Machine) -> int:
    """Wait until the text messages of every bulletin are out; how many the last one has."""
    until(lambda: machine.number(
        "SELECT count(*) FROM dispatch WHERE channel = 'sms' AND state NOT IN ('done', 'stopped')") == 0, "all texts are out")
    return machine.number("SELECT coalesce(sum(n), 0) FROM tally WHERE key = 'accepted' AND dispatch_id ="
                          " (SELECT id FROM dispatch WHERE channel = 'sms' ORDER BY created_at DESC LIMIT 1)")
