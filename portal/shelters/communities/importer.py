"""Communities from a content file: read and checked as a whole, then written in one transaction.

The form, in YAML (`content/shelters/communities.yaml`)::

    demonstration: true            # all of the file is invented; may be left out
    communities:
      - code: "440310001001"       # of a community that is known
        posts:                     # in the order in which they are called
          - post: {zh: 社区防汛责任人, en: Flood officer of the community}
            task: {zh: 统一指挥转移, en: Directs the evacuation}      # may be left out
            phone: "0755 8462 0001"                                   # a duty telephone; never a person's own
            mobile: true           # only with a mobile number: it belongs to the post
        risks:
          - code: LL-R01           # its identity, for ever, unique in the district
            kind: slope            # one of words.RISKS
            name: {zh: 龙田路北侧边坡, en: Slope north of Longtian Road}
            lon: 114.3012          # WGS 84; both or none
            lat: 22.6987
            people: 46             # who live or work in its reach; left out: unknown
            note: {zh: …, en: …}   # may be left out
            checked: 2026-05-11    # a day; may be left out
        ten:                       # what is not named is unknown
          speakers: {there: true, note: {zh: 8 只, en: 8 horns}, checked: 2026-05-11}
          alarms: {there: false}

Each community of the file is made to be as the file says, and what it no longer names goes; communities that it does not
name stay as they are. A file that is a demonstration replaces demonstration rows only: what staff entered at the desk is
real, and is left. Doing it twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from portal import current_settings
from portal.core import audit
from portal.core.clock import from_local
from portal.core.db import transaction
from portal.regions import lookup
from portal.shelters.communities import telephones, words
from portal.shelters.communities.writing import Rows, replace
from portal.warnings.strict_yaml import ContentProblem, Fields, Section, line_of, read_mapping

MOST_POSTS, MOST_RISKS, MOST_SHOWN = 20, 200, 100


@dataclass
class Report:
    """What an import found and did. `problems` are sentences with file and line; with any of them nothing is changed."""

    communities: int = 0
    posts: int = 0
    risks: int = 0
    haves: int = 0
    changed: int = 0
    left: int = 0
    problems: list[str] = field(default_factory=list)


def import_file(path: Path, *, check: bool = False, actor: audit.Actor = audit.SYSTEM) -> Report:
    """Bring the communities of a file in; `check` only reads it."""
    problems: list[ContentProblem] = []
    found = _read(path, problems)
    report = Report(len(found), sum(len(r.posts) for r in found), sum(len(r.risks) for r in found),
                    sum(len(r.ten) for r in found), problems=[str(p) for p in problems[:MOST_SHOWN]])
    if check or problems:
        return report
    with transaction() as session:
        for rows in found:
            outcome = replace(session, rows)
            report.changed += outcome.changed
            report.left += outcome.left
        if report.changed:
            audit.append(session, actor, "communities.import", f"file:{path.name}"[:120],
                         {"rows": report.communities, "changed": report.changed, "left": report.left})
    return report


def _read(path: Path, problems: list[ContentProblem]) -> list[Rows]:
    file = Fields(path, problems)
    tree = read_mapping(path, problems)
    if tree is None:
        return []
    file.known(tree, "", ("demonstration", "communities"))
    demonstration = file.yes(tree, "demonstration", "") if "demonstration" in tree else False
    found: list[Rows] = []
    seen: set[str] = set()
    codes: set[str] = set()
    for at, section in _list(file, tree, "communities", ""):
        reader = _Community(file, section, at, demonstration, codes)
        if rows := reader.rows():
            if rows.code in seen:
                file.note(line_of(section, "code"), f"{at}code", f"{rows.code} stands twice")
            seen.add(rows.code)
            found.append(rows)
    return found


def _list(file: Fields, parent: Section, key: str, at: str) -> list[tuple[str, Section]]:
    value = parent.get(key, [])
    if not isinstance(value, list):
        file.note(line_of(parent, key), f"{at}{key}", "must be a list")
        return []
    found = []
    for n, item in enumerate(value, start=1):
        if isinstance(item, Section):
            found.append((f"{at}{key}.{n}.", item))
        else:
            file.note(line_of(parent, key), f"{at}{key}.{n}", "must be a mapping of keys")
    return found


class _Community:
    """Reads one community; `codes` are those of all risk points of the file so far."""

    def __init__(self, file: Fields, section: Section, at: str, demonstration: bool, codes: set[str]) -> None:
        self.file, self.section, self.at, self.demonstration, self.codes = file, section, at, demonstration, codes

    def rows(self) -> Rows | None:
        section = self.section
        self.file.known(section, self.at, ("code", "posts", "risks", "ten"))
        code = self.file.text(section, "code", self.at)
        node = lookup.get(code) if code else None
        if node is None or node.level != "community":
            self.note(section, "code", f"{code or 'nothing'} is no community that is known here; import the regions first")
            return None
        return Rows(code, self._many("posts", MOST_POSTS, self._post), self._many("risks", MOST_RISKS, self._risk),
                    self._ten(), self.demonstration)

    def note(self, section: Section, key: str, message: str, at: str = "") -> None:
        self.file.note(line_of(section, key), f"{at or self.at}{key}", message)

    def _many(self, key: str, most: int, read: Callable[[Section, str], dict[str, Any]]) -> list[dict[str, Any]]:
        items = _list(self.file, self.section, key, self.at)
        if len(items) > most:
            self.note(self.section, key, f"at most {most} are possible, these are {len(items)}")
        return [read(section, at) for at, section in items[:most]]

    def _pair(self, section: Section, key: str, at: str, longest: tuple[int, int], *, required: bool = True) -> tuple[str, str]:
        both = self.file.section(section, key, at, required=required)
        if both is None:
            return "", ""
        texts = []
        for language, most in zip(("zh", "en"), longest, strict=True):
            text = self.file.text(both, language, f"{at}{key}.")
            if len(text) > most or not text.isprintable():
                self.note(both, language, f"at most {most} printable characters are possible", f"{at}{key}.")
            texts.append(text[:most])
        self.file.known(both, f"{at}{key}.", ("zh", "en"))
        return texts[0], texts[1]

    def _post(self, section: Section, at: str) -> dict[str, Any]:
        self.file.known(section, at, ("post", "task", "phone", "mobile"))
        post_zh, post_en = self._pair(section, "post", at, (80, 120))
        task_zh, task_en = self._pair(section, "task", at, (200, 300), required=False)
        mobile = self.file.yes(section, "mobile", at) if "mobile" in section else False
        phone = self.file.text(section, "phone", at)
        try:
            phone = telephones.duty_number(phone, mobile_is_of_the_post=mobile) if phone else ""
        except telephones.Personal:
            self.note(section, "phone", "is a mobile number: write `mobile: true` if it belongs to the post", at)
        except telephones.Unusable:
            self.note(section, "phone", "is no telephone number", at)
        return {"post_zh": post_zh, "post_en": post_en, "task_zh": task_zh, "task_en": task_en, "phone": phone}

    def _risk(self, section: Section, at: str) -> dict[str, Any]:
        self.file.known(section, at, ("code", "kind", "name", "lon", "lat", "people", "note", "checked"))
        code = self.file.text(section, "code", at)
        if len(code) > 40 or code in self.codes:
            self.note(section, "code", "stands twice" if code in self.codes else "is longer than 40 characters", at)
        self.codes.add(code)
        name_zh, name_en = self._pair(section, "name", at, (120, 160))
        note_zh, note_en = self._pair(section, "note", at, (300, 400), required=False)
        lon, lat = self._place(section, at)
        people = section.get("people")
        if people is not None and (not isinstance(people, int) or isinstance(people, bool) or not 0 <= people <= 1_000_000):
            self.note(section, "people", "must be a number of people", at)
            people = None
        return {"code": code, "kind": self.file.choice(section, "kind", at, tuple(words.RISKS)), "name_zh": name_zh,
                "name_en": name_en, "longitude": lon, "latitude": lat, "people": people, "note_zh": note_zh,
                "note_en": note_en, "checked_at": self._day(section, at)}

    def _place(self, section: Section, at: str) -> tuple[float | None, float | None]:
        lon, lat = section.get("lon"), section.get("lat")
        if lon is None and lat is None:
            return None, None
        message = "longitude and latitude in degrees are needed, both or none"
        if isinstance(lon, (int, float)) and isinstance(lat, (int, float)) and not isinstance(lon, bool):
            if lookup.at_point(lon, lat):
                return float(lon), float(lat)
            message = ("longitude and latitude seem to be swapped" if lookup.at_point(lat, lon)
                       else f"{lon}, {lat} lies in no community that is known here")
        self.note(section, "lon", message, at)
        return None, None

    def _day(self, section: Section, at: str) -> datetime | None:
        value = section.get("checked")
        if value is None:
            return None
        if isinstance(value, date) and not isinstance(value, datetime):
            return from_local(datetime.combine(value, time()), current_settings().timezone)
        self.note(section, "checked", "must be a day as 2026-05-11", at)
        return None

    def _ten(self) -> dict[str, dict[str, Any]]:
        section = self.file.section(self.section, "ten", self.at, required=False)
        if section is None:
            return {}
        at = f"{self.at}ten."
        self.file.known(section, at, tuple(words.TEN))
        found = {}
        for item in words.TEN:
            one = self.file.section(section, item, at, required=False)
            if one is None:
                continue
            here = f"{at}{item}."
            self.file.known(one, here, ("there", "note", "checked"))
            note_zh, note_en = self._pair(one, "note", here, (300, 400), required=False)
            there = self.file.yes(one, "there", here) if one.get("there") is not None else None
            found[item] = {"there": there, "note_zh": note_zh, "note_en": note_en, "checked_at": self._day(one, here)}
        return found
