"""What shelters and evacuation need: ways, places, a field that somebody computes, pages, and the hazard families."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from flask_babel import gettext as _
from sqlalchemy.exc import SQLAlchemyError

from portal.config import Settings
from portal.core.clock import local, utcnow
from portal.doctor.findings import FAIL, NOTE, OK, WARN, Finding

#: A wish for a new field that is older than this has nobody who fulfils it.
UNHEARD = timedelta(minutes=2)


def hazard_families(settings: Settings) -> Iterator[Finding]:
    """The file that says which shelters serve which hazards can be used."""
    from portal.shelters.registry import family_content

    problems = family_content.problems(settings.content, None)
    for problem in problems[:20]:
        yield Finding(FAIL, _("Content: %(problem)s", problem=f"shelters/{problem}"), _("Mend this file under ANLAN_CONTENT."))


def shelters(settings: Settings) -> Iterator[Finding]:
    """There are shelters and ways to them. A portal of warnings alone is whole without."""
    from portal.shelters.registry import store
    from portal.shelters.roads import store as roads

    try:
        rows, road = store.listing(), roads.newest()
    except SQLAlchemyError:
        return  # the database's own check has said it
    if rows:
        placed = sum(1 for row in rows if row.entrances)
        yield Finding(OK, _("Shelters: %(count)s, with known entrances %(placed)s.", count=len(rows), placed=placed))
    else:
        yield Finding(NOTE, _("No shelters are known."), _("Load them: anlan shelters import FILE"))
    if road is None:
        yield Finding(
            WARN if rows else NOTE,
            _("There is no road network: no way to a shelter can be told."),
            _("Load one: anlan roads import FILE.osm.pbf"),
        )
    else:
        yield Finding(OK, _("The road network has %(nodes)s nodes.", nodes=f"{road.nodes:,}"))


def field(settings: Settings) -> Iterator[Finding]:
    """The evacuation field is computed when something changed."""
    from portal.shelters.field import store, wish

    try:
        row, newest = wish.state(), store.newest()
    except SQLAlchemyError:
        return
    if row is None:
        return
    now = utcnow()
    if row.error:
        yield Finding(
            FAIL,
            _("The evacuation field could not be computed (%(error)s); the old one stays in use.", error=row.error),
            _("Read the scheduler's log, and look at what was changed last: obstructions, shelters, roads."),
        )
    elif row.wanted > row.done and row.first_at is not None and now - row.first_at > UNHEARD:
        yield Finding(
            FAIL,
            _("Nobody computes the evacuation field: what changed at %(time)s is not in it.",
              time=f"{local(row.first_at, settings.timezone):%Y-%m-%d %H:%M}"),
            _("Start anlan run, or anlan scheduler."),
        )
    elif newest is not None:
        yield Finding(OK, _("The evacuation field is of %(time)s.",
                            time=f"{local(newest.made_at, settings.timezone):%Y-%m-%d %H:%M}"))


def shelter_pages(settings: Settings) -> Iterator[Finding]:
    """The residents' pages of shelters were rendered the last time."""
    from portal.shelters.public import standing
    from portal.site.publish import root_of

    found = standing.read(root_of(settings))
    if found is not None and found.trouble:
        yield Finding(
            FAIL,
            _("The pages of shelters could not be rendered since %(time)s (%(error)s); the last ones stay.",
              time=f"{local(datetime.fromisoformat(found.since), settings.timezone):%Y-%m-%d %H:%M}", error=found.trouble),
            _("Read the log of the worker or scheduler."),
        )
