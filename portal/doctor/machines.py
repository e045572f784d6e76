"""What several machines need of each other: a broker that wakes workers, a database in which one can lead."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

from flask_babel import gettext as _

from portal.config import Settings
from portal.core.leader import Lock, Lost
from portal.doctor.findings import OK, WARN, Finding

OLDEST_RABBITMQ = (3, 10)
_BITS = 62  # of a lock's number: drawn, so that two who look at the same moment do not meet


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
