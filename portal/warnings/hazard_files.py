"""Reading ``content/hazards``: strictly, and with the file, line and keys of everything that is wrong.

An editor who mistypes must hear of it here and not when a warning is due, so nothing is guessed, ignored or
defaulted silently: unknown keys, missing translations, wrong tiers and unknown placeholders are all problems.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from portal.config import TIERS
from portal.warnings.cap_message import CATEGORIES, CERTAINTIES, RESPONSES, URGENCIES
from portal.warnings.hazards import (
    CHANNELS,
    KINDS,
    Criteria,
    Guidance,
    Hazard,
    Phrase,
    Signal,
    TemplateKey,
)
from portal.warnings.strict_yaml import ContentProblem, Fields, Section, empty, line_of, read_mapping

#: What a template may hold in braces; templates.py fills them.
PLACEHOLDERS = frozenset(
    {
        "areas",
        "hazard",
        "Hazard",
        "tier",
        "Tier",
        "previous_tier",
        "grade",
        "onset",
        "expires",
        "authority",
        "signature",
        "threat",
        "action",
        "steps",
        "spoken",
    }
)
LANGUAGES = ("zh", "en")
GENERIC, CODES = "generic.yaml", "codes.yaml"
MIN_STEPS = 4

_CODE = re.compile(r"\d{2}(?:[A-Z]\d{2}|\d{3})\Z", re.ASCII)
_BRACED = re.compile(r"\{([^{}]*)\}")
_GUIDANCE = ("threat", "action", "steps", "spoken")
_SIGNAL = ("criteria", "urgency", "certainty", "responses", "shelters_open", "schools_suspend", *_GUIDANCE)


class _Reader(Fields):
    """What a file of hazards may hold."""

    def phrase(self, parent: Section, key: str, at: str) -> Phrase:
        section = self.section(parent, key, at)
        return self.both(section, f"{at}{key}.") if section is not None else Phrase("", "")

    def both(self, section: Section, at: str) -> Phrase:
        self.known(section, at, LANGUAGES)
        return Phrase(*(self.text(section, language, at) for language in LANGUAGES))

    def phrases(self, parent: Section, key: str, at: str, least: int) -> tuple[Phrase, ...]:
        value = parent.get(key)
        if not isinstance(value, list) or len(value) < least:
            self.note(
                line_of(parent, key), f"{at}{key}", f"must be a list of {least} or more, each with zh and en"
            )
            return ()
        found = []
        for number, item in enumerate(value, 1):
            if isinstance(item, Section):
                found.append(self.both(item, f"{at}{key}.{number}."))
            else:
                self.note(line_of(parent, key), f"{at}{key}.{number}", "must have zh and en")
        return tuple(found)

    def tiers(self, section: Section, key: str, at: str, given: Sequence[str]) -> tuple[str, ...]:
        if not given or any(t not in TIERS for t in given):
            self.note(line_of(section, key), f"{at}{key}", f"must be some of the tiers {', '.join(TIERS)}")
        elif list(given) != [t for t in TIERS if t in given]:
            self.note(
                line_of(section, key),
                f"{at}{key}",
                f"tiers must stand once and in the order {', '.join(TIERS)}",
            )
        return tuple(t for t in TIERS if t in given)

    def code(self, section: Section, at: str) -> str:
        code = self.text(section, "code", at)
        if code and not _CODE.match(code):
            self.note(
                line_of(section, "code"),
                f"{at}code",
                f"{code!r} is no event code (two digits, a letter, two digits: 11B03)",
            )
        return code

    def guidance(self, section: Section, at: str) -> dict[str, Any]:
        return {
            "threat": self.phrase(section, "threat", at),
            "action": self.phrase(section, "action", at),
            "steps": self.phrases(section, "steps", at, MIN_STEPS),
            "spoken": self.phrases(section, "spoken", at, 1),
        }

    def signal(self, section: Section, tier: str, at: str, *, generic: bool) -> Signal:
        self.known(
            section,
            at,
            ("templates", *_SIGNAL) if not generic else tuple(k for k in _SIGNAL if k != "criteria"),
        )
        return Signal(
            tier=tier,
            criteria=None if generic else self.criteria(section, at),
            generic=generic,
            urgency=self.choice(section, "urgency", at, URGENCIES),
            certainty=self.choice(section, "certainty", at, CERTAINTIES),
            responses=self.choices(section, "responses", at, RESPONSES),
            shelters_open=self.yes(section, "shelters_open", at),
            schools_suspend=self.yes(section, "schools_suspend", at),
            **self.guidance(section, at),
        )

    def criteria(self, parent: Section, at: str) -> Criteria | None:
        section = self.section(parent, "criteria", at)
        if section is None:
            return None
        at = f"{at}criteria."
        self.known(section, at, ("zh", "en", "source", "confirmed"))
        return Criteria(
            Phrase(self.text(section, "zh", at), self.text(section, "en", at)),
            self.phrase(section, "source", at),
            self.yes(section, "confirmed", at),
        )

    def all_clear(self, section: Section) -> Guidance:
        self.known(section, "all_clear.", _GUIDANCE)
        return Guidance(**self.guidance(section, "all_clear."))

    def templates(
        self, parent: Section, at: str, tier: str = "", *, complete: bool = False
    ) -> dict[TemplateKey, str]:
        """Templates as kind → language → channel → text. `complete`: all of them must be there."""
        found: dict[TemplateKey, str] = {}
        top = self.section(parent, "templates", at, required=complete)
        if top is None:
            return found
        at = f"{at}templates."
        self.known(top, at, KINDS)
        for kind in KINDS if complete else [k for k in KINDS if k in top]:
            if (languages := self.section(top, kind, at)) is None:
                continue
            self.known(languages, f"{at}{kind}.", LANGUAGES)
            for language in LANGUAGES:
                if (channels := self.section(languages, language, f"{at}{kind}.")) is None:
                    continue
                self.known(channels, f"{at}{kind}.{language}.", CHANNELS)
                for channel in CHANNELS if complete else [c for c in CHANNELS if c in channels]:
                    text = self.text(channels, channel, f"{at}{kind}.{language}.")
                    self.placeholders(
                        text, channels.lines.get(channel, channels.line), f"{at}{kind}.{language}.{channel}"
                    )
                    found[tier, kind, language, channel] = text
        return found

    def placeholders(self, text: str, line: int, keys: str) -> None:
        for name in _BRACED.findall(text):
            if name not in PLACEHOLDERS:
                self.note(
                    line,
                    keys,
                    f"unknown placeholder {{{name}}}; possible are {', '.join(sorted(PLACEHOLDERS))}",
                )
        if set(_BRACED.sub("", text)) & set("{}"):
            self.note(line, keys, "a brace stands alone; braces only surround placeholders")


def read(directory: Path) -> tuple[dict[str, Hazard], list[ContentProblem]]:
    """Every hazard by code, and everything that is wrong in `directory` (then the hazards are not to be
    used)."""
    problems: list[ContentProblem] = []
    paths = sorted(directory.glob("*.yaml"))
    for name in (GENERIC, CODES):
        if directory / name not in paths:
            problems.append(ContentProblem(name, 1, "", f"is missing in {directory}"))
    trees = {
        path.name: (_Reader(path, problems), tree)
        for path in paths
        if (tree := read_mapping(path, problems)) is not None
    }
    if GENERIC not in trees or CODES not in trees:
        return {}, problems
    signals, all_clear, templates = _generic(*trees.pop(GENERIC))
    found: dict[str, Hazard] = {}
    files: dict[str, str] = {}
    for name, (reader, tree) in sorted(trees.items(), key=lambda item: item[0] == CODES):
        hazards = (
            _compact(reader, tree, signals, all_clear, templates)
            if name == CODES
            else [(_full(reader, tree, signals, all_clear, templates), 1)]
        )
        for hazard, line in hazards:
            if hazard.code in found:
                reader.note(line, "code", f"{hazard.code} is already described in {files[hazard.code]}")
                continue
            found[hazard.code], files[hazard.code] = hazard, name
    return found, problems


def _generic(reader: _Reader, tree: Section) -> tuple[dict[str, Signal], Guidance, dict[TemplateKey, str]]:
    reader.known(tree, "", ("tiers", "all_clear", "templates"))
    signals = {}
    tiers = reader.section(tree, "tiers", "") or empty(tree)
    reader.known(tiers, "tiers.", TIERS)
    for tier in TIERS:
        signals[tier] = reader.signal(
            reader.section(tiers, tier, "tiers.") or empty(tiers), tier, f"tiers.{tier}.", generic=True
        )
    return (
        signals,
        reader.all_clear(reader.section(tree, "all_clear", "") or empty(tree)),
        reader.templates(tree, "", complete=True),
    )


def _full(
    reader: _Reader,
    tree: Section,
    signals: Mapping[str, Signal],
    all_clear: Guidance,
    templates: Mapping[TemplateKey, str],
) -> Hazard:
    reader.known(tree, "", ("code", "zh", "en", "category", "about", "tiers", "all_clear", "templates"))
    own: dict[str, Signal] = {}
    texts = {**templates, **reader.templates(tree, "")}
    sections = reader.section(tree, "tiers", "") or empty(tree)
    tiers = reader.tiers(tree, "tiers", "", list(sections))
    for tier in tiers:
        section = reader.section(sections, tier, "tiers.")
        if section is not None:
            own[tier] = reader.signal(section, tier, f"tiers.{tier}.", generic=False)
            texts.update(reader.templates(section, f"tiers.{tier}.", tier))
    clear = reader.section(tree, "all_clear", "", required=False)
    return Hazard(
        code=reader.code(tree, ""),
        names=Phrase(reader.text(tree, "zh", ""), reader.text(tree, "en", "")),
        category=reader.choice(tree, "category", "", CATEGORIES),
        tiers=tiers,
        full=True,
        file=reader.file,
        about=reader.phrase(tree, "about", ""),
        signals={**signals, **own},
        all_clear=reader.all_clear(clear) if clear is not None else all_clear,
        templates=texts,
    )


def _compact(
    reader: _Reader,
    tree: Section,
    signals: Mapping[str, Signal],
    all_clear: Guidance,
    templates: Mapping[TemplateKey, str],
) -> list[tuple[Hazard, int]]:
    reader.known(tree, "", ("hazards",))
    rows = tree.get("hazards")
    if not isinstance(rows, list):
        reader.note(line_of(tree, "hazards"), "hazards", "must be a list")
        return []
    found = []
    for number, row in enumerate(rows, 1):
        at = f"hazards.{number}."
        if not isinstance(row, Section):
            reader.note(line_of(tree, "hazards"), at[:-1], "must have code, zh, en, category and tiers")
            continue
        reader.known(row, at, ("code", "zh", "en", "category", "tiers"))
        tiers = row.get("tiers")
        names = Phrase(reader.text(row, "zh", at), reader.text(row, "en", at))
        found.append(
            (
                Hazard(
                    code=reader.code(row, at),
                    names=names,
                    category=reader.choice(row, "category", at, CATEGORIES),
                    tiers=reader.tiers(row, "tiers", at, tiers if isinstance(tiers, list) else []),
                    full=False,
                    file=reader.file,
                    about=names,
                    signals=signals,
                    all_clear=all_clear,
                    templates=templates,
                ),
                row.line,
            )
        )
    return found
