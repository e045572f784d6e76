"""Checks content/shelters/families.yaml as an editor wants it: every fault at once, each with its line."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from portal.shelters.registry.suitability import HAZARDS
from portal.warnings.strict_yaml import ContentProblem, Fields, Section, line_of, read_mapping

FILE = Path("shelters") / "families.yaml"
#: A family's key stands in addresses, beside the codes of shelters.
_KEY = re.compile(r"[a-z]{2,20}\Z", re.ASCII)
MOST = 20


def problems(content: Path, events: Collection[str] | None) -> list[ContentProblem]:
    """What is wrong with the hazard families under a content directory. `events`: the codes of hazards that exist; None:
    nobody knows them, and they are not compared."""
    found: list[ContentProblem] = []
    try:
        tree = read_mapping(content / FILE, found)
    except OSError as error:
        return [ContentProblem(FILE.name, 1, "", f"cannot be read: {error.strerror}")]
    if tree is None:
        return found
    file = Fields(content / FILE, found)
    file.known(tree, "", ("families",))
    rows = tree.get("families")
    if not isinstance(rows, list) or not rows or len(rows) > MOST:
        file.note(line_of(tree, "families"), "families", f"must be a list of at least one and at most {MOST} families")
        return found
    keys: set[str] = set()
    taken: dict[str, str] = {}
    for number, row in enumerate(rows, 1):
        if isinstance(row, Section):
            _family(file, row, f"families.{number}.", keys, taken, events)
        else:
            file.note(line_of(tree, "families"), f"families.{number}", "must be a mapping of keys")
    return found


def _family(
    file: Fields, row: Section, at: str, keys: set[str], taken: dict[str, str], events: Collection[str] | None
) -> None:
    file.known(row, at, ("key", "zh", "en", "hazards", "events", "expected"))
    key = file.text(row, "key", at)
    for language in ("zh", "en"):
        file.text(row, language, at)
    if key and not _KEY.match(key):
        file.note(line_of(row, "key"), f"{at}key", "must be one word of 2 to 20 small letters")
    if key in keys:
        file.note(line_of(row, "key"), f"{at}key", f"{key} stands twice")
    keys.add(key)
    file.choices(row, "hazards", at, tuple(HAZARDS))
    share = row.get("expected", 1.0)
    if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share <= 1:
        file.note(line_of(row, "expected"), f"{at}expected", "must be a share of the people between 0 and 1")
    share = row.get("expected", 1.0)
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
        file.note(line_of(row, "expected"), f"{at}expected", "must be a share of the people, from 0 to 1")
    codes = row.get("events")
    if not isinstance(codes, list) or not all(isinstance(code, str) for code in codes):
        file.note(line_of(row, "events"), f"{at}events", "must be a list of hazards' codes in quotes")
        return
    for code in codes:
        if code in taken:
            file.note(line_of(row, "events"), f"{at}events", f"{code} stands in {taken[code]} already")
        elif events is not None and code not in events:
            file.note(line_of(row, "events"), f"{at}events", f"{code} is no hazard of content/hazards")
        taken[code] = key
