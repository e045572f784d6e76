"""Composing: one page for a new warning, for a draft, for an update and for an all-clear.

It works as a plain form: each button posts all of it and the page comes back with what was typed. The script only
presses a button by itself (`do=look`) and puts the answer in place.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from flask import Blueprint, abort, flash, jsonify, redirect, render_template, request, url_for
from flask_babel import gettext as _
from shapely.geometry import mapping

from portal import current_settings
from portal.config import TIERS
from portal.core.clock import utcnow
from portal.core.db import db
from portal.core.errors import Conflict, Forbidden, Invalid, Problem
from portal.core.i18n import LANGUAGES, select_language
from portal.desk import figures, forms, handed_back, wording
from portal.identity import rights
from portal.identity.guard import current_account, signed_in
from portal.identity.models import Account
from portal.regions import lookup, search
from portal.subscribers.audiences import AUDIENCES
from portal.warnings import bulletins, drafts, hazards, review, target, words
from portal.warnings.models import ALERT, CANCEL, EDITING, IN_FORCE, UPDATE, Draft, Warning
from portal.web import STATIC
from portal.web.show import tier_label


def add_routes(blueprint: Blueprint) -> None:
    drafter, rule = signed_in(rights.DRAFTER), blueprint.add_url_rule
    rule("/compose/", "compose", handed_back.keeping(drafter(compose)), methods=["GET", "POST"])
    rule("/drafts/<uuid:draft_id>/edit", "edit_draft", handed_back.keeping(drafter(edit_draft)), methods=["GET", "POST"])
    rule("/warnings/<number>/update", "update_warning", handed_back.keeping(drafter(update_warning)), methods=["GET", "POST"])
    rule("/warnings/<number>/cancel", "cancel_warning", handed_back.keeping(drafter(cancel_warning)), methods=["GET", "POST"])
    rule("/regions.geojson", "regions", drafter(regions))
    handed_back.add_handlers(blueprint)


@dataclass(frozen=True)
class Sheet:
    """What the page is for. `warning` is the one that is updated or ended; `previous_tier` is its tier before."""

    kind: str
    account: Account
    draft: Draft | None = None
    warning: Warning | None = None

    @property
    def previous_tier(self) -> str | None:
        return self.warning.tier if self.warning else None


# -- the four ways to the page -----------------------------------------------------------------------------
def compose() -> Any:
    return _page(Sheet(ALERT, _account()), forms.Typed())


def edit_draft(draft_id: uuid.UUID) -> Any:
    draft, account = drafts.get(draft_id) or abort(404), _account()
    if draft.status != EDITING and request.method == "GET":
        return redirect(url_for("desk.draft", draft_id=draft_id))
    where = draft.region_codes or rights.regions_for(account, rights.DRAFTER, draft.tier)
    rights.require(account, rights.DRAFTER, where, draft.tier)
    sheet = Sheet(draft.kind, account, draft, bulletins.warning(draft.warning_id) if draft.warning_id else None)
    typed = forms.from_content(draft, current_settings().timezone)
    wording.recognise(typed, _template(sheet, drafts.Content.of(draft), draft.region_codes))
    return _page(sheet, typed)


def update_warning(number: str) -> Any:
    warning = _in_force(number)
    latest = bulletins.of_warning(db.session, warning.id)[-1]
    typed = forms.Typed(exercise=warning.exercise, hazard=warning.hazard, tier=warning.tier)
    aim = latest.snapshot["target"]
    typed.regions, typed.area, typed.audiences = list(aim["regions"]), forms.area_text(aim["area"]), list(aim["audiences"])
    typed.channels = list(aim.get("channels", target.OPTIONAL_CHANNELS))
    return _page(Sheet(UPDATE, _account(), warning=warning), typed)


def cancel_warning(number: str) -> Any:
    warning = _in_force(number)
    return _page(Sheet(CANCEL, _account(), warning=warning), forms.Typed())


def _in_force(number: str) -> Warning:
    warning = bulletins.warning_by_number(number) or abort(404)
    if warning.state != IN_FORCE and request.method == "GET":
        raise Conflict(_("This warning is no longer in force, so it can neither be updated nor cancelled."))
    rights.require(_account(), rights.DRAFTER, warning.region_codes, warning.tier)
    return warning


def _account() -> Account:
    return current_account() or abort(401)


# -- one page ----------------------------------------------------------------------------------------------
def _page(sheet: Sheet, start: forms.Typed) -> Any:
    do = request.form.get("do", "") if request.method == "POST" else ""
    typed = _bound(sheet, forms.from_request(request.form) if request.method == "POST" else start)
    if do == "look":
        return _look(sheet, typed)
    if do in ("save", "preview", "submit"):
        return _save(sheet, typed, do)
    kept: list[str] = []
    if do in ("words", "words-all") or (not do and not sheet.draft and sheet.warning):
        kept = _take(sheet, typed, everything=do == "words-all")
    return _show(sheet, typed, kept=kept)


def _bound(sheet: Sheet, typed: forms.Typed) -> forms.Typed:
    """What an update or all-clear cannot change, whatever the form says."""
    warning = sheet.warning
    if warning is None:
        return typed
    typed = replace(typed, hazard=warning.hazard, exercise=warning.exercise)
    if sheet.kind == CANCEL:
        settings = current_settings()
        end = max(warning.expires, utcnow() + timedelta(hours=drafts.CANCEL_HOURS))
        channels = bulletins.of_warning(db.session, warning.id)[-1].snapshot["target"].get("channels", target.OPTIONAL_CHANNELS)
        typed = forms.ended_at(replace(typed, tier=warning.tier, regions=list(warning.region_codes), area="", audiences=[],
                                       channels=list(channels)), end, settings.timezone)
    return typed


def _template(sheet: Sheet, content: drafts.Content, codes: Sequence[str]) -> words.Words | None:
    return wording.from_template(content, codes, sheet.previous_tier, current_settings())


def _read(sheet: Sheet, typed: forms.Typed) -> drafts.Content:
    content, _problems = forms.read(typed, kind=sheet.kind, warning_id=sheet.warning.id if sheet.warning else None, now=utcnow(),
                                    settings=current_settings())
    return content


def _aim(content: drafts.Content) -> dict[str, Any] | None:
    """The normalised target, where it can be one."""
    try:
        return target.normalise(content.target, complete=False)
    except Invalid:
        return None


def _take(sheet: Sheet, typed: forms.Typed, *, fill: str = wording.ALL, everything: bool = False) -> list[str]:
    content = _read(sheet, typed)
    aim = _aim(content)
    fresh = _template(sheet, content, target.region_codes(aim) if aim else [])
    return wording.take(typed, fresh, fill=fill, everything=everything) if fresh else []


def _look(sheet: Sheet, typed: forms.Typed) -> Any:
    """What the script puts in place after a change: tiers, words that nobody edited, lengths, reach."""
    facts_changed = request.form.get("because") != "words"
    kept = _take(sheet, typed, fill=wording.NEW) if facts_changed else []
    view = _view(sheet, typed, kept=kept)
    words_now = {f"{language}.{name}": text for language, texts in typed.words.items() for name, text in texts.items()}
    return jsonify(
        tiers=render_template("desk/_tiers.html", **view), reach=render_template("desk/_reach.html", **view),
        counts={place: {"text": count.text, "over": count.over} for place, count in view["counts"].items()},
        words=words_now if facts_changed else {},
        offered=typed.offered, kept=wording.field_names(kept))


def _save(sheet: Sheet, typed: forms.Typed, do: str) -> Any:
    settings, now = current_settings(), utcnow()
    try:
        content = forms.content(typed, kind=sheet.kind, warning_id=sheet.warning.id if sheet.warning else None, now=now,
                                settings=settings)
        # What the template says of area and end must be what is saved, so unedited words follow once more.
        codes = target.region_codes(target.normalise(content.target, complete=False))
        fixed = forms.ended_at(typed, content.expires, settings.timezone)
        if fresh := _template(sheet, content, codes):
            wording.take(fixed, fresh, fill=wording.NONE if typed.has_words else wording.ALL)
        content = replace(content, words=fixed.words)
        if do == "submit":
            drafts.check(content, complete=True, settings=settings, now=now)
        draft = _write(sheet, content)
        if do == "submit":
            review.move(sheet.account, draft.id, review.SUBMIT, version=draft.version)
    except Invalid as refusal:
        return _show(sheet, typed, problems=refusal.problems, status=422)
    except Forbidden as refusal:
        return _show(sheet, typed, problems=[_beyond(sheet, typed, refusal)], status=403)
    except Conflict as refusal:
        return _show(sheet, typed, problems=[Problem("", refusal.message)], status=409, stale=True)
    handed_back.saved()
    if do == "save":
        flash(_("Saved as version %(n)d.", n=draft.version))
        return redirect(url_for("desk.edit_draft", draft_id=draft.id))
    return redirect(url_for("desk.draft", draft_id=draft.id))


def _write(sheet: Sheet, content: drafts.Content) -> Draft:
    if sheet.draft is None:
        return drafts.create(sheet.account, content)
    return drafts.revise(sheet.account, sheet.draft.id, request.form.get("version", 0, type=int), content)


def _beyond(sheet: Sheet, typed: forms.Typed, refusal: Forbidden) -> Problem:
    """What a duty does not cover, at the field where it can be mended, with the regions' names."""
    account, aim = sheet.account, _aim(_read(sheet, typed))
    if typed.tier not in rights.tiers_for(account, rights.DRAFTER):
        return Problem("tier", refusal.message)
    wanted = target.region_codes(aim) if aim else []
    outside = [code for code in wanted if not rights.may(account, rights.DRAFTER, [code], typed.tier)]
    if not outside:
        return Problem("target.regions", refusal.message)
    names, language = lookup.names(outside), select_language()
    listed = _(", ").join(names.get(code, {}).get(language, code) for code in outside)
    return Problem("target.regions", _(
        "At the tier %(tier)s your duty does not cover %(names)s: take them out, or choose a lower tier.",
        tier=tier_label(typed.tier), names=listed))


def _highest_tiers(account: Account, roots: Sequence[lookup.Node]) -> dict[str, str]:
    """Region → the highest tier of the account's duty there; empty when it is the same everywhere."""
    found = {node.code: rights.tiers_for(account, rights.DRAFTER, node.code)[-1] for root in roots for node in root.walk()}
    return found if len(set(found.values())) > 1 else {}


def _show(sheet: Sheet, typed: forms.Typed, *, problems: Sequence[Problem] = (), kept: Sequence[str] = (), status: int = 200,
          stale: bool = False) -> Any:
    view = _view(sheet, typed, kept=kept)
    view["version"] = request.form.get("version", type=int) or (sheet.draft.version if sheet.draft else 0)
    return render_template("desk/compose.html", problems=problems, stale=stale, superfluous=handed_back.superfluous(),
                           **view), status


def _view(sheet: Sheet, typed: forms.Typed, *, kept: Sequence[str]) -> dict[str, Any]:
    """Everything that the page and its pieces show of the form as it stands."""
    settings, catalogue = current_settings(), hazards.catalogue()
    content = _read(sheet, typed)
    aim = _aim(content)
    # An all-clear goes to those who were told, whoever stands in its regions now.
    told = figures.matter(typed.hazard, typed.tier, exercise=typed.exercise) if typed.tier in TIERS else None
    reach = target.reach(aim, told) if aim and (aim["regions"] or aim["area"]) and sheet.kind != CANCEL else None
    hazard, reached = catalogue.get(typed.hazard), rights.tiers_for(sheet.account, rights.DRAFTER)
    roots = [node for code in rights.regions_for(sheet.account, rights.DRAFTER) if (node := lookup.tree(code))]
    highest = _highest_tiers(sheet.account, roots)
    return {
        "highest": highest, "tier_order": TIERS,
        "beyond": {code for code, tier in highest.items() if typed.tier in TIERS and TIERS.index(typed.tier) > TIERS.index(tier)},
        "sheet": sheet, "typed": typed, "hazard": hazard, "hazards": catalogue.for_compose(), "roots": roots,
        "shown": _shown(typed, roots), "tiers_offered": [t for t in TIERS if hazard and hazard.has(t) and t in reached][::-1],
        "beyond_words": _(", ").join(str(tier_label(t)) for t in TIERS if hazard and hazard.has(t) and t not in reached),
        "audiences": AUDIENCES, "hours": forms.HOURS, "languages": LANGUAGES, "fields": words.FIELDS,
        "field_labels": words.FIELD_LABELS, "language_labels": words.LANGUAGE_LABELS, "kept": wording.field_names(kept),
        "counts": wording.counts(typed.words, exercise=typed.exercise, settings=settings,
                                 subscribers=reach.subscribers if reach else None),
        "reach": reach, "aim": aim, "places": figures.places(target.region_codes(aim)) if reach and aim else "",
        "unreadable": aim is None, "title": _title(sheet), "search_text": _search_text,
        "has_map": (STATIC / "vendor/leaflet/leaflet.js").exists(),
        "has_drawing": (STATIC / "vendor/leaflet-geoman/leaflet-geoman.min.js").exists(),
        "box": _around([box for node in roots if (box := lookup.box(node.code))]),
    }


def _around(boxes: Sequence[Sequence[float]]) -> tuple[float, ...] | None:
    """West, south, east and north of all the boxes together."""
    if not boxes:
        return None
    west, south, east, north = zip(*boxes, strict=True)
    return min(west), min(south), max(east), max(north)


def _title(sheet: Sheet) -> str:
    if sheet.kind == ALERT:
        return _("Edit the draft") if sheet.draft else _("Compose a warning")
    return _("Update of %(number)s", number=sheet.warning.number) if sheet.kind == UPDATE and sheet.warning \
        else _("All-clear for %(number)s", number=sheet.warning.number if sheet.warning else "")


def _search_text(node: lookup.Node) -> str:
    """What a typed name is looked for in: names, pinyin, initials, code."""
    return " ".join([search.folded(node.name_zh), search.folded(node.name_en), search.folded(node.pinyin),
                     search.initials(node.pinyin), node.code])


def _shown(typed: forms.Typed, roots: Sequence[lookup.Node]) -> set[str] | None:
    """The codes that a search leaves in sight: what matches with all above it, and what is chosen; None for all."""
    wanted = search.folded(typed.find)
    if not wanted:
        return None
    shown: set[str] = set()
    for root in roots:
        for node in root.walk():
            if wanted in _search_text(node) or node.code in typed.regions:
                shown |= {n.code for n in root.walk() if n.code == node.code or node.code in {c.code for c in n.walk()}}
    return shown


def regions() -> Any:
    """The communities of the own regions with their boundaries, for the map to click on."""
    snapshot = lookup.current()
    codes = lookup.communities_under(rights.regions_for(_account(), rights.DRAFTER))
    shapes = snapshot.geometries(codes)
    features = [{"type": "Feature", "id": code, "geometry": mapping(shapes[code]),
                 "properties": {"street": snapshot.nodes[code].code[:9] + "000", "zh": snapshot.nodes[code].name_zh,
                                "en": snapshot.nodes[code].name_en}} for code in codes if code in shapes]
    answer = jsonify(type="FeatureCollection", features=features)
    answer.mimetype = "application/geo+json"
    return answer
