"""A file between its preview and its import: it travels in the confirming form, sealed, so that no server must keep it.

The seal binds it to the account and to an hour; what is confirmed is to the byte what was looked at.
"""

from __future__ import annotations

import tempfile
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask import current_app, request
from flask_babel import gettext as _
from itsdangerous import BadData, TimestampSigner

from portal.core.errors import Invalid
from portal.identity.models import Account
from portal.web import file_forms

#: Bytes of a file; and of a form that carries one: packed, and a third larger for its letters.
LARGEST_FILE = 8 * 1024 * 1024
_LARGEST_FORM = 13 * 1024 * 1024
_SECONDS = 3600
takes_files = file_forms.takes_files(_LARGEST_FORM)


def received(field: str = "file") -> tuple[bytes, str]:
    """The uploaded file and its name. Raises Invalid when there is none, or it is too large."""
    sent = request.files.get(field)
    if sent is None or not sent.filename:
        raise Invalid.one(field, _("Choose a file."))
    content = sent.stream.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        raise Invalid.one(field, _("The file is larger than %(n)s MB: cut it into several, or import it with the command"
                                   " on the server.", n=LARGEST_FILE // 2**20))
    if not content:
        raise Invalid.one(field, _("The file is empty."))
    return content, "".join(c for c in sent.filename if c.isprintable())[-80:]


def sealed(account: Account, content: bytes) -> str:
    packed = urlsafe_b64encode(zlib.compress(content, 6))
    return _signer(account).sign(packed).decode("ascii")


def opened(account: Account, text: str) -> bytes:
    """Raises Invalid when the seal is broken or too old."""
    try:
        packed = _signer(account).unsign(text.encode("ascii", "replace"), max_age=_SECONDS)
        return zlib.decompress(urlsafe_b64decode(packed))
    except (BadData, ValueError, zlib.error) as error:
        raise Invalid.one("file", _("The file was looked at too long ago: choose it again.")) from error


@contextmanager
def on_disk(content: bytes) -> Iterator[Path]:
    """The file at a path of its own, for as long as the block runs."""
    with tempfile.TemporaryDirectory(prefix="anlan-") as folder:
        path = Path(folder) / "file"
        path.write_bytes(content)
        yield path


def _signer(account: Account) -> TimestampSigner:
    return TimestampSigner(current_app.config["SECRET_KEY"], salt=f"upload {account.id}")
