"""Changing what is kept of a community, by people with the duty SHELTERS over it. Each part is saved by itself: posts, risk
points, the ten "haves". Whoever saves says which state they saw, so that nobody overwrites what they did not read.

What somebody saves is real: it is no demonstration any more, whoever wrote it before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal import current_settings
from portal.core import audit
from portal.core.clock import from_local, local, utcnow
from portal.core.db import transaction
from portal.core.errors import Conflict, Invalid, Problem
from portal.identity.models import Account
from portal.identity.rights import SHELTERS, require_in
from portal.regions import lookup
from portal.shelters.communities import store, telephones, words, writing
from portal.shelters.models import RiskPoint

MOST_POSTS, MOST_RISKS = 20, 60
_CHANGED = _l("Somebody else saved this part since you opened it. What you typed is still here: compare it with what is there"
              " now, then save again.")


def save_posts(account: Account, code: str, rows: Sequence[Mapping[str, str]], seen: str) -> int:
    """Replace the posts, in the order of `rows`: `post_zh`, `post_en`, `task_zh`, `task_en`, `phone`, and `mobile` (not empty:
    a mobile number is the post's own). Rows without any word are left out. How many there are now.

    Raises Invalid at `posts.N.<field>`, Conflict when `seen` is not the state that is stored, Forbidden outside the duty."""
    require_in(account, SHELTERS, [code])
    checks = _Checks("posts")
    posts = [checks.post(n, row) for n, row in enumerate(rows) if _any(row, "post_zh", "post_en", "task_zh", "task_en", "phone")]
    if len(posts) > MOST_POSTS:
        checks.wrong("", _l("At most %(n)d posts are possible.", n=MOST_POSTS))
    checks.done()
    with transaction() as session:
        _allow(session, account, code, store.POSTS, seen)
        writing.set_posts(session, code, posts)
        audit.append(session, account.actor, "community.posts", f"region:{code}", {"posts": len(posts)})
    return len(posts)


def save_risks(account: Account, code: str, rows: Sequence[Mapping[str, str]], seen: str) -> int:
    """Make the risk points what `rows` say: `code` (empty: a new one), `kind`, `name_zh`, `name_en`, `longitude`, `latitude`,
    `people`, `note_zh`, `note_en`, `checked` (a day), `remove`. Raises as :func:`save_posts`, at `risks.N.<field>`."""
    require_in(account, SHELTERS, [code])
    checks = _Checks("risks")
    risks = [checks.risk(n, row) for n, row in enumerate(rows) if not row.get("remove")
             and _any(row, "code", "name_zh", "name_en", "longitude", "latitude", "people", "note_zh", "note_en")]
    if len(risks) > MOST_RISKS:
        checks.wrong("", _l("At most %(n)d risk points are possible.", n=MOST_RISKS))
    checks.done()
    with transaction() as session:
        _allow(session, account, code, store.RISKS, seen)
        taken = set(session.execute(select(RiskPoint.code)).scalars())
        for risk in risks:
            if not risk["code"]:
                risk["code"] = _free_code(code, taken)
        # What this community has not kept under such a code is another's.
        own = set(session.execute(select(RiskPoint.code).where(RiskPoint.region_code == code)).scalars())
        if foreign := [r["code"] for r in risks if r["code"] in taken and r["code"] not in own and not r.get("new")]:
            raise Conflict(_l("The risk point %(code)s is no longer one of this community.", code=foreign[0]))
        for risk in risks:
            risk.pop("new", None)
        outcome = writing.Outcome()
        writing.set_risks(session, writing.Rows(code, risks=risks), outcome)
        audit.append(session, account.actor, "community.risks", f"region:{code}",
                     {"risks": len(risks), "changed": outcome.changed})
    return len(risks)


def save_ten(account: Account, code: str, rows: Mapping[str, Mapping[str, str]], seen: str) -> dict[str, str]:
    """Answer the ten: item → `answer` (a key of words.ANSWERS), `note_zh`, `note_en`, `checked` (a day). Who changed an item is
    kept with it. The items that changed and their answers. Raises as :func:`save_posts`, at `ten.<item>.<field>`."""
    require_in(account, SHELTERS, [code])
    checks = _Checks("ten")
    wanted = {item: checks.have(item, rows.get(item, {})) for item in words.TEN}
    checks.done()
    with transaction() as session:
        _allow(session, account, code, store.HAVES, seen)
        changed: dict[str, str] = {}
        rows_now = {have.item: have for have in store.ten(code)}
        for item, values in wanted.items():
            before = rows_now[item]
            if before.there != values["there"] and values["checked_at"] in (None, before.checked_at):
                values["checked_at"] = _today()
            if any(getattr(before, name) != values[name] for name in writing.HAVE):
                changed[item] = words.answer_of(values["there"])
                values["checked_by"] = account.display_name[:120]
        writing.set_haves(session, code, {item: wanted[item] for item in changed})
        if changed:
            audit.append(session, account.actor, "community.ten", f"region:{code}", {"answers": changed})
    return changed


def _allow(session: Session, account: Account, code: str, part: str, seen: str) -> None:
    require_in(account, SHELTERS, [code])
    audit.serialise(session)  # whoever saves in the same moment waits here, and then sees what this one wrote
    if store.stamp(code, [part]) != seen:
        raise Conflict(_CHANGED)


def _free_code(code: str, taken: set[str]) -> str:
    """The next code of a community: its last six digits, and a number that nobody has."""
    number = 1
    while (made := f"{code[-6:]}-R{number:02d}") in taken:
        number += 1
    taken.add(made)
    return made


def _today() -> datetime:
    zone = current_settings().timezone
    return from_local(datetime.combine(local(utcnow(), zone).date(), time()), zone)


def _any(row: Mapping[str, str], *names: str) -> bool:
    return any(row.get(name, "").strip() for name in names)


class _Checks:
    """Reads rows of a form; notes everything that is wrong with them."""

    def __init__(self, part: str) -> None:
        self.part, self.problems = part, list[Problem]()

    def wrong(self, field: str, message: Any) -> None:
        self.problems.append(Problem(f"{self.part}{'.' if field else ''}{field}", message))

    def done(self) -> None:
        if self.problems:
            raise Invalid(self.problems)

    def text(self, row: Mapping[str, str], name: str, field: str, most: int, *, required: bool = False) -> str:
        value = " ".join(row.get(name, "").split())
        if required and not value:
            self.wrong(field, _l("This is needed."))
        elif len(value) > most or not value.isprintable():
            self.wrong(field, _l("At most %(n)d characters are possible.", n=most))
        return value[:most]

    def post(self, n: int, row: Mapping[str, str]) -> dict[str, str]:
        values = {name: self.text(row, name, f"{n}.{name}", most, required=name.startswith("post_"))
                  for name, most in (("post_zh", 80), ("post_en", 120), ("task_zh", 200), ("task_en", 300))}
        typed = row.get("phone", "").strip()
        values["phone"] = typed[:40]
        if not typed:
            self.wrong(f"{n}.phone", _l("This is needed."))
            return values
        try:
            values["phone"] = telephones.duty_number(typed, mobile_is_of_the_post=bool(row.get("mobile")))
        except telephones.Personal:
            self.wrong(f"{n}.phone", _l("This is a mobile number and will be published. Tick that it belongs to the post, or give"
                                        " a duty telephone."))
        except telephones.Unusable:
            self.wrong(f"{n}.phone", _l("This is no telephone number. Write it as 0755-84620000, 12345 or +852 23456789."))
        return values

    def risk(self, n: int, row: Mapping[str, str]) -> dict[str, Any]:
        kind = row.get("kind", "")
        if kind not in words.RISKS:
            self.wrong(f"{n}.kind", _l("Choose what kind of danger it is."))
        values: dict[str, Any] = {"code": row.get("code", "").strip()[:40], "new": not row.get("code", "").strip(), "kind": kind}
        for name, most, required in (("name_zh", 120, True), ("name_en", 160, True), ("note_zh", 300, False),
                                     ("note_en", 400, False)):
            values[name] = self.text(row, name, f"{n}.{name}", most, required=required)
        values["longitude"], values["latitude"] = self._place(row, n)
        values["people"] = self._people(row.get("people", ""), f"{n}.people")
        values["checked_at"] = self.day(row.get("checked", ""), f"{n}.checked")
        return values

    def _place(self, row: Mapping[str, str], n: int) -> tuple[float | None, float | None]:
        typed = [row.get(name, "").strip() for name in ("longitude", "latitude")]
        if not any(typed):
            return None, None
        try:
            lon, lat = (float(text) for text in typed)
        except ValueError:
            self.wrong(f"{n}.longitude", _l("Longitude and latitude in degrees are needed, as 114.3512 and 22.6987; or neither."))
            return None, None
        if lookup.at_point(lon, lat) is None:
            swapped = lookup.at_point(lat, lon) is not None
            self.wrong(f"{n}.longitude", _l("Longitude and latitude seem to be swapped.") if swapped
                       else _l("This place lies outside the district."))
            return None, None
        return round(lon, 6), round(lat, 6)

    def _people(self, typed: str, field: str) -> int | None:
        typed = typed.strip().replace(",", "")
        if not typed:
            return None
        if not typed.isascii() or not typed.isdigit() or int(typed) > 1_000_000:
            self.wrong(field, _l("A number of people is needed, or nothing where nobody knows."))
            return None
        return int(typed)

    def have(self, item: str, row: Mapping[str, str]) -> dict[str, Any]:
        answer = row.get("answer", words.UNKNOWN)
        if answer not in words.ANSWERS:
            self.wrong(f"{item}.answer", _l("Choose one of the three answers."))
            answer = words.UNKNOWN
        return {"there": words.ANSWERS[answer][1], "note_zh": self.text(row, "note_zh", f"{item}.note_zh", 300),
                "note_en": self.text(row, "note_en", f"{item}.note_en", 400),
                "checked_at": self.day(row.get("checked", ""), f"{item}.checked")}

    def day(self, typed: str, field: str) -> datetime | None:
        typed = typed.strip()
        if not typed:
            return None
        try:
            day = date.fromisoformat(typed)
        except ValueError:
            self.wrong(field, _l("A day is needed, as 2026-05-11."))
            return None
        moment = from_local(datetime.combine(day, time()), current_settings().timezone) if day.year > 1990 else None
        if moment is None or moment > utcnow() + timedelta(days=1):
            self.wrong(field, _l("Nobody can have looked on that day."))
            return None
        return moment
