"""What the database and the content hold."""

from __future__ import annotations

from collections.abc import Iterator

from flask import current_app
from flask_babel import gettext as _
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from portal.config import Settings
from portal.core import migrate
from portal.core.clock import utcnow
from portal.core.db import db
from portal.doctor.findings import FAIL, OK, WARN, Finding

CLOCK_SECONDS = 5.0  # a difference between two clocks that is worth a word
OLDEST_SQLITE, OLDEST_POSTGRESQL = (3, 40), (15,)


def database(settings: Settings) -> Iterator[Finding]:
    """The database answers, is new enough, and its clock agrees with ours."""
    try:
        with db.engine.connect() as connection:
            version = connection.dialect.server_version_info or ()
            name = connection.dialect.name
            theirs = None
            if name == "postgresql":
                theirs = connection.execute(select(func.clock_timestamp())).scalar()
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        yield Finding(
            FAIL,
            _("The database cannot be reached: %(reason)s", reason=reason),
            _("Check ANLAN_DATABASE_URL, that the server runs, and that it lets this machine in."),
        )
        return
    shown = ".".join(str(part) for part in version)
    oldest = OLDEST_SQLITE if name == "sqlite" else OLDEST_POSTGRESQL
    if tuple(version[: len(oldest)]) < oldest:
        yield Finding(
            FAIL,
            _("The database is %(name)s %(version)s, which is too old.", name=name, version=shown),
            _("Use SQLite 3.40 or PostgreSQL 15 or newer."),
        )
    else:
        yield Finding(OK, _("The database answers (%(name)s %(version)s).", name=name, version=shown))
    if theirs is not None and (apart := abs((theirs - utcnow()).total_seconds())) > CLOCK_SECONDS:
        yield Finding(
            WARN,
            _("The database's clock is %(seconds)s seconds away from ours.", seconds=f"{apart:.0f}"),
            _("Run a time service (chrony, systemd-timesyncd) on both machines."),
        )


def migrations(settings: Settings) -> Iterator[Finding]:
    """The tables are those of this version."""
    try:
        at_head = migrate.current_is_head(current_app._get_current_object())  # type: ignore[attr-defined]
    except SQLAlchemyError:
        return  # the database's own check has said it
    if at_head:
        yield Finding(OK, _("The tables are up to date."))
    else:
        yield Finding(
            FAIL,
            _("Migrations are waiting, or the database is newer than this program."),
            _("Back up the database, then run: anlan db upgrade"),
        )


def content(settings: Settings) -> Iterator[Finding]:
    """The hazards can be read."""
    from portal.warnings import hazards

    try:
        catalogue = hazards.load(settings.content)
    except hazards.ContentError as error:
        for problem in error.problems[:20]:
            yield Finding(
                FAIL,
                _("Content: %(problem)s", problem=problem),
                _("Mend this file under ANLAN_CONTENT."),
            )
        return
    except OSError as error:
        yield Finding(
            FAIL,
            _(
                "The content directory %(path)s cannot be read: %(reason)s.",
                path=settings.content,
                reason=error.strerror,
            ),
            _("Set ANLAN_CONTENT to the directory of the hazards."),
        )
        return
    yield Finding(OK, _("%(count)s hazards are known.", count=len(catalogue)))


def regions(settings: Settings) -> Iterator[Finding]:
    """The district that is served is in the tree, with communities below it."""
    from portal.regions import lookup

    try:
        district = lookup.get(settings.district)
        count = len(lookup.communities_under([settings.district])) if district else 0
    except SQLAlchemyError:
        return
    if district is None or not count:
        yield Finding(
            FAIL,
            _("The district %(code)s has no communities in the database.", code=settings.district),
            _("Set ANLAN_DISTRICT, and load its regions: anlan regions import FILE.csv FILE.geojson"),
        )
    else:
        yield Finding(
            OK,
            _("The district %(code)s has %(count)s communities.", code=settings.district, count=count),
        )


def administrator(settings: Settings) -> Iterator[Finding]:
    """Somebody can give and take duties."""
    from portal.identity.models import Account, Duty
    from portal.identity.rights import ADMINISTRATOR

    try:
        count = db.session.scalar(
            select(func.count(func.distinct(Account.id)))
            .join(Duty)
            .where(Account.active, Duty.role == ADMINISTRATOR)
        )
    except SQLAlchemyError:
        return
    if count:
        yield Finding(OK, _("Administrators: %(count)s.", count=count))
    else:
        yield Finding(
            FAIL, _("There is no administrator yet."), _("Make the first one: anlan admin create NAME")
        )
