"""Bad days of what carriers report: doubled, out of order, early, forged, for other accounts, of unknown messages, cut off."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from urllib.parse import urlencode, urlsplit

from tests.faults import days
from tests.faults.days import Day, Scene
from tests.faults.house import Ground
from tests.sms.conftest import ACCOUNT, TOKEN
from tests.waiting import until

SENDERS = 6
OTHER_ACCOUNT, OTHER_TOKEN = "AC" + "9" * 32, "another-token"

#: Address, form, token that signs, and the message's number.
Report = tuple[str, dict[str, str], str, str]


def report(message: dict, status: str, *, account: str = ACCOUNT, token: str = TOKEN, url: str = "") -> Report:
    return (url or message["callback"], {"AccountSid": account, "MessageSid": message["sid"], "MessageStatus": status,
                                         "To": message["to"]}, token, message["to"])


def post(reports: list[Report]) -> dict[tuple[str, str], list[int]]:
    """Send them, some at once; how each was answered, by number and status. 0: not at all."""
    answers: dict[tuple[str, str], list[int]] = {}
    guard, left = threading.Lock(), list(reversed(reports))

    def send() -> None:
        connection: http.client.HTTPConnection | None = None
        while True:
            with guard:
                if not left:
                    break
                url, form, token, number = left.pop()
            parts, code = urlsplit(url), 0
            text = url + "".join(name + form[name] for name in sorted(form))
            signature = base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()
            try:
                connection = connection or http.client.HTTPConnection(parts.netloc, timeout=10)
                connection.request("POST", parts.path, urlencode(form), {
                    "X-Twilio-Signature": signature, "Content-Type": "application/x-www-form-urlencoded"})
                answer = connection.getresponse()
                answer.read()
                code = answer.status
            except (OSError, http.client.HTTPException):
                connection = None
                time.sleep(0.01)
            with guard:
                answers.setdefault((number, form["MessageStatus"]), []).append(code)

    threads = [threading.Thread(target=send) for _ in range(SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    return answers


def _sent(scene: Scene) -> list[dict]:
    """Everybody was sent to, and the web listens; the messages as the carrier has them."""
    scene.house.carrier.faults(callbacks=False)
    scene.issue()
    scene.house.begin("worker")
    scene.house.begin("web").ready()
    until(lambda: scene.house.dispatches_open() == 0, "everything is sent", days.PATIENCE)
    return scene.house.carrier.messages()


def _stages(scene: Scene) -> dict[str, int]:
    until(scene.house.quiet_receipts, "all reports are folded in", days.PATIENCE)
    return scene.house.progress(scene.told).stages


def _wants(scene: Scene, what: str, found: object, wanted: object) -> None:
    if found != wanted:
        scene.day.wrong.append(f"{what}: {found}, not {wanted}")


def doubled_and_out_of_order(scene: Scene) -> None:
    messages = _sent(scene)
    bad = {m["to"] for m in messages[::10]}
    reports = [report(m, status) for m in messages for status in ("sent", "undelivered" if m["to"] in bad else "delivered") * 2]
    random.Random(7).shuffle(reports)
    answers = post(reports)
    _wants(scene, "answers", Counter(code for codes in answers.values() for code in codes), Counter({200: len(reports)}))
    _wants(scene, "stages", _stages(scene), {"delivered": len(messages) - len(bad), "undelivered": len(bad)})
    scene.sees("已送达", "送达")
    scene.ends_well()


def early(scene: Scene) -> None:
    """Each report comes before the answer to the request that sent the message."""
    scene.house.begin("web").ready()
    scene.house.carrier.faults(callback_first=True, callbacks=False)
    scene.issue()
    scene.house.begin("worker")
    until(lambda: scene.house.dispatches_open() == 0, "everything is sent", days.PATIENCE)
    _wants(scene, "stages", _stages(scene), {"delivered": scene.house.progress(scene.told).accepted})
    scene.ends_well()


def forged(scene: Scene) -> None:
    messages = _sent(scene)
    elsewhere = messages[0]["callback"].rpartition("/")[0] + "/"
    reports = []
    for m in messages[:200]:
        reports += [report(m, "delivered", token="guessed"), report(m, "undelivered", account=OTHER_ACCOUNT, token=OTHER_TOKEN),
                    report(m, "failed", account=OTHER_ACCOUNT)]
    answers = post(reports)
    codes = Counter(code for codes in answers.values() for code in codes)
    if set(codes) - {403, 400}:
        scene.day.wrong.append(f"forged reports were answered {dict(codes)}")
    honest = report(messages[0], "delivered")
    moved = (elsewhere + messages[1]["callback"].rpartition("/")[2], honest[1], "guessed", honest[3])
    post([moved])
    _wants(scene, "stages", _stages(scene), {})
    scene.ends_well()


def unknown(scene: Scene) -> None:
    """Of messages that are none of ours, rightly signed: kept and shown, nothing is counted."""
    messages = _sent(scene)
    start = messages[0]["callback"].rsplit("/", 2)[0]
    answers = post([report(m, "delivered", url=f"{start}/{900_000 + n}/{n + 1}") for n, m in enumerate(messages[:50])])
    _wants(scene, "answers", Counter(code for codes in answers.values() for code in codes), Counter({200: 50}))
    _wants(scene, "stages", _stages(scene), {})
    _wants(scene, "strays", scene.house.number("SELECT count(*) FROM stray_receipt"), 50)
    scene.ends_well()


def web_dies(scene: Scene) -> None:
    """Whatever the carrier was told is kept is kept: the web is killed three times while reports come, the folder once."""
    messages = _sent(scene)
    kept: set[str] = set()
    for part in range(3):
        web = scene.house.alive("web")[-1]
        timer = threading.Timer(0.15 + 0.1 * part, web.kill)
        timer.start()
        answers = post([report(m, "delivered") for m in messages[part::3]])
        timer.join()
        if part == 1:
            scene.house.alive()[-1].kill()
            scene.house.begin("worker")
        scene.house.begin("web").ready()
        kept |= {number for (number, _status), codes in answers.items() if 200 in codes}
    stages = _stages(scene)
    if stages.get("delivered", 0) < len(kept):
        scene.day.wrong.append(f"{len(kept)} were answered as kept, {stages} are known")
    post([report(m, "delivered") for m in messages])  # a carrier that was not answered calls again
    _wants(scene, "stages", _stages(scene), {"delivered": len(messages)})
    scene.ends_well()


def every(ground: Ground, kinds: list[str]) -> Iterator[Callable[[], Day]]:
    plain: list[tuple[str, str, Callable[[Scene], None]]] = [
        ("reports doubled and out of order", "each counts once, the furthest", doubled_and_out_of_order),
        ("reports before the answer", "each counts, and holds nothing up", early),
        ("reports forged", "403, and nothing changes", forged),
        ("reports of unknown messages", "kept and shown, nothing is counted", unknown),
        ("web dies while reports come", "what was answered is counted", web_dies),
    ]
    for name, promise, act in plain:
        for kind in kinds:
            yield lambda n=name, p=promise, a=act, k=kind: days.run(ground, k, n, p, a)
