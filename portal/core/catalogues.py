"""Keeping the catalogues in step with the code: extract, update, check.

A *room* is a directory with strings of its own: each package of the portal, each package inside `channels`, `shelters`,
`subscribers` and `training`, and `core`, which also keeps the strings of the modules beside it (`portal/cli.py`). What is
written depends on nothing but the strings and their translations: no dates and no line numbers, so that a
catalogue changes only where the words did.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from babel.messages import Catalog, Message, pofile
from babel.messages.extract import extract

from portal.core.i18n import LANGUAGES, PORTAL

KEYWORDS: dict = {
    "_": None, "_l": None, "gettext": None, "lazy_gettext": None,
    "ngettext": (1, 2), "lazy_ngettext": (1, 2), "_n": (1, 2),
    "pgettext": ((1, "c"), 2), "lazy_pgettext": ((1, "c"), 2), "_p": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3), "lazy_npgettext": ((1, "c"), 2, 3),
}
#: Packages whose sub-packages keep catalogues of their own.
SPLIT = ("channels", "shelters", "subscribers", "training")
_PLURALS = {"zh": "nplurals=1; plural=0;", "en": "nplurals=2; plural=(n != 1);"}
_PLACEHOLDER = re.compile(r"%\((\w+)\)([sdfi])|\{(\w*)\}")

Key = tuple[str, str | None]  # msgid, context


@dataclass
class Entry:
    """One message as the code has it: its plural, if any, and the files that say it."""

    msgid: str
    context: str | None
    plural: str | None = None
    files: set[str] = field(default_factory=set)

    @property
    def ids(self) -> str | tuple[str, str]:
        return (self.msgid, self.plural) if self.plural is not None else self.msgid


def rooms(portal: Path = PORTAL) -> dict[str, Path]:
    """Name → directory of every room, in a fixed order. A room inside another is named `channels/sms`."""
    found: dict[str, Path] = {}
    for package in sorted(p.parent for p in portal.glob("*/__init__.py")):
        found[package.name] = package
        if package.name in SPLIT:
            inner = sorted(p.parent for p in package.glob("*/__init__.py"))
            found.update({f"{package.name}/{p.name}": p for p in inner})
    return found


def _sources(name: str, directory: Path, portal: Path) -> Iterator[tuple[str, Path]]:
    """Extraction method and path of each file whose strings belong to the room."""
    others = [d for n, d in rooms(portal).items() if n.startswith(f"{name}/")]
    files = set(directory.rglob("*.py")) | set(directory.rglob("templates/**/*"))
    if name == "core":
        files |= set(portal.glob("*.py"))
    for path in sorted(f for f in files if f.is_file() and not any(o in f.parents for o in others)):
        if "__pycache__" not in path.parts:
            yield ("python" if path.suffix == ".py" else "jinja2"), path


def extracted(name: str, portal: Path = PORTAL) -> dict[Key, Entry]:
    """Every message in the room's code and templates. Raises KeyError for an unknown room and a syntax error
    for a template that cannot be read."""
    entries: dict[Key, Entry] = {}
    for method, path in _sources(name, rooms(portal)[name], portal):
        options = {"encoding": "utf-8", "silent": "false", "trimmed": "true"}
        with path.open("rb") as source:
            for _line, ids, _comments, context in extract(method, source, KEYWORDS, (), options):
                msgid, plural = (ids[0], ids[1]) if isinstance(ids, tuple) else (ids, None)
                entry = entries.setdefault((msgid, context), Entry(msgid, context))
                entry.plural = entry.plural or plural
                entry.files.add(path.relative_to(portal.parent).as_posix())
    return entries


def po_path(directory: Path, language: str) -> Path:
    return directory / "translations" / language / "LC_MESSAGES" / "messages.po"


def _read(path: Path, language: str) -> dict[Key, Message]:
    if not path.exists():
        return {}
    with path.open("rb") as source:
        catalogue = pofile.read_po(source, locale=language, ignore_obsolete=True)
    return {(m.id[0] if isinstance(m.id, (tuple, list)) else m.id, m.context): m for m in catalogue if m.id}


def _translation(entry: Entry, language: str, kept: Message | None) -> str | tuple[str, ...]:
    """What the catalogue says: English repeats the code, other languages keep what people wrote."""
    if language == "en":
        return entry.ids
    forms = 1 if _PLURALS[language].startswith("nplurals=1") else 2
    given = _forms(kept) if kept is not None and not kept.fuzzy else []
    padded = (*given, *[""] * forms)
    return padded[0] if entry.plural is None else padded[:forms]


def rendered(entries: dict[Key, Entry], language: str, kept: dict[Key, Message]) -> str:
    """The text of a catalogue."""
    catalogue = Catalog(locale=language, fuzzy=False)
    for key, entry in entries.items():
        catalogue.add(entry.ids, _translation(entry, language, kept.get(key)), context=entry.context,
                      locations=[(name, 0) for name in sorted(entry.files)])
    body = io.BytesIO()
    pofile.write_po(body, catalogue, width=110, sort_output=True, omit_header=True, include_lineno=False)
    header = ('msgid ""\nmsgstr ""\n' + f'"Language: {language}\\n"\n' + '"MIME-Version: 1.0\\n"\n'
              '"Content-Type: text/plain; charset=utf-8\\n"\n"Content-Transfer-Encoding: 8bit\\n"\n'
              f'"Plural-Forms: {_PLURALS[language]}\\n"\n\n')
    return header + body.getvalue().decode().rstrip("\n") + "\n"


def _forms(message: Message) -> list[str]:
    return [message.string] if isinstance(message.string, str) else list(message.string or ())


def _translated(messages: dict[Key, Message]) -> dict[Key, Message]:
    return {key: m for key, m in messages.items() if not m.fuzzy and any(_forms(m))}


def _merged(directories: Iterable[Path], language: str) -> dict[Key, Message]:
    merged: dict[Key, Message] = {}
    for directory in directories:
        merged = _translated(_read(po_path(directory, language), language)) | merged
    return merged


def update(names: Iterable[str] = (), portal: Path = PORTAL) -> list[Path]:
    """Bring the catalogues of the named rooms (none: all) in step with the code; the files that changed.

    Keeps translations, drops what the code no longer says, takes the words for a new string from another room
    that already has them, and leaves the rest empty.
    """
    known, changed = rooms(portal), []
    elsewhere = {language: _merged(known.values(), language) for language in LANGUAGES}
    for name in list(names) or list(known):
        entries = extracted(name, portal)
        for language in LANGUAGES:
            path = po_path(known[name], language)
            if not entries and not path.exists():
                continue
            text = rendered(entries, language, elsewhere[language] | _translated(_read(path, language)))
            if path.exists() and path.read_text(encoding="utf-8") == text:
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            scratch = path.with_suffix(".po.new")
            scratch.write_text(text, encoding="utf-8")
            scratch.replace(path)
            changed.append(path)
    return changed


def _placeholders(text: str) -> set[str]:
    return {match.group(0) for match in _PLACEHOLDER.finditer(text)}


def _entry_problem(entry: Entry, message: Message | None) -> str | None:
    """What is wrong with one translation, in words, or None."""
    if message is None:
        return "is not in the catalogue"
    strings = _forms(message)
    if not strings or not all(s.strip() for s in strings):
        return "has no translation"
    if message.fuzzy:
        return "is marked as fuzzy"
    wanted = _placeholders(entry.msgid) | _placeholders(entry.plural or "")
    # A singular form may leave the number out ("one horn"); the last form, which serves all numbers, may not.
    if _placeholders(strings[-1]) != wanted or any(_placeholders(s) - wanted for s in strings):
        return f"has other placeholders than its translation {strings[-1]!r}"
    return None


def check(names: Iterable[str] = (), portal: Path = PORTAL) -> list[str]:
    """One sentence for each thing that is wrong: missing, fuzzy, stale, other placeholders, or one message
    that two rooms translate differently (the catalogues are merged, so one of them would never be seen)."""
    known, problems = rooms(portal), []
    chosen = set(names) or set(known)
    said: dict[tuple[str, Key], tuple[str, Message]] = {}
    for name in known:
        entries = extracted(name, portal)
        for language in LANGUAGES:
            messages = _read(po_path(known[name], language), language)
            where = f"{name} ({language})"
            if name in chosen:
                problems += _own_problems(where, entries, messages)
            for key, message in _translated(messages).items():
                other, first = said.setdefault((language, key), (name, message))
                if _forms(first)[-1] != _forms(message)[-1] and {name, other} & chosen:
                    problems.append(f"{where}: {key[0]!r} is {message.string!r} here and {first.string!r} in"
                                    f" {other}; use the same words, or tell them apart with pgettext")
    return problems


def _own_problems(where: str, entries: dict[Key, Entry], messages: dict[Key, Message]) -> list[str]:
    bad = [f"{where}: {key[0]!r} {problem}" for key, entry in sorted(entries.items(), key=str)
           if (problem := _entry_problem(entry, messages.get(key)))]
    return bad + [f"{where}: {key[0]!r} is no longer in the code" for key in sorted(messages, key=str)
                  if key not in entries]
