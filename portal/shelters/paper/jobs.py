"""Paper for many communities at once: asked for at the desk, made by a worker, kept for some days.

A job belongs to whoever last said that it makes it (`owner`), for as long as it says so (`beat_at`). When a worker dies, the
job is taken up again from the beginning by the next one that looks: a district takes seconds, so nothing half-done is kept.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from flask import Flask
from flask_babel import lazy_gettext as _l
from sqlalchemy import CursorResult, and_, delete, or_, select, update

from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.core.errors import Conflict, Invalid
from portal.core.i18n import LANGUAGES
from portal.identity.models import Account
from portal.regions import lookup
from portal.shelters.models import PaperJob
from portal.shelters.paper import documents, rights, source
from portal.shelters.paper.sheet import Document
from portal.shelters.registry import suitability

log = logging.getLogger(__name__)

WAITING, RUNNING, DONE, FAILED, CANCELLED = "waiting", "running", "done", "failed", "cancelled"
OPEN = (WAITING, RUNNING)
#: Without a sign of life for this long, whoever made it is taken for dead. A busy machine takes half a minute to read a
#: district, in which nothing is said.
LEASE = timedelta(seconds=120)
KEPT = timedelta(days=7)
MOST_SHEETS = 1500
MOST_LISTED = 30
#: Jobs of one account that may wait or run at once.
MOST_OPEN = 5
_BEAT_SECONDS = 0.5
#: Seconds for a sheet before any job has told better.
_GUESS = 0.12


class _Taken(Exception):
    """The job was cancelled, or somebody else has taken it over."""


@dataclass(frozen=True)
class Failure:
    """A sheet that could not be made. `why` names the kind of fault; its details are in the log."""

    code: str
    kind: str
    why: str


# -- asking for it -------------------------------------------------------------------------------------------
def ask(account: Account, kinds: Sequence[str], codes: Sequence[str], language: str, family: str = "") -> PaperJob:
    """A new job for the communities in these regions. Raises Invalid at `kinds`, `region_codes`, `language` or `family`,
    Forbidden outside the duty."""
    chosen = [kind for kind in documents.KINDS if kind in kinds]
    if not chosen or set(kinds) - set(documents.KINDS):
        raise Invalid.one("kinds", _l("Choose at least one kind of paper."))
    if language not in LANGUAGES:
        raise Invalid.one("language", _l("Choose a language."))
    if family and family not in suitability.families():
        raise Invalid.one("family", _l("Choose a group of hazards from the list."))
    communities = _communities(codes)
    if not communities:
        raise Invalid.one("region_codes", _l("Choose at least one community."))
    rights.require_print(account, communities)
    total = len(chosen) * len(communities)
    if total > MOST_SHEETS:
        raise Invalid.one("region_codes", _l("These would be %(n)d sheets; at most %(most)d go into one file. Choose fewer"
                                             " communities.", n=total, most=MOST_SHEETS))
    with transaction() as session:
        waiting = select(PaperJob.id).where(PaperJob.made_by == account.username, PaperJob.state.in_(OPEN))
        if len(session.execute(waiting).all()) >= MOST_OPEN:
            raise Invalid.one("", _l("You have %(n)d jobs that are not done yet. Wait for them, or cancel one.", n=MOST_OPEN))
        job = PaperJob(kinds=chosen, region_codes=communities, language=language, family=source.family_or_main(family),
                       state=WAITING, total=total, done=0, made_by=account.username, made_at=utcnow(), notes={})
        session.add(job)
        session.flush()
        audit.append(session, account.actor, "paper.ask", f"paper:{job.id}",
                     {"kinds": chosen, "regions": lookup.topmost(codes)[:20], "sheets": total, "language": language})
    return job


def _communities(codes: Sequence[str]) -> list[str]:
    try:
        return lookup.communities_under(codes)
    except ValueError:
        return []


def cancel(account: Account, job_id: uuid.UUID) -> PaperJob:
    """Stop a job that waits or runs. Raises Conflict when it is over, Forbidden outside the duty."""
    with transaction() as session:
        job = _for_change(session, account, job_id)
        if job.state not in OPEN:
            raise Conflict(_l("This job is over already."))
        job.state, job.finished_at, job.owner, job.data = CANCELLED, utcnow(), "", None
        audit.append(session, account.actor, "paper.cancel", f"paper:{job.id}", {"sheets": job.done})
    return job


def retry(account: Account, job_id: uuid.UUID) -> PaperJob:
    """A new job for the communities that failed; for all, when nothing was made. Raises Conflict when none failed."""
    job = get(job_id)
    if job is None or job.state in OPEN:
        raise Conflict(_l("This job cannot be made again now."))
    failed = failures(job)
    codes = list(dict.fromkeys(f.code for f in failed)) if failed else job.region_codes if job.state != DONE else []
    kinds = list(dict.fromkeys(f.kind for f in failed)) if failed else job.kinds
    if not codes:
        raise Conflict(_l("Nothing of this job failed."))
    return ask(account, kinds, codes, job.language, job.family)


def _for_change(session: Any, account: Account, job_id: uuid.UUID) -> PaperJob:
    job = session.execute(select(PaperJob).where(PaperJob.id == job_id).with_for_update()).scalar_one_or_none()
    if job is None:
        raise Conflict(_l("This job is not there any more."))
    rights.require_print(account, job.region_codes)
    return cast(PaperJob, job)


# -- looking at it -------------------------------------------------------------------------------------------
def get(job_id: uuid.UUID) -> PaperJob | None:
    return db.session.get(PaperJob, job_id, populate_existing=True)


def listing(account: Account) -> list[PaperJob]:
    """The newest jobs that the account may see."""
    rows = db.session.execute(select(PaperJob).order_by(PaperJob.made_at.desc()).limit(MOST_LISTED * 4)).scalars()
    return [job for job in rows if rights.may_print(account, job.region_codes)][:MOST_LISTED]


def failures(job: PaperJob) -> list[Failure]:
    return [Failure(f["code"], f["kind"], f["why"]) for f in (job.notes or {}).get("failed", [])]


def lacking(job: PaperJob) -> dict[str, str]:
    """Characters that the typeface lacks, as code points, by community."""
    return dict((job.notes or {}).get("lacking", {}))


def seconds_left(job: PaperJob, now: datetime) -> int | None:
    """How long it will still take; None when nothing runs. Those that wait before it are counted by their sheets."""
    if job.state not in OPEN:
        return None
    if job.state == RUNNING and job.started_at and job.done:
        each = max(0.001, (now - job.started_at).total_seconds()) / job.done
        return max(1, round(each * (job.total - job.done)))
    before = db.session.execute(select(PaperJob.total, PaperJob.done).where(
        PaperJob.state.in_(OPEN), PaperJob.made_at < job.made_at)).all()
    return max(1, round(_GUESS * (job.total + sum(total - done for total, done in before))))


def data(job_id: uuid.UUID) -> bytes | None:
    return db.session.execute(select(PaperJob.data).where(PaperJob.id == job_id, PaperJob.state == DONE)).scalar_one_or_none()


# -- making it -----------------------------------------------------------------------------------------------
def run_next(app: Flask) -> bool:
    """Make one job that waits, or that whoever made it has left behind; whether there was one. Any number of processes may
    call this at once. Finished jobs that are older than KEPT go."""
    with app.app_context():
        remove_old(utcnow())
        claimed = _claim(utcnow())
        if claimed is None:
            return False
        _Making(*claimed).run()
    return True


def _claim(now: datetime) -> tuple[uuid.UUID, str] | None:
    free = or_(PaperJob.state == WAITING, and_(PaperJob.state == RUNNING, or_(PaperJob.beat_at.is_(None),
                                                                             PaperJob.beat_at < now - LEASE)))
    candidates = db.session.execute(select(PaperJob.id).where(free).order_by(PaperJob.made_at).limit(5)).scalars().all()
    db.session.rollback()
    for job_id in candidates:
        owner = uuid.uuid4().hex
        with transaction() as session:
            result = cast(CursorResult[Any], session.execute(
                update(PaperJob).where(PaperJob.id == job_id, free)
                .values(state=RUNNING, owner=owner, beat_at=now, started_at=now, done=0, notes={}, error="")
                .execution_options(synchronize_session=False)))
        if result.rowcount:
            return job_id, owner
    return None


class _Making:
    """One job in one worker's hands."""

    def __init__(self, job_id: uuid.UUID, owner: str) -> None:
        self.id, self.owner = job_id, owner
        self.done, self.failed, self.lacking = 0, [], {}  # type: ignore[var-annotated]
        self._beaten = time.monotonic()

    def run(self) -> None:
        job = get(self.id)
        if job is None:
            return
        kinds, codes, language, family = list(job.kinds), list(job.region_codes), job.language, job.family
        db.session.rollback()
        try:
            pdf = self._make(kinds, codes, language, family)
            self._finish(pdf, "" if pdf else "nothing")
        except _Taken:
            log.info("paper job %s is no longer ours", self.id)
        except Exception:
            log.exception("paper job %s failed", self.id)
            db.session.rollback()
            self._finish(None, "broken")

    def _make(self, kinds: list[str], codes: list[str], language: str, family: str) -> bytes | None:
        """The whole file. A sheet that fails is left out and named; drawing then begins again, so that no half of it stays."""
        shared = source.Source(codes, family)
        self._beat()
        bad: set[tuple[str, str]] = set()
        while True:
            document = documents.collection(kinds, language)
            self.done = len(bad)
            if self._draw(document, shared, [(c, k) for c in codes for k in kinds if (c, k) not in bad], bad):
                return document.finish() if document.pages else None

    def _draw(self, document: Document, shared: source.Source, sheets: list[tuple[str, str]], bad: set[tuple[str, str]]) -> bool:
        facts: dict[str, Any] = {}
        for code, kind in sheets:
            try:
                if code not in facts:
                    facts = {code: shared.facts(code)}
                lacking = documents.draw_into(document, kind, facts[code])
            except Exception as fault:
                log.warning("paper job %s: %s of %s failed", self.id, kind, code, exc_info=True)
                bad.add((code, kind))
                self.failed.append({"code": code, "kind": kind, "why": type(fault).__name__})
                return False
            if lacking:
                self.lacking[code] = documents.codes_of(lacking)
            self.done += 1
            self._beat()
        return True

    def _beat(self) -> None:
        """Say that we live and how far we are; raises _Taken when the job is no longer ours."""
        if time.monotonic() - self._beaten < _BEAT_SECONDS:
            return
        self._beaten = time.monotonic()
        db.session.rollback()
        self._write(done=self.done, beat_at=utcnow())

    def _write(self, **values: Any) -> None:
        with transaction() as session:
            result = cast(CursorResult[Any], session.execute(
                update(PaperJob).where(PaperJob.id == self.id, PaperJob.owner == self.owner, PaperJob.state == RUNNING)
                .values(**values).execution_options(synchronize_session=False)))
        if not result.rowcount:
            raise _Taken

    def _finish(self, pdf: bytes | None, error: str) -> None:
        notes = {"failed": self.failed, "lacking": self.lacking}
        now = utcnow()
        try:
            self._write(state=DONE if pdf else FAILED, done=self.done, data=pdf, size=len(pdf) if pdf else None, notes=notes,
                        error=error, finished_at=now, beat_at=now, owner="")
        except _Taken:
            log.info("paper job %s was cancelled or taken over at its end", self.id)


def remove_old(now: datetime) -> int:
    """Remove finished jobs after KEPT; how many."""
    old = and_(PaperJob.finished_at.is_not(None), PaperJob.finished_at < now - KEPT)
    found = db.session.execute(select(PaperJob.id).where(old).limit(1)).first()
    db.session.rollback()
    if found is None:
        return 0
    with transaction() as session:
        result = cast(CursorResult[Any], session.execute(delete(PaperJob).where(old)))
    return int(result.rowcount)
