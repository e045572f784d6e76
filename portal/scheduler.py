"""Time: what happens by the clock. One process holds the scheduler; each job is harmless when it runs twice."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from flask import Flask

from portal.channels.sms import inbound, notices
from portal.core.clock import utcnow
from portal.dispatch import overdue, receipts
from portal.reports import sweep as reports
from portal.shelters import jobs as shelters
from portal.site import course_pages
from portal.subscribers.roster import running as rosters_at_work
from portal.subscribing import sweep as subscribing
from portal.training.assessing import attendance
from portal.training.certificates import reminders as certificates
from portal.training.exams import attempts
from portal.training.figures.jobs import FiguresJob
from portal.training.practicals import reminders
from portal.warnings import bulletins

log = logging.getLogger(__name__)

EXPIRY_SECONDS = 2
REFRESH_SECONDS = 300
FIELD_SECONDS = 1  # how often it is looked whether the evacuation field is to be computed again
PAPER_SECONDS = 2
SWEEP_SECONDS = 3600
ABSENT_SECONDS = 300  # how often it is looked who did not come to a session that has ended
ENDING_SECONDS = 600  # how often it is looked whose certificate ends soon
SILENT_SECONDS = 60  # how often it is looked of whom nothing was heard in time
EXAMS_SECONDS = 60  # how often it is looked whether an exam's time is over
NOTICES_SECONDS = 5  # how often it is looked whether somebody is to be told something
REMINDERS_SECONDS = 60  # how often it is looked whether a practical session is near
ROSTERS_SECONDS = 60  # how often it is looked whether whoever read a list of subscribers was ended
FIGURES_SECONDS = 60  # how often exams that have ended are added to the figures of their questions
COURSES_SECONDS = 60  # how often it is looked whether a file of a course changed
LOOK_SECONDS = 1.0  # how often it is looked whether a job waits for a clock that was set back
SLACK = timedelta(seconds=1)  # so much later than its interval says a job may be due by right
#: What takes long, or waits for others: each has a thread of its own.
OWN_THREADS = ("field", "paper", "courses", "notices", "figures", "sweep")


class Steady(BackgroundScheduler):
    """Jobs at intervals that do not stand still until the clock has caught up, where it was set back."""

    def _process_jobs(self) -> float | None:
        now = utcnow()
        for job in self.get_jobs():
            if job.next_run_time and job.next_run_time - now > job.trigger.interval + SLACK:
                job.modify(next_run_time=now)
        pause: float | None = super()._process_jobs()
        return pause if pause is None else min(pause, LOOK_SECONDS)


def make_scheduler(app: Flask, publish: Callable[[], object]) -> BackgroundScheduler:
    """A scheduler, not yet started: expiry of warnings, the public pages made afresh, the evacuation field, documents,
    the pages of courses, notices to single people.

    The field, the documents and the pages of courses take seconds of work, carriers may be slow, and what is swept may be much:
    they have threads of their own, so that nothing expires late.
    """
    scheduler = Steady(
        timezone="UTC",
        executors={"default": ThreadPoolExecutor(2)} | {n: ThreadPoolExecutor(1) for n in OWN_THREADS},
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

    look = shelters.FieldJob(app)

    def field() -> None:
        if look():
            refresh()

    def paper() -> None:
        shelters.paper(app)  # one at a time, so that an end asked for waits for no queue

    def courses() -> None:
        if course_pages.due(app.extensions["anlan"]):
            course_pages.publish_courses(app)

    def exams() -> None:
        if ended := attempts.sweep(app):
            log.info("exams ended because their time was over: %d", ended)

    def tell() -> None:
        if told := notices.send_due(app):
            log.info("notices sent: %d", told)

    def remind() -> None:
        if queued := reminders.queue_due(app):
            log.info("reminders queued: %d", queued)

    def ending() -> None:
        if queued := certificates.queue_due(app):
            log.info("reminders of certificates that end: %d", queued)

    def absent() -> None:
        attendance.sweep(app)

    def rosters() -> None:
        rosters_at_work.sweep(app)

    def sweep() -> None:
        shelters.sweep(app)
        inbound.sweep(app)
        subscribing.sweep(app)
        reports.sweep(app)
        receipts.sweep(app)

    def silent() -> None:
        if batches := overdue.sweep(app):
            log.info("batches whose receipts should have come by now: %d", batches)

    scheduler.add_job(expire, "interval", seconds=EXPIRY_SECONDS, id="expire")
    scheduler.add_job(refresh, "interval", seconds=REFRESH_SECONDS, id="refresh", next_run_time=utcnow())
    scheduler.add_job(field, "interval", seconds=FIELD_SECONDS, id="field", executor="field")
    scheduler.add_job(paper, "interval", seconds=PAPER_SECONDS, id="paper", executor="paper")
    scheduler.add_job(courses, "interval", seconds=COURSES_SECONDS, id="courses", executor="courses", next_run_time=utcnow())
    scheduler.add_job(exams, "interval", seconds=EXAMS_SECONDS, id="exams", executor="sweep")
    scheduler.add_job(silent, "interval", seconds=SILENT_SECONDS, id="silent", executor="sweep")
    scheduler.add_job(absent, "interval", seconds=ABSENT_SECONDS, id="absent", executor="sweep")
    scheduler.add_job(tell, "interval", seconds=NOTICES_SECONDS, id="notices", executor="notices")
    scheduler.add_job(remind, "interval", seconds=REMINDERS_SECONDS, id="reminders", executor="notices")
    scheduler.add_job(ending, "interval", seconds=ENDING_SECONDS, id="certificates", executor="notices")
    scheduler.add_job(FiguresJob(app), "interval", seconds=FIGURES_SECONDS, id="figures", executor="figures",
                      next_run_time=utcnow())
    scheduler.add_job(rosters, "interval", seconds=ROSTERS_SECONDS, id="rosters", executor="sweep")
    scheduler.add_job(sweep, "interval", seconds=SWEEP_SECONDS, id="sweep", executor="sweep",
                      next_run_time=utcnow() + timedelta(minutes=5))
    return scheduler
