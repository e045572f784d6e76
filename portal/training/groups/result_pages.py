"""A cohort's results of practical skills from a file: checked first, taken in when that is confirmed."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Blueprint, abort, render_template, request
from flask_babel import gettext as _

from portal.core.errors import Invalid, Problem
from portal.core.i18n import select_language
from portal.identity.guard import signed_in
from portal.identity.rights import TRAINER
from portal.training.content.values import Course
from portal.training.group_models import Cohort
from portal.training.groups import cohorts, here, results, results_file, tables
from portal.training.groups.here import account_here, download
from portal.training.groups.results import Report
from portal.training.groups.results_file import HEADS


def add_routes(blueprint: Blueprint) -> None:
    rule, guard = blueprint.add_url_rule, signed_in(TRAINER)
    rule("/<uuid:cohort_id>/results", "results", guard(here.takes_files(import_results)), methods=["GET", "POST"])
    rule("/<uuid:cohort_id>/results-sample.csv", "results_sample", guard(sample))


def import_results(cohort_id: uuid.UUID) -> Any:
    account, (cohort, course) = account_here(), _cohort(cohort_id)
    if request.method == "GET":
        return _page(cohort, course)
    confirmed, what = request.form.get("do") == "confirm", f"results {cohort.id}"
    try:
        body = here.opened(account, what, request.form.get("file", "")) if confirmed else here.uploaded()
        read = results_file.read(body, course)
        report = results.take_in(account, cohort, read) if confirmed else results.check(account, cohort, read)
    except Invalid as refusal:
        return _page(cohort, course, problems=refusal.problems, status=422)
    except tables.Unreadable as error:
        where = _("Line %(n)s:", n=error.line) + " " if error.line else ""
        return _page(cohort, course, problems=[Problem("list", f"{where}{error.message}")], status=422)
    if report.faults.count:
        return _page(cohort, course, report, status=422)
    return _page(cohort, course, report, "" if confirmed else here.sealed(account, what, body))


def sample(cohort_id: uuid.UUID) -> Any:
    return download(results_file.sample(_cohort(cohort_id)[1], select_language()), "results-sample.csv")


def _cohort(cohort_id: uuid.UUID) -> tuple[Cohort, Course]:
    """The cohort of the address and its course, which has practical skills; else 404."""
    cohort = cohorts.get(account_here(), cohort_id)
    course = here.course_of(cohort.slug) if cohort else None
    if cohort is None or course is None or not course.checklists:
        abort(404)
    return cohort, course


def _page(cohort: Cohort, course: Course, report: Report | None = None, sealed: str = "", problems: Any = (),
          status: int = 200) -> Any:
    names = {"number": _("Pupil or staff number"), "phone": _("Phone"), "skill": _("Skill"), "result": _("Result"),
             "date": _("Day")}
    return render_template(
        "groups/results_import.html", cohort=cohort, course=course, report=report, sealed=sealed, problems=problems,
        faults=here.fault_rows(report.faults.in_order(), names) if report else [], heads=HEADS[select_language()],
        most=results_file.MOST_ROWS, minutes=int(here.LASTS.total_seconds() // 60)), status
