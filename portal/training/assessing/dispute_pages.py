"""The list of skills on which assessors differ, and how a third settles one."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from portal.core.errors import Conflict, Invalid, Problem
from portal.identity.guard import signed_in
from portal.identity.rights import TRAINER
from portal.training.assessing import disputes, recording, words
from portal.training.assessing.attendance_pages import LEARNER, account_here, session_here
from portal.training.content.values import Checklist


def add(blueprint: Blueprint) -> None:
    rule, guard = blueprint.add_url_rule, signed_in(TRAINER)
    rule("/disputes/", "disputes", guard(listed))
    rule(f"/disputes/<uuid:session_id>/{LEARNER}/<skill>", "settle", guard(settle), methods=["POST"])


def listed(problems: Sequence[Problem] = (), about: str = "", reason: str = "", status: int = 200) -> Any:
    found = disputes.of_account(account_here())
    return render_template("training_assessing/disputes.html", found=found, checklist_of=_checklist, title_of=words.course_title,
                           key_of=_key, problems=problems, about=about, reason=reason, saw=words.SAW), status


def settle(session_id: uuid.UUID, learner_id: int, skill: str) -> Any:
    session_here(session_id)
    about, reason = f"{session_id}-{learner_id}-{skill}", request.form.get("reason", "")[:recording.LONGEST_NOTE]
    sheet = request.form.get("sheet", "")[:12]
    try:
        disputes.settle(account_here(), session_id, learner_id, skill, int(sheet) if sheet.isdecimal() else 0, reason)
    except LookupError:
        abort(404)
    except Invalid as invalid:
        return listed([Problem(f"{p.field}-{about}", p.message) for p in invalid.problems], about, reason, 422)
    except Conflict as conflict:
        return listed([Problem("", conflict.message)], about, reason, 409)
    flash(_("Settled. Both assessors see it, and the learner sees the result."))
    return redirect(url_for(".disputes"), 303)


def _key(one: disputes.Dispute) -> str:
    return f"{one.session.id}-{one.learner_id}-{one.skill}"


def _checklist(one: disputes.Dispute) -> Checklist | None:
    return recording.checklist_of(one.sheets[-1].version_id, one.session.slug, one.skill)
