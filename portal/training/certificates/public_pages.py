"""For everybody: whether a certificate is genuine and still holds, and what programs need to find that out by themselves."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, abort, g, jsonify, redirect, render_template, request, url_for

from portal import current_settings
from portal.core.clock import local, utcnow
from portal.core.i18n import LANGUAGES, select_language
from portal.identity.limits import limiter
from portal.training.certificates import credential, issue, signing, status_list, store, verifying
from portal.training.certificates import serial as serials
from portal.training.certificates.sheet import en_day, zh_day
from portal.training.certificates.verifying import Refused
from portal.web import csrf

#: Of one address: an office that checks a class of certificates has room, whoever tries serials has not.
LOOKS, FILES, LISTS = "40 per minute; 600 per hour", "20 per minute; 200 per hour", "60 per minute"
#: Seconds for which a reader and a proxy may keep keys and lists without asking.
KEPT_SECONDS = 300
#: Lists that there may be: more are looked for by nobody in earnest.
_MOST_LISTS = 10


def make_blueprint() -> Blueprint:
    blueprint = Blueprint("verify", __name__, template_folder="templates", static_folder="static",
                          static_url_path="/verify-static")
    rule, spoken = blueprint.add_url_rule, f"/<any({', '.join(LANGUAGES)}):language>/verify/"
    rule("/v/<serial>", "short", short)
    rule(spoken, "ask", ask)
    rule(spoken, "credential", limiter.limit(FILES)(by_credential), methods=["POST"])
    rule(f"{spoken}<serial>/", "serial", limiter.limit(LOOKS)(by_serial))
    rule("/.well-known/issuer.json", "issuer", issuer)
    rule("/.well-known/jwks.json", "jwks", jwks)
    rule("/.well-known/keys/<thumbprint>.json", "key", key)
    rule("/credentials/status/<int:number>", "status", limiter.limit(LISTS)(status))
    csrf.exempt(blueprint)  # nothing is changed here, and no cookie counts
    blueprint.context_processor(lambda: {"day": _day, "grouped": serials.shown})
    blueprint.after_request(_unlisted)
    return blueprint


# -- for people ----------------------------------------------------------------------------------------------
def short(serial: str) -> Any:
    """Where the QR code leads."""
    return redirect(url_for("verify.serial", language=select_language(), serial=_asked(serial)))


def ask(language: str) -> Any:
    """The form. A serial that was typed into it stands in the query, so that the form needs no script and no cookie."""
    g.language = language
    if typed := request.args.get("serial", "").strip():
        return redirect(url_for("verify.serial", language=language, serial=_asked(typed)))
    return _page(language)


def _asked(text: str) -> str:
    """As it stands in an address: a slash would lead elsewhere."""
    return serials.typed(text)[:40] or text.replace("/", " ").strip()[:40] or "-"


def by_serial(language: str, serial: str) -> Any:
    g.language = language
    try:
        return _page(language, found=verifying.by_serial(serial), typed=serial)
    except Refused as refusal:
        return _page(language, refusal=refusal, typed=serial[:40]), 404


def by_credential(language: str) -> Any:
    g.language = language
    sent = request.files.get("file")
    body = sent.read(verifying.carriers.LARGEST + 1) if sent else b""
    if not body:
        body = request.form.get("text", "").encode()
    if not body.strip():
        return _page(language, empty=True), 422
    try:
        return _page(language, found=verifying.by_credential(body))
    except Refused as refusal:
        return _page(language, refusal=refusal), 422


def _page(language: str, **context: Any) -> str:
    other = "en" if language == "zh" else "zh"
    path = request.path if request.method == "GET" else url_for("verify.ask", language=language)
    return render_template("certificates/verify.html", other=other, other_path=f"/{other}/" + path.split("/", 2)[2],
                           authority=issue.authority()[language], **context)


def _day(moment: Any) -> str:
    here = local(moment, current_settings().timezone).date()
    return zh_day(here) if select_language() == "zh" else en_day(here)


def _unlisted(answer: Response) -> Response:
    answer.headers["X-Robots-Tag"] = "noindex"
    return answer


# -- for programs --------------------------------------------------------------------------------------------
def issuer() -> Response:
    """The profile of who grants certificates (Open Badges 3.0, Profile)."""
    at = issue.addresses()
    return _kept(jsonify({"@context": list(credential.CONTEXT), **credential.profile(issue.authority(), at), "jwks": at.jwks}))


def jwks() -> Response:
    return _kept(jsonify(signing.jwks(signing.known(current_settings()), issue.addresses().key)))


def key(thumbprint: str) -> Response:
    """One key as JWK: what the `kid` of a credential leads to."""
    found = signing.jwks(signing.known(current_settings()), issue.addresses().key)["keys"]
    address = issue.addresses().key(thumbprint)
    return _kept(jsonify(next((one for one in found if one["kid"] == address), None) or abort(404)))


def status(number: int) -> Response:
    """A list of revocations, signed (Bitstring Status List v1.0)."""
    if number >= _MOST_LISTS:
        abort(404)
    at, signer = issue.addresses(), signing.known(current_settings())[-1]
    payload = status_list.build(number, store.revoked_places(number), at, utcnow())
    token = signing.sign(payload, signer, at.key(signer.thumbprint))
    return _kept(Response(token, content_type="application/vc+jwt"))


def _kept(answer: Response) -> Response:
    answer.headers["Cache-Control"] = f"public, max-age={KEPT_SECONDS}"
    answer.headers["Access-Control-Allow-Origin"] = "*"
    return answer
