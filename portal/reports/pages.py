"""The residents' pages at /report/: sending a report, following it. They work without a script, and with it without a network."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import shapely
from flask import Blueprint, Response, abort, current_app, flash, g, jsonify, redirect, render_template, request, session, url_for
from flask_babel import gettext as _
from flask_wtf.csrf import generate_csrf
from itsdangerous import BadSignature, URLSafeTimedSerializer
from limits import parse_many
from shapely.geometry import mapping
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from portal.channels.sms import codes as texts
from portal.core.clock import utcnow
from portal.core.db import db
from portal.core.errors import Invalid, Problem
from portal.core.i18n import LANGUAGES, select_language
from portal.identity.limits import address, limiter
from portal.regions import lookup
from portal.reports import codes, mine, photo, place, states, taking, uploads
from portal.reports.kinds import KINDS
from portal.reports.models import DangerReport
from portal.web import csrf

HERE = Path(__file__).parent
COOKIE, REMEMBERED, REMEMBERED_DAYS = "anlan_reports", 5, 180
#: Per address: room for a school or an estate behind one, which sees the same danger. Counted per process.
SEND_LIMIT, LOOK_LIMIT = "30 per 10 minutes; 200 per day", "40 per 10 minutes; 400 per day"
#: Communities in the list to choose from; of more, people type the name.
MOST_LISTED = 400
#: What says that the database is not there.
AWAY = (OperationalError, InterfaceError, PoolTimeoutError, TimeoutError)


def make_blueprint() -> Blueprint:
    blueprint = Blueprint("reports", __name__, url_prefix="/report", template_folder="templates", static_folder="static",
                          static_url_path="/static")
    rule = blueprint.add_url_rule
    rule("/", "form", form)
    csrf.exempt(send)  # it asks for the protection itself, so that a form that has grown old keeps its words
    rule("/", "send", send, methods=["POST"])
    rule("/token", "token", token)
    rule("/regions.json", "regions", regions)
    rule("/sw.js", "worker", worker)
    rule("/follow", "follow", follow)
    rule("/follow", "enter", limiter.limit(LOOK_LIMIT)(enter), methods=["POST"])
    rule("/mine/", "mine", own)
    rule("/mine/<int:number>/photo/<int:position>", "photo", own_photo)
    rule("/mine/<int:number>/say", "say", limiter.limit(LOOK_LIMIT)(say), methods=["POST"])
    rule("/mine/<int:number>/code", "ask_code", limiter.limit(texts.SEND_LIMIT)(ask_code), methods=["POST"])
    rule("/mine/<int:number>/prove", "prove", limiter.limit(texts.CHECK_LIMIT)(prove), methods=["POST"])
    rule("/mine/<int:number>/<any(forget, forget_phone, withdraw):act>", "act", act, methods=["POST"])
    blueprint.before_request(_language)
    blueprint.context_processor(lambda: {"kinds": KINDS, "states": states, "shown_code": codes.shown})
    return blueprint


def _language() -> None:
    if (asked := request.args.get("lang")) in LANGUAGES:
        g.language = session["language"] = asked


def _is_program() -> bool:
    return request.accept_mimetypes.best_match(["text/html", "application/json"]) == "application/json"


# -- sending -------------------------------------------------------------------------------------------------
def form() -> Any:
    kind = request.args.get("kind", "")
    return _form({"kind": kind if kind in KINDS else "", "community": request.args.get("community", "")[:60]})


def _form(typed: Mapping[str, str], problems: Sequence[Problem] = (), *, offered: Sequence[tuple[str, str]] = (),
          status: int = 200) -> Any:
    """The form with what was typed; `ref` stays the same, so that what is sent again is the same report."""
    names, box = _around_here()
    return render_template(
        "reports/form.html", typed=typed, problems=problems, offered=offered, ref=typed.get("ref") or str(uuid.uuid4()),
        names=names, box=box, most=photo.MOST, opened=typed.get("opened") or _clock().dumps(""), longest=taking.LONGEST,
        large=uploads.LARGEST // 2**20), status


def _around_here() -> tuple[list[str], str]:
    """The communities to choose from, and the district's box for the map; nothing while the database is away, so that there is
    a form also then."""
    try:
        listed, box = place.communities(), lookup.box(_settings().district)
        names = [place.label(code, select_language()) for code in listed] if len(listed) <= MOST_LISTED else []
    except AWAY:
        return [], ""
    return sorted(names), ",".join(f"{v:.5f}" for v in box) if box else ""


def _settings() -> Any:
    return current_app.extensions["anlan"]


def _clock() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(current_app.config["SECRET_KEY"], salt="danger report opened")


def _seconds(fields: Mapping[str, str]) -> float:
    """How long the form was open: as the page says that was sent with it, else as the phone says that kept it; 0 where nobody
    says anything, which no browser does."""
    try:
        _nothing, at = _clock().loads(fields.get("opened", ""), return_timestamp=True)
        return (utcnow() - at).total_seconds()
    except BadSignature:
        said = fields.get("seconds", "")
        return float(said) if said.isascii() and said.isdigit() and len(said) < 9 else 0.0


def send() -> Any:
    sent = uploads.read()
    if sent.too_large:
        return _refuse(sent.fields, [Problem("photos", _(
            "The photos are too large: at most %(most)s MB in all. Nothing was sent yet; your words are still here.",
            most=uploads.LARGEST // 2**20))], 413)
    if sent.grown_old:
        return _refuse(sent.fields, [Problem("", _(
            "The page had been open for a long time. Nothing was sent yet: look at your words and send them again. Photos must be"
            " chosen once more."))], 400)
    if not all(limiter.limiter.hit(limit, "danger report", address()) for limit in parse_many(SEND_LIMIT)):
        return _refuse(sent.fields, [Problem("", _(
            "Many reports came from your network within minutes. Your words are still here: wait ten minutes and send them again;"
            " if somebody is in danger, call 119 or 110 now."))], 429)
    typed = taking.Typed.of(sent.fields, select_language(), _seconds(sent.fields))
    try:
        taken = taking.take(typed, sent.photos)
    except place.Doubt as doubt:
        return _refuse(sent.fields, doubt.problems, 422, doubt.offered)
    except Invalid as refusal:
        return _refuse(sent.fields, refusal.problems, 429 if isinstance(refusal, taking.Full | photo.Busy) else 422)
    except AWAY as error:
        current_app.logger.error("a report could not be kept: %s", type(error).__name__)
        db.session.rollback()  # it may have gone in the middle of something: the form reads the communities once more
        return _refuse(sent.fields, [Problem("", _(
            "The system cannot keep reports at the moment. Your words are still here: send them again in a few minutes (it is"
            " never kept twice), photos chosen once more; if somebody is in danger, call 119 or 110 now."))], 503)
    return _thanks(taken)


def _refuse(fields: Mapping[str, str], problems: Sequence[Problem], status: int, offered: Sequence[tuple[str, str]] = ()) -> Any:
    if not _is_program():
        answer, _status = _form(fields, problems, offered=offered)
        response = Response(answer, status)
    else:
        response = jsonify(refused=[{"field": p.field, "message": str(p.message)} for p in problems], offered=offered)
        response.status_code = status
    if status in (429, 503):
        response.headers["Retry-After"] = "600"
    return response


def _thanks(taken: taking.Taken) -> Any:
    if _is_program():
        answer = jsonify(number=taken.report.number, code=codes.shown(taken.code), without=taken.without)
    else:
        flash(_("Your report has arrived."))
        if taken.without:
            flash(_("Its photos could not be kept, since very many came in; the words are what counts."))
        answer = redirect(url_for("reports.mine", _anchor=f"report-{taken.report.number}"))  # type: ignore[assignment]
    return _remember(answer, [taken.code, *_codes()])


def token() -> Response:
    """What a phone asks for before it sends what waited: a fresh token against forgery, and what time it is."""
    return jsonify(token=generate_csrf(), now=utcnow().isoformat())


def regions() -> Response:
    """The communities with their outlines, thinned out to about ten metres: what the map of the form is drawn from."""
    language, snapshot = select_language(), lookup.current()
    shapes = snapshot.geometries(place.communities()[:MOST_LISTED])
    answer = jsonify({"type": "FeatureCollection", "features": [
        {"type": "Feature", "id": code, "properties": {"name": snapshot.nodes[code].name(language)},
         "geometry": mapping(shapely.set_precision(shape.simplify(0.0001), 1e-5))} for code, shape in shapes.items()]})
    answer.headers["Cache-Control"] = "private, max-age=3600"
    return answer


def worker() -> Response:
    """The service worker: served here, because its reach is the folder that it comes from."""
    text = (HERE / "static" / "sw.js").read_text(encoding="utf-8")
    return Response(text, content_type="text/javascript; charset=utf-8", headers={"Cache-Control": "no-cache"})


# -- what a phone remembers ------------------------------------------------------------------------------------
def _codes() -> list[str]:
    return list(mine.read_codes(request.cookies.get(COOKIE, "")))


def _remember(answer: Any, found: Sequence[str]) -> Any:
    """Keep these codes on the phone, the newest first, each once."""
    kept = list(dict.fromkeys(found))[:REMEMBERED]
    path = url_for("reports.form")
    if kept:
        answer.set_cookie(COOKIE, ".".join(kept), max_age=REMEMBERED_DAYS * 86400, path=path, httponly=True, samesite="Lax",
                          secure=request.is_secure)
    else:
        answer.delete_cookie(COOKIE, path=path, httponly=True, samesite="Lax", secure=request.is_secure)
    return answer


def _of_number(number: int) -> tuple[DangerReport, str]:
    """One of the reports whose codes this phone has."""
    found = [(report, code) for code in _codes() if (report := mine.find(code)) is not None and report.number == number]
    return found[0] if found else abort(404)


# -- following -----------------------------------------------------------------------------------------------
def follow() -> Any:
    return render_template("reports/follow.html", problems=(), typed="")


def enter() -> Any:
    typed = request.form.get("code", "")[:60]
    code = codes.read(typed)
    if mine.find(code) is None:
        problem = Problem("code", _("There is no report with this code. It has twelve letters and digits, as in 7K3M-9Q2X-4T8W."))
        return render_template("reports/follow.html", problems=[problem], typed=typed), 422
    return _remember(redirect(url_for("reports.mine")), [code, *_codes()])


def own() -> Any:
    return _own()


def _own(problems: Mapping[int, Sequence[Problem]] | None = None, *, asked: Mapping[int, str] | None = None,
         typed: Mapping[str, str] | None = None, status: int = 200) -> Any:
    """The reports that this phone follows. `asked`: telephones to which a code went, by the number of the report."""
    language = select_language()
    found = [mine.of(report, code, language) for code in _codes() if (report := mine.find(code)) is not None]
    if not found:
        return redirect(url_for("reports.follow"))
    return render_template("reports/mine.html", found=found, problems=problems or {}, asked=asked or {}, typed=typed or {},
                           most_said=mine.LONGEST_SAID), status


def own_photo(number: int, position: int) -> Response:
    report, _code = _of_number(number)
    return jpeg(mine.photo(report, min(position, photo.MOST), small="small" in request.args))


def jpeg(body: bytes | None) -> Response:
    """A photo as an answer that nothing keeps and that can do nothing."""
    if body is None:
        abort(404)
    return Response(body, content_type="image/jpeg", headers={
        "Cache-Control": "no-store", "Content-Disposition": "inline; filename=report.jpg",
        "Content-Security-Policy": "default-src 'none'; sandbox"})


def say(number: int) -> Any:
    report, _code = _of_number(number)
    words = request.form.get("say", "")[:4 * mine.LONGEST_SAID]
    try:
        mine.say(report, words)
    except Invalid as refusal:
        return _own({number: refusal.problems}, typed={"say": words}, status=422)
    flash(_("Added to your report."))
    return redirect(url_for("reports.mine", _anchor=f"report-{number}"))


def ask_code(number: int) -> Any:
    report, _code = _of_number(number)
    phone = request.form.get("phone", "")[:40]
    try:
        sent_to = mine.number_to_prove(report, phone)
    except Invalid as refusal:
        return _own({number: refusal.problems}, typed={"phone": phone}, status=422)
    try:
        mine.send_code(sent_to, select_language())
    except Invalid as refusal:  # whoever asked a moment ago has a code on its way: the form for it stays at hand
        return _own({number: refusal.problems}, asked={number: sent_to}, status=422)
    return _own(asked={number: sent_to})


def prove(number: int) -> Any:
    report, _code = _of_number(number)
    phone = request.form.get("phone", "")[:40]
    try:
        mine.prove(report, phone, request.form.get("code", "")[:20])
    except Invalid as refusal:
        return _own({number: refusal.problems}, asked={number: phone}, status=422)
    flash(_("Your telephone is confirmed. Staff may call you, and you are told by text message what they answer."))
    return redirect(url_for("reports.mine", _anchor=f"report-{number}"))


def act(number: int, act: str) -> Any:
    report, code = _of_number(number)
    answer = redirect(url_for("reports.mine"))
    if act == "forget":
        flash(_("This phone no longer shows that report. With its code it can be found again."))
        return _remember(answer, [other for other in _codes() if other != code])
    if act == "forget_phone":
        mine.forget_phone(report)
        flash(_("Your telephone is erased from the report."))
    else:
        mine.withdraw(report)
        flash(_("What you wrote and photographed is erased."))
    return answer
