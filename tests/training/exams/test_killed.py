"""A server that is killed while answers of many stream in: what it has acknowledged is kept and counts once, the rest is sent
again, the exam goes on to the mark that the last answers earn."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import urllib.parse
import urllib.request
from http.client import HTTPException
from pathlib import Path

from portal.config import Settings
from portal.core.db import db
from portal.training.exam_models import AttemptAnswer
from portal.training.exams import attempts
from portal.training.exams.pages import COOKIE
from portal.training.learners import door
from portal.training.models import Learner
from tests.browser.waiting import until_listening
from tests.postgres import free_port
from tests.training.exams.conftest import make_learner
from tests.training.exams.test_attempts import right

ROOT = Path(__file__).resolve().parents[3]
SERVER = """
import json, sys
from pathlib import Path
import waitress
from portal import create_app
from portal.config import Settings
given = json.loads(sys.argv[1])
app = create_app(Settings(**(given | {"instance": Path(given["instance"]), "content": Path(given["content"])})))
app.config["WTF_CSRF_ENABLED"] = False
waitress.serve(app, host="127.0.0.1", port=int(sys.argv[2]), threads=4)
"""
LEARNERS, BEFORE_THE_KILL, AFTER = 20, 60, 2


class Sitting:
    """One learner at the exam, who changes the first answer again and again. `sent` and `heard`: the greatest counts."""

    def __init__(self, port: int, learner: int) -> None:
        self.learner, self.url = learner, f"http://127.0.0.1:{port}/learn/sample/exam/"
        attempt, secret = attempts.start(learner, "sample")
        self.attempt, self.secret = attempt.id, secret
        self.cookies = f"{door.COOKIE}={door.begin(db.session.get(Learner, learner))}; {COOKIE}={secret}"
        drawn, question = attempts.questions(attempt)[0]
        self.values = (None, right(question, drawn))
        self.sent = self.heard = attempts.GENERATION

    def say(self, seq: int) -> None:
        self.sent = max(self.sent, seq)
        body = {"attempt": str(self.attempt), "answers": [{"at": 0, "seq": seq, "value": self.values[seq % 2]}]}
        request = urllib.request.Request(self.url + "answers", json.dumps(body).encode(), headers={
            "Content-Type": "application/json", "Accept": "application/json", "Cookie": self.cookies})
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert json.load(answer)["kept"] == [{"at": 0, "seq": seq}]
        self.heard = seq


def serve(settings: Settings, port: int) -> subprocess.Popen:
    given = {name: str(getattr(settings, name)) for name in ("instance", "database_url", "content")}
    given |= {name: getattr(settings, name).get_secret_value() for name in ("secret_key", "phone_key")}
    process = subprocess.Popen([sys.executable, "-c", SERVER, json.dumps(given), str(port)], cwd=ROOT,
                               env={k: v for k, v in os.environ.items() if not k.startswith("ANLAN_")},
                               stdout=subprocess.DEVNULL)
    until_listening(port, process, longest=60)
    return process


def test_what_was_acknowledged_survives_a_kill_and_the_exam_goes_on(loaded):
    port = free_port()
    sittings = [Sitting(port, make_learner(f"{n:04}")) for n in range(LEARNERS)]
    db.session.rollback()
    server, heard, enough = serve(loaded.extensions["anlan"], port), [], threading.Event()

    def storm(sitting: Sitting) -> None:
        try:
            while True:
                sitting.say(sitting.sent + 1)
                heard.append(1)
                if len(heard) >= BEFORE_THE_KILL and all(one.heard > attempts.GENERATION for one in sittings):
                    enough.set()
        except (OSError, HTTPException, ValueError):
            return  # the server is gone
    threads = [threading.Thread(target=storm, args=[one], daemon=True) for one in sittings]
    try:
        for thread in threads:
            thread.start()
        assert enough.wait(60)
        os.kill(server.pid, signal.SIGKILL)
        server.wait(20)
        for thread in threads:
            thread.join(20)
            assert not thread.is_alive()
        for one in sittings:
            kept = attempts.kept(one.attempt)[0]
            assert one.heard <= kept.seq <= one.sent
            assert kept.value == one.values[kept.seq % 2]
    finally:
        server.kill()
        server.wait(20)
    db.session.rollback()
    for one in sittings:  # any other process goes on; the one without an answer is sent again
        for seq in (one.sent, *range(one.sent + 1, one.sent + AFTER)):
            said = attempts.Said(0, seq, one.values[seq % 2])
            assert attempts.save(one.learner, one.attempt, one.secret, [said]).kept[0].seq == seq
        rows = db.session.query(AttemptAnswer).filter_by(attempt_id=one.attempt).all()
        assert [(row.at, row.seq) for row in rows] == [(0, one.sent + AFTER - 1)]
        said = one.values[(one.sent + AFTER - 1) % 2]
        assert attempts.submit(one.learner, one.attempt, one.secret).points == (0 if said is None else 1)
