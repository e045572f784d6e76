"""The desk's pages of living data: opening and closing shelters for a warning, and a shelter's keepers."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext

from portal.core.errors import Conflict, Forbidden, Invalid, Problem
from portal.core.i18n import LANGUAGES, select_language
from portal.identity import rights
from portal.identity.guard import current_account, signed_in
from portal.identity.models import Account
from portal.regions import lookup
from portal.shelters.living import keepers, offers, opening, texts
from portal.shelters.living.pages import ICONS
from portal.shelters.models import Shelter
from portal.shelters.registry import freshness, store, words
from portal.warnings import bulletins
from portal.warnings.models import Warning

LARGEST_ID = 2**63 - 1


def make_blueprint() -> Blueprint:
    blueprint = Blueprint("shelter_opening", __name__, url_prefix="/desk/shelters", template_folder="templates",
                          static_folder="static", static_url_path="/open/static")
    rule, anyone, duty = blueprint.add_url_rule, signed_in(), signed_in(rights.SHELTERS)
    rule("/open", "page", anyone(page))
    rule("/open", "open", duty(open_post), methods=["POST"])
    rule("/open/decline", "decline", duty(decline_post), methods=["POST"])
    rule("/open/close", "close", duty(close_post), methods=["POST"])
    rule("/open/<uuid:opening_id>/tell", "tell", duty(tell_post), methods=["POST"])
    rule("/<int:shelter_id>/keepers", "keepers", duty(keepers_page))
    rule("/<int:shelter_id>/keepers", "keepers_add", duty(keepers_add), methods=["POST"])
    rule("/<int:shelter_id>/keepers/<int:keeper_id>/remove", "keepers_remove", duty(keepers_remove), methods=["POST"])
    blueprint.context_processor(lambda: {
        "icons": ICONS, "statuses": words.STATUSES, "is_stale": freshness.is_stale, "community": _community})
    return blueprint


def _account() -> Account:
    return current_account() or abort(401)


def _community(shelter: Shelter) -> str:
    node = lookup.get(shelter.region_code or "")
    return node.name(select_language()) if node else "—"


# -- opening -------------------------------------------------------------------------------------------------
def _warning() -> Warning:
    """The warning of the bulletin that the request names."""
    try:
        named = uuid.UUID(request.values.get("bulletin", ""))
    except ValueError:
        abort(404)
    bulletin = bulletins.get(named) or abort(404)
    return bulletins.warning(bulletin.warning_id) or abort(404)


def _seen() -> uuid.UUID | None:
    try:
        return uuid.UUID(request.form.get("seen", ""))
    except ValueError:
        return None


def page() -> Any:
    return _show(_warning())


def _show(warning: Warning, problems: Sequence[Problem] = (), *, chosen: Sequence[int] | None = None, reason: str = "",
          status: int = 200) -> Any:
    """`chosen`: what was ticked when the form was refused; None: the proposal."""
    shown = offers.page(_account(), warning) or abort(404)
    return render_template("shelter_living/opening.html", **shown, problems=problems, chosen=chosen, reason=reason), status


def _act(warning: Warning, act: Callable[[], Any], **typed: Any) -> Any:
    """Do it, and show the page again with what stood in the way; None when it was done."""
    try:
        act()
    except Invalid as refusal:
        return _show(warning, refusal.problems, status=422, **typed)
    except (Conflict, Forbidden) as refusal:
        return _show(warning, [Problem("", refusal.message)], status=409 if isinstance(refusal, Conflict) else 403, **typed)
    return None


def _back(warning: Warning) -> Any:
    return redirect(url_for("shelter_opening.page", bulletin=request.form.get("bulletin", "")))


def open_post() -> Any:
    warning, account = _warning(), _account()
    ids = [int(i) for i in request.form.getlist("shelter") if i.isascii() and i.isdigit() and len(i) < 19]

    def act() -> None:
        bulletin = offers.newest(warning) or abort(404)
        made = opening.open_shelters(account, bulletin, ids, seen=_seen())
        texts.tell(account, made)
        flash(ngettext("%(num)s shelter is being opened.", "%(num)s shelters are being opened.", len(made.shelter_ids)))
    return _act(warning, act, chosen=ids) or _back(warning)


def decline_post() -> Any:
    warning, account, reason = _warning(), _account(), request.form.get("reason", "")[:1000]

    def act() -> None:
        opening.decline(account, offers.newest(warning) or abort(404), reason, seen=_seen())
        flash(_("Kept: no shelter is opened for now."))
    return _act(warning, act, reason=reason) or _back(warning)


def close_post() -> Any:
    warning, account = _warning(), _account()

    def act() -> None:
        made = opening.close_for(account, warning.id, seen=_seen())
        flash(ngettext("%(num)s shelter is closing.", "%(num)s shelters are closing.", len(made.shelter_ids)))
    return _act(warning, act) or _back(warning)


def tell_post(opening_id: uuid.UUID) -> Any:
    warning, account = _warning(), _account()
    decision = opening.get(opening_id)
    if decision is None or decision.warning_id != warning.id:
        abort(404)
    shelters = list(store.by_ids(decision.shelter_ids).values())
    if not any(opening.may_open(account, s) for s in shelters):
        names = "、".join(s.name(select_language()) for s in shelters[:5])
        raise Forbidden(_("Your duty does not cover these shelters: %(names)s", names=names))
    return _act(warning, lambda: texts.tell(account, decision, again=True)) or _back(warning)


# -- keepers -------------------------------------------------------------------------------------------------
def _shelter(shelter_id: int) -> Shelter:
    shelter = store.get(shelter_id) if shelter_id <= LARGEST_ID else None
    if shelter is None:
        abort(404)
    if not opening.may_open(_account(), shelter):
        raise Forbidden(_("Your duty does not cover this shelter."))
    return shelter


def keepers_page(shelter_id: int) -> Any:
    return _keepers(_shelter(shelter_id))


def _keepers(shelter: Shelter, problems: Sequence[Problem] = (), typed: dict[str, str] | None = None, status: int = 200) -> Any:
    return render_template("shelter_living/keepers.html", shelter=shelter, keepers=keepers.listing(shelter.id),
                           problems=problems, typed=typed or {}, most=keepers.MOST), status


def keepers_add(shelter_id: int) -> Any:
    shelter = _shelter(shelter_id)
    typed = {name: request.form.get(name, "")[:200] for name in ("phone", "post", "language")}
    if typed["language"] not in LANGUAGES:
        typed["language"] = LANGUAGES[0]
    try:
        made = keepers.add(_account(), shelter.id, **typed)
    except Invalid as refusal:
        return _keepers(shelter, refusal.problems, typed, 422)
    except Conflict as refusal:
        return _keepers(shelter, [Problem("phone", refusal.message)], typed, 409)
    flash(_("“%(post)s” can now report for this shelter.", post=made.post))
    return redirect(url_for("shelter_opening.keepers", shelter_id=shelter.id))


def keepers_remove(shelter_id: int, keeper_id: int) -> Any:
    shelter = _shelter(shelter_id)
    keepers.remove(_account(), shelter.id, min(keeper_id, LARGEST_ID))
    flash(_("Removed. That phone can no longer report for this shelter."))
    return redirect(url_for("shelter_opening.keepers", shelter_id=shelter.id))
