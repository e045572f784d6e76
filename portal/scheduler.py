"""Time: what happens by the clock. One process holds the scheduler; each job is harmless when it runs twice."""

from __future__ import annotations

import logging
from collections.abc import Callable

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from flask import Flask

from portal.core.clock import utcnow
from portal.warnings import bulletins

log = logging.getLogger(__name__)

EXPIRY_SECONDS = 2
REFRESH_SECONDS = 300


def make_scheduler(app: Flask, publish: Callable[[], object]) -> BackgroundScheduler:
    """A scheduler, not yet started: expiry of warnings, and the public pages made afresh."""
    scheduler = BackgroundScheduler(
        timezone="UTC",
        executors={"default": ThreadPoolExecutor(2)},
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": 60},
    )

    def expire() -> None:
        with app.app_context():
            if numbers := bulletins.expire_due(utcnow()):
                log.info("expired: %s", ", ".join(numbers))
                publish()

    def refresh() -> None:
        with app.app_context():
            publish()

    scheduler.add_job(expire, "interval", seconds=EXPIRY_SECONDS, id="expire")
    scheduler.add_job(refresh, "interval", seconds=REFRESH_SECONDS, id="refresh", next_run_time=utcnow())
    return scheduler
