"""The form of a report as it comes in: bounded, with what was typed kept also where the photos are too much.

The words stand before the files in the form, so that they can be read out of the beginning of a body that is not taken whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import request
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from portal.reports import photo
from portal.web import csrf

#: Bytes of the whole form; web servers in front must let it through. Photos that a script made smaller are far below.
LARGEST = 16 * 2**20
#: Bytes at the beginning of a form that is too large, in which its words are looked for.
_HEAD, _LONGEST_FIELD = 256 * 1024, 8000


@dataclass
class Form:
    """What came. `too_large`: the form was cut off after its words. `grown_old`: its protection against forgery does not hold, so
    that nothing is done, and all is shown again to be sent once more."""

    fields: dict[str, str] = field(default_factory=dict)
    photos: list[bytes] = field(default_factory=list)
    too_large: bool = False
    grown_old: bool = False


def read() -> Form:
    """The form of this request. Asks the protection against forgery itself, so the view must be exempt from it."""
    request.max_content_length = LARGEST
    request.max_form_memory_size = LARGEST
    if (request.content_length or 0) > LARGEST:
        return Form(_head(), too_large=True)
    try:
        fields, files = request.form.to_dict(), request.files.getlist("photos")
    except RequestEntityTooLarge:
        return Form(too_large=True)
    try:
        csrf.protect()
    except CSRFError:
        return Form(fields, grown_old=True)
    return Form(fields, _bodies(files))


def _bodies(files: Sequence[Any]) -> list[bytes]:
    """The photos; of one that is too large as many bytes as show that. Browsers send an empty file where none was chosen."""
    return [body for file in files[:photo.MOST + 1] if (body := file.stream.read(photo.LARGEST + 1))]


def _head() -> dict[str, str]:
    """The fields that stand before the first file."""
    boundary = request.mimetype_params.get("boundary", "")
    if request.mimetype != "multipart/form-data" or not 0 < len(boundary) < 200:
        return {}
    decoder = MultipartDecoder(boundary.encode("latin-1", "replace"), max_form_memory_size=_HEAD)
    found: dict[str, str] = {}
    try:
        decoder.receive_data(request.environ["wsgi.input"].read(_HEAD))
        name, body = "", b""
        while not isinstance(event := decoder.next_event(), (File, NeedData, Epilogue)):
            if isinstance(event, Field):
                name, body = event.name or "", b""
            elif isinstance(event, Data) and name:
                body = (body + event.data)[:_LONGEST_FIELD]
                if not event.more_data:
                    found[name] = body.decode("utf-8", "replace").replace("\x00", "")
    except (ValueError, RequestEntityTooLarge, OSError):
        pass  # what was read until here counts
    return found
