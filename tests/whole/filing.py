"""Drafts and warnings made by a process beside the portal, on its database: what nobody can type so quickly at the desk."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence

from portal.config import ROOT
from tests.whole.machine import Machine

PROGRAM = '''
import json, sys
from datetime import timedelta
from sqlalchemy import select
from portal import create_app, current_settings
from portal.core.clock import utcnow
from portal.core.db import db
from portal.dispatch.issue import issue
from portal.identity.models import Account
from portal.warnings import drafts, hazards, review, words
from portal.warnings.models import ALERT

def account(name):
    return db.session.execute(select(Account).where(Account.username == name)).scalar_one()

asked = json.loads(sys.argv[1])
with create_app().app_context():
    tier, regions, now = asked["tier"], asked["regions"], utcnow()
    expires = now + timedelta(seconds=asked["seconds"])
    text = words.first(ALERT, hazards.catalogue().hazards["11B03"], tier, regions, onset=now, expires=expires,
                       exercise=False, settings=current_settings())
    aim = {"regions": regions, "area": None, "audiences": [], "channels": ["sms", "speakers"]}
    draft = drafts.create(account("drafter"), drafts.Content(ALERT, None, False, "11B03", tier, aim, None, expires, text))
    review.move(account("drafter"), draft.id, review.SUBMIT, version=draft.version)
    draft = drafts.get(draft.id)
    if asked["issue"]:
        made = issue(account("approver"), draft.id, version=draft.version, content_hash=draft.content_hash)
        print(made.warning_number)
    else:
        print(draft.id)
'''


def _filed(machine: Machine, **asked: object) -> str:
    done = subprocess.run([sys.executable, "-c", PROGRAM, json.dumps(asked)], cwd=ROOT, env=machine.environment, check=False,
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[-1]


def issue_one_that_soon_ends(machine: Machine, seconds: float) -> str:
    """A yellow rainstorm warning that lasts so long; its number."""
    return _filed(machine, tier="yellow", regions=["440310003000"], seconds=seconds, issue=True)


def submit(machine: Machine, regions: Sequence[str], tier: str = "red") -> str:
    """A rainstorm draft that waits for approval; its path at the desk."""
    return f"/desk/drafts/{_filed(machine, tier=tier, regions=list(regions), seconds=6 * 3600, issue=False)}/"
