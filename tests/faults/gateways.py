"""Bad days of a carrier: it refuses, is slow, is cut off, talks nonsense, or what it reports is not what it seems."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator

from portal.warnings.models import CANCEL
from tests.faults import checks, days
from tests.faults.days import Day, Scene
from tests.faults.house import Ground
from tests.waiting import until

#: What a page says of those who wait, in Chinese.
WAITS = "尚未送出"
#: What the page of the sending says of a line.
PAUSES, LATER, NOTHING = "，暂停", "秒后重试", "目前没有信息被接收"


def storm(scene: Scene) -> None:
    scene.house.carrier.faults(callbacks=False, too_many=0.9, retry_after=1)
    scene.issue()
    scene.house.begin("worker")
    scene.sees(WAITS, PAUSES, LATER, NOTHING)
    scene.house.carrier.faults(too_many=0.0)
    scene.ends_well()


def server_errors(scene: Scene) -> None:
    scene.house.carrier.faults(callbacks=False, server_error=1.0)
    scene.issue()
    scene.house.begin("worker")
    scene.sees(WAITS)
    scene.house.carrier.faults(server_error=0.0)
    scene.ends_well()


def half_open(scene: Scene) -> None:
    """The carrier's machine takes connections and bytes, and answers nobody; later it has taken what it was sent."""
    scene.house.carrier.faults(callbacks=False, delay_ms=20)
    scene.issue()
    scene.house.begin("worker")
    until(lambda: scene.house.carrier.taken > 50, "something was sent")
    scene.house.carrier.signal(signal.SIGSTOP)
    time.sleep(3.0)  # past the time that a request is waited for
    scene.house.carrier.signal(signal.SIGCONT)
    scene.ends_well()


def answers_cut(scene: Scene) -> None:
    scene.house.carrier.faults(callbacks=False, cut=0.1, delay_ms=5)
    scene.issue()
    scene.house.begin("worker")
    scene.ends_well()
    _as_often_as(scene, "cut")


def not_json(scene: Scene) -> None:
    scene.house.carrier.faults(callbacks=False, not_json=0.1, delay_ms=5)
    scene.issue()
    scene.house.begin("worker")
    scene.ends_well()
    _as_often_as(scene, "not_json")


def _as_often_as(scene: Scene, fault: str) -> None:
    """There was such a fault at all, and nobody else was sent to again."""
    spoilt = scene.house.carrier.summary()["counts"].get(fault, 0)
    if not 0 < scene.day.doubled <= spoilt:
        scene.day.wrong.append(f"{scene.day.doubled} were doubled, {spoilt} answers were spoilt")


def resets(scene: Scene) -> None:
    scene.house.carrier.faults(callbacks=False, reset=0.2, delay_ms=5)
    scene.issue()
    scene.house.begin("worker")
    scene.ends_well()


def slow(scene: Scene) -> None:
    """Answers after the time that is waited for; what was given up is taken all the same."""
    scene.house.carrier.faults(callbacks=False, delay_ms=2500)
    scene.issue()
    scene.house.begin("worker")
    scene.sees(WAITS)
    scene.house.carrier.faults(delay_ms=5)
    scene.ends_well()


def away(scene: Scene) -> None:
    """Its process is gone, nothing listens; then it is back."""
    scene.house.carrier.faults(callbacks=False, delay_ms=20)
    scene.house.carrier.kill()
    try:
        scene.issue()
        scene.house.begin("worker")
        scene.sees(WAITS)
    finally:
        scene.house.carrier.start()
    scene.house.carrier.faults(callbacks=False)
    scene.ends_well()


def unreachable(scene: Scene) -> None:
    """By a name or a certificate that cannot be: they wait; and when the setting is mended and the worker begun again, go out."""
    scene.house.carrier.faults(callbacks=False)
    scene.issue()
    worker = scene.house.begin("worker")
    scene.sees(WAITS)
    if scene.house.carrier.taken:
        scene.day.wrong.append("something was sent in spite of it")
    worker.end()
    scene.house.environment["ANLAN_TWILIO_API_URL"] = scene.house.carrier.url
    scene.house.begin("worker")
    scene.ends_well()


def expires_unsent(scene: Scene) -> None:
    """The carrier refuses until the time is over: nothing is sent afterwards, and the page says of how many."""
    scene.house.carrier.faults(callbacks=False, server_error=1.0)
    scene.issue(seconds=6.0)
    scene.house.begin("worker")
    until(lambda: scene.house.dispatches_open() == 0, "the time is over", days.PATIENCE)
    scene.house.carrier.faults(server_error=0.0)
    time.sleep(1.5)
    if scene.house.carrier.taken:
        scene.day.wrong.append("something was sent after the end")
    scene.sees("到期前未发送")
    scene.ends_well(state="expired")


def refuses_us(scene: Scene) -> None:
    """Our own sender is wrong: nobody's number is called bad for it."""
    scene.house.carrier.faults(callbacks=False, wrong_sender=True)
    scene.issue()
    scene.house.begin("worker")
    scene.sees(WAITS)
    scene.house.carrier.faults(wrong_sender=False)
    scene.ends_well()


def killed_among_lost_answers(scene: Scene) -> None:
    """Of many in one batch the answers were lost, though the messages were taken; the worker dies before it has said of any, and
    the all-clear comes: whoever may have been warned hears it."""
    house = scene.house
    house.carrier.faults(callbacks=False, cut=0.1, delay_ms=10)
    alert = scene.issue()
    worker = house.begin("worker")
    until(lambda: house.carrier.taken >= 380, "most of a batch was taken")
    worker.kill()
    time.sleep(0.3)
    house.carrier.faults(cut=0.0)
    clear = house.issue(kind=CANCEL, replaces=alert)
    house.begin("worker")
    until(lambda: house.dispatches_open() == 0, "both are at rest", days.PATIENCE)
    messages = house.carrier.messages()
    warned, cleared = (checks.read(house, bulletin, messages) for bulletin in (alert, clear))
    scene.day.wrong += checks.of_one(house, warned) + checks.of_one(house, cleared) + checks.addressed([warned], cleared)
    scene.accounts_for([warned, cleared], int(house.environment["ANLAN_MOST_DOUBLED"]))
    if left := set(warned.taken) - set(cleared.taken):
        scene.day.wrong.append(f"{len(left)} were warned and have not heard of the end")
    scene.sees("结果不明")


def every(ground: Ground, kinds: list[str]) -> Iterator[Callable[[], Day]]:
    """All of them on each database."""
    patient = {"ANLAN_TWILIO_TIMEOUT": "1"}
    plain: list[tuple[str, str, Callable[[Scene], None], dict[str, str]]] = [
        ("429 storm", "it waits as asked, nobody is lost or doubled", storm, {}),
        ("5xx", "it tries again, nobody is lost or doubled", server_errors, {}),
        ("half-open", "what was in flight is tried again, nobody is lost", half_open, patient),
        ("answers cut", "only those are tried again", answers_cut, {}),
        ("answers that are no JSON", "at most those are tried again", not_json, {}),
        ("answers lost, worker killed", "whoever may have been warned hears the all-clear", killed_among_lost_answers,
         {"ANLAN_BATCH_SIZE": "2000", "ANLAN_MOST_DOUBLED": "10", "ANLAN_MAX_IN_FLIGHT": "10", "ANLAN_FLUSH_SIZE": "5"}),
        ("connections reset", "nobody is lost", resets, {}),
        ("slow answers", "at most what was asked meanwhile is doubled", slow, patient),
        ("carrier away", "it waits and goes on", away, patient),
        ("sender refused", "no number is called bad for it", refuses_us, {}),
        ("expires unsent", "nothing is sent after the end", expires_unsent, {}),
        ("TLS fails", "nothing is sent in the open, the desk says so", unreachable,
         {"ANLAN_TWILIO_API_URL": ground.carrier.url.replace("http:", "https:")}),
        ("DNS fails", "they wait, the desk says so", unreachable, {"ANLAN_TWILIO_API_URL": "http://carrier.invalid:8080"}),
    ]
    for name, promise, act, environment in plain:
        for kind in kinds:
            yield lambda n=name, p=promise, a=act, e=environment, k=kind: days.run(ground, k, n, p, a, **e)
