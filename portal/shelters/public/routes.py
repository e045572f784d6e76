"""The route tables of a community: from its known places to the best shelter of each family of hazards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from portal.core.i18n import LANGUAGES
from portal.shelters.registry.suitability import Family

#: Places of a community in a table; as many as a person finds their own in.
MOST_ORIGINS = 8


@dataclass(frozen=True)
class Way:
    """From one place to its best shelter; `shelter_id` None: there is no safe route. `words`: language → how far in all, then the
    steps; or what to do instead."""

    shelter_id: int | None
    seconds: float
    metres: float
    words: Mapping[str, tuple[str, ...]]

    @property
    def minutes(self) -> int:
        return max(1, -int(-self.seconds // 60))


@dataclass(frozen=True)
class Row:
    zh: str
    en: str
    walk: Way
    step_free: Way

    def name(self, language: str) -> str:
        return self.zh if language == "zh" else self.en or self.zh


@dataclass(frozen=True)
class Table:
    """Families from whose danger the same ways lead out, and these ways. `basis`: "open", or "plan" where none is open."""

    families: tuple[str, ...]
    basis: str
    rows: tuple[Row, ...]

    def facts(self) -> list[Any]:
        return [self.families, self.basis, [[r.zh, r.en, _facts(r.walk), _facts(r.step_free)] for r in self.rows]]

    @property
    def shelters(self) -> set[int]:
        return {way.shelter_id for row in self.rows for way in (row.walk, row.step_free) if way.shelter_id is not None}

    def nearest(self) -> list[tuple[int, int, int]]:
        """(shelter, least minutes, most minutes) over the places of the table, the nearest first."""
        found: dict[int, list[int]] = {}
        for row in self.rows:
            if row.walk.shelter_id is not None:
                found.setdefault(row.walk.shelter_id, []).append(row.walk.minutes)
        return sorted(((s, min(m), max(m)) for s, m in found.items()), key=lambda item: item[1:])

    @property
    def cut_off(self) -> bool:
        """Whether from some place no safe route is known."""
        return any(row.walk.shelter_id is None for row in self.rows)


def _facts(way: Way) -> list[Any]:
    return [way.shelter_id, way.minutes, round(way.metres), dict(way.words)]


#: What was found of each version of the field that is in memory.
_kept: WeakKeyDictionary[Any, dict[tuple[str, tuple[str, ...]], tuple[Table, ...]]] = WeakKeyDictionary()


def tables(view: Any, code: str, families: Mapping[str, Family]) -> tuple[Table, ...]:
    """The tables of a community in one version of the field; found once for each version."""
    kept = _kept.setdefault(view, {})
    key = (code, tuple(families))
    if (known := kept.get(key)) is None:
        known = kept[key] = tuple(_merged(_of_family(view, code, family) for family in families))
    return known


def _of_family(view: Any, code: str, family: str) -> Table | None:
    walk, step_free = f"{family}.walk", f"{family}.step_free"
    if walk not in view.layers:
        return None
    origins: Sequence[Any] = view.origins(code)[:MOST_ORIGINS]
    if not origins:
        return None
    basis = view.basis(walk)
    plan = basis != "open"
    rows = tuple(Row(zh, en, _way(view.route_from_node(node, walk), plan), _way(view.route_from_node(node, step_free), plan))
                 for zh, en, node, _lon, _lat in origins)
    return Table((family,), basis, rows)


def _way(route: Any, plan: bool) -> Way:
    words = {language: tuple(route.words(language)) for language in LANGUAGES}
    if not hasattr(route, "shelter_id"):
        return Way(None, 0.0, 0.0, words)
    if plan:  # the page says it once
        words = {language: told[1:] for language, told in words.items()}
    return Way(route.shelter_id, float(route.seconds), float(route.metres), words)


def _merged(found: Any) -> list[Table]:
    """Families whose ways are the same share one table."""
    same: dict[Any, Table] = {}
    for table in found:
        if table is None:
            continue
        key = repr((table.basis, table.facts()[2]))
        before = same.get(key)
        same[key] = Table((*(before.families if before else ()), *table.families), table.basis, table.rows)
    return list(same.values())
