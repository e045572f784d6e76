"""Fills the public files with the games: a list, and a page for each step of each game.

A step is reached by several ways. What came of the choice that led there stands on its page once for each way, and shows itself
where the link that was followed names it: so the page is one file, and needs no script.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from portal.core.i18n import LANGUAGES
from portal.training.content.values import Node, Way
from portal.training.games.shelf import Game
from portal.training.reading import shelf as shelves
from portal.training.reading.fill import Filling

#: The list of games, in each language.
LISTS = {f"/{language}/games/" for language in LANGUAGES}
_OWN = re.compile(rf"/(?:{'|'.join(LANGUAGES)})/games/")


def is_own(path: str) -> bool:
    """Whether a published path is one of those that are filled here."""
    return _OWN.match(path) is not None


@dataclass(frozen=True, slots=True)
class Choice:
    """A way as a page shows it: `href` leads to the next step and names what to say there."""

    way: Way
    href: str


@dataclass(frozen=True, slots=True)
class Came:
    """How one can have come to a step: what was chosen at `node`, by the mark of the link that leads here."""

    mark: str
    node: Node
    way: Way


def fill(filling: Filling, games: Sequence[Game]) -> None:
    """Put every step, then the list: nothing leads to a page that is not there yet."""
    for game in games:
        pictures = shelves.pictures(game.course)
        for node in game.scenario.nodes:
            context = {"game": game, "node": node, "choices": choices(game, node), "came": came(game, node), "pictures": pictures,
                       "first": node is game.begin, "address": address}
            shown = [item for item in pictures.items() if f"/media/{item[0]}" in node.words.zh + node.words.en]
            filling.page("games/step.html", address(game, node),
                         [repr(node), repr(game.scenario), repr(game.title), repr(shown)], context)
    if games and not filling.behind:
        cards = [(game, shelves.pictures(game.course)) for game in games]
        facts = [(game.id, repr(game.title), repr(game.scenario.words), game.picture("zh"), game.picture("en")) for game in games]
        filling.page("games/list.html", "/games/", facts, {"cards": cards})


def address(game: Game, node: Node) -> str:
    """Where a step stands, below its language."""
    return f"/games/{game.id}/" if node is game.begin else f"/games/{game.id}/{node.id}/"


def choices(game: Game, node: Node) -> list[Choice]:
    """In an order that is always the same and tells nothing: who writes a story often begins with the same kind of choice."""
    steps = {one.id: one for one in game.scenario.nodes}
    numbers = sorted(range(len(node.ways)), key=lambda n: hashlib.sha256(f"{game.id}|{node.id}|{n}".encode()).digest())
    return [Choice(node.ways[n], f"{address(game, steps[node.ways[n].goto])}#{_mark(node, n)}") for n in numbers]


def came(game: Game, node: Node) -> list[Came]:
    return [Came(_mark(one, n), one, way) for one in game.scenario.nodes for n, way in enumerate(one.ways) if way.goto == node.id]


def _mark(node: Node, number: int) -> str:
    return f"{node.id}-{number + 1}"

