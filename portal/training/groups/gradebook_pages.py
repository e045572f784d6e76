"""The desk's gradebook: of a cohort, or of a course in a region; as a page and as a file."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, render_template, request
from flask_babel import gettext as _

from portal.core.clock import utcnow
from portal.core.i18n import select_language
from portal.identity.guard import signed_in
from portal.identity.models import Account
from portal.identity.rights import TRAINER, may_in
from portal.regions import lookup
from portal.training import standing
from portal.training.assessing import words
from portal.training.content.values import Course
from portal.training.group_models import Cohort
from portal.training.groups import cohorts, gradebook, here, learner_pages, looks, tables
from portal.training.groups.gradebook import LACKS, UNKNOWN, Line, View
from portal.training.groups.here import account_here, download


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the page shows. Without a `view` there is nothing to choose from yet."""

    view: View | None
    cohort: Cohort | None
    course: Course | None
    region: str
    lacks: str

    def address(self, **more: Any) -> dict[str, Any]:
        """The same choice again, for a link."""
        of = {"cohort": str(self.cohort.id)} if self.cohort else {"course": self.course.id if self.course else "",
                                                                   "region": self.region}
        return of | ({"lacks": self.lacks} if self.lacks else {}) | more


def make_blueprint() -> Blueprint:
    blueprint = Blueprint("training_gradebook", __name__, url_prefix="/desk/training", template_folder="templates")
    rule, guard = blueprint.add_url_rule, signed_in(TRAINER)
    rule("/gradebook/", "index", guard(index))
    rule("/gradebook/gradebook.csv", "export", guard(export), methods=["POST"])
    learner_pages.add_routes(blueprint)
    blueprint.context_processor(here.words_here)
    return blueprint


def index() -> str:
    account, now, after = account_here(), utcnow(), request.args.get("after", "")
    chosen = _chosen(account)
    page = gradebook.page(chosen.view, now, after=after) if chosen.view else gradebook.Page([], "")
    looks.at_list(account, _subject(chosen), len(page.lines), course=chosen.course.id if chosen.course else "")
    return render_template(
        "groups/gradebook.html", chosen=chosen, page=page, first=not after, now=now, lacks=LACKS, courses=here.courses(),
        regions=here.regions_here(account), unknown=UNKNOWN if here.whole_district(account) else "",
        cohorts=cohorts.at_work(account))


def export() -> Any:
    account = account_here()
    chosen = _chosen(account)
    looks.noted(account, "gradebook.export", _subject(chosen), course=chosen.course.id if chosen.course else "",
                lacks=chosen.lacks)
    return download(tables.written(_heading(chosen), _rows(chosen)), "gradebook.csv")


def _chosen(account: Account) -> Chosen:
    """What was asked for, as far as the account may see it; else the first that it may see."""
    asked = request.values
    lacks = asked.get("lacks", "") if asked.get("lacks", "") in LACKS else ""
    try:
        cohort = cohorts.get(account, uuid.UUID(asked.get("cohort", "")))
    except ValueError:
        cohort = None
    course = here.course_of(cohort.slug if cohort else asked.get("course", "")) or max(
        here.courses(), key=lambda one: len(one.checklists), default=None)  # the one in which most is to be kept track of
    if cohort is not None:
        return Chosen(View(course, cohort.id, lacks=lacks) if course else None, cohort, course, "", lacks)
    region = asked.get("region", "")
    own = [one.code for one in here.regions_here(account)]
    if not ((region == UNKNOWN and here.whole_district(account))
            or (lookup.get(region) is not None and may_in(account, TRAINER, [region]))):
        region = own[0] if own else ""
    return Chosen(View(course, region_code=region, lacks=lacks) if course and region else None, None, course, region, lacks)


def _subject(chosen: Chosen) -> str:
    return f"cohort:{chosen.cohort.id}" if chosen.cohort else f"region:{chosen.region or '-'}"


def _lessons(course: Course | None) -> int:
    return sum(1 for _one in course.lessons) if course else 0


# -- as a file -----------------------------------------------------------------------------------------------
def _heading(chosen: Chosen) -> list[str]:
    language = select_language()
    skills = [one.title[language] for one in chosen.course.checklists] if chosen.course else []
    return [_("Pupil or staff number"), _("Name"), _("End of the phone number"), _("Community"), _("Lessons done"),
            _("Lessons in all"), _("Attempts"), _("Best mark"), _("Theory passed on"), *skills, _("Practical passed on"),
            _("Certificate until")]


def _rows(chosen: Chosen) -> Iterator[list[Any]]:
    if chosen.view is None:
        return
    total = _lessons(chosen.course)
    for line in gradebook.everybody(chosen.view, utcnow()):
        yield _cells(line, total)


def _cells(line: Line, lessons: int) -> list[Any]:
    theory, practical = (here.day(at) if at else "" for at in (line.theory_at, line.practical_at))
    until = line.certified_until
    ends = "" if until is None else _("without end") if until == standing.WITHOUT_END else here.day(until)
    return [line.number, line.name or "", line.tail, here.region_name(line.region_code) if line.region_code else "",
            line.lessons_done, lessons, line.attempts, line.best_percent, theory,
            *(str(words.STATES[state.state]) for state in line.skills.values()), practical, ends]
