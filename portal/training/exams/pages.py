"""The pages of an exam at /learn/<course>/exam/: rules, questions, result. Plain forms; a script saves as one goes."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from threading import BoundedSemaphore
from typing import Any

from flask import Blueprint, abort, current_app, jsonify, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal import current_settings
from portal.core.errors import Invalid, Problem
from portal.core.i18n import select_language
from portal.training import courses_store
from portal.training.content.values import Course, Exam
from portal.training.exam_models import Attempt
from portal.training.exams import answers, attempts, rules, view
from portal.training.exams.attempts import Said
from portal.training.learners import door
from portal.training.models import Learner

COOKIE = "anlan_exam"
#: Bytes of one request of the script: every answer of an exam fits in.
LARGEST = 64 * 1024
FEEDBACK = {"never": _l("The right answers are not shown afterwards."),
            "after_pass": _l("The right answers are shown once you have passed."),
            "after_each": _l("The right answers are shown after each attempt.")}


def make_blueprint() -> Blueprint:
    blueprint = Blueprint("exams", __name__, template_folder="templates", static_folder="static",
                          static_url_path="/learn/exam-static")
    at = "/learn/<slug>/exam"
    rule = blueprint.add_url_rule
    rule(f"{at}/", "rules", _inside(rules_page))
    rule(f"{at}/start", "start", _inside(start), methods=["POST"])
    rule(f"{at}/sit", "sit", _inside(sit))
    rule(f"{at}/sit", "send", _inside(send), methods=["POST"])
    rule(f"{at}/answers", "save", save, methods=["POST"])
    rule(f"{at}/clock", "clock", _inside(clock))
    rule(f"{at}/result/<uuid:attempt_id>/", "result", _inside(result))
    return blueprint


def _inside(view_: Callable[..., Any]) -> Callable[..., Any]:
    """A view for learners of a course that has an exam: it gets the learner, the course as it is now, and its exam. Where the
    exam was withdrawn, whoever has attempted it gets the version of the last attempt: to finish it, and for the results."""
    @wraps(view_)
    def guarded(learner: Learner, slug: str, **kwargs: Any) -> Any:
        found = courses_store.current(slug)
        course = found[1] if found else None
        if course is not None and course.exam is None and (past := attempts.past(learner.id, slug)):
            course = courses_store.of(past[0].version_id)
        if course is None or course.exam is None:
            abort(404)
        return view_(learner, course, course.exam, **kwargs)
    return door.required(guarded)


def _standing(course: Course, exam: Exam, past: Sequence[Attempt]) -> rules.Standing:
    now = courses_store.current(course.id)
    return attempts.standing(exam, past, offered=now is not None and now[1].exam is not None)


def _secret() -> str:
    return request.cookies.get(COOKIE, "")[:100]


# -- before --------------------------------------------------------------------------------------------------
def rules_page(learner: Learner, course: Course, exam: Exam, problems: list[Problem] | None = None, status: int = 200) -> Any:
    attempts.current(learner.id, course.id)  # ends what is over
    past = attempts.past(learner.id, course.id)
    stand = _standing(course, exam, past)
    return render_template("exams/rules.html", course=course, exam=exam, past=past, stand=stand, problems=problems or [],
                           feedback=FEEDBACK[exam.feedback],
                           live=bool(past) and past[0].ended_at is None and attempts.is_live(past[0], _secret())), status


def start(learner: Learner, course: Course, exam: Exam) -> Any:
    going_on = attempts.current(learner.id, course.id) is not None
    if not going_on and request.form.get("ready") != "1":
        problem = Problem("ready", _("Tick that you are ready: the time begins to run at once."))
        return rules_page(learner, course, exam, [problem], 422)
    try:
        attempt, secret = attempts.start(learner.id, course.id)
    except Invalid as refusal:
        return rules_page(learner, course, exam, refusal.problems, 422)
    except LookupError:  # withdrawn
        abort(404)
    answer: Any = redirect(url_for("exams.sit", slug=course.id))
    path = url_for("exams.rules", slug=course.id)
    answer.set_cookie(COOKIE, secret, expires=attempt.closes_at, path=path, httponly=True, samesite="Lax",
                      secure=request.is_secure)
    return answer


# -- the exam ------------------------------------------------------------------------------------------------
def sit(learner: Learner, course: Course, exam: Exam) -> Any:
    attempt = attempts.current(learner.id, course.id)
    if attempt is None:
        return redirect(url_for("exams.rules", slug=course.id))
    if not attempts.is_live(attempt, _secret()):
        return _elsewhere(attempt, course, 200)
    return _questions(attempt, course)


def _elsewhere(attempt: Attempt, course: Course, status: int) -> Any:
    return render_template("exams/elsewhere.html", course=course, attempt=attempt), status


def _questions(attempt: Attempt, course: Course, *, at: int | None = None, note: str = "", status: int = 200) -> Any:
    """The questions: all of them, or the one at place `at` where the version has them one at a time."""
    known = attempts.kept(attempt.id)
    every = view.shown(attempt, select_language(), known)
    asked = at if at is not None else request.args.get("q", 1, type=int) - 1
    here = every[min(max(asked, 0), len(every) - 1)] if _one_at_a_time(attempt) else None
    return render_template("exams/sit.html", course=course, attempt=attempt, every=every, here=here, note=note,
                           shown=[here] if here else every, seq=attempts.next_seq(attempt, known),
                           left=attempts.seconds_left(attempt)), status


def _one_at_a_time(attempt: Attempt) -> bool:
    exam = courses_store.of(attempt.version_id).exam
    return exam is not None and exam.one_at_a_time


def send(learner: Learner, course: Course, exam: Exam) -> Any:
    """A plain form: keep what it holds, then go where the button says. `finish` asks once more, `submit` ends."""
    act = request.form.get("do", "save")
    attempt = _named(learner, course)
    if attempt.ended_at is not None:
        return redirect(url_for("exams.result", slug=course.id, attempt_id=attempt.id))
    try:
        said = _said_in_form(attempt)
        if act == "submit":
            with _turn() as mine:
                if mine:
                    attempts.submit(learner.id, attempt.id, _secret(), said)
                    return redirect(url_for("exams.result", slug=course.id, attempt_id=attempt.id))
            return _crowded(attempts.save(learner.id, attempt.id, _secret(), said).attempt, course)
        kept = attempts.save(learner.id, attempt.id, _secret(), said).kept
    except attempts.Elsewhere:
        return _elsewhere(attempt, course, 409)
    except attempts.Over:  # who brought nothing new, being told to come again, brought nothing too late
        return redirect(url_for("exams.result", slug=course.id, attempt_id=attempt.id, late=1 if said else None))
    except answers.Malformed:
        abort(400)
    if any(kept[one.at].seq > one.seq for one in said):
        return _questions(attempt, course, note=_("This page was older than what is saved. The newer answers stand below; look"
                                                  " through them."), status=409)
    if act == "finish":
        known = attempts.kept(attempt.id)
        blank = [at + 1 for at in range(attempt.out_of) if at not in known or known[at].value is None]
        return render_template("exams/finish.html", course=course, attempt=attempt, blank=blank,
                               left=attempts.seconds_left(attempt))
    number = int(act) if act.isascii() and act.isdigit() and len(act) < 4 else None
    return redirect(url_for("exams.sit", slug=course.id, q=number, saved=1))


@contextmanager
def _turn() -> Iterator[bool]:
    """Whether this request may mark now. Marking waits for the trail, and when hundreds hand in at once as many threads would
    wait for it: so at least half of a process's threads stay for everybody else, and for warnings."""
    extensions, threads = current_app.extensions, current_settings().web_threads
    room: BoundedSemaphore = extensions.setdefault("exams_marking", BoundedSemaphore(max(1, threads // 2)))
    mine = room.acquire(blocking=False)
    try:
        yield mine
    finally:
        if mine:
            room.release()


def _crowded(attempt: Attempt, course: Course) -> Any:
    """All is saved; the page hands in again by itself, each at another moment."""
    seconds = secrets.randbelow(5) + 2
    page = render_template("exams/crowded.html", course=course, attempt=attempt, seconds=seconds)
    return page, 503, {"Retry-After": str(seconds)}


def _named(learner: Learner, course: Course) -> Attempt:
    """The attempt that a page names; a page of another attempt must not answer in this one."""
    try:
        found = attempts.mine(learner.id, uuid.UUID(request.form.get("attempt", "")))
    except ValueError:
        found = None
    if found is None or found.slug != course.id:
        abort(404)
    return found


def _said_in_form(attempt: Attempt) -> list[Said]:
    form, asked = request.form, attempts.questions(attempt)
    seq = form.get("seq", 0, type=int)
    places = [int(at) for at in form.getlist("at") if at.isascii() and at.isdigit() and len(at) < 4]
    if any(at >= len(asked) for at in places) or (places and seq < 1):
        raise answers.Malformed
    return [Said(at, seq, answers.from_form(asked[at][1], asked[at][0], at, form)) for at in sorted(set(places))]


# -- for the script ------------------------------------------------------------------------------------------
def save(slug: str) -> Any:
    """JSON ``{attempt, answers: [{at, seq, value}]}``; the reply says which count is kept at each place, and the time left.
    Hundreds send this in the same seconds: who it is, whether the attempt is theirs, and the attempt itself are one question."""
    if request.content_length is None or request.content_length > LARGEST:
        abort(413)
    if (key := door.PASS.key()) and (sent := _sent()) is not None:
        attempt_id, said = sent
        found = _answered(lambda: attempts.save_signed_in(key, attempt_id, _secret(), said, slug))
        if found is not None:
            return found
    return _save_slowly(slug=slug)


@door.required
def _save_slowly(learner: Learner, slug: str) -> Any:
    """The same, one thing after the other: says what is wrong."""
    if (sent := _sent()) is None:
        return jsonify(state="bad", message=_("This could not be understood; reload the page.")), 422
    attempt_id, said = sent
    return _answered(lambda: attempts.save(learner.id, attempt_id, _secret(), said, slug=slug))


def _sent() -> tuple[uuid.UUID, list[Said]] | None:
    """The attempt and the answers of a request, or None for what is no such thing."""
    try:
        sent: Any = request.get_json(silent=True)
        return uuid.UUID(sent["attempt"]), [Said(int(one["at"]), int(one["seq"]), one.get("value")) for one in sent["answers"]]
    except (TypeError, ValueError, AttributeError, LookupError, OverflowError, RecursionError):  # also 1e999, and endless lists
        return None


def _answered(save_: Callable[[], attempts.Saved | None]) -> Any:
    """What comes of saving, as the script hears it; None where there is nothing to tell."""
    try:
        saved = save_()
    except attempts.Elsewhere as refusal:
        return jsonify(state="elsewhere", message=str(refusal.message)), 409
    except attempts.Over as refusal:
        return jsonify(state="over", message=str(refusal.message)), 410
    except LookupError:
        return jsonify(state="gone", message=_("There is no such attempt.")), 404
    except answers.Malformed:
        return jsonify(state="bad", message=_("This could not be understood; reload the page.")), 422
    if saved is None:
        return None
    return jsonify(state="saved", kept=[{"at": at, "seq": one.seq} for at, one in saved.kept.items()], **_time(saved.attempt))


def clock(learner: Learner, course: Course, exam: Exam) -> Any:
    """The time left by the server's clock, and whether this device may still answer."""
    attempt = attempts.current(learner.id, course.id)
    if attempt is None:
        return jsonify(state="over", message=_("This attempt has ended. What was saved before its end counts.")), 410
    if not attempts.is_live(attempt, _secret()):
        return jsonify(state="elsewhere", message=str(attempts.Elsewhere().message)), 409
    return jsonify(state="live", **_time(attempt))


def _time(attempt: Attempt) -> dict[str, Any]:
    return {"left": round(attempts.seconds_left(attempt), 1)}


# -- after ---------------------------------------------------------------------------------------------------
def result(learner: Learner, course: Course, exam: Exam, attempt_id: uuid.UUID) -> Any:
    under_way = attempts.current(learner.id, course.id) is not None  # ends what is over
    attempt = attempts.mine(learner.id, attempt_id)
    if attempt is None or attempt.slug != course.id:
        abort(404)
    if attempt.ended_at is None:
        return redirect(url_for("exams.sit", slug=course.id))
    then, language = courses_store.of(attempt.version_id), select_language()
    told = then.exam.feedback if then.exam else "never"
    marked = attempt.percent is not None
    may = marked and rules.may_show_feedback(told, ended=True, passed=attempt.passed)
    waits = may and under_way  # the attempt that goes on may ask the same
    past = attempts.past(learner.id, course.id)
    return render_template("exams/result.html", course=course, exam=exam, attempt=attempt, late="late" in request.args,
                           titles=view.module_titles(then, language), stand=_standing(course, exam, past),
                           feedback=_("The right answers are shown here when your exam is over.") if waits else FEEDBACK[told],
                           looked=view.looked_at(attempt, language, attempts.points(attempt.id)) if may and not waits else None)
