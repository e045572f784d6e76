"""Courses: their files have no faults, and what everybody reads is what the files say."""

from __future__ import annotations

from collections.abc import Iterator

from flask_babel import gettext as _

from portal.config import Settings
from portal.doctor.findings import FAIL, OK, WARN, Finding


def courses(settings: Settings) -> Iterator[Finding]:
    """The same as `anlan content lint` says of courses, in one line. A portal of warnings alone is whole without."""
    from portal.training.content.lint import lint

    many, faults = lint(settings.content)
    if faults:
        yield Finding(
            FAIL,
            _("The courses have %(count)s faults; the first: %(fault)s", count=len(faults), fault=faults[0]),
            _("See all of them: anlan content lint"),
        )
    elif many:
        yield Finding(OK, _("Courses: %(count)s, without faults.", count=many))


def course_pages(settings: Settings) -> Iterator[Finding]:
    """The pages of courses are those of the files, where pages were rendered at all."""
    from portal.site import course_pages as pages
    from portal.site.generations import name_of_current
    from portal.site.publish import root_of

    if name_of_current(root_of(settings)) is not None and pages.due(settings):
        yield Finding(
            WARN,
            _("The public pages of courses are older than the courses."),
            _("Start anlan run or anlan scheduler, or once: anlan site publish. If they are at work, read their log."),
        )


def certificates(settings: Settings) -> Iterator[Finding]:
    """Certificates can be signed, and the font for rare characters, where one is named, can be read."""
    from portal.training.certificates import signing
    from portal.web import fonts

    folder = settings.certificate_keys_folder
    try:
        found = signing.known(settings) if folder.is_dir() else []
    except (OSError, ValueError) as error:
        yield Finding(FAIL, _("The keys of certificates cannot be used: %(error)s", error=error),
                      _("Put %(folder)s back from its copy.", folder=folder))
        return
    if found and not found[-1].private:
        yield Finding(FAIL, _("No private key of certificates is in %(folder)s: none can be granted.", folder=folder),
                      _("Put it back from its copy, or make a new one: anlan credentials rotate"))
    if settings.certificate_font:
        try:
            fonts.another(settings.certificate_font)
        except (OSError, ValueError) as error:
            yield Finding(FAIL, _("The font for rare characters cannot be used: %(error)s", error=error),
                          _("ANLAN_CERTIFICATE_FONT must be a .ttf with TrueType outlines."))


def exams(_settings: Settings) -> Iterator[Finding]:
    """No attempt at an exam waits for a mark because marking failed."""
    from sqlalchemy.exc import SQLAlchemyError

    from portal.core.db import db
    from portal.training.exams import marking

    try:
        waiting = marking.waiting()
    except SQLAlchemyError:
        db.session.rollback()  # the database's own check says it
        return
    if waiting:
        yield Finding(
            FAIL,
            _("Exams that were written and could not be marked: %(count)s. Their answers are kept.", count=waiting),
            _("The log says why (“could not be marked”). When it is mended: anlan exams mark"),
        )
