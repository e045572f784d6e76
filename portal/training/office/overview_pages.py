"""The first of the desk's pages of training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from flask import Blueprint, abort, render_template, url_for
from flask_babel import ngettext

from portal import current_settings
from portal.core.clock import utcnow
from portal.core.i18n import select_language
from portal.identity.guard import current_account, signed_in
from portal.identity.models import Account
from portal.identity.rights import ADMINISTRATOR, TRAINER, VIEWER, has_role, regions_for
from portal.regions import codes, lookup
from portal.training import courses_store
from portal.training.assessing import disputes
from portal.training.exams import marking
from portal.training.figures import question_list, responders
from portal.training.office import overview
from portal.training.practicals import store, words

_READERS = (TRAINER, ADMINISTRATOR, VIEWER)


@dataclass(frozen=True, slots=True)
class Task:
    """Something that waits for somebody; `href` empty where no page mends it."""

    words: str
    href: str = ""


def make_blueprint() -> Blueprint:
    blueprint = Blueprint("training_overview", __name__, url_prefix="/desk/training", template_folder="templates")
    blueprint.add_url_rule("/", "index", signed_in(*_READERS)(index))
    return blueprint


def index() -> str:
    account, now, settings = current_account() or abort(401), utcnow(), current_settings()
    scope = _scope(account, settings.district)
    courses = [course for _version, course in courses_store.currents()]
    rows = overview.sessions(now, scope)
    district = responders.overview(settings.district, settings.residents_per_responder).district
    return render_template(
        "training_office/overview.html", tasks=list(_tasks(account, scope)), sessions=rows, moment=now, span=words.span,
        counts=store.counts(row.id for row in rows), titles={course.id: course.title for course in courses}, courses=courses,
        funnels=overview.funnels(now, scope), district=district, each=settings.residents_per_responder,
        places=[node.name(select_language()) for code in scope or () if (node := lookup.get(code))],
        is_trainer=has_role(account, TRAINER))


def _scope(account: Account, district: str) -> Sequence[str] | None:
    """The regions of somebody whose duty is training; None for who sees the district, and those whose community nobody knows."""
    if has_role(account, ADMINISTRATOR, VIEWER):
        return None
    regions = regions_for(account, TRAINER)
    return None if any(codes.contains(region, district) for region in regions) else regions


def _tasks(account: Account, scope: Sequence[str] | None) -> Iterator[Task]:
    """What waits, the most pressing first; only what the account can do something about."""
    now, days = utcnow(), current_settings().certificate_reminder_days or 60
    if has_role(account, TRAINER, ADMINISTRATOR) and (n := marking.waiting()):
        yield Task(ngettext("%(num)s exam could not be marked: `anlan doctor` says why", "%(num)s exams could not be marked:"
                            " `anlan doctor` says why", n))
    if not has_role(account, TRAINER):
        return
    if n := disputes.count(account):
        yield Task(ngettext("%(num)s skill on which assessors differ", "%(num)s skills on which assessors differ", n),
                   url_for("training_assessing.disputes"))
    for row, n in overview.unassessed(now, scope):
        yield Task(ngettext("%(num)s person was present on %(when)s and is not assessed",
                            "%(num)s people were present on %(when)s and are not assessed", n, when=words.span(row)),
                   url_for("training_sessions.show", session_id=row.id))
    if n := overview.waiting(now, scope):
        yield Task(ngettext("%(num)s person waits for a seat at a practical session",
                            "%(num)s people wait for a seat at a practical session", n), url_for("training_sessions.index"))
    if n := overview.ending(now, days, scope):
        yield Task(ngettext("%(num)s certificate ends within %(days)s days", "%(num)s certificates end within %(days)s days", n,
                            days=days), url_for("training_certificates.index"))
    if n := _bad_questions():
        yield Task(ngettext("%(num)s question does badly in exams", "%(num)s questions do badly in exams", n),
                   url_for("training_questions.index"))


def _bad_questions() -> int:
    """Questions with a mark that asks for a change, in all courses: what is merely easy is not counted."""
    rows = (row for _version, course in courses_store.currents() for row in question_list.rows(course))
    return sum(any(question_list.WORDS[mark][1] == "mark-bad" for mark in row.marks) for row in rows)
