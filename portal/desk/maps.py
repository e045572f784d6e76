"""Maps of the desk, drawn on the server from our own boundaries."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from flask_babel import gettext as _
from markupsafe import Markup

from portal import current_settings
from portal.channels.speakers import registry as horn_registry
from portal.channels.speakers.models import Speaker
from portal.core.i18n import select_language
from portal.desk import labels
from portal.dispatch.progress import Horn
from portal.regions import svg
from portal.warnings.models import Bulletin

#: What a horn did, and how it is, as a colour and a shape on the map.
DONE = {"finished": "good", "playing": "good", "heard": "some", "accepted": "some", "pending": "none"}
PRESENT = {"online": "good", "playing": "good", "unknown": "none"}


def area(bulletin: Bulletin) -> Markup:
    """The district with the bulletin's regions and drawn area."""
    return svg.map_svg(
        [current_settings().district],
        select_language(),
        highlight=bulletin.region_codes,
        area=bulletin.snapshot["target"]["area"],
    )


def horns(bulletin: Bulletin, found: Sequence[Horn]) -> Markup:
    """The same with a sign for each horn: a disc for spoken, half for taken, a ring for no answer, a cross for failed."""
    language = select_language()
    points = [
        (s.longitude, s.latitude, f"horn-{DONE.get(h.status, 'bad')}", _("%(name)s: %(state)s", name=s.name(language),
                                                                        state=labels.HORNS.get(h.status, h.status)))
        for h in found
        if isinstance(s := h.speaker, Speaker)
    ]
    return svg.map_svg([current_settings().district], language, highlight=bulletin.region_codes, points=points)


def registry(code: str, found: Sequence[Speaker], now: datetime) -> Markup:
    """A region with a sign for each horn: a disc where there is contact, a ring before the first word, else a cross."""
    language, points = select_language(), []
    for s in found:
        shown = horn_registry.state_shown(s, now)
        title = _("%(name)s: %(state)s", name=s.name(language), state=labels.DEVICES[shown])
        points.append((s.longitude, s.latitude, f"horn-{PRESENT.get(shown, 'bad')}", title))
    return svg.map_svg([code], language, points=points)
