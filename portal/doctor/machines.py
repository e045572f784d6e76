"""What several machines need of each other: a broker that wakes workers, a database in which one can lead."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

from flask_babel import gettext as _
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from portal.config import Settings
from portal.core.clock import utcnow
from portal.core.db import db
from portal.core.leader import Lock, Lost
from portal.dispatch.watch import outlook, presence, said
from portal.doctor.findings import OK, WARN, Finding

OLDEST_RABBITMQ = (3, 10)
_BITS = 62  # of a lock's number: drawn, so that two who look at the same moment do not meet

#: Connections that a process keeps once it has needed them, and a worker's keeper besides (docs/scaling.md).
KEPT, KEEPERS = 10, 4
FULL = 0.8  # of the connections in use, it is time to think of more
_CONNECTIONS = text("""
    SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
           - coalesce(current_setting('reserved_connections', true)::int, 0),
           (SELECT count(*) FROM pg_stat_activity WHERE datid IS NOT NULL)""")


def connections(settings: Settings) -> Iterator[Finding]:
    """PostgreSQL gives as many connections as the processes that run may keep."""
    if settings.sqlalchemy_url.startswith("sqlite"):
        return
    try:
        most, used = db.session.execute(_CONNECTIONS).one()
        running = outlook.here(presence.listing(db.session), utcnow())
    except SQLAlchemyError:
        return  # it does not answer, or has no tables yet, which other checks say
    finally:
        db.session.rollback()
    kept = KEPT * len(running) + KEEPERS * sum(p.kind == said.WORKER for p in running)
    if used <= FULL * most and kept <= most:
        yield Finding(OK, _("PostgreSQL gives %(most)d connections, of which %(used)d are in use.", most=most, used=used))
        return
    yield Finding(
        WARN,
        _("PostgreSQL gives %(most)d connections. %(used)d are in use, and the processes that run may keep %(kept)d.",
          most=most, used=used, kept=kept),
        _("Raise max_connections in postgresql.conf, or put a pooler in session mode in front of it."),
    )


def leading(settings: Settings) -> Iterator[Finding]:
    """One scheduler among several can be the one that leads."""
    if settings.sqlalchemy_url.startswith("sqlite"):
        return
    lock = Lock(settings.sqlalchemy_url, secrets.randbits(_BITS))
    try:
        taken = lock.take()
    except Lost:
        return  # the database does not answer, which another check says
    finally:
        lock.drop()
    if taken:
        yield Finding(OK, _("The database can say which scheduler leads."))
    else:
        yield Finding(
            WARN,
            _("The database gives a lock and does not hold it: no scheduler can lead."),
            _("Let ANLAN_DATABASE_URL name the server itself, or a pooler in session mode."),
        )


def waking(settings: Settings) -> Iterator[Finding]:
    """The broker that wakes workers lets us in."""
    if not settings.broker_url:
        return
    from portal.dispatch.many.broker import CONNECT_SECONDS, make_celery

    connection = make_celery(settings.broker_url, listening=False).connection_for_write()
    try:
        connection.ensure_connection(max_retries=1, timeout=CONNECT_SECONDS)
        told = str(connection.connection.server_properties.get("version", ""))
    except Exception as error:  # whatever it is, it is said
        yield Finding(
            WARN,
            _("The broker that wakes workers cannot be used (%(reason)s).", reason=type(error.__cause__ or error).__name__),
            _("Messages are sent without it, each step up to a second later. Check that it runs, and ANLAN_BROKER_URL."),
        )
        return
    finally:
        connection.release()
    version = tuple(int(part) for part in told.split(".")[:2] if part.isdigit())
    if version < OLDEST_RABBITMQ:
        yield Finding(
            WARN,
            _("The broker that wakes workers is RabbitMQ %(version)s, which is too old.", version=told),
            _("Use RabbitMQ 3.10 or newer."),
        )
    else:
        yield Finding(OK, _("The broker that wakes workers lets us in (RabbitMQ %(version)s).", version=told))
