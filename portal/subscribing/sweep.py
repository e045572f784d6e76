"""What is no longer needed goes by itself: sessions that ran out, with the number that they hold, and codes of days ago."""

from __future__ import annotations

from flask import Flask

from portal.channels.sms import codes
from portal.core.db import transaction
from portal.subscribers import own


def sweep(app: Flask) -> None:
    with app.app_context(), transaction() as session:
        own.forget_passes(session)
        codes.forget_old(session)
