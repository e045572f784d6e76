"""From a text to its answer."""

from __future__ import annotations

import logging

from flask import current_app
from flask_babel import force_locale
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from portal.core.db import db
from portal.core.i18n import LANGUAGES
from portal.core.phones import PhoneBook
from portal.subscribers import store
from portal.subscribers.texts import basics, reading
from portal.subscribers.texts.commands import Asked

log = logging.getLogger(__name__)


def ask(phone: str, body: str) -> Asked:
    """What this phone (E.164) asks for. The answer is in the language of the text, or of the subscriber where that tells none."""
    book: PhoneBook = current_app.extensions["phones"]
    index = book.index(phone)
    command, word, rest = reading.read(body)
    language = reading.language_of(body, word)
    if language is None:
        language = store.known([index]).get(index, (LANGUAGES[0], []))[0]
    return Asked(phone, index, command, rest, language)


def answer(asked: Asked, session: Session | None = None) -> str:
    """Do what is asked, and the words of the answer. `session` is that of the caller's write transaction where the command
    changes something; what only reads is asked without."""
    with force_locale(asked.language):
        if asked.command is None:
            return basics.unknown(asked)
        if asked.command.changes:
            if session is None:
                raise ValueError("this command writes: it needs a transaction")
            return asked.command.act(asked, session)
        try:
            return asked.command.act(asked, db.session)
        except Exception:
            log.exception("the answer to a text (%s) could not be found", asked.command.key)
            db.session.rollback()
            return _("This cannot be looked up just now. In danger call 119 or 110.")
