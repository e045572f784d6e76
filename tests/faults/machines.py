"""Bad days of the machine: no space, no connections, a clock that jumps."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg

from tests.faults import days
from tests.faults.days import Day, Scene
from tests.faults.house import MOST_DOUBLED, POSTGRESQL, SQLITE, Ground
from tests.waiting import until

LIBFAKETIME = next(iter(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), None)
TEN_MINUTES = 600
#: What the page of a warning counts while it is not over.
PENDING = "待发送"


def may_mount() -> bool:
    """Whether a small disk can be made: as root, outside of most containers."""
    return os.geteuid() == 0 and subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode == 0


def full_disk(scene: Scene) -> None:
    """The database stands on a disk of its own that fills up while messages go out."""
    house = scene.house
    disk = house.instance / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m,mode=0700", "tmpfs", disk], check=True)
    try:
        shutil.move(house.instance / "anlan.db", disk / "anlan.db")
        house.moves_to(f"sqlite:///{disk / 'anlan.db'}")
        house.carrier.faults(callbacks=False, delay_ms=60)
        scene.issue()
        scene.page()  # the officer has signed in before
        worker = house.begin("worker")
        until(lambda: house.carrier.taken > 100, "something was sent")
        ballast = disk / "ballast"
        with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(b"\0" * 4096)
        last, since = -1, time.monotonic()
        while time.monotonic() - since < 2.0:
            if (now := house.carrier.taken) != last:
                last, since = now, time.monotonic()
            time.sleep(0.1)
        handed_over = house.carrier.taken
        known = house.number("SELECT sum(size) FROM outcome_page")
        if handed_over - known > MOST_DOUBLED:
            scene.day.wrong.append(f"{handed_over - known} were handed over that could not be written, {MOST_DOUBLED} at most")
        scene.sees(PENDING)
        scene.day.seen += f"; {known} written, {handed_over} handed over, then a halt"
        worker.kill()  # what it knew is gone
        house.begin("worker")
        time.sleep(1.0)
        if house.carrier.taken > handed_over:
            scene.day.wrong.append("a worker that can write nothing goes on sending")
        ballast.unlink()
        scene.ends_well(most=MOST_DOUBLED)
    finally:
        house.close()
        subprocess.run(["umount", "-l", disk], check=False)


def no_connections(scene: Scene) -> None:
    """Others have all connections, and what the portal had is cut."""
    house = scene.house
    house.carrier.faults(callbacks=False, delay_ms=60)
    scene.issue()
    house.begin("worker")
    until(lambda: house.carrier.taken > 100, "something was sent")
    url = house.ground.cluster.url("postgres")
    with contextlib.ExitStack() as taken:
        first = taken.enter_context(psycopg.connect(url, autocommit=True))
        first.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                      " AND backend_type = 'client backend'")
        try:
            for _ in range(400):
                taken.enter_context(psycopg.connect(url, autocommit=True, connect_timeout=5))
        except psycopg.OperationalError:
            pass
        else:
            scene.day.wrong.append("the server never ran out of connections")
        time.sleep(3.0)
        at_most = house.carrier.taken
        time.sleep(1.0)
        if house.carrier.taken > at_most:
            scene.day.wrong.append("it goes on sending although nothing can be written")
    scene.ends_well(most=MOST_DOUBLED)
    scene.sees("运营商已接收")


def clock_jumps_back(scene: Scene) -> None:
    """The workers' clock is set back ten minutes, three times: while messages go out; while they wait to be tried again; while a
    worker that was killed holds them."""
    house = scene.house
    assert LIBFAKETIME is not None
    offset, back = house.instance / "clock", 0
    preload = {"LD_PRELOAD": str(LIBFAKETIME), "FAKETIME_TIMESTAMP_FILE": str(offset), "FAKETIME_NO_CACHE": "1",
               "FAKETIME_DONT_FAKE_MONOTONIC": "1"}

    def set_back() -> None:
        nonlocal back
        back += TEN_MINUTES
        offset.write_text(f"-{back}")

    def must_end(when: str, most: int = 0) -> None:
        begun = time.monotonic()
        scene.ends_well(most=most)  # it breaks off long before ten minutes are over
        scene.day.seen = "; ".join(part for part in (scene.day.seen, f"{when}: {time.monotonic() - begun:.0f} s") if part)

    offset.write_text("-0")
    house.carrier.faults(callbacks=False, delay_ms=60)
    scene.issue()
    worker = house.begin("worker", preload=preload)
    until(lambda: house.carrier.taken > 100, "something was sent")
    set_back()
    must_end("as it sent")

    house.carrier.faults(callbacks=False, delay_ms=5, server_error=1.0)
    scene.issue(seconds=5 * 3600)  # in other words than the first
    waiting = "SELECT count(*) FROM batch WHERE channel = 'sms' AND state = 'ready' AND attempts > 0 AND lease_owner IS NULL"
    until(lambda: house.number(waiting), "some wait to be tried again")
    set_back()
    house.carrier.faults(callbacks=False, delay_ms=60, server_error=0.0)
    must_end("as they waited to be tried again")

    taken = house.carrier.taken
    scene.issue(seconds=4 * 3600)
    until(lambda: house.carrier.taken > taken + 100, "something was sent")
    assert worker.running
    worker.kill()
    held = "SELECT count(*) FROM batch WHERE channel = 'sms' AND state = 'ready' AND lease_owner IS NOT NULL"
    if not house.number(held):
        scene.day.wrong.append("the killed worker held nothing")
    set_back()
    heirs = [house.begin("worker", preload=preload) for _ in range(2)]
    must_end("as their worker was dead", MOST_DOUBLED)
    assert all(heir.running for heir in heirs)


def every(ground: Ground, kinds: list[str]) -> Iterator[Callable[[], Day]]:
    """Those that this machine can play; the others say why not."""
    plain: list[tuple[str, str, list[str], Callable[[Scene], None], str]] = [
        ("disk full", "it halts, sends no more than can be doubled, and goes on", [SQLITE], full_disk,
         "" if may_mount() else "only root can make a small disk"),
        ("no connections", "it halts, and goes on", [POSTGRESQL], no_connections, ""),
        ("clock jumps back", "nothing waits for it, nobody is doubled but by a kill", [SQLITE, POSTGRESQL], clock_jumps_back,
         "" if LIBFAKETIME else "libfaketime is not installed; on Debian: apt-get install faketime"),
    ]
    for name, promise, on, act, hindrance in plain:
        for kind in [k for k in on if k in kinds]:
            if hindrance:
                yield lambda n=name, k=kind, p=promise, h=hindrance: Day(n, k, p, seen=f"not played: {h}")
            else:
                yield lambda n=name, p=promise, a=act, k=kind: days.run(ground, k, n, p, a)
