"""A worker is killed again and again: after it all, everybody was sent to, and few twice."""

import os
import signal
import subprocess
import sys
import time

from portal.config import ROOT
from portal.core.db import db
from portal.dispatch import progress
from portal.dispatch.issue import issue
from tests import district
from tests.sms.conftest import ACCOUNT, SERVICE, TOKEN, carrier, carrier_process  # noqa: F401  (fixtures)

FLUSH, IN_FLIGHT, KILLS = 40, 8, 3


def _worker(settings, url):
    environment = os.environ | {
        "ANLAN_DATABASE_URL": settings.database_url,
        "ANLAN_INSTANCE": str(settings.instance),
        "ANLAN_SECRET_KEY": settings.secret_key.get_secret_value(),
        "ANLAN_PHONE_KEY": settings.phone_key.get_secret_value(),
        "ANLAN_SMS_PROVIDER": "twilio",
        "ANLAN_TWILIO_ACCOUNT_SID": ACCOUNT,
        "ANLAN_TWILIO_AUTH_TOKEN": TOKEN,
        "ANLAN_TWILIO_MESSAGING_SERVICE_SID": SERVICE,
        "ANLAN_TWILIO_API_URL": url,
        "ANLAN_MOST_DOUBLED": str(FLUSH + IN_FLIGHT),
        "ANLAN_BATCH_SIZE": "150",
        "ANLAN_FLUSH_SIZE": str(FLUSH),
        "ANLAN_MAX_IN_FLIGHT": str(IN_FLIGHT),
        "ANLAN_LEASE_SECONDS": "2",
        "ANLAN_RETRY_SECONDS": "0.5",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "portal.cli", "worker"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def _until(true, what, seconds=90):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def test_nobody_is_lost_and_few_are_doubled_when_workers_are_killed(make_app, make_settings, carrier):  # noqa: F811
    app = make_app()
    settings = make_settings()
    carrier.faults(delay_ms=15)
    with app.app_context():
        district.settle_regions()
        district.subscribers(900)
        draft = district.submitted(district.drafter(), target={
            "regions": [district.DISTRICT], "area": None, "audiences": [], "channels": ["sms"]})
        bulletin = issue(district.approver(), draft.id, version=draft.version, content_hash=draft.content_hash)
        for kill in range(1, KILLS + 1):
            worker = _worker(settings, carrier.url)
            try:
                _until(lambda n=kill: carrier.summary()["taken"] > 140 * n, "the worker sends nothing")
            finally:
                worker.send_signal(signal.SIGKILL)
                worker.wait()
        worker = _worker(settings, carrier.url)
        try:
            def done():
                db.session.rollback()
                found = next(p for p in progress.of_bulletin(bulletin.id) if p.dispatch.channel == "sms")
                return found.dispatch.state == "done"
            _until(done, "the last worker does not finish")
        finally:
            worker.terminate()
            out = worker.communicate(timeout=30)[0].decode()
        assert "Traceback" not in out, out
        found = next(p for p in progress.of_bulletin(bulletin.id) if p.dispatch.channel == "sms")
        assert found.planned == 900
        assert found.ends == {"accepted": 900}
        taken = [m["to"] for m in carrier.messages()]
        assert len(set(taken)) == 900
        assert len(taken) - len(set(taken)) <= KILLS * (FLUSH + IN_FLIGHT)
