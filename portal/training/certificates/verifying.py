"""What a stranger is told of a certificate: by its serial, or by a credential in whatever file carries it. No more than is
needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from flask_babel import lazy_gettext as _l

from portal import current_settings
from portal.core.clock import utcnow
from portal.training.certificates import carriers, credential, issue, signing, store
from portal.training.certificates import serial as serials

#: Why there is nothing to show.
MISTYPED, NOBODYS, NOTHING, MANY, TOO_LARGE, FOREIGN, CHANGED = (
    "mistyped", "nobodys", "nothing", "many", "too_large", "foreign", "changed")
REFUSALS = {
    MISTYPED: (_l("This is not a serial of a certificate of ours"),
               _l("A character is wrong, missing or too many: the check character does not fit. Compare it with the certificate."
                  " If it stands there exactly like this, the certificate is forged.")),
    NOBODYS: (_l("No certificate with this serial was ever granted here"),
              _l("The certificate that you were shown is forged, or it was granted by somebody else.")),
    NOTHING: (_l("There is no credential in it"),
              _l("Take the PDF, the badge (SVG or PNG) or the credential file as it was downloaded. A photo, a screenshot or a"
                 " scan does not carry it; type the serial then.")),
    MANY: (_l("There are several credentials in it"), _l("A file carries one. This one was put together by somebody.")),
    TOO_LARGE: (_l("The file is too large"), _l("A certificate of ours has far less than 1.5 MB.")),
    FOREIGN: (_l("This credential was not signed by this authority"),
              _l("It is forged, or it was granted by somebody else, who alone can verify it.")),
    CHANGED: (_l("This credential was changed"),
              _l("The signature of this authority does not fit what stands in it. Do not rely on it.")),
}


@dataclass(frozen=True, slots=True)
class Found:
    """What is shown: nothing else leaves the house. `masked` is empty where the holder had the name deleted; `by`: the serial
    that took its place; `signed`: it was found by a credential whose signature holds."""

    serial: str
    state: str
    masked: str
    title: Mapping[str, str]
    issued_at: datetime
    valid_until: datetime | None
    by: str
    signed: bool = False

    @property
    def word(self) -> Any:
        return store.WORDS[self.state]

    @property
    def sign(self) -> str:
        return store.SIGNS[self.state]


class Refused(Exception):
    """Nothing to show; `why` is one of the above."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why

    @property
    def words(self) -> tuple[Any, Any]:
        return REFUSALS[self.why]


def by_serial(text: str) -> Found:
    """What is known of a serial as somebody typed it. Raises Refused."""
    serial = serials.typed(text)
    if not serials.is_whole(serial):
        raise Refused(MISTYPED)
    shown = store.by_serial(serial)
    if shown is None:
        raise Refused(NOBODYS)
    row = shown.row
    title = {language: shown.title[language] for language in ("zh", "en")}
    return Found(serial, shown.state, store.masked(issue.name_on(row)), title, row.issued_at, row.valid_until, shown.by)


def by_credential(body: bytes) -> Found:
    """What is known of the credential in a file or pasted text: first its signature, then how it stands. Raises Refused."""
    try:
        token = carriers.token_in(body)
    except carriers.NoCredential as error:
        raise Refused({"several": MANY, "too large": TOO_LARGE}.get(str(error), NOTHING)) from error
    said = _presented(token)
    try:
        known = by_serial(said.serial)
    except Refused:  # signed by us, and not in our books: what it says itself is all that can be said
        state = store.EXPIRED if said.valid_until is not None and said.valid_until < utcnow() else store.UNKNOWN
        return Found(said.serial, state, "", said.title, said.issued_at, said.valid_until, "", signed=True)
    return replace(known, signed=True)  # what the books say, should anything else ever have been signed with a key of ours


def _presented(token: str) -> credential.Presented:
    trusted = signing.trusted(current_settings())
    try:
        return credential.read(signing.verify(token, trusted))
    except signing.UnknownKey as error:
        raise Refused(FOREIGN) from error
    except signing.BadSignature as error:
        raise Refused(CHANGED) from error
    except credential.NotACredential as error:
        raise Refused(NOTHING) from error
