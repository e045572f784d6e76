"""The desk's pages of item analysis. They show what is right, so only those see them who make the questions."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, abort, render_template, request, url_for

from portal.core.i18n import select_language
from portal.identity.guard import signed_in
from portal.identity.rights import ADMINISTRATOR, TRAINER
from portal.training import courses_store
from portal.training.content.markdown import Picture
from portal.training.content.values import Course, Module, Question
from portal.training.figures import measures, question_list
from portal.training.reading import view
from portal.training.reading.fill import TYPES

_ROLES = (TRAINER, ADMINISTRATOR)
#: Questions on one page.
PAGE = 50


def make_blueprint() -> Blueprint:
    blueprint = Blueprint("training_questions", __name__, url_prefix="/desk/training/questions", template_folder="templates",
                          static_folder="static", static_url_path="/static")
    rule, guarded = blueprint.add_url_rule, signed_in(*_ROLES)
    rule("/", "index", guarded(index))
    rule("/<slug>/<question_id>/", "question", guarded(question_page))
    rule("/media/<sha256>.<any(svg, png, webp):ending>", "media", guarded(media))
    return blueprint


def index() -> Any:
    """`?course=…&module=…&sort=…&turn=1&show=marked&page=2`."""
    courses = [course for _id, course in courses_store.currents() if course.exam is not None]
    if not courses:
        return render_template("figures/questions.html", course=None, courses=[])
    course = _chosen_course(courses)
    everything = question_list.rows(course)
    module = next((one.id for one in course.modules if one.id == request.args.get("module")), "")
    sort = request.args.get("sort", "")
    sort = sort if sort in question_list.SORTS else "marks"
    turned, only = request.args.get("turn") == "1", request.args.get("show") == "marked"
    found = [row for row in everything if row.asked and (not module or (row.module is not None and row.module.id == module))]
    judged = [row for row in found if measures.FEW not in row.marks]
    marked = [row for row in judged if row.marks]
    shown = question_list.ordered(marked if only else found, sort, turned=turned)
    pages = max(1, -(-len(shown) // PAGE))
    page = min(pages, max(1, request.args.get("page", 1, type=int)))
    shown = shown[(page - 1) * PAGE : page * PAGE]
    return render_template(
        "figures/questions.html", course=course, courses=courses, module=module, sort=sort, turned=turned, only=only, rows=shown,
        page=page, pages=pages,
        total=len(found), judged=len(judged), marked=len(marked), words=question_list.WORDS, measures=measures,
        used=[m for m in measures.MARKS if any(m in row.marks for row in shown)],
        unasked=sum(not row.asked for row in everything), link=lambda **changes: _link(course, changes))


def _chosen_course(courses: list[Course]) -> Course:
    """The one that is asked for, else the one whose exam asks most."""
    asked = request.args.get("course")
    longest = max(courses, key=lambda course: course.exam.questions if course.exam else 0)
    return next((course for course in courses if course.id == asked), longest)


def _link(course: Course, changes: dict[str, Any]) -> str:
    """This list, differently: what is not changed stays."""
    kept = {name: request.args[name] for name in ("module", "sort", "turn", "show") if name in request.args}
    wanted = {"course": course.id} | kept | changes
    return url_for("training_questions.index", **{name: value for name, value in wanted.items() if value})


def question_page(slug: str, question_id: str) -> Any:
    version_id, course = courses_store.current(slug) or abort(404)
    module, question = _find(course, question_id)
    language = select_language()
    lesson_id = question.objective.rpartition(".")[0]
    lesson = next((one for one in module.lessons if one.id == lesson_id), None)
    pictures = _pictures(version_id, course)
    return render_template(
        "figures/question.html", course=course, module=module, question=question, lesson=lesson,
        objective=_objective(lesson, question, language), told=question_list.told(course, question), words=question_list.WORDS,
        measures=measures, guess=measures.guess(question), pictures=pictures, **view.tools(language))


def _find(course: Course, question_id: str) -> tuple[Module, Question]:
    found = ((module, question) for module in course.modules for question in module.questions if question.id == question_id)
    return next(found, None) or abort(404)


def _objective(lesson: Any, question: Question, language: str) -> str:
    at = question.objective.rpartition(".")[2]
    known = lesson is not None and at.isdigit() and 0 < int(at) <= len(lesson.objectives)
    return lesson.objectives[int(at) - 1][language] if known else ""


def _pictures(version_id: int, course: Course) -> dict[str, Picture]:
    shown = {}
    for name, sha256 in courses_store.media(version_id).items():
        url = url_for("training_questions.media", sha256=sha256, ending=name.rpartition(".")[2])
        shown[name] = Picture(url, course.media[name].width, course.media[name].height)
    return shown


def media(sha256: str, ending: str) -> Response:
    """A picture of a question: named by its content, so that a browser may keep it."""
    body = courses_store.picture(sha256) if len(sha256) == 64 else None
    if body is None:
        abort(404)
    return Response(body, content_type=TYPES[ending], headers={"Cache-Control": "private, max-age=86400"})
