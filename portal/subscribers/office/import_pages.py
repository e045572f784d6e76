"""Lists of subscribers at the desk: choose a file, see what it would do, say yes, and take it back if it was the wrong one.

The work is done beside the pages (see `roster.running`); a page looks how far it is.
"""

from __future__ import annotations

import csv
import io
import uuid
from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, abort, current_app, flash, redirect, render_template, request, stream_with_context, url_for
from flask_babel import gettext as _

from portal.core.clock import utcnow
from portal.core.db import db
from portal.core.errors import Conflict, Invalid, Problem
from portal.core.i18n import LANGUAGES, select_language
from portal.identity.guard import signed_in
from portal.identity.models import Account
from portal.identity.rights import SUBSCRIBERS, regions_for
from portal.regions import codes, lookup
from portal.subscribers import audiences
from portal.subscribers.models import RosterImport
from portal.subscribers.office.pages import account_here
from portal.subscribers.roster import batches, columns, reasons, running, taking, undoing
from portal.subscribers.roster.rows import Said
from portal.web import file_forms

#: Bytes of a file: 300,000 rows and more. With its form it must get through the web server (`run.LARGEST_BODY`), which lets
#: strangers send no more either; whoever runs the server takes larger ones in with the command.
MOST_BYTES = 16 * 1024 * 1024
#: Bad rows that the page itself names; the file of them names all.
NAMED = 100


def add_routes(blueprint: Blueprint) -> None:
    rule, guard = blueprint.add_url_rule, signed_in(SUBSCRIBERS)
    rule("/imports/", "imports", guard(imports))
    rule("/import", "bring", guard(file_forms.takes_files(MOST_BYTES + 64 * 1024)(bring)), methods=["GET", "POST"])
    rule("/import/sample.csv", "sample", guard(sample))
    rule("/imports/<uuid:batch_id>/", "batch", guard(batch))
    rule("/imports/<uuid:batch_id>/now", "batch_now", signed_in(SUBSCRIBERS, touch=False)(batch_now))
    rule("/imports/<uuid:batch_id>/faults.csv", "faults", guard(faults))
    for name, act in (("take", take), ("drop", drop), ("undo", undo)):
        rule(f"/imports/<uuid:batch_id>/{name}", f"batch_{name}", guard(act), methods=["POST"])


def imports() -> str:
    return render_template("subscriber_office/imports.html", listed=batches.listing(account_here()))


def bring() -> Any:
    if request.method == "GET":
        return _form()
    account, form = account_here(), request.form
    problems: list[Problem] = []
    said = _said(account, problems)
    basis = ""
    try:
        basis = batches.basis_of(form.get("basis", ""))
    except Invalid as refusal:
        problems += refusal.problems
    sent = request.files.get("list")
    if sent is None or not sent.filename:
        problems.append(Problem("list", _("Choose a file.")))
    if problems or sent is None:
        return _form(problems, 422)
    kept = running.keep(sent.stream, MOST_BYTES)
    if kept is None:
        return _form([Problem("list", _("The file is larger than %(n)s MB: divide it, or let whoever runs the server take it in"
                                        " with the command.", n=MOST_BYTES // 2**20))], 422)
    try:
        found = batches.begin(account, name=sent.filename or "", basis=basis)
    except Conflict as refusal:
        kept.close()
        return _form([Problem("", refusal.message)], 409)
    running.read(_app(), found.id, kept, said)
    return redirect(url_for(".batch", batch_id=uuid.UUID(found.id)), code=303)


def batch(batch_id: uuid.UUID) -> Any:
    return _page(_here(batch_id))


def batch_now(batch_id: uuid.UUID) -> Any:
    found = _here(batch_id)
    if found.state not in batches.MOVING:
        return Response(status=200, headers={"HX-Refresh": "true"})  # what can be done now is another page
    return render_template("subscriber_office/_progress.html", batch=found, quiet=_quiet(found))


def take(batch_id: uuid.UUID) -> Any:
    found = _here(batch_id)
    try:
        taking.ask(account_here(), found.id, skip_bad=request.form.get("skip_bad") == "1")
    except Conflict as refusal:
        return _page(_here(batch_id), [Problem("skip_bad", refusal.message)], 409)
    running.take_in(_app(), found.id)
    return redirect(url_for(".batch", batch_id=batch_id), code=303)


def drop(batch_id: uuid.UUID) -> Any:
    found = _here(batch_id)
    try:
        running.drop(found.id, account_here().actor)
    except Conflict as refusal:
        return _page(_here(batch_id), [Problem("", refusal.message)], 409)
    flash(_("The list was thrown away. Nobody of it was taken in."))
    return redirect(url_for(".imports"), code=303)


def undo(batch_id: uuid.UUID) -> Any:
    found = _here(batch_id)
    if request.form.get("sure") != "1":
        return _page(found, [Problem("sure", _("Say that you are sure."))], 422)
    try:
        undoing.ask(account_here(), found.id)
    except Conflict as refusal:
        return _page(_here(batch_id), [Problem("", refusal.message)], 409)
    running.take_back(_app(), found.id)
    return redirect(url_for(".batch", batch_id=batch_id), code=303)


def faults(batch_id: uuid.UUID) -> Response:
    """All rows that cannot be taken, as a table to work through."""
    return download(_fault_lines(_here(batch_id).id), "rows-to-mend.csv")


def sample() -> Response:
    language = select_language()
    nodes = [lookup.get(code) for code in lookup.communities_under(regions_for(account_here(), SUBSCRIBERS))[:2]]
    names = [node.name(language) for node in nodes if node] or [""]
    rows = ((("12900000001", names[0], "居民", "中文"), ("12900000002", names[-1], "学校;居民", "英文")) if language == "zh" else
            (("12900000001", names[0], "residents", "zh"), ("12900000002", names[-1], "schools;residents", "en")))
    return download((line(row) for row in (columns.HEADS[language], *rows)), "subscribers-sample.csv")


def download(pieces: Iterator[bytes], name: str) -> Response:
    """A CSV file, piece by piece, with the mark by which spreadsheets know UTF-8."""
    def marked() -> Iterator[bytes]:
        yield "\ufeff".encode()
        yield from pieces
    return Response(stream_with_context(marked()), content_type="text/csv; charset=utf-8", headers={
        "Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store", "X-Accel-Buffering": "no"})


def line(cells: Any) -> bytes:
    """One row; a cell that a spreadsheet would run gets an apostrophe."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow([f"'{c}" if str(c)[:1] in ("=", "+", "-", "@", "＝", "＋", "－", "＠") else c
                                                     for c in cells])
    return out.getvalue().encode("utf-8", "replace")


def _fault_lines(batch_id: str) -> Iterator[bytes]:
    yield line((_("Line"), _("Why")))
    last = 0
    while some := batches.faults(batch_id, after=last, limit=1000):
        yield b"".join(line((one.line, reasons.of_row(one.reason, one.about))) for one in some)
        last = some[-1].line
        db.session.rollback()  # a slow reader keeps no transaction open


def _said(account: Account, problems: list[Problem]) -> Said:
    """What holds for rows that do not say it."""
    code, group, language = (request.form.get(name, "") for name in ("region_code", "audience", "language"))
    if code and code not in lookup.communities_under(regions_for(account, SUBSCRIBERS)):
        problems.append(Problem("region_code", _("Choose a community of your duty.")))
    if group not in audiences.BY_KEY:
        problems.append(Problem("audience", _("Choose from the list.")))
    if language not in LANGUAGES:
        problems.append(Problem("language", _("Choose from the list.")))
    return Said() if problems else Said(code or None, audiences.mask_of([group]), language)


def _here(batch_id: uuid.UUID) -> RosterImport:
    """The batch; 404 for what is none, and for what lies beyond the duty."""
    return batches.get(batch_id.hex, account_here()) or abort(404)


def _quiet(found: RosterImport) -> bool:
    """Whether nobody said for a while that somebody is at it. A list that comes in says nothing until all of it is in."""
    return found.state == batches.READING and found.beat_at < utcnow() - batches.SILENCE / 3


def _page(found: RosterImport, problems: Any = (), status: int = 200) -> Any:
    named = batches.faults(found.id, limit=NAMED) if found.bad else ()
    return render_template(
        "subscriber_office/batch.html", batch=found, problems=problems, quiet=_quiet(found), why=reasons.of_file(found.reason),
        named=[(one.line, reasons.of_row(one.reason, one.about)) for one in named], moving=found.state in batches.MOVING,
        until=found.beat_at + batches.WAITS, undo_until=found.written_at + batches.UNDO_WITHIN if found.written_at else None,
        undoable=batches.can_be_taken_back(found, utcnow()) and found.new + found.gained > 0), status


def _form(problems: Any = (), status: int = 200) -> Any:
    streets: dict[str, list[Any]] = {}
    for code in lookup.communities_under(regions_for(account_here(), SUBSCRIBERS)):
        if node := lookup.get(code):
            streets.setdefault(codes.parent_of(code) or code, []).append(node)
    return render_template(
        "subscriber_office/bring.html", problems=problems, typed=request.form, streets=streets, groups=audiences.AUDIENCES,
        heads=columns.HEADS[select_language()], largest=MOST_BYTES // 2**20,
        hours=int(batches.WAITS.total_seconds() // 3600)), status


def _app() -> Any:
    return current_app._get_current_object()  # type: ignore[attr-defined]
