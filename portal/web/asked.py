"""What a request may be at all, before any page looks at it."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Request as FlaskRequest
from flask import abort, request
from werkzeug.datastructures import MultiDict

NUL = "\x00"
LONGEST_PATH = 2000


class Request(FlaskRequest):
    """Refuses a form with a NUL: no text has one, and PostgreSQL, which keeps none, would fall over it. Looked at
    where the form is read, so that a view may lower its limit of size first."""

    def _load_form_data(self) -> None:
        super()._load_form_data()
        if _holds_nul(self.form):
            abort(400)


def refuse_nul() -> None:
    """For every request: no NUL in its path and its query."""
    if NUL in request.path or _holds_nul(request.args):
        abort(400)


def _holds_nul(fields: MultiDict[str, str]) -> bool:
    return any(NUL in key or NUL in value for key, value in fields.items(multi=True))


def local_path(target: str | None, otherwise: str) -> str:
    """`target` when it is a path on this site, else `otherwise`: no form can lead elsewhere. Spaces and control
    characters are refused, since browsers take some of them out and then read `//somewhere`."""
    if not target or len(target) > LONGEST_PATH or not target.startswith("/") or target.startswith(("//", "/\\")):
        return otherwise
    if any(ord(c) < 0x21 or c in "\\\x7f" for c in target):
        return otherwise
    parts = urlsplit(target)
    return otherwise if parts.scheme or parts.netloc else target
