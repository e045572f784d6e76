"""What is made when somebody asks: the cards of guides as PDF."""

from __future__ import annotations

import hashlib
import threading
from functools import lru_cache

from flask import Blueprint, Response, abort, g, request
from flask_babel import force_locale

from portal import current_settings
from portal.core.i18n import LANGUAGES
from portal.guides import card, shelf
from portal.guides.values import Guide

#: Seconds for which a reader and a proxy may keep a card without asking, and cards that a process keeps.
KEPT_SECONDS, MOST_CARDS = 3600, 80
_making = threading.Lock()


def make_blueprint() -> Blueprint:
    blueprint = Blueprint("guides", __name__)
    blueprint.add_url_rule("/guides/<name>/card-<language>.pdf", "card", one_card)
    return blueprint


def one_card(name: str, language: str) -> Response:
    if language not in LANGUAGES:
        abort(404)
    g.language = language
    settings = current_settings()
    if (guide := shelf.read(settings.content).get(name)) is None:
        abort(404)
    authority = settings.authority_zh if language == "zh" else settings.authority_en
    address = f"{settings.base_url.rstrip('/')}/{language}/guides/{name}/"
    with _making:  # one at a time: whoever comes meanwhile finds it made
        body = _made(guide, language, address, authority)
    answer = Response(body, mimetype="application/pdf")
    answer.set_etag(hashlib.sha256(body).hexdigest()[:24])
    answer.headers["Cache-Control"] = f"public, max-age={KEPT_SECONDS}"
    answer.headers["Content-Disposition"] = f'inline; filename="{name}-{language}.pdf"'
    answer.make_conditional(request)
    return answer


@lru_cache(maxsize=MOST_CARDS)
def _made(guide: Guide, language: str, address: str, authority: str) -> bytes:
    with force_locale(language):
        return card.pdf(guide, language, address, authority)
