"""What states are called."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

from portal.core.i18n import select_language
from portal.training import courses_store
from portal.training.assessing import rules
from portal.training.practical_models import ABSENT, ATTENDED, BOOKED, LEFT, WAITING

#: How a skill stands; how it is marked.
STATES = {rules.UNSEEN: _l("not assessed yet"), rules.PASSED: _l("passed"), rules.NOT_YET: _l("not yet passed"),
          rules.DISPUTED: _l("assessors differ")}
MARKS = {rules.UNSEEN: "none", rules.PASSED: "good", rules.NOT_YET: "some", rules.DISPUTED: "bad"}
#: How somebody on the list of a session stands.
BOOKINGS = {BOOKED: _l("expected"), ATTENDED: _l("present"), ABSENT: _l("absent"), WAITING: _l("on the waiting list"),
            LEFT: _l("gave the seat back")}
BOOKING_MARKS = {BOOKED: "none", ATTENDED: "good", ABSENT: "bad", WAITING: "some", LEFT: "past"}
#: What an assessor says of a step.
SAW = {"yes": _l("Shown"), "no": _l("Not shown"), "unseen": _l("Not seen")}


def course_title(slug: str) -> str:
    loaded = courses_store.current(slug)
    return loaded[1].title[select_language()] if loaded else slug
