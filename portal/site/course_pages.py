"""The pages of courses in the generations of the site.

Courses change when their files or the portal change, warnings at any moment. So a warning is published with the pages of
courses as they are, and these are brought up to date on their own, in generations that each take a second or little more.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import math
import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Flask

from portal.config import Settings
from portal.guides import shelf as guides
from portal.site.generations import name_of_current, read_manifest
from portal.training.games import fill as games
from portal.training.games import shelf as games_shelf
from portal.training.games.shelf import Game
from portal.training.reading import fill as room
from portal.training.reading import shelf as shelves
from portal.training.reading.shelf import Shelf

if TYPE_CHECKING:
    from portal.site.publish import Published, Publishing

logger = logging.getLogger(__name__)

#: Seconds that the pages of courses may take in one generation, and how many generations one bringing up to date may make.
SLICE_SECONDS, MOST_ROUNDS = 1.0, 600
#: Beside the generations: what the pages of courses were made of, and how many there are.
FILE = "courses.txt"


def is_own(path: str) -> bool:
    """Whether a published path is a page of a course or of a game, or a picture of theirs."""
    return room.is_own(path) or games.is_own(path)


def keep(publishing: Publishing) -> None:
    """Take the pages of courses over as they are, with the styles that they were made for. Where there never were any, the list
    says so, because each page leads to it."""
    publishing.building.keep(lambda path: is_own(path) or path.startswith("/assets/"))
    try:
        if room.LISTS - publishing.building.entries.keys():
            room.Filling(publishing, Shelf("", (), 0), math.inf).fill()
    except Exception:
        logger.exception("the list of courses could not be rendered")


def publish_courses(app: Flask, *, everything: bool = False) -> Published:
    """Bring the pages of courses in step with their files. With `everything`, all are rendered again. Raises TimeoutError when
    other publishers hold the lock too long."""
    from portal.site.publish import Published, generation

    started = time.monotonic()
    settings: Settings = app.extensions["anlan"]
    nonce = secrets.token_hex(8) if everything else ""
    with app.app_context():
        shelf, played = shelves.read(settings.content), games_shelf.read(settings.content)  # it takes its time, and needs no lock
    rendered = 0
    for _round in range(MOST_ROUNDS):
        round_ = _Round(shelf, played)
        # Shelters that changed have a publishing of their own; together the two would hold a warning back twice as long.
        building, _shelters = generation(app, nonce, 0.0, round_.fill)
        rendered += building.rendered
        if not round_.behind:
            break
    return Published(building.name, rendered, building.linked, time.monotonic() - started)


class _Round:
    """One slice. `behind`: how many pages, of guides too, are left for the next one."""

    def __init__(self, shelf: Shelf, played: Sequence[Game]) -> None:
        self._shelf, self._played, self.behind = shelf, played, 0

    def fill(self, publishing: Publishing) -> None:
        """Whatever goes wrong, the last pages stay, and it is tried again."""
        leads_to = {game.course.id for game in self._played}
        filling = room.Filling(publishing, self._shelf, time.monotonic() + SLICE_SECONDS, leads_to)
        try:
            games.fill(filling, self._played)
            filling.fill()
            self.behind = filling.behind + publishing.guides_behind
        except Exception as error:
            logger.exception("the pages of courses could not be rendered; the last ones stay")
            filling.trouble = error
        if self.behind or filling.trouble:
            keep(publishing)
            return
        there = sum(map(is_own, publishing.building.entries))
        with contextlib.suppress(OSError):  # then it is done again
            done = f"{_mark(publishing.settings, self._shelf.token)} {there}"
            (publishing.building.root / FILE).write_text(done, encoding="utf-8")


def due(settings: Settings) -> bool:
    """Whether the pages of courses are other than their files, or are not all there."""
    from portal.site.publish import root_of

    root = root_of(settings)
    name = name_of_current(root)
    manifest = read_manifest(root / name) if name else None
    there = sum(map(is_own, manifest.entries)) if manifest else 0
    return not there or _noted(root / FILE) != f"{_mark(settings, shelves.token(settings.content))} {there}"


def _mark(settings: Settings, token: str) -> str:
    """Changes with all that the pages of courses are made of."""
    from portal.site.publish import code_version

    facts = [code_version(), token, games_shelf.token(settings.content), settings.authority_zh, settings.authority_en,
             settings.timezone, settings.demo, settings.sandboxed, guides.token(settings.content)]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]


def _noted(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""
