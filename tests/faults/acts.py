"""Bad days at the turns of a warning: the web dies while one is issued, the scheduler while one expires, a worker stands still
across an all-clear or the end."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import select

from portal.core.db import db
from portal.warnings.models import CANCEL, Bulletin
from tests.faults import checks, days
from tests.faults.days import Day, Scene
from tests.faults.house import MOST_DOUBLED, POSTGRESQL, SQLITE, TARGET, Ground, Process
from tests.waiting import until
from tests.whole.operator import Operator

TYPED = "红色"


def _approver(scene: Scene) -> Operator:
    scene.house.begin("web").ready()
    until(scene.answers, "the desk answers")
    return Operator(f"http://127.0.0.1:{scene.house.port}", "approver")


def _approves(operator: Operator, draft: str) -> threading.Thread:
    """In a thread: whoever approves at a web server that dies hears nothing."""
    def approve() -> None:
        try:
            operator.approve(draft, TYPED)
        except Exception:  # whatever a browser would show; what counts is what is in the database
            return

    thread = threading.Thread(target=approve, daemon=True)
    thread.start()
    return thread


def _issued(scene: Scene) -> int:
    return scene.house.number("SELECT count(*) FROM bulletin")


def _only_bulletin(scene: Scene) -> Bulletin:
    with scene.house.app.app_context():
        bulletin = db.session.execute(select(Bulletin)).scalar_one()
        db.session.expunge(bulletin)
        db.session.rollback()
        return bulletin


def web_dies_in_the_transaction(scene: Scene) -> None:
    """Nothing was issued then; whoever approves again issues all of it."""
    scene.house.carrier.faults(callbacks=False)
    draft, operator = scene.house.submit(target=days.STREET), _approver(scene)
    with scene.house.held("dispatch"):
        thread = _approves(operator, draft)
        until(scene.house.somebody_waits, "the web waits")
        time.sleep(1.0 if scene.house.kind == SQLITE else 0.2)
        scene.house.alive("web")[-1].kill()
    thread.join(40)
    if _issued(scene) or scene.house.number("SELECT count(*) FROM dispatch"):
        scene.day.wrong.append("half of it was issued")
    operator = _approver(scene)
    operator.approve(draft, TYPED)
    scene.bulletin = _only_bulletin(scene)
    scene.house.begin("worker")
    scene.sees("运营商已接收")
    scene.ends_well()


def web_dies_after_the_commit(scene: Scene) -> None:
    """All was issued, although nobody was told; it goes out, and is not issued twice."""
    scene.house.carrier.faults(callbacks=False)
    draft, operator = scene.house.submit(target=days.STREET), _approver(scene)
    thread = _approves(operator, draft)
    until(lambda: _issued(scene), "it is issued")
    scene.house.alive("web")[-1].kill()
    thread.join(40)
    scene.bulletin = _only_bulletin(scene)
    scene.house.begin("worker")
    _approves(_approver(scene), draft).join(40)
    if (n := _issued(scene)) != 1:
        scene.day.wrong.append(f"it was issued {n} times")
    scene.sees("运营商已接收")
    scene.ends_well()


def leader_dies_before_expiry(scene: Scene) -> None:
    """On PostgreSQL another stands by; on SQLite it is begun again."""
    scene.house.carrier.faults(callbacks=False)
    leader = scene.house.begin("scheduler")
    time.sleep(1.0)
    if scene.house.kind == POSTGRESQL:
        scene.house.begin("scheduler").ready()
    scene.house.begin("worker")
    scene.issue(seconds=6.0)
    leader.signal(signal.SIGKILL)
    leader.kill()
    if scene.house.kind == SQLITE:
        scene.house.begin("scheduler")
    until(lambda: scene.house.number("SELECT count(*) FROM warning WHERE state = 'expired'") == 1, "it expires", days.PATIENCE)
    scene.day.seen = "已失效"
    told = scene.house.rows("SELECT ended_at, expires FROM warning")[0]
    if str(told[0])[:19] != str(told[1])[:19]:
        scene.day.wrong.append(f"it ended {told[0]}, not {told[1]}")


def _frozen(scene: Scene, **content: Any) -> Process:
    """A worker that stands still in the midst of sending, with more in its hands."""
    scene.house.carrier.faults(callbacks=False, delay_ms=300)
    scene.issue(target=TARGET, **content)
    worker = scene.house.begin("worker")
    until(lambda: scene.house.carrier.taken > 600, "something was sent")
    for _ in range(100):
        worker.signal(signal.SIGSTOP)
        time.sleep(0.1)
        if scene.house.kind == POSTGRESQL or scene.house.may_write():
            break
        worker.signal(signal.SIGCONT)  # on SQLite whoever stands still within a transaction stops everybody
        time.sleep(0.02)
    time.sleep(0.6)  # what is on its way arrives
    return worker


def frozen_across_an_all_clear(scene: Scene) -> None:
    """Its leases lapse, another has ended the warning and told of the end; when it goes on, it sends nothing of the warning."""
    worker, house = _frozen(scene), scene.house
    alert, sent = scene.told, house.carrier.taken
    clear = house.issue(kind=CANCEL, replaces=alert)
    house.carrier.faults(delay_ms=0)
    house.begin("worker")
    # Where it stands still within a transaction, its locks are held until the database gives it up.
    until(lambda: house.dispatches_open() == 0, "both are at rest", 2 * days.PATIENCE)
    assert house.carrier.taken > sent
    back = time.time()
    worker.signal(signal.SIGCONT)
    time.sleep(2.0)
    messages = house.carrier.messages()
    warned, cleared = (checks.read(house, bulletin, messages) for bulletin in (alert, clear))
    if late := sum(t > back for times in warned.taken.values() for t in times):
        scene.day.wrong.append(f"{late} were warned after they had been told of the end")
    scene.day.wrong += checks.of_one(house, warned) + checks.of_one(house, cleared) + checks.addressed([warned], cleared)
    scene.day.wrong += checks.processes(house)
    scene.accounts_for([warned, cleared], MOST_DOUBLED)
    scene.sees("结果不明")


def frozen_across_the_end(scene: Scene) -> None:
    """The time of the warning ends meanwhile."""
    worker, house = _frozen(scene, seconds=12.0), scene.house
    until(lambda: time.time() > scene.told.expires.timestamp() + 1, "its time is over")
    back = time.time()
    worker.signal(signal.SIGCONT)
    until(lambda: house.dispatches_open() == 0, "it is at rest", days.PATIENCE)
    told = checks.read(house, scene.told, house.carrier.messages())
    if late := sum(t > back for times in told.taken.values() for t in times):
        scene.day.wrong.append(f"{late} were sent after the end")
    scene.sees("到期前未发送")
    scene.ends_well(state="expired")


def every(ground: Ground, kinds: list[str]) -> Iterator[Callable[[], Day]]:
    plain: list[tuple[str, str, Callable[[Scene], None]]] = [
        ("web dies within an issue", "nothing is issued, and it can be issued again", web_dies_in_the_transaction),
        ("web dies after an issue", "all is issued, once", web_dies_after_the_commit),
        ("worker frozen across an all-clear", "nothing of the warning comes after it", frozen_across_an_all_clear),
        ("worker frozen across the end", "nothing comes after it", frozen_across_the_end),
        ("scheduler dies before an expiry", "another lets it expire", leader_dies_before_expiry),
    ]
    for name, promise, act in plain:
        for kind in kinds:
            yield lambda n=name, p=promise, a=act, k=kind: days.run(ground, k, n, p, a)
