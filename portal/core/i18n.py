"""Languages: which one a request is answered in, and the catalogues.

Every capability keeps its own catalogue in ``<capability>/translations/<language>/LC_MESSAGES/messages.po``; they
are merged. English is written in the code; ``zh`` is complete, and so is ``en`` (it says what the code says).
"""

from __future__ import annotations

import os
from pathlib import Path

from babel.messages import mofile, pofile
from flask import Flask, g, has_request_context, request, session
from flask_babel import Babel

LANGUAGES = ("zh", "en")
PORTAL = Path(__file__).resolve().parent.parent


def catalogue_dirs() -> list[Path]:
    """The `translations` directories of all capabilities, in a fixed order."""
    return sorted(p for p in PORTAL.rglob("translations") if p.is_dir())


def compile_catalogues() -> int:
    """Compile each catalogue that is newer than its compiled form; the number compiled."""
    done = 0
    for directory in catalogue_dirs():
        for po in directory.glob("*/LC_MESSAGES/messages.po"):
            mo = po.with_suffix(".mo")
            if mo.exists() and mo.stat().st_mtime >= po.stat().st_mtime:
                continue
            with po.open("rb") as source:
                catalogue = pofile.read_po(source, locale=po.parent.parent.name)
            scratch = mo.with_suffix(f".mo.{os.getpid()}")  # processes may start at the same time
            with scratch.open("wb") as target:
                mofile.write_mo(target, catalogue)
            scratch.replace(mo)
            done += 1
    return done


def select_language() -> str:
    """The language in the URL, else the one chosen at the desk, else what the browser asks for, else Chinese."""
    if not has_request_context():
        return LANGUAGES[0]
    if chosen := g.get("language"):
        return chosen
    if (chosen := session.get("language")) in LANGUAGES:
        return chosen
    for value, _quality in request.accept_languages:
        if (short := value.split("-")[0].split("_")[0].lower()) in LANGUAGES:
            return short
    return LANGUAGES[0]


def init_app(app: Flask, timezone: str) -> Babel:
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = ";".join(str(p) for p in catalogue_dirs())
    return Babel(app, default_locale=LANGUAGES[0], default_timezone=timezone, locale_selector=select_language,
                 timezone_selector=lambda: timezone)
