"""Carriers' reports, answered in front of the application: when a carrier has delivered a million messages it calls as often.

`POST /hooks/sms/<line>/<batch>/<recipient>` is answered 200 when the report is durable (or tells nothing new), 403 when it is not
that carrier's, 400 for junk, 413 when it is too long, 503 when it could not be kept, so that the carrier calls again. The address
holds our own ids, so nothing has to be looked up; the carrier's signature covers it, so nobody can change them.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.datastructures import EnvironHeaders

from portal.channels.sms import forms
from portal.channels.sms.ears import Ear, make_ears
from portal.channels.sms.lines.registry import Unusable
from portal.channels.sms.provider import Forged, Rejected
from portal.core.db import db
from portal.dispatch import receipts
from portal.subscribers import store

log = logging.getLogger(__name__)

LARGEST_CALLBACK = 16 * 1024  # bytes; a carrier's form is a tenth of that
PREFIX = "/hooks/sms/"
REFUSED_SECONDS = 60.0  # between two lines of the log about forged calls
_LARGEST_ID = 2**63 - 1
_NOTHING = [("Content-Length", "0")]

Environ = dict[str, Any]
Start = Callable[..., Any]


class Callbacks:
    """WSGI middleware. All paths but those of callbacks go on to the application."""

    def __init__(self, app: Flask) -> None:
        self._app, self._inner = app, app.wsgi_app
        self._base = app.extensions["anlan"].base_url
        self._making = threading.Lock()
        self._together: receipts.Together | None = None
        self._refused = _Refused()

    def __call__(self, environ: Environ, start: Start) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if not path.startswith(PREFIX) or (asked := _asked(path)) is None:
            return self._inner(environ, start)
        name, batch_id, recipient_id = asked
        try:
            ear = ears(self._app).get(name)
        except Unusable as error:
            log.error("the file of lines cannot be used: %s", error)
            return _answer(start, "503 Service Unavailable", ("Retry-After", "30"))
        if ear is None:
            return self._inner(environ, start)
        if environ["REQUEST_METHOD"] != "POST":
            return _answer(start, "405 Method Not Allowed", ("Allow", "POST"))
        body = _body(environ)
        if body is None:
            return _answer(start, "413 Content Too Large", ("Connection", "close"))
        query = environ.get("QUERY_STRING")
        url = f"{self._base}{path}?{query}" if query else self._base + path
        try:
            self._hear(ear, url, body, EnvironHeaders(environ), batch_id, recipient_id)  # type: ignore[arg-type]
        except Forged:
            self._refused.note(name)
            return _answer(start, "403 Forbidden")
        except Rejected:
            return _answer(start, "400 Bad Request")
        except Exception as error:  # the database, mostly: the driver's own errors and SQLAlchemy's
            known = isinstance(error, (SQLAlchemyError, OSError, TimeoutError))
            log.error("a carrier's report was not kept: %s", type(error).__name__, exc_info=None if known else error)
            return _answer(start, "503 Service Unavailable", ("Retry-After", "30"))
        return _answer(start, "200 OK")  # not 204, after which waitress closes the connection

    def _hear(
        self, ear: Ear, url: str, body: bytes, headers: Mapping[str, str], batch_id: int, recipient_id: int
    ) -> None:
        receipt = ear.parse_callback(url, forms.read(body), headers)
        if receipt is None:
            return
        together = self._together or self._open()
        together.record([receipts.row(batch_id, recipient_id, receipt.status, receipt.code, ear.name, receipt.carrier_id)])
        if receipt.code in ear.opt_out_codes:
            with self._app.app_context():
                store.opt_out(recipient_id, ear.name)

    def _open(self) -> receipts.Together:
        with self._making, self._app.app_context():
            if self._together is None:
                self._together = receipts.Together(db.engine)
            return self._together


class _Refused:
    """Tells the log of calls that were not signed rightly, and not of each: whoever runs this server may have set a wrong key."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._since: Counter[str] = Counter()
        self._again_at = 0.0

    def note(self, name: str) -> None:
        with self._guard:
            self._since[name] += 1
            if time.monotonic() < self._again_at:
                return
            self._again_at = time.monotonic() + REFUSED_SECONDS
            found, self._since = self._since, Counter()
        log.warning("refused calls that are not signed with the key of their line's account, for the address that"
                    " ANLAN_PUBLIC_URL gives: %s", ", ".join(f"{line} {n}" for line, n in sorted(found.items())))


def ears(app: Flask) -> dict[str, Ear]:
    """The ears of an application, made at the first call."""
    found: dict[str, Ear] | None = app.extensions.get("sms_ears")
    if found is None:
        found = app.extensions["sms_ears"] = make_ears(app.extensions["anlan"])
    return found


def _asked(path: str) -> tuple[str, int, int] | None:
    """Line, batch and recipient of a callback's address."""
    parts = path[len(PREFIX) :].split("/")
    if len(parts) != 3:
        return None
    name, batch, recipient = parts
    if not (batch.isascii() and batch.isdigit() and recipient.isascii() and recipient.isdigit()):
        return None
    if len(batch) > 19 or len(recipient) > 19:
        return None
    batch_id, recipient_id = int(batch), int(recipient)
    return (name, batch_id, recipient_id) if 0 < batch_id <= _LARGEST_ID and 0 < recipient_id <= _LARGEST_ID else None


def _body(environ: Environ) -> bytes | None:
    """What was sent; None when it is too much."""
    told = environ.get("CONTENT_LENGTH") or ""
    if told.isdigit() and told.isascii():
        length = int(told)
        return environ["wsgi.input"].read(length) if length <= LARGEST_CALLBACK else None
    if not environ.get("wsgi.input_terminated"):
        return b""
    body: bytes = environ["wsgi.input"].read(LARGEST_CALLBACK + 1)
    return body if len(body) <= LARGEST_CALLBACK else None


def _answer(start: Start, status: str, *headers: tuple[str, str]) -> list[bytes]:
    start(status, [*_NOTHING, *headers])
    return []
