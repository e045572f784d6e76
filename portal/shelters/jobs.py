"""What happens by the clock for shelters. Each is harmless when it runs twice, or in two processes at once."""

from __future__ import annotations

import logging
from importlib import import_module

from flask import Flask
from sqlalchemy import delete

from portal.core.clock import utcnow
from portal.core.db import transaction
from portal.regions import lookup
from portal.shelters.models import KeeperSession

log = logging.getLogger(__name__)

#: Rooms with a `sweep(app)` that removes what is kept no longer.
SWEEPERS = ("portal.shelters.transfers.retention",)


class FieldJob:
    """Looks whether the evacuation field is to be computed again. Called again and again by one thread."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._served: int | None = None
        self._regions: object = None

    def __call__(self) -> bool:
        """Compute it if something asked for it; whether what residents read may have changed. That is so also where the field
        came out as it was (somebody's head count is news, and changes no way), or could not be computed."""
        from portal.shelters.field import recompute, wish  # heavy libraries, which the desk's process needs none of

        with self._app.app_context():
            self._ask_where_regions_changed()
        made = recompute.if_due(self._app)
        with self._app.app_context():
            row = wish.state()
        served = 0 if row is None else row.wanted if row.error else row.done
        before, self._served = self._served, served
        return made or before not in (None, served)

    def _ask_where_regions_changed(self) -> None:
        """Whoever imports regions knows nothing of shelters and asks for no field; so it is looked for here, and at the start."""
        from portal.shelters.field import wish

        mark = lookup.current().token
        if mark != self._regions:
            with transaction() as session:
                wish.ask(session, "regions")
            self._regions = mark


def paper(app: Flask) -> bool:
    """Make one of the documents that wait; whether there was one."""
    from portal.shelters.paper import jobs

    return jobs.run_next(app)


def sweep(app: Flask) -> None:
    """Remove what has expired: sign-ins of staff, removed persons, old documents. What fails stays for the next time."""
    with app.app_context(), transaction() as session:
        session.execute(delete(KeeperSession).where(KeeperSession.expires_at <= utcnow()))
    for name in SWEEPERS:
        try:
            import_module(name).sweep(app)
        except Exception:  # one room's trouble is not the others'
            log.exception("%s could not be swept", name)
