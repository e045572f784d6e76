"""Bad days of what people and the clock do: the web dies while a warning is issued, the scheduler while one expires."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator

from sqlalchemy import select

from portal.core.db import db
from portal.warnings.models import Bulletin
from tests.faults import days
from tests.faults.days import Day, Scene
from tests.faults.house import POSTGRESQL, SQLITE, Ground
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


def every(ground: Ground, kinds: list[str]) -> Iterator[Callable[[], Day]]:
    plain: list[tuple[str, str, Callable[[Scene], None]]] = [
        ("web dies within an issue", "nothing is issued, and it can be issued again", web_dies_in_the_transaction),
        ("web dies after an issue", "all is issued, once", web_dies_after_the_commit),
        ("scheduler dies before an expiry", "another lets it expire", leader_dies_before_expiry),
    ]
    for name, promise, act in plain:
        for kind in kinds:
            yield lambda n=name, p=promise, a=act, k=kind: days.run(ground, k, n, p, a)
