"""The pages of a shelter's staff at /staff/: in by a code, one page per shelter, forms that work without a script."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, abort, jsonify, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _

from portal.channels.sms.door_pages import DoorPages
from portal.core.clock import utcnow
from portal.core.errors import Conflict, Invalid, Problem
from portal.shelters.living import door, post
from portal.shelters.models import StatusReport
from portal.shelters.registry import words

HERE = Path(__file__).parent
#: What the service worker may keep: pages of somebody who is signed in.
KEPT = "X-Anlan-Staff"
ICONS = {None: "?", "standby": "○", "opening": "◔", "open": "●", "nearly_full": "◕", "full": "■", "closing": "◑",
         "closed": "✕", "unsafe": "⚠"}


def make_blueprint() -> Blueprint:
    blueprint = Blueprint("shelter_living", __name__, url_prefix="/staff", template_folder="templates",
                          static_folder="static", static_url_path="/static")
    rule = blueprint.add_url_rule
    rule("/", "mine", _inside(mine))
    DOOR.register(blueprint)
    rule("/<int:shelter_id>/", "shelter", _inside(shelter_page))
    rule("/<int:shelter_id>/now", "now", _inside(now_part))
    rule("/<int:shelter_id>/report", "report", _inside(report), methods=["POST"])
    rule("/<int:shelter_id>/undo", "undo", _inside(undo), methods=["POST"])
    rule("/sw.js", "worker", worker)
    rule("/offline", "offline", offline)
    blueprint.context_processor(lambda: {"icons": ICONS, "statuses": words.STATUSES})
    return blueprint


def _inside(view: Callable[..., Any]) -> Callable[..., Any]:
    """A view for whoever keeps a shelter: it gets the holder first. Others go to the door, and programs hear 401."""
    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        holder = door.holder()
        if holder is None:
            if _is_program() or request.endpoint == "shelter_living.now":
                return jsonify(sign_in=True), 401
            return redirect(url_for("shelter_living.sign_in"))
        answer = make_response(view(holder, *args, **kwargs))
        answer.headers[KEPT] = holder.name
        return answer
    return guarded


def _is_program() -> bool:
    return request.accept_mimetypes.best_match(["text/html", "application/json"]) == "application/json"


DOOR = DoorPages(door.PURPOSE, door.PASS, "shelter_living/door.html", door.ask, door.enter, door.leave,
                 is_inside=lambda: door.holder() is not None, home=lambda: url_for("shelter_living.mine"))


# -- inside --------------------------------------------------------------------------------------------------
def mine(holder: door.Holder) -> Any:
    if len(holder.kept) == 1:
        return redirect(url_for("shelter_living.shelter", shelter_id=holder.kept[0][1].id))
    return render_template("shelter_living/mine.html", holder=holder, posts=[post.of(*kept) for kept in holder.kept],
                           made=utcnow())


def shelter_page(holder: door.Holder, shelter_id: int) -> Any:
    return _page(holder, shelter_id)


def now_part(holder: door.Holder, shelter_id: int) -> Any:
    """The parts of the page that change by themselves."""
    keeper, shelter = holder.find(shelter_id) or abort(404)
    return render_template("shelter_living/_fresh.html", here=post.of(keeper, shelter), made=utcnow(), new_ref=post.new_ref)


def _page(holder: door.Holder, shelter_id: int, problems: Sequence[Problem] = (), *, typed: Mapping[str, str] | None = None,
          ask: bool = False, status: int = 200) -> Any:
    keeper, shelter = holder.find(shelter_id) or abort(404)
    return render_template(
        "shelter_living/shelter.html", here=post.of(keeper, shelter), holder=holder, problems=problems, typed=typed or {},
        ask=ask, made=utcnow(), new_ref=post.new_ref, hours=post.VALID_HOURS, several=len(holder.kept) > 1), status


def report(holder: door.Holder, shelter_id: int) -> Any:
    sent = request.form
    return _answer(holder, shelter_id, lambda: post.take(holder, shelter_id, sent), sent)


def undo(holder: door.Holder, shelter_id: int) -> Any:
    of, ref = request.form.get("of", 0, type=int), request.form.get("ref", "")
    return _answer(holder, shelter_id, lambda: post.undo(holder, shelter_id, of, ref), {})


def _answer(holder: door.Holder, shelter_id: int, act: Callable[[], StatusReport], typed: Mapping[str, str]) -> Any:
    """What a form gets: the page again. A program (the page's own script) gets the same as JSON."""
    if holder.find(shelter_id) is None:
        return (jsonify(refused=[_("You no longer keep this shelter.")]), 403) if _is_program() else abort(404)
    try:
        made = act()
    except Conflict as refusal:
        problems, ask, status = [Problem("", refusal.message)], False, 409
    except Invalid as refusal:
        problems, ask, status = refusal.problems, isinstance(refusal, post.AskAgain), 422
    else:
        if _is_program():
            return jsonify(id=made.id, applied=made.applied, conflict=made.conflict, exercise=made.exercise)
        return redirect(url_for("shelter_living.shelter", shelter_id=shelter_id, _anchor="now"))
    if _is_program():
        return jsonify(refused=[str(p.message) for p in problems], over=ask), status
    return _page(holder, shelter_id, problems, typed=typed, ask=ask, status=status)


# -- without a network ---------------------------------------------------------------------------------------
def worker() -> Response:
    """The service worker: served here, because its reach is the folder that it comes from."""
    text = (HERE / "static" / "sw.js").read_text(encoding="utf-8")
    return Response(text, content_type="text/javascript; charset=utf-8", headers={"Cache-Control": "no-cache"})


def offline() -> str:
    return render_template("shelter_living/offline.html")
