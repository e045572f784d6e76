"""Maps of the desk, drawn on the server from our own boundaries."""

from __future__ import annotations

from markupsafe import Markup

from portal import current_settings
from portal.core.i18n import select_language
from portal.dispatch.progress import Horn
from portal.regions import svg
from portal.warnings.models import Bulletin

#: Horn states that a colour and a shape stand for on the map.
CLASSES = {"finished": "good", "playing": "good", "heard": "some", "accepted": "some", "pending": "none", "uncertain": "none"}


def area(bulletin: Bulletin) -> Markup:
    """The district with the bulletin's regions and drawn area."""
    return svg.map_svg(
        [current_settings().district],
        select_language(),
        highlight=bulletin.region_codes,
        area=bulletin.snapshot["target"]["area"],
    )


def horns(bulletin: Bulletin, found: list[Horn]) -> Markup:
    """The same with a sign for each horn: filled for spoken, half for heard, cross for silent or failed."""
    points = [
        (h.speaker.longitude, h.speaker.latitude, f"horn-{CLASSES.get(h.status, 'bad')}", h.speaker.name(select_language()))  # type: ignore[attr-defined]
        for h in found
        if h.speaker is not None
    ]
    return svg.map_svg([current_settings().district], select_language(), highlight=bulletin.region_codes, points=points)
