"""Nothing typed is lost: what a compose page answers when the door is shut, with the words that were sent.

They are shown for copying and are stored nowhere. The script of the page keeps a copy of its own in the browser; the
answer here is for browsers without one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Blueprint, Response, g, make_response, render_template, request, session
from flask_babel import gettext as _
from flask_wtf.csrf import CSRFError

from portal.core.errors import Conflict, Forbidden
from portal.core.i18n import LANGUAGES, select_language
from portal.desk import forms
from portal.identity.guard import current_account
from portal.regions import lookup
from portal.warnings import hazards, words
from portal.web.show import tier_label

#: The name under which the browser's own copy goes, and the copy that the last save made superfluous.
COPY, SAVED = "copy", "saved_copy"
_PAGES = ("desk.compose", "desk.edit_draft", "desk.update_warning", "desk.cancel_warning")


def keeping(view: Callable[..., Any]) -> Callable[..., Any]:
    """A view of a compose form, in front of its guard: whoever cannot come in is handed back what was sent."""

    @wraps(view)
    def kept(*args: Any, **kwargs: Any) -> Any:
        if request.method != "POST" or _by_script():
            return view(*args, **kwargs)
        g.surface = "desk"
        if current_account() is None:
            return _handed_back(_("You are signed out; nothing was saved"), _(
                "Your session has ended: it was too old or unused for too long, or your account was changed."), 401)
        try:
            return view(*args, **kwargs)
        except Forbidden as refusal:
            return _handed_back(_("Not within your duty; nothing was saved"), refusal.message, 403)
        except Conflict as refusal:
            return _handed_back(_("Somebody was quicker; nothing was saved"), refusal.message, 409)

    return kept


def stale_token(_error: CSRFError) -> Any:
    """The token of another session: usually somebody signed in again meanwhile. A page of strangers that sends a form
    here gets its words shown nowhere."""
    g.surface = "desk"
    title = _("This page is from an earlier session; nothing was saved")
    ours = request.headers.get("Sec-Fetch-Site", "same-origin") in ("same-origin", "none")
    if request.endpoint in _PAGES and ours and not _by_script():
        return _handed_back(title, _("You signed in again since it was opened, so it can no longer be sent."), 400)
    return render_template("error.html", status=400, title=title,
                           message=_("Go back, load the page again and look whether it is still as you read it.")), 400


def saved() -> None:
    """Tell the next page which copy in the browser is now superfluous."""
    if copy := request.form.get(COPY, "")[:40]:
        session[SAVED] = copy


def superfluous() -> str:
    return str(session.pop(SAVED, ""))


def add_handlers(blueprint: Blueprint) -> None:
    blueprint.register_error_handler(CSRFError, stale_token)


def _by_script() -> bool:
    return request.headers.get("HX-Request") == "true"


def _handed_back(title: str, why: Any, status: int) -> Response:
    typed, language = forms.from_request(request.form), select_language()
    names = lookup.names(typed.regions)
    facts = {
        _("Hazard"): hazards.catalogue().name(typed.hazard, language) if typed.hazard in hazards.catalogue() else "",
        _("Tier"): tier_label(typed.tier) if typed.tier in hazards.TIER_NAMES else "",
        _("Regions"): _(", ").join(names[code][language] for code in typed.regions if code in names),
        _("Drawn area as points"): typed.area,
    }
    response = make_response(render_template(
        "desk/handed_back.html", title=title, why=why, typed=typed, facts={k: v for k, v in facts.items() if v},
        languages=LANGUAGES, fields=words.FIELDS, field_labels=words.FIELD_LABELS, language_labels=words.LANGUAGE_LABELS,
        signed_in=current_account() is not None), status)
    response.headers["Cache-Control"] = "no-store"
    return response
