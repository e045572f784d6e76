"""The learners' pages at /learn/: in by a code, my courses, lessons; forms that work without a script."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, abort, redirect, render_template, request, url_for

from portal.channels.sms.door_pages import DoorPages
from portal.core.clock import utcnow
from portal.core.i18n import select_language
from portal.training import courses_store
from portal.training.content.values import Course
from portal.training.learners import door, exam_time, learning, practice_pages, review, road
from portal.training.learners.media import pictures
from portal.training.models import Learner
from portal.training.reading import view
from portal.training.reading.fill import TYPES
from portal.web.asked import local_path


def make_blueprint() -> Blueprint:
    blueprint = Blueprint("learners", __name__, url_prefix="/learn", template_folder="templates", static_folder="static",
                          static_url_path="/static")
    rule = blueprint.add_url_rule
    rule("/", "mine", door.required(mine))
    DOOR.register(blueprint)
    rule("/media/<sha256>.<any(svg, png, webp):ending>", "media", media)
    rule("/courses/<slug>/", "course", door.required(course_page))
    rule("/courses/<slug>/start", "start", door.required(start), methods=["POST"])
    rule("/courses/<slug>/<lesson_id>/", "lesson", door.required(lesson_page))
    rule("/courses/<slug>/<lesson_id>/mark", "mark", door.required(mark), methods=["POST"])
    practice_pages.add(blueprint)
    blueprint.context_processor(header)
    return blueprint


def header() -> dict[str, Any]:
    """What layout.html needs, also of other pages that extend it: a blueprint of theirs has it as a context processor."""
    learner = door.here()
    return {"learner": learner, "due": len(review.due(learner.id, utcnow())) if learner else 0}


# -- the door ------------------------------------------------------------------------------------------------
def _target() -> str:
    """Where somebody wanted to go: a page of ours behind the door, or my courses."""
    target = local_path(request.values.get("next"), "")
    return target if target.startswith(door.PATH) else url_for("learners.mine")


DOOR = DoorPages(door.PURPOSE, door.PASS, "learners/door.html", door.ask, door.enter, door.leave,
                 is_inside=lambda: door.here() is not None, home=_target, more=lambda: {"target": _target()})


# -- courses and lessons -------------------------------------------------------------------------------------
def current(slug: str) -> tuple[int, Course]:
    return courses_store.current(slug) or abort(404)


def mine(learner: Learner) -> Any:
    standings = learning.standings(learner.id)
    courses = {one.course.id: one.course for one in standings}
    steps = {slug: road.signposts([one], courses[slug])[0]
             for slug, one in road.ahead(learner.id, courses.values(), utcnow()).items()}
    sits = [(courses[slug], closes) for slug, closes in exam_time.under_way(learner.id).items() if slug in courses]
    return render_template("learners/mine.html", standings=standings, steps=steps, sits=sits)


def course_page(learner: Learner, slug: str) -> Any:
    _version_id, course = current(slug)
    stretches = road.of(learner.id, course, utcnow())
    return render_template("learners/course.html", course=course, here=learning.standing(learner.id, course),
                           road=road.signposts(stretches, course))


def start(learner: Learner, slug: str) -> Any:
    version_id, course = current(slug)
    learning.enrol(learner.id, course.id, version_id)
    resume = learning.standing(learner.id, course).resume
    if resume is None:
        return redirect(url_for("learners.course", slug=slug))
    return redirect(url_for("learners.lesson", slug=slug, lesson_id=resume.id))


def lesson_page(learner: Learner, slug: str, lesson_id: str) -> Any:
    version_id, course = current(slug)
    place = next((place for place in view.places(course) if place.lesson.id == lesson_id), None) or abort(404)
    learning.opened(learner.id, slug, lesson_id)
    module = next(module for module in course.modules if place.lesson in module.lessons)
    return render_template("learners/lesson.html", course=course, place=place, lesson=place.lesson, module=module,
                           here=learning.standing(learner.id, course), pictures=pictures(version_id),
                           **view.tools(select_language()))


def mark(learner: Learner, slug: str, lesson_id: str) -> Any:
    """Done: on to the next lesson that is not; after the last of a module to the course. Or not done after all: the lesson."""
    version_id, course = current(slug)
    module = next((m for m in course.modules if any(lesson.id == lesson_id for lesson in m.lessons)), None) or abort(404)
    if not learning.is_enrolled(learner.id, slug):
        learning.enrol(learner.id, slug, version_id)
    done = request.form.get("done") == "1"
    learning.mark(learner.id, slug, lesson_id, done=done)
    if not done:
        return redirect(url_for("learners.lesson", slug=slug, lesson_id=lesson_id))
    ids = [lesson.id for lesson in module.lessons]
    behind = ids[ids.index(lesson_id) + 1:]
    if behind:
        return redirect(url_for("learners.lesson", slug=slug, lesson_id=behind[0]))
    return redirect(url_for("learners.course", slug=slug, _anchor=f"m-{module.id}"))


def media(sha256: str, ending: str) -> Response:
    """A picture of a course: named by its content, so that it may be kept for a year."""
    body = courses_store.picture(sha256) if len(sha256) == 64 else None
    if body is None:
        abort(404)
    return Response(body, content_type=TYPES[ending], headers={"Cache-Control": "public, max-age=31536000, immutable"})
