"""Importing a list at the desk: the file is checked first, then confirmed.

Between the two it travels with the page, compressed and sealed for this account and half an hour: nothing of it is kept on
the server, and the second step works on whichever server it meets.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from cryptography.exceptions import InvalidTag
from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from portal.core.clock import utcnow
from portal.core.errors import Conflict, Invalid
from portal.identity.guard import signed_in
from portal.identity.models import Account
from portal.identity.rights import TRANSFERS
from portal.shelters.transfers import vault
from portal.shelters.transfers.here import account_here
from portal.shelters.transfers.importer import COLUMNS, Report, Source, import_rows

LASTS = timedelta(minutes=30)
#: Bytes of a file, and characters of it sealed: what a form may carry (see MAX_FORM_MEMORY_SIZE).
MOST_BYTES, MOST_SEALED = 1536 * 1024, 900 * 1024
_BLOCK = 64 * 1024


def add_routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/import", "import_list", signed_in(TRANSFERS)(import_list), methods=["GET", "POST"])


def import_list() -> Any:
    account = account_here()
    if request.method == "GET":
        return _page()
    try:
        if request.form.get("do") == "confirm":
            body = _opened(account, request.form.get("file", ""))
            report = import_rows(_source(body), account=account, skip_bad=request.form.get("skip_bad") == "1")
            if report.written:
                flash(_("Imported: %(added)d new, %(changed)d changed, %(unchanged)d as they were.", added=report.added,
                        changed=report.changed, unchanged=report.unchanged))
                return redirect(url_for(".overview"))
            return _page(report, _sealed(account, body), status=422)
        body = _uploaded()
        report = import_rows(_source(body), account=account, check=True)
        return _page(report, "" if report.fatal else _sealed(account, body), status=422 if report.fatal else 200)
    except Invalid as refusal:
        return _page(problems=refusal.problems, status=422)


def _page(report: Report | None = None, sealed: str = "", problems: Any = (), status: int = 200) -> tuple[str, int]:
    return render_template("transfers/import.html", report=report, sealed=sealed, problems=problems, columns=COLUMNS), status


def _uploaded() -> bytes:
    file = request.files.get("list")
    body = file.read(MOST_BYTES + 1) if file else b""
    if not body:
        raise Invalid.one("list", _("Choose a file."))
    if len(body) > MOST_BYTES:
        raise _too_large()
    return body


def _too_large() -> Invalid:
    return Invalid.one("list", _("The file is too large for this page: split it by street, or let whoever runs the server"
                                 " import it with `anlan transfers import`."))


def _source(body: bytes) -> Source:
    def read() -> Iterator[bytes]:
        for at in range(0, len(body), _BLOCK):
            yield body[at:at + _BLOCK]
    return read


def _sealed(account: Account, body: bytes) -> str:
    until = json.dumps((utcnow() + LASTS).timestamp()).encode()
    sealed = vault.seal().seal_bytes(until + b"\n" + zlib.compress(body, 6), f"import:{account.id}")
    text = base64.urlsafe_b64encode(sealed).decode()
    if len(text) > MOST_SEALED:
        raise _too_large()
    return text


def _opened(account: Account, text: str) -> bytes:
    """Raises Conflict when it is not this account's, or its time is over."""
    try:
        until, _line, body = vault.seal().open_bytes(base64.urlsafe_b64decode(text), f"import:{account.id}").partition(b"\n")
        if json.loads(until) < utcnow().timestamp():
            raise ValueError("over")
        return zlib.decompress(body)
    except (InvalidTag, ValueError, zlib.error) as error:
        raise Conflict(_("The checked file is too old to be imported. Choose and check it again.")) from error
