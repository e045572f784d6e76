"""One warning as the desk sees it: how far each bulletin has come, who was reached where, what was said; and those before."""

from __future__ import annotations

import csv
import io
import uuid
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.utils import secure_filename

from portal.core.clock import utcnow
from portal.core.db import db
from portal.core.i18n import select_language
from portal.desk import labels, maps, state
from portal.dispatch import progress, stop, tallies
from portal.dispatch.models import PUSH, WEB
from portal.identity import rights
from portal.identity.guard import current_account, signed_in
from portal.identity.models import Account
from portal.regions import codes, lookup
from portal.shelters.living import offers
from portal.subscribers.audiences import AUDIENCES, BY_KEY
from portal.warnings import bulletins, drafts, words
from portal.warnings.models import EDITING, IN_FORCE, SUBMITTED, Bulletin, Warning

HISTORY_LIMIT = 200
#: htmx stops asking when it is answered so.
NO_MORE = 286


def add_routes(blueprint: Blueprint) -> None:
    rule, anyone, quietly = blueprint.add_url_rule, signed_in(), signed_in(touch=False)
    rule("/warnings/", "history", anyone(history))
    rule("/warnings/<number>/", "warning", anyone(warning))
    rule("/warnings/<number>/progress", "progress", quietly(warning_progress))
    rule("/warnings/<number>/reach/<uuid:dispatch_id>", "reach_rows", quietly(reach_rows))
    rule("/warnings/<number>/reach.csv", "reach_csv", anyone(reach_csv))
    rule("/warnings/<number>/cap/<int:position>.xml", "bulletin_cap", anyone(bulletin_cap))
    approvers = signed_in(rights.APPROVER)
    rule("/dispatches/<uuid:dispatch_id>/stop", "stop", approvers(stop_page))
    rule("/dispatches/<uuid:dispatch_id>/stop", "stop_post", approvers(stop_dispatch), methods=["POST"])


def found(number: str) -> Warning:
    return bulletins.warning_by_number(number) or abort(404)


def _account() -> Account:
    return current_account() or abort(401)


# -- those before ------------------------------------------------------------------------------------------
def history() -> str:
    drills = request.args.get("show") == "drills"
    listed = bulletins.recent(HISTORY_LIMIT, exercises=drills)
    return render_template("desk/history.html", warnings=listed, drills=drills, limit=HISTORY_LIMIT)


# -- one -----------------------------------------------------------------------------------------------------
def warning(number: str) -> str:
    item = found(number)
    account, here = _account(), _progress(item)
    may_draft = rights.may(account, rights.DRAFTER, item.region_codes, item.tier)
    reach = {p.dispatch.id: Reach.of(p) for parts in here["progress"].values() for p in parts if p.dispatch.channel != WEB}
    return render_template(
        "desk/warning.html",
        **here,
        reach=reach,
        open_drafts=[d for d in drafts.listing(statuses=(EDITING, SUBMITTED)) if d.warning_id == item.id],
        may_act=item.state == IN_FORCE and may_draft,
        area_map=maps.area(here["chain"][0]) if here["chain"] else "",
        audience_labels={key: audience.label for key, audience in BY_KEY.items()},
        field_labels=words.FIELD_LABELS,
        language_labels=words.LANGUAGE_LABELS,
        offer=offers.of(item),
    )


def _progress(item: Warning) -> dict[str, Any]:
    """What the page and its moving part have in common; bulletins newest first."""
    now, by_bulletin = utcnow(), progress.of_warning(item.id)
    intervals = [state.interval(p, now) for parts in by_bulletin.values() for p in parts]
    return {
        "warning": item,
        "chain": bulletins.of_warning(db.session, item.id)[::-1],
        "progress": by_bulletin,
        "state": state,
        "moment": now,
        "interval": min((i for i in intervals if i), default=0),
        "may_stop": rights.may(_account(), rights.APPROVER, item.region_codes, item.tier),
    }


def warning_progress(number: str) -> str:
    return render_template("desk/_progress.html", **_progress(found(number)), polled=True)


# -- who was reached where ---------------------------------------------------------------------------------
@dataclass(frozen=True)
class Row:
    """Recipients of one community or language. `reached`, `lost`, `left_out`: see :mod:`portal.desk.state`;
    `told`: whether the channel says at all what arrived."""

    key: str
    name: str
    planned: int
    accepted: int
    reached: int
    lost: int
    left_out: int
    pending: int
    told: bool


@dataclass(frozen=True)
class Reach:
    """One dispatch by community, by language and by audience."""

    regions: list[Row]
    languages: list[Row]
    audiences: list[Row]
    total: Row

    @classmethod
    def of(cls, p: progress.Progress) -> Reach:
        counts = progress.by_region(p.dispatch.id)
        names = _names(counts)
        spoken, kinds = progress.by_language(p.dispatch.id), progress.by_audience(p.dispatch.id)
        return cls(
            [_row(p, code, names[code], counts[code]) for code in sorted(counts)],
            [_row(p, key, str(words.LANGUAGE_LABELS.get(key, key)), spoken[key]) for key in sorted(spoken)],
            [_row(p, a.key, str(a.label), kinds[a.key]) for a in AUDIENCES if a.key in kinds],
            _made(p, "", _("All")),
        )


def _names(wanted: Any) -> dict[str, str]:
    """“Street · community” of each code; the code itself where it is not known."""
    language, full = select_language(), {}
    for code in wanted:
        own, parent = lookup.get(code), codes.parent_of(code) if code else None
        above = lookup.get(parent) if parent else None
        street = above.name(language) if above and codes.level_of(code) == "community" else ""
        full[code] = " · ".join(part for part in (street, own.name(language) if own else code) if part)
    return full


def _row(whole: progress.Progress, key: str, name: str, counts: dict[str, int]) -> Row:
    part = progress.Progress(whole.dispatch)
    part.planned = counts.get(tallies.PLANNED, 0)
    part.ends = {k: n for k, n in counts.items() if k in tallies.ENDS}
    part.stages = {k.removeprefix(tallies.STAGE): n for k, n in counts.items() if k.startswith(tallies.STAGE)}
    return _made(part, key, name)


def _made(p: progress.Progress, key: str, name: str) -> Row:
    return Row(key, name, p.planned, p.accepted, state.reached(p), state.lost(p), state.left_out(p), p.pending,
               p.dispatch.channel != PUSH)


def reach_rows(number: str, dispatch_id: uuid.UUID) -> Response:
    """The rows of one table, so that neither the table's place nor the focus moves when its numbers do."""
    item, now = found(number), utcnow()
    parts = [p for listed in progress.of_warning(item.id).values() for p in listed if p.dispatch.id == dispatch_id]
    if not parts:
        abort(404)
    text = render_template("desk/_reach_rows.html", reach=Reach.of(parts[0]))
    return Response(text, status=200 if state.interval(parts[0], now) else NO_MORE)


CSV_COLUMNS = ("bulletin", "channel", "region_code", "region", "planned", "pending", *tallies.ENDS,
               *(f"receipt_{stage}" for stage in labels.STAGES), "silent")


def reach_csv(number: str) -> Response:
    """Every count of the warning by bulletin, channel and community. With a byte order mark, for spreadsheets."""
    item, out = found(number), io.StringIO()
    writer = csv.writer(out)
    writer.writerow(CSV_COLUMNS)
    by_bulletin = progress.of_warning(item.id)
    for bulletin in bulletins.of_warning(db.session, item.id):
        for p in by_bulletin.get(bulletin.id, []):
            writer.writerows(_csv_rows(bulletin, p))
    name = secure_filename(f"{item.number}-reach.csv")
    return Response("\ufeff" + out.getvalue(), content_type="text/csv; charset=utf-8",
                    headers={"Content-Disposition": f'attachment; filename="{name}"'})


def _csv_rows(bulletin: Bulletin, p: progress.Progress) -> list[list[Any]]:
    if p.dispatch.channel == WEB:
        return []
    counts = progress.by_region(p.dispatch.id)
    names = _names(counts)
    rows = []
    for code in sorted(counts):
        ends = [counts[code].get(end, 0) for end in tallies.ENDS]
        planned = counts[code].get(tallies.PLANNED, 0)
        stages = [counts[code].get(tallies.STAGE + stage, 0) for stage in labels.STAGES]
        rows.append([bulletin.position, p.dispatch.channel, code, _plain(names[code]), planned, max(0, planned - sum(ends)),
                     *ends, *stages, sum(counts[code].get(key, 0) for key in tallies.SILENT.values())])
    return rows


def _plain(text: str) -> str:
    """Spreadsheets run what begins like a formula; a name never should."""
    return f"'{text}" if text[:1] in "=+-@\t\r" else text


# -- documents and stopping --------------------------------------------------------------------------------
def bulletin_cap(number: str, position: int) -> Response:
    """The frozen bytes, drills included: at the desk they may be seen."""
    chain = bulletins.of_warning(db.session, found(number).id)
    bulletin = next((b for b in chain if b.position == position), None) or abort(404)
    return Response(
        bulletin.cap,
        content_type="application/cap+xml; charset=utf-8",
        headers={"Content-Disposition": f'inline; filename="{bulletin.identifier}.xml"'},
    )


def stop_page(dispatch_id: uuid.UUID) -> str:
    """What stopping would do, before it is done. The dispatch is named by the warning that it belongs to."""
    item = found(request.args.get("warning", ""))
    parts = {p.dispatch.id: p for listed in progress.of_warning(item.id).values() for p in listed}
    p = parts.get(dispatch_id) or abort(404)
    bulletin = bulletins.get(p.dispatch.bulletin_id) or abort(404)
    rights.require(_account(), rights.APPROVER, bulletin.region_codes, bulletin.tier)
    return render_template("desk/stop.html", warning=item, bulletin=bulletin, p=p, active=state.active(p))


def stop_dispatch(dispatch_id: uuid.UUID) -> Any:
    dispatch = stop.stop(_account(), dispatch_id)
    item = bulletins.warning(dispatch.warning_id) or abort(404)
    flash(_("Stopped. What was handed over before cannot be called back; to tell people that it is over, give the all-clear."))
    return redirect(url_for("desk.warning", number=item.number))
