"""What is typed into the form of a session: out of the request, out of a row, and into a plan that the rules check."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from flask_babel import lazy_gettext as _l
from werkzeug.datastructures import MultiDict

from portal.core.clock import from_local, local
from portal.core.errors import Invalid, Problem
from portal.training.practical_models import PracticalSession
from portal.training.practicals.sessions import MOST_SEATS, Plan

_GAP = re.compile(r"[,，\s]+")
_NUMBER = re.compile(r"\d{1,4}", re.ASCII)
_SEATS = "20"


@dataclass
class Typed:
    """The form as it stands, right or wrong. Day and times are as typed, in the district's zone."""

    slug: str = ""
    skills: list[str] = field(default_factory=list)
    place: str = ""
    region_code: str = ""
    point: str = ""
    day: str = ""
    begins: str = ""
    ends: str = ""
    seats: str = _SEATS
    trainer_id: str = ""
    note: str = ""


def from_request(form: MultiDict[str, str]) -> Typed:
    return Typed(slug=form.get("slug", "")[:64], skills=form.getlist("skills")[:100], place=_line(form.get("place", ""))[:400],
                 region_code=form.get("region_code", "")[:12], point=form.get("point", "").strip()[:60],
                 day=form.get("day", "").strip()[:20], begins=form.get("begins", "").strip()[:10],
                 ends=form.get("ends", "").strip()[:10], seats=form.get("seats", "").strip()[:10],
                 trainer_id=form.get("trainer_id", "")[:40], note=form.get("note", "").replace("\r\n", "\n").strip()[:2000])


def from_row(row: PracticalSession, zone: str) -> Typed:
    starts, ends = local(row.starts_at, zone), local(row.ends_at, zone)
    return Typed(slug=row.slug, skills=list(row.skills), place=row.place, region_code=row.region_code,
                 point="" if row.lon is None else f"{row.lon}, {row.lat}", day=f"{starts:%Y-%m-%d}", begins=f"{starts:%H:%M}",
                 ends=f"{ends:%H:%M}", seats=str(row.seats), trainer_id=str(row.trainer_id), note=row.note)


def plan(typed: Typed, zone: str, order: list[str]) -> Plan:
    """What the form says, skills in the course's `order`. Raises Invalid with all that cannot even be read."""
    problems: list[Problem] = []

    def read(name: str, found: object, message: object) -> None:
        if found is None:
            problems.append(Problem(name, message))

    day, begins, ends = _day(typed.day), _time(typed.begins), _time(typed.ends)
    seats = int(typed.seats) if _NUMBER.fullmatch(typed.seats) else None
    trainer, point = _id(typed.trainer_id), _point(typed.point)
    read("day", day, _l("Choose the day, for example 2026-11-22."))
    read("begins", begins, _l("Type when it begins, for example 14:30."))
    read("ends", ends, _l("Type when it ends, for example 17:30."))
    read("seats", seats, _l("From 1 to %(n)s seats.", n=MOST_SEATS))
    read("trainer_id", trainer, _l("Choose who holds the session."))
    read("point", point, _l("A point is a longitude and a latitude, for example 114.35012, 22.69123."))
    if problems or day is None or begins is None or ends is None or seats is None or trainer is None or point is None:
        raise Invalid(problems)
    starts_at, ends_at = _moments(day, begins, ends, zone)
    skills = [one for one in order if one in typed.skills] + [one for one in typed.skills if one not in order]
    return Plan(slug=typed.slug, skills=tuple(dict.fromkeys(skills)), place=typed.place, region_code=typed.region_code,
                lon=point[0], lat=point[1], starts_at=starts_at, ends_at=ends_at, seats=seats, trainer_id=trainer,
                note=typed.note)


def _moments(day: date, begins: time, ends: time, zone: str) -> tuple[datetime, datetime]:
    """An end that is earlier in the day than the beginning is on the next one: a course by night."""
    last = day + timedelta(days=1) if ends < begins else day
    return from_local(datetime.combine(day, begins), zone), from_local(datetime.combine(last, ends), zone)


def _line(text: str) -> str:
    return " ".join(text.split())


def _day(text: str) -> date | None:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if 2000 <= found.year < 2100 else None


def _time(text: str) -> time | None:
    try:
        found = time.fromisoformat(text.replace("：", ":"))
    except ValueError:
        return None
    return found.replace(second=0, microsecond=0) if found.tzinfo is None else None


def _id(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def _point(text: str) -> tuple[float | None, float | None] | None:
    """(None, None) for none; None for what cannot be read."""
    if not text:
        return None, None
    try:
        numbers = list(_numbers(text))
    except ValueError:
        return None
    return (numbers[0], numbers[1]) if len(numbers) == 2 else None


def _numbers(text: str) -> Iterator[float]:
    for part in filter(None, _GAP.split(text)):
        number = float(part)
        if not abs(number) <= 180:
            raise ValueError("not on the globe")
        yield number
