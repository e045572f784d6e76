"""The desk's pages of residents' reports: the list, one report with all that can be done about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from portal import current_settings
from portal.core.clock import utcnow
from portal.core.errors import Conflict, Forbidden, Invalid, Problem
from portal.core.i18n import select_language
from portal.core.phones import mask
from portal.identity.guard import current_account, signed_in
from portal.identity.models import Account
from portal.identity.rights import SHELTERS, may_in
from portal.regions import codes, lookup, svg
from portal.reports import links, listing, mine, photo, place, seals, states, triage
from portal.reports.kinds import KINDS
from portal.reports.models import DangerReport
from portal.reports.pages import jpeg
from portal.warnings.models import Draft

LISTED = 30
#: What a form may hold of words, before the rules cut them.
_LONGEST = 4 * triage.LONGEST
LARGEST_NUMBER = 2**31 - 1


def make_blueprint() -> Blueprint:
    blueprint = Blueprint("reports_desk", __name__, url_prefix="/desk/reports", template_folder="templates",
                          static_folder="static", static_url_path="/static")
    rule, reader, drafter = blueprint.add_url_rule, signed_in(*triage.READERS), signed_in("drafter")
    rule("/", "index", reader(index))
    rule("/<int:number>/", "single", reader(single))
    rule("/<int:number>/photo/<int:position>", "photo", reader(one_photo))
    rule("/<int:number>/move", "move", drafter(move), methods=["POST"])
    rule("/<int:number>/answer", "answer", drafter(answer), methods=["POST"])
    rule("/<int:number>/note", "note", drafter(note), methods=["POST"])
    rule("/<int:number>/merge", "merge", drafter(merge), methods=["POST"])
    rule("/<int:number>/region", "region", drafter(region), methods=["POST"])
    rule("/<int:number>/draft", "draft", drafter(draft), methods=["POST"])
    rule("/<int:number>/reveal", "reveal", drafter(reveal), methods=["POST"])
    blueprint.context_processor(lambda: {
        "kinds": KINDS, "states": states, "place_label": lambda code: place.label(code, select_language())})
    blueprint.app_context_processor(lambda: {"reports_waiting": _waiting, "reports_of_draft": _of_draft})
    links.register()
    return blueprint


def _account() -> Account:
    return current_account() or abort(401)


def _waiting(account: Account | None) -> int | None:
    """For the desk's navigation: how many new reports wait; None for whoever reads none."""
    if account is None or not listing.own_regions(account, *triage.READERS):
        return None
    return listing.waiting(account)


def _of_draft(draft: Any) -> list[tuple[str, str]]:
    account = current_account()
    return links.of_draft(account, draft) if account is not None and draft is not None else []


# -- looking -------------------------------------------------------------------------------------------------
def index() -> Any:
    account, args = _account(), request.args
    own = listing.own_regions(account, *triage.READERS)
    view, kind, where = args.get("view", "open"), args.get("kind", ""), args.get("region", "")
    view, kind = view if view in listing.VIEWS else "open", kind if kind in KINDS else ""
    below = [node for code in own for node in [lookup.tree(code)] if node is not None]
    offered = [node for root in below for node in ([root, *root.children] if root.level != "community" else [root])]
    chosen = [where] if codes.is_code(where) and any(codes.contains(code, where) for code in own) else own
    number = args.get("number", "").strip().lstrip("#")[:9]
    page = max(1, min(args.get("page", 1, type=int), 10_000))
    found = listing.find(chosen, view=view, kind=kind, offset=(page - 1) * LISTED, limit=LISTED,
                         number=int(number) if number.isascii() and number.isdigit() else None)
    return render_template(
        "reports_desk/index.html", found=found, counts=listing.counts(chosen), view=view, kind=kind, page=page,
        views=listing.VIEWS, region=where if chosen == [where] else "", regions=offered, number=number,
        pages=max(1, -(-found.total // LISTED)))


def _found(number: int) -> DangerReport:
    """The report that the account may see. Raises Forbidden, which tells no more than that there is one of this number."""
    report = listing.get(number) if number <= LARGEST_NUMBER else None
    if report is None:
        abort(404)
    if not triage.may_see(_account(), report):
        raise Forbidden(_("Your duty does not cover this report's community."))
    return report


def single(number: int) -> Any:
    return _page(_found(number))


def _page(report: DangerReport, problems: Sequence[Problem] = (), *, typed: dict[str, str] | None = None, telephone: str = "",
          status: int = 200) -> Any:
    account, language = _account(), select_language()
    phone = seals.phone_of(report)
    own = listing.own_regions(account, *triage.READERS)
    may = triage.may(account, report)
    likely, likely_tier = links.likely(report, account)
    return render_template(
        "reports_desk/single.html", report=report, may=may, problems=problems, typed=typed or {}, telephone=telephone,
        words=seals.words_of(report), where=seals.place_of(report), phone=mask(phone) if phone else "",
        story=listing.story(report), photos=listing.photos(report), near=listing.near(report, own), map=_map(report, language),
        merged=listing.merged_into(report), into=listing.by_id(report.duplicate_of) if report.duplicate_of else None,
        moves=states.MOVES[report.state] if may else (), hazards=links.hazards_offered() if may else [],
        likely=likely, likely_tier=likely_tier, tiers_offered=links.draft_tiers(account, report),
        may_cut=may_in(account, SHELTERS, [report.region_code]), communities=_communities(language), moment=utcnow(),
        longest=triage.LONGEST), status


def _communities(language: str) -> list[tuple[str, str]]:
    return [(code, place.label(code, language)) for code in place.communities()]


def _map(report: DangerReport, language: str) -> Any:
    """The community (the district, where it is not known) with a sign where the report says that it is."""
    points = [] if report.longitude is None or report.latitude is None else [
        (report.longitude, report.latitude, "horn-bad", _("Place of the report"))]
    around = codes.parent_of(report.region_code) if report.region_code != current_settings().district else None
    return svg.map_svg([around or report.region_code], language, highlight=[report.region_code], points=points)


def one_photo(number: int, position: int) -> Any:
    return jpeg(mine.photo(_found(number), min(position, photo.MOST), small="small" in request.args))


# -- acting --------------------------------------------------------------------------------------------------
def _act(number: int, act: Callable[[Account, DangerReport], Any], **typed: str) -> Any:
    """Do it; with what stands in the way, the page comes again with what was typed. None when it was done."""
    report, account = _found(number), _account()
    try:
        act(account, report)
    except Invalid as refusal:
        return _page(report, refusal.problems, typed=typed, status=422)
    except (Conflict, Forbidden) as refusal:
        fresh = listing.get(number) or abort(404)
        status = 409 if isinstance(refusal, Conflict) else 403
        return _page(fresh, [Problem("", refusal.message)], typed=typed, status=status)
    return None


def _back(number: int) -> Any:
    return redirect(url_for("reports_desk.single", number=number))


def _version() -> int:
    return request.form.get("version", 0, type=int) or 0


def move(number: int) -> Any:
    state, words = request.form.get("state", "")[:12], request.form.get("words", "")[:_LONGEST]

    def act(account: Account, report: DangerReport) -> None:
        triage.move(account, report.id, _version(), state, words)
        flash(_("Report no. %(number)d: %(state)s.", number=number, state=states.LABELS[state]))
    return _act(number, act, words=words) or _back(number)


def answer(number: int) -> Any:
    words = request.form.get("answer", "")[:_LONGEST]

    def act(account: Account, report: DangerReport) -> None:
        triage.answer(account, report.id, words)
        flash(_("Answered. The reporter reads it with the code."))
    return _act(number, act, answer=words) or _back(number)


def note(number: int) -> Any:
    words = request.form.get("note", "")[:_LONGEST]

    def act(account: Account, report: DangerReport) -> None:
        triage.keep_note(account, report.id, words)
        flash(_("Noted, for colleagues only."))
    return _act(number, act, note=words) or _back(number)


def merge(number: int) -> Any:
    into = request.form.get("into", "").strip().lstrip("#")[:9]

    def act(account: Account, report: DangerReport) -> None:
        triage.merge(account, report.id, _version(), int(into) if into.isascii() and into.isdigit() else 0)
        flash(_("Merged into no. %(into)s. Its reporter reads the answers given there.", into=into))
    return _act(number, act, into=into) or redirect(url_for("reports_desk.single", number=int(into)))


def region(number: int) -> Any:
    code = request.form.get("region", "")[:12]

    def act(account: Account, report: DangerReport) -> None:
        triage.set_region(account, report.id, _version(), code)
        flash(_("Handed to %(name)s.", name=place.label(code, select_language())))
    failed = _act(number, act)
    if failed is not None:
        return failed
    gone = listing.get(number)
    return _back(number) if gone is not None and triage.may_see(_account(), gone) else redirect(url_for("reports_desk.index"))


def draft(number: int) -> Any:
    hazard, tier = request.form.get("hazard", "")[:5], request.form.get("tier", "")[:10]
    made: list[Draft] = []

    def act(account: Account, report: DangerReport) -> None:
        made.append(links.make_draft(account, report, hazard, tier))
        flash(_("A draft was begun with the usual words. Check its area, tier and words; nothing is sent before it is approved."))
    return _act(number, act, hazard=hazard, tier=tier) or redirect(url_for("desk.edit_draft", draft_id=made[0].id))


def reveal(number: int) -> Any:
    """The telephone on the page, once; that it was looked at is in the trail."""
    shown: list[str] = []

    def act(account: Account, report: DangerReport) -> None:
        shown.append(triage.reveal(account, report.id))
    failed = _act(number, act)
    return failed if failed is not None else _page(_found(number), telephone=shown[0])
