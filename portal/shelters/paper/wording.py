"""The words of paper that editors keep in `content/shelters/paper.yaml`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from portal import current_settings
from portal.warnings.hazards import Phrase
from portal.warnings.strict_yaml import ContentProblem, Fields, Section, line_of, read_mapping

FILE = Path("shelters") / "paper.yaml"
TIERS = ("blue", "yellow", "orange", "red")


@dataclass(frozen=True, slots=True)
class Call:
    number: str
    name: Phrase


@dataclass(frozen=True)
class Wording:
    """`signals`: (sign, what is done with it); `tiers`: the community's steps by tier, lowest first."""

    signals: tuple[tuple[Phrase, Phrase], ...]
    tiers: dict[str, tuple[Phrase, ...]]
    take: tuple[Phrase, ...]
    leave: tuple[Phrase, ...]
    calls: tuple[Call, ...]
    stamp: str


class WordingError(ValueError):
    """The file cannot be used; says everything that is wrong."""


def wording() -> Wording:
    """As the file says now. Raises WordingError."""
    path = current_settings().content / FILE
    return _usable(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _usable(path: Path, changed: int) -> Wording:
    problems: list[ContentProblem] = []
    found = _read(path, changed, problems)
    if found is None or problems:
        raise WordingError("; ".join(map(str, problems)))
    return found


def problems(content: Path) -> list[ContentProblem]:
    """What is wrong with the file under a content directory."""
    found: list[ContentProblem] = []
    try:
        _read(content / FILE, 0, found)
    except OSError as error:
        return [ContentProblem(FILE.name, 1, "", f"cannot be read: {error.strerror}")]
    return found


def _read(path: Path, changed: int, problems: list[ContentProblem]) -> Wording | None:
    file = Fields(path, problems)
    tree = read_mapping(path, problems)
    if tree is None:
        return None
    file.known(tree, "", ("signals", "tiers", "take", "leave", "calls"))
    signals, calls, tiers = [], [], {}
    for at, section in _sections(file, tree, "signals"):
        name, does = (file.section(section, key, at) for key in ("name", "does"))
        if name is not None and does is not None:
            signals.append((_phrase(file, name, f"{at}name."), _phrase(file, does, f"{at}does.")))
    for at, section in _sections(file, tree, "tiers"):
        tiers[file.choice(section, "tier", at, TIERS)] = _phrases(file, section, "steps", at)
    for at, section in _sections(file, tree, "calls"):
        calls.append(Call(file.text(section, "number", at), _phrase(file, section, at)))
    return Wording(tuple(signals), {t: tiers[t] for t in TIERS if t in tiers}, _phrases(file, tree, "take", ""),
                   _phrases(file, tree, "leave", ""), tuple(calls), f"{changed}")


def _sections(file: Fields, parent: Section, key: str, at: str = "") -> list[tuple[str, Section]]:
    value = parent.get(key)
    if not isinstance(value, list) or not value or not all(isinstance(item, Section) for item in value):
        file.note(line_of(parent, key), f"{at}{key}", "must be a list of mappings")
        return []
    return [(f"{at}{key}.{n}.", item) for n, item in enumerate(value, start=1)]


def _phrases(file: Fields, parent: Section, key: str, at: str) -> tuple[Phrase, ...]:
    return tuple(_phrase(file, section, here) for here, section in _sections(file, parent, key, at))


def _phrase(file: Fields, section: Section, at: str) -> Phrase:
    return Phrase(file.text(section, "zh", at), file.text(section, "en", at))
