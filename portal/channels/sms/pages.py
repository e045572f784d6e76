"""The sandbox's phones, for operators. There only where the sandbox is the carrier."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Blueprint, abort, make_response, redirect, render_template, request, url_for
from flask_babel import get_locale
from flask_babel import gettext as _

from portal import current_settings
from portal.channels.sms import aside, inbound, phones, sandbox
from portal.channels.sms.provider import Inbound
from portal.core.clock import utcnow
from portal.core.errors import Invalid, Problem
from portal.core.i18n import LANGUAGES
from portal.identity.guard import signed_in
from portal.regions import lookup

REFRESH_SECONDS = 3
LARGEST_ID = 2**63 - 1
LONGEST_TEXT, ANSWER_LASTS = 200, timedelta(hours=1)


def make_blueprint() -> Blueprint:
    blueprint = Blueprint(
        "sandbox",
        __name__,
        url_prefix="/desk/sandbox",
        template_folder="templates",
        static_folder="static",
        static_url_path="/static",
    )

    @blueprint.before_request
    def only_with_the_sandbox() -> None:
        if not current_settings().sandboxed:
            abort(404)

    blueprint.add_url_rule("/", "phones", signed_in()(phones_page))
    blueprint.add_url_rule("/write", "write", signed_in()(write), methods=["POST"])
    # By itself it asks again every few seconds, which must not keep a session alive.
    blueprint.add_url_rule("/live", "live", signed_in(touch=False)(live_page))
    return blueprint


def phones_page() -> Any:
    return _page(live=False)


def live_page() -> Any:
    answer = make_response(_page(live=True))
    answer.headers["Refresh"] = str(REFRESH_SECONDS)
    return answer


def write() -> Any:
    """A demonstration phone writes to the portal, and what the portal answers lies on it."""
    number, body = request.form.get("number", "")[:30], request.form.get("body", "").strip()[:LONGEST_TEXT]
    try:
        phone = phones.own_number(number)
        if not body:
            raise Invalid.one("body", _("Write something, such as: HELP"))
    except Invalid as refusal:
        return _page(live=False, refusal=refusal)
    words = inbound.receive(sandbox.SandboxProvider.name, Inbound(sandbox.wrote(phone, body), phone, body))
    if words:
        aside.send(words, {"answer": phone}, expires_at=utcnow() + ANSWER_LASTS)
    return redirect(url_for("sandbox.phones", digits=phone))


def _page(live: bool, refusal: Invalid | None = None) -> Any:
    chosen = phones.Filter(request.args.get("digits", "")[:30], _known_region(), _known_language())
    problem: Problem | None = None
    try:
        counts = phones.counts(chosen)
        messages, older = phones.page(chosen, None if live else _before())
    except Invalid as unreadable:
        problem, counts, messages, older = unreadable.problems[0], phones.Counts(0, 0, 0), [], None
    body = render_template(
        "sandbox/phones.html",
        chosen=chosen,
        counts=counts,
        messages=messages,
        older=older,
        refreshing=live,
        texts=phones.texts(),
        problem=problem,
        regions=_regions(),
        names=_names(messages),
        first_page=_before() is None,
        writing={one.field: one.message for one in refusal.problems} if refusal else {},
        wrote=request.form,
        longest=LONGEST_TEXT,
        query={k: v for k, v in _query(chosen).items() if v},
    )
    return (body, 422) if problem or refusal else body


def _query(chosen: phones.Filter) -> dict[str, str]:
    return {"digits": chosen.digits, "region": chosen.region, "language": chosen.language}


def _before() -> int | None:
    text = request.args.get("before", "")
    if not (text.isascii() and text.isdigit()):
        return None
    return min(int(text[:20]), LARGEST_ID)


def _known_region() -> str:
    code = request.args.get("region", "")
    return code if code and lookup.get(code) else ""


def _known_language() -> str:
    language = request.args.get("language", "")
    return language if language in LANGUAGES else ""


def _regions() -> list[tuple[str, str, int]]:
    """(code, name, depth) of the district's streets and communities, in the order of the tree."""
    root = lookup.tree(current_settings().district)
    if root is None:
        return []
    language = _language()
    return [
        (node.code, node.name(language), int(node.level == "community"))
        for node in root.walk()
        if node.level in ("street", "community")
    ]


def _names(messages: list[phones.Shown]) -> dict[str, str]:
    language = _language()
    found = lookup.names({code for message in messages for code in message.regions})
    return {code: name[language] for code, name in found.items()}


def _language() -> str:
    locale = get_locale()
    return "en" if locale and locale.language == "en" else "zh"
