"""Courses as they were loaded from files, version by version. A version never changes, so each process keeps what it has read."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from flask import current_app
from sqlalchemy import func, select

from portal.config import Settings
from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.training import course_codec
from portal.training.content import keys, reader
from portal.training.content.faults import Fault
from portal.training.content.values import Course
from portal.training.models import CourseMedium, CourseVersion

log = logging.getLogger(__name__)

#: Raised when what is kept of a course changes its form, so that all are loaded anew.
FORM = 2
_KEPT_VERSIONS = 12


@dataclass(frozen=True)
class Loaded:
    """What came of loading one folder. `version_id` is None where nothing was loaded and nothing is there; `new` tells whether
    a version was made just now; `faults` is what lint says of a folder that changed."""

    slug: str
    version_id: int | None
    new: bool
    faults: list[Fault]


@dataclass(frozen=True)
class _Kept:
    course: Course
    media: Mapping[str, str]


def current(slug: str) -> tuple[int, Course] | None:
    """The version that is current and its id; None for what was never loaded."""
    version_id = db.session.execute(select(func.max(CourseVersion.id)).where(CourseVersion.slug == slug)).scalar_one()
    return None if version_id is None else (version_id, of(version_id))


def currents() -> list[tuple[int, Course]]:
    """All courses that are loaded, the longest first; of equal ones by slug."""
    newest = select(func.max(CourseVersion.id)).group_by(CourseVersion.slug).order_by(CourseVersion.slug)
    found = [(version_id, of(version_id)) for version_id in db.session.execute(newest).scalars().all()]
    return sorted(found, key=lambda one: -one[1].hours.theory)


def of(version_id: int) -> Course:
    """The course of a version. Raises LookupError where there is no such version."""
    return _kept(version_id).course


def media(version_id: int) -> Mapping[str, str]:
    """Name of each picture of a version → SHA-256 of its body."""
    return _kept(version_id).media


def picture(sha256: str) -> bytes | None:
    """The body of a picture."""
    return db.session.execute(select(CourseMedium.body).where(CourseMedium.sha256 == sha256)).scalar_one_or_none()


def sync(*, faulty: bool = False) -> list[Loaded]:
    """Load each course whose files changed as a new version; what did not change is not even read. A course of which lint says
    something stays as it was loaded before, unless `faulty`."""
    settings: Settings = current_app.extensions["anlan"]
    return [_load(directory, faulty=faulty) for directory in reader.folders(settings.content)]


def _load(directory: Path, *, faulty: bool) -> Loaded:
    slug, mark = directory.name, _mark(directory)
    if (last := _last(slug)) is not None and last.sha256 == mark:
        return Loaded(slug, last.id, new=False, faults=[])
    reading = reader.read(directory)
    course = reading.course
    if course is None or not any(course.lessons) or (reading.faults and not faulty):
        log.warning("the course %s stays as it was loaded before: %s", slug,
                    f"{len(reading.faults)} faults; run: anlan content lint" if reading.faults else "it has no lessons")
        return Loaded(slug, last.id if last else None, new=False, faults=reading.faults)
    data = course_codec.write(course)
    with transaction() as session:
        audit.serialise(session)  # of two processes that load at once, the second finds the first one's version
        if (last := _last(slug)) is not None and (last.sha256 == mark or last.data == data):
            last.sha256 = mark
            return Loaded(slug, last.id, new=False, faults=reading.faults)
        for sha256, body in {course_codec.digest(m): m.body for m in course.media.values()}.items():
            if session.get(CourseMedium, sha256) is None:
                session.add(CourseMedium(sha256=sha256, body=body))
        row = CourseVersion(slug=slug, version=course.version[:40], sha256=mark, data=data, loaded_at=utcnow())
        session.add(row)
        session.flush()
        audit.append(session, audit.SYSTEM, "course.load", f"course:{slug}",
                     {"version": course.version, "version_id": row.id, "faults": len(reading.faults)})
        return Loaded(slug, row.id, new=True, faults=reading.faults)


def _last(slug: str) -> CourseVersion | None:
    newest = select(CourseVersion).where(CourseVersion.slug == slug).order_by(CourseVersion.id.desc()).limit(1)
    return db.session.execute(newest).scalar_one_or_none()


def _mark(directory: Path) -> str:
    """SHA-256 of all files of a course, by name."""
    made = hashlib.sha256(f"form {FORM}\0".encode())
    for path in sorted(p for p in directory.rglob("*") if p.is_file() and p.name != keys.FILE):
        made.update(f"{path.relative_to(directory)}\0{path.stat().st_size}\0".encode())
        made.update(path.read_bytes())
    return made.hexdigest()


def _kept(version_id: int) -> _Kept:
    return _read(str(db.engine.url), version_id)


@lru_cache(maxsize=_KEPT_VERSIONS)
def _read(_database: str, version_id: int) -> _Kept:
    data = db.session.execute(select(CourseVersion.data).where(CourseVersion.id == version_id)).scalar_one_or_none()
    if data is None:
        raise LookupError(f"there is no course version {version_id}")
    return _Kept(course_codec.read(data), course_codec.media(data))
