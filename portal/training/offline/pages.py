"""What a phone needs to learn without a network: a service worker, one page that holds nobody's data, a course to take along,
and the address to which it sends what was done meanwhile."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, abort, current_app, jsonify, redirect, render_template, request, url_for
from flask_babel import force_locale
from flask_wtf.csrf import generate_csrf

from portal.core.clock import utcnow
from portal.core.i18n import LANGUAGES, select_language
from portal.training import courses_store
from portal.training.learners import door, exam_time
from portal.training.models import Learner
from portal.training.offline import bundle, state, sync
from portal.web import asset

STATIC = Path(__file__).parent / "static"
#: Bytes of one request of a phone.
LARGEST = 256 * 1024
#: Scripts that the page without a network runs, in this order; the others are for pages with one.
SHELL = ("store.js", "sync.js", "bar.js", "grading.js", "words.js", "asking.js", "telling.js", "progress.js",
         "results.js", "shell.js")
#: Files of other rooms that it loads: the looks of learners' pages, and pointing and dragging.
OF_OTHERS = (("learn.css", "learners"), ("touch.css", "touch"), ("hotspot.js", "touch"), ("ordering.js", "touch"))


def make_blueprint() -> Blueprint:
    blueprint = Blueprint("learning_offline", __name__, template_folder="templates", static_folder="static",
                          static_url_path="/learn/offline/static")
    rule = blueprint.add_url_rule
    rule("/learn/sw.js", "worker", worker)
    rule("/learn/offline/", "home", home)
    rule(f"/learn/offline/<any({', '.join(LANGUAGES)}):language>/", "offline", offline)
    rule("/learn/offline/state", "state", door.required(state_page))
    rule("/learn/offline/courses/<slug>", "course", door.required(course))
    rule("/learn/offline/courses/<slug>/about", "about", door.required(about))
    rule("/learn/offline/sync", "sync", door.required(take), methods=["POST"])
    blueprint.app_context_processor(lambda: {"offline_file": file_url})
    blueprint.after_request(_kept_by_name)
    return blueprint


@cache
def _mark(path: Path, _changed: float) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:10]


def file_url(name: str, blueprint: str = "learning_offline") -> str:
    """Address of a static file; it changes with what is in it, so that a phone never mixes old files and new ones."""
    path = Path(current_app.blueprints[blueprint].static_folder or "") / name
    return url_for(f"{blueprint}.static", filename=name, v=_mark(path, path.stat().st_mtime))


def _kept_by_name(response: Response) -> Response:
    """For ever, where the name has the mark of what was given out: another machine may have an older file under it."""
    if request.endpoint == "learning_offline.static" and response.status_code == 200:
        path = STATIC / (request.view_args or {})["filename"]
        if request.args.get("v") == _mark(path, path.stat().st_mtime):
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response


# -- what holds nobody's data --------------------------------------------------------------------------------
def worker() -> Response:
    """The service worker, with the version and the files of the page that it keeps: where one of them changes, so does it."""
    files = [asset("base.css"), asset("icon.svg"), *(file_url(name, blueprint) for name, blueprint in OF_OTHERS),
             *(file_url(name) for name in ("offline.css", *SHELL))]
    pages = {language: url_for("learning_offline.offline", language=language) for language in LANGUAGES}
    drawn = [_shell(language) for language in LANGUAGES]
    head = {"files": files, "pages": pages, "store": file_url("store.js"), "sync": file_url("sync.js")}
    source = (STATIC / "sw.js").read_text(encoding="utf-8")
    version = hashlib.sha256("\0".join([json.dumps(head), source, *drawn]).encode()).hexdigest()[:12]
    body = f"self.ANLAN = {json.dumps({'version': version, **head})};\n{source}"
    return Response(body, content_type="text/javascript; charset=utf-8", headers={"Cache-Control": "no-cache"})


def home() -> Any:
    return redirect(url_for("learning_offline.offline", language=select_language()))


def offline(language: str) -> str:
    return _shell(language)


def _shell(language: str) -> str:
    """The page that a phone shows without a network, whatever was asked for: its scripts fill it with what the phone keeps."""
    with force_locale(language):
        return render_template("learning_offline/shell.html", scripts=SHELL, others=OF_OTHERS)


# -- for somebody who is signed in ---------------------------------------------------------------------------
def state_page(learner: Learner) -> Response:
    """Who is signed in, a token for sending, and how far he is in the courses that are asked for (``?slugs=a,b``)."""
    slugs = [slug for slug in request.args.get("slugs", "").split(",") if slug]
    return _standing(learner, slugs)


def _standing(learner: Learner, slugs: list[str], **more: Any) -> Response:
    return jsonify(learner=str(learner.id), csrf=generate_csrf(), now=state.milliseconds(utcnow()),
                   courses=state.of(learner.id, slugs), **more)


def about(learner: Learner, slug: str) -> Response:
    """What taking the course along means: its version, and how much of the phone's memory."""
    version_id, found = courses_store.current(slug) or abort(404)
    return jsonify(version_id=version_id, version=found.version, bytes=bundle.of(version_id).size)


def course(learner: Learner, slug: str) -> Any:
    """The course to take along. While its exam is under way it waits: it tells what is right."""
    version_id, _course = courses_store.current(slug) or abort(404)
    if slug in exam_time.under_way(learner.id):
        return jsonify(state="exam"), 409
    made = bundle.of(version_id)
    answer = Response(made.body, content_type="application/json", headers={"Vary": "Accept-Encoding"})
    if "gzip" in request.accept_encodings:
        answer.data, answer.content_encoding = made.packed, "gzip"
    return answer


def take(learner: Learner) -> Any:
    """JSON ``{who, sent, slugs, things: [{ref, kind, slug, at, …}]}``: an answer has version_id, question, rev and answer, a
    lesson has lesson and done. The reply says of each what became of it, and how far the learner is then."""
    if request.content_length is None or request.content_length > LARGEST:
        abort(413)
    try:
        said: Any = request.get_json(silent=True)
        who, sent, things = str(said["who"]), float(said["sent"]), list(said["things"])
        slugs = [str(slug) for slug in said["slugs"]]
    except (TypeError, ValueError, KeyError, OverflowError, RecursionError):
        return jsonify(state="bad"), 422
    slugs = [slug for slug in slugs if sync.is_text(slug)]
    if who != str(learner.id):  # the phone has changed hands since: nothing of one learner counts for another
        return jsonify(state="other", learner=str(learner.id)), 409
    results = sync.take(learner.id, things, sent)
    return _standing(learner, slugs, results=[one.told() for one in results])
