"""What pages of groups ask first: who is here, which courses and regions there are, and how a file travels between two steps."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidTag
from flask import Response, abort, current_app, request, stream_with_context
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal import current_settings
from portal.core import keys
from portal.core.clock import local, utcnow
from portal.core.errors import Invalid
from portal.core.i18n import select_language
from portal.core.sealing import TextSeal
from portal.identity.guard import current_account
from portal.identity.models import Account
from portal.identity.rights import TRAINER, may_in, regions_for
from portal.regions import lookup
from portal.training import courses_store, standing
from portal.training.assessing import words
from portal.training.content.values import Course
from portal.training.groups.cohorts import KIND_NAMES
from portal.training.groups.tables import Fault
from portal.web import file_forms

#: How long a file that was checked may be confirmed, its bytes, and those of a form that carries two, sealed.
LASTS = timedelta(minutes=30)
MOST_BYTES, _MOST_FORM = 3 * 1024 * 1024, 9 * 1024 * 1024


def account_here() -> Account:
    return current_account() or abort(401)


def region_name(code: str | None) -> str:
    node = lookup.get(code) if code else None
    return node.name(select_language()) if node else code or "—"


def day(moment: datetime | None) -> str:
    """A day in the district's zone, the same in both languages."""
    return f"{local(moment, current_settings().timezone):%Y-%m-%d}" if moment else "—"


def words_here() -> dict[str, Any]:
    """What all templates of groups use."""
    return {"region_name": region_name, "day": day, "without_end": standing.WITHOUT_END, "skill_states": words.STATES,
            "skill_marks": words.MARKS, "endpoints": current_app.view_functions, "kinds": KIND_NAMES}


@dataclass(frozen=True, slots=True)
class Choice:
    """A region of a choice, indented by how far it lies within the duty."""

    code: str
    label: str


def regions_here(account: Account) -> list[Choice]:
    """The regions of the account's duty, each with what lies in it."""
    found = []
    for top in regions_for(account, TRAINER):
        node, stack = lookup.get(top), list[tuple[Any, int]]()
        stack = [(node, 0)] if node else []
        while stack:
            one, depth = stack.pop()
            found.append(Choice(one.code, "\u3000" * depth + one.name(select_language())))
            stack += [(child, depth + 1) for child in reversed(one.children)]
    return found


def whole_district(account: Account) -> bool:
    """Whether the duty covers the district, and with it those whose community is not known."""
    return may_in(account, TRAINER, [current_settings().district])


def courses() -> list[Course]:
    return [course for _version, course in courses_store.currents()]


def course_of(slug: str) -> Course | None:
    loaded = courses_store.current(slug[:64])
    return loaded[1] if loaded else None


# -- files in ------------------------------------------------------------------------------------------------
takes_files = file_forms.takes_files(_MOST_FORM)


def uploaded(field: str = "list") -> bytes:
    """The file of the form. Raises Invalid at `field`."""
    file = request.files.get(field)
    body = file.read(MOST_BYTES + 1) if file else b""
    if not body:
        raise Invalid.one(field, _l("Choose a file."))
    if len(body) > MOST_BYTES:
        raise Invalid.one(field, _l("The file is larger than %(n)s MB: divide it.", n=MOST_BYTES // 2**20))
    return body


def sealed(account: Account, what: str, body: bytes) -> str:
    """A checked file as the confirming form carries it: no server keeps it, and only this account can confirm it, for `what`."""
    until = json.dumps((utcnow() + LASTS).timestamp()).encode()
    return base64.urlsafe_b64encode(_seal().seal_bytes(until + b"\n" + zlib.compress(body, 6), _place(account, what))).decode()


def opened(account: Account, what: str, text: str) -> bytes:
    """Raises Invalid at `list` when it is another's, for something else, or its time is over."""
    try:
        body = _seal().open_bytes(base64.urlsafe_b64decode(text), _place(account, what))
        until, _line, packed = body.partition(b"\n")
        if json.loads(until) < utcnow().timestamp():
            raise ValueError("over")
        return zlib.decompress(packed)
    except (InvalidTag, ValueError, zlib.error) as error:
        raise Invalid.one("list", _l("The checked file is too old to be taken in. Choose and check it again.")) from error


def _seal() -> TextSeal:
    found = current_app.extensions.get("roster_seal")
    if found is None:
        found = current_app.extensions["roster_seal"] = TextSeal(keys.phone_key(current_settings()), "roster upload")
    return found


def _place(account: Account, what: str) -> str:
    return f"{what}:{account.id}"


def fault_rows(faults: Sequence[Fault], names: dict[str, Any]) -> list[tuple[int, list[str]]]:
    """Line, and what is wrong there in words, each after the name of its column."""
    sep = _(": ")
    return [(one.line, [f"{names[p.field]}{sep}{p.message}" if p.field in names else str(p.message) for p in one.problems])
            for one in faults]


# -- files out -----------------------------------------------------------------------------------------------
def download(pieces: Iterator[bytes], name: str) -> Response:
    """A CSV file, piece by piece as it is made."""
    return Response(stream_with_context(pieces), content_type="text/csv; charset=utf-8", headers={
        "Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store", "X-Accel-Buffering": "no"})
