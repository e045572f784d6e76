"""The pages of practice and review: one question, one answer, and at once whether it was right and why."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for

from portal.core.clock import utcnow
from portal.core.i18n import select_language
from portal.training import courses_store
from portal.training.content.values import Course, Module, Question, Scenario
from portal.training.learners import asking, door, exam_time, learning, practice, review, told
from portal.training.learners.media import pictures
from portal.training.models import Learner


def add(blueprint: Blueprint) -> None:
    rule = blueprint.add_url_rule
    rule("/courses/<slug>/practice/<module_id>/", "practice", _outside_exams(practice_page))
    rule("/courses/<slug>/practice/<module_id>/", "answer", _outside_exams(answer), methods=["POST"])
    rule("/courses/<slug>/answers/<ref>/", "told", _outside_exams(told_page))
    rule("/review/", "review", door.required(review_page))


def _outside_exams(view: Callable[..., Any]) -> Callable[..., Any]:
    """A view of a course's bank, for learners. While they sit the exam of the course it says that it waits, and keeps nothing:
    the count of right answers on the page of the course would tell what an answer was worth."""
    @wraps(view)
    def guarded(learner: Learner, slug: str, **kwargs: Any) -> Any:
        closes_at = exam_time.under_way(learner.id).get(slug)
        if closes_at is None:
            return view(learner, slug, **kwargs)
        answered = request.method == "POST"
        return render_template("learners/waits.html", exams=[(_course(slug)[1], closes_at)], answered=answered,
                               came=request.values.get("came", "")), 409 if answered else 200
    return door.required(guarded)


def _course(slug: str) -> tuple[int, Course]:
    return courses_store.current(slug) or abort(404)


def _module(course: Course, module_id: str) -> Module:
    return next((module for module in course.modules if module.id == module_id), None) or abort(404)


def practice_page(learner: Learner, slug: str, module_id: str) -> Any:
    version_id, course = _course(slug)
    module, after, again = _module(course, module_id), request.args.get("after"), "again" in request.args
    answered = practice.latest(learner.id, slug)
    question = practice.turn(module.questions, after) if again else practice.following(module.questions, answered, after)
    if question is None:
        done = [answered[q.id] for q in module.questions if q.id in answered]
        return render_template("learners/done.html", course=course, module=module, right=sum(done), answered=len(done))
    return _question(course, version_id, module, question, came="again" if again else "")


def review_page(learner: Learner) -> Any:
    waiting = review.due(learner.id, utcnow())
    if not waiting and (exams := exam_time.under_way(learner.id)):
        return render_template("learners/waits.html", came="review",
                               exams=[(_course(slug)[1], closes_at) for slug, closes_at in exams.items()])
    if not waiting:
        return render_template("learners/nothing_due.html", next_at=review.next_at(learner.id, utcnow()))
    first = waiting[0]
    return _question(first.course, first.version_id, first.module, first.question, came="review", waiting=len(waiting))


def _question(course: Course, version_id: int, module: Module, question: Question, *, came: str, ref: str = "", path: str = "",
              problems: Any = (), typed: Any = None, waiting: int = 0, status: int = 200) -> Any:
    """The form for one question. `came`: review, again, or empty for practice; where the next one is looked for."""
    ref = ref or practice.new_ref()
    asked = asking.ask(question, ref, select_language(), pictures(version_id), path)
    at = next((n for n, one in enumerate(module.questions, 1) if one.id == question.id), 0)
    return render_template("learners/question.html", course=course, version_id=version_id, module=module, question=question,
                           asked=asked, ref=ref, came=came, problems=problems, typed=typed, waiting=waiting, at=at), status


def answer(learner: Learner, slug: str, module_id: str) -> Any:
    """Keep the answer and show what it is worth; or, in a story, what comes next."""
    form = request.form
    ref, came = form.get("ref", ""), form.get("came", "")
    version_id, course = _shown_version(slug, form.get("version", ""))
    found = practice.find(course, form.get("question", "")) or abort(404)
    module, question = found
    if module.id != module_id or not practice.is_ref(ref):
        abort(400)
    given, problems = asking.read(question, ref, form)
    going_on = isinstance(question, Scenario) and not asking.is_over(question, given)
    if problems or going_on:
        path = ".".join(map(str, given)) if isinstance(question, Scenario) else ""
        return _question(course, version_id, module, question, came=came, ref=ref, path=path, problems=problems, typed=form,
                         status=422 if problems else 200)
    if not learning.is_enrolled(learner.id, slug):
        learning.enrol(learner.id, slug, version_id)
    practice.record(learner.id, course, version_id, module.id, question, ref, given)
    return redirect(url_for("learners.told", slug=slug, ref=ref, came=came or None), 303)


def _shown_version(slug: str, version: str) -> tuple[int, Course]:
    """The version that the question was shown of: an answer is judged by what was asked."""
    if version.isascii() and version.isdigit() and len(version) < 12:
        try:
            course = courses_store.of(int(version))
        except LookupError:
            pass
        else:
            if course.id == slug:
                return int(version), course
    return _course(slug)


def told_page(learner: Learner, slug: str, ref: str) -> Any:
    kept = practice.of_ref(learner.id, ref) if practice.is_ref(ref) else None
    if kept is None or kept.slug != slug:
        abort(404)
    course = courses_store.of(kept.version_id)
    module, question = practice.find(course, kept.question_id) or abort(404)
    came = request.args.get("came", "")
    following = (url_for("learners.review") if came == "review" else
                 url_for("learners.practice", slug=slug, module_id=module.id, after=question.id,
                         again="" if came == "again" else None))
    shown = told.tell(question, kept.answer, select_language(), pictures(kept.version_id))
    return render_template("learners/told.html", course=course, module=module, question=question, told=shown,
                           following=following, came=came)
