"""A learner's certificates at /learn/certificates/: what there is to show and to take along, and what is missing until then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, abort, current_app, render_template
from sqlalchemy import select

from portal import current_settings
from portal.core.clock import local, utcnow
from portal.core.db import db
from portal.core.i18n import select_language
from portal.training import courses_store, standing
from portal.training.certificates import badge, issue, renewal, sheet, store
from portal.training.certificates import serial as serials
from portal.training.certificates.sheet import en_day, zh_day
from portal.training.certificates.store import Shown
from portal.training.content.values import Course
from portal.training.learners import door, own
from portal.training.learners.pages import header
from portal.training.models import Enrolment, Learner

TYPES = {"pdf": "application/pdf", "svg": "image/svg+xml", "jwt": "text/plain; charset=us-ascii"}


def make_blueprint() -> Blueprint:
    blueprint = Blueprint("learner_certificates", __name__, template_folder="templates", static_folder="static",
                          static_url_path="/learn/certificates-static")
    rule = blueprint.add_url_rule
    rule("/learn/certificates/", "index", door.required(index))
    rule("/learn/certificates/<serial>.<any(pdf, svg, jwt):ending>", "take", door.required(take))
    blueprint.context_processor(header)
    blueprint.context_processor(lambda: {"day": _day, "grouped": serials.shown, "page_of": _page_of})
    return blueprint


@dataclass(frozen=True, slots=True)
class Lacking:
    """What is missing until a certificate: the theory, skills by name, a name."""

    course: Course
    theory: bool
    skills: tuple[str, ...]
    name: bool
    revoked: bool


@dataclass(frozen=True, slots=True)
class Again:
    """A renewal that is open, and what is left of it."""

    shown: Shown
    exam: bool
    skills: tuple[str, ...]


def index(learner: Learner) -> Any:
    held = store.of_learner(learner.id)
    settings = current_settings()
    names = {one.row.id: issue.name_on(one.row) for one in held}
    return render_template(
        "certificates/mine.html", held=held, names=names, known=own.name(learner),
        lacking=_lacking(learner, held), again=_again(learner, held),
        marked={key: note for key, name in names.items() if (note := store.lacking(name, settings.certificate_font))},
        opens={one.row.id: _opens(one) for one in held if one.state == store.VALID})


def take(learner: Learner, serial: str, ending: str) -> Response:
    """A file to keep: the document, the badge, or the credential alone."""
    shown = next((one for one in store.of_learner(learner.id) if one.row.serial == serial), None) or abort(404)
    token, name = issue.token_of(shown.row), issue.name_on(shown.row)
    if token is None or name is None or shown.state in (store.REVOKED, store.REPLACED):
        abort(404)
    answer = Response(_file(shown, name, token, ending), content_type=TYPES[ending])
    answer.headers["Content-Disposition"] = f'attachment; filename="{serials.shown(serial)}.{ending}"'
    return answer


def _file(shown: Shown, name: str, token: str, ending: str) -> bytes | str:
    if ending == "pdf":
        return sheet.pdf(store.printed(shown, name, token, current_settings().certificate_font, _date))
    if ending == "svg":
        until = shown.row.valid_until
        return badge.svg(shown.title["zh"], shown.title["en"], shown.row.serial, _date(until) if until else None, token)
    return token


def _lacking(learner: Learner, held: list[Shown]) -> list[Lacking]:
    """Of the courses that somebody takes and that grant certificates, those without one."""
    have = {one.row.slug for one in held if one.state != store.REVOKED}
    taken_back = {one.row.slug for one in held} - have
    slugs = db.session.execute(select(Enrolment.slug).where(Enrolment.learner_id == learner.id)).scalars().all()
    found = []
    for _version_id, course in courses_store.currents():
        if course.exam is None or course.id not in slugs or course.id in have:
            continue
        gates = standing.gates(learner.id, course.id)
        found.append(Lacking(course, not gates.theory, _named(course, gates.skills_open), learner.name_sealed is None,
                             course.id in taken_back))
    return found


def _again(learner: Learner, held: list[Shown]) -> list[Again]:
    found = []
    for shown in held:
        loaded = courses_store.current(shown.row.slug)
        held_last = renewal.held(learner.id, shown.row.slug)
        if loaded is None or held_last is None or held_last.id != shown.row.id:
            continue
        if (since := renewal.open_since(learner.id, shown.row.slug)) is not None:
            way = renewal.way(learner.id, loaded[1], since)
            found.append(Again(shown, way.exam, _named(loaded[1], way.skills_open)))
    return found


def _opens(shown: Shown) -> datetime | None:
    """From when on it may be renewed, where that is still to come."""
    loaded = courses_store.current(shown.row.slug)
    opens = renewal.opens_at(shown.row, loaded[1]) if loaded is not None else None
    return opens if opens is not None and opens > utcnow() else None


def _named(course: Course, skills: tuple[str, ...]) -> tuple[str, ...]:
    titles: Mapping[str, str] = {one.id: one.title[select_language()] for one in course.checklists}
    return tuple(titles.get(skill, skill) for skill in skills)


def _page_of(endpoint: str) -> bool:
    """Whether this portal has that page of another room."""
    return endpoint in current_app.view_functions


def _date(moment: datetime) -> Any:
    return local(moment, current_settings().timezone).date()


def _day(moment: datetime) -> str:
    return zh_day(_date(moment)) if select_language() == "zh" else en_day(_date(moment))
