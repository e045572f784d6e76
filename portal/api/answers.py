"""What all answers of the API have in common: who asks, errors in words, marks of versions, bounds."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from flask import Blueprint, Response, request
from flask_babel import gettext as _
from werkzeug.exceptions import HTTPException

from portal.core.errors import Conflict, Forbidden, Invalid
from portal.identity import tokens
from portal.identity.models import Account

#: Bytes of a body; a feature with all its points is a tenth of that.
LARGEST_BODY = 1024 * 1024
#: Requests of one client address; counted per process.
READS, WRITES = "300 per minute", "120 per minute"
JSON, GEOJSON = "application/json", "application/geo+json"


class Unauthorised(Exception):
    """No token, or one that opens nothing; `message` is lazy."""

    def __init__(self, message: Any) -> None:
        self.message = message
        super().__init__(str(message))


def bearer() -> Account | None:
    """Whom the request's token stands for; None without one. Raises Unauthorised for a token that opens nothing."""
    kind, _space, plain = request.headers.get("Authorization", "").partition(" ")
    if not kind:
        return None
    if kind.lower() != "bearer" or not plain.strip():
        raise Unauthorised(_("Send the token as “Authorization: Bearer …”."))
    try:
        return tokens.holder(plain.strip())
    except tokens.Refused as refusal:
        raise Unauthorised(refusal.message) from refusal


def required() -> Account:
    account = bearer()
    if account is None:
        raise Unauthorised(_("This needs a token: send it as “Authorization: Bearer …”."))
    return account


def body() -> Any:
    """The JSON of the request's body. Raises Invalid."""
    request.max_content_length = LARGEST_BODY
    try:
        return json.loads(request.get_data().decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Invalid.one("", _("The body is not JSON in UTF-8.")) from error


def answer(value: Any, kind: str = JSON, status: int = 200, **headers: str) -> Response:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    response = Response(text + "\n", status=status, mimetype=kind)
    response.headers.update(headers)
    return response


def fresh(value: Any, kind: str, seconds: int) -> Response:
    """A public answer with a mark of its content: who has it already is told so and gets nothing again."""
    return _marked(answer(value, kind), seconds)


def fresh_bytes(body: bytes, kind: str, seconds: int) -> Response:
    """The same of what is JSON already."""
    return _marked(Response(body, mimetype=kind), seconds)


def _marked(response: Response, seconds: int) -> Response:
    response.set_etag(hashlib.sha256(response.get_data()).hexdigest()[:32])
    response.headers["Cache-Control"] = f"public, max-age={seconds}"
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.make_conditional(request)
    return response


def problem(status: int, title: str, errors: list[dict[str, str]] | None = None,
            headers: dict[str, str] | None = None) -> Response:
    """An error as RFC 9457 has it, in the language that the request asks for."""
    told: dict[str, Any] = {"type": "about:blank", "title": title, "status": status}
    if errors:
        told["errors"] = errors
    return answer(told, "application/problem+json", status, **(headers or {}))


def handle_errors(blueprint: Blueprint) -> None:
    """Every refusal of these pages as a problem, none as a page of HTML."""

    @blueprint.errorhandler(Invalid)
    def invalid(error: Invalid) -> Response:
        return problem(422, _("The input cannot be taken; nothing was changed."),
                       [{"field": p.field, "message": str(p.message)} for p in error.problems[:100]])

    @blueprint.errorhandler(Unauthorised)
    def unauthorised(error: Unauthorised) -> Response:
        return problem(401, str(error.message), headers={"WWW-Authenticate": 'Bearer realm="anlan"'})

    @blueprint.errorhandler(Forbidden)
    def forbidden(error: Forbidden) -> Response:
        return problem(403, str(error.message))

    @blueprint.errorhandler(Conflict)
    def conflict(error: Conflict) -> Response:
        return problem(409, str(error.message))

    @blueprint.errorhandler(HTTPException)
    def other(error: HTTPException) -> Response:
        words = {400: _("The request could not be understood."), 404: _("There is no such thing here."),
                 405: _("This cannot be done here."), 413: _("The body is too large."),
                 429: _("Too many requests: wait a minute and try again.")}
        told = {name: value for name, value in error.get_headers() if name in ("Allow", "Retry-After")}
        return problem(error.code or 500, words.get(error.code or 500, _("The request could not be understood.")), headers=told)
