"""The desk's page of exchange: questions of other programs come in as files of a course, questions of a course go out.

The page writes nothing into a course: it hands the files over, for the same hands that keep the others. They hold what is right,
so whoever takes them is written down.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response, render_template, request
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal import current_settings
from portal.core import audit
from portal.core.db import transaction
from portal.core.errors import Invalid, Problem
from portal.core.i18n import select_language
from portal.identity.guard import signed_in
from portal.identity.models import Account
from portal.identity.rights import ADMINISTRATOR, TRAINER
from portal.training.content.values import Course
from portal.training.exchange import coming, going, planning
from portal.training.exchange.drafts import Reading, Unreadable
from portal.training.exchange.planning import NoCourse, Plan
from portal.training.groups import here
from portal.training.reading.view import plain

_ROLES = (TRAINER, ADMINISTRATOR)
#: Lines of one table of the page; the counts tell of all.
NAMED = 200
_LANGUAGES = ("zh", "en")
TYPES = {"single": _l("one option"), "multiple": _l("several options"), "truefalse": _l("true or false"), "ordering": _l("order"),
         "matching": _l("pairs"), "numeric": _l("a number"), "text": _l("short text")}


def make_blueprint() -> Blueprint:
    blueprint = Blueprint("training_exchange", __name__, url_prefix="/desk/training/exchange", template_folder="templates")
    rule, guard = blueprint.add_url_rule, signed_in(*_ROLES)
    rule("/", "index", guard(index))
    rule("/", "look", guard(here.takes_files(look)), methods=["POST"])
    rule("/files", "take", guard(here.takes_files(take)), methods=["POST"])
    rule("/export", "export", guard(export), methods=["POST"])
    return blueprint


def index() -> Any:
    return _page()


def look() -> Any:
    """What a file would bring, and what not."""
    account = here.account_here()
    try:
        asked = _asked()
        bodies = [here.uploaded("file")]
        if (other := request.files.get("other")) is not None and other.filename:
            bodies.append(here.uploaded("other"))
        plan = _plan(asked, bodies)
    except Invalid as refusal:
        return _page(problems=refusal.problems, status=422)
    kept = [here.sealed(account, "exchange", body) for body in bodies]
    return _page(plan=plan, kept=kept)


def take() -> Any:
    """The files of what was looked at."""
    account = here.account_here()
    try:
        asked = _asked()
        kept = [text for text in request.form.getlist("kept")[:2] if text]
        bodies = [here.opened(account, "exchange", text) for text in kept]
        if not bodies:
            raise Invalid.one("file", _("Choose a file."))
        plan = _plan(asked, bodies)
    except Invalid as refusal:
        problems = [Problem("file" if one.field == "list" else one.field, one.message) for one in refusal.problems]
        return _page(problems=problems, status=422)
    if not plan.files:
        return _page(plan=plan, problems=[Problem("file", _("Nothing of this file can be taken."))], status=422)
    _noted(account, "course.import", plan.course, taken=len(plan.taken), untaken=len(plan.untaken))
    files = {f"{plan.course}/{name}": body for name, body in plan.files.items()}
    return _download(going.zipped(files), f"{plan.course}-import.zip")


def export() -> Any:
    """The questions of a course, or of a module, with what is right."""
    account, form = here.account_here(), request.form
    kind, language = form.get("kind", ""), form.get("out_language", "")
    try:
        if kind not in going.KINDS or language not in _LANGUAGES:
            raise Invalid.one("kind", _("Choose one of these."))
        course, module = _goal("from")
        body, left = going.write(kind, current_settings().content, course, module, language)
    except Invalid as refusal:
        return _page(problems=refusal.problems, status=422)
    except NoCourse as error:
        return _page(problems=[Problem("from", str(error))], status=422)
    _noted(account, "course.export", course, module=module, kind=kind, language=language, left=len(left))
    return _download(body, f"{course}{f'-{module}' if module else ''}-{language}.{going.ending(kind)}")


# -- what the forms say --------------------------------------------------------------------------------------
def _asked() -> dict[str, str]:
    form = request.form
    kind, language = form.get("form", ""), form.get("language", "")
    if kind not in coming.KINDS:
        raise Invalid.one("form", _("Choose one of these."))
    if language not in _LANGUAGES:
        raise Invalid.one("language", _("Choose one of these."))
    course, module = _goal("into")
    return {"kind": kind, "language": language, "course": course, "module": module, "objective": form.get("objective", "")[:80]}


def _goal(field: str) -> tuple[str, str]:
    """Course and module of a choice; the module is empty for all of them."""
    course, _slash, module = request.form.get(field, "").partition("/")
    if course not in {one.id for one in here.courses()}:
        raise Invalid.one(field, _("Choose a course or a module."))
    return course, module


def _plan(asked: dict[str, str], bodies: Sequence[bytes]) -> Plan:
    other: Reading | None = None
    field = "file"
    try:
        reading = coming.read(asked["kind"], bodies[0], asked["language"])
        if len(bodies) > 1:
            field = "other"
            other = coming.read(asked["kind"], bodies[1], "en" if asked["language"] == "zh" else "zh")
        return planning.make(current_settings().content, asked["course"], reading, asked["language"], module=asked["module"],
                             objective=asked["objective"], other=other)
    except Unreadable as error:
        where = _("Line %(n)s:", n=error.line) + " " if error.line else ""
        raise Invalid.one(field, where + _("this file %(reason)s", reason=error.reason)) from error
    except NoCourse as error:
        raise Invalid.one("into", str(error)) from error


def _noted(account: Account, action: str, course: str, **details: Any) -> None:
    with transaction() as session:
        audit.append(session, account.actor, action, f"course:{course}", details)


def _download(body: bytes, name: str) -> Response:
    kind = "application/zip" if name.endswith(".zip") else "text/plain; charset=utf-8"
    return Response(body, content_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"',
                                                      "Cache-Control": "no-store"})


# -- the page ------------------------------------------------------------------------------------------------
def _page(plan: Plan | None = None, kept: Sequence[str] = (), problems: Sequence[Problem] = (), status: int = 200) -> Any:
    courses = here.courses()
    chosen = _course(courses, plan)
    return render_template(
        "training_exchange/index.html", courses=courses, plan=plan, kept=kept, problems=list(problems), typed=request.form,
        named=NAMED, types=TYPES, plain=plain, objectives=_objectives(chosen) if chosen else [], titles=_titles(chosen),
        largest=here.MOST_BYTES // 2**20, minutes=int(here.LASTS.total_seconds() // 60)), status


def _course(courses: Sequence[Course], plan: Plan | None) -> Course | None:
    return next((one for one in courses if plan is not None and one.id == plan.course), None)


def _objectives(course: Course) -> list[tuple[str, list[tuple[str, str]]]]:
    """Title of each lesson, and its objectives with their ids."""
    language = select_language()
    return [(lesson.title[language], [(f"{lesson.id}.{n}", plain(one[language])) for n, one in enumerate(lesson.objectives, 1)])
            for lesson in course.lessons]


def _titles(course: Course | None) -> dict[str, str]:
    return {module.id: module.title[select_language()] for module in course.modules} if course else {}
