"""Reviewing: the list of drafts, and the page on which a draft is read as it will arrive, and decided upon."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal import current_settings
from portal.channels.speakers import speech
from portal.core.clock import utcnow
from portal.core.db import db
from portal.core.errors import Conflict, Forbidden, Invalid, Problem
from portal.core.i18n import LANGUAGES, select_language
from portal.desk import differences, figures, handed_back, wording
from portal.dispatch.issue import issue
from portal.identity import rights
from portal.identity.guard import current_account, signed_in
from portal.identity.listing import holders
from portal.identity.models import Account
from portal.regions import svg
from portal.subscribers.audiences import BY_KEY
from portal.warnings import bulletins, drafts, hazards, review, target, words
from portal.warnings.models import CANCEL, DISCARDED, EDITING, ISSUED, REJECTED, SUBMITTED, Draft

CLOSED_SHOWN = 10
#: The tiers whose approval asks for the tier's name to be typed.
TYPED_TIERS = ("red",)
SAID = {review.SUBMIT: "submitted", review.WITHDRAW: "withdrawn", review.RETURN: "returned", review.REJECT: "rejected",
        review.DISCARD: "discarded"}


def add_routes(blueprint: Blueprint) -> None:
    anyone, rule = signed_in(), blueprint.add_url_rule
    rule("/drafts/", "drafts", anyone(list_page))
    rule("/drafts/<uuid:draft_id>/", "draft", anyone(draft_page))
    rule("/drafts/<uuid:draft_id>/speech/<language>.wav", "draft_speech", anyone(draft_speech))
    rule("/drafts/<uuid:draft_id>/<any(submit, withdraw, return, reject, discard):verb>", "draft_move",
         signed_in(rights.DRAFTER, rights.APPROVER)(draft_move), methods=["POST"])
    rule("/drafts/<uuid:draft_id>/approve", "draft_approve", signed_in(rights.APPROVER)(draft_approve), methods=["POST"])


def _account() -> Account:
    return current_account() or abort(401)


# -- the list ----------------------------------------------------------------------------------------------
def list_page() -> str:
    account, settings = _account(), current_settings()
    open_ones = drafts.listing(statuses=(SUBMITTED, EDITING))
    for_me = [d for d in open_ones if review.APPROVE in review.possible_moves(account, d, settings)]
    mine = [d for d in open_ones if d not in for_me and str(account.id) in {*d.editor_ids, str(d.author_id)}]
    others = [d for d in open_ones if d not in for_me and d not in mine]
    closed = drafts.listing(statuses=(REJECTED, DISCARDED, ISSUED), limit=CLOSED_SHOWN)
    for_me.sort(key=lambda d: d.submitted_at or d.changed_at)
    return render_template("desk/drafts.html", for_me=for_me, mine=mine, others=others, closed=closed,
                           may_draft=rights.has_role(account, rights.DRAFTER),
                           may_approve=rights.has_role(account, rights.APPROVER), status_labels=status_labels(),
                           **_numbers(closed))


def _numbers(closed: Sequence[Draft]) -> dict[str, Any]:
    """The numbers of the warnings that issued drafts became."""
    found = {d.id: bulletin.warning_number for d in closed if d.bulletin_id and (bulletin := bulletins.get(d.bulletin_id))}
    return {"numbers": found}


def status_labels() -> dict[str, str]:
    return {EDITING: _("being edited"), SUBMITTED: _("waiting for approval"), REJECTED: _("rejected"), DISCARDED: _("discarded"),
            ISSUED: _("issued")}


# -- one draft ---------------------------------------------------------------------------------------------
def draft_page(draft_id: uuid.UUID) -> Any:
    return _show(_draft(draft_id))


def _draft(draft_id: uuid.UUID) -> Draft:
    return drafts.get(draft_id) or abort(404)


def draft_speech(draft_id: uuid.UUID, language: str) -> Response:
    draft = _draft(draft_id)
    text = draft.words.get(language, {}).get("speaker", "") if language in LANGUAGES else ""
    sound = speech.render_speech(text, language) if text else None
    if sound is None:
        abort(404)
    return Response(sound, mimetype="audio/wav")


def draft_move(draft_id: uuid.UUID, verb: str) -> Any:
    reason = request.form.get("reason", "")
    try:
        review.move(_account(), draft_id, verb, version=request.form.get("version", 0, type=int), reason=reason)
    except Invalid as refusal:
        problems = [Problem(f"reason.{verb}", p.message) if p.field == "reason" else p for p in refusal.problems]
        return _show(_draft(draft_id), problems=problems, reason=(verb, reason), status=422)
    except (Conflict, Forbidden) as refusal:
        return _refused(draft_id, refusal, reason=(verb, reason))
    said = {"submitted": _("Submitted. It now waits for approval."), "withdrawn": _("Withdrawn. You can go on editing it."),
            "returned": _("Returned to its author with your reason."), "rejected": _("Rejected. It cannot be issued any more."),
            "discarded": _("Discarded.")}
    flash(said[SAID[verb]])
    if verb == review.WITHDRAW:
        return redirect(url_for("desk.edit_draft", draft_id=draft_id))
    return redirect(url_for("desk.drafts") if verb == review.DISCARD else url_for("desk.draft", draft_id=draft_id))


def draft_approve(draft_id: uuid.UUID) -> Any:
    draft = _draft(draft_id)
    typed = request.form.get("confirm", "")
    if needs_typing(draft) and not confirmed(draft.tier, typed):
        message = _("Type the tier's name (%(name)s) to confirm. Nothing was issued.", name=_tier_name(draft.tier))
        return _show(draft, problems=[Problem("confirm", message)], typed=typed, status=422)
    try:
        bulletin = issue(_account(), draft_id, version=request.form.get("version", 0, type=int),
                         content_hash=request.form.get("content_hash", ""))
    except Invalid as refusal:
        return _show(_draft(draft_id), problems=refusal.problems, status=422)
    except (Conflict, Forbidden) as refusal:
        return _refused(draft_id, refusal)
    flash(_("Issued as %(number)s. Watch here how far it has come.", number=bulletin.warning_number))
    return redirect(url_for("desk.warning", number=bulletin.warning_number))


def needs_typing(draft: Draft) -> bool:
    return draft.tier in TYPED_TIERS and not draft.exercise and draft.kind != CANCEL


def confirmed(tier: str, typed: str) -> bool:
    """Whether the tier's name was typed, in either language: 红色, 红, red."""
    names = hazards.TIER_NAMES[tier]
    return typed.strip().casefold() in {names.zh, names.zh.removesuffix("色"), names.en}


def _tier_name(tier: str) -> str:
    return hazards.TIER_NAMES[tier][select_language()]


def _refused(draft_id: uuid.UUID, refusal: Conflict | Forbidden, reason: tuple[str, str] = ("", "")) -> Any:
    status = 409 if isinstance(refusal, Conflict) else 403
    return _show(_draft(draft_id), problems=[Problem("", refusal.message)], reason=reason, stale=status == 409, status=status)


def _show(draft: Draft, *, problems: Sequence[Problem] = (), reason: tuple[str, str] = ("", ""), typed: str = "",
          stale: bool = False, status: int = 200) -> Any:
    account, settings, now = _account(), current_settings(), utcnow()
    db.session.refresh(draft)
    moves = review.possible_moves(account, draft, settings)
    reach = target.reach(draft.target, figures.matter(draft.hazard, draft.tier, exercise=draft.exercise))
    missing = _missing(draft) if draft.status in (EDITING, SUBMITTED) else []
    cap_xml, cap_problem = _cap(draft, account, missing)
    bulletin = bulletins.get(draft.bulletin_id) if draft.bulletin_id else None
    return render_template(
        "desk/preview.html", draft=draft, moves=moves, reach=reach, problems=problems, missing=missing, reason=reason,
        typed=typed, stale=stale, title=figures.title(draft), deed=figures.deed(draft, reach),
        places=figures.places(draft.region_codes) if draft.region_codes else "",
        audiences=[BY_KEY[k].label for k in draft.target["audiences"]],
        languages=LANGUAGES, language_labels=words.LANGUAGE_LABELS, horns=_horns(draft),
        sms=_sms(draft, reach.subscribers if draft.kind != CANCEL else {}),
        channels=draft.target.get("channels", target.OPTIONAL_CHANNELS), cap_xml=cap_xml, cap_problem=cap_problem,
        map=svg.map_svg([settings.district], select_language(), highlight=draft.region_codes, area=draft.target["area"]),
        two_people=review.two_people_needed(draft, settings), barred=_barred(account, draft), approvers=_approvers(draft),
        needs_typing=needs_typing(draft), tier_name=_tier_name(draft.tier), status_labels=status_labels(), now=now,
        hazard_names={language: hazards.catalogue().name(draft.hazard, language) for language in LANGUAGES}, bulletin=bulletin,
        authority={"zh": settings.authority_zh, "en": settings.authority_en},
        warning=bulletins.warning(draft.warning_id) if draft.warning_id else None,
        can_speak=shutil.which("espeak-ng") is not None, superfluous=handed_back.superfluous(),
        contradictions=wording.field_names(wording.other_tier_named(draft.words, draft.hazard, draft.tier)),
        changes=differences.since(draft.last_seen, draft) if draft.last_seen else [],
        sent_back_at=datetime.fromisoformat(draft.last_seen["at"]) if draft.last_seen else None), status


def _missing(draft: Draft) -> list[Problem]:
    """What stands in the way of submitting or issuing it now."""
    try:
        drafts.check(drafts.Content.of(draft), complete=True, settings=current_settings(), now=utcnow())
    except Invalid as refusal:
        return refusal.problems
    return []


def _cap(draft: Draft, account: Account, missing: Sequence[Problem]) -> tuple[str, str]:
    """The CAP message as it would be issued now, or as it was; or why there is none yet."""
    if draft.bulletin_id and (bulletin := bulletins.get(draft.bulletin_id)):
        return bulletin.cap.decode(), ""
    try:
        return bulletins.foresee(draft, account, now=utcnow()).cap.decode(), ""
    except ValueError as error:
        return "", _cap_needs(str(error).partition(":")[0], missing)


#: Elements of CAP that a draft can leave unfilled, and what fills them.
CAP_NEEDS = {
    "areaDesc": _l("the regions"), "polygon": _l("the drawn area"), "circle": _l("the drawn area"), "area": _l("the drawn area"),
    "event": _l("the hazard"), "expires": _l("the end"), "onset": _l("the beginning"), "headline": _l("the headline"),
    "description": _l("the description"), "instruction": _l("the instruction"),
    "references": _l("the warning that it belongs to"),
}


def _cap_needs(element: str, missing: Sequence[Problem]) -> str:
    """Why there is no CAP message, as people say it."""
    if missing:
        return _("first mend what the top of the page says.")
    what = CAP_NEEDS.get(element)
    if what is None:
        return _("its element “%(element)s” cannot hold what the draft says. Tell an administrator.", element=element)
    return _("its element “%(element)s” cannot be filled: look at %(what)s.", element=element, what=what)


def _sms(draft: Draft, subscribers: dict[str, int]) -> dict[str, str]:
    """Language → segments and cost of its text message, in words."""
    settings = current_settings()
    return {language: " · ".join(wording.sms_count(text, settings, subscribers.get(language))[0])
            for language in LANGUAGES if (text := draft.words[language]["sms"])}


def _horns(draft: Draft) -> dict[str, str]:
    settings = current_settings()
    return {language: wording.horn_count(text, language, settings) for language in LANGUAGES
            if (text := draft.words[language]["speaker"])}


def _barred(account: Account, draft: Draft) -> bool:
    """Whether the only thing between this approver and the approval is to have written or submitted it."""
    try:
        review.check_two_people_agree(account, draft, current_settings())
    except Forbidden:
        return draft.status == SUBMITTED
    return False


def _approvers(draft: Draft) -> list[Account]:
    """Who could approve it: the offices with a duty over all of it, without those who may not by the rule of two."""
    settings = current_settings()
    where = draft.region_codes
    if draft.status not in (EDITING, SUBMITTED) or not where:
        return []
    writers = {*draft.editor_ids, str(draft.author_id), str(draft.submitter_id)}
    needed = review.two_people_needed(draft, settings)
    return [a for a in holders(rights.APPROVER, where, draft.tier) if not needed or str(a.id) not in writers]
